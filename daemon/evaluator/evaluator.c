/* Figures through detectors into the store; see evaluator.h. */
#include "daemon/evaluator/evaluator.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uthash.h>
#include <utlist.h>

#include "daemon/alerts/engine.h"
#include "daemon/core/log.h"
#include "daemon/evaluator/alert_row.h"

struct layer_id {
    int64_t id;
    struct layer_id *next;
};

struct resolved {
    struct alert alert;
    struct resolved *next;
};

struct watched {
    int64_t run;
    uint32_t attempt;
    char *key; /* what people call the run */
    struct alert_engine *engine;
    struct layer_id *layers;   /* that the engine knows */
    bool untold;               /* the store had no room for what its alerts say by now */
    struct resolved *resolved; /* that the engine has told of and the store has not taken */
    double ended_at;           /* of the attempt; 0: it goes on */
    struct watched *next;      /* among those that have ended */
    UT_hash_handle hh;
};

struct evaluator {
    struct store *store;
    struct rule_settings settings;
    struct announced *announced;
    struct watched *runs;
    struct watched *ended; /* whose alerts the store has not yet as resolved */
    int64_t next_alert;
};

/* What a drain writes into. */
struct drain {
    struct evaluator *evaluator;
    struct watched *watched;
    struct store_batch *batch;
};

static double now_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

struct evaluator *evaluator_new(
    struct store *store, const struct rule_settings *settings, struct announced *announced)
{
    struct evaluator *evaluator = calloc(1, sizeof *evaluator);

    if (!evaluator)
        return NULL;
    evaluator->store = store;
    evaluator->settings = *settings;
    evaluator->announced = announced;
    evaluator->next_alert = store_last_alert_id(store) + 1;
    return evaluator;
}

static struct watched *watched_of(struct evaluator *evaluator, int64_t run)
{
    struct watched *watched;

    HASH_FIND(hh, evaluator->runs, &run, sizeof run, watched);
    return watched;
}

static const char *layer_name(const struct watched *watched, int64_t id)
{
    return alert_row_layer(watched->engine, id);
}

static void put_alert(
    struct store_batch *batch, const struct watched *watched, const struct alert *alert)
{
    alert_row_put(batch, watched->engine, watched->run, watched->attempt, alert);
}

static void log_alert(
    const struct watched *watched, enum alert_change change, const struct alert *alert)
{
    static const char *const texts[] = {
        [ALERT_OPENED] = "alert fires",
        [ALERT_UPDATED] = "alert changed",
        [ALERT_RESOLVED] = "alert resolved",
    };
    enum log_level level = change == ALERT_RESOLVED || alert->observed ? LOG_LEVEL_INFO
                           : alert->severity == SEVERITY_CRITICAL      ? LOG_LEVEL_ERROR
                                                                       : LOG_LEVEL_WARNING;

    log_write(level, LOG_FIELDS(texts[change], LOG_STR("run", watched->key),
                         LOG_STR("rule", rule_table[alert->rule].name),
                         LOG_STR("severity", alert_severity_name(alert->severity)),
                         LOG_INT("step", alert->started_step), LOG_STR("summary", alert->summary)));
}

static void keep_resolved(struct watched *watched, const struct alert *alert)
{
    struct resolved *kept = malloc(sizeof *kept);

    if (!kept)
        return;
    kept->alert = *alert;
    LL_APPEND(watched->resolved, kept);
}

static void forget_resolved(struct watched *watched)
{
    struct resolved *kept, *next;

    LL_FOREACH_SAFE (watched->resolved, kept, next)
        free(kept);
    watched->resolved = NULL;
}

/* The engine tells of an end once, and of an open alert again after a retell. */
static void on_change(void *ctx, enum alert_change change, const struct alert *told)
{
    struct drain *drain = ctx;
    struct alert alert = *told;
    bool again = change == ALERT_OPENED && told->id != 0;

    if (alert.id == 0) {
        alert.id = drain->evaluator->next_alert++;
        alert_engine_bind(drain->watched->engine, alert.rule, alert.id);
    }
    if (!again)
        log_alert(drain->watched, change, &alert);
    put_alert(drain->batch, drain->watched, &alert);
    if (change == ALERT_RESOLVED)
        keep_resolved(drain->watched, &alert);
}

