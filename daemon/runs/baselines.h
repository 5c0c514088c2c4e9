/* Baselines between a block, which knows only a table of functions, and the store, which has their files. */
#ifndef FORESHOCK_RUNS_BASELINES_H
#define FORESHOCK_RUNS_BASELINES_H

#include "daemon/block/baseline_files.h"
#include "daemon/store/store.h"

/* The store's files. Its functions may be called by any worker. */
struct baseline_files baselines_of(struct store *store);

#endif
