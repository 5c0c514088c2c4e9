/* The store stays below its limits, and what goes is the oldest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/store/reader.h"
#include "daemon/store/retention.h"
#include "tests/unit/store/fixture.h"

#define SERIES 10

/* A run with `steps` points of SERIES series; about 30 bytes a point. */
static void put_filled_run(struct fixture *fixture, int64_t id, enum run_state state,
    double last_seen_at, int64_t steps, uint32_t attempt)
{
    char key[16], metric[16];
    snprintf(key, sizeof key, "run-%d", (int)id);
    struct store_batch *batch = store_batch_new();
    struct store_run run = fixture_run(id, key);
    struct store_layer layer = fixture_layer(id, id, "up");
    run.state = state;
    run.attempt = attempt;
    run.last_seen_at = last_seen_at;
    store_put_run(batch, &run);
    store_put_layer(batch, &layer);
    for (int64_t step = 0; step < steps; step++) {
        for (int series = 0; series < SERIES; series++) {
            snprintf(metric, sizeof metric, "m%d", series);
            struct figure figure = fixture_figure(id, id, metric, step, (double)step);
            figure.attempt = attempt;
            store_put_figure(batch, &figure);
        }
    }
    fixture_submit(fixture, batch);
    fixture_flush(fixture);
}

static int64_t used_bytes(const struct fixture *fixture)
{
    return fixture_query(fixture, "SELECT (p.page_count - f.freelist_count) * 4096"
                                  " FROM pragma_page_count p, pragma_freelist_count f");
}

static bool is_below_limit(void *ctx)
{
    const struct fixture *fixture = ctx;
    return (uint64_t)fixture_query(fixture, "SELECT page_count * 4096 FROM pragma_page_count") <=
           fixture->options.retention_bytes;
}

static int64_t has_run(const struct fixture *fixture, int id)
{
    char sql[64];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM run WHERE id = %d", id);
    return fixture_query(fixture, sql);
}

static void the_oldest_ended_run_goes_first(void **state)
{
    struct fixture *fixture = *state;
    put_filled_run(fixture, 1, RUN_RUNNING, 100, 2000, 1);
    put_filled_run(fixture, 2, RUN_ENDED, 300, 2000, 1);
    put_filled_run(fixture, 3, RUN_LOST, 200, 2000, 1);
    put_filled_run(fixture, 4, RUN_ENDED, 400, 2000, 1);
    fixture->options.retention_bytes =
        (uint64_t)used_bytes(fixture) * 6 / 10; /* two of the four fit */
    fixture_reopen(fixture);
    fixture_await(is_below_limit, fixture);
    fixture_flush(fixture);
    assert_int_equal(has_run(fixture, 1), 1); /* running */
    assert_int_equal(has_run(fixture, 2), 0);
    assert_int_equal(has_run(fixture, 3), 0);
    assert_int_equal(has_run(fixture, 4), 1); /* the newest of those that ended */
    assert_int_equal(fixture_query(fixture, "SELECT count(*) FROM point"), 2 * 2000 * SERIES);
    assert_in_range(stats_get(&fixture->stats.store_retired_runs_total), 2, 2);
    assert_in_range(stats_get(&fixture->stats.store_bytes), 1, fixture->options.retention_bytes);
}

static void a_running_run_loses_its_oldest_points_only(void **state)
{
    struct fixture *fixture = *state;
    put_filled_run(fixture, 1, RUN_RUNNING, 100, 5000, 1);
    put_filled_run(fixture, 1, RUN_RUNNING, 100, 4000, 2);
    int64_t all = used_bytes(fixture);
    fixture->options.retention_bytes =
        (uint64_t)all * 3 / 10; /* attempt 1 goes whole, and some of attempt 2 */
    fixture_reopen(fixture);
    fixture_await(is_below_limit, fixture);
    assert_int_equal(fixture_query(fixture, "SELECT count(*) FROM series WHERE attempt = 1"), 0);
    assert_int_equal(fixture_query(fixture, "SELECT count(*) FROM series"), SERIES);
    /* Of each series an unbroken newest part is left, and no more has gone than there was need. */
    assert_int_equal(
        fixture_query(fixture,
            "SELECT count(*) FROM (SELECT max(step) m, min(step) n, count(*) c FROM point"
            " GROUP BY series_id) WHERE m = 3999 AND c = m - n + 1 AND n > 0"),
        SERIES);
    assert_in_range(
        fixture_query(fixture, "SELECT count(*) FROM point"), 1500 * SERIES, 3600 * SERIES);
}

static void the_newest_run_is_trimmed_after_its_end(void **state)
{
    struct fixture *fixture = *state;
    put_filled_run(fixture, 1, RUN_RUNNING, 100, 5000, 1);
    fixture->options.retention_bytes = (uint64_t)used_bytes(fixture) / 2;
    fixture_reopen(fixture);
    put_filled_run(fixture, 1, RUN_ENDED, 200, 5001, 1);
    fixture_await(is_below_limit, fixture);
    assert_int_equal(
        fixture_query(fixture, "SELECT count(*) FROM run WHERE key = 'run-1' AND retired = 0"), 1);
    assert_int_equal(fixture_query(fixture, "SELECT max(step) FROM point"), 5000);
    assert_in_range(
        fixture_query(fixture, "SELECT count(*) FROM point"), 1500 * SERIES, 3600 * SERIES);
}

struct lines {
    atomic_int exhausted, trims, removals;
};

