/* When work on a request ends early. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/http/cancel.h"

enum { LONG_MS = 60000 };

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static const char *told(const struct cancel *cancel)
{
    static struct problem problem;

    problem = (struct problem){0};
    assert_int_equal(cancel_problem(cancel, &problem), -1);
    assert_int_equal(problem.status, 503);
    return problem.detail;
}

static void test_deadline(void **state)
{
    atomic_bool stopping = false;
    struct cancel cancel;

    cancel_begin(&cancel, &stopping, -1, 50);
    assert_false(cancel_due(&cancel));
    sleep_ms(50 + CANCEL_LOOK_MS);
    assert_true(cancel_due(&cancel));
    assert_int_equal(cancel.cause, CANCEL_LATE);
    assert_non_null(strstr(told(&cancel), "within 0.05 s"));
}

static void test_stopping(void **state)
{
    atomic_bool stopping = false;
    struct cancel cancel;

    cancel_begin(&cancel, &stopping, -1, LONG_MS);
    assert_false(cancel_due(&cancel));
    atomic_store(&stopping, true);
    assert_true(cancel_due(&cancel)); /* at once, not at the next look */
    assert_string_equal(told(&cancel), "the daemon is stopping");
    atomic_store(&stopping, false);
    assert_true(cancel_due(&cancel)); /* and for good */
}

static void test_client(void **state)
{
    atomic_bool stopping = false;
    struct cancel cancel;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    cancel_begin(&cancel, &stopping, pair[0], LONG_MS);
    assert_false(cancel_due(&cancel));
    assert_int_equal(
        write(pair[1], "GET", 3), 3); /* the next request does not hide that it has left */
    sleep_ms(2 * CANCEL_LOOK_MS);
    assert_false(cancel_due(&cancel));
    close(pair[1]);
    sleep_ms(2 * CANCEL_LOOK_MS);
    assert_true(cancel_due(&cancel));
    assert_int_equal(cancel.cause, CANCEL_LEFT);
    cancel_begin(&cancel, &stopping, -1, LONG_MS);
    assert_false(cancel_due(&cancel));
    close(pair[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_stopping),
        cmocka_unit_test(test_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
