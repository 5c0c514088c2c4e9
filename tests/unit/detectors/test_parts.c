/* The parts that detectors are made of, each against its definition computed plainly. */
#include "tests/unit/alerts/stage.h"

#include "daemon/detectors/cross_section.h"
#include "daemon/detectors/descent.h"
#include "daemon/detectors/elasticity.h"
#include "daemon/detectors/history.h"
#include "daemon/detectors/level.h"
#include "daemon/detectors/risk.h"
#include "daemon/detectors/step_row.h"
#include "daemon/detectors/training_clock.h"

static void assert_near(double actual, double expected, double tolerance)
{
    if (!(fabs(actual - expected) <= tolerance))
        fail_msg("%.17g, expected %.17g within %g", actual, expected, tolerance);
}

/* Falls slowly, with a peak at each 97th step that is unlike any other. */
static double peaked(int64_t t)
{
    return -1e-6 * (double)t + (t % 97 == 0 ? 1 + sin((double)t) : 0);
}

static void a_history_finds_the_largest_of_any_stretch(void **state)
{
    const int64_t intervals[] = {1, 7, 50, 400};
    for (size_t i = 0; i < 4; i++) {
        struct history history = {0};
        for (int64_t t = 0; t <= 20000; t += intervals[i])
            history_put(&history, (double)t, peaked(t));
        /* stretches are 1 % long: one may reach over each end, and the first may be cut off */
        double inner = -INFINITY, outer = -INFINITY;
        for (int64_t t = 0; t <= 20000; t += intervals[i]) {
            if ((double)t >= 8000 * 1.011 && t < 16000)
                inner = fmax(inner, peaked(t));
            if (t >= 8000 && (double)t < 16000 * 1.011)
                outer = fmax(outer, peaked(t));
        }
        double found = history_largest(&history, 8000, 16000, 3);
        assert_true(found >= inner && found <= outer);
        assert_true(isnan(history_largest(&history, 8000, 8001, 3)));
    }
}

/* Peaks of 9, 7 and 5 in a stretch of ones, and a higher one behind it. */
static void a_history_finds_what_was_reached_twice(void **state)
{
    struct history history = {0};
    for (int64_t t = 1; t <= 10000; t++)
        history_put(&history, (double)t,
            t == 5000   ? 9
            : t == 6000 ? 7
            : t == 7000 ? 5
            : t == 9000 ? 20
                        : 1);
    assert_near(history_second_largest(&history, 4000, 8000), 7, 0);
    assert_near(history_second_largest(&history, 6500, 8000), 1, 0);
    assert_true(isnan(history_second_largest(&history, 4000, 4001)));
}

static void a_history_finds_the_median_of_any_stretch(void **state)
{
    struct history history = {0};
    for (int64_t t = 0; t <= 20000; t += 5)
        history_put(&history, (double)t, (double)t);
    /* entries lie closer the earlier: their median is near the geometric mean of the ends */
    assert_near(history_median(&history, 8000, 16000, 3), sqrt(8000.0 * 16000), 250);
    assert_near(history_median(&history, 4000, 8000, 3), sqrt(4000.0 * 8000), 125);
    assert_true(isnan(history_median(&history, 30000, 40000, 1)));
}

static void a_level_is_that_of_its_span_or_of_the_least(void **state)
{
    struct level level = {0};
    assert_true(isnan(level_mean(&level, 40, 1)));
    for (int64_t t = 0; t < 1000; t++)
        level_put(&level, (double)t, (double)t, 40);
    /* thinned to each second step: 962, 964, ..., 998 or one later */
    assert_near(level_mean(&level, 40, 4), 980, 1.5);
    assert_near(level_median(&level, 40, 4), 980, 1.5);
    struct level sparse = {0};
    for (int64_t t = 0; t < 1000; t += 100)
        level_put(&sparse, (double)t, (double)t, 40);
    assert_near(level_mean(&sparse, 40, 4), (900 + 800 + 700 + 600) / 4.0, 1e-9);
    assert_true(isnan(level_mean(&sparse, 40, 11)));
}

static void an_elasticity_is_the_power_of_the_steps(void **state)
{
    const int64_t intervals[] = {1, 5, 20, 100};
    for (size_t i = 0; i < 4; i++) {
        struct elasticity elasticity = {0};
        struct elasticity_growth growth = {0};
        bool found = false;
        for (int64_t t = intervals[i]; t <= 5000; t += intervals[i])
            found = elasticity_put(&elasticity, (double)t, 2 * pow((double)t, 1.7), &growth);
        assert_true(found);
        assert_near(growth.elasticity, 1.7, 1e-9);
        assert_near(growth.from_t, 4000, 4000 * 0.03 + (double)intervals[i]);
        assert_true(growth.from_t <= 4000);
    }
}

