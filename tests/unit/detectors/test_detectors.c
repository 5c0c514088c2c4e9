/* Each rule on series made for it: what must fire, at which step, and what must not. */
#include "tests/unit/alerts/stage.h"

static void any_nonfinite_weight_fires_at_once(void **state)
{
    struct stage *stage = stage_new(NULL);
    stage_layer(stage, 7, "blocks.0.mlp.gate", "mlp.gate", "blocks.0.mlp");
    stage_figure(stage, 7, "weights.nonfinite", 0, 0);
    assert_quiet(stage, RULE_NONFINITE);
    stage_figure(stage, 7, "weights.nonfinite", 20, 3);
    const struct alert *alert = stage_open(stage, RULE_NONFINITE);
    assert_int_equal(alert->severity, SEVERITY_CRITICAL);
    assert_int_equal(alert->started_step, 20);
    assert_true(alert->started_at == 1020.0);
    assert_int_equal(alert->layer_total, 1);
    assert_int_equal(alert->layers[0], 7);
    assert_int_equal(alert->evidence_count, 1);
    assert_string_equal(alert->evidence[0].metric, "weights.nonfinite");
    assert_true(alert->evidence[0].value == 3);
    assert_non_null(
        strstr(alert->summary, "blocks.0.mlp.gate since step 20 (weights.nonfinite = 3)"));
    stage_free(stage);
}

static void a_nonfinite_loss_fires_at_once(void **state)
{
    const double values[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 3; i++) {
        struct stage *stage = stage_new(NULL);
        stage_figure(stage, 0, "loss", 1, 2.5);
        assert_quiet(stage, RULE_NONFINITE);
        stage_figure(stage, 0, "loss", 2, values[i]);
        assert_int_equal(stage_open(stage, RULE_NONFINITE)->started_step, 2);
        assert_int_equal(stage_open(stage, RULE_NONFINITE)->layers[0], 0);
        stage_free(stage);
    }
}

/* Loss scaling looks for its scale: some overflows in a row, now and then. */
static void overflowing_gradients_are_loss_scaling(void **state)
{
    struct stage *stage = stage_new(NULL);
    for (int step = 0; step < 200; step++) {
        stage_figure(stage, 0, "grad_norm", step,
            step % 20 == 19 ? 1.0
            : step % 2      ? NAN
                            : INFINITY);
        assert_quiet(stage, RULE_NONFINITE);
    }
    for (int step = 200; step < 220; step++) {
        assert_quiet(stage, RULE_NONFINITE);
        stage_figure(stage, 0, "grad_norm", step, INFINITY);
    }
    assert_int_equal(stage_open(stage, RULE_NONFINITE)->started_step, 219);
    stage_free(stage);
}

/* It begins far too high: 24 overflows, each halving it, are how it finds its scale. Gradients that never become finite are
 * none. */
static void loss_scaling_may_begin_far_too_high(void **state)
{
    for (int begins = 24; begins <= 2000; begins += 1976) {
        struct stage *stage = stage_new(NULL);
        for (int step = 0; step < 200; step++) {
            stage_figure(stage, 0, "grad_norm", step, step < begins ? INFINITY : 1.0);
            if (step < 99)
                assert_quiet(stage, RULE_NONFINITE);
        }
        const struct alert *alert = alert_engine_open(stage->engine, RULE_NONFINITE);
        assert_int_equal(alert ? alert->started_step : -1, begins > 200 ? 99 : -1);
        stage_free(stage);
    }
}

/* Logged each 500th step, three in a row are 1,000 steps. */
static void rare_gradients_that_are_not_finite_fire_by_steps(void **state)
{
    struct stage *stage = stage_new(NULL);
    for (int step = 0; step <= 6000; step += 500) {
        stage_figure(stage, 0, "grad_norm", step, step < 3000 ? 1.0 : NAN);
        if (step < 4000)
            assert_quiet(stage, RULE_NONFINITE);
    }
    assert_int_equal(stage_open(stage, RULE_NONFINITE)->started_step, 4000);
    stage_free(stage);
}

/* sigma1 = (t + 1)^before up to the onset, then growing by `rate` a step. */
static double sigma_at(int64_t step, double power, int64_t onset, double rate)
{
    double healthy = pow((double)step + 1, power);
    return step <= onset ? healthy : healthy * exp(rate * (double)(step - onset));
}

