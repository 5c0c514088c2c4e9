/* Whether the daemon's parts make progress, by their stamps. Pure but for the clock that is passed
 * in. */
#ifndef FORESHOCK_HTTP_HEALTH_H
#define FORESHOCK_HTTP_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/stats.h"

enum {
    HEALTH_PARTS = 3,
    HEALTH_LOOP_MS = 10000,
    HEALTH_WRITER_MS = 15000,
    HEALTH_WORKER_MS = 120000
};

struct health_part {
    const char *name; /* loop, writer, workers */
    bool ok;
    uint64_t age_ms; /* since the last turn; of workers: of the oldest work in hand, 0 if none */
    uint64_t age_max_ms;
};

/* `now_ms`: CLOCK_MONOTONIC. A loop or a writer that has not done its first turn is not ok. */
void health_check(struct stats *stats, uint64_t now_ms, struct health_part parts[HEALTH_PARTS]);

#endif
