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

static double late_ramp(int64_t t)
{
    return ramp(t - 3000);
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

static double cycles(int64_t t)
{
    return 1e-4 + 9e-4 * fabs((double)(t % 700) / 350 - 1);
}

static double slow_cycles(int64_t t)
{
    return 1e-4 + 9e-4 * fabs((double)(t % 7000) / 3500 - 1);
}

/* Decays, but for a slip at step 5000. */
static double slip_in_a_decay(int64_t t)
{
    return 1e-3 * exp(-(double)t / 5000) * (t < 5000 ? 1 : 1000);
}

/* The schedule goes on from step `at` on: how it came there nobody saw. */
static bool resumed_lr_is_told(double (*lr)(int64_t), int64_t at)
{
    struct stage *stage = stage_new(NULL);
    alert_engine_begins(stage->engine, at);
    bool told = false;
    for (int64_t t = at; t <= at + 9000; t++) {
        stage_figure(stage, 0, "lr", t, lr(t));
        told = told || alert_engine_open(stage->engine, RULE_LR_RUNAWAY) != NULL;
    }
    stage_free(stage);
    return told;
}

static void a_cycle_that_is_resumed_anywhere_is_healthy(void **state)
{
    for (int64_t phase = 0; phase < 10; phase++) {
        assert_false(resumed_lr_is_told(cycles, 7000 + 70 * phase));
        assert_false(resumed_lr_is_told(slow_cycles, 7000 + 700 * phase));
    }
    assert_true(resumed_lr_is_told(late_ramp, 3000));
    assert_true(resumed_lr_is_told(slip_in_a_decay, 3000));
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
        assert_int_equal(gradient_alert(intervals[i], 5, 0.5, 0.8), -1);
        assert_int_equal(gradient_alert(intervals[i], 1, 0.8, 0.1), -1);
    }
}

/* Gradient and loss rise at step 1000 where single losses are `spike` above the rest each 40 steps. */
static bool rise_among_spikes_is_told(double spike)
{
    struct stage *stage = stage_new(NULL);
    uint32_t seed = 3;
    for (int64_t t = 0; t <= 1400; t++) {
        double fault = t < 1000 ? 0 : 1;
        stage_figure(stage, 0, "loss", t,
            2 + 3 * exp(-(double)t / 200) + 0.1 * noise(&seed) + 0.8 * fault +
                (t % 40 == 7 ? spike : 0));
        stage_figure(stage, 0, "grad_norm", t, exp(log(5) * fault + 0.3 * noise(&seed)));
    }
    bool told = alert_engine_open(stage->engine, RULE_GRADIENT) != NULL;
    stage_free(stage);
    return told;
}

static void a_loss_that_spikes_by_nature_confirms_nothing(void **state)
{
    assert_true(rise_among_spikes_is_told(0));
    assert_false(rise_among_spikes_is_told(2));
}

/* Bursts of ten times the usual, each `before` steps and from 2000 on each `after`; the loss rises by
 * `loss` then. */
static int64_t bursts_alert(int64_t before, int64_t after, double loss)
{
    struct stage *stage = stage_new(NULL);
    uint32_t seed = 3;
    int64_t step = -1;
    for (int64_t t = 0; t <= 4000 && step < 0; t++) {
        int64_t each = t < 2000 ? before : after;
        stage_figure(stage, 0, "loss", t,
            2 + 3 * exp(-(double)t / 200) + 0.1 * noise(&seed) + (t < 2000 ? 0 : loss));
        stage_figure(stage, 0, "grad_norm", t, exp(0.3 * noise(&seed)) * (t % each == 7 ? 10 : 1));
        const struct alert *open = alert_engine_open(stage->engine, RULE_GRADIENT);
        step = open == NULL ? -1 : open->started_step;
    }
    stage_free(stage);
    return step;
}

static void bursts_that_were_rare_before_fire(void **state)
{
    int64_t step = bursts_alert(1000, 10, 1.5);
    assert_true(step > 2000 && step < 2200);
    assert_int_equal(bursts_alert(1000, 10, 0), -1);
    assert_int_equal(bursts_alert(1000, 1000, 1.5), -1);
    assert_int_equal(bursts_alert(10, 10, 1.5), -1);
}

/* Gradient and loss are higher for the first 200 steps of each cycle, whose learning rate
 * begins at 1e-3 and is down at `low` when it ends. */
static bool cycles_are_told(double low)
{
    struct stage *stage = stage_new(NULL);
    uint32_t seed = 3;
    bool told = false;
    for (int64_t t = 0; t <= 4000; t++) {
        double phase = (double)(t % 1600) / 1600;
        double high = t >= 1600 && t % 1600 < 200 ? 1 : 0;
        stage_figure(stage, 0, "lr", t, 1e-3 - (1e-3 - low) * phase);
        stage_figure(stage, 0, "loss", t,
            0.1 + 3 * exp(-(double)t / 200) + 0.01 * noise(&seed) + 0.5 * high);
        stage_figure(stage, 0, "grad_norm", t, exp(0.3 * noise(&seed)) * (1 + 19 * high));
        told = told || alert_engine_open(stage->engine, RULE_GRADIENT) != NULL;
    }
    stage_free(stage);
    return told;
}

