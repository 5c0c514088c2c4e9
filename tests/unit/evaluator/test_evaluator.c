/* What becomes of alerts while the store has no room, or does not write: they are recorded and notified once it does, or go out
 * marked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <time.h>

#include "daemon/core/limits.h"
#include "tests/unit/evaluator/stage.h"

#define PATIENCE_MS 20

static int begin_patient(void **state)
{
    *state = stage_new(0);
    return 0;
}

static int begin_impatient(void **state)
{
    *state = stage_new(PATIENCE_MS);
    return 0;
}

static int end(void **state)
{
    stage_free(*state);
    return 0;
}

/* Blocked, and its queue is full. */
static void block_full(struct stage *stage)
{
    stage_flush(stage);
    stage_block(stage);
    stage_fill(stage);
}

static int64_t alerts(const struct stage *stage, int64_t run, const char *state)
{
    char sql[128];

    snprintf(sql, sizeof sql, "SELECT count(*) FROM alert WHERE run_id = %d AND state = '%s'",
        (int)run, state);
    return fixture_query(stage->fixture, sql);
}

static int64_t alerts_in_all(const struct stage *stage)
{
    return fixture_query(stage->fixture, "SELECT count(*) FROM alert");
}

static int64_t waiting_for_notifiers(const struct stage *stage, const char *event)
{
    char sql[128];

    snprintf(sql, sizeof sql, "SELECT count(*) FROM outbox WHERE event = '%s'", event);
    return fixture_query(stage->fixture, sql);
}

static void an_alert_is_pushed_after_its_commit(void **state)
{
    struct stage *stage = *state;

    stage_block(stage);
    stage_lost(stage, FIRST, true);
    stage_turn(stage);
    assert_int_equal(stage->push_count, 0);
    stage_come_back(stage);
    assert_int_equal(stage->push_count, 0);
    stage_unblock(stage);
    stage_flush(stage);
    assert_int_equal(stage_pushed(stage, FIRST, true, true), 1);
    stage_come_back(stage);
    assert_int_equal(stage_pushed(stage, FIRST, true, true), 2);
    stage_lost(stage, FIRST, false);
    stage_flush(stage);
    assert_int_equal(stage_pushed(stage, FIRST, false, true), 1);
    assert_int_equal(stage->push_count, 3);
    stage_come_back(stage);
    assert_int_equal(stage->push_count, 3);
}

static void an_opening_is_recorded_later(void **state)
{
    struct stage *stage = *state;

    block_full(stage);
    stage_lost(stage, FIRST, true);
    stage_turn(stage); /* still no room */
    stage_unblock(stage);
    assert_int_equal(alerts(stage, FIRST, "firing"), 0);
    assert_int_equal(stage->push_count, 0);
    stage_flush(stage);
    assert_int_equal(alerts(stage, FIRST, "firing"), 1);
    assert_int_equal(stage_pushed(stage, FIRST, true, true), 1);
    stage_flush(stage);
    assert_int_equal(alerts_in_all(stage), 1);
    assert_int_equal(stage->push_count, 1);
}

static void a_resolution_is_recorded_later(void **state)
{
    struct stage *stage = *state;

    stage_lost(stage, FIRST, true);
    block_full(stage);
    stage_lost(stage, FIRST, false);
    for (int times = 0; times < 3; times++) { /* begins and ends meanwhile */
        stage_lost(stage, SECOND, true);
        stage_lost(stage, SECOND, false);
    }
    stage_turn(stage);
    stage_unblock(stage);
    assert_int_equal(alerts(stage, FIRST, "firing"), 1);
    stage_flush(stage);
    assert_int_equal(alerts(stage, FIRST, "resolved"), 1);
    assert_int_equal(alerts(stage, SECOND, "resolved"), 3);
    assert_int_equal(alerts_in_all(stage), 4);
    assert_int_equal(waiting_for_notifiers(stage, "firing"), 4); /* receivers hear of both */
    assert_int_equal(waiting_for_notifiers(stage, "resolved"), 4);
    assert_int_equal(stage_pushed(stage, SECOND, true, true), 3);
    assert_int_equal(stage_pushed(stage, SECOND, false, true), 3);
    stage_flush(stage);
    assert_int_equal(alerts_in_all(stage), 4);
    assert_int_equal(
        waiting_for_notifiers(stage, "firing") + waiting_for_notifiers(stage, "resolved"), 8);
}

