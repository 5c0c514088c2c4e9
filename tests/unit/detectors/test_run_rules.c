/* The other rules of the run as a whole, on series made for them: what must fire, when, and what must
 * not. */
#include "tests/unit/alerts/stage.h"

static int64_t lr_alert(double (*lr)(int64_t), int64_t every)
{
    struct stage *stage = stage_new(NULL);
    int64_t step = -1;
    for (int64_t t = 0; t <= 3000 && step < 0; t += every) {
        stage_figure(stage, 0, "lr", t, lr(t));
        const struct alert *open = alert_engine_open(stage->engine, RULE_LR_RUNAWAY);
        step = open == NULL ? -1 : open->started_step;
    }
    stage_free(stage);
    return step;
}

static double ramp(int64_t t)
{
    return t < 50 ? 2e-5 * (double)(t + 1) : t < 1000 ? 1e-3 : 1e-3 * pow(1.01, (double)(t - 1000));
}

static double long_warm_up(int64_t t)
{
    return 1e-6 * (double)(t + 1);
}

static double cosine_restarts(int64_t t)
{
    return 1e-3 * (0.5 + 0.5 * cos(3.14159265358979 * (double)(t % 500) / 500));
}

static double stairs(int64_t t)
{
    return 1e-4 * (double)(1 + t / 700);
}

static double one_step_up(int64_t t)
{
    return t < 1000 ? 1e-3 : 5e-3;
}

static double slip(int64_t t)
{
    return t < 1000 ? 1e-3 : 1e-2;
}

static void a_learning_rate_that_runs_away_fires(void **state)
{
    assert_int_equal(lr_alert(slip, 1), 1000 + 4);
    assert_int_equal(lr_alert(slip, 10), 1000 + 10);
    /* 1.01^70 = 2.007; two samples that span 4 steps */
    assert_int_equal(lr_alert(ramp, 1), 1000 + 70 + 4);
    assert_int_equal(lr_alert(ramp, 10), 1000 + 70 + 10);
    assert_int_equal(lr_alert(ramp, 20), 1000 + 100 + 20); /* five rises */
}

/* A warm-up that goes on over the first two cycles of a schedule. */
static double warm_up_over_cycles(int64_t t)
{
    return 1e-3 * fmin(1, (double)(t + 1) / 500) * (1 - fabs((double)(t % 400) / 200 - 1));
}

static void a_schedule_is_healthy(void **state)
{
    double (*const schedules[])(int64_t) = {
        long_warm_up, cosine_restarts, stairs, one_step_up, restarts_at_1000, warm_up_over_cycles};
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(lr_alert(schedules[i], 1), -1);
        assert_int_equal(lr_alert(schedules[i], 10), -1);
    }
}

static double noise(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (double)(*seed >> 8) / (double)(1u << 23) - 1.0;
}

/* The gradient norm rises fivefold between the steps 1000 and 1200, the loss by `loss` beside its
 * noise. */
static int64_t gradient_alert(int64_t every, double rise, double loss, double noisy)
{
    struct stage *stage = stage_new(NULL);
    uint32_t seed = 3;
    for (int64_t t = 0; t <= 2000; t += every) {
        double fault = t < 1000 ? 0 : fmin(1, (double)(t - 1000) / 200);
        stage_figure(stage, 0, "loss", t,
            2 + 3 * exp(-(double)t / 200) + noisy * noise(&seed) + loss * fault);
        stage_figure(stage, 0, "grad_norm", t, exp(log(rise) * fault + 0.3 * noise(&seed)));
    }
    const struct alert *open = alert_engine_open(stage->engine, RULE_GRADIENT);
    int64_t step = open == NULL ? -1 : open->started_step;
    stage_free(stage);
    return step;
}

static void gradient_and_loss_that_rise_together_fire(void **state)
{
    const int64_t intervals[] = {1, 5, 10};
    for (size_t i = 0; i < 3; i++) {
        /* 2.5 times at step 1114, as the level sees it 20 steps later */
        int64_t step = gradient_alert(intervals[i], 5, 0.8, 0.1);
        assert_true(step > 1100 && step < 1200);
        assert_int_equal(gradient_alert(intervals[i], 5, 0, 0.1), -1);
        assert_true(gradient_alert(intervals[i], 5, 0.5, 0.1) > 1100);
        assert_int_equal(gradient_alert(intervals[i], 1, 0.8, 0.1), -1);
    }
}

static void weights_that_stand_still_fire(void **state)
{
    struct stage *stage = stage_of_layers();
    for (int64_t t = 0; t <= 2000; t += 10)
        for (int64_t layer = 1; layer <= STAGE_LAYERS; layer++) {
            /* layer 1 is frozen from the beginning, the others from step 700 on */
            double turned = layer == 1 ? 0.25 : 1e-4 * (double)(t < 700 ? t : 700);
            stage_figure(stage, layer, "rotation.from_init", t, turned);
            if (t < 1710)
                assert_quiet(stage, RULE_ROTATION_STILL);
        }
    assert_int_equal(stage_open(stage, RULE_ROTATION_STILL)->started_step, 710 + 1000);
    stage_free(stage);
}

/* Gradients accumulated over 64 samples, and a model of which nothing is trained. */
static void weights_that_move_seldom_or_never_are_healthy(void **state)
{
    struct stage *stage = stage_of_layers();
    for (int64_t t = 0; t <= 3000; t += 1)
        for (int64_t layer = 1; layer <= STAGE_LAYERS; layer++) {
            stage_figure(stage, layer, "rotation.from_init", t, 1e-4 * (double)(t / 64));
            assert_quiet(stage, RULE_ROTATION_STILL);
        }
    stage_free(stage);
    stage = stage_of_layers();
    for (int64_t t = 0; t <= 3000; t += 10)
        for (int64_t layer = 1; layer <= STAGE_LAYERS; layer++)
            stage_figure(stage, layer, "rotation.from_init", t, 0);
    assert_quiet(stage, RULE_ROTATION_STILL);
    stage_free(stage);
}

static void the_assessment_of_the_run_is_reported(void **state)
{
    struct stage *stage = stage_of_layers();
    struct assessment assessment;
    double healthy = 1;
    int64_t steps = 0, last = 0;
    for (int64_t t = 0; t <= 2000; t += 5) {
        for (int64_t layer = 1; layer <= STAGE_LAYERS; layer++)
            stage_spectrum(stage, layer, t,
                pow((double)t + 1, 0.2) * exp(t < 1000 ? 0 : 0.01 * (double)(t - 1000)), 0.8);
        while (alert_engine_assessment(stage->engine, &assessment)) {
            assert_true(assessment.step > last);
            assert_true(assessment.risk >= 0 && assessment.risk <= 1);
            last = assessment.step;
            steps++;
            if (t == 900) {
                assert_true(fabs(assessment.readings[READING_GROWTH] - 0.2) < 0.01);
                healthy = assessment.risk;
            }
        }
    }
    assert_int_equal(last, 2000);
    assert_true(steps > 300);
    /* by the growth alone: no loss and no gradient here */
    assert_true(assessment.risk > 0.1 && assessment.risk > 20 * healthy);
    assert_true(assessment.readings[READING_GROWTH] > 2);
    stage_free(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_learning_rate_that_runs_away_fires),
        cmocka_unit_test(a_schedule_is_healthy),
        cmocka_unit_test(gradient_and_loss_that_rise_together_fire),
        cmocka_unit_test(weights_that_stand_still_fire),
        cmocka_unit_test(weights_that_move_seldom_or_never_are_healthy),
        cmocka_unit_test(the_assessment_of_the_run_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