/* First what an earlier batch told in vain: those who are told hear that it fired, too. */
static void drain(struct evaluator *evaluator, struct watched *watched, struct store_batch *batch)
{
    struct drain drain = {evaluator, watched, batch};
    struct resolved *kept;

    LL_FOREACH (watched->resolved, kept) {
        struct alert opened = kept->alert;

        opened.state = ALERT_FIRING;
        opened.resolved_at = 0;
        put_alert(batch, watched, &opened);
        put_alert(batch, watched, &kept->alert);
    }
    alert_engine_drain(watched->engine, on_change, &drain);
}

/* False: the store has no room, and what is in the batch is lost. */
static bool hand_over(struct evaluator *evaluator, struct store_batch *batch)
{
    static struct log_limit limit = LOG_LIMIT(1);

    if (store_submit(evaluator->store, batch) == 0)
        return true;
    log_limited(&limit, LOG_LEVEL_ERROR,
        "the store is behind and its queue is full: figures are lost, alerts are told later");
    return false;
}

/* What was told of alerts in vain is told again, with the next figures or by evaluator_settle. */
static void submit(struct evaluator *evaluator, struct watched *watched, struct store_batch *batch)
{
    if (store_batch_is_empty(batch)) {
        store_batch_free(batch);
        watched->untold = false;
        return;
    }
    watched->untold = !hand_over(evaluator, batch);
    if (watched->untold)
        alert_engine_retell(watched->engine);
    else
        forget_resolved(watched);
}

static void tell_changes(struct evaluator *evaluator, struct watched *watched)
{
    struct store_batch *batch = store_batch_new();

    drain(evaluator, watched, batch);
    submit(evaluator, watched, batch);
}

static void put_figure(struct store_batch *batch, const struct watched *watched,
    const struct alert_standing *standing, const char *metric, double value)
{
    struct figure figure = {
        .run = watched->run,
        .attempt = watched->attempt,
        .step = standing->step,
        .time = standing->time,
        .value = value,
    };

    snprintf(figure.metric, sizeof figure.metric, "%s", metric);
    store_put_figure(batch, &figure);
}

/* What the detectors make of the figures of all layers is a series of the run like any other. */
static void put_standings(struct store_batch *batch, struct watched *watched)
{
    struct alert_standing standing;

    while (alert_engine_standing(watched->engine, &standing)) {
        put_figure(batch, watched, &standing, "run.growth", standing.readings[READING_GROWTH]);
        put_figure(batch, watched, &standing, "run.risk", standing.risk);
    }
}

static bool on_publish(
    void *ctx, int64_t run, struct store_batch *batch, const struct figure *figures, size_t count)
{
    struct evaluator *evaluator = ctx;
    struct watched *watched = watched_of(evaluator, run);

    if (!watched)
        return hand_over(evaluator, batch);
    for (size_t i = 0; i < count; i++) {
        const struct figure *f = &figures[i];

        /* What another rank still sends of an attempt that has ended is stored, and judged no more. */
        if (f->attempt == watched->attempt)
            alert_engine_figure(watched->engine, f->layer, f->metric, f->step, f->time, f->value);
    }
    put_standings(batch, watched);
    drain(evaluator, watched, batch);
    submit(evaluator, watched, batch);
    return !watched->untold;
}

static void watched_free(struct watched *watched)
{
    struct layer_id *layer, *next;

    if (!watched)
        return;
    alert_engine_free(watched->engine);
    forget_resolved(watched);
    free(watched->key);
    LL_FOREACH_SAFE (watched->layers, layer, next)
        free(layer);
    free(watched);
}

/* The attempt or the run is over, and with it what was wrong in it. */
static void resolve_all(struct evaluator *evaluator, struct watched *watched)
{
    struct store_batch *batch = store_batch_new();

    drain(evaluator, watched, batch);
    for (int rule = 0; rule < RULE_COUNT; rule++) {
        const struct alert *open = alert_engine_open(watched->engine, (enum alert_rule)rule);
        struct alert alert;

        if (!open)
            continue;
        alert = *open;
        alert.state = ALERT_RESOLVED_STATE;
        alert.resolved_at = watched->ended_at;
        strncat(alert.summary, " It was still firing when the attempt ended.",
            sizeof alert.summary - strlen(alert.summary) - 1);
        put_alert(batch, watched, &alert);
    }
    submit(evaluator, watched, batch);
}