static void what_a_warm_restart_does_to_the_gradient_is_healthy(void **state)
{
    assert_false(cycles_are_told(1e-4));
    assert_true(cycles_are_told(8e-4));
}

static void weights_that_stand_still_fire(void **state)
{
    struct stage *stage = stage_of_layers();
    for (int64_t t = 0; t <= 2000; t += 10)
        for (int64_t layer = 1; layer <= STAGE_LAYERS; layer++) {
            /* layer 1 is frozen from the beginning, the others from step 700 on */
            double turned = layer == 1 ? 0.25 : 1e-4 * (double)(t < 700 ? t : 700);
            stage_figure(stage, layer, "rotation.from_init", t, turned);
            if (t < 1730)
                assert_quiet(stage, RULE_ROTATION_STILL);
        }
    /* 730 is the first step at more than twice the ten of before; and 1000 later */
    assert_int_equal(stage_open(stage, RULE_ROTATION_STILL)->started_step, 1730);
    stage_free(stage);
}

/* True if weights that stand still from step `stop` on are told of, where the learning rate is `rate`
 * from then on and comes `ahead` steps before the figures of the layers. */
static bool stillness_is_told(int64_t stop, double rate, int64_t ahead)
{
    struct stage *stage = stage_of_layers();
    for (int64_t t = 0; t <= stop + 1300 + ahead; t++) {
        if (t % 5 == 0)
            stage_figure(stage, 0, "lr", t, t <= stop ? 1e-3 : rate);
        for (int64_t layer = 1; t >= ahead && t % 10 == 0 && layer <= STAGE_LAYERS; layer++) {
            int64_t step = t - ahead;
            double turned = 1e-6 * (double)(step < stop ? step : stop);
            stage_figure(stage, layer, "rotation.from_init", step, turned);
        }
    }
    bool told = alert_engine_open(stage->engine, RULE_ROTATION_STILL) != NULL;
    stage_free(stage);
    return told;
}

/* A schedule that has ended explains it, however long the run and whatever comes first. */
static void weights_that_nothing_trains_are_healthy(void **state)
{
    const int64_t stops[] = {700, 40410};
    for (size_t i = 0; i < 2; i++)
        for (int64_t ahead = 0; ahead <= 200; ahead += 100) {
            assert_false(stillness_is_told(stops[i], 0, ahead));
            assert_false(stillness_is_told(stops[i], 1e-5, ahead));
            assert_true(stillness_is_told(stops[i], 1e-4, ahead));
        }
}

/* A loss of exactly 0 leaves nothing to learn; one that is next to nothing does. */
static void weights_that_have_learned_all_are_healthy(void **state)
{
    for (int done = 0; done < 2; done++) {
        struct stage *stage = stage_of_layers();
        for (int64_t t = 0; t <= 2500; t += 10) {
            stage_figure(stage, 0, "loss", t, t < 700 ? 1 : done ? 0 : 1e-9);
            for (int64_t layer = 1; layer <= STAGE_LAYERS; layer++)
                stage_figure(
                    stage, layer, "rotation.from_init", t, 1e-4 * (double)(t < 700 ? t : 700));
        }
        assert_int_equal(alert_engine_open(stage->engine, RULE_ROTATION_STILL) != NULL, !done);
        stage_free(stage);
    }
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

static void the_standing_of_the_run_is_told(void **state)
{
    struct stage *stage = stage_of_layers();
    struct assessment standing;
    double healthy = 1;
    int64_t steps = 0, last = 0;
    for (int64_t t = 0; t <= 2000; t += 5) {
        for (int64_t layer = 1; layer <= STAGE_LAYERS; layer++)
            stage_spectrum(stage, layer, t,
                pow((double)t + 1, 0.2) * exp(t < 1000 ? 0 : 0.01 * (double)(t - 1000)), 0.8);
        while (alert_engine_assessment(stage->engine, &standing)) {
            assert_true(standing.step > last);
            assert_true(standing.risk >= 0 && standing.risk <= 1);
            last = standing.step;
            steps++;
            if (t == 900) {
                assert_true(fabs(standing.readings[READING_GROWTH] - 0.2) < 0.01);
                healthy = standing.risk;
            }
        }
    }
    assert_int_equal(last, 2000);
    assert_true(steps > 300);
    /* by the growth alone: no loss and no gradient here */
    assert_true(standing.risk > 0.1 && standing.risk > 20 * healthy);
    assert_true(standing.readings[READING_GROWTH] > 2);
    stage_free(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_learning_rate_that_runs_away_fires),
        cmocka_unit_test(a_schedule_is_healthy),
        cmocka_unit_test(a_cycle_that_is_resumed_anywhere_is_healthy),
        cmocka_unit_test(gradient_and_loss_that_rise_together_fire),
        cmocka_unit_test(a_loss_that_spikes_by_nature_confirms_nothing),
        cmocka_unit_test(bursts_that_were_rare_before_fire),
        cmocka_unit_test(what_a_warm_restart_does_to_the_gradient_is_healthy),
        cmocka_unit_test(weights_that_stand_still_fire),
        cmocka_unit_test(weights_that_nothing_trains_are_healthy),
        cmocka_unit_test(weights_that_have_learned_all_are_healthy),
        cmocka_unit_test(weights_that_move_seldom_or_never_are_healthy),
        cmocka_unit_test(the_standing_of_the_run_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
