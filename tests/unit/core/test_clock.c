/* The clock, the system's and a test's, and errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

#include "daemon/core/clock.h"
#include "daemon/core/error.h"
#include "tests/unit/virtual_clock.h"

static void test_the_system_clock(void **state)
{
    uint64_t before = clock_ns();

    (void)state;
    assert_true(clock_wall() > 1.7e9);
    clock_sleep_ms(2);
    assert_true(clock_ns() - before >= 2000000);
    assert_true(clock_ms() <= clock_ns() / 1000000);
}

static void test_a_clock_that_a_test_moves(void **state)
{
    uint64_t begin;
    double wall;

    (void)state;
    virtual_clock_use();
    begin = clock_ms();
    wall = clock_wall();
    assert_int_equal(clock_ms(), begin);
    virtual_clock_move(1500);
    assert_int_equal(clock_ms(), begin + 1500);
    assert_true(fabs(clock_wall() - wall - 1.5) < 1e-6);
    virtual_clock_end();
}

struct sleeper {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    atomic_bool slept;
};

static void *sleep_for_an_hour(void *ctx)
{
    struct sleeper *sleeper = ctx;
    uint64_t until_ms = clock_ms() + 1800000;

    clock_sleep_ms(1800000);
    pthread_mutex_lock(&sleeper->mutex);
    while (clock_cond_wait(&sleeper->cond, &sleeper->mutex, until_ms + 1800000))
        continue;
    pthread_mutex_unlock(&sleeper->mutex);
    sleeper->slept = true;
    return NULL;
}

static void test_threads_wait_for_a_clock_that_a_test_moves(void **state)
{
    struct sleeper sleeper = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread;
    uint64_t begin;

    (void)state;
    virtual_clock_use();
    assert_int_equal(clock_cond_init(&sleeper.cond), 0);
    assert_int_equal(pthread_create(&thread, NULL, sleep_for_an_hour, &sleeper), 0);
    for (begin = clock_ms(); !sleeper.slept && clock_ms() < begin + 100 * 3600000;) {
        virtual_clock_move(60000);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    assert_true(sleeper.slept && clock_ms() >= begin + 3600000);
    pthread_join(thread, NULL);
    virtual_clock_end();
    pthread_cond_destroy(&sleeper.cond);
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
        cmocka_unit_test(test_threads_wait_for_a_clock_that_a_test_moves),
        cmocka_unit_test(test_a_wait_ends_at_its_deadline),
        cmocka_unit_test(test_an_error_is_a_bounded_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
