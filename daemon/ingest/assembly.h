/* One tensor put together from its pieces, which arrive in order. Pure: it decides nothing but whether a piece goes on where
 * the last one ended; who may send and what a fault costs is decided in intake.h. Loop thread only. */
#ifndef FORESHOCK_INGEST_ASSEMBLY_H
#define FORESHOCK_INGEST_ASSEMBLY_H

#include <stdbool.h>
#include <stdint.h>
#include <zmq.h>

#include "daemon/core/tensor.h"
#include "proto/wire.h"

/*            start                add (the last piece)
 *   IDLE ───────────▶ RECEIVING ───────────────────▶ IDLE
 *    │ skip               │ skip
 *    ▼                    ▼
 *   SKIPPING ◀────────────┘      start: RECEIVING; reset: IDLE */
enum assembly_state {
    ASSEMBLY_IDLE,
    ASSEMBLY_RECEIVING, /* pieces are expected */
    ASSEMBLY_SKIPPING   /* pieces of a tensor that was refused or dropped are thrown away */
};

struct assembly {
    enum assembly_state state;
    struct wire_tensor header; /* RECEIVING; its number also while SKIPPING */
    char dtype[16];            /* what header.dtype points to */
    struct tensor *tensor;
    uint64_t offset; /* of the next piece */
};

/* Whether shape and dtype make the total, and that is at most `tensor_bytes`. 0, or -1 and `*fault`. */
int assembly_check_total(
    const struct wire_tensor *header, uint64_t tensor_bytes, struct wire_fault *fault);

/* Takes the tensor, which has room for header->total bytes and no piece yet. Not while RECEIVING. */
void assembly_start(
    struct assembly *assembly, const struct wire_tensor *header, struct tensor *tensor);

/* Whether a piece is one of the tensor that is being skipped. */
bool assembly_skips(const struct assembly *assembly, const struct wire_tensor *header);

/* Whether the piece goes on where the last ended. RECEIVING only. 0, or -1 and `*fault`. */
int assembly_check_piece(const struct assembly *assembly, const struct wire_tensor *header,
    size_t size, struct wire_fault *fault);

/* Adds a piece that was checked; `payload` is moved out if it is large. 0, or -1: memory is short. */
int assembly_add(struct assembly *assembly, zmq_msg_t *payload);

/* The tensor, now the caller's, once all pieces are there: the assembly is idle again, and its header is valid until the next
 * start. NULL: some are missing. */
struct tensor *assembly_finish(struct assembly *assembly);

/* Gives the tensor up; the remaining pieces of tensor `number` are thrown away. */
void assembly_skip(struct assembly *assembly, uint64_t number);

void assembly_reset(struct assembly *assembly);

#endif