/* One layer alone, under a threshold that a plain power of the steps can be held against. */
static struct stage *one_layer(void)
{
    struct rule_settings settings;
    rule_settings_init(&settings);
    settings.detectors.sigma_growth.layer = 1;
    settings.patience[RULE_SIGMA_GROWTH].fire_samples = 3;
    struct stage *stage = stage_new(&settings);
    stage_layer(stage, 1, "q", "attn.q", "");
    return stage;
}

/* e(t) from its definition: t' is the newest sample at or before 0.8 t and 4 samples back, x' the
 * largest from 0.4 t to t'. NaN: there is none. */
static double elasticity_at(
    int64_t every, int64_t t, double power, int64_t onset, double rate, int64_t *back)
{
    *back = (int64_t)floor(0.8 * (double)t / (double)every) * every;
    if (*back > t - 4 * every)
        *back = t - 4 * every;
    if (*back < 1)
        return NAN;
    double largest = 0;
    for (int64_t s = *back; (double)s >= fmin(0.4 * (double)t, (double)*back); s -= every)
        largest = fmax(largest, sigma_at(s, power, onset, rate));
    return log(sigma_at(t, power, onset, rate) / largest) / log((double)t / (double)*back);
}

/* Where the rule must then fire, straight from its definition: e(t) > 1 and 0.5 above all that it was
 * from 0.4 t to t', at three samples in a row that span 10 steps, from step 400 on. -1: never. */
static int64_t expected_growth(
    int64_t every, int64_t last, double power, int64_t onset, double rate)
{
    int64_t streak = 0, since = 0;
    for (int64_t t = 400 / every * every; t <= last; t += every) {
        int64_t back, earlier;
        double growth = elasticity_at(every, t, power, onset, rate, &back), past = NAN;
        for (int64_t s = back; s > 0 && (double)s >= 0.4 * (double)t; s -= every)
            past = fmax(past, elasticity_at(every, s, power, onset, rate, &earlier));
        if (!(growth > 1 && growth > past + 0.5)) {
            streak = 0;
            continue;
        }
        if (streak++ == 0)
            since = t;
        if (streak >= 3 && t - since >= 10)
            return t;
    }
    return -1;
}

static int64_t actual_growth(
    int64_t every, int64_t last, double power, int64_t onset, double rate, double diversity)
{
    struct stage *stage = one_layer();
    for (int64_t t = 0; t <= last; t += every)
        stage_spectrum(stage, 1, t, sigma_at(t, power, onset, rate), diversity);
    const struct alert *alert = alert_engine_open(stage->engine, RULE_SIGMA_GROWTH);
    int64_t step = alert == NULL ? -1 : alert->started_step;
    stage_free(stage);
    return step;
}

static void runaway_growth_fires_where_its_definition_says(void **state)
{
    const int64_t intervals[] = {1, 5, 10, 20, 50, 100};
    for (size_t i = 0; i < 6; i++) {
        int64_t every = intervals[i], onset = 1000;
        int64_t expected = expected_growth(every, 2000, 0.5, onset, 0.003);
        int64_t actual = actual_growth(every, 2000, 0.5, onset, 0.003, 0.05);
        assert_true(expected > onset && expected < 1500);
        /* older samples are kept thinned to 2 % of the steps: t' may be that much older, here at
         * most 4 % of t - t' */
        assert_true(actual >= expected && actual <= expected + (every > 10 ? every : 10));
    }
}

/* With rare samples the comparison waits until there are enough of them: e(500) is the first, and
 * the past of 900. */
static void growth_is_compared_over_four_samples_at_least(void **state)
{
    assert_int_equal(expected_growth(100, 2000, 0.2, 800, 0.02), 1100);
    assert_int_equal(actual_growth(100, 2000, 0.2, 800, 0.02, 0.05), 1100);
}

static void growth_in_proportion_is_healthy(void **state)
{
    const int64_t intervals[] = {1, 5, 20, 100};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(actual_growth(intervals[i], 5000, 0.95, 5000, 0, 0.05), -1);
}

