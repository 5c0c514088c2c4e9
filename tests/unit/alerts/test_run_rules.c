/* The rules of the run as a whole, on series made for them: what must fire, when, and what must
 * not. */
#include "stage.h"

#define LAYERS 5

static struct stage *decoder(void)
{
    struct stage *stage = stage_new(NULL);
    for (int64_t layer = 1; layer <= LAYERS; layer++) {
        char name[16];
        snprintf(name, sizeof name, "l%" PRId64, layer);
        stage_layer(stage, layer, name, "linear", "");
    }
    alert_engine_begins(stage->engine, 0);
    return stage;
}

/* sigma1 like the square root of the steps until step 1000, then also by `rate` a step, in `grown`
 * of the layers; the inputs lie on both sides, and the loss rises by `loss` at 1200. */
static int64_t growth_alert(
    int64_t every, double rate, int64_t grown, double loss, struct alert *alert)
{
    struct stage *stage = decoder();
    for (int64_t t = 0; t <= 2000; t += every) {
        stage_figure(stage, 0, "loss", t, 2 + 3 * exp(-(double)t / 100) + (t < 1200 ? 0 : loss));
        for (int64_t layer = 1; layer <= LAYERS; layer++) {
            double faulty = t > 1000 && layer <= grown ? rate * (double)(t - 1000) : 0;
            stage_spectrum(stage, layer, t, pow((double)t + 1, 0.2) * exp(faulty), 0.8);
        }
    }
    const struct alert *open = alert_engine_open(stage->engine, RULE_SIGMA_GROWTH);
    int64_t step = open == NULL ? -1 : open->started_step;
    if (open != NULL && alert != NULL)
        *alert = *open;
    stage_free(stage);
    return step;
}

static void layers_that_grow_together_fire(void **state)
{
    const int64_t intervals[] = {1, 5, 10, 20, 50};
    struct alert alert;
    for (size_t i = 0; i < 5; i++) {
        int64_t step = growth_alert(intervals[i], 0.006, LAYERS, 0, &alert);
        /* the elasticity passes 1 when 0.006 n = 0.8 ln(1 / 0.8), n = 30 */
        assert_true(step >= 1030 && step <= 1030 + 20 + 3 * intervals[i]);
        assert_int_equal(alert.layers[0], 0);
        assert_int_equal(alert.layer_count, 1 + 3);
        assert_string_equal(alert.evidence[0].metric, "sigma_growth.together");
        assert_string_equal(alert.title, "Spectral norms grow out of proportion");
    }
}

static void the_half_of_the_layers_must_grow(void **state)
{
    assert_true(growth_alert(5, 0.003, 3, 0, NULL) > 1000);
    assert_int_equal(growth_alert(5, 0.003, 2, 0, NULL), -1);
    assert_int_equal(growth_alert(5, 0, LAYERS, 0, NULL), -1);
}

/* A network of two layers; one or both grow by `rate` a step from step 1000 on. -1: nothing was told. */
static int64_t pair_alert(int64_t every, double rate, int64_t grown)
{
    struct stage *stage = stage_new(NULL);
    stage_layer(stage, 1, "in", "linear", "");
    stage_layer(stage, 2, "out", "linear", "");
    for (int64_t t = 0; t <= 1400; t += every)
        for (int64_t layer = 1; layer <= 2; layer++) {
            double faulty = t > 1000 && layer <= grown ? rate * (double)(t - 1000) : 0;
            stage_spectrum(stage, layer, t, pow((double)t + 1, 0.2) * exp(faulty), 0.8);
        }
    const struct alert *open = alert_engine_open(stage->engine, RULE_SIGMA_GROWTH);
    int64_t step = open == NULL ? -1 : open->started_step;
    if (open != NULL) {
        assert_string_equal(open->evidence[0].metric, "sigma_growth.together");
        assert_non_null(strstr(open->summary, "of both layers grow"));
    }
    stage_free(stage);
    return step;
}

/* What two do together is often chance: both must grow like t^3, 0.2 + 0.006 n / ln(1 / 0.8) = 3, n = 104.
 * 0.002 a step are t^2.7 at the most. */
static void two_layers_must_grow_faster(void **state)
{
    const int64_t intervals[] = {1, 5, 10, 20, 50};
    for (size_t i = 0; i < 5; i++) {
        int64_t step = pair_alert(intervals[i], 0.006, 2);
        assert_true(step >= 1095 && step <= 1105 + 20 + 3 * intervals[i]);
        assert_int_equal(pair_alert(intervals[i], 0.002, 2), -1);
        assert_int_equal(pair_alert(intervals[i], 0.006, 1), -1);
    }
}

/* Of three layers one is left out at every other sample (its residual): what is left is no network of
 * two, and does not break the row of samples at which all three grow. */