static void read_line(void *ctx, bool error, const char *text)
{
    struct lines *lines = ctx;
    if (strstr(text, "nothing is left"))
        atomic_fetch_add(&lines->exhausted, error);
    else if (strcmp(text, "retention trims the oldest points of run-1") == 0)
        atomic_fetch_add(&lines->trims, !error);
    else if (strcmp(text, "retention removes run run-2 to make room") == 0)
        atomic_fetch_add(&lines->removals, !error);
}

static bool has_warned(void *ctx)
{
    return atomic_load(&((struct lines *)ctx)->exhausted) > 0;
}

static void the_newest_points_are_never_taken(void **state)
{
    struct fixture *fixture = *state;
    struct lines lines = {0};
    put_filled_run(fixture, 1, RUN_RUNNING, 100, 1000, 1);
    put_filled_run(fixture, 2, RUN_ENDED, 50, 10, 1);
    fixture->options.retention_bytes = 1000; /* less than an empty database */
    fixture->options.log = read_line;
    fixture->options.log_ctx = &lines;
    fixture_reopen(fixture);
    fixture_await(has_warned, &lines);
    assert_int_equal(fixture_query(fixture, "SELECT count(*) FROM point"), RETENTION_KEEP * SERIES);
    assert_int_equal(fixture_query(fixture, "SELECT min(step) FROM point"), 1000 - RETENTION_KEEP);
    put_filled_run(fixture, 1, RUN_RUNNING, 100, 1001, 1); /* and it goes on */
    assert_int_equal(fixture_query(fixture, "SELECT max(step) FROM point"), 1000);
    assert_int_equal(atomic_load(&lines.exhausted), 1);
    assert_int_equal(atomic_load(&lines.trims), 1);
    assert_int_equal(atomic_load(&lines.removals), 1);
}

static bool run_one_is_gone(void *ctx)
{
    return has_run(ctx, 1) == 0;
}

static void old_runs_go_by_age(void **state)
{
    struct fixture *fixture = *state;
    double now = (double)time(NULL);
    put_filled_run(fixture, 1, RUN_ENDED, now - 1000, 10, 1);
    put_filled_run(fixture, 2, RUN_ENDED, now - 100, 10, 1);
    put_filled_run(fixture, 3, RUN_RUNNING, now - 1000, 10, 1);
    fixture->options.retention_seconds = 500;
    fixture_reopen(fixture);
    fixture_await(run_one_is_gone, fixture);
    assert_int_equal(has_run(fixture, 2), 1);
    assert_int_equal(has_run(fixture, 3), 1);
}

static void the_baselines_of_a_run_go_with_it(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};
    char path[128];
    struct baseline_row row = {.layer = 1, .attempt = 1, .dtype = "fp32", .bytes = 3};
    put_filled_run(fixture, 1, RUN_ENDED, 100, 10, 1);
    put_filled_run(fixture, 2, RUN_ENDED, 200, 10, 1);
    assert_int_equal(
        store_baseline_write(fixture->store, &row, &(struct baseline_part){"abc", 3}, 1, &error),
        0);
    struct store_batch *batch = store_batch_new();
    store_put_baseline(batch, &row);
    fixture_submit(fixture, batch);
    fixture->options.retention_bytes = 1000; /* less than an empty database */
    fixture_reopen(fixture);
    fixture_await(run_one_is_gone, fixture);
    assert_int_equal(has_run(fixture, 2), 1); /* the newest */
    snprintf(path, sizeof path, "%s/baselines/1-1-0.w0", fixture->dir);
    assert_int_equal(access(path, F_OK), -1);
}

static bool has_looked_again(void *ctx)
{
    const struct fixture *fixture = ctx;
    return fixture->stats.store_bytes > 0;
}

/* Others fill the disk: that costs no history, only what is over the store's own limits goes. */
static void a_short_disk_takes_nothing(void **state)
{
    struct fixture *fixture = *state;
    double now = (double)time(NULL);
    put_filled_run(fixture, 1, RUN_ENDED, now - 1000, 10, 1);
    put_filled_run(fixture, 2, RUN_ENDED, now - 300, 1000, 1);
    put_filled_run(fixture, 3, RUN_ENDED, now - 200, 10, 1);
    put_filled_run(fixture, 4, RUN_RUNNING, now - 100, 1000, 1);
    fixture->options.disk_free_min = UINT64_MAX;
    fixture->options.retention_seconds = 500;
    fixture_reopen(fixture);
    stats_set(&fixture->stats.store_bytes, 0);
    fixture_await(has_looked_again, fixture);
    fixture_await(run_one_is_gone, fixture); /* by its age */
    fixture_flush(fixture);
    for (int id = 2; id <= 4; id++)
        assert_int_equal(has_run(fixture, id), 1);
    assert_int_equal(fixture_query(fixture, "SELECT count(*) FROM point"), 2010 * SERIES);
    assert_int_equal(stats_get(&fixture->stats.store_retired_runs_total), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
        WITH_STORE(the_oldest_ended_run_goes_first),
        WITH_STORE(a_running_run_loses_its_oldest_points_only),
        WITH_STORE(the_newest_run_is_trimmed_after_its_end),
        WITH_STORE(the_newest_points_are_never_taken),
        WITH_STORE(old_runs_go_by_age),
        WITH_STORE(the_baselines_of_a_run_go_with_it),
        WITH_STORE(a_short_disk_takes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
