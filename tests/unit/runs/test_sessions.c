/* Sessions come, go, are lost and come back, and their runs and attempts with them: the real room on a real store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/runs/room.h"

static void test_a_run_begins_and_ends(void **state)
{
    struct room *room = *state;
    struct session *a = room_hello(room, "r", "a", 0, false, NULL);
    struct session *b = room_hello(room, "r", "b", 1, false, NULL);
    struct run *run = a->run;

    assert_ptr_equal(run, b->run);
    assert_true(run->state == RUN_RUNNING && a->state == SESSION_LIVE && b->state == SESSION_LIVE);
    assert_true(room->stats.runs_running == 1 && room->stats.sessions == 2);
    assert_true(run->attempt.number == 1 && run->attempt.state == ATTEMPT_OPENED);
    room_log(room, a, "loss", 3);
    assert_true(run->attempt.state == ATTEMPT_STEPPED && run->attempt.first_step == 3);
    room_bye(room, a);
    assert_true(run->state == RUN_RUNNING && a->state == SESSION_CLOSED && !a->peer);
    assert_int_equal(room->ends, 0);
    room_bye(room, b);
    assert_int_equal(run->state, RUN_ENDED);
    assert_true(room->ends == 1 && room->losses == 0 && room->begins == 1);
    assert_true(room->stats.runs_running == 0 && room->stats.sessions == 0);
}

static void test_a_lease_runs_out_and_the_session_comes_back(void **state)
{
    struct room *room = *state;
    struct session *a = room_hello(room, "r", "a", 0, false, NULL);
    struct run *run = a->run;

    room_lose_lease(room, a);
    assert_true(run->state == RUN_LOST && a->state == SESSION_LOST && room->losses == 1);
    assert_ptr_equal(room_hello(room, "r", "a", 0, false, NULL), a);
    assert_true(run->state == RUN_RUNNING && a->state == SESSION_LIVE && a->resumed);
    assert_true(room->returns == 1 && run->attempt.number == 1);
    assert_true(room->stats.runs_running == 1 && room->stats.sessions == 1);
    room_bye(room, a);
    assert_int_equal(run->state, RUN_ENDED);
}

static void test_a_run_that_sends_nothing_for_a_lease_is_lost(void **state)
{
    struct room *room = *state;
    struct session *a = room_hello(room, "r", "a", 0, false, NULL);

    room_pass(room, 1000 * (ROOM_LEASE_SECONDS - 1));
    assert_int_equal(a->run->state, RUN_RUNNING);
    room_pass(room, 2000);
    assert_true(a->run->state == RUN_LOST && room->losses == 1);
}

static void test_a_run_with_a_lost_rank_does_not_end_by_a_bye(void **state)
{
    struct room *room = *state;
    struct session *a = room_hello(room, "r", "a", 0, false, NULL);
    struct session *b = room_hello(room, "r", "b", 1, false, NULL);
    int64_t id = a->run->id;

    room_lose_lease(room, a);
    assert_int_equal(a->run->state, RUN_RUNNING);
    assert_int_equal(runs_end(room->runs, id), RUN_CONTROL_RUNNING);
    room_bye(room, b);
    assert_true(a->run->state == RUN_LOST && room->ends == 0);
    assert_int_equal(runs_end(room->runs, id), RUN_CONTROL_DONE);
    assert_true(a->run->state == RUN_ENDED && a->state == SESSION_CLOSED && room->ends == 1);
    assert_int_equal(runs_end(room->runs, id), RUN_CONTROL_DONE); /* again: nothing more happens */
    assert_int_equal(room->ends, 1);
    room_restart(room);
    assert_int_equal(runs_end(room->runs, id), RUN_CONTROL_DONE);
    assert_int_equal(room->ends, 1);
    assert_int_equal(runs_end(room->runs, 99), RUN_CONTROL_UNKNOWN);
}

