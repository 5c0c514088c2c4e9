/* Layers and evidence by name, as JSON; see alert_row.h. */
#include "daemon/evaluator/alert_row.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

const char *alert_row_layer(const struct alert_engine *engine, int64_t layer)
{
    const char *name = alert_engine_layer_name(engine, layer);

    return name ? name : "";
}

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static char *layers_json(const struct alert_engine *engine, const struct alert *alert)
{
    json_t *list = json_array();
    char *text;

    for (size_t i = 0; i < alert->layer_count; i++)
        if (alert->layers[i])
            json_array_append_new(list, json_string(alert_row_layer(engine, alert->layers[i])));
    text = json_dumps(list, JSON_COMPACT);
    json_decref(list);
    return text;
}

static char *evidence_json(const struct alert_engine *engine, const struct alert *alert)
{
    json_t *list = json_array();
    char *text;

    for (size_t i = 0; i < alert->evidence_count; i++) {
        const struct alert_evidence *e = &alert->evidence[i];

        json_array_append_new(list,
            json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:I}", "layer",
                alert_row_layer(engine, e->layer), "metric", e->metric, "value", number(e->value),
                "threshold", number(e->threshold), "baseline", number(e->baseline), "window",
                number(e->window), "step", (json_int_t)e->step));
    }
    text = json_dumps(list, JSON_COMPACT | JSON_REAL_PRECISION(10));
    json_decref(list);
    return text;
}

void alert_row_put(struct store_batch *batch, const struct alert_engine *engine, int64_t run,
    uint32_t attempt, const struct alert *alert)
{
    char *layers = layers_json(engine, alert), *evidence = evidence_json(engine, alert);

    store_put_alert(batch, &(struct store_alert){
                               .id = alert->id,
                               .run = run,
                               .attempt = attempt,
                               .rule = rule_table[alert->rule].name,
                               .severity = alert_severity_name(alert->severity),
                               .state = alert_state_name(alert->state),
                               .title = alert->title,
                               .summary = alert->summary,
                               .layers = layers ? layers : "[]",
                               .evidence = evidence ? evidence : "[]",
                               .observed = alert->observed,
                               .started_step = alert->started_step,
                               .last_step = alert->last_step,
                               .started_at = alert->started_at,
                               .resolved_at = alert->resolved_at,
                           });
    free(layers);
    free(evidence);
}