/* Each takes memory until the store has room. */
static void too_many_alerts_are_not_opened(void **state)
{
    struct stage *stage = *state;

    block_full(stage);
    for (unsigned times = 0; times < LIMIT_JOURNAL; times++) {
        stage_lost(stage, FIRST, true);
        stage_lost(stage, FIRST, false);
    }
    stage_unblock(stage);
    stage_flush(stage);
    assert_int_equal(alerts(stage, FIRST, "resolved"), LIMIT_JOURNAL / 2);
    stage_lost(stage, FIRST, true);
    stage_flush(stage);
    assert_int_equal(alerts(stage, FIRST, "firing"), 1);
    assert_int_equal(
        fixture_query(stage->fixture, "SELECT max(id) FROM alert"), LIMIT_JOURNAL / 2 + 1);
}

/* Of runs that ended meanwhile, one of which goes on with another attempt, and one of which is deleted. */
static void the_end_of_an_attempt_is_recorded_later(void **state)
{
    struct stage *stage = *state;

    for (int64_t run = FIRST; run < RUNS; run++)
        stage_lost(stage, run, true);
    block_full(stage);
    evaluator_ended(stage->evaluator, FIRST);
    evaluator_attempt(stage->evaluator, SECOND, "second", 2);
    evaluator_ended(stage->evaluator, THIRD);
    evaluator_forget(stage->evaluator, THIRD);
    stage_turn(stage);
    stage_unblock(stage);
    stage_flush(stage);
    assert_int_equal(alerts(stage, FIRST, "resolved"), 1);
    assert_int_equal(alerts(stage, SECOND, "resolved"), 1);
    assert_int_equal(alerts(stage, THIRD, "firing"), 1); /* goes with its run */
    stage_lost(stage, SECOND, true);
    stage_flush(stage);
    assert_int_equal(alerts(stage, SECOND, "firing"), 1);
}

static void what_a_new_configuration_ends_is_recorded_later(void **state)
{
    struct stage *stage = *state;
    struct rule_settings settings;

    stage_lost(stage, FIRST, true);
    block_full(stage);
    rule_settings_init(&settings);
    for (int rule = 0; rule < RULE_COUNT; rule++)
        settings.mode[rule] = RULE_OFF;
    evaluator_retune(stage->evaluator, &settings);
    stage_unblock(stage);
    stage_flush(stage);
    assert_int_equal(alerts(stage, FIRST, "resolved"), 1);
}

static void wait_in_vain(struct stage *stage)
{
    stage_turn(stage);
    nanosleep(&(struct timespec){.tv_nsec = (PATIENCE_MS + 5) * 1000000L}, NULL);
    stage_turn(stage);
}

static void while_the_store_does_not_write_alerts_go_out_marked(void **state)
{
    struct stage *stage = *state;

    stage_block(stage);
    stage_lost(stage, FIRST, true);
    wait_in_vain(stage);
    assert_int_equal(stage_pushed(stage, FIRST, true, false), 1);
    assert_int_equal(stage->unrecorded_count, 1);
    assert_int_equal(stats_get(&stage->fixture->stats.alerts_unrecorded), 1);
    assert_int_equal(alerts_in_all(stage), 0);
    stage_lost(stage, SECOND, true); /* the store has refused for so long already */
    stage_turn(stage);
    assert_int_equal(stage_pushed(stage, SECOND, true, false), 1);
    stage_come_back(stage);
    assert_int_equal(stage_pushed(stage, FIRST, true, false), 2);
    stage_turn(stage);
    assert_int_equal(stage->push_count, 4);
    stage_unblock(stage);
    stage_flush(stage);
    assert_int_equal(alerts(stage, FIRST, "firing"), 1);
    assert_int_equal(stage_pushed(stage, FIRST, true, true), 1);
    assert_int_equal(stage_pushed(stage, SECOND, true, true), 1);
    assert_int_equal(stats_get(&stage->fixture->stats.alerts_unrecorded), 0);
    assert_int_equal(waiting_for_notifiers(stage, "firing"), 2);
}

/* Nobody hears again that an alert fires after hearing of its end. */
static void an_end_that_went_out_is_not_overtaken_by_its_beginning(void **state)
{
    struct stage *stage = *state;

    stage_block(stage);
    stage_lost(stage, FIRST, true);
    wait_in_vain(stage);
    stage_lost(stage, FIRST, false);
    stage_turn(stage);
    assert_int_equal(stage_pushed(stage, FIRST, false, false), 1);
    stage_come_back(stage);
    assert_int_equal(stage->push_count, 2);
    stage_unblock(stage);
    stage_flush(stage);
    assert_int_equal(stage_pushed(stage, FIRST, true, true), 0);
    assert_int_equal(stage_pushed(stage, FIRST, false, true), 1);
    assert_int_equal(alerts(stage, FIRST, "resolved"), 1);
    assert_int_equal(waiting_for_notifiers(stage, "firing"), 1);
    assert_int_equal(waiting_for_notifiers(stage, "resolved"), 1);
}

