/* Runs and alerts as JSON objects: the same in the API's answers and in events. */
#ifndef FORESHOCK_HTTP_OBJECTS_H
#define FORESHOCK_HTTP_OBJECTS_H

#include "daemon/http/emitter.h"
#include "daemon/store/store.h"

/* The members of a run that its row holds, without the braces. */
void objects_run_members(struct emitter *json, const struct store_run *run);

/* The members of an alert but `acknowledged` and `acknowledged_at`, without the braces. */
void objects_alert_members(
    struct emitter *json, const char *run_key, const struct store_alert *alert);

/* A JSON number of a time, null of 0. */
void objects_time_or_null(struct emitter *json, double time);

/* One `sample` event of figures that share run, layer, step and attempt. */
void objects_sample(
    struct emitter *json, const struct store_committed_figure *figures, size_t count);

#endif
