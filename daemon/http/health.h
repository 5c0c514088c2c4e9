/* Whether the daemon's parts make progress, by their stamps, and whether the disk has room. Pure but for the clock that is passed
 * in. */
#ifndef FORESHOCK_HTTP_HEALTH_H
#define FORESHOCK_HTTP_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/stats.h"
#include "daemon/http/request.h"

enum {
    HEALTH_PARTS = 4,
    HEALTH_LOOP_MS = 10000,
    HEALTH_WRITER_MS = 15000,
    HEALTH_WORKER_MS = 120000
};

struct health_part {
    const char *name; /* loop, writer, workers, disk */
    bool ok;
    /* Since the last turn; of workers: of the oldest work in hand, 0 if none; of the disk: since it is short, 0 if it is
     * not. */
    uint64_t age_ms;
    uint64_t age_max_ms;
};

/* `now_ms`: CLOCK_MONOTONIC. A loop or a writer that has not done its first turn is not ok. */
void health_check(struct stats *stats, uint64_t now_ms, struct health_part parts[HEALTH_PARTS]);

/* Routes' functions (api.h). */
int health_alive(struct request *request, struct reply *reply, struct problem *problem);
int health_ready(struct request *request, struct reply *reply, struct problem *problem);

#endif
