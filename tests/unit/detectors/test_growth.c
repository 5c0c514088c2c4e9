/* sigma_growth on series made for it: all layers together, two, one by itself, with figures that are
 * missing; what must fire, when, and what must not. */
#include "tests/unit/alerts/stage.h"

#include "daemon/detectors/cross_section.h"

/* sigma1 like t^0.2 until step 1000, then also by `rate` a step, in `grown` of the layers;
 * the loss rises by `loss` at 1200. */
static int64_t growth_alert(
    int64_t every, double rate, int64_t grown, double loss, struct alert *alert)
{
    struct stage *stage = stage_of_layers();
    for (int64_t t = 0; t <= 2000; t += every) {
        stage_figure(stage, 0, "loss", t, 2 + 3 * exp(-(double)t / 100) + (t < 1200 ? 0 : loss));
        for (int64_t layer = 1; layer <= STAGE_LAYERS; layer++) {
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

static void layers_that_all_grow_fire(void **state)
{
    const int64_t intervals[] = {1, 5, 10, 20, 50};
    struct alert alert;
    for (size_t i = 0; i < 5; i++) {
        int64_t step = growth_alert(intervals[i], 0.006, STAGE_LAYERS, 0, &alert);
        /* like t^1.2: 0.2 + 0.006 n / ln(1 / 0.8) = 1.2, n = 37 */
        assert_true(step >= 1037 && step <= 1037 + 20 + 3 * intervals[i]);
        assert_int_equal(alert.layers[0], 0);
        assert_int_equal(alert.layer_count, 1 + 3);
        assert_string_equal(alert.evidence[0].metric, "sigma_growth.median");
        assert_string_equal(alert.title, "Spectral norms grow out of proportion");
    }
}

static void the_half_of_the_layers_must_grow(void **state)
{
    assert_true(growth_alert(5, 0.003, 3, 0, NULL) > 1000);
    assert_int_equal(growth_alert(5, 0.003, 2, 0, NULL), -1);
    assert_int_equal(growth_alert(5, 0, STAGE_LAYERS, 0, NULL), -1);
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

/* One layer of five: like t^8, 0.2 + 0.008 n / ln(1 / 0.8) = 8, n = 218. */
static void one_layer_that_is_unconfirmed_must_grow_much_faster(void **state)
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
 * elasticity of 1.2 at step 1.2 ln(1 / 0.8) / (0.2 * 0.0012) = 1116. A power is none at any height. */
static void slow_growth_that_is_exponential_fires(void **state)
{
    const int64_t intervals[] = {1, 5, 10, 20, 50};
    for (size_t i = 0; i < 10; i++) {
        bool power = i >= 5;
        int64_t every = intervals[i % 5], step = -1;
        struct stage *stage = stage_of_layers();
        for (int64_t t = 0; t <= 3000 && step < 0; t += every) {
            for (int64_t layer = 1; layer <= STAGE_LAYERS; layer++)
                stage_spectrum(stage, layer, t,
                    power ? pow((double)t + 1, 1.8) : exp(0.0012 * (double)t), 0.8);
            const struct alert *open = alert_engine_open(stage->engine, RULE_SIGMA_GROWTH);
            step = open == NULL ? -1 : open->started_step;
        }
        if (power)
            assert_int_equal(step, -1);
        else
            assert_true(step >= 1116 - 20 && step <= 1116 + 20 + 3 * every);
        stage_free(stage);
    }
}

static void growth_that_goes_on_becomes_critical(void **state)
{
    struct alert alert;
    assert_true(growth_alert(5, 0.0009, STAGE_LAYERS, 0.5, &alert) > 1000);
    assert_int_equal(alert.severity, SEVERITY_WARNING);
    assert_true(growth_alert(5, 0.008, STAGE_LAYERS, 0, &alert) > 1000);
    assert_int_equal(alert.severity, SEVERITY_WARNING); /* the loss does not suffer */
    assert_true(growth_alert(5, 0.008, STAGE_LAYERS, 0.5, &alert) > 1000);
    assert_int_equal(alert.severity, SEVERITY_CRITICAL);
}

/* Norms that go on as the learning rate does: the clock explains them. */
static void a_warm_restart_is_healthy(void **state)
{
    struct stage *stage = stage_of_layers();
    double trained = 0;
    for (int64_t t = 0; t <= 2500; t++) {
        trained += restarts_at_1000(t) / 1e-3;
        stage_figure(stage, 0, "lr", t, restarts_at_1000(t));
        for (int64_t layer = 1; t % 5 == 0 && layer <= STAGE_LAYERS; layer++)
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
        struct stage *stage = stage_of_layers();
        uint32_t seed = 9;
        for (int64_t t = 0; t <= 6000; t += 10) {
            double share = t < 1000 ? 1 : fmax(tails[i], 1 - (double)(t - 1000) / 1000);
            stage_figure(stage, 0, "lr", t, 1e-3 * share);
            for (int64_t layer = 1; layer <= STAGE_LAYERS; layer++) {
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

/* All run away, one of them fastest: it is about all of them. */
static void what_all_layers_do_is_told_first(void **state)
{
    struct stage *stage = stage_of_layers();
    for (int64_t t = 0; t <= 1200; t += 5)
        for (int64_t layer = 1; layer <= STAGE_LAYERS; layer++) {
            double faulty = t > 1000 ? (layer == 2 ? 0.012 : 0.006) * (double)(t - 1000) : 0;
            stage_spectrum(stage, layer, t, pow((double)t + 1, 0.2) * exp(faulty), 0.1);
        }
    const struct alert *alert = stage_open(stage, RULE_SIGMA_GROWTH);
    assert_int_equal(alert->layers[0], 0);
    assert_string_equal(alert->evidence[0].metric, "sigma_growth.median");
    assert_non_null(strstr(alert->summary, "of half of all layers"));
    stage_free(stage);
}

/* Steady growth below the threshold, after a bump that was told of. */
static void it_is_well_again_when_growth_is_as_before(void **state)
{
    struct stage *stage = stage_of_layers();
    size_t resolved = 0;
    for (int64_t t = 0; t <= 9000; t += 10) {
        double bump = 0.003 * fmin(fmax((double)t - 2000, 0), 300);
        for (int64_t layer = 1; layer <= STAGE_LAYERS; layer++)
            stage_spectrum(stage, layer, t, pow((double)t + 1, 0.6) * exp(bump), 0.8);
        for (size_t told = stage_report(stage); told > 0; told--)
            resolved += stage->changes[told - 1] == ALERT_CHANGE_RESOLVED;
    }
    assert_int_equal(resolved, 1);
    assert_quiet(stage, RULE_SIGMA_GROWTH);
    stage_free(stage);
}

/* sigma1 like t^0.2 until step 1000, then also by 0.006 a step. */
static double faulty(int64_t t)
{
    return pow((double)t + 1, 0.2) * exp(t > 1000 ? 0.006 * (double)(t - 1000) : 0);
}

/* A model that is sampled block by block in turn, `every` steps a block; of each second layer the weights
 * alone. All layers grow from step 1000 on, or the second one. */
struct turns {
    int64_t blocks, layers, every;
    bool lone;
};

static struct stage *stage_of_turns(const struct turns *turns)
{
    struct stage *stage = stage_new(NULL);
    for (int64_t layer = 1; layer <= turns->blocks * turns->layers; layer++)
        stage_layer(stage, layer, "l", "linear", "");
    alert_engine_begins(stage->engine, 0);
    return stage;
}

static void sample_in_turn(struct stage *stage, const struct turns *turns, int64_t t, double scale)
{
    int64_t first = 1 + t / turns->every % turns->blocks * turns->layers;
    for (int64_t layer = first; layer < first + turns->layers; layer++) {
        bool grows = !turns->lone || layer == 2;
        if (layer % 2 == 1)
            stage_figure(stage, layer, "sa.diversity", t, 0.8);
        stage_figure(stage, layer, "spectral.residual", t, 1e-4);
        stage_figure(stage, layer, "spectral.sigma1", t,
            grows ? scale * faulty(t) : pow((double)t + 1, 0.2));
    }
}

/* The step at which it is told; -1: never. */
static int64_t told_in_turn(const struct turns *turns, size_t *assessments)
{
    struct stage *stage = stage_of_turns(turns);
    struct assessment assessment;
    int64_t told = -1;
    for (int64_t t = 0; t <= 3000 && told < 0; t += turns->every) {
        sample_in_turn(stage, turns, t, 1);
        *assessments += alert_engine_assessment(stage->engine, &assessment);
        const struct alert *alert = alert_engine_open(stage->engine, RULE_SIGMA_GROWTH);
        if (alert == NULL)
            continue;
        told = t;
        assert_string_equal(
            alert->evidence[0].metric, turns->lone ? "sigma_growth.layer" : "sigma_growth.median");
    }
    stage_free(stage);
    return told;
}

/* Half a turn until half of the layers have a value that grew, and one turn that is waited for. */
static void blocks_that_are_sampled_in_turn_are_a_quorum(void **state)
{
    const struct turns turns[] = {{1, 24, 10, false}, {2, 6, 10, false}, {3, 1, 10, false},
        {4, 6, 10, false}, {16, 7, 5, false}};
    for (size_t i = 0; i < 5; i++) {
        size_t assessments = 0;
        int64_t told = told_in_turn(&turns[i], &assessments),
                turn = turns[i].blocks * turns[i].every;
        assert_true(told >= 1037 && told <= 1037 + 20 + 3 * turn / 2 + 10);
        assert_true(assessments > 60);
    }
}

/* Like t^8 unconfirmed: 1.2 t at t = 1290 in 290 steps, or in fewer of its own samples. */
static void one_layer_is_found_in_its_turn(void **state)
{
    const struct turns turns[] = {
        {1, 24, 10, true}, {2, 6, 10, true}, {4, 6, 10, true}, {16, 7, 10, true}, {8, 3, 50, true}};
    for (size_t i = 0; i < 5; i++) {
        size_t assessments = 0;
        int64_t told = told_in_turn(&turns[i], &assessments),
                turn = turns[i].blocks * turns[i].every;
        assert_true(
            told > 1200 && told <= 1500 + 3 * turn + CROSS_SECTION_LAG_STEPS * (turn > 300));
    }
}

/* One sample of it that is as low as ever, at 2080: four in a row make it well, of its own. */
static void others_do_not_make_a_layer_well(void **state)
{
    const struct turns turns[] = {{1, 10, 10, true}, {8, 10, 10, true}};
    for (size_t i = 0; i < 2; i++) {
        struct stage *stage = stage_of_turns(&turns[i]);
        for (int64_t t = 0; t <= 2500; t += turns[i].every) {
            sample_in_turn(stage, &turns[i], t, t == 2080 ? 1e-3 : 1);
            if (t >= 1900)
                stage_open(stage, RULE_SIGMA_GROWTH);
        }
        stage_free(stage);
    }
}

enum missing { NOTHING, SAMPLE, USE };

/* Of three layers one is turned off on the way: the others are a network of two. */
static void a_layer_that_is_turned_off_is_in_no_quorum(void **state)
{
    struct rule_settings settings;
    rule_settings_init(&settings);
    struct stage *stage = stage_new(&settings);
    const struct alert *alert = NULL;
    for (int64_t layer = 1; layer <= 3; layer++)
        stage_layer(stage, layer, layer == 3 ? "off" : "on", "linear", "");
    for (int64_t t = 0; t <= 1400 && alert == NULL; t += 5) {
        if (t == 900) {
            struct error error;

            assert_int_equal(
                rule_override_add(&settings, RULE_SIGMA_GROWTH, "off", RULE_OFF, &error), 0);
            alert_engine_retune(stage->engine, &settings, 1000);
        }
        for (int64_t layer = 1; layer <= 3; layer++)
            stage_spectrum(stage, layer, t, faulty(t), 0.8);
        alert = alert_engine_open(stage->engine, RULE_SIGMA_GROWTH);
    }
    assert_non_null(alert); /* like t^1.2: n = 37 */
    assert_true(alert->started_step >= 1030 && alert->started_step <= 1040 + 35);
    assert_non_null(strstr(alert->summary, "of half of all layers grow"));
    stage_free(stage);
}

/* A warm-up of 1000 steps, and growth out of proportion from step 1200 on.
 * Learning rates are told of up to `ahead` steps before the layers come to them. */
static int64_t warm_up_alert(int64_t ahead)
{
    struct stage *stage = stage_of_layers();
    const struct alert *alert = NULL;
    for (int64_t t = 0; t <= 2000 && alert == NULL; t += 5) {
        for (int64_t lr = t == 0 ? 0 : t + ahead - 4; lr <= t + ahead; lr++)
            stage_figure(stage, 0, "lr", lr, 1e-6 * fmin((double)lr + 1, 1000));
        for (int64_t layer = 1; layer <= STAGE_LAYERS; layer++)
            stage_spectrum(stage, layer, t,
                pow((double)t + 1, 0.4) * exp(0.004 * fmax((double)t - 1200, 0)), 0.8);
        alert = alert_engine_open(stage->engine, RULE_SIGMA_GROWTH);
    }
    int64_t step = alert == NULL ? -1 : alert->started_step;
    stage_free(stage);
    return step;
}

static void it_does_not_matter_how_far_the_learning_rate_is_ahead(void **state)
{
    int64_t step = warm_up_alert(0);
    assert_true(step >= 1250 && step <= 1350);
    assert_int_equal(warm_up_alert(5), step);
    assert_int_equal(warm_up_alert(50), step);
    assert_int_equal(warm_up_alert(200), step);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_that_all_grow_fire),
        cmocka_unit_test(the_half_of_the_layers_must_grow),
        cmocka_unit_test(two_of_three_layers_are_no_pair),
        cmocka_unit_test(one_layer_that_is_unconfirmed_must_grow_much_faster),
        cmocka_unit_test(slow_growth_that_is_exponential_fires),
        cmocka_unit_test(growth_that_goes_on_becomes_critical),
        cmocka_unit_test(what_all_layers_do_is_told_first),
        cmocka_unit_test(a_warm_restart_is_healthy),
        cmocka_unit_test(a_tail_without_learning_rate_is_healthy),
        cmocka_unit_test(it_is_well_again_when_growth_is_as_before),
        cmocka_unit_test(blocks_that_are_sampled_in_turn_are_a_quorum),
        cmocka_unit_test(one_layer_is_found_in_its_turn),
        cmocka_unit_test(others_do_not_make_a_layer_well),
        cmocka_unit_test(a_layer_that_is_turned_off_is_in_no_quorum),
        cmocka_unit_test(it_does_not_matter_how_far_the_learning_rate_is_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
