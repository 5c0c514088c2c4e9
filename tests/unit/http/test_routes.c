/* Routes and health: what needs no socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/http/health.h"
#include "daemon/http/routes.h"

static const char *capture;
static char allow[ROUTES_ALLOW_MAX];
static struct problem problem;

static const char *path_of(const char *method, const char *target)
{
    struct query query;

    problem = (struct problem){0};
    assert_int_equal(query_parse(&query, target, &problem), 0);
    const struct route *route = routes_find(&query, method, &capture, allow, &problem);
    query_free(&query);
    return route ? route->path : NULL;
}

static void test_found(void **state)
{
    assert_string_equal(path_of("GET", "/"), "/");
    assert_string_equal(path_of("GET", "/healthz"), "/healthz");
    assert_string_equal(path_of("HEAD", "/api/v1/runs"), "/api/v1/runs");
    assert_string_equal(path_of("GET", "/api/v1/runs/a?x=1"), "/api/v1/runs/{run}");
    assert_non_null(capture);
    assert_string_equal(path_of("DELETE", "/api/v1/runs/a"), "/api/v1/runs/{run}");
    assert_string_equal(path_of("GET", "/api/v1/runs/a/series"), "/api/v1/runs/{run}/series");
    assert_string_equal(path_of("POST", "/api/v1/alerts/7/ack"), "/api/v1/alerts/{id}/ack");
    assert_string_equal(path_of("POST", "/api/v1/runs/a/end"), "/api/v1/runs/{run}/end");
}

static void test_refused(void **state)
{
    static const char *const nowhere[] = {"/nothing", "/api", "/api/v1", "/api/v1/runs/a/b",
        "/healthz/", "//healthz", "/api/v1/runs/a/series/x", "/healthzz", "/health"};

    for (size_t i = 0; i < sizeof nowhere / sizeof *nowhere; i++) {
        assert_null(path_of("GET", nowhere[i]));
        assert_int_equal(problem.status, 404);
        assert_string_equal(allow, "");
    }
    assert_null(path_of("PATCH", "/api/v1/runs/a"));
    assert_int_equal(problem.status, 405);
    assert_string_equal(allow, "GET, HEAD, DELETE");
    assert_null(path_of("GET", "/api/v1/alerts/7/ack"));
    assert_string_equal(allow, "POST");
}

static void test_health(void **state)
{
    static struct stats stats;
    struct health_part parts[HEALTH_PARTS];

    health_check(&stats, 1000, parts);
    assert_false(parts[0].ok);
    assert_false(parts[1].ok);
    assert_true(parts[2].ok);
    stats_set(&stats.loop_turn_ms, 1000);
    stats_set(&stats.writer_turn_ms, 1100);
    health_check(&stats, 1050, parts);
    assert_true(parts[0].ok && parts[1].ok && parts[2].ok);
    assert_int_equal(parts[0].age_ms, 50);
    assert_int_equal(parts[1].age_ms, 0);
    stats_set(&stats.worker_since_ms, 1000);
    health_check(&stats, 1001 + HEALTH_WORKER_MS, parts);
    assert_false(parts[0].ok);
    assert_string_equal(parts[2].name, "workers");
    assert_false(parts[2].ok);
    assert_true(parts[3].ok);
    stats_set(&stats.disk_short_since_ms, 1000);
    health_check(&stats, 1500, parts);
    assert_string_equal(parts[3].name, "disk");
    assert_false(parts[3].ok);
    assert_int_equal(parts[3].age_ms, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_health),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
