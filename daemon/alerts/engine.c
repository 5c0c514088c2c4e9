/* The engine: figures to the layers' tracks, the tracks' spells to one alert a rule. */
#include "daemon/alerts/engine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/alerts/episode.h"
#include "daemon/alerts/layers.h"
#include "daemon/alerts/rule_alert.h"
#include "daemon/alerts/wording.h"

#define STEP_MAX (INT64_MAX / 2) /* so that sums of a step and a constant stay in range */

struct alert_engine {
    struct rule_settings settings;
    struct layers layers;
    int64_t begin; /* of the attempt; EPISODE_NEVER: not known yet */
    struct cross_sections *sections[DETECTION_COUNT]; /* of what each detector shared; NULL: none */
    bool lr_awaited; /* cross-sections are judged only up to the newest learning rate */
    struct rule_alert alerts[RULE_COUNT];
    struct readings readings;
};

const char *const *alert_metric_names(void)
{
    return detector_metric_names;
}

int alert_metric_id(const char *name)
{
    for (int i = 0; i < METRIC_COUNT; i++)
        if (strcmp(detector_metric_names[i], name) == 0)
            return i;
    return -1;
}

struct alert_engine *alert_engine_new(const struct rule_settings *settings)
{
    struct alert_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL)
        return NULL;
    engine->settings = *settings;
    engine->begin = EPISODE_NEVER;
    for (int rule = 0; rule < RULE_COUNT; rule++)
        rule_alert_init(&engine->alerts[rule], (enum alert_rule)rule, &engine->layers);
    struct layer *run = layers_add(&engine->layers, 0, "", "", "");
    if (run == NULL) {
        alert_engine_free(engine);
        return NULL;
    }
    layer_set_modes(run, &engine->settings);
    return engine;
}

void alert_engine_free(struct alert_engine *engine)
{
    if (engine == NULL)
        return;
    layers_free(&engine->layers);
    for (size_t i = 0; i < DETECTION_COUNT; i++)
        cross_sections_free(engine->sections[i]);
    free(engine);
}

int alert_engine_layer(
    struct alert_engine *engine, int64_t id, const char *name, const char *role, const char *block)
{
    if (layers_find(&engine->layers, id) != NULL)
        return 0;
    struct layer *layer = layers_add(&engine->layers, id, name, role, block);
    if (layer == NULL)
        return -1;
    layer_set_modes(layer, &engine->settings);
    return 0;
}

const char *alert_engine_layer_name(const struct alert_engine *engine, int64_t id)
{
    const struct layer *layer = layers_find(&engine->layers, id);
    return layer == NULL ? NULL : layer->name;
}

void alert_engine_begins(struct alert_engine *engine, int64_t step)
{
    if (step < engine->begin)
        engine->begin = step;
}

static double cooldown_of(const struct alert_engine *engine, enum alert_rule rule)
{
    return engine->settings.patience[rule].cooldown;
}

static void update_alert(struct alert_engine *engine, enum alert_rule rule)
{
    rule_alert_update(&engine->alerts[rule], cooldown_of(engine, rule));
}

static void take_judgement(
    struct alert_engine *engine, struct layer *layer, size_t watch, struct judgement *judgement)
{
    enum alert_rule rule = layer_watch_rule(watch);
    readings_put(&engine->readings, judgement);
    for (size_t i = 0; i < judgement->evidence_count; i++)
        if (judgement->evidence[i].layer == 0)
            judgement->evidence[i].layer = layer->id;
    struct track *track = &layer->watches[watch]->track;
    int64_t from = track->judged_step;
    bool changed = track_judge(track, &engine->settings.patience[rule], judgement);
    bool is_due = rule_alert_is_due(&engine->alerts[rule], from, judgement->step);
    if (changed || is_due)
        update_alert(engine, rule);
}

bool alert_engine_assessment(struct alert_engine *engine, struct assessment *assessment)
{
    return readings_take_assessment(&engine->readings, assessment);
}

/* What all layers shared of the steps that are ready, to the detectors of the run. */
static void judge_cross_sections(struct alert_engine *engine, size_t sharer)
{
    struct layer *run = layers_find(&engine->layers, 0);
    struct cross_section section;
    int64_t lr_step = run->newest[METRIC_LR];
    while (engine->sections[sharer] != NULL &&
           cross_sections_next(
               engine->sections[sharer], engine->lr_awaited ? lr_step : INT64_MAX, &section)) {
        engine->lr_awaited &= lr_step >= section.step;
        section.loss_level = readings_at(&engine->readings, READING_LOSS_LEVEL, section.step - 1);
        for (size_t i = 0; i < DETECTION_COUNT; i++) {
            const struct detector *detector = detection_table[i].detector;
            struct watch *watch;
            if (detector->shared_by != detection_table[sharer].detector ||
                run->mode[detection_table[i].rule] == RULE_OFF ||
                (watch = layer_watch(run, i)) == NULL)
                continue;
            struct judgement judgement = {.step = section.step, .time = section.time};
            detector->judge_cross_section(
                watch->state, &engine->settings.detectors, &section, engine->begin, &judgement);
            take_judgement(engine, run, i, &judgement);
            readings_assess(&engine->readings, &judgement);
        }
    }
}

static bool is_shared(size_t sharer)
{
    for (size_t i = 0; i < DETECTION_COUNT; i++)
        if (detection_table[i].detector->shared_by == detection_table[sharer].detector)
            return true;
    return false;
}

/* A layer that is only observed where others are notified is no part of what the run does. */
static bool has_part(struct alert_engine *engine, const struct layer *layer, size_t sharer)
{
    enum alert_rule rule = detection_table[sharer].rule;
    return layer->mode[rule] >= layers_find(&engine->layers, 0)->mode[rule];
}

