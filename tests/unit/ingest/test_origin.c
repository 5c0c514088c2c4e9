/* Who stands at the other end of a connection, out of ZeroMQ's text of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/ingest/origin.h"

static void assert_origin(const char *text, int64_t uid, int64_t pid)
{
    struct origin origin = origin_parse(text);

    assert_int_equal(origin.uid, uid);
    assert_int_equal(origin.pid, pid);
}

static void test_unix_socket(void **state)
{
    (void)state;
    assert_origin("localhost:1000:1001:4242", 1000, 4242);
    assert_origin("localhost:0:0:1", 0, 1);
    assert_origin("localhost:4294967294:0:1", 4294967294, 1);
}

static void test_what_the_namespaces_do_not_show(void **state)
{
    (void)state;
    assert_origin("localhost:65534:65534:7", 65534, 7); /* nobody is somebody: not open to others */
    assert_origin("localhost:1000:1000:0", 1000, ORIGIN_UNKNOWN);
}

static void test_tcp_and_everything_else(void **state)
{
    (void)state;
    assert_origin(NULL, ORIGIN_UNKNOWN, ORIGIN_UNKNOWN);
    assert_origin("", ORIGIN_UNKNOWN, ORIGIN_UNKNOWN);
    assert_origin("127.0.0.1", ORIGIN_UNKNOWN, ORIGIN_UNKNOWN);
    assert_origin("::1", ORIGIN_UNKNOWN, ORIGIN_UNKNOWN);
    assert_origin("localhost:1000:1000", ORIGIN_UNKNOWN, ORIGIN_UNKNOWN);
    assert_origin("localhost:1000:1000:5x", ORIGIN_UNKNOWN, ORIGIN_UNKNOWN);
}

static void test_a_process_that_has_exited(void **state)
{
    struct origin own = {0, getpid()}, unknown = {0, ORIGIN_UNKNOWN}, gone = {0, 0};
    pid_t child = fork();

    (void)state;
    if (child == 0)
        _exit(0);
    assert_true(child > 0 && waitpid(child, NULL, 0) == child);
    gone.pid = child;
    assert_true(origin_has_exited(&gone));
    assert_false(origin_has_exited(&own));
    assert_false(origin_has_exited(&unknown));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unix_socket),
        cmocka_unit_test(test_what_the_namespaces_do_not_show),
        cmocka_unit_test(test_tcp_and_everything_else),
        cmocka_unit_test(test_a_process_that_has_exited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
