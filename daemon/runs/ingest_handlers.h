/* What the ingest hands on, to the part of the room that it concerns. */
#ifndef FORESHOCK_RUNS_INGEST_HANDLERS_H
#define FORESHOCK_RUNS_INGEST_HANDLERS_H

#include "daemon/ingest/ingest.h"
#include "daemon/runs/samples.h"

/* The ops for ingest_options; each session that they know is a struct session. */
struct ingest_ops ingest_handlers_ops(struct samples *samples);

#endif