static void test_attempts_begin_with_rewinds_and_restarts(void **state)
{
    struct room *room = *state;
    struct session *a = room_hello(room, "r", "a", 0, false, NULL);
    struct session *b = room_hello(room, "r", "b", 1, false, NULL), *again;
    struct run *run = a->run;

    room_log(room, a, "loss", 9);
    room_rewind(room, a, 5);
    assert_true(run->attempt.number == 2 && a->attempt == 2 && b->attempt == 1);
    assert_int_equal(run->attempt.first_step, -1);
    room_rewind(room, b, 5); /* it follows */
    assert_true(run->attempt.number == 2 && b->attempt == 2);
    room_log(room, b, "loss", 6);
    assert_int_equal(run->attempt.first_step, 6);
    room_lose_lease(room, a);
    again = room_hello(room, "r", "a2", 0, false, NULL); /* the rank starts anew */
    assert_true(again != a && run->attempt.number == 3 && again->attempt == 3);
    room_bye(room, again);
    room_bye(room, b);
    assert_int_equal(run->state, RUN_ENDED);
    room_hello(room, "r", "c", 5, false, NULL); /* a run that had ended */
    assert_true(run->attempt.number == 4 && run->state == RUN_RUNNING);
    assert_int_equal(room->attempts, 4);
}

static void test_hellos_that_are_refused(void **state)
{
    struct room *room = *state;
    struct wire_fault fault;
    struct session *a;

    room->options.runs_max = 1;
    room_restart(room);
    a = room_hello(room, "r", "a", 0, false, NULL);
    assert_null(room_hello(room, "r", "b", 0, false, &fault));
    assert_int_equal(fault.code, WIRE_CODE_RANK_TAKEN);
    assert_null(room_hello(room, "r", "a", 1, false, &fault)); /* a session has one rank */
    assert_true(fault.code == WIRE_CODE_BAD_FIELD && strcmp(fault.field, "rank") == 0);
    assert_null(room_hello(room, "s", "c", 0, false, &fault));
    assert_true(fault.code == WIRE_CODE_LIMIT && strcmp(fault.field, "run") == 0);
    a->run->owner = a->run->owner + 1;
    assert_null(room_hello(room, "r", "d", 3, false, &fault));
    assert_int_equal(fault.code, WIRE_CODE_NOT_OWNER);
    assert_true(room->stats.runs_running == 1 && room->stats.sessions == 1);
}

static void test_a_restart_goes_on(void **state)
{
    struct room *room = *state;
    struct session *a = room_hello(room, "r", "a", 0, false, NULL);
    struct session *ended = room_hello(room, "s", "z", 0, false, NULL);
    int64_t id = a->run->id, ended_id = ended->run->id;

    room_declare(room, a, 0, "l", "", "linear");
    room_log(room, a, "loss", 4);
    assert_int_equal(room_send(room, a, 0, 4), 0);
    room_flush(room, a);
    room_bye(room, ended);
    room_restart(room);
    assert_true(room->stats.runs_running == 1 && room->stats.sessions == 1);
    a = room_hello(room, "r", "a", 0, false, NULL);
    assert_true(a->run->id == id && a->resumed && a->attempt == 1);
    assert_true(a->run->attempt.state == ATTEMPT_STEPPED && a->run->attempt.first_step == 4);
    assert_true(room->returns == 0 && room->stats.sessions == 1);
    room_declare(room, a, 0, "l", "", "linear");
    assert_int_equal(room_send(room, a, 0, 4), INGEST_KNOWN); /* stored before */
    assert_int_equal(room_send(room, a, 0, 5), 0);
    room_flush(room, a);
    assert_int_equal(runs_delete(room->runs, id), RUN_CONTROL_RUNNING);
    assert_int_equal(runs_delete(room->runs, ended_id), RUN_CONTROL_DONE);
    assert_int_equal(runs_delete(room->runs, ended_id), RUN_CONTROL_UNKNOWN);
    assert_int_equal(room->forgotten, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, room_setup, room_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_run_begins_and_ends),
        TEST(test_a_lease_runs_out_and_the_session_comes_back),
        TEST(test_a_run_that_sends_nothing_for_a_lease_is_lost),
        TEST(test_a_run_with_a_lost_rank_does_not_end_by_a_bye),
        TEST(test_attempts_begin_with_rewinds_and_restarts),
        TEST(test_hellos_that_are_refused),
        TEST(test_a_restart_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