static void a_row_is_judged_when_complete_or_left(void **state)
{
    struct step_row row = {0}, ready;
    assert_false(step_row_put(&row, 2, 1, 5, 10, 1.5, &ready));
    assert_true(step_row_put(&row, 2, 0, 5, 12, 2.5, &ready)); /* complete */
    assert_int_equal(ready.step, 5);
    assert_true(ready.time == 12 && ready.figures[0] == 2.5 && ready.figures[1] == 1.5);
    assert_false(step_row_put(&row, 2, 0, 5, 13, 9, &ready)); /* judged already */
    assert_false(step_row_put(&row, 2, 0, 6, 14, 3, &ready));
    assert_false(step_row_put(&row, 2, 1, 5, 14, 3, &ready)); /* too late */
    assert_true(step_row_put(&row, 2, 0, 8, 15, 4, &ready));  /* 6 is left without its second */
    assert_int_equal(ready.step, 6);
    assert_true(ready.figures[0] == 3 && isnan(ready.figures[1]));
    assert_true(step_row_put(&row, 2, 1, 8, 15, 5, &ready));
    assert_int_equal(ready.step, 8);
}

/* Weights that decay to next to nothing and come back. */
static void an_elasticity_counts_from_half_of_the_peak(void **state)
{
    struct elasticity elasticity = {0};
    struct elasticity_growth growth = {0};
    for (int64_t t = 10; t <= 20000; t += 10) {
        double faded =
            t < 10000 ? 4 * exp(-(double)t / 1000) : 4e-4 * exp((double)(t - 10000) / 1100);
        if (elasticity_put(&elasticity, (double)t, faded, &growth) && faded < 1.9)
            assert_true(growth.elasticity < 0);
    }
    assert_true(growth.elasticity > 2); /* far above its peak in the end */
}

static void a_descent_is_measured_by_its_way(void **state)
{
    struct descent descent = {0};
    double sign = 1;
    for (int64_t t = 0; t < 1000; t++, sign = -sign)
        descent_put(&descent, (double)t, 1 + 4 * exp(-(double)t / 50) + 0.1 * sign);
    assert_near(descent.lowest, 1, 0.11);
    assert_near(descent_way(&descent), descent.start - descent.lowest, 1e-9);
    assert_near(descent_rise(&descent), 0, 0.21);
    for (int64_t t = 1000; t < 1100; t++, sign = -sign)
        descent_put(&descent, (double)t, t == 1050 ? 1000 : 3 + 0.1 * sign);
    assert_near(descent_rise(&descent), 2, 0.21); /* one wild loss does not count */
    struct descent flat = {0};
    for (int64_t t = 0; t < 100; t++)
        descent_put(&flat, (double)t, 0);
    assert_near(descent_way(&flat), 0, 0);
}

/* Feeds learning rates up to `last`; what the clock leaves of growth from `before` to t. */
static double left(double (*lr)(int64_t t), int64_t every, int64_t last, int64_t before, int64_t t)
{
    struct training_clock clock = {0};
    for (int64_t step = 0; step <= last; step += every)
        training_clock_put(&clock, (double)step, lr(step));
    return training_clock_left(&clock, (double)before, (double)t);
}

static double constant(int64_t t)
{
    return 3e-3;
}

static double warm_up(int64_t t)
{
    return t < 1000 ? 1e-6 * (double)(t + 1) : 1e-3;
}

static double restart(int64_t t)
{
    return t % 1000 < 500 ? 1e-3 : 1e-4;
}

static double runaway(int64_t t)
{
    return t < 500 ? 1e-3 : 1e-3 * pow(1.01, (double)(t - 500));
}

static void a_clock_counts_learning_rate_up_to_its_plateau(void **state)
{
    const int64_t intervals[] = {1, 5, 10};
    for (size_t i = 0; i < 3; i++) {
        int64_t every = intervals[i];
        assert_near(left(constant, every, 1000, 800, 1000), 1, 0.01);
        /* a warm-up from 0 counts like the square of the steps */
        assert_near(left(warm_up, every, 800, 640, 800), 0.5, 0.01);
        /* 500 steps at 1e-3 and 300 at 1e-4, then 500 more of the former */
        assert_near(
            left(restart, every, 1500, 800, 1500), log(1500.0 / 800) / log(1.05 / 0.53), 0.03);
        /* what leaves the plateau upwards counts as the plateau */
        assert_near(left(runaway, every, 800, 640, 800), 1, 0.01);
    }
    struct training_clock clock = {0};
    assert_near(training_clock_left(&clock, 80, 100), 1, 1e-12);
}

