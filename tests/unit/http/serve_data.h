/* Made-up runs that follow formulas, so that a test can say what the API must answer. */
#ifndef FORESHOCK_TESTS_UNIT_HTTP_SERVE_DATA_H
#define FORESHOCK_TESTS_UNIT_HTTP_SERVE_DATA_H

#include "daemon/store/store.h"

enum { SERVE_RUNNING = 1, SERVE_ENDED = 2, SERVE_STEPS = 1200, SERVE_EVERY = 10 };

/* Runs `gpt-small` (running) and `exploded.1` (ended), their layers, sessions and alerts. */
void serve_data_begin(struct store_batch *batch);

/* The figures of one step of the running run; of the ended run too while the step is below
 * SERVE_STEPS. */
void serve_data_step(struct store_batch *batch, int64_t step);

/* Run `wide` (ended) with so many series of its own, of 20 points each. One batch for each 100 series. */
enum { SERVE_WIDE = 3, SERVE_WIDE_STEPS = 20, SERVE_WIDE_BATCH = 100 };
void serve_data_wide(struct store_batch *batch, size_t first_series);

#endif
