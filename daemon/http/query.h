/* The target of a request, `/path?name=value&…`, cut and percent-decoded, and its parameters read
 * with precise errors.
 *
 * Pure. Decoded texts are NUL-terminated UTF-8 without control characters (anything else is a
 * problem) and live in the query's own copy until query_free. */
#ifndef FORESHOCK_HTTP_QUERY_H
#define FORESHOCK_HTTP_QUERY_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/http/problem.h"

enum {
    QUERY_TARGET_MAX = 16 * 1024, /* bytes of the target */
    QUERY_PARAMETERS_MAX = 256,
    QUERY_SEGMENTS_MAX = 8,
};

struct query_parameter {
    const char *name, *value;
};

struct query {
    char *copy;
    const char *segments[QUERY_SEGMENTS_MAX]; /* of the path, decoded one by one: "/" has none */
    size_t segments_count;
    struct query_parameter parameters[QUERY_PARAMETERS_MAX];
    size_t parameters_count;
};

/* 0, or -1 and a problem. query_free is safe after both. */
int query_parse(struct query *query, const char *target, struct problem *problem);
void query_free(struct query *query);

/* One parameter that a route takes. */
struct query_rule {
    const char *name;
    int repeatable;
};

/* Every parameter must be in `rules` and come once unless repeatable. */
int query_check(const struct query *query, const struct query_rule *rules, size_t count,
    struct problem *problem);

const char *query_text(
    const struct query *query, const char *name); /* the first value, NULL if absent */

/* These leave `*out` as it was when the parameter is absent. */
int query_integer(const struct query *query, const char *name, int64_t low, int64_t high,
    int64_t *out, struct problem *problem);
int query_number(
    const struct query *query, const char *name, double low, double *out, struct problem *problem);
/* One of `choices`, which ends with NULL. */
int query_choice(const struct query *query, const char *name, const char *const *choices,
    const char **out, struct problem *problem);

/* Whether `text` fits `pattern`, in which each '*' stands for any characters, or for none. */
int query_match(const char *pattern, const char *text);

#endif
