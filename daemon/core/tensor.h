/* One tensor as it came off the wire: a list of owned pieces, made contiguous when somebody first looks at its numbers.
 *
 * A tensor belongs to one thread at a time. Its bytes count in an account (an atomic counter of waiting or of kept bytes)
 * from tensor_new until tensor_free or a move to another account. */
#ifndef FORESHOCK_CORE_TENSOR_H
#define FORESHOCK_CORE_TENSOR_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct tensor;

/* A tensor of `bytes` bytes without pieces yet, charged to `account` (the caller has made room). NULL: memory is short,
 * nothing is charged. */
struct tensor *tensor_new(uint64_t bytes, _Atomic uint64_t *account);

/* Appends a piece; `release(owner)` gives it back, on whatever thread. The sum of the pieces must not exceed the tensor's
 * bytes. 0, or -1 when memory is short (the piece stays the caller's). */
int tensor_add_piece(struct tensor *tensor, const void *data, size_t size, void *owner,
    void (*release)(void *owner));

uint64_t tensor_bytes(const struct tensor *tensor);

/* The numbers, contiguous and aligned to 8 bytes, all pieces being there. Gathers at the first call, giving the pieces
 * back one by one. NULL: memory is short. Valid until tensor_free. */
const void *tensor_data(struct tensor *tensor);

/* Moves the charge to another account. */
void tensor_move(struct tensor *tensor, _Atomic uint64_t *account);

/* Gives the pieces back and the charge. Safe on NULL. */
void tensor_free(struct tensor *tensor);

#endif