/* The tracker lost the direction for a while, and says so. */
static void samples_of_a_large_residual_are_left_out(void **state)
{
    const struct {
        double residual;
        bool fires;
    } cases[] = {{0.3, false}, {1e-3, true}};
    for (size_t i = 0; i < 2; i++) {
        struct stage *stage = one_layer();
        for (int64_t t = 0; t <= 1100; t += 5) {
            double wrong = t >= 1000 ? 3 : 1;
            stage_figure(stage, 1, "sa.diversity", t, 0.05);
            stage_figure(stage, 1, "spectral.sigma1", t, wrong * sigma_at(t, 0.5, 2000, 0));
            stage_figure(stage, 1, "spectral.residual", t, t >= 1000 ? cases[i].residual : 1e-3);
        }
        assert_int_equal(
            alert_engine_open(stage->engine, RULE_SIGMA_GROWTH) != NULL, cases[i].fires);
        stage_free(stage);
    }
}

/* A training that goes on at step 50000: healthy as it was, then running away. */
static void a_resumed_attempt_counts_from_its_own_beginning(void **state)
{
    struct stage *stage = one_layer();
    alert_engine_begins(stage->engine, 50000);
    for (int64_t t = 50000; t <= 51000; t += 10) {
        stage_spectrum(stage, 1, t, sigma_at(t, 0.9, 51000, 0), 0.05);
        assert_quiet(stage, RULE_SIGMA_GROWTH);
    }
    for (int64_t t = 51010; t <= 51500; t += 10)
        stage_spectrum(stage, 1, t, sigma_at(t, 0.9, 51000, 0.003), 0.05);
    int64_t started = stage_open(stage, RULE_SIGMA_GROWTH)->started_step;
    assert_true(started > 51000 && started < 51500);
    stage_free(stage);
}

/* Diversity of 0.7 until step 600, then 0.1, sampled each 10 steps, in `fallen` layers of the given
 * role; two more of it stay as they are. */
static struct stage *collapse(const char *role, const char *block, double early, int64_t fallen)
{
    struct stage *stage = stage_new(NULL);
    stage_layer(stage, 9, "g", "mlp.gate", "gated");
    for (int64_t layer = 1; layer <= fallen + 2; layer++)
        stage_layer(stage, layer, "l", role, block);
    for (int64_t t = 0; t <= 800; t += 10)
        for (int64_t layer = 1; layer <= fallen + 2; layer++)
            stage_figure(stage, layer, "sa.diversity", t, t < 600 || layer > fallen ? early : 0.1);
    return stage;
}

