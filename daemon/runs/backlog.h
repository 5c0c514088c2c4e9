/* Scalars of one lossless session that wait until the store has room, in order. Loop thread only. */
#ifndef FORESHOCK_RUNS_BACKLOG_H
#define FORESHOCK_RUNS_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/wire.h"

struct backlog_entry {
    struct wire_scalars scalars; /* points into the same allocation */
    uint32_t attempt;
    size_t bytes;
    struct backlog_entry *prev, *next;
};

struct backlog {
    struct backlog_entry *entries; /* NULL: nothing waits */
    size_t *total_bytes;           /* of all backlogs together */
};

/* Keeps a copy. false: memory is short, or all backlogs hold LIMIT_BACKLOG_BYTES. */
bool backlog_put(struct backlog *backlog, const struct wire_scalars *scalars, uint32_t attempt);

void backlog_drop_first(struct backlog *backlog); /* of one that is not empty */
void backlog_clear(struct backlog *backlog);

#endif
