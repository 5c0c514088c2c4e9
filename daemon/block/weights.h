/* A snapshot of a layer's weights: its spectrum, its rotation, and what is kept of it. */
#ifndef FORESHOCK_BLOCK_WEIGHTS_H
#define FORESHOCK_BLOCK_WEIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/block/findings.h"
#include "daemon/block/member.h"
#include "daemon/block/snapshot.h"
#include "daemon/core/stats.h"

struct weights_options {
    struct baseline_files files;
    struct stats *stats;
    double target_residual; /* of the tracker, as in spectrum.h */
    unsigned passes_small, passes_large;
};

/* Measures one snapshot, which it takes. `initial`: the client declares it to be w(0). true: it is finite, and is the
 * member's kept one now, charged to partner_bytes. */
bool weights_take(struct block_member *member, struct snapshot *taken, bool initial,
    const struct weights_options *options, const struct place *place);

#endif