static void collapse_counts_only_in_several_two_sided_layers(void **state)
{
    const struct {
        const char *role, *block;
        double early;
        int64_t fallen;
        bool fires;
    } cases[] = {
        {"attn.v", "", 0.7, 2, true},
        {"mlp.in", "gated", 0.7, 2, true},
        {"attn.v", "", 0.7, 1, false},
        {"mlp.in", "plain", 0.7, 2, false},
        {"attn.q", "", 0.7, 2, false},
        {"linear", "", 0.7, 2, false},
        {"attn.v", "", 0.45, 2, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct stage *stage =
            collapse(cases[i].role, cases[i].block, cases[i].early, cases[i].fallen);
        const struct alert *alert = alert_engine_open(stage->engine, RULE_ALIGNMENT_COLLAPSE);
        assert_int_equal(alert != NULL, cases[i].fires);
        if (alert != NULL) {
            /* mean of 4 below 0.3: 0.7, 0.1, 0.1, 0.1 at 620 (0.25); twice: 630 */
            assert_int_equal(alert->started_step, 630);
            assert_int_equal(alert->layers[0], 0);
            assert_int_equal(alert->layers[1], 1);
            assert_int_equal(alert->layers[2], 2);
            assert_true(fabs(alert->evidence[0].value - 0.1) < 1e-12);
        }
        stage_free(stage);
    }
}

/* Noise without a library: a multiplicative generator, uniform in [-1, 1]. */
static double noise(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (double)(*seed >> 8) / (double)(1u << 23) - 1.0;
}

/* A loss that decays from 5 to 2 with noise, plus what `bump` adds at each step. */
static int64_t loss_alert(double (*bump)(int64_t step), int64_t every, double scale)
{
    struct stage *stage = stage_new(NULL);
    uint32_t seed = 5;
    for (int64_t t = 0; t < 3000; t += every)
        stage_figure(stage, 0, "loss", t,
            scale * (2 + 3 * exp(-(double)t / 200) + 0.15 * noise(&seed) + bump(t)));
    const struct alert *alert = alert_engine_open(stage->engine, RULE_LOSS_HIGH);
    int64_t step = alert == NULL ? -1 : alert->started_step;
    stage_free(stage);
    return step;
}

static double no_bump(int64_t step)
{
    return 0;
}

static double warm_up_bump(int64_t step)
{
    return step < 60 ? 3.0 * (double)step / 60 : 0;
}

static double one_bad_batch(int64_t step)
{
    return step % 500 == 400 ? 8 : 0;
}

static double slow_rise(int64_t step)
{
    return step < 2000 ? 0 : 0.002 * (double)(step - 2000);
}

static double jump(int64_t step)
{
    return step < 2000 ? 0 : 1.6;
}

static double rise_among_bad_batches(int64_t step)
{
    return (step < 2000 ? 0 : 2.2) + (step % 200 == 100 ? 8 : 0);
}

static double new_data(int64_t step)
{
    return step < 2000 ? 0 : 1.0 * exp(-(double)(step - 2000) / 40);
}

static double bad_burst(int64_t step)
{
    return step >= 2000 && step < 2004 ? 8 : 0;
}

static void a_loss_that_climbs_and_stays_fires(void **state)
{
    const int64_t intervals[] = {1, 5, 20};
    for (size_t i = 0; i < 3; i++) {
        int64_t step = loss_alert(slow_rise, intervals[i], 1);
        /* Seven times a mean step of 0.1 above a lowest median of 1.9 to 2: all of 40 steps (six losses
         * where they are rarer) are there at 2340 to 2490, give or take the noise of 0.15 (75 steps). */
        assert_true(step >= 2340 - 75 && step <= 2490 + 75 + 6 * intervals[i]);
        assert_int_equal(loss_alert(slow_rise, intervals[i], 1e-3), step); /* units do not matter */
    }
}

static void a_loss_that_jumps_fires_within_six_steps(void **state)
{
    assert_int_equal(loss_alert(jump, 1, 1), 2005); /* six of six */
    assert_int_equal(loss_alert(jump, 2, 1), 2004); /* three of three */
    assert_int_equal(loss_alert(jump, 10, 1), 2020);
}

static void a_dent_that_heals_is_healthy(void **state)
{
    const int64_t intervals[] = {1, 2, 5, 10};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(loss_alert(new_data, intervals[i], 1), -1);
        assert_int_equal(loss_alert(bad_burst, intervals[i], 1), -1);
    }
}

static void a_loss_that_is_merely_noisy_is_healthy(void **state)
{
    const int64_t intervals[] = {1, 5, 20, 50};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(loss_alert(no_bump, intervals[i], 1), -1);
        assert_int_equal(loss_alert(warm_up_bump, intervals[i], 1), -1);
        assert_int_equal(loss_alert(one_bad_batch, intervals[i], 1), -1);
    }
}

static void a_rise_that_lasts_fires_among_bad_batches(void **state)
{
    const int64_t intervals[] = {1, 5, 20};
    for (size_t i = 0; i < 3; i++) {
        int64_t step = loss_alert(rise_among_bad_batches, intervals[i], 1);
        assert_true(step >= 2005 && step <= 2040 + 6 * intervals[i]);
    }
}

/* What happened once is no nature: neither a single loss of 1e30, nor eight of them in the first steps. */
static void what_single_losses_reach_once_silences_nothing(void **state)
{
    for (int64_t many = 1; many <= 8; many += 7) {
        struct stage *stage = stage_new(NULL);
        uint32_t seed = 13;
        for (int64_t t = 0; t < 1800; t++) {
            bool spike = many == 1 ? t == 1000 : t >= 50 && t < 50 + many;
            double usual = 1 + 4 * exp(-(double)t / 100) + 0.05 * noise(&seed);
            stage_figure(stage, 0, "loss", t, spike ? 1e30 : t < 1700 ? usual : many == 1 ? 5 : 50);
            if (t >= 400 && t < 1700)
                assert_quiet(stage, RULE_LOSS_HIGH);
        }
        assert_int_equal(stage_open(stage, RULE_LOSS_HIGH)->started_step, 1705);
        stage_free(stage);
    }
}

