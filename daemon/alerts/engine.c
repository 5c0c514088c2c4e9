/* The engine: figures to the layers' tracks, the tracks' spells to one alert a rule. */
#include "daemon/alerts/engine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/alerts/episode.h"
#include "daemon/alerts/layers.h"
#include "daemon/alerts/wording.h"
#include "daemon/detectors/risk.h"

#define READINGS_KEPT 256
#define STEP_MAX      (INT64_MAX / 2) /* so that sums of a step and a constant stay in range */

/* The alerts of one rule: the one that is open, and the last that ended. */
struct slot {
    bool is_open, open_told; /* told: drain has told of its opening */
    bool moved;              /* spells began or ended since the last drain */
    bool is_ended, ended_told;
    struct alert open, ended;
    double score;       /* of the first evidence of the open alert */
    size_t told_layers; /* the open alert as it was last told */
    bool told_observed;
    enum alert_severity told_severity;
    double told_score;
    int64_t settle_step; /* once all layers are judged up to here the open alert is resolved;
                            EPISODE_NEVER: not in sight */
    size_t behind;       /* watches that were not, when last counted, less those that came since */
    int64_t counted;     /* the newest step of a judgement then */
    char text[ALERT_TEXT_MAX];
};

/* What the run's detectors read lately: scalars may be ahead of the layers. */
struct trail {
    size_t taken;
    struct {
        int64_t step;
        double value;
    } entries[READINGS_KEPT];
};

struct alert_engine {
    struct rule_settings settings;
    struct layers layers;
    int64_t begin;                             /* of the attempt; EPISODE_NEVER: not known yet */
    struct together *together[DETECTOR_COUNT]; /* what each detector shared; NULL: nothing yet */
    bool lr_awaited; /* steps are put together only up to the newest learning rate */
    struct slot slots[RULE_COUNT];
    struct trail readings[READING_COUNT];
    struct alert_standing standings[ENGINE_STANDINGS_MAX]; /* the oldest first */
    size_t standing_count;
    struct alert *telling; /* while drain calls back */
};

const char *const *alert_metric_names(void)
{
    return alert_metric_table;
}

