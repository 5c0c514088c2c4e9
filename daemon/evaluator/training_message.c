/* A record's members under the names of the wire; see training_message.h. */
#include "daemon/evaluator/training_message.h"

void training_message_make(
    struct training_message *message, const struct alert_record *record, bool recorded)
{
    for (size_t i = 0; i < record->layer_count; i++)
        message->layers[i] = wire_str(record->layers[i]);
    message->wire = (struct wire_alert){
        .id = (uint64_t)record->id,
        .rule = wire_str(record->rule),
        .severity = wire_str(alert_severity_names[record->severity]),
        .state = wire_str(alert_state_names[record->state]),
        .title = wire_str(record->title),
        .summary = wire_str(record->summary),
        .layers = message->layers,
        .layers_count = record->layer_count,
        .step = (uint64_t)record->started_step,
        .recorded = recorded,
    };
}
