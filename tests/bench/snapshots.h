/* What the benchmark sends: weights that drift as those of a training do, and inputs of the layer.
 *
 * Few snapshots lie in memory; the stream goes up and down through them, so that one differs from
 * the next by as much at every step. One thread. */
#ifndef FORESHOCK_TESTS_BENCH_SNAPSHOTS_H
#define FORESHOCK_TESTS_BENCH_SNAPSHOTS_H

#include "daemon/analysis/matrix.h"

#include <stddef.h>
#include <stdint.h>

#define SNAPSHOTS_KEPT 4u

struct snapshots {
    enum dtype dtype;
    size_t rows, cols, tokens;
    void *weights[SNAPSHOTS_KEPT]; /* [rows, cols] each */
    void *inputs;                  /* [tokens, cols] */
};

/* A bulk of random elements with one direction of twice its largest singular value; from snapshot
 * to snapshot the elements move by about 1e-3 of their size and the direction by 1e-2. 0, or -1:
 * memory is short. snapshots_free is safe either way. */
int snapshots_make(
    struct snapshots *snapshots, enum dtype dtype, size_t rows, size_t cols, size_t tokens);
void snapshots_free(struct snapshots *snapshots);

/* The weights at a position of the endless stream. */
const void *snapshots_weights(const struct snapshots *snapshots, uint64_t position);

size_t snapshots_weights_bytes(const struct snapshots *snapshots);
size_t snapshots_inputs_bytes(const struct snapshots *snapshots);

#endif