/* An explosion in the first steps that stays is told of, though nothing is told of as early as that. */
static void an_early_explosion_that_stays_is_told(void **state)
{
    for (int64_t at = 120; at <= 400; at += 40) {
        struct stage *stage = stage_new(NULL);
        uint32_t seed = 19;
        for (int64_t t = 0; t < 1200; t++)
            stage_figure(stage, 0, "loss", t,
                (t < at ? 1 + 4 * exp(-(double)t / 50) : 6) + 0.1 * noise(&seed));
        int64_t latest = at * 5 / 2 + 150; /* by then it is no part of the past */
        assert_true(stage_open(stage, RULE_LOSS_HIGH)->started_step <= latest);
        stage_free(stage);
    }
}

static void a_loss_of_zero_is_healthy(void **state)
{
    struct stage *stage = stage_new(NULL);
    for (int64_t t = 0; t < 2000; t++) {
        stage_figure(stage, 0, "loss", t, 0);
        assert_quiet(stage, RULE_LOSS_HIGH);
    }
    stage_free(stage);
}

static void a_loss_that_stays_above_where_it_began_becomes_critical(void **state)
{
    struct stage *stage = stage_new(NULL);
    for (int64_t t = 0; t < 400; t++)
        stage_figure(stage, 0, "loss", t, 2 + 3 * exp(-(double)t / 50));
    for (int64_t t = 400; t < 600; t++) {
        stage_figure(stage, 0, "loss", t, 9);
        if (t >= 410)
            assert_int_equal(stage_open(stage, RULE_LOSS_HIGH)->severity, SEVERITY_CRITICAL);
    }
    stage_free(stage);
}

/* Around zero a share of the minimum means nothing: only the noise is left to compare with. */
static void a_loss_around_zero_is_healthy(void **state)
{
    struct stage *stage = stage_new(NULL);
    uint32_t seed = 11;
    for (int64_t t = 0; t < 20000; t++) {
        stage_figure(stage, 0, "loss", t, 1e-3 * noise(&seed));
        assert_quiet(stage, RULE_LOSS_HIGH);
    }
    for (int64_t t = 20000; t < 20100; t++)
        stage_figure(stage, 0, "loss", t, 1e-2);
    assert_true(stage_open(stage, RULE_LOSS_HIGH)->started_step < 20040);
    stage_free(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_nonfinite_weight_fires_at_once),
        cmocka_unit_test(a_nonfinite_loss_fires_at_once),
        cmocka_unit_test(overflowing_gradients_are_loss_scaling),
        cmocka_unit_test(loss_scaling_may_begin_far_too_high),
        cmocka_unit_test(rare_gradients_that_are_not_finite_fire_by_steps),
        cmocka_unit_test(runaway_growth_fires_where_its_definition_says),
        cmocka_unit_test(growth_is_compared_over_four_samples_at_least),
        cmocka_unit_test(growth_in_proportion_is_healthy),
        cmocka_unit_test(samples_of_a_large_residual_are_left_out),
        cmocka_unit_test(a_resumed_attempt_counts_from_its_own_beginning),
        cmocka_unit_test(collapse_counts_only_in_several_two_sided_layers),
        cmocka_unit_test(a_loss_that_climbs_and_stays_fires),
        cmocka_unit_test(a_loss_that_jumps_fires_within_six_steps),
        cmocka_unit_test(a_dent_that_heals_is_healthy),
        cmocka_unit_test(a_loss_that_is_merely_noisy_is_healthy),
        cmocka_unit_test(a_rise_that_lasts_fires_among_bad_batches),
        cmocka_unit_test(what_single_losses_reach_once_silences_nothing),
        cmocka_unit_test(an_early_explosion_that_stays_is_told),
        cmocka_unit_test(a_loss_of_zero_is_healthy),
        cmocka_unit_test(a_loss_that_stays_above_where_it_began_becomes_critical),
        cmocka_unit_test(a_loss_around_zero_is_healthy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