static void a_clock_does_not_care_what_came_later(void **state)
{
    for (int64_t last = 1500; last <= 1700; last += 50)
        assert_true(left(restart, 1, last, 1200, 1500) == left(restart, 1, 1500, 1200, 1500));
    /* further ahead than what is kept one by one: nearly */
    assert_near(left(restart, 1, 2400, 1200, 1500), left(restart, 1, 1500, 1200, 1500), 0.005);
}

static size_t panels(
    struct cross_sections *sections, struct cross_section *section, int64_t steps[], size_t room)
{
    size_t count = 0;
    while (count < room && cross_sections_next(sections, INT64_MAX, section))
        steps[count++] = section->step;
    return count;
}

/* Told of by itself: above 5 where the value is above 100, never below. */
static void come(struct cross_sections *sections, int64_t layer, int64_t step, double value)
{
    assert_int_equal(cross_sections_arrive(sections, layer, step), 0);
    cross_sections_put(
        sections, layer, step, &(struct cross_sections_value){(double)step, value, 10});
}

static void a_step_is_ready_when_all_have_come(void **state)
{
    struct cross_sections *sections = cross_sections_new();
    struct cross_section section;
    int64_t steps[4];
    for (int64_t layer = 1; layer <= 5; layer++)
        assert_int_equal(cross_sections_arrive(sections, layer, 0), 0);
    for (int64_t layer = 5; layer >= 2; layer--)
        come(sections, layer, 10, (double)layer);
    assert_int_equal(panels(sections, &section, steps, 4), 0);
    assert_int_equal(cross_sections_arrive(sections, 1, 10), 0); /* without a value */
    assert_int_equal(panels(sections, &section, steps, 4), 1);
    assert_int_equal(section.step, 10);
    assert_int_equal(section.count, 4);
    assert_true(section.median == 3); /* the lower one */
    assert_true(section.quarter == 4);
    assert_int_equal(section.top[0].layer, 5);
    assert_int_equal(section.top[3].layer, 2);
    assert_true(section.window == 10);
    come(sections, 3, 10, 99); /* that step is past */
    assert_int_equal(panels(sections, &section, steps, 4), 0);
    cross_sections_free(sections);
}

static void a_layer_that_stopped_is_waited_for_only_so_long(void **state)
{
    struct cross_sections *sections = cross_sections_new();
    struct cross_section section;
    int64_t steps[CROSS_SECTION_LAG];
    come(sections, 1, 0, 1);
    come(sections, 2, 0, 1);
    assert_int_equal(panels(sections, &section, steps, CROSS_SECTION_LAG), 1);
    for (int64_t step = 1; step < CROSS_SECTION_LAG; step++) {
        come(sections, 1, step, 1);
        assert_int_equal(panels(sections, &section, steps, CROSS_SECTION_LAG), 0);
    }
    come(sections, 1, CROSS_SECTION_LAG, 1);
    assert_int_equal(panels(sections, &section, steps, CROSS_SECTION_LAG), CROSS_SECTION_LAG);
    come(sections, 1, CROSS_SECTION_LAG + 1, 1); /* not waited for any more */
    assert_int_equal(panels(sections, &section, steps, CROSS_SECTION_LAG), 1);
    come(sections, 2, CROSS_SECTION_LAG + 2, 1); /* it is back */
    assert_int_equal(panels(sections, &section, steps, CROSS_SECTION_LAG), 0);
    come(sections, 1, CROSS_SECTION_LAG + 2, 1);
    assert_int_equal(panels(sections, &section, steps, CROSS_SECTION_LAG), 1);
    assert_int_equal(section.count, 2);
    cross_sections_free(sections);
}