static void on_ended(void *ctx, int64_t run)
{
    struct evaluator *evaluator = ctx;
    struct watched *watched = watched_of(evaluator, run);

    if (!watched)
        return;
    HASH_DEL(evaluator->runs, watched);
    watched->ended_at = now_seconds();
    resolve_all(evaluator, watched);
    if (watched->untold)
        LL_APPEND(evaluator->ended, watched);
    else
        watched_free(watched);
}

void evaluator_settle(struct evaluator *evaluator)
{
    struct watched *watched, *next;

    if (!store_has_room(evaluator->store))
        return;
    for (watched = evaluator->runs; watched; watched = watched->hh.next)
        if (watched->untold)
            tell_changes(evaluator, watched);
    LL_FOREACH_SAFE (evaluator->ended, watched, next) {
        resolve_all(evaluator, watched);
        if (watched->untold)
            return;
        LL_DELETE(evaluator->ended, watched);
        watched_free(watched);
    }
}

static void on_forget(void *ctx, int64_t run)
{
    struct evaluator *evaluator = ctx;
    struct watched *watched = watched_of(evaluator, run), *next;

    if (watched)
        HASH_DEL(evaluator->runs, watched);
    watched_free(watched);
    LL_FOREACH_SAFE (evaluator->ended, watched, next) {
        if (watched->run != run)
            continue;
        LL_DELETE(evaluator->ended, watched);
        watched_free(watched);
    }
}

static void on_attempt(void *ctx, int64_t run, const char *key, uint32_t attempt)
{
    struct evaluator *evaluator = ctx;
    struct watched *watched;

    on_ended(evaluator, run);
    watched = calloc(1, sizeof *watched);
    if (!watched || !(watched->key = strdup(key)) ||
        !(watched->engine = alert_engine_new(&evaluator->settings))) {
        log_error("no detectors for a run: memory is short", LOG_STR("run", key));
        watched_free(watched);
        return;
    }
    watched->run = run;
    watched->attempt = attempt;
    HASH_ADD(hh, evaluator->runs, run, sizeof watched->run, watched);
}

static void on_begins(void *ctx, int64_t run, int64_t step)
{
    struct watched *watched = watched_of(ctx, run);

    if (watched)
        alert_engine_begins(watched->engine, step);
}

static void on_layer(
    void *ctx, int64_t run, int64_t id, const char *name, const char *role, const char *block)
{
    struct watched *watched = watched_of(ctx, run);
    struct layer_id *layer = watched ? calloc(1, sizeof *layer) : NULL;

    if (!layer || alert_engine_layer(watched->engine, id, name, role, block) != 0) {
        log_error("a layer is not watched: memory is short", LOG_STR("layer", name));
        free(layer);
        return;
    }
    layer->id = id;
    LL_PREPEND(watched->layers, layer);
}

static void condition(struct evaluator *evaluator, int64_t run, enum alert_rule rule, int64_t layer,
    bool on, int64_t step, const char *text)
{
    struct watched *watched = watched_of(evaluator, run);

    if (!watched)
        return;
    alert_engine_condition(
        watched->engine, rule, layer, on, step < 0 ? 0 : step, now_seconds(), text);
    tell_changes(evaluator, watched);
}

static void on_lost(void *ctx, int64_t run, bool on, int64_t step, const char *text)
{
    condition(ctx, run, RULE_RUN_LOST, 0, on, step, text);
}

static void on_damaged(
    void *ctx, int64_t run, int64_t layer, bool on, int64_t step, const char *text)
{
    condition(ctx, run, RULE_BASELINE_DAMAGED, layer, on, step, text);
}

static size_t wire_layers(
    const struct watched *watched, const struct alert *alert, struct wire_str *layers)
{
    size_t count = 0;

    for (size_t i = 0; i < alert->layer_count && count < WIRE_ALERT_LAYERS_MAX; i++)
        if (alert->layers[i])
            layers[count++] = wire_str(layer_name(watched, alert->layers[i]));
    return count;
}

