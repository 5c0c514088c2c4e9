/* An alert that fires follows what it tells of: each rule on a series that goes on getting worse. */
#include "tests/unit/alerts/stage.h"

#include "daemon/alerts/track.h"

#define UPDATES_MAX 64

/* A series from step 0 to `to`, a sample each `every` steps. The first evidence is reported at `opened` or nearer to good, and
 * at the end as `reached` or worse (both of its value, or of its window if `window`). */
struct course {
    enum alert_rule rule;
    const char *metric;
    void (*feed)(struct stage *stage, int64_t t);
    int64_t every, to;
    double opened, reached;
    bool window;
};

static double decay(int64_t t)
{
    return 2 + 3 * exp(-(double)t / 100);
}

static double after(int64_t t, int64_t begin)
{
    return t > begin ? (double)(t - begin) : 0;
}

static void feed_lr(struct stage *stage, int64_t t)
{
    stage_figure(stage, 0, "lr", t, 1e-3 * exp(0.01 * after(t, 1000)));
}

static void feed_nonfinite_weights(struct stage *stage, int64_t t)
{
    stage_figure(stage, 1, "weights.nonfinite", t, t < 100 ? 0 : pow((double)(t - 99), 2));
}

static void feed_growth(struct stage *stage, int64_t t)
{
    for (int64_t layer = 1; layer <= STAGE_LAYERS; layer++)
        stage_spectrum(stage, layer, t, pow((double)t + 1, 0.2) * exp(0.006 * after(t, 1000)), 0.8);
}

static void feed_lone_growth(struct stage *stage, int64_t t)
{
    for (int64_t layer = 1; layer <= STAGE_LAYERS; layer++)
        stage_spectrum(stage, layer, t,
            pow((double)t + 1, 0.2) * exp(layer == 1 ? 0.008 * after(t, 1000) : 0), 0.8);
}

static void feed_gradient(struct stage *stage, int64_t t)
{
    stage_figure(stage, 0, "loss", t, decay(t) + 0.005 * after(t, 1000));
    stage_figure(stage, 0, "grad_norm", t, exp(0.01 * after(t, 1000)));
}

static void feed_diversity(struct stage *stage, int64_t t)
{
    for (int64_t layer = 1; layer <= 2; layer++)
        stage_figure(stage, layer, "sa.diversity", t, fmax(0, 0.7 - 0.004 * after(t, 600)));
}

static void feed_stillness(struct stage *stage, int64_t t)
{
    for (int64_t layer = 1; layer <= STAGE_LAYERS; layer++)
        stage_figure(stage, layer, "rotation.from_init", t, 1e-4 * (double)(t < 700 ? t : 700));
}

static void feed_climb(struct stage *stage, int64_t t)
{
    stage_figure(stage, 0, "loss", t, decay(t) + 0.004 * after(t, 2000));
}

static void feed_explosion(struct stage *stage, int64_t t)
{
    stage_figure(stage, 0, "loss", t, decay(t) * exp(0.05 * fmin(100, after(t, 2000))));
}

static const struct course courses[] = {
    {RULE_LR_RUNAWAY, "lr", feed_lr, 1, 1400, 2.2e-3, 1e-3 * 54.5 / TRACK_WORSE, false},
    {RULE_NONFINITE, "weights.nonfinite", feed_nonfinite_weights, 1, 1100, 1, 8e5, false},
    {RULE_SIGMA_GROWTH, "sigma_growth.median", feed_growth, 5, 2000, 2, 8, false},
    {RULE_SIGMA_GROWTH, "sigma_growth.layer", feed_lone_growth, 5, 2200, 9, 12, false},
    {RULE_GRADIENT, "grad_norm", feed_gradient, 1, 1300, 6, 12, false},
    {RULE_ALIGNMENT_COLLAPSE, "sa.diversity", feed_diversity, 10, 800, 0.25, -0.03, false},
    {RULE_ROTATION_STILL, "rotation.change", feed_stillness, 10, 9000, 1100, 6000, true},
    {RULE_LOSS_HIGH, "loss", feed_climb, 1, 6000, 5, 13, false},
    {RULE_LOSS_HIGH, "loss", feed_explosion, 1, 2400, 12, 200, false},
};

