/* What a worker found becomes one batch of its run, and news for its clients and detectors. Loop thread only. */
#ifndef FORESHOCK_RUNS_RESULTS_H
#define FORESHOCK_RUNS_RESULTS_H

#include "daemon/block/findings.h"
#include "daemon/runs/work_queue.h"

/* Findings of the block of that queue; they stay the caller's. */
void results_publish(struct work_queue *queue, const struct findings *findings);

#endif
