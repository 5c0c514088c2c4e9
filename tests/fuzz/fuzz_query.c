/* Targets, headers and patterns of HTTP requests: the first line is the target, the second a Host,
 * the third an Authorization, the fourth an Origin, the fifth a Content-Type. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/http/guard.h"
#include "daemon/http/query.h"

enum { LINES = 5 };

static void try_parameters(const struct query *query, struct problem *problem)
{
    static const struct query_rule rules[] = {{"metric", 1}, {"points", 0}};
    static const char *const choices[] = {"firing", "resolved", NULL};
    const char *choice;
    int64_t integer;
    double number;

    query_check(query, rules, 2, problem);
    for (size_t i = 0; i < query->parameters_count; i++) {
        const char *name = query->parameters[i].name;
        query_integer(query, name, -5, 5, &integer, problem);
        query_number(query, name, 0, &number, problem);
        query_choice(query, name, choices, &choice, problem);
        if (!query_match("*", query->parameters[i].value) ||
            !query_match(query->parameters[i].value, query->parameters[i].value))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = strndup((const char *)data, size), *next = copy;
    const char *lines[LINES] = {""};
    const struct guard guard = {.address = "::1", .token = "t", .admin_token = "a"};
    struct problem problem = {0};
    struct query query;

    for (int i = 0; i < LINES && next; i++)
        lines[i] = strsep(&next, "\n");
    if (!query_parse(&query, lines[0], &problem))
        try_parameters(&query, &problem);
    query_free(&query);
    const struct guard_headers headers = {lines[1], lines[3], lines[2], lines[4]};
    guard_check(&guard, GUARD_CHANGE, &headers, &problem);
    guard_check(&guard, GUARD_READ, &headers, &problem);
    struct emitter out = {0};
    problem_write(&problem, &out);
    emitter_free(&out);
    free(copy);
    return 0;
}
