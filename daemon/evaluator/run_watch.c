/* A run's engine and the layers that it knows; see run_watch.h. */
#include "daemon/evaluator/run_watch.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "daemon/evaluator/record.h"

struct watched_layer {
    int64_t id;
    struct watched_layer *next;
};

struct run_watch *run_watch_new(
    int64_t run, const char *key, uint32_t attempt, const struct rule_settings *settings)
{
    struct run_watch *watch = calloc(1, sizeof *watch);

    if (!watch || !(watch->key = strdup(key)) || !(watch->engine = alert_engine_new(settings))) {
        run_watch_free(watch);
        return NULL;
    }
    watch->run = run;
    watch->attempt = attempt;
    return watch;
}

void run_watch_free(struct run_watch *watch)
{
    struct watched_layer *layer, *next;

    if (!watch)
        return;
    alert_engine_free(watch->engine);
    free(watch->key);
    LL_FOREACH_SAFE (watch->layers, layer, next)
        free(layer);
    free(watch);
}

int run_watch_add_layer(
    struct run_watch *watch, int64_t id, const char *name, const char *role, const char *block)
{
    struct watched_layer *layer = calloc(1, sizeof *layer);

    if (!layer || alert_engine_layer(watch->engine, id, name, role, block) != 0) {
        free(layer);
        return -1;
    }
    layer->id = id;
    LL_PREPEND(watch->layers, layer);
    return 0;
}

void run_watch_record(
    const struct run_watch *watch, const struct alert *alert, struct alert_record *record)
{
    record_make(record, watch->engine, alert);
    record->run = watch->run;
    record->attempt = watch->attempt;
    snprintf(record->run_key, sizeof record->run_key, "%s", watch->key);
}

static void put_figure(struct store_batch *batch, const struct run_watch *watch,
    const struct assessment *assessment, const char *metric, double value)
{
    struct figure figure = {
        .run = watch->run,
        .attempt = watch->attempt,
        .step = assessment->step,
        .time = assessment->time,
        .value = value,
    };

    snprintf(figure.metric, sizeof figure.metric, "%s", metric);
    store_put_figure(batch, &figure);
}

void run_watch_put_assessments(struct run_watch *watch, struct store_batch *batch)
{
    struct assessment assessment;

    while (alert_engine_assessment(watch->engine, &assessment)) {
        put_figure(batch, watch, &assessment, "run.growth", assessment.readings[READING_GROWTH]);
        put_figure(batch, watch, &assessment, "run.risk", assessment.risk);
    }
}

void run_watch_restore_condition(
    struct run_watch *watch, enum alert_rule rule, const struct store_alert *row)
{
    const char *text = rule == RULE_RUN_LOST ? "It went silent before the daemon's last start."
                                             : "it was found so before the daemon's last start";
    json_t *layers = json_loads(row->layers, 0, NULL), *name;
    size_t i;

    if (json_array_size(layers) == 0)
        alert_engine_condition(
            watch->engine, rule, 0, true, row->started_step, row->started_at, text);
    json_array_foreach (layers, i, name) {
        const char *wanted = json_string_value(name);

        for (struct watched_layer *layer = watch->layers; wanted && layer; layer = layer->next)
            if (strcmp(alert_engine_layer_name(watch->engine, layer->id), wanted) == 0)
                alert_engine_condition(
                    watch->engine, rule, layer->id, true, row->started_step, row->started_at, text);
    }
    json_decref(layers);
}
