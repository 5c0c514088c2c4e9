/* Names for ids; see record.h. */
#include "daemon/evaluator/record.h"

#include <string.h>

/* In `places` goes where each layer of the alert stands in the record, ALERT_RECORD_RUN for the run. */
static void add_layers(struct alert_record *record, const struct alert_engine *engine,
    const struct alert *alert, uint8_t *places)
{
    for (size_t i = 0; i < alert->layer_count; i++) {
        const char *name = alert_engine_layer_name(engine, alert->layers[i]);

        places[i] = ALERT_RECORD_RUN;
        if (alert->layers[i] == 0 || !name)
            continue;
        places[i] = (uint8_t)record->layer_count;
        alert_record_add_layer(record, name);
    }
}

/* False: the evidence is about a layer that is not in the list. */
static bool find_place(
    const struct alert *alert, const uint8_t *places, int64_t layer, uint8_t *place)
{
    *place = ALERT_RECORD_RUN;
    if (layer == 0)
        return true;
    for (size_t i = 0; i < alert->layer_count; i++)
        if (alert->layers[i] == layer)
            *place = places[i];
    return *place != ALERT_RECORD_RUN;
}

static void add_evidence(
    struct alert_record *record, const struct alert *alert, const uint8_t *places)
{
    for (size_t i = 0; i < alert->evidence_count; i++) {
        const struct evidence *e = &alert->evidence[i];
        uint8_t place;

        if (find_place(alert, places, e->layer, &place))
            record->evidence[record->evidence_count++] = (struct alert_record_evidence){
                .layer = place,
                .metric = e->metric,
                .value = e->value,
                .threshold = e->threshold,
                .baseline = e->baseline,
                .window = e->window,
                .step = e->step,
            };
    }
}

void record_make(
    struct alert_record *record, const struct alert_engine *engine, const struct alert *alert)
{
    uint8_t places[ALERT_LAYERS_MAX];

    *record = (struct alert_record){
        .id = alert->id,
        .rule = rule_table[alert->rule].name,
        .severity = alert->severity,
        .state = alert->state,
        .observed = alert->observed,
        .started_step = alert->started_step,
        .last_step = alert->last_step,
        .started_at = alert->started_at,
        .resolved_at = alert->resolved_at,
    };
    memcpy(record->title, alert->title, sizeof record->title);
    memcpy(record->summary, alert->summary, sizeof record->summary);
    add_layers(record, engine, alert, places);
    add_evidence(record, alert, places);
}
