/* Tensors from peers; see intake.h. */
#include "daemon/ingest/intake.h"

#include <inttypes.h>

#include "proto/fault.h"

/* The remaining pieces of this tensor, if any come, are thrown away; its room is for others. */
static void skip_tensor(struct intake *intake, struct peer *peer, uint64_t number)
{
    assembly_skip(&peer->assembly, number);
    credit_serve(intake->credit);
}

static void lose_tensor(struct intake *intake, struct peer *peer, const struct wire_tensor *header,
    _Atomic uint64_t *counter)
{
    const struct ingest_ops *ops = intake->ops;
    bool refused = counter == &intake->stats->dropped_refused_total;
    uint64_t number = header->tensor; /* the header may be the assembly's own */

    stats_add(counter, 1);
    peer->dropped += ops->tensor_lost(ops->ctx, peer->session, header, !refused);
    skip_tensor(intake, peer, number);
}

static void refuse_tensor(struct intake *intake, struct peer *peer,
    const struct wire_tensor *header, const struct wire_fault *fault)
{
    peer_fault(peer, fault, false);
    lose_tensor(intake, peer, header, &intake->stats->dropped_refused_total);
}

static struct tensor *make_tensor(struct intake *intake, struct peer *peer, bool granted,
    const struct wire_tensor *header, struct wire_fault *fault)
{
    struct tensor *tensor = NULL;

    if (granted || credit_fits(intake->credit, &peer->account, header->total))
        tensor = tensor_new(header->total, &intake->stats->ingest_bytes);
    if (!tensor)
        fault_set(fault, WIRE_CODE_BUDGET, WIRE_TENSOR, "total", "room in limits.memory_bytes",
            "%" PRIu64, header->total);
    return tensor;
}

static void begin_tensor(struct intake *intake, struct peer *peer, const struct wire_tensor *header)
{
    const struct ingest_ops *ops = intake->ops;
    bool granted = credit_take(intake->credit, &peer->account, header->tensor, header->total);
    struct wire_fault fault;
    struct tensor *tensor;
    int verdict = assembly_check_total(header, intake->tensor_bytes, &fault);

    if (verdict == 0)
        verdict = ops->tensor_begin(ops->ctx, peer->session, header, &fault);
    if (verdict < 0) {
        refuse_tensor(intake, peer, header, &fault);
        return;
    }
    if (verdict == INGEST_KNOWN) {
        skip_tensor(intake, peer, header->tensor);
        return;
    }
    tensor = make_tensor(intake, peer, granted, header, &fault);
    if (!tensor) {
        peer_fault_seldom(peer, &fault);
        lose_tensor(intake, peer, header, &intake->stats->dropped_budget_total);
        return;
    }
    assembly_start(&peer->assembly, header, tensor);
}

/* The piece belongs to the tensor that is being received. */
static void add_piece(
    struct intake *intake, struct peer *peer, const struct wire_tensor *header, zmq_msg_t *payload)
{
    const struct ingest_ops *ops = intake->ops;
    struct assembly *assembly = &peer->assembly;
    struct wire_fault fault;
    struct tensor *tensor;

    if (assembly_check_piece(assembly, header, zmq_msg_size(payload), &fault) != 0) {
        refuse_tensor(intake, peer, &assembly->header, &fault);
        return;
    }
    if (assembly_add(assembly, payload) != 0) {
        lose_tensor(intake, peer, &assembly->header, &intake->stats->dropped_budget_total);
        return;
    }
    peer->piece_until_ms = intake->clock->now_ms + intake->piece_ms;
    tensor = assembly_finish(assembly);
    if (!tensor)
        return;
    stats_add(&intake->stats->tensors_received_total, 1);
    ops->tensor(ops->ctx, peer->session, &assembly->header, tensor);
}

void intake_piece(
    struct intake *intake, struct peer *peer, const struct wire_tensor *header, zmq_msg_t *payload)
{
    struct assembly *assembly = &peer->assembly;
    struct wire_fault fault;

    if (assembly_skips(assembly, header) && header->offset != 0)
        return;
    if (assembly->state == ASSEMBLY_RECEIVING && header->tensor != assembly->header.tensor) {
        fault_set(&fault, WIRE_CODE_TENSOR_MISMATCH, WIRE_TENSOR, "tensor",
            "the rest of the tensor before it", "%" PRIu64, header->tensor);
        refuse_tensor(intake, peer, &assembly->header, &fault);
    }
    if (assembly->state != ASSEMBLY_RECEIVING && header->offset == 0)
        begin_tensor(intake, peer, header);
    if (assembly_skips(assembly, header))
        return;
    if (assembly->state == ASSEMBLY_RECEIVING) {
        add_piece(intake, peer, header, payload);
        return;
    }
    fault_set(&fault, WIRE_CODE_TENSOR_MISMATCH, WIRE_TENSOR, "offset",
        "0 for a tensor's first piece", "%" PRIu64, header->offset);
    refuse_tensor(intake, peer, header, &fault);
}

void intake_expire(struct intake *intake, struct peer *peer)
{
    const struct assembly *assembly = &peer->assembly;
    struct wire_fault fault;

    if (assembly->state != ASSEMBLY_RECEIVING || intake->clock->now_ms < peer->piece_until_ms)
        return;
    fault_set(&fault, WIRE_CODE_STALE, WIRE_TENSOR, "offset",
        "the rest of the tensor before the deadline", "%" PRIu64 " of %" PRIu64 " bytes came",
        assembly->offset, assembly->header.total);
    peer_fault_seldom(peer, &fault);
    lose_tensor(intake, peer, &assembly->header, &intake->stats->dropped_stale_total);
}

void intake_forget(struct intake *intake, struct peer *peer)
{
    assembly_reset(&peer->assembly);
    credit_forget(intake->credit, &peer->account);
}