/* If memory is short the step is judged without this layer. */
static void share_judgement(struct alert_engine *engine, const struct layer *layer, size_t sharer,
    const struct judgement *judgement)
{
    if (!has_part(engine, layer, sharer))
        return;
    if (engine->sections[sharer] == NULL)
        engine->sections[sharer] = cross_sections_new();
    struct cross_sections *sections = engine->sections[sharer];
    if (sections == NULL || cross_sections_arrive(sections, layer->id, judgement->step) != 0)
        return;
    if (judgement->share.given)
        cross_sections_put(sections, layer->id, judgement->step,
            &(struct cross_sections_value){
                judgement->time, judgement->share.value, judgement->share.window});
    judge_cross_sections(engine, sharer);
}

static bool detection_applies(
    const struct detection *detection, const struct layer *layer, int metric)
{
    const struct detector *detector = detection->detector;
    const struct detector_subject watched = {layer->id == 0 ? NULL : layer->role, layer->gated};
    return detector->metrics >> metric & 1 && layer->mode[detection->rule] != RULE_OFF &&
           (detector->watches == NULL || detector->watches(&watched));
}

static void judge_sample(
    struct alert_engine *engine, struct layer *layer, const struct detector_sample *sample)
{
    for (size_t i = 0; i < DETECTION_COUNT; i++) {
        struct judgement judgement = {0};
        struct watch *watch;
        if (!detection_applies(&detection_table[i], layer, (int)sample->metric) ||
            (watch = layer_watch(layer, i)) == NULL ||
            !detection_table[i].detector->judge(
                watch->state, &engine->settings.detectors, sample, &judgement))
            continue;
        take_judgement(engine, layer, i, &judgement);
        if (is_shared(i))
            share_judgement(engine, layer, i, &judgement);
    }
}

void alert_engine_feed(
    struct alert_engine *engine, int64_t id, int metric, int64_t step, double time, double value)
{
    struct layer *layer = layers_find(&engine->layers, id);
    if (layer == NULL || metric < 0 || metric >= METRIC_COUNT || step <= layer->newest[metric] ||
        step > STEP_MAX)
        return;
    layer->newest[metric] = step;
    alert_engine_begins(engine, step);
    judge_sample(engine, layer,
        &(struct detector_sample){(enum detector_metric)metric, step, engine->begin, time, value});
    if (metric != METRIC_LR || id != 0)
        return;
    engine->lr_awaited = true;
    for (size_t i = 0; i < DETECTION_COUNT; i++)
        judge_cross_sections(engine, i);
}

void alert_engine_figure(struct alert_engine *engine, int64_t layer, const char *metric,
    int64_t step, double time, double value)
{
    alert_engine_feed(engine, layer, alert_metric_id(metric), step, time, value);
}

void alert_engine_condition(struct alert_engine *engine, enum alert_rule rule, int64_t id, bool on,
    int64_t step, double time, const char *text)
{
    struct layer *layer = layers_find(&engine->layers, id);
    if (rule < CONDITION_FIRST || layer == NULL || layer->mode[rule] == RULE_OFF)
        return;
    struct watch *watch = layer_watch(layer, DETECTION_COUNT + (size_t)rule - CONDITION_FIRST);
    if (watch == NULL)
        return;
    step = step < 0 ? 0 : step > STEP_MAX ? STEP_MAX : step;
    struct judgement found = {.verdict = VERDICT_BAD, .step = step, .time = time};
    if (on)
        wording_print(engine->alerts[rule].text, ALERT_TEXT_MAX, "%s", text);
    if (on ? track_begin(&watch->track, 0, &found) : track_end(&watch->track, step, time))
        update_alert(engine, rule);
}

/* It is no longer part of the cross-sections. */
static void leave_sections(struct alert_engine *engine, const struct layer *layer)
{
    for (size_t i = 0; i < DETECTION_COUNT; i++)
        if (engine->sections[i] != NULL && layer->mode[detection_table[i].rule] == RULE_OFF)
            cross_sections_forget(engine->sections[i], layer->id);
}

void alert_engine_retune(
    struct alert_engine *engine, const struct rule_settings *settings, double time)
{
    engine->settings = *settings;
    for (size_t i = 0; i < engine->layers.count; i++) {
        struct layer *layer = engine->layers.sorted[i];
        layer_set_modes(layer, settings);
        leave_sections(engine, layer);
        for (size_t j = 0; j < WATCH_COUNT; j++) {
            struct watch *watch = layer->watches[j];
            if (watch == NULL || layer->mode[layer_watch_rule(j)] != RULE_OFF)
                continue;
            const struct spell *open = track_open(&watch->track);
            if (open != NULL)
                track_end(&watch->track, open->bad_step, time);
        }
    }
    for (int rule = 0; rule < RULE_COUNT; rule++)
        update_alert(engine, (enum alert_rule)rule);
}

const struct alert *alert_engine_open(struct alert_engine *engine, enum alert_rule rule)
{
    return rule_alert_open(&engine->alerts[rule], cooldown_of(engine, rule));
}

void alert_engine_report(struct alert_engine *engine, alert_changed_fn changed, void *ctx)
{
    for (int rule = 0; rule < RULE_COUNT; rule++)
        rule_alert_report(
            &engine->alerts[rule], cooldown_of(engine, (enum alert_rule)rule), changed, ctx);
}

void alert_engine_discard(struct alert_engine *engine)
{
    engine->readings.assessment_count = 0;
    for (int rule = 0; rule < RULE_COUNT; rule++)
        rule_alert_discard(&engine->alerts[rule], cooldown_of(engine, (enum alert_rule)rule));
}

bool alert_engine_bind(struct alert_engine *engine, enum alert_rule rule, int64_t id)
{
    return rule_alert_bind(&engine->alerts[rule], id);
}
