/* What the loop knows of runs, as rows of batches, and batches on their way to the store.
 *
 * A batch that the store has no room for is lost. What it said is then marked as unsaved, and written again before anything
 * else of its run. Loop thread only. */
#ifndef FORESHOCK_RUNS_ROWS_H
#define FORESHOCK_RUNS_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/core/figure.h"
#include "daemon/runs/run.h"
#include "daemon/store/store.h"

void rows_put_run(struct store_batch *batch, struct run *run);
void rows_put_attempt(struct store_batch *batch, const struct run *run);
void rows_put_session(struct store_batch *batch, const struct session *session);
void rows_put_layer(
    struct store_batch *batch, const struct run *run, const struct run_layer *layer);
void rows_put_block(struct store_batch *batch, const struct work_queue *queue);

/* The run as if it had ended and all its sessions were closed. */
void rows_put_end(struct store_batch *batch, struct run *run);

/* A sample of that step has come: the run takes note of it, and its rows go into the batch. */
void rows_put_step(struct store_batch *batch, struct run *run, int64_t step);

/* Takes the batch. false: the store had no room. The rows of the run and its newest attempt are then written again by rows_save;
 * what else the batch held is too if its `unsaved` is set. */
bool rows_publish(
    struct run *run, struct store_batch *batch, const struct figure *figures, size_t count);

void rows_save(struct run *run); /* of a run that has `unsaved` */

#endif
