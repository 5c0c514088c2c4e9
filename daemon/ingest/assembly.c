/* A tensor from its pieces; see assembly.h. */
#include "daemon/ingest/assembly.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/fault.h"
#include "proto/names.h"

/* Frames up to this size are slices of ZeroMQ's receive arena: keeping one would keep the whole arena. */
#define SMALL_FRAME 8192u

/* Bytes that shape and dtype make; false on overflow. The decoder has checked both names and bounds. */
static bool expected_bytes(const struct wire_tensor *header, uint64_t *bytes)
{
    uint64_t elements;

    return !__builtin_mul_overflow(header->shape[0], header->shape[1], &elements) &&
           !__builtin_mul_overflow(elements, names_dtype_size(header->dtype), bytes);
}

int assembly_check_total(
    const struct wire_tensor *header, uint64_t tensor_bytes, struct wire_fault *fault)
{
    uint64_t expected = 0;
    char text[128];

    if (!expected_bytes(header, &expected) || expected != header->total) {
        snprintf(text, sizeof text,
            "%" PRIu64 " bytes, as shape [%" PRIu64 ", %" PRIu64 "] and dtype %.*s make", expected,
            header->shape[0], header->shape[1], (int)header->dtype.len, header->dtype.ptr);
        return fault_set(fault, WIRE_CODE_TENSOR_MISMATCH, WIRE_TENSOR, "total", text, "%" PRIu64,
            header->total);
    }
    if (header->total > tensor_bytes) {
        snprintf(
            text, sizeof text, "at most %" PRIu64 " bytes (limits.tensor_bytes)", tensor_bytes);
        return fault_set(fault, WIRE_CODE_TENSOR_TOO_LARGE, WIRE_TENSOR, "total", text, "%" PRIu64,
            header->total);
    }
    return 0;
}

void assembly_start(
    struct assembly *assembly, const struct wire_tensor *header, struct tensor *tensor)
{
    assembly->state = ASSEMBLY_RECEIVING;
    assembly->header = *header;
    snprintf(
        assembly->dtype, sizeof assembly->dtype, "%.*s", (int)header->dtype.len, header->dtype.ptr);
    assembly->header.dtype.ptr = assembly->dtype;
    assembly->tensor = tensor;
    assembly->offset = 0;
}

bool assembly_skips(const struct assembly *assembly, const struct wire_tensor *header)
{
    return assembly->state == ASSEMBLY_SKIPPING && header->tensor == assembly->header.tensor;
}

static bool is_same_tensor(const struct wire_tensor *a, const struct wire_tensor *b)
{
    return a->tensor == b->tensor && a->kind == b->kind && a->layer == b->layer &&
           a->step == b->step && a->total == b->total && a->shape[0] == b->shape[0] &&
           a->shape[1] == b->shape[1] && a->initial == b->initial &&
           wire_str_equal(b->dtype, a->dtype.ptr);
}

int assembly_check_piece(const struct assembly *assembly, const struct wire_tensor *header,
    size_t size, struct wire_fault *fault)
{
    uint64_t left = assembly->header.total - assembly->offset;
    char text[128];

    if (!is_same_tensor(&assembly->header, header) || header->offset != assembly->offset) {
        snprintf(text, sizeof text, "tensor %" PRIu64 " to go on at offset %" PRIu64,
            assembly->header.tensor, assembly->offset);
        return fault_set(fault, WIRE_CODE_TENSOR_MISMATCH, WIRE_TENSOR, "offset", text,
            "tensor %" PRIu64 " at %" PRIu64, header->tensor, header->offset);
    }
    if (size == 0 || size > WIRE_PIECE_MAX || size > left) {
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

static int keep_copy_of(struct tensor *tensor, zmq_msg_t *payload)
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

static int keep_frame(struct tensor *tensor, zmq_msg_t *payload)
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

int assembly_add(struct assembly *assembly, zmq_msg_t *payload)
{
    size_t size = zmq_msg_size(payload);
    int rc = size <= SMALL_FRAME ? keep_copy_of(assembly->tensor, payload)
                                 : keep_frame(assembly->tensor, payload);

    if (rc == 0)
        assembly->offset += size;
    return rc;
}

struct tensor *assembly_finish(struct assembly *assembly)
{
    struct tensor *tensor = assembly->tensor;

    if (assembly->state != ASSEMBLY_RECEIVING || assembly->offset < assembly->header.total)
        return NULL;
    assembly->tensor = NULL;
    assembly->state = ASSEMBLY_IDLE;
    return tensor;
}

void assembly_skip(struct assembly *assembly, uint64_t number)
{
    assembly_reset(assembly);
    assembly->state = ASSEMBLY_SKIPPING;
    assembly->header.tensor = number;
}

void assembly_reset(struct assembly *assembly)
{
    tensor_free(assembly->tensor);
    assembly->tensor = NULL;
    assembly->state = ASSEMBLY_IDLE;
}
