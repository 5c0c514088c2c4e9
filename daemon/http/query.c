/* Cutting and decoding of request targets; typed parameters. */
#include "daemon/http/query.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/names.h"
#include "proto/wire.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* In place. A '+' is a blank in parameters only. -1 at a bad escape or an escaped control
 * character. */
static int decode_percent(char *text, int plus_is_blank)
{
    char *out = text;

    for (const char *in = text; *in; in++) {
        int byte = (unsigned char)*in;
        if (*in == '%') {
            int high = hex_digit(in[1]);
            int low = high < 0 ? -1 : hex_digit(in[2]);
            if (low < 0)
                return -1;
            byte = high * 16 + low;
            in += 2;
        } else if (*in == '+' && plus_is_blank) {
            byte = ' ';
        }
        if (byte < 0x20 || byte == 0x7f)
            return -1;
        *out++ = (char)byte;
    }
    *out = '\0';
    return names_valid_utf8(wire_str(text)) ? 0 : -1;
}

static int bad_text(struct problem *problem, const char *what)
{
    return problem_set(problem, 400,
        "the %s holds a bad percent escape, a control character or bytes that are no UTF-8", what);
}

static int parse_path(struct query *query, char *path, struct problem *problem)
{
    if (*path != '/')
        return problem_set(problem, 400, "the target does not begin with /");
    path++;
    while (*path) {
        if (query->segments_count == QUERY_SEGMENTS_MAX)
            return problem_set(
                problem, 404, "the path has more than %d segments", QUERY_SEGMENTS_MAX);
        char *end = strchrnul(path, '/');
        char *next = *end ? end + 1 : end;
        /* "/a/" is not "/a": an empty last segment stays one. */
        int trailing = *end && !*next;
        *end = '\0';
        if (decode_percent(path, 0))
            return bad_text(problem, "path");
        query->segments[query->segments_count++] = path;
        if (trailing && query->segments_count < QUERY_SEGMENTS_MAX)
            query->segments[query->segments_count++] = next;
        path = next;
    }
    return 0;
}

static int parse_parameters(struct query *query, char *text, struct problem *problem)
{
    for (char *next = text; next;) {
        char *name = strsep(&next, "&");
        if (!*name)
            continue;
        if (query->parameters_count == QUERY_PARAMETERS_MAX)
            return problem_set(
                problem, 400, "there are more than %d parameters", QUERY_PARAMETERS_MAX);
        char *value = name;
        name = strsep(&value, "=");
        if (!value)
            value = name + strlen(name);
        if (decode_percent(name, 1) || decode_percent(value, 1))
            return bad_text(problem, "query");
        query->parameters[query->parameters_count++] = (struct query_parameter){name, value};
    }
    return 0;
}

int query_parse(struct query *query, const char *target, struct problem *problem)
{
    *query = (struct query){0};
    if (strnlen(target, QUERY_TARGET_MAX + 1) > QUERY_TARGET_MAX)
        return problem_set(problem, 414, "the target is longer than %d bytes", QUERY_TARGET_MAX);
    query->copy = strdup(target);
    if (!query->copy)
        return problem_set(problem, 500, "out of memory");
    char *parameters = query->copy;
    char *path = strsep(&parameters, "?");
    if (parse_path(query, path, problem))
        return -1;
    return parameters ? parse_parameters(query, parameters, problem) : 0;
}

void query_free(struct query *query)
{
    free(query->copy);
    *query = (struct query){0};
}

static const struct query_rule *find_rule(
    const struct query_rule *rules, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(rules[i].name, name))
            return &rules[i];
    }
    return NULL;
}

static int unknown_parameter(const struct query_parameter *given, const struct query_rule *rules,
    size_t count, struct problem *problem)
{
    char names[200] = "";
    size_t used = 0;

    for (size_t i = 0; i < count && used < sizeof names; i++)
        used += (size_t)snprintf(
            names + used, sizeof names - used, "%s%s", i ? ", " : "", rules[i].name);
    if (!count)
        return problem_parameter(problem, 400, given->name, given->value, "no parameters here");
    return problem_parameter(
        problem, 400, given->name, given->value, "a parameter named one of: %s", names);
}

int query_check(const struct query *query, const struct query_rule *rules, size_t count,
    struct problem *problem)
{
    for (size_t i = 0; i < query->parameters_count; i++) {
        const struct query_parameter *given = &query->parameters[i];
        const struct query_rule *rule = find_rule(rules, count, given->name);
        if (!rule)
            return unknown_parameter(given, rules, count, problem);
        if (!rule->repeatable && query_text(query, given->name) != given->value)
            return problem_parameter(
                problem, 400, given->name, given->value, "this parameter once only");
    }
    return 0;
}

const char *query_text(const struct query *query, const char *name)
{
    for (size_t i = 0; i < query->parameters_count; i++) {
        if (!strcmp(query->parameters[i].name, name))
            return query->parameters[i].value;
    }
    return NULL;
}

int query_integer(const struct query *query, const char *name, int64_t low, int64_t high,
    int64_t *out, struct problem *problem)
{
    const char *text = query_text(query, name);
    char *end;

    if (!text)
        return 0;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    int plain = *text == '-' || (*text >= '0' && *text <= '9');
    if (!plain || *end || end == text || errno || value < low || value > high)
        return problem_parameter(
            problem, 400, name, text, "a whole number from %" PRId64 " to %" PRId64, low, high);
    *out = value;
    return 0;
}

int query_number(
    const struct query *query, const char *name, double low, double *out, struct problem *problem)
{
    const char *text = query_text(query, name);
    char *end;

    if (!text)
        return 0;
    double value = strtod(text, &end);
    int plain = strspn(text, "+-.0123456789eE") == strlen(text);
    if (!plain || end == text || *end || !isfinite(value) || value < low)
        return problem_parameter(problem, 400, name, text, "a number, at least %g", low);
    *out = value;
    return 0;
}

int query_choice(const struct query *query, const char *name, const char *const *choices,
    const char **out, struct problem *problem)
{
    const char *text = query_text(query, name);
    char names[200] = "";
    size_t used = 0;

    if (!text)
        return 0;
    for (const char *const *choice = choices; *choice; choice++) {
        if (!strcmp(*choice, text)) {
            *out = *choice;
            return 0;
        }
        if (used < sizeof names)
            used += (size_t)snprintf(
                names + used, sizeof names - used, "%s%s", used ? ", " : "", *choice);
    }
    return problem_parameter(problem, 400, name, text, "one of: %s", names);
}

int query_match(const char *pattern, const char *text)
{
    const char *star = NULL,
               *behind = NULL; /* where to go on when a guess about the last '*' was too short */

    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            behind = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++behind;
        } else {
            return 0;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}
