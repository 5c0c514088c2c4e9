/* The clock, the system's and a test's, and errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "daemon/core/clock.h"
#include "daemon/core/error.h"

static void test_the_system_clock(void **state)
{
    uint64_t before = clock_ns();

    (void)state;
    assert_true(clock_wall() > 1.7e9);
    clock_sleep_ms(2);
    assert_true(clock_ns() - before >= 2000000);
    assert_true(clock_ms() <= clock_ns() / 1000000);
}

static double moved_wall(void *ctx)
{
    return *(const double *)ctx;
}

static uint64_t moved_ns(void *ctx)
{
    return (uint64_t)(1e9 * *(const double *)ctx);
}

static void test_a_clock_that_a_test_moves(void **state)
{
    double now = 100;

    (void)state;
    clock_use(&(struct clock_source){moved_wall, moved_ns, &now});
    assert_int_equal(clock_ms(), 100000);
    now = 200.5;
    assert_int_equal(clock_ms(), 200500);
    assert_true(clock_wall() == 200.5);
    clock_use(NULL);
    assert_true(clock_wall() > 1.7e9);
}

static void test_a_wait_ends_at_its_deadline(void **state)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond;
    uint64_t begin = clock_ms();

    (void)state;
    assert_int_equal(clock_cond_init(&cond), 0);
    pthread_mutex_lock(&mutex);
    while (clock_cond_wait(&cond, &mutex, begin + 20)) /* may wake without a signal */
        continue;
    assert_true(clock_ms() >= begin + 20);
    assert_false(clock_cond_wait(&cond, &mutex, begin));
    pthread_mutex_unlock(&mutex);
    pthread_cond_destroy(&cond);
}

static void test_an_error_is_a_bounded_text(void **state)
{
    struct error error;
    char wide[3 * ERROR_MAX];

    (void)state;
    assert_int_equal(error_set(&error, "got %d, expected %s", 7, "less"), -1);
    assert_string_equal(error.text, "got 7, expected less");
    assert_int_equal(error_at(&error, "%s:%d", "file", 3), -1);
    assert_string_equal(error.text, "file:3: got 7, expected less");
    memset(wide, 'x', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    error_set(&error, "%s", wide);
    assert_int_equal(strlen(error.text), ERROR_MAX - 1);
    error_at(&error, "%s", wide);
    assert_int_equal(strlen(error.text), ERROR_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_system_clock),
        cmocka_unit_test(test_a_clock_that_a_test_moves),
        cmocka_unit_test(test_a_wait_ends_at_its_deadline),
        cmocka_unit_test(test_an_error_is_a_bounded_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
