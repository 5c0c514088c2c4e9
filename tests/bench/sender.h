/* A client of the wire protocol that costs next to nothing: what it sends is not copied, and it
 * asks for room far ahead. Lossless. Errors are told on stderr; functions return 0, or -1, where
 * nothing else is said. One thread. */
#ifndef FORESHOCK_TESTS_BENCH_SENDER_H
#define FORESHOCK_TESTS_BENCH_SENDER_H

#include <stddef.h>
#include <stdint.h>

#include "proto/wire.h"

struct sender {
    void *context, *control, *tensors;
    uint8_t ticket[WIRE_TICKET_SIZE];
    uint64_t asked, granted, sent; /* numbers of tensors */
    uint64_t token;
};

/* Connects and says hello. sender_close is safe either way. */
int sender_open(struct sender *sender, const char *endpoint, const char *run);
void sender_close(struct sender *sender);

/* A DEALER of the sender's context, connected; NULL, which was told. The caller closes it first. */
void *sender_dealer(struct sender *sender, const char *endpoint);

/* The layer is called by its number. */
int sender_layer(
    struct sender *sender, uint32_t layer, size_t rows, size_t cols, const char *dtype);

/* Asks for room for the tensor after the last one asked for; not more than 64 ahead. */
int sender_want(struct sender *sender, size_t bytes);

/* Sends the next tensor once it is granted. `header` says kind, layer, step, dtype, shape. `data`
 * stays the sender's until a flush has returned. */
int sender_tensor(struct sender *sender, const struct wire_tensor *header, const void *data);

/* Waits until everything is analysed and committed. -1 too if the daemon dropped something. */
int sender_flush(struct sender *sender);

/* One tensor's bytes in pieces, each behind `header_size` bytes of header that `make` gives (to be
 * freed); the pieces are not copied. */
typedef int (*sender_header)(void *ctx, uint64_t offset, void **header, size_t *header_size);
int sender_pieces(void *socket, const void *data, size_t bytes, sender_header make, void *ctx);

#endif