static void two_of_three_layers_are_no_pair(void **state)
{
    struct stage *stage = stage_new(NULL);
    const struct alert *alert = NULL;
    for (int64_t layer = 1; layer <= 3; layer++)
        stage_layer(stage, layer, layer == 1 ? "a" : layer == 2 ? "b" : "c", "linear", "");
    for (int64_t t = 0; t <= 1100 && alert == NULL; t += 5) {
        for (int64_t layer = 1; layer <= 3; layer++) {
            bool lost = t > 1000 && t % 10 == 0 && layer == 3;
            stage_figure(stage, layer, "sa.diversity", t, 0.8);
            stage_figure(stage, layer, "spectral.residual", t, lost ? 0.5 : 1e-4);
            stage_figure(stage, layer, "spectral.sigma1", t,
                pow((double)t + 1, 0.2) * exp(t > 1000 ? 0.006 * (double)(t - 1000) : 0));
        }
        alert = alert_engine_open(stage->engine, RULE_SIGMA_GROWTH);
    }
    assert_non_null(alert); /* like t^1.2 at 1038, like t^3 not before 1104 */
    assert_non_null(strstr(alert->summary, "of half of all layers grow"));
    stage_free(stage);
}

/* One layer of five, its inputs on both sides: like t^8, 0.2 + 0.008 n / ln(1 / 0.8) = 8, n = 218. */
static void one_layer_without_its_witness_must_grow_much_faster(void **state)
{
    struct alert alert;
    int64_t step = growth_alert(5, 0.008, 1, 0, &alert);
    assert_true(step >= 1215 && step <= 1218 + 25);
    assert_int_equal(alert.layers[0], 1);
    assert_int_equal(alert.evidence_count, 1);
    assert_true(alert.evidence[0].threshold == 8);
    assert_non_null(strstr(alert.summary, "The spectral norm of l1 runs away: since step"));
    assert_null(strstr(alert.summary, "on one side"));
}

/* Exponential from the first step on, so slow that it never leaves its past behind: 0.0012 a step is an
 * elasticity of 1.4 at step 1.4 ln(1 / 0.8) / (0.2 * 0.0012) = 1302. A power is none at any height. */
static void slow_growth_that_is_exponential_fires(void **state)
{
    const int64_t intervals[] = {1, 5, 10, 20, 50};
    for (size_t i = 0; i < 10; i++) {
        bool power = i >= 5;
        int64_t every = intervals[i % 5], step = -1;
        struct stage *stage = decoder();
        for (int64_t t = 0; t <= 3000 && step < 0; t += every) {
            for (int64_t layer = 1; layer <= LAYERS; layer++)
                stage_spectrum(stage, layer, t,
                    power ? pow((double)t + 1, 1.8) : exp(0.0012 * (double)t), 0.8);
            const struct alert *open = alert_engine_open(stage->engine, RULE_SIGMA_GROWTH);
            step = open == NULL ? -1 : open->started_step;
        }
        if (power)
            assert_int_equal(step, -1);
        else
            assert_true(step >= 1302 - 20 && step <= 1302 + 20 + 3 * every);
        stage_free(stage);
    }
}

static void growth_that_goes_on_becomes_critical(void **state)
{
    struct alert alert;
    assert_true(growth_alert(5, 0.0009, LAYERS, 0.5, &alert) > 1000);
    assert_int_equal(alert.severity, SEVERITY_WARNING);
    assert_true(growth_alert(5, 0.008, LAYERS, 0, &alert) > 1000);
    assert_int_equal(alert.severity, SEVERITY_WARNING); /* the loss does not suffer */
    assert_true(growth_alert(5, 0.008, LAYERS, 0.5, &alert) > 1000);
    assert_int_equal(alert.severity, SEVERITY_CRITICAL);
}

static double restarts_at_1000(int64_t t)
{
    return t < 400 || t > 1000 ? 1e-3 : 1e-5;
}

/* Norms that go on as the learning rate does: the clock explains them. */
static void a_warm_restart_is_healthy(void **state)
{
    struct stage *stage = decoder();
    double trained = 0;
    for (int64_t t = 0; t <= 2500; t++) {
        trained += restarts_at_1000(t) / 1e-3;
        stage_figure(stage, 0, "lr", t, restarts_at_1000(t));
        for (int64_t layer = 1; t % 5 == 0 && layer <= LAYERS; layer++)
            stage_spectrum(stage, layer, t, pow(trained + 1, 0.8), 0.8);
    }
    assert_quiet(stage, RULE_SIGMA_GROWTH);
    stage_free(stage);
}

