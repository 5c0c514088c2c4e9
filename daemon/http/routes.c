/* Which path is answered by what, with which parameters and to whom. */
#include "daemon/http/routes.h"

#include <stdio.h>
#include <string.h>

#include "daemon/http/api.h"
#include "daemon/http/health.h"
#include "daemon/http/metrics.h"
#include "daemon/http/page.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct query_rule series_rules[] = {
    {"metric", 1},
    {"layer", 1},
    {"from", 0},
    {"to", 0},
    {"points", 0},
    {"attempt", 0},
};
static const struct query_rule histogram_rules[] = {
    {"metric", 0},
    {"layer", 0},
    {"from", 0},
    {"to", 0},
    {"columns", 0},
    {"attempt", 0},
};
static const struct query_rule alerts_rules[] = {
    {"run", 0},
    {"state", 0},
    {"severity", 0},
    {"since", 0},
    {"limit", 0},
};
static const struct query_rule events_rules[] = {{"run", 0}};

const struct route routes[] = {
    {"GET", "/", GUARD_OPEN, LANE_NONE, page_shell, NULL, 0},
    {"GET", "/page/{file}", GUARD_OPEN, LANE_NONE, page_file, NULL, 0},
    {"GET", "/healthz", GUARD_OPEN, LANE_NONE, health_alive, NULL, 0},
    {"GET", "/readyz", GUARD_READ, LANE_BRIEF, health_ready, NULL, 0},
    {"GET", "/metrics", GUARD_READ, LANE_BRIEF, metrics_text, NULL, 0},
    {"GET", "/openapi.json", GUARD_READ, LANE_NONE, page_openapi, NULL, 0},
    {"GET", "/api/v1/runs", GUARD_READ, LANE_BRIEF, api_runs, NULL, 0},
    {"GET", "/api/v1/runs/{run}", GUARD_READ, LANE_BULK, api_run, NULL, 0},
    {"DELETE", "/api/v1/runs/{run}", GUARD_CHANGE, LANE_CHANGE, api_run_delete, NULL, 0},
    {"POST", "/api/v1/runs/{run}/end", GUARD_CHANGE, LANE_CHANGE, api_run_end, NULL, 0},
    {"GET", "/api/v1/runs/{run}/series", GUARD_READ, LANE_BULK, api_series, series_rules,
        COUNT(series_rules)},
    {"GET", "/api/v1/runs/{run}/histogram", GUARD_READ, LANE_BULK, api_histogram, histogram_rules,
        COUNT(histogram_rules)},
    {"GET", "/api/v1/alerts", GUARD_READ, LANE_BRIEF, api_alerts, alerts_rules,
        COUNT(alerts_rules)},
    {"POST", "/api/v1/alerts/{id}/ack", GUARD_CHANGE, LANE_CHANGE, api_alert_ack, NULL, 0},
    {"GET", "/api/v1/silences", GUARD_READ, LANE_BRIEF, api_silences, NULL, 0},
    {"POST", "/api/v1/silences", GUARD_CHANGE, LANE_CHANGE, api_silence_add, NULL, 0},
    {"DELETE", "/api/v1/silences/{id}", GUARD_CHANGE, LANE_CHANGE, api_silence_end, NULL, 0},
    {"GET", "/api/v1/events", GUARD_READ, LANE_NONE, NULL, events_rules, COUNT(events_rules)},
};
const size_t routes_count = COUNT(routes);

static int path_fits(const char *pattern, const struct query *query, const char **capture)
{
    size_t segment = 0;

    pattern++;
    while (*pattern) {
        size_t length = strcspn(pattern, "/");
        if (segment == query->segments_count)
            return 0;
        const char *given = query->segments[segment++];
        if (*pattern == '{')
            *capture = given;
        else if (strlen(given) != length || strncmp(given, pattern, length) != 0)
            return 0;
        pattern += length;
        if (*pattern == '/')
            pattern++;
    }
    return segment == query->segments_count;
}

static int method_fits(const struct route *route, const char *method)
{
    return !strcmp(route->method, method) ||
           (!strcmp(route->method, "GET") && !strcmp(method, "HEAD"));
}

const struct route *routes_find(const struct query *query, const char *method, const char **capture,
    char allow[ROUTES_ALLOW_MAX], struct problem *problem)
{
    size_t used = 0;

    allow[0] = '\0';
    for (size_t i = 0; i < routes_count; i++) {
        const struct route *route = &routes[i];
        *capture = NULL;
        if (!path_fits(route->path, query, capture))
            continue;
        if (method_fits(route, method))
            return route;
        used += (size_t)snprintf(allow + used, ROUTES_ALLOW_MAX - used, "%s%s%s", used ? ", " : "",
            route->method, !strcmp(route->method, "GET") ? ", HEAD" : "");
    }
    if (allow[0])
        problem_set(problem, 405, "this path answers %s", allow);
    else
        problem_set(
            problem, 404, "there is nothing at this path; /openapi.json tells what there is");
    return NULL;
}