/* Rare samples: three of them, and not 16, are what a layer that stopped is waited for. */
static void rare_samples_are_waited_for_by_steps(void **state)
{
    struct cross_sections *sections = cross_sections_new();
    struct cross_section section;
    int64_t steps[CROSS_SECTION_LAG];
    come(sections, 1, 0, 1);
    come(sections, 2, 0, 1);
    assert_int_equal(panels(sections, &section, steps, CROSS_SECTION_LAG), 1);
    for (int64_t step = 100; step <= 300; step += 100) {
        come(sections, 1, step, 1);
        assert_int_equal(panels(sections, &section, steps, CROSS_SECTION_LAG), 0);
    }
    come(sections, 1, 400, 1);
    assert_true(panels(sections, &section, steps, CROSS_SECTION_LAG) >= 1);
    assert_int_equal(steps[0], 100);
    come(sections, 2, 90, 1); /* still behind what is past: not waited for */
    come(sections, 1, 500, 1);
    assert_true(panels(sections, &section, steps, CROSS_SECTION_LAG) >= 1);
    assert_int_equal(section.step, 500);
    cross_sections_free(sections);
}

/* Twelve layers, one of which comes to each step: none has more than one value in 300 steps. */
static void layers_in_turn_are_waited_for_by_steps(void **state)
{
    struct cross_sections *sections = cross_sections_new();
    struct cross_section section = {0};
    for (int64_t layer = 1; layer <= 12; layer++)
        assert_int_equal(cross_sections_arrive(sections, layer, 0), 0);
    for (int64_t turn = 1; turn <= 36; turn++) {
        come(sections, 1 + turn % 12, 50 * turn, 1);
        while (cross_sections_next(sections, INT64_MAX, &section))
            ;
        assert_int_equal(section.step, turn <= 6 ? 0 : 50 * turn - CROSS_SECTION_LAG_STEPS);
    }
    cross_sections_free(sections);
}

/* Of two layers one has a value at each step, the other at 100 only, which looks back 60 steps. */
static void a_value_stands_for_half_of_the_steps_that_it_looks_back(void **state)
{
    struct cross_sections *sections = cross_sections_new();
    struct cross_section section;
    for (int64_t step = 100; step <= 140; step += 10) {
        come(sections, 1, step, 1);
        assert_int_equal(cross_sections_arrive(sections, 2, step), 0);
        if (step == 100)
            cross_sections_put(sections, 2, step, &(struct cross_sections_value){100, 7, 60});
        assert_true(cross_sections_next(sections, INT64_MAX, &section));
        assert_int_equal(section.step, step);
        assert_int_equal(section.count, step <= 130 ? 2 : 1);
        assert_true(section.top[0].value == (step <= 130 ? 7 : 1));
    }
    cross_sections_free(sections);
}

/* Layer 2 has its value at each second step, after the section of that step. */
static void a_value_that_comes_too_late_is_of_the_next_section(void **state)
{
    struct cross_sections *sections = cross_sections_new();
    struct cross_section section;
    for (int64_t step = 100; step <= 120; step += 4) {
        come(sections, 1, step, 1);
        assert_true(
            cross_sections_next(sections, INT64_MAX, &section)); /* not waited for: it is behind */
        assert_int_equal(section.count, step % 8 == 0 ? 2 : 1);
        if (step % 8 == 4) {
            come(sections, 2, step - 1, 700);
            assert_false(cross_sections_next(sections, INT64_MAX, &section));
        }
    }
    cross_sections_free(sections);
}

/* It is fed last in each step, and falls so far behind that it is not waited for. */
static void a_layer_that_has_caught_up_is_waited_for_again(void **state)
{
    struct cross_sections *sections = cross_sections_new();
    struct cross_section section;
    int64_t steps[CROSS_SECTION_LAG];
    come(sections, 1, 0, 1);
    come(sections, 2, 0, 1);
    for (int64_t step = 1; step <= 2 * CROSS_SECTION_LAG; step++)
        come(sections, 1, step, 1);
    while (panels(sections, &section, steps, CROSS_SECTION_LAG) > 0)
        ;
    int64_t last = section.step;
    come(sections, 2, last, 1);
    for (int64_t step = last + 1; step <= 2 * CROSS_SECTION_LAG; step++) {
        come(sections, 2, step, 1);
        assert_int_equal(panels(sections, &section, steps, CROSS_SECTION_LAG), 1);
        assert_int_equal(section.count, 2);
    }
    come(sections, 1, 100, 1);
    assert_int_equal(panels(sections, &section, steps, CROSS_SECTION_LAG), 0);
    cross_sections_free(sections);
}