int alert_metric_id(const char *name)
{
    for (int i = 0; i < METRIC_COUNT; i++)
        if (strcmp(alert_metric_table[i], name) == 0)
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
    for (size_t i = 0; i < RULE_COUNT; i++)
        engine->slots[i].settle_step = EPISODE_NEVER;
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
    for (size_t i = 0; i < DETECTOR_COUNT; i++)
        together_free(engine->together[i]);
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

static bool find(const struct alert_engine *engine, enum alert_rule rule, struct episode *episode)
{
    return episode_find(&engine->layers, rule, engine->settings.patience[rule].cooldown, episode);
}

/* True once all layers are judged up to where the open alert of a rule can be resolved. */
static bool is_due(struct alert_engine *engine, enum alert_rule rule)
{
    struct slot *slot = &engine->slots[rule];
    if (slot->settle_step == EPISODE_NEVER)
        return false;
    slot->behind = episode_behind(&engine->layers, rule, slot->settle_step, ENGINE_LAG_MAX);
    return slot->behind == 0;
}

/* False if a watch that moved on cannot have made the open alert due: counting all of them for each
 * judgement would take the square of the layers. Once a step they are counted anyway, for those
 * that fell silent. */
static bool may_be_due(struct slot *slot, int64_t from, int64_t to)
{
    if (slot->settle_step == EPISODE_NEVER)
        return false;
    if (from < 0)
        slot->behind += to < slot->settle_step;
    else if (from < slot->settle_step && to >= slot->settle_step && slot->behind > 0)
        slot->behind--;
    bool counts = to > slot->counted;
    if (counts)
        slot->counted = to;
    return counts || slot->behind == 0;
}

static bool is_listed(const struct alert *alert, int64_t layer)
{
    for (size_t i = 0; i < alert->layer_count; i++)
        if (alert->layers[i] == layer)
            return true;
    return false;
}

/* Evidence of the worst spell of a layer; the layers that it names are the alert's too. */
static void add_evidence(struct alert *alert, const struct spell *worst)
{
    for (size_t i = 0; i < worst->evidence_count; i++) {
        const struct alert_evidence *evidence = &worst->evidence[i];
        if (alert->evidence_count < ALERT_EVIDENCE_MAX)
            alert->evidence[alert->evidence_count++] = *evidence;
        if (alert->layer_count < ALERT_LAYERS_MAX && !is_listed(alert, evidence->layer))
            alert->layers[alert->layer_count++] = evidence->layer;
    }
}

/* The layer that an entry is about: what was found in the run may be about one. */
static const struct layer *subject(
    const struct alert_engine *engine, const struct layer *layer, const struct spell *worst)
{
    for (size_t i = 1; i < worst->evidence_count; i++)
        if (worst->evidence[i].layer != worst->evidence[0].layer)
            return layer;
    if (layer->id != 0 || worst->evidence_count == 0)
        return layer;
    const struct layer *named = layers_find(&engine->layers, worst->evidence[0].layer);
    return named == NULL ? layer : named;
}

/* Writes into the open alert of a rule what its episode says by now. */
static void refresh(struct alert_engine *engine, const struct episode *episode)
{
    struct slot *slot = &engine->slots[episode->rule];
    struct alert *alert = &slot->open;
    struct ranking ranking;
    episode_rank(&engine->layers, episode, &ranking);
    alert->last_step = ranking.bad_step;
    alert->last_at = ranking.bad_time;
    alert->observed = ranking.observed;
    alert->layer_total = ranking.total;
    alert->layer_count = ranking.count;
    alert->evidence_count = 0;
    for (size_t i = 0; i < ranking.count; i++)
        alert->layers[i] = subject(engine, ranking.entries[i].layer, ranking.entries[i].worst)->id;
    for (size_t i = 0; i < ranking.count; i++)
        add_evidence(alert, ranking.entries[i].worst);
    if (alert->layer_total < alert->layer_count)
        alert->layer_total = alert->layer_count;
    if (ranking.critical)
        alert->severity = SEVERITY_CRITICAL;
    const struct spell *worst = ranking.entries[0].worst;
    const struct layer *first = subject(engine, ranking.entries[0].layer, worst);
    slot->score = worst->told_score;
    alert_describe(alert, first->id == 0 ? NULL : first->name, worst, slot->text);
}

static void slot_open(struct slot *slot, const struct episode *episode)
{
    if (!slot->is_open) {
        slot->is_open = true;
        slot->open_told = false;
        memset(&slot->open, 0, sizeof slot->open);
        slot->open.rule = episode->rule;
        slot->open.severity = rule_table[episode->rule].severity;
        slot->open.state = ALERT_FIRING;
        slot->open.started_step = EPISODE_NEVER;
        slot->open.resolved_step = -1;
    }
    if (episode->start < slot->open.started_step ||
        (episode->start == slot->open.started_step &&
            episode->start_time < slot->open.started_at)) {
        slot->open.started_step = episode->start;
        slot->open.started_at = episode->start_time;
    }
}

static void slot_resolve(struct alert_engine *engine, const struct episode *episode)
{
    struct slot *slot = &engine->slots[episode->rule];
    refresh(engine, episode);
    episode_close(&engine->layers, episode);
    slot->ended = slot->open;
    slot->ended.state = ALERT_RESOLVED;
    slot->ended.resolved_step = episode->end;
    slot->ended.resolved_at = episode->end_time;
    slot->ended_told = slot->open_told;
    slot->is_ended = true;
    slot->is_open = false;
}

/* Brings the alerts of a rule up to its spells. */
static void settle(struct alert_engine *engine, enum alert_rule rule)
{
    struct slot *slot = &engine->slots[rule];
    struct episode episode;
    slot->moved = true;
    slot->settle_step = EPISODE_NEVER;
    while (find(engine, rule, &episode)) {
        slot_open(slot, &episode);
        if (episode.end == SPELL_OPEN)
            return;
        slot->settle_step = episode.end + (int64_t)episode.cooldown;
        if (!is_due(engine, rule))
            return;
        slot_resolve(engine, &episode);
        slot->settle_step = EPISODE_NEVER;
    }
}

static void trail_put(struct trail *trail, int64_t step, double value)
{
    size_t at = trail->taken++ % READINGS_KEPT;
    trail->entries[at].step = step;
    trail->entries[at].value = value;
}

/* What was read at a step or last before it; where all that is kept is newer, the oldest. */
static double trail_at(const struct trail *trail, int64_t step)
{
    double value = 0;
    for (size_t back = 1; back <= trail->taken && back <= READINGS_KEPT; back++) {
        size_t at = (trail->taken - back) % READINGS_KEPT;
        value = trail->entries[at].value;
        if (trail->entries[at].step <= step)
            break;
    }
    return value;
}

static void judged(
    struct alert_engine *engine, struct layer *layer, size_t watch, struct judgement *judgement)
{
    enum alert_rule rule = watch_rule(watch);
    for (size_t i = 0; i < READING_COUNT; i++)
        if (judgement->read >> i & 1)
            trail_put(&engine->readings[i], judgement->step, judgement->readings[i]);
    for (size_t i = 0; i < judgement->evidence_count; i++)
        if (judgement->evidence[i].layer == 0)
            judgement->evidence[i].layer = layer->id;
    struct track *track = &layer->watches[watch]->track;
    int64_t from = track->judged_step;
    bool changed = track_judge(track, &engine->settings.patience[rule], judgement);
    bool may = may_be_due(&engine->slots[rule], from, judgement->step);
    if (changed || (may && is_due(engine, rule)))
        settle(engine, rule);
}

static void note_standing(struct alert_engine *engine, const struct judgement *judgement)
{
    if (!(judgement->read >> READING_GROWTH & 1))
        return;
    if (engine->standing_count == ENGINE_STANDINGS_MAX)
        memmove(engine->standings, engine->standings + 1,
            --engine->standing_count * sizeof engine->standings[0]);
    struct alert_standing *standing = &engine->standings[engine->standing_count++];
    *standing = (struct alert_standing){.step = judgement->step, .time = judgement->time};
    /* Of the run's own figures those of this step may be there already, or not: the ones before. */
    for (size_t i = 0; i < READING_COUNT; i++)
        standing->readings[i] = judgement->read >> i & 1
                                    ? judgement->readings[i]
                                    : trail_at(&engine->readings[i], judgement->step - 1);
    standing->risk = risk_of(&risk_model, standing->readings);
}

bool alert_engine_standing(struct alert_engine *engine, struct alert_standing *standing)
{
    if (engine->standing_count == 0)
        return false;
    *standing = engine->standings[0];
    memmove(engine->standings, engine->standings + 1,
        --engine->standing_count * sizeof engine->standings[0]);
    return true;
}

/* What all layers shared of the steps that are ready, to the detectors of the run. */
static void judge_panels(struct alert_engine *engine, size_t sharer)
{
    struct layer *run = layers_find(&engine->layers, 0);
    struct panel panel;
    int64_t lr_step = run->newest[METRIC_LR];
    while (
        engine->together[sharer] != NULL &&
        together_next(engine->together[sharer], engine->lr_awaited ? lr_step : INT64_MAX, &panel)) {
        engine->lr_awaited &= lr_step >= panel.step;
        panel.loss_level = trail_at(&engine->readings[READING_LOSS_LEVEL], panel.step - 1);
        for (size_t i = 0; i < DETECTOR_COUNT; i++) {
            const struct detector *detector = detector_table[i];
            struct watch *watch;
            if (detector->shared_by != detector_table[sharer] ||
                run->mode[detector->rule] == RULE_OFF || (watch = layer_watch(run, i)) == NULL)
                continue;
            struct judgement judgement = {.step = panel.step, .time = panel.time};
            detector->judge_panel(
                watch->state, &engine->settings, &panel, engine->begin, &judgement);
            judged(engine, run, i, &judgement);
            note_standing(engine, &judgement);
        }
    }
}

static bool is_shared(size_t sharer)
{
    for (size_t i = 0; i < DETECTOR_COUNT; i++)
        if (detector_table[i]->shared_by == detector_table[sharer])
            return true;
    return false;
}

/* False for a layer that is only observed where others are told of. */
static bool is_told(struct alert_engine *engine, const struct layer *layer, size_t sharer)
{
    enum alert_rule rule = detector_table[sharer]->rule;
    return layer->mode[rule] >= layers_find(&engine->layers, 0)->mode[rule];
}

/* If memory is short the step is judged without this layer. */
static void share(struct alert_engine *engine, const struct layer *layer, size_t sharer,
    const struct judgement *judgement)
{
    if (engine->together[sharer] == NULL)
        engine->together[sharer] = together_new();
    struct together *together = engine->together[sharer];
    if (together == NULL || together_come(together, layer->id, judgement->step) != 0)
        return;
    if (judgement->share.given)
        together_put(together, layer->id, judgement->step,
            &(struct together_value){judgement->time, judgement->share.value,
                judgement->share.window,
                is_told(engine, layer, sharer) ? judgement->share.limit : 0,
                judgement->share.witness});
    judge_panels(engine, sharer);
}

static bool applies(const struct detector *detector, const struct layer *layer, int metric)
{
    const struct watched watched = {layer->id == 0 ? NULL : layer->role, layer->gated};
    return detector->metrics >> metric & 1 && layer->mode[detector->rule] != RULE_OFF &&
           (detector->watches == NULL || detector->watches(&watched));
}

static void judge(struct alert_engine *engine, struct layer *layer, const struct sample *sample)
{
    for (size_t i = 0; i < DETECTOR_COUNT; i++) {
        struct judgement judgement = {0};
        struct watch *watch;
        if (!applies(detector_table[i], layer, (int)sample->metric) ||
            (watch = layer_watch(layer, i)) == NULL ||
            !detector_table[i]->judge(watch->state, &engine->settings, sample, &judgement))
            continue;
        judged(engine, layer, i, &judgement);
        if (is_shared(i))
            share(engine, layer, i, &judgement);
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
    judge(engine, layer,
        &(struct sample){(enum alert_metric)metric, step, engine->begin, time, value});
    if (metric != METRIC_LR || id != 0)
        return;
    engine->lr_awaited = true;
    for (size_t i = 0; i < DETECTOR_COUNT; i++)
        judge_panels(engine, i);
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
    struct watch *watch = layer_watch(layer, DETECTOR_COUNT + (size_t)rule - CONDITION_FIRST);
    if (watch == NULL)
        return;
    step = step < 0 ? 0 : step > STEP_MAX ? STEP_MAX : step;
    struct judgement found = {.verdict = VERDICT_BAD, .step = step, .time = time};
    if (on)
        text_print(engine->slots[rule].text, ALERT_TEXT_MAX, "%s", text);
    if (on ? track_begin(&watch->track, 0, &found) : track_end(&watch->track, step, time))
        settle(engine, rule);
}

/* It gives nothing more to what is put together of all layers. */
static void leave_together(struct alert_engine *engine, const struct layer *layer)
{
    for (size_t i = 0; i < DETECTOR_COUNT; i++)
        if (engine->together[i] != NULL && layer->mode[detector_table[i]->rule] == RULE_OFF)
            together_forget(engine->together[i], layer->id);
}

void alert_engine_retune(
    struct alert_engine *engine, const struct rule_settings *settings, double time)
{
    engine->settings = *settings;
    for (size_t i = 0; i < engine->layers.count; i++) {
        struct layer *layer = engine->layers.sorted[i];
        layer_set_modes(layer, settings);
        leave_together(engine, layer);
        for (size_t j = 0; j < WATCH_COUNT; j++) {
            struct watch *watch = layer->watches[j];
            if (watch == NULL || layer->mode[watch_rule(j)] != RULE_OFF)
                continue;
            const struct spell *open = track_open(&watch->track);
            if (open != NULL)
                track_end(&watch->track, open->bad_step, time);
        }
    }
    for (int rule = 0; rule < RULE_COUNT; rule++)
        settle(engine, (enum alert_rule)rule);
}

const struct alert *alert_engine_open(struct alert_engine *engine, enum alert_rule rule)
{
    struct episode episode;
    if (!engine->slots[rule].is_open || !find(engine, rule, &episode))
        return NULL;
    refresh(engine, &episode);
    return &engine->slots[rule].open;
}

typedef void (*changed_fn)(void *ctx, enum alert_change change, const struct alert *alert);

static void tell(struct alert_engine *engine, struct alert *alert, enum alert_change change,
    changed_fn changed, void *ctx)
{
    engine->telling = alert;
    changed(ctx, change, alert);
    engine->telling = NULL;
}

static void note_told(struct slot *slot)
{
    slot->open_told = true;
    slot->told_layers = slot->open.layer_total;
    slot->told_observed = slot->open.observed;
    slot->told_severity = slot->open.severity;
    slot->told_score = slot->score;
}

static void drain_open(
    struct alert_engine *engine, enum alert_rule rule, changed_fn changed, void *ctx)
{
    struct slot *slot = &engine->slots[rule];
    if (!slot->moved || alert_engine_open(engine, rule) == NULL)
        return;
    slot->moved = false;
    bool differs =
        slot->open.layer_total != slot->told_layers || slot->open.observed != slot->told_observed ||
        slot->open.severity != slot->told_severity || track_is_worse(slot->score, slot->told_score);
    if (slot->open_told && !differs)
        return;
    enum alert_change change = slot->open_told ? ALERT_CHANGE_UPDATED : ALERT_CHANGE_OPENED;
    note_told(slot);
    tell(engine, &slot->open, change, changed, ctx);
}

void alert_engine_drain(struct alert_engine *engine, changed_fn changed, void *ctx)
{
    for (int rule = 0; rule < RULE_COUNT; rule++) {
        struct slot *slot = &engine->slots[rule];
        if (slot->is_ended) {
            slot->is_ended = false;
            if (!slot->ended_told)
                tell(engine, &slot->ended, ALERT_CHANGE_OPENED, changed, ctx);
            tell(engine, &slot->ended, ALERT_CHANGE_RESOLVED, changed, ctx);
        }
        drain_open(engine, (enum alert_rule)rule, changed, ctx);
    }
}

void alert_engine_discard(struct alert_engine *engine)
{
    engine->standing_count = 0;
    for (int rule = 0; rule < RULE_COUNT; rule++) {
        struct slot *slot = &engine->slots[rule];
        const struct alert *open = alert_engine_open(engine, (enum alert_rule)rule);
        slot->is_ended = false;
        if (open != NULL && open->id != 0)
            note_told(slot);
    }
}

void alert_engine_retell(struct alert_engine *engine)
{
    for (int rule = 0; rule < RULE_COUNT; rule++) {
        engine->slots[rule].open_told = false;
        engine->slots[rule].moved = true;
    }
}

bool alert_engine_bind(struct alert_engine *engine, enum alert_rule rule, int64_t id)
{
    struct slot *slot = &engine->slots[rule];
    struct alert *alert = slot->is_open ? &slot->open : NULL;
    if (engine->telling != NULL && engine->telling->rule == rule)
        alert = engine->telling;
    if (alert == NULL)
        return false;
    alert->id = id;
    return true;
}
