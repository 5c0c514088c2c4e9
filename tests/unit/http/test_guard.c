/* Host, token, origin, content type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/http/guard.h"

static const char *const hosts[] = {"Monitor.example", "::5"};
static const struct guard open_guard = {hosts, 2, "10.1.2.3", NULL, "admin"};
static const struct guard closed_guard = {hosts, 2, "127.0.0.1", "secret", "admin"};

static void test_host(void **state)
{
    static const char *const good[] = {"localhost", "LOCALHOST:80", "127.0.0.1:8080", "127.9.9.9",
        "[::1]", "[::1]:1", "monitor.EXAMPLE:443", "10.1.2.3:99", "[::5]:8"};
    static const char *const bad[] = {"", ":80", "evil.example", "localhost.evil.example",
        "127.0.0.1.evil.example", "localhost:", "localhost:8x", "localhost:80:80", "[::1", "[::1]x",
        "10.1.2.4", "128.0.0.1", "a@localhost", "0.0.0.0", "localhost/", "2130706433"};

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(guard_host(&open_guard, good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(guard_host(&open_guard, bad[i]));
    assert_false(guard_host(&open_guard, NULL));
}

static void test_bearer(void **state)
{
    assert_true(guard_bearer("Bearer secret", "secret"));
    assert_true(guard_bearer("bearer  secret", "secret"));
    assert_false(guard_bearer("Bearer secre", "secret"));
    assert_false(guard_bearer("Bearer secretsecret", "secret"));
    assert_false(guard_bearer("Bearer ", "secret"));
    assert_false(guard_bearer("Basic secret", "secret"));
    assert_false(guard_bearer("secret", "secret"));
    assert_false(guard_bearer(NULL, "secret"));
    assert_false(guard_bearer("Bearer ", ""));
    assert_false(guard_bearer("Bearer x", NULL));
}

static void test_origin(void **state)
{
    assert_true(guard_origin(NULL, "localhost:80"));
    assert_true(guard_origin("http://localhost:80", "localhost:80"));
    assert_true(guard_origin("https://Monitor.example", "monitor.example"));
    assert_false(guard_origin("http://localhost:81", "localhost:80"));
    assert_false(guard_origin("null", "localhost:80"));
    assert_false(guard_origin("http://evil.example", "localhost:80"));
    assert_false(guard_origin("ftp://localhost:80", "localhost:80"));
}

static void test_json(void **state)
{
    assert_true(guard_json("application/json"));
    assert_true(guard_json("Application/JSON ; charset=utf-8"));
    assert_false(guard_json("application/jsonx"));
    assert_false(guard_json("text/plain"));
    assert_false(guard_json(NULL));
}

static unsigned status_of(
    const struct guard *guard, enum guard_need need, struct guard_headers headers)
{
    struct problem problem = {0};

    return guard_check(guard, need, &headers, &problem) ? problem.status : 200;
}

static void test_reading(void **state)
{
    const struct guard_headers none = {.host = "localhost"};
    const struct guard_headers reader = {.host = "localhost", .authorization = "Bearer secret"};
    const struct guard_headers admin = {.host = "localhost", .authorization = "Bearer admin"};

    assert_int_equal(status_of(&open_guard, GUARD_READ, none), 200);
    assert_int_equal(status_of(&closed_guard, GUARD_READ, none), 401);
    assert_int_equal(status_of(&closed_guard, GUARD_OPEN, none), 200);
    assert_int_equal(status_of(&closed_guard, GUARD_READ, reader), 200);
    assert_int_equal(status_of(&closed_guard, GUARD_READ, admin), 200);
    assert_int_equal(
        status_of(&closed_guard, GUARD_OPEN, (struct guard_headers){.host = "evil"}), 421);
}

static void test_changing(void **state)
{
    struct guard_headers headers = {
        .host = "localhost:1", .authorization = "Bearer admin", .content_type = "application/json"};

    assert_int_equal(status_of(&open_guard, GUARD_CHANGE, headers), 200);
    headers.origin = "http://localhost:1";
    assert_int_equal(status_of(&open_guard, GUARD_CHANGE, headers), 200);
    headers.origin = "http://evil.example";
    assert_int_equal(status_of(&open_guard, GUARD_CHANGE, headers), 403);
    headers.origin = NULL;
    headers.content_type = "text/plain";
    assert_int_equal(status_of(&open_guard, GUARD_CHANGE, headers), 415);
    headers.content_type = "application/json";
    headers.authorization = "Bearer secret";
    assert_int_equal(status_of(&open_guard, GUARD_CHANGE, headers), 401);
    assert_int_equal(status_of(&closed_guard, GUARD_CHANGE, headers), 403);
    headers.authorization = NULL;
    assert_int_equal(status_of(&open_guard, GUARD_CHANGE, headers), 401);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_bearer),
        cmocka_unit_test(test_origin),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_changing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
