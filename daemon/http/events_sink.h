/* Commits of the store as events. */
#ifndef FORESHOCK_HTTP_EVENTS_SINK_H
#define FORESHOCK_HTTP_EVENTS_SINK_H

#include "daemon/http/events.h"
#include "daemon/store/store.h"

/* What turns commits into events: `sample` for each (run, layer, step, attempt), `alert`, `run`. */
struct store_sink events_sink(struct events *events);

#endif
