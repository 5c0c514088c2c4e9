/* The neurons of an MLP block, measured when its matrices are all there for the same step. */
#ifndef FORESHOCK_BLOCK_MLP_H
#define FORESHOCK_BLOCK_MLP_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/block/findings.h"
#include "daemon/block/member.h"

struct mlp {
    struct block_member *in, *out, *gate; /* gate NULL: it has none */
};

/* The matrices of an MLP block among a list of members. false: in or out is missing. */
bool mlp_find(struct block_member *members, struct mlp *mlp);

bool mlp_has(const struct mlp *mlp, const struct block_member *member);

/* Whether every matrix is kept for the step and attempt of `place`. */
bool mlp_is_complete(const struct mlp *mlp, const struct place *place);

/* Publishes the neurons of a complete one, filed under `place`. */
void mlp_measure(const struct mlp *mlp, const struct place *place);

#endif
