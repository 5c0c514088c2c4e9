/* The inputs of a layer: what they are by themselves, and their alignment with the direction of its weights.
 *
 * Tokens of one step that come from several ranks are one distribution. It is published when all ranks have sent, when a
 * newer step comes, or when activations_close is called. */
#ifndef FORESHOCK_BLOCK_ACTIVATIONS_H
#define FORESHOCK_BLOCK_ACTIVATIONS_H

#include "daemon/analysis/matrix.h"
#include "daemon/block/findings.h"
#include "daemon/block/member.h"

/* Takes in the tokens `x` [tokens, cols] that one rank sends, of the step of `place`. `ranks`: how many are expected to send this step. */
void activations_take(struct block_member *member, const struct matrix_view *x, uint32_t ranks,
    const struct place *place);

/* The open step waits no longer for other ranks; nothing if none is open. */
void activations_close(struct block_member *member, const struct place *place);

#endif