/* A decay to a long tail of next to no learning rate, where sigma1 only jitters. */
static void a_tail_without_learning_rate_is_healthy(void **state)
{
    const double tails[] = {1e-2, 1e-3, 1e-5, 0};
    for (size_t i = 0; i < 4; i++) {
        struct stage *stage = decoder();
        uint32_t seed = 9;
        for (int64_t t = 0; t <= 6000; t += 10) {
            double share = t < 1000 ? 1 : fmax(tails[i], 1 - (double)(t - 1000) / 1000);
            stage_figure(stage, 0, "lr", t, 1e-3 * share);
            for (int64_t layer = 1; layer <= LAYERS; layer++) {
                seed = seed * 1664525u + 1013904223u;
                double jitter = 0.01 * ((double)(seed >> 8) / (double)(1u << 23) - 1.0);
                stage_spectrum(
                    stage, layer, t, pow(fmin((double)t, 2000) + 1, 0.2) * (1 + jitter), 0.8);
            }
            assert_quiet(stage, RULE_SIGMA_GROWTH);
        }
        stage_free(stage);
    }
}

/* One layer of five grows as the learning rate does, which is raised threefold and stands, or as if it
 * were. */
static void one_layer_is_judged_by_the_clock(void **state)
{
    const double raised[] = {3, 1};
    for (size_t i = 0; i < 2; i++) {
        struct stage *stage = decoder();
        const struct alert *alert = NULL;
        for (int64_t t = 0; t <= 2500 && alert == NULL; t += 5) {
            double trained = (double)t + (t > 1000 ? 2 * (double)(t - 1000) : 0);
            stage_figure(stage, 0, "lr", t, t > 1000 ? raised[i] * 1e-3 : 1e-3);
            for (int64_t layer = 1; layer <= LAYERS; layer++)
                stage_spectrum(stage, layer, t,
                    layer == 2 ? pow(trained + 1, 2.5) : pow((double)t + 1, 0.2), 0.1);
            alert = alert_engine_open(stage->engine, RULE_SIGMA_GROWTH);
        }
        assert_int_equal(alert != NULL, raised[i] < 2);
        if (alert != NULL) {
            assert_int_equal(alert->layers[0], 2);
            assert_int_equal(alert->layer_total, 1);
            assert_string_equal(alert->title, "Spectral norms grow out of proportion: l2");
            assert_non_null(
                strstr(alert->summary, "The spectral norm of l2 runs away: since step"));
        }
        stage_free(stage);
    }
}

/* All run away, one of them fastest: it is about all of them. */
static void what_all_layers_do_is_told_first(void **state)
{
    struct stage *stage = decoder();
    for (int64_t t = 0; t <= 1200; t += 5)
        for (int64_t layer = 1; layer <= LAYERS; layer++) {
            double faulty = t > 1000 ? (layer == 2 ? 0.012 : 0.006) * (double)(t - 1000) : 0;
            stage_spectrum(stage, layer, t, pow((double)t + 1, 0.2) * exp(faulty), 0.1);
        }
    const struct alert *alert = stage_open(stage, RULE_SIGMA_GROWTH);
    assert_int_equal(alert->layers[0], 0);
    assert_string_equal(alert->evidence[0].metric, "sigma_growth.together");
    assert_non_null(strstr(alert->summary, "of half of all layers"));
    stage_free(stage);
}

/* Steady growth below the threshold, after a bump that was told of. */
static void it_is_well_again_when_growth_is_as_before(void **state)
{
    struct stage *stage = decoder();
    size_t resolved = 0;
    for (int64_t t = 0; t <= 9000; t += 10) {
        double bump = 0.003 * fmin(fmax((double)t - 2000, 0), 300);
        for (int64_t layer = 1; layer <= LAYERS; layer++)
            stage_spectrum(stage, layer, t, pow((double)t + 1, 0.6) * exp(bump), 0.8);
        for (size_t told = stage_drain(stage); told > 0; told--)
            resolved += stage->changes[told - 1] == ALERT_RESOLVED;
    }
    assert_int_equal(resolved, 1);
    assert_quiet(stage, RULE_SIGMA_GROWTH);
    stage_free(stage);
}

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

static void a_loss_that_spikes_by_nature_is_no_witness(void **state)
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

static void neurons_that_turn_the_same_way_fire(void **state)
{
    struct stage *stage = stage_new(NULL);
    stage_layer(stage, 1, "blocks.0.mlp", "", "");
    for (int64_t t = 0; t <= 1000; t += 10)
        stage_figure(stage, 1, "gate.in_out.p50", t,
            -0.05 + 1e-4 * (double)t / 10 - (t < 800 ? 0 : 0.004 * (double)(t - 800)));
    const struct alert *alert = stage_open(stage, RULE_COSINE_SHIFT);
    assert_true(alert->started_step >= 850 && alert->started_step <= 880);
    assert_true(alert->evidence[0].value < alert->evidence[0].threshold);
    assert_int_equal(alert->layers[0], 1);
    stage_free(stage);
}