static void on_firing(
    void *ctx, int64_t run, void (*each)(void *, const struct wire_alert *), void *each_ctx)
{
    const struct evaluator *evaluator = ctx;
    struct watched *watched = watched_of(ctx, run);
    struct wire_str layers[WIRE_ALERT_LAYERS_MAX];

    for (int rule = 0; watched && rule < RULE_COUNT; rule++) {
        const struct alert *alert = alert_engine_open(watched->engine, (enum alert_rule)rule);

        if (!alert || !announced_has(evaluator->announced, alert->id))
            continue;
        each(each_ctx, &(struct wire_alert){
                           .id = (uint64_t)alert->id,
                           .rule = wire_str(rule_table[rule].name),
                           .severity = wire_str(alert_severity_name(alert->severity)),
                           .state = wire_str(alert_state_name(alert->state)),
                           .title = wire_str(alert->title),
                           .summary = wire_str(alert->summary),
                           .layers = layers,
                           .layers_count = wire_layers(watched, alert, layers),
                           .step = (uint64_t)alert->started_step,
                       });
    }
}

struct runs_out evaluator_runs_out(struct evaluator *evaluator)
{
    return (struct runs_out){
        .publish = on_publish,
        .attempt = on_attempt,
        .begins = on_begins,
        .layer = on_layer,
        .lost = on_lost,
        .damaged = on_damaged,
        .ended = on_ended,
        .forget = on_forget,
        .firing = on_firing,
        .ctx = evaluator,
    };
}

static void replay_figure(void *ctx, const struct figure *f)
{
    struct watched *watched = ctx;

    alert_engine_figure(watched->engine, f->layer, f->metric, f->step, f->time, f->value);
}

static void restore_condition(
    struct watched *watched, enum alert_rule rule, const struct store_alert *row)
{
    const char *text = rule == RULE_RUN_LOST ? "It went silent before the daemon's last start."
                                             : "it was found so before the daemon's last start";
    json_t *layers = json_loads(row->layers, 0, NULL), *name;
    size_t i;

    if (json_array_size(layers) == 0)
        alert_engine_condition(
            watched->engine, rule, 0, true, row->started_step, row->started_at, text);
    json_array_foreach (layers, i, name) {
        const char *wanted = json_string_value(name);

        for (struct layer_id *layer = watched->layers; wanted && layer; layer = layer->next)
            if (strcmp(layer_name(watched, layer->id), wanted) == 0)
                alert_engine_condition(watched->engine, rule, layer->id, true, row->started_step,
                    row->started_at, text);
    }
    json_decref(layers);
}

/* An alert that the store holds open: the engine has it too, or its figures are gone and nothing holds it up. */
static void on_open_alert(void *ctx, const struct store_alert *row)
{
    struct evaluator *evaluator = ctx;
    struct watched *watched = watched_of(evaluator, row->run);
    int rule = rule_find(row->rule);
    struct store_alert resolved = *row;
    struct store_batch *batch;

    if (watched && (rule == RULE_RUN_LOST || rule == RULE_BASELINE_DAMAGED))
        restore_condition(watched, (enum alert_rule)rule, row);
    if (watched && rule >= 0 && row->attempt == watched->attempt &&
        alert_engine_bind(watched->engine, (enum alert_rule)rule, row->id)) {
        announced_put(evaluator->announced, row->id, !row->observed && !row->silenced);
        return;
    }
    resolved.state = "resolved";
    resolved.resolved_at = now_seconds();
    batch = store_batch_new();
    store_put_alert(batch, &resolved);
    hand_over(evaluator, batch); /* or it is open still at the next start */
}

int evaluator_restore(struct evaluator *evaluator, char *err)
{
    const struct store_catalog open_alerts = {.alert = on_open_alert, .ctx = evaluator};

    for (struct watched *watched = evaluator->runs; watched; watched = watched->hh.next)
        if (store_replay(evaluator->store, watched->run, watched->attempt, alert_metric_names(),
                replay_figure, watched, err))
            return -1;
    if (store_catalog(evaluator->store, &open_alerts, err) != 0)
        return -1;
    for (struct watched *watched = evaluator->runs; watched; watched = watched->hh.next)
        alert_engine_discard(watched->engine);
    return 0;
}

void evaluator_retune(struct evaluator *evaluator, const struct rule_settings *settings)
{
    evaluator->settings = *settings;
    for (struct watched *watched = evaluator->runs; watched; watched = watched->hh.next) {
        alert_engine_retune(watched->engine, settings, now_seconds());
        tell_changes(evaluator, watched);
    }
}

void evaluator_free(struct evaluator *evaluator)
{
    if (!evaluator)
        return;
    while (evaluator->runs)
        on_forget(evaluator, evaluator->runs->run);
    while (evaluator->ended)
        on_forget(evaluator, evaluator->ended->run);
    free(evaluator);
}
