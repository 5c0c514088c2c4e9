/* A disk that is short of room: what is bulky is left out and counted, all else is stored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "daemon/store/disk.h"
#include "tests/unit/store/fixture.h"

#define MIB ((uint64_t)1 << 20)

static void the_state_does_not_flicker(void **state)
{
    assert_false(disk_judge(0, 0, false));
    assert_false(disk_judge(0, 0, true));
    assert_false(disk_judge(512 * MIB, 512 * MIB, false));
    assert_true(disk_judge(512 * MIB - 1, 512 * MIB, false));
    assert_true(disk_judge(544 * MIB - 1, 512 * MIB, true));
    assert_false(disk_judge(544 * MIB, 512 * MIB, true));
    assert_false(disk_judge(4096 * MIB + DISK_MARGIN_MAX, 4096 * MIB, true));
    assert_true(disk_judge(UINT64_MAX - 1, UINT64_MAX, false));
}

struct lines {
    atomic_int errors, others;
    char last[ERROR_MAX];
};

static void note(void *ctx, bool error, const char *text)
{
    struct lines *lines = ctx;
    snprintf(lines->last, sizeof lines->last, "%s", text);
    atomic_fetch_add(error ? &lines->errors : &lines->others, 1);
}

/* Run, layer, alert, a figure and a histogram of one step. */
static struct store_batch *batch_of_step(int64_t step)
{
    struct store_batch *batch = store_batch_new();
    struct store_run run = fixture_run(1, "alpha");
    struct store_layer layer = fixture_layer(1, 1, "up");
    struct alert_record alert = fixture_alert(1, 1);
    struct figure figure = fixture_figure(1, 1, "m", step, 1);
    struct histogram histogram = {.run = 1, .layer = 1, .attempt = 1, .step = step, .metric = "sa"};
    run.last_step = alert.last_step = step;
    store_put_run(batch, &run);
    store_put_layer(batch, &layer);
    store_put_alert(batch, &alert);
    store_put_figure(batch, &figure);
    store_put_histogram(batch, &histogram);
    return batch;
}

static int64_t count(const struct fixture *fixture, const char *table)
{
    char sql[64];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    return fixture_query(fixture, sql);
}

static void figures_are_left_out_and_rows_are_kept(void **state)
{
    struct fixture *fixture = *state;
    struct lines lines = {0};
    fixture->options.disk_free_min = UINT64_MAX;
    fixture->options.log = note;
    fixture->options.log_ctx = &lines;
    fixture_reopen(fixture);
    for (int64_t step = 0; step < 3; step++) {
        fixture_submit(fixture, batch_of_step(step));
        fixture_flush(fixture);
    }
    assert_int_equal(count(fixture, "point") + count(fixture, "histogram"), 0);
    assert_int_equal(fixture_query(fixture, "SELECT last_step FROM run"), 2);
    assert_int_equal(fixture_query(fixture, "SELECT last_step FROM alert"), 2);
    assert_int_equal(count(fixture, "layer"), 1);
    assert_int_equal(stats_get(&fixture->stats.figures_dropped_disk_total), 6);
    assert_int_equal(stats_get(&fixture->stats.figures_stored_total), 0);
    assert_int_equal(stats_get(&fixture->stats.store_disk_short), 1);
    assert_true(stats_get(&fixture->stats.disk_short_since_ms) > 0);
    assert_int_equal(atomic_load(&lines.errors), 1); /* said once */
    assert_non_null(strstr(lines.last, "figures and baselines are not stored"));
    fixture->options.disk_free_min = 0;
    fixture_reopen(fixture);
    fixture_submit(fixture, batch_of_step(3));
    fixture_flush(fixture);
    assert_int_equal(count(fixture, "point") + count(fixture, "histogram"), 2);
    assert_int_equal(stats_get(&fixture->stats.store_disk_short), 0);
    assert_int_equal(stats_get(&fixture->stats.disk_short_since_ms), 0);
}

static int write_baseline(struct fixture *fixture, uint64_t bytes, struct error *error)
{
    static const char zeros[4096];
    struct baseline_row row = {.layer = 1, .attempt = 1, .dtype = "fp32", .bytes = bytes};
    return store_baseline_write(
        fixture->store, &row, &(struct baseline_part){zeros, sizeof zeros}, 1, error);
}

static void a_baseline_leaves_the_disk_its_room(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};
    char path[128];
    struct statvfs disk;
    assert_int_equal(statvfs(fixture->dir, &disk), 0);
    fixture->options.disk_free_min = (uint64_t)disk.f_bavail * disk.f_frsize / 2;
    fixture_reopen(fixture);
    /* As if it were larger than the half that is free. */
    assert_int_equal(
        write_baseline(fixture, (uint64_t)disk.f_bavail * disk.f_frsize, &error), BASELINE_NO_ROOM);
    assert_non_null(strstr(error.text, "retention.disk_free_min"));
    snprintf(path, sizeof path, "%s/baselines/1-1-0.w0", fixture->dir);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(write_baseline(fixture, 4096, &error), 0);
    assert_int_equal(access(path, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
        cmocka_unit_test(the_state_does_not_flicker),
        WITH_STORE(figures_are_left_out_and_rows_are_kept),
        WITH_STORE(a_baseline_leaves_the_disk_its_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
