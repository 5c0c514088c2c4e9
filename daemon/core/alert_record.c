/* Names and lists of an alert; see alert_record.h. */
#include "daemon/core/alert_record.h"

#include <stdio.h>
#include <string.h>

const char *const alert_severity_names[] = {"warning", "critical", NULL};
const char *const alert_state_names[] = {"firing", "resolved", NULL};

/* Its place in a list that ends with NULL, or -1. */
static int find_name(const char *const *names, const char *name)
{
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

bool alert_severity_parse(const char *name, enum alert_severity *severity)
{
    int found = find_name(alert_severity_names, name);
    if (found >= 0)
        *severity = (enum alert_severity)found;
    return found >= 0;
}

bool alert_state_parse(const char *name, enum alert_state *state)
{
    int found = find_name(alert_state_names, name);
    if (found >= 0)
        *state = (enum alert_state)found;
    return found >= 0;
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
