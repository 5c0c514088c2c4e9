/* What becomes of alerts that the store has no room for: it is told of them once it has. */
#include "daemon/evaluator/evaluator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/store/fixture.h"

enum { FIRST = 1, SECOND, THIRD, RUNS };

struct stage {
    struct fixture *fixture;
    struct announced *announced;
    struct evaluator *evaluator;
    struct runs_out out;
    sqlite3 *blocker;
};

static void begin_run(struct stage *stage, int64_t id)
{
    static const char *const keys[RUNS] = {"", "first", "second", "third"};
    struct store_run run = fixture_run(id, keys[id]);
    struct store_batch *batch = store_batch_new();

    store_put_run(batch, &run);
    fixture_submit(stage->fixture, batch);
    stage->out.attempt(stage->out.ctx, id, keys[id], 1);
}

static void lost(struct stage *stage, int64_t run, bool on)
{
    stage->out.lost(stage->out.ctx, run, on, 40, "It went silent.");
}

/* Nobody takes anything out of its outbox. */
static void register_notifier(struct stage *stage)
{
    const struct store_notifier notifier = {.name = "all", .kind = "webhook", .rules = ""};
    struct store_batch *batch = store_batch_new();

    store_put_notifiers(batch, &notifier, 1, 5000);
    fixture_submit(stage->fixture, batch);
}

static int setup(void **state)
{
    struct stage *stage = calloc(1, sizeof *stage);
    void *fixture;
    struct rule_settings settings;

    assert_non_null(stage);
    fixture_setup(&fixture);
    stage->fixture = fixture;
    stage->announced = announced_new();
    rule_settings_init(&settings);
    stage->evaluator = evaluator_new(stage->fixture->store, &settings, stage->announced);
    assert_non_null(stage->evaluator);
    stage->out = evaluator_runs_out(stage->evaluator);
    for (int64_t run = FIRST; run < RUNS; run++)
        begin_run(stage, run);
    register_notifier(stage);
    *state = stage;
    return 0;
}

static int teardown(void **state)
{
    struct stage *stage = *state;
    void *fixture = stage->fixture;

    evaluator_free(stage->evaluator);
    announced_free(stage->announced);
    sqlite3_close(stage->blocker);
    fixture_teardown(&fixture);
    free(stage);
    return 0;
}

static bool is_full(void *ctx)
{
    struct stage *stage = ctx;

    while (store_submit(stage->fixture->store, store_batch_new()) == 0)
        ;
    return stats_get(&stage->fixture->stats.store_queue) == STORE_QUEUE_MAX;
}

/* Somebody else writes into the database and does not end: the store's queue runs full. */
static void block(struct stage *stage)
{
    char path[128];

    fixture_flush(stage->fixture);
    snprintf(path, sizeof path, "%s/foreshock.db", stage->fixture->dir);
    assert_int_equal(sqlite3_open(path, &stage->blocker), SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(stage->blocker, 5000), SQLITE_OK);
    assert_int_equal(sqlite3_exec(stage->blocker, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    fixture_await(is_full, stage);
}

static bool is_empty(void *ctx)
{
    struct stage *stage = ctx;

    return stats_get(&stage->fixture->stats.store_queue) == 0;
}

static void unblock(struct stage *stage)
{
    assert_int_equal(sqlite3_exec(stage->blocker, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    fixture_await(is_empty, stage);
}

static void settle(struct stage *stage)
{
    evaluator_settle(stage->evaluator);
    fixture_flush(stage->fixture);
}

static int64_t alerts(const struct stage *stage, int64_t run, const char *state)
{
    char sql[128];

    snprintf(sql, sizeof sql, "SELECT count(*) FROM alert WHERE run_id = %d AND state = '%s'",
        (int)run, state);
    return fixture_query(stage->fixture, sql);
}

static int64_t to_tell(const struct stage *stage, const char *event)
{
    char sql[128];

    snprintf(sql, sizeof sql, "SELECT count(*) FROM outbox WHERE event = '%s'", event);
    return fixture_query(stage->fixture, sql);
}

static void an_opening_is_told_later(void **state)
{
    struct stage *stage = *state;

    block(stage);
    lost(stage, FIRST, true);
    evaluator_settle(stage->evaluator); /* still no room */
    unblock(stage);
    assert_int_equal(alerts(stage, FIRST, "firing"), 0);
    settle(stage);
    assert_int_equal(alerts(stage, FIRST, "firing"), 1);
    settle(stage);
    assert_int_equal(fixture_query(stage->fixture, "SELECT count(*) FROM alert"), 1);
}

static void a_resolution_is_told_later(void **state)
{
    struct stage *stage = *state;

    lost(stage, FIRST, true);
    block(stage);
    lost(stage, FIRST, false);
    for (int times = 0; times < 3; times++) { /* begins and ends meanwhile */
        lost(stage, SECOND, true);
        lost(stage, SECOND, false);
    }
    evaluator_settle(stage->evaluator);
    unblock(stage);
    assert_int_equal(alerts(stage, FIRST, "firing"), 1);
    settle(stage);
    assert_int_equal(alerts(stage, FIRST, "resolved"), 1);
    assert_int_equal(alerts(stage, SECOND, "resolved"), 3);
    assert_int_equal(fixture_query(stage->fixture, "SELECT count(*) FROM alert"), 4);
    assert_int_equal(to_tell(stage, "firing"), 4); /* those who are told hear of both */
    assert_int_equal(to_tell(stage, "resolved"), 4);
    settle(stage);
    assert_int_equal(fixture_query(stage->fixture, "SELECT count(*) FROM alert"), 4);
    assert_int_equal(to_tell(stage, "firing") + to_tell(stage, "resolved"), 8);
}

/* Of runs that ended meanwhile, one of which goes on with another attempt, and one of which is deleted. */
static void the_end_of_an_attempt_is_told_later(void **state)
{
    struct stage *stage = *state;

    for (int64_t run = FIRST; run < RUNS; run++)
        lost(stage, run, true);
    block(stage);
    stage->out.ended(stage->out.ctx, FIRST);
    stage->out.attempt(stage->out.ctx, SECOND, "second", 2);
    stage->out.ended(stage->out.ctx, THIRD);
    stage->out.forget(stage->out.ctx, THIRD);
    evaluator_settle(stage->evaluator);
    unblock(stage);
    settle(stage);
    assert_int_equal(alerts(stage, FIRST, "resolved"), 1);
    assert_int_equal(alerts(stage, SECOND, "resolved"), 1);
    assert_int_equal(alerts(stage, THIRD, "firing"), 1); /* goes with its run */
    lost(stage, SECOND, true);
    fixture_flush(stage->fixture);
    assert_int_equal(alerts(stage, SECOND, "firing"), 1);
}

static void what_a_new_configuration_ends_is_told_later(void **state)
{
    struct stage *stage = *state;
    struct rule_settings settings;

    lost(stage, FIRST, true);
    block(stage);
    rule_settings_init(&settings);
    for (int rule = 0; rule < RULE_COUNT; rule++)
        settings.mode[rule] = RULE_OFF;
    evaluator_retune(stage->evaluator, &settings);
    unblock(stage);
    settle(stage);
    assert_int_equal(alerts(stage, FIRST, "resolved"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_opening_is_told_later, setup, teardown),
        cmocka_unit_test_setup_teardown(a_resolution_is_told_later, setup, teardown),
        cmocka_unit_test_setup_teardown(the_end_of_an_attempt_is_told_later, setup, teardown),
        cmocka_unit_test_setup_teardown(
            what_a_new_configuration_ends_is_told_later, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
