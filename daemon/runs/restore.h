/* What the store remembers becomes what the loop knows, before the first message. */
#ifndef FORESHOCK_RUNS_RESTORE_H
#define FORESHOCK_RUNS_RESTORE_H

#include "daemon/core/error.h"
#include "daemon/runs/registry.h"

/* Fills an empty registry, and announces what may go on to the detectors. 0, or -1 and `error`. */
int restore_runs(struct registry *registry, struct error *error);

#endif
