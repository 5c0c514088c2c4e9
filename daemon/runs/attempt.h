/* An attempt of a run: a stretch of the training in which steps only rise (docs/metrics.md). A rewind, or the restart of a
 * rank, begins the next one. A run has one at a time.
 *
 *            next            first step
 *    NONE ────────▶ OPENED ─────────────▶ STEPPED
 *                    │  ▲                    │
 *                    └──┴────────────────────┘  next
 */
#ifndef FORESHOCK_RUNS_ATTEMPT_H
#define FORESHOCK_RUNS_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/state_machine.h"

/* NONE: the run has only just been made. OPENED: no sample has come yet. STEPPED: its first step is known. */
enum attempt_state { ATTEMPT_NONE, ATTEMPT_OPENED, ATTEMPT_STEPPED, ATTEMPT_STATES };

extern const struct state_machine attempt_machine;

struct attempt {
    enum attempt_state state;
    uint32_t number;    /* from 1 */
    int64_t first_step; /* -1: not STEPPED */
    double started_at;  /* seconds since 1970 */
};

/* As the store has it. `first_step` -1: none. */
struct attempt attempt_restored(uint32_t number, int64_t first_step, double started_at);

/* The next one begins. */
void attempt_next(struct attempt *attempt, double now);

/* A sample of it has come. true: it is the first. */
bool attempt_step(struct attempt *attempt, int64_t step);

#endif
