/* Steps remembered by their intervals, against all of them in a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/runs/step_set.h"

#define STEPS 4000

static struct step_set set;
static bool added[STEPS];

static int setup(void **state)
{
    (void)state;
    set = (struct step_set){0};
    for (int64_t step = 0; step < STEPS; step++)
        added[step] = false;
    return 0;
}

static void add(int64_t step)
{
    step_set_add(&set, step);
    added[step] = true;
}

/* Returns how many were forgotten. Those are the lowest, and none is made up. */
static unsigned check(void)
{
    unsigned forgotten = 0;
    bool begun = false;

    for (int64_t step = 0; step < STEPS; step++) {
        bool has = step_set_has(&set, step);

        assert_true(added[step] || !has);
        begun |= has;
        assert_true(!begun || has == added[step]);
        forgotten += added[step] && !has;
    }
    return forgotten;
}

static void test_even_steps_are_all_remembered(void **state)
{
    (void)state;
    assert_int_equal(check(), 0);
    for (int64_t step = 1; step < STEPS; step += step < 1000 ? 1 : 25)
        if (step % 250 != 0) /* a few are missing */
            add(step);
    assert_int_equal(check(), 0);
}

static void test_of_odd_ones_the_newest_are_remembered(void **state)
{
    int64_t interval = 1;
    unsigned count = 0;

    (void)state;
    for (int64_t step = 0; step < STEPS; step += interval++, count++)
        add(step);
    assert_int_equal(check(), count - (2 * STEP_SET_MAX - count % 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_even_steps_are_all_remembered, setup),
        cmocka_unit_test_setup(test_of_odd_ones_the_newest_are_remembered, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
