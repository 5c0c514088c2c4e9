/* Tensors as lists of owned pieces; see tensor.h. */
#include "daemon/core/tensor.h"

#include <stdlib.h>
#include <string.h>

struct piece {
    const void *data;
    size_t size;
    void *owner;
    void (*release)(void *owner);
};

struct tensor {
    uint64_t bytes;
    _Atomic uint64_t *account;
    struct piece *pieces;
    size_t count, capacity;
    void *gathered; /* ours, once the pieces did not serve as they were */
};

struct tensor *tensor_new(uint64_t bytes, _Atomic uint64_t *account)
{
    struct tensor *tensor = calloc(1, sizeof *tensor);

    if (!tensor)
        return NULL;
    tensor->bytes = bytes;
    tensor->account = account;
    atomic_fetch_add(account, bytes);
    return tensor;
}

int tensor_add_piece(
    struct tensor *tensor, const void *data, size_t size, void *owner, void (*release)(void *owner))
{
    if (tensor->count == tensor->capacity) {
        size_t capacity = tensor->capacity ? 2 * tensor->capacity : 4;
        struct piece *pieces = realloc(tensor->pieces, capacity * sizeof *pieces);

        if (!pieces)
            return -1;
        tensor->pieces = pieces;
        tensor->capacity = capacity;
    }
    tensor->pieces[tensor->count++] = (struct piece){data, size, owner, release};
    return 0;
}

uint64_t tensor_bytes(const struct tensor *tensor)
{
    return tensor->bytes;
}

/* ZeroMQ's small frames are slices of an arena at any address; its large ones are aligned and serve as they are. */
static int serves_as_it_is(const struct tensor *tensor)
{
    return tensor->count == 1 && (uintptr_t)tensor->pieces[0].data % 8 == 0;
}

static void release_pieces(struct tensor *tensor)
{
    for (size_t i = 0; i < tensor->count; i++)
        tensor->pieces[i].release(tensor->pieces[i].owner);
    tensor->count = 0;
}

const void *tensor_data(struct tensor *tensor)
{
    char *to;

    if (tensor->gathered)
        return tensor->gathered;
    if (serves_as_it_is(tensor))
        return tensor->pieces[0].data;
    to = malloc(tensor->bytes);
    if (!to)
        return NULL;
    tensor->gathered = to;
    /* Each piece goes back as soon as it is copied, so that a large tensor is never in memory twice. */
    for (size_t i = 0; i < tensor->count; i++) {
        struct piece *piece = &tensor->pieces[i];

        memcpy(to, piece->data, piece->size);
        to += piece->size;
        piece->release(piece->owner);
    }
    tensor->count = 0;
    return tensor->gathered;
}

void tensor_move(struct tensor *tensor, _Atomic uint64_t *account)
{
    atomic_fetch_add(account, tensor->bytes);
    atomic_fetch_sub(tensor->account, tensor->bytes);
    tensor->account = account;
}

void tensor_free(struct tensor *tensor)
{
    if (!tensor)
        return;
    release_pieces(tensor);
    free(tensor->pieces);
    free(tensor->gathered);
    atomic_fetch_sub(tensor->account, tensor->bytes);
    free(tensor);
}