static void put_silence(struct stage *stage, int64_t id, bool on)
{
    struct store_batch *batch = store_batch_new();

    if (on)
        store_put_silence(batch,
            &(struct store_silence){
                .id = id, .run = "first", .reason = "", .created_by = "", .expires_at = 9e9});
    else
        store_put_end_silence(batch, id);
    fixture_submit(stage->fixture, batch);
}

static void a_silence_holds_back_what_is_recorded(void **state)
{
    struct stage *stage = *state;

    put_silence(stage, 1, true);
    stage_lost(stage, FIRST, true);
    stage_flush(stage);
    assert_int_equal(alerts(stage, FIRST, "firing"), 1);
    stage_come_back(stage);
    assert_int_equal(stage->push_count, 0);
    stage_block(stage); /* that it is silenced is known by now */
    evaluator_ended(stage->evaluator, FIRST);
    wait_in_vain(stage);
    assert_int_equal(stage->push_count, 0);
    stage_unblock(stage);
    stage_flush(stage);
    assert_int_equal(stage->push_count, 0);
}

static void the_end_of_a_silence_lets_an_alert_out(void **state)
{
    struct stage *stage = *state;

    put_silence(stage, 1, true);
    stage_lost(stage, FIRST, true);
    stage_flush(stage);
    put_silence(stage, 1, false);
    stage_flush(stage);
    assert_int_equal(stage_pushed(stage, FIRST, true, true), 1);
    put_silence(stage, 2, true);
    stage_flush(stage);
    stage_come_back(stage);
    assert_int_equal(stage->push_count, 1);
    stage_lost(stage, FIRST, false);
    stage_flush(stage);
    assert_int_equal(stage_pushed(stage, FIRST, false, true), 1);
}

/* It cannot be asked for while the store does not write; who heard that it fires hears of its end. */
static void a_silence_comes_too_late_for_what_went_out(void **state)
{
    struct stage *stage = *state;

    put_silence(stage, 1, true);
    stage_flush(stage);
    stage_block(stage);
    stage_lost(stage, FIRST, true);
    wait_in_vain(stage);
    assert_int_equal(stage_pushed(stage, FIRST, true, false), 1);
    stage_unblock(stage);
    stage_flush(stage);
    stage_come_back(stage);
    assert_int_equal(stage->push_count, 1);
    stage_lost(stage, FIRST, false);
    stage_flush(stage);
    assert_int_equal(stage_pushed(stage, FIRST, false, true), 1);
}

static void a_restart_keeps_what_fires(void **state)
{
    struct stage *stage = *state;

    stage_lost(stage, FIRST, true);
    stage_flush(stage);
    stage_restart(stage);
    stage_come_back(stage);
    assert_int_equal(stage_pushed(stage, FIRST, true, true), 2);
    stage_lost(stage, FIRST, false);
    stage_flush(stage);
    assert_int_equal(stage_pushed(stage, FIRST, false, true), 1);
    assert_int_equal(alerts_in_all(stage), 1);
}

static void the_number_of_a_lost_alert_is_not_given_again(void **state)
{
    struct stage *stage = *state;

    stage_block(stage);
    stage_lost(stage, FIRST, true);
    wait_in_vain(stage);
    assert_int_equal(stage->pushes[0].id, 1);
    stage_kill(stage);
    assert_int_equal(alerts_in_all(stage), 0);
    stage_lost(stage, FIRST, true);
    stage_flush(stage);
    assert_int_equal(stage->push_count, 1);
    assert_true(stage->pushes[0].id > 1);
    stage_restart(stage);
    stage_lost(stage, SECOND, true);
    stage_flush(stage); /* after a stop in order no number is left out */
    assert_int_equal(stage->pushes[1].id, stage->pushes[0].id + 1);
}

#define PATIENT(name)   cmocka_unit_test_setup_teardown(name, begin_patient, end)
#define IMPATIENT(name) cmocka_unit_test_setup_teardown(name, begin_impatient, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PATIENT(an_alert_is_pushed_after_its_commit),
        PATIENT(an_opening_is_recorded_later),
        PATIENT(a_resolution_is_recorded_later),
        PATIENT(too_many_alerts_are_not_opened),
        PATIENT(the_end_of_an_attempt_is_recorded_later),
        PATIENT(what_a_new_configuration_ends_is_recorded_later),
        IMPATIENT(while_the_store_does_not_write_alerts_go_out_marked),
        IMPATIENT(an_end_that_went_out_is_not_overtaken_by_its_beginning),
        IMPATIENT(a_silence_holds_back_what_is_recorded),
        PATIENT(the_end_of_a_silence_lets_an_alert_out),
        IMPATIENT(a_silence_comes_too_late_for_what_went_out),
        PATIENT(a_restart_keeps_what_fires),
        IMPATIENT(the_number_of_a_lost_alert_is_not_given_again),
    };
    return cmocka_run_group_tests_name("evaluator", tests, NULL, NULL);
}
