/* Names and lists of an alert; see alert_record.h. */
#include "daemon/core/alert_record.h"

#include <stdio.h>

const char *alert_severity_name(enum alert_severity severity)
{
    return severity == SEVERITY_CRITICAL ? "critical" : "warning";
}

const char *alert_state_name(enum alert_state state)
{
    return state == ALERT_FIRING ? "firing" : "resolved";
}

const char *alert_record_layer(
    const struct alert_record *record, const struct alert_record_evidence *evidence)
{
    return evidence->layer < record->layer_count ? record->layers[evidence->layer] : "";
}

bool alert_record_add_layer(struct alert_record *record, const char *name)
{
    if (record->layer_count == ALERT_LAYERS_MAX)
        return false;
    snprintf(record->layers[record->layer_count++], sizeof record->layers[0], "%s", name);
    return true;
}
