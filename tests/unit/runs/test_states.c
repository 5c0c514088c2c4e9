/* The tables of states: every move that they have, every move that they refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/core/log.h"
#include "daemon/runs/run.h"

/* One line a state, in order: 'x' where that column's state may follow. */
static void check_table(const struct state_machine *machine, const char *const rows[])
{
    for (unsigned from = 0; from < machine->count; from++) {
        assert_int_equal(strlen(rows[from]), machine->count);
        assert_non_null(machine->states[from]);
        for (unsigned to = 0; to < machine->count; to++)
            if (state_machine_allows(machine, from, to) != (rows[from][to] == 'x'))
                fail_msg(
                    "%s: from %s to %s", machine->name, machine->states[from], machine->states[to]);
    }
    assert_false(state_machine_allows(machine, machine->count, 0));
    assert_false(state_machine_allows(machine, 0, machine->count));
}

static void test_tables(void **state)
{
    /* new, running, lost, ended */
    static const char *const run[] = {".x..", "..xx", ".x.x", ".x.."};
    /* new, live, lost, closed */
    static const char *const session[] = {".x..", "..xx", ".x.x", ".x.."};
    /* none, opened, stepped */
    static const char *const attempt[] = {".x.", ".xx", ".x."};

    (void)state;
    check_table(&run_machine, run);
    check_table(&session_machine, session);
    check_table(&attempt_machine, attempt);
}

/* What becomes of a process that makes a move: 'm' it moves, 'r' it is refused, 'a' it aborts. */
static char outcome(enum run_state from, enum run_state to)
{
    static struct stats stats;
    struct runs_options options = {.stats = &stats};
    struct registry registry = {.options = &options};
    struct run run = {.registry = &registry, .key = (char *)(uintptr_t) "r", .state = from};
    pid_t child = fork();
    int status;

    if (child == 0) {
        bool moved = run_move(&run, to);

        _exit(moved && run.state == to ? 1 : !moved && run.state == from ? 2 : 3);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status))
        return 'a';
    return WEXITSTATUS(status) == 1 ? 'm' : WEXITSTATUS(status) == 2 ? 'r' : '?';
}

static void test_a_move_that_is_not_there_is_refused(void **state)
{
    char refused = outcome(RUN_ENDED, RUN_LOST);

    (void)state;
    assert_int_equal(outcome(RUN_NEW, RUN_RUNNING), 'm');
    assert_int_equal(outcome(RUN_LOST, RUN_ENDED), 'm');
    assert_true(refused == 'r' || refused == 'a'); /* a debug build aborts */
    assert_int_equal(outcome(RUN_RUNNING, RUN_RUNNING), refused);
    assert_int_equal(outcome(RUN_RUNNING, RUN_NEW), refused);
}

static void test_moves_count_the_running(void **state)
{
    struct stats stats = {0};
    struct runs_options options = {.stats = &stats};
    struct registry registry = {.options = &options};
    struct run run = {.registry = &registry, .key = (char *)(uintptr_t) "r"};

    (void)state;
    assert_true(run_move(&run, RUN_RUNNING));
    assert_int_equal(stats.runs_running, 1);
    assert_true(run_move(&run, RUN_LOST));
    assert_true(run_move(&run, RUN_ENDED));
    assert_int_equal(stats.runs_running, 0);
    assert_true(run_move(&run, RUN_RUNNING));
    assert_int_equal(stats.runs_running, 1);
}

static void test_names_of_states(void **state)
{
    (void)state;
    for (int s = RUN_NEW; s < RUN_STATES; s++) {
        enum run_state parsed = RUN_STATES;
        assert_true(run_state_parse(run_state_names[s], &parsed) && (int)parsed == s);
    }
    for (int s = SESSION_NEW; s < SESSION_STATES; s++) {
        enum session_state parsed = SESSION_STATES;
        assert_true(session_state_parse(session_state_names[s], &parsed) && (int)parsed == s);
    }
    enum run_state run = RUN_LOST;
    enum session_state session = SESSION_LOST;
    assert_false(run_state_parse("open", &run));
    assert_false(session_state_parse("", &session));
    assert_true(run == RUN_LOST && session == SESSION_LOST);
}

static void test_attempts(void **state)
{
    struct attempt attempt = {0}, restored = attempt_restored(4, -1, 5);

    (void)state;
    attempt_next(&attempt, 10);
    assert_true(attempt.state == ATTEMPT_OPENED && attempt.number == 1 && attempt.first_step == -1);
    assert_true(attempt_step(&attempt, 7));
    assert_false(attempt_step(&attempt, 8));
    assert_true(attempt.state == ATTEMPT_STEPPED && attempt.first_step == 7);
    attempt_next(&attempt, 11);
    attempt_next(&attempt, 12); /* the one before had no step */
    assert_true(attempt.number == 3 && attempt.first_step == -1 && attempt.started_at > 11);
    assert_true(restored.state == ATTEMPT_OPENED && restored.number == 4);
    assert_int_equal(attempt_restored(4, 0, 5).state, ATTEMPT_STEPPED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_a_move_that_is_not_there_is_refused),
        cmocka_unit_test(test_moves_count_the_running),
        cmocka_unit_test(test_names_of_states),
        cmocka_unit_test(test_attempts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
