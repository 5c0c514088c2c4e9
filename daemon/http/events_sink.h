/* Commits of the store as events. */
#ifndef FORESHOCK_HTTP_EVENTS_SINK_H
#define FORESHOCK_HTTP_EVENTS_SINK_H

#include "daemon/http/events.h"
#include "daemon/store/store.h"

/* What turns commits into events: `sample` for each (run, layer, step, attempt), `alert`, `run`. */
struct store_sink events_sink(struct events *events);

/* An `alert` that the store has not recorded. Any thread. */
void events_sink_unrecorded(
    struct events *events, const struct alert_record *record, bool silenced);

#endif
