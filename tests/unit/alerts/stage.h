/* What the tests of the alerts share: an engine, and a record of what it reported. */
#ifndef FORESHOCK_TESTS_UNIT_ALERTS_STAGE_H
#define FORESHOCK_TESTS_UNIT_ALERTS_STAGE_H

/* cmocka wants these four before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/alerts/engine.h"

#define REPORTED_MAX 256

struct stage {
    struct alert_engine *engine;
    size_t reported;
    enum alert_change changes[REPORTED_MAX];
    struct alert alerts[REPORTED_MAX];
};

static inline void stage_note(void *ctx, enum alert_change change, const struct alert *alert)
{
    struct stage *stage = ctx;
    assert_true(stage->reported < REPORTED_MAX);
    stage->changes[stage->reported] = change;
    stage->alerts[stage->reported++] = *alert;
}

static inline struct stage *stage_new(const struct rule_settings *settings)
{
    struct rule_settings initial;
    rule_settings_init(&initial);
    struct stage *stage = calloc(1, sizeof *stage);
    assert_non_null(stage);
    stage->engine = alert_engine_new(settings != NULL ? settings : &initial);
    assert_non_null(stage->engine);
    return stage;
}

static inline void stage_free(struct stage *stage)
{
    alert_engine_free(stage->engine);
    free(stage);
}

/* Forgets what was reported, then drains. */
static inline size_t stage_report(struct stage *stage)
{
    stage->reported = 0;
    alert_engine_report(stage->engine, stage_note, stage);
    return stage->reported;
}

static inline void stage_layer(
    struct stage *stage, int64_t id, const char *name, const char *role, const char *block)
{
    assert_int_equal(alert_engine_layer(stage->engine, id, name, role, block), 0);
}

static inline void stage_figure(
    struct stage *stage, int64_t layer, const char *metric, int64_t step, double value)
{
    alert_engine_figure(stage->engine, layer, metric, step, 1000.0 + (double)step, value);
}

/* The figures of one spectral sample. */
static inline void stage_spectrum(
    struct stage *stage, int64_t layer, int64_t step, double sigma1, double diversity)
{
    stage_figure(stage, layer, "spectral.sigma1", step, sigma1);
    stage_figure(stage, layer, "spectral.residual", step, 1e-4);
    stage_figure(stage, layer, "sa.diversity", step, diversity);
}

/* The open alert of a rule, which must be there. */
static inline const struct alert *stage_open(struct stage *stage, enum alert_rule rule)
{
    const struct alert *alert = alert_engine_open(stage->engine, rule);
    assert_non_null(alert);
    return alert;
}

static inline void assert_quiet(struct stage *stage, enum alert_rule rule)
{
    assert_null(alert_engine_open(stage->engine, rule));
}

#define STAGE_LAYERS 5

/* A run of so many plain layers that has begun. */
static inline struct stage *stage_of_layers(void)
{
    struct stage *stage = stage_new(NULL);
    for (int64_t layer = 1; layer <= STAGE_LAYERS; layer++) {
        char name[16];
        snprintf(name, sizeof name, "l%" PRId64, layer);
        stage_layer(stage, layer, name, "linear", "");
    }
    alert_engine_begins(stage->engine, 0);
    return stage;
}

/* A learning rate that decays at 400 and comes up again. */
static inline double restarts_at_1000(int64_t t)
{
    return t < 400 || t > 1000 ? 1e-3 : 1e-5;
}

#endif