static void weights_that_stand_still_fire(void **state)
{
    struct stage *stage = decoder();
    for (int64_t t = 0; t <= 2000; t += 10)
        for (int64_t layer = 1; layer <= LAYERS; layer++) {
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
    struct stage *stage = decoder();
    for (int64_t t = 0; t <= stop + 1300 + ahead; t++) {
        if (t % 5 == 0)
            stage_figure(stage, 0, "lr", t, t <= stop ? 1e-3 : rate);
        for (int64_t layer = 1; t >= ahead && t % 10 == 0 && layer <= LAYERS; layer++) {
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
        struct stage *stage = decoder();
        for (int64_t t = 0; t <= 2500; t += 10) {
            stage_figure(stage, 0, "loss", t, t < 700 ? 1 : done ? 0 : 1e-9);
            for (int64_t layer = 1; layer <= LAYERS; layer++)
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
    struct stage *stage = decoder();
    for (int64_t t = 0; t <= 3000; t += 1)
        for (int64_t layer = 1; layer <= LAYERS; layer++) {
            stage_figure(stage, layer, "rotation.from_init", t, 1e-4 * (double)(t / 64));
            assert_quiet(stage, RULE_ROTATION_STILL);
        }
    stage_free(stage);
    stage = decoder();
    for (int64_t t = 0; t <= 3000; t += 10)
        for (int64_t layer = 1; layer <= LAYERS; layer++)
            stage_figure(stage, layer, "rotation.from_init", t, 0);
    assert_quiet(stage, RULE_ROTATION_STILL);
    stage_free(stage);
}

static void rotation_that_runs_away_is_observed(void **state)
{
    struct stage *stage = decoder();
    for (int64_t t = 0; t <= 1600; t += 10)
        for (int64_t layer = 1; layer <= LAYERS; layer++)
            stage_figure(stage, layer, "rotation.from_init", t,
                1e-5 * (double)t * (t < 1000 ? 1 : exp(0.01 * (double)(t - 1000))));
    assert_true(stage_open(stage, RULE_ROTATION_RUNAWAY)->started_step > 1000);
    assert_true(stage_open(stage, RULE_ROTATION_RUNAWAY)->observed);
    stage_free(stage);
}

static void the_standing_of_the_run_is_told(void **state)
{
    struct stage *stage = decoder();
    struct alert_standing standing;
    double healthy = 1;
    int64_t steps = 0, last = 0;
    for (int64_t t = 0; t <= 2000; t += 5) {
        for (int64_t layer = 1; layer <= LAYERS; layer++)
            stage_spectrum(stage, layer, t,
                pow((double)t + 1, 0.2) * exp(t < 1000 ? 0 : 0.01 * (double)(t - 1000)), 0.8);
        while (alert_engine_standing(stage->engine, &standing)) {
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
    /* by the growth alone: no loss and no gradient bear witness here */
    assert_true(standing.risk > 0.1 && standing.risk > 20 * healthy);
    assert_true(standing.readings[READING_GROWTH] > 2);
    stage_free(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_that_grow_together_fire),
        cmocka_unit_test(the_half_of_the_layers_must_grow),
        cmocka_unit_test(two_layers_must_grow_faster),
        cmocka_unit_test(two_of_three_layers_are_no_pair),
        cmocka_unit_test(one_layer_without_its_witness_must_grow_much_faster),
        cmocka_unit_test(slow_growth_that_is_exponential_fires),
        cmocka_unit_test(growth_that_goes_on_becomes_critical),
        cmocka_unit_test(one_layer_is_judged_by_the_clock),
        cmocka_unit_test(what_all_layers_do_is_told_first),
        cmocka_unit_test(a_warm_restart_is_healthy),
        cmocka_unit_test(a_tail_without_learning_rate_is_healthy),
        cmocka_unit_test(it_is_well_again_when_growth_is_as_before),
        cmocka_unit_test(a_learning_rate_that_runs_away_fires),
        cmocka_unit_test(a_schedule_is_healthy),
        cmocka_unit_test(a_cycle_that_is_resumed_anywhere_is_healthy),
        cmocka_unit_test(gradient_and_loss_that_rise_together_fire),
        cmocka_unit_test(a_loss_that_spikes_by_nature_is_no_witness),
        cmocka_unit_test(bursts_that_were_rare_before_fire),
        cmocka_unit_test(what_a_warm_restart_does_to_the_gradient_is_healthy),
        cmocka_unit_test(neurons_that_turn_the_same_way_fire),
        cmocka_unit_test(weights_that_stand_still_fire),
        cmocka_unit_test(weights_that_nothing_trains_are_healthy),
        cmocka_unit_test(weights_that_have_learned_all_are_healthy),
        cmocka_unit_test(weights_that_move_seldom_or_never_are_healthy),
        cmocka_unit_test(rotation_that_runs_away_is_observed),
        cmocka_unit_test(the_standing_of_the_run_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
