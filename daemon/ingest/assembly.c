/* Puts a tensor together from its pieces, within the memory budget. A piece that does not fit costs its tensor, nothing
 * else. See peer.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ingest/peer.h"
#include "proto/fault.h"
#include "proto/names.h"

/* Frames up to this size are slices of ZeroMQ's receive arena: keeping one would keep the whole arena. */
#define SMALL_FRAME 8192u

static struct stats *stats_of(struct peer *peer)
{
    return peer->ingest->options.stats;
}

void assembly_reset(struct peer *peer)
{
    struct assembly *a = &peer->assembly;

    tensor_free(a->tensor);
    a->tensor = NULL;
    a->busy = a->skipping = false;
}

/* The remaining pieces of this tensor, if any come, are thrown away. */
static void skip(struct peer *peer, const struct wire_tensor *header)
{
    uint64_t number = header->tensor; /* header may be the assembly's own */

    assembly_reset(peer);
    peer->assembly.skipping = true;
    peer->assembly.header.tensor = number;
    ingest_room(peer->ingest);
}

static void lose(struct peer *peer, const struct wire_tensor *header, _Atomic uint64_t *counter)
{
    const struct ingest_ops *ops = &peer->ingest->options.ops;

    bool refused = counter == &stats_of(peer)->dropped_refused_total;

    stats_add(counter, 1);
    peer->dropped += ops->tensor_lost(ops->ctx, peer->session, header, !refused);
    skip(peer, header);
}

static void refuse(
    struct peer *peer, const struct wire_tensor *header, const struct wire_fault *fault)
{
    ingest_error(peer, fault, false);
    lose(peer, header, &stats_of(peer)->dropped_refused_total);
}

/* Bytes that shape and dtype make; false on overflow. The decoder has checked both names and bounds. */
static bool expected_bytes(const struct wire_tensor *header, uint64_t *bytes)
{
    uint64_t elements;

    return !__builtin_mul_overflow(header->shape[0], header->shape[1], &elements) &&
           !__builtin_mul_overflow(elements, names_dtype_size(header->dtype), bytes);
}

static int check_total(
    struct peer *peer, const struct wire_tensor *header, struct wire_fault *fault)
{
    uint64_t limit = peer->ingest->options.tensor_bytes, expected = 0;
    char text[128];

    if (!expected_bytes(header, &expected) || expected != header->total) {
        snprintf(text, sizeof text,
            "%" PRIu64 " bytes, as shape [%" PRIu64 ", %" PRIu64 "] and dtype %.*s make", expected,
            header->shape[0], header->shape[1], (int)header->dtype.len, header->dtype.ptr);
        return fault_set(fault, WIRE_CODE_TENSOR_MISMATCH, WIRE_TENSOR, "total", text, "%" PRIu64,
            header->total);
    }
    if (header->total > limit) {
        snprintf(text, sizeof text, "at most %" PRIu64 " bytes (limits.tensor_bytes)", limit);
        return fault_set(fault, WIRE_CODE_TENSOR_TOO_LARGE, WIRE_TENSOR, "total", text, "%" PRIu64,
            header->total);
    }
    return 0;
}

static void begin(struct peer *peer, const struct wire_tensor *header)
{
    const struct ingest_ops *ops = &peer->ingest->options.ops;
    struct assembly *a = &peer->assembly;
    struct wire_fault fault;
    bool granted = credit_take(peer, header->tensor, header->total);
    int verdict = check_total(peer, header, &fault);

    if (verdict == 0)
        verdict = ops->tensor_begin(ops->ctx, peer->session, header, &fault);
    if (verdict < 0) {
        refuse(peer, header, &fault);
        return;
    }
    if (verdict == INGEST_KNOWN) {
        skip(peer, header);
        return;
    }
    if (granted || credit_fit(peer, header->total))
        a->tensor = tensor_new(header->total, &stats_of(peer)->ingest_bytes);
    if (!a->tensor) {
        fault_set(&fault, WIRE_CODE_BUDGET, WIRE_TENSOR, "total", "room in limits.memory_bytes",
            "%" PRIu64, header->total);
        ingest_error_seldom(peer, &fault);
        lose(peer, header, &stats_of(peer)->dropped_budget_total);
        return;
    }
    a->busy = true;
    a->skipping = false;
    a->header = *header;
    snprintf(a->dtype, sizeof a->dtype, "%.*s", (int)header->dtype.len, header->dtype.ptr);
    a->header.dtype.ptr = a->dtype;
    a->offset = 0;
}

static bool same_tensor(const struct wire_tensor *a, const struct wire_tensor *b)
{
    return a->tensor == b->tensor && a->kind == b->kind && a->layer == b->layer &&
           a->step == b->step && a->total == b->total && a->shape[0] == b->shape[0] &&
           a->shape[1] == b->shape[1] && a->initial == b->initial &&
           wire_str_equal(b->dtype, a->dtype.ptr);
}

