/* The table of routes, and how a target finds its own. Pure but for the functions that it names. */
#ifndef FORESHOCK_HTTP_ROUTES_H
#define FORESHOCK_HTTP_ROUTES_H

#include "daemon/http/api.h"

struct route {
    const char *method; /* GET answers HEAD too */
    const char *path;   /* as in proto/openapi.yaml */
    enum guard_need need;
    enum http_lane lane;
    int (*answer)(struct request *, struct reply *, struct problem *); /* NULL: the event stream */
    const struct query_rule *rules;
    size_t rules_count;
};

extern const struct route routes[];
extern const size_t routes_count;

enum { ROUTES_ALLOW_MAX = 64 };

/* The route of a path and a method, and the path's variable segment, if it has one. NULL and a
 * problem: 404, or 405 and the methods that the path knows in `allow`, else "". */
const struct route *routes_find(const struct query *query, const char *method, const char **capture,
    char allow[ROUTES_ALLOW_MAX], struct problem *problem);

#endif
