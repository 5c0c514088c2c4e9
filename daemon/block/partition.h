/* Which parts of a layer's matrix its senders hold. Plain data that belongs to one thread at a time. */
#ifndef FORESHOCK_BLOCK_PARTITION_H
#define FORESHOCK_BLOCK_PARTITION_H

#include <stddef.h>

#include "daemon/block/span.h"

/* The spans that the senders of a layer hold: of one axis, disjoint. All zero: none yet. */
struct partition {
    struct span *spans; /* by begin */
    size_t count, capacity;
};

enum partition_joined { PARTITION_JOINED, PARTITION_CLASH, PARTITION_FULL };

/* One more sender. What it holds may be held already, but not overlap otherwise: then CLASH, and `clash` is what is there.
 * FULL: there are LIMIT_SHARDS, or memory is short. */
enum partition_joined partition_join(
    struct partition *partition, const struct span *span, struct span *clash);

void partition_clear(struct partition *partition); /* gives its memory back */

#endif