static int check_piece(const struct assembly *a, const struct wire_tensor *header, size_t size,
    struct wire_fault *fault)
{
    char text[128];

    if (!same_tensor(&a->header, header) || header->offset != a->offset) {
        snprintf(text, sizeof text, "tensor %" PRIu64 " to go on at offset %" PRIu64,
            a->header.tensor, a->offset);
        return fault_set(fault, WIRE_CODE_TENSOR_MISMATCH, WIRE_TENSOR, "offset", text,
            "tensor %" PRIu64 " at %" PRIu64, header->tensor, header->offset);
    }
    if (size == 0 || size > WIRE_PIECE_MAX || size > a->header.total - a->offset) {
        uint64_t left = a->header.total - a->offset;

        snprintf(text, sizeof text, "1 to %" PRIu64 " bytes",
            left < WIRE_PIECE_MAX ? left : WIRE_PIECE_MAX);
        return fault_set(
            fault, WIRE_CODE_TENSOR_MISMATCH, WIRE_TENSOR, "payload", text, "%zu bytes", size);
    }
    return 0;
}

static void release_frame(void *owner)
{
    zmq_msg_close(owner);
    free(owner);
}

static int keep_small(struct tensor *tensor, zmq_msg_t *payload)
{
    size_t size = zmq_msg_size(payload);
    void *copy = malloc(size);

    if (!copy)
        return -1;
    memcpy(copy, zmq_msg_data(payload), size);
    if (tensor_add_piece(tensor, copy, size, copy, free) == 0)
        return 0;
    free(copy);
    return -1;
}

static int keep_large(struct tensor *tensor, zmq_msg_t *payload)
{
    zmq_msg_t *frame = malloc(sizeof *frame);

    if (!frame)
        return -1;
    zmq_msg_init(frame);
    zmq_msg_move(frame, payload);
    if (tensor_add_piece(tensor, zmq_msg_data(frame), zmq_msg_size(frame), frame, release_frame) ==
        0)
        return 0;
    release_frame(frame);
    return -1;
}

static int keep(struct tensor *tensor, zmq_msg_t *payload)
{
    return zmq_msg_size(payload) <= SMALL_FRAME ? keep_small(tensor, payload)
                                                : keep_large(tensor, payload);
}

static void hand_over(struct peer *peer)
{
    const struct ingest_ops *ops = &peer->ingest->options.ops;
    struct assembly *a = &peer->assembly;
    struct tensor *tensor = a->tensor;

    a->tensor = NULL;
    a->busy = false;
    stats_add(&stats_of(peer)->tensors_received_total, 1);
    ops->tensor(ops->ctx, peer->session, &a->header, tensor);
}

void assembly_piece(struct peer *peer, const struct wire_tensor *header, zmq_msg_t *payload)
{
    struct assembly *a = &peer->assembly;
    struct wire_fault fault;
    size_t size = zmq_msg_size(payload);

    if (a->skipping && header->tensor == a->header.tensor && header->offset != 0)
        return;
    if (a->busy && header->tensor != a->header.tensor) {
        fault_set(&fault, WIRE_CODE_TENSOR_MISMATCH, WIRE_TENSOR, "tensor",
            "the rest of the tensor before it", "%" PRIu64, header->tensor);
        refuse(peer, &a->header, &fault);
    }
    if (!a->busy && header->offset == 0)
        begin(peer, header);
    if (a->skipping && header->tensor == a->header.tensor)
        return;
    if (!a->busy) {
        fault_set(&fault, WIRE_CODE_TENSOR_MISMATCH, WIRE_TENSOR, "offset",
            "0 for a tensor's first piece", "%" PRIu64, header->offset);
        refuse(peer, header, &fault);
        return;
    }
    if (check_piece(a, header, size, &fault) != 0) {
        refuse(peer, &a->header, &fault);
        return;
    }
    if (keep(a->tensor, payload) != 0) {
        lose(peer, &a->header, &stats_of(peer)->dropped_budget_total);
        return;
    }
    a->offset += size;
    a->deadline_ms =
        peer->ingest->reading_ms + (uint64_t)(1000 * peer->ingest->options.sample_deadline_seconds);
    if (a->offset == a->header.total)
        hand_over(peer);
}

void assembly_expire(struct peer *peer)
{
    struct assembly *a = &peer->assembly;
    struct wire_fault fault;

    if (!a->busy || peer->ingest->reading_ms < a->deadline_ms)
        return;
    fault_set(&fault, WIRE_CODE_STALE, WIRE_TENSOR, "offset",
        "the rest of the tensor before the deadline", "%" PRIu64 " of %" PRIu64 " bytes came",
        a->offset, a->header.total);
    ingest_error_seldom(peer, &fault);
    lose(peer, &a->header, &stats_of(peer)->dropped_stale_total);
}