static void a_layer_that_is_forgotten_is_neither_waited_for_nor_counted(void **state)
{
    struct cross_sections *sections = cross_sections_new();
    struct cross_section section;
    for (int64_t layer = 1; layer <= 3; layer++)
        come(sections, layer, 100, (double)layer);
    assert_true(cross_sections_next(sections, INT64_MAX, &section));
    come(sections, 1, 104, 1);
    come(sections, 3, 104, 3);
    assert_false(cross_sections_next(sections, INT64_MAX, &section));
    cross_sections_forget(sections, 2);
    assert_true(cross_sections_next(sections, INT64_MAX, &section));
    assert_int_equal(section.count, 2);
    cross_sections_forget(sections, 2); /* again: nothing */
    cross_sections_forget(sections, 1);
    cross_sections_forget(sections, 3);
    assert_false(cross_sections_next(sections, INT64_MAX, &section));
    come(sections, 2, 108, 2); /* it comes anew */
    assert_true(cross_sections_next(sections, INT64_MAX, &section));
    assert_int_equal(section.top[0].layer, 2);
    cross_sections_free(sections);
}

static void a_risk_is_the_smallest_of_its_steps(void **state)
{
    struct risk_model model = {.intercepts = {0, 1, -2}};
    double readings[READING_COUNT] = {0};
    for (size_t i = 0; i < READING_COUNT; i++)
        model.terms[i] = (struct risk_term){.low = -1, .high = 2, .center = 0.5, .scale = 0.5};
    model.terms[READING_GROWTH].coefficients[0] = 1;
    model.terms[READING_GROWTH].coefficients[1] = 1;
    model.terms[READING_GROWTH].coefficients[2] = 3;
    readings[READING_GROWTH] = 1;                                       /* standardized 1 */
    assert_near(risk_of(&model, readings), 1 / (1 + exp(-1.0)), 1e-12); /* -2 + 3 = 0 + 1 */
    readings[READING_GROWTH] = 100; /* brought to 2: standardized 3 */
    assert_near(risk_of(&model, readings), 1 / (1 + exp(-3.0)), 1e-12);
    readings[READING_GROWTH] = -INFINITY;
    assert_near(risk_of(&model, readings), 1 / (1 + exp(11.0)), 1e-12);
    readings[READING_GROWTH] = NAN; /* unknown: 0, standardized -1 */
    assert_near(risk_of(&model, readings), 1 / (1 + exp(5.0)), 1e-12);
}

/* The embedded coefficients: a healthy training is hardly at risk, a run away one is. */
static void the_embedded_model_knows_the_extremes(void **state)
{
    const double healthy[READING_COUNT] = {0.15, -0.05, 0.5, 0, 0.01, -0.02, 0};
    const double lost[READING_COUNT] = {2.5, 2, 4, 1, 0.5, 0.4, 1};
    assert_true(risk_model.version >= 1);
    assert_true(risk_of(&risk_model, healthy) < 0.02);
    assert_true(risk_of(&risk_model, lost) > 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_history_finds_the_largest_of_any_stretch),
        cmocka_unit_test(a_history_finds_what_was_reached_twice),
        cmocka_unit_test(a_history_finds_the_median_of_any_stretch),
        cmocka_unit_test(a_level_is_that_of_its_span_or_of_the_least),
        cmocka_unit_test(a_row_is_judged_when_complete_or_left),
        cmocka_unit_test(an_elasticity_is_the_power_of_the_steps),
        cmocka_unit_test(an_elasticity_counts_from_half_of_the_peak),
        cmocka_unit_test(a_descent_is_measured_by_its_way),
        cmocka_unit_test(a_clock_counts_learning_rate_up_to_its_plateau),
        cmocka_unit_test(a_clock_does_not_care_what_came_later),
        cmocka_unit_test(a_step_is_ready_when_all_have_come),
        cmocka_unit_test(a_layer_that_stopped_is_waited_for_only_so_long),
        cmocka_unit_test(rare_samples_are_waited_for_by_steps),
        cmocka_unit_test(layers_in_turn_are_waited_for_by_steps),
        cmocka_unit_test(a_value_stands_for_half_of_the_steps_that_it_looks_back),
        cmocka_unit_test(a_value_that_comes_too_late_is_of_the_next_section),
        cmocka_unit_test(a_layer_that_has_caught_up_is_waited_for_again),
        cmocka_unit_test(a_layer_that_is_forgotten_is_neither_waited_for_nor_counted),
        cmocka_unit_test(a_risk_is_the_smallest_of_its_steps),
        cmocka_unit_test(the_embedded_model_knows_the_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
