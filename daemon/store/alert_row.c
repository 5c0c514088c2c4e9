/* Layers and evidence by name, as JSON; see alert_row.h. */
#include "daemon/store/alert_row.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

static json_t *number_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static char *layers_json(const struct alert_record *record)
{
    json_t *list = json_array();
    for (size_t i = 0; i < record->layer_count; i++)
        json_array_append_new(list, json_string(record->layers[i]));
    char *text = json_dumps(list, JSON_COMPACT);
    json_decref(list);
    return text;
}

static char *evidence_json(const struct alert_record *record)
{
    json_t *list = json_array();
    for (size_t i = 0; i < record->evidence_count; i++) {
        const struct alert_record_evidence *e = &record->evidence[i];
        json_array_append_new(list,
            json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:I}", "layer", alert_record_layer(record, e),
                "metric", e->metric, "value", number_or_null(e->value), "threshold",
                number_or_null(e->threshold), "baseline", number_or_null(e->baseline), "window",
                number_or_null(e->window), "step", (json_int_t)e->step));
    }
    char *text = json_dumps(list, JSON_COMPACT | JSON_REAL_PRECISION(10));
    json_decref(list);
    return text;
}

int alert_row_json_make(struct alert_row_json *json, const struct alert_record *record)
{
    json->layers = layers_json(record);
    json->evidence = evidence_json(record);
    return json->layers && json->evidence ? 0 : -1;
}

void alert_row_json_free(struct alert_row_json *json)
{
    free(json->layers);
    free(json->evidence);
    *json = (struct alert_row_json){0};
}

struct store_alert alert_row(const struct alert_record *record, const struct alert_row_json *json)
{
    return (struct store_alert){
        .id = record->id,
        .run = record->run,
        .attempt = record->attempt,
        .rule = record->rule,
        .severity = record->severity,
        .state = record->state,
        .title = record->title,
        .summary = record->summary,
        .layers = json->layers,
        .evidence = json->evidence,
        .observed = record->observed,
        .started_step = record->started_step,
        .last_step = record->last_step,
        .started_at = record->started_at,
        .resolved_at = record->resolved_at,
        .revision = record->revision,
    };
}
