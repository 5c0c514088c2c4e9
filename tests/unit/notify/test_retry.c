/* Verdicts on statuses, and the pauses between tries. */
#include "daemon/notify/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "daemon/core/limits.h"

static void test_verdicts(void **state)
{
    static const long good[] = {200, 201, 202, 204, 299};
    static const long later[] = {
        0, 100, 301, 302, 401, 403, 404, 405, 408, 425, 429, 500, 502, 503, 504, 599};
    static const long refused[] = {400, 410, 413, 414, 415, 422};

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(retry_judge(good[i]), RETRY_DELIVERED);
    for (size_t i = 0; i < sizeof later / sizeof *later; i++)
        assert_int_equal(retry_judge(later[i]), RETRY_LATER);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_int_equal(retry_judge(refused[i]), RETRY_REFUSED);
}

static void test_pauses_double_up_to_a_bound(void **state)
{
    double expected = LIMIT_RETRY_MIN_SECONDS;

    for (unsigned tries = 1; tries < 100; tries++) {
        assert_true(retry_pause(tries, 1, 0) == expected);
        assert_true(retry_pause(tries, 0, 0) == expected / 2);
        expected = expected * 2 < LIMIT_RETRY_MAX_SECONDS ? expected * 2 : LIMIT_RETRY_MAX_SECONDS;
    }
    assert_true(retry_pause(4000000000u, 1, 0) == LIMIT_RETRY_MAX_SECONDS);
}

static void test_the_receiver_is_heard(void **state)
{
    assert_true(retry_pause(1, 0.5, 20) == 20);
    assert_true(retry_pause(9, 1, 20) == 256);
    assert_true(retry_pause(1, 1, 1e9) == LIMIT_RETRY_AFTER_SECONDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_pauses_double_up_to_a_bound),
        cmocka_unit_test(test_the_receiver_is_heard),
    };
    return cmocka_run_group_tests_name("notify retry", tests, NULL, NULL);
}