static struct stage *stage_of_course(void)
{
    struct stage *stage = stage_new(NULL);
    stage_layer(stage, 9, "gate", "mlp.gate", "block");
    stage_layer(stage, 1, "l1", "attn.v", "");
    for (int64_t layer = 2; layer <= STAGE_LAYERS; layer++) {
        char name[16];
        snprintf(name, sizeof name, "l%" PRId64, layer);
        stage_layer(stage, layer, name, "attn.v", "");
    }
    alert_engine_begins(stage->engine, 0);
    return stage;
}

static double told_of(const struct course *course, const struct alert *alert)
{
    assert_true(alert->evidence_count > 0);
    assert_string_equal(alert->evidence[0].metric, course->metric);
    return course->window ? alert->evidence[0].window : alert->evidence[0].value;
}

static void assert_same_alert(const struct alert *alert, const struct alert *first)
{
    assert_int_equal(alert->state, ALERT_FIRING);
    assert_int_equal(alert->started_step, first->started_step);
    assert_true(alert->started_at == first->started_at);
}

static void run_course(const struct course *course)
{
    struct stage *stage = stage_of_course();
    struct alert first = {0}, last = {0};
    size_t updates = 0;
    for (int64_t t = 0; t <= course->to; t += course->every) {
        course->feed(stage, t);
        stage_report(stage);
        for (size_t i = 0; i < stage->reported; i++) {
            if (stage->alerts[i].rule != course->rule)
                continue;
            assert_int_equal(
                stage->changes[i], first.started_step ? ALERT_CHANGE_UPDATED : ALERT_CHANGE_OPENED);
            last = stage->alerts[i];
            if (!first.started_step)
                first = last;
            assert_same_alert(&last, &first);
            updates += stage->changes[i] == ALERT_CHANGE_UPDATED;
        }
    }
    double opened = told_of(course, &first), reached = told_of(course, &last);
    double far = course->reached < 0 ? -reached : fabs(reached);
    if (opened > course->opened || far < course->reached || updates < 1 || updates > UPDATES_MAX)
        fail_msg(
            "%s: opened at %g, reached %g, %zu updates", course->metric, opened, reached, updates);
    assert_true(last.evidence[0].step > first.evidence[0].step);
    stage_free(stage);
}

static void each_rule_follows_what_it_tells_of(void **state)
{
    for (size_t i = 0; i < sizeof courses / sizeof courses[0]; i++)
        run_course(&courses[i]);
}

/* What comes back, or wavers, is no news: the worst stands. */
static void a_wavering_figure_is_told_once(void **state)
{
    struct stage *stage = stage_of_course();
    size_t reported = 0;
    for (int64_t t = 0; t <= 3000; t++) {
        stage_figure(stage, 0, "lr", t, t < 1000 ? 1e-3 : t % 2 ? 12e-3 : 14e-3);
        reported += stage_report(stage);
    }
    assert_int_equal(reported, 1);
    stage_free(stage);
}

/* Many layers that get worse together are reported of by their worst, not one by one. */
static void layers_do_not_flood(void **state)
{
    struct stage *stage = stage_of_course();
    size_t reported = 0;
    for (int64_t t = 0; t <= 1000; t++) {
        for (int64_t layer = 1; layer <= STAGE_LAYERS; layer++)
            stage_figure(
                stage, layer, "weights.nonfinite", t, t < 100 ? 0 : pow(1.02, (double)(t - 100)));
        reported += stage_report(stage);
    }
    assert_true(reported > 10 && reported < 10 + UPDATES_MAX * 2);
    assert_true(
        stage_open(stage, RULE_NONFINITE)->evidence[0].value > pow(1.02, 900) / TRACK_WORSE);
    stage_free(stage);
}

/* An engine that is rebuilt from its figures tells nothing twice, and goes on from there. */
static void a_rebuilt_engine_goes_on(void **state)
{
    struct stage *stage = stage_of_course();
    for (int64_t t = 0; t <= 1200; t++)
        feed_lr(stage, t);
    assert_true(alert_engine_bind(stage->engine, RULE_LR_RUNAWAY, 7));
    alert_engine_discard(stage->engine);
    assert_int_equal(stage_report(stage), 0);
    for (int64_t t = 1201; t <= 1230; t++)
        feed_lr(stage, t);
    assert_int_equal(stage_report(stage), 1);
    assert_int_equal(stage->changes[0], ALERT_CHANGE_UPDATED);
    assert_int_equal(stage->alerts[0].id, 7);
    stage_free(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_follows_what_it_tells_of),
        cmocka_unit_test(a_wavering_figure_is_told_once),
        cmocka_unit_test(layers_do_not_flood),
        cmocka_unit_test(a_rebuilt_engine_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
