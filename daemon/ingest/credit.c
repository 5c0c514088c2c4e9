/* Room for tensors that must not be lost: each is asked for, and granted in the order asked as soon as the budget allows. A
 * grant is charged at once, so that what was promised is there when the pieces come. See peer.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/ingest/peer.h"
#include "proto/fault.h"

static void drop(struct want *want)
{
    struct ingest *ingest = want->peer->ingest;

    if (want->granted)
        stats_sub(&ingest->options.stats->ingest_bytes, want->bytes);
    want->peer->wants--;
    DL_DELETE(ingest->wants, want);
    free(want);
}

static bool may_send(const struct peer *peer, bool asks)
{
    const struct ingest_ops *ops = &peer->ingest->options.ops;

    return ops->may_send(ops->ctx, peer->session, asks);
}

static bool fits(struct ingest *ingest, uint64_t bytes)
{
    uint64_t waiting = stats_get(&ingest->options.stats->ingest_bytes);

    /* A tensor above the whole budget passes alone. */
    if (waiting == 0 || waiting + bytes <= ingest->options.memory_bytes)
        return true;
    ingest->lacked_ms = ingest->reading_ms;
    return false;
}

bool credit_fit(const struct peer *peer, uint64_t bytes)
{
    return fits(peer->ingest, bytes) && may_send(peer, false);
}

void credit_serve(struct ingest *ingest)
{
    struct want *want;

    DL_FOREACH (ingest->wants, want) {
        if (want->granted || !may_send(want->peer, true))
            continue;
        if (!fits(ingest, want->bytes))
            return;
        want->granted = true;
        want->granted_ms = ingest->reading_ms;
        stats_add(&ingest->options.stats->ingest_bytes, want->bytes);
        peer_send(want->peer, &(struct wire_message){.type = WIRE_GRANT, .u.grant = want->tensor});
    }
}

void credit_add(struct peer *peer, uint64_t tensor, uint64_t bytes, struct wire_fault *fault)
{
    struct ingest *ingest = peer->ingest;
    struct want *want;
    char text[96];

    if (bytes > ingest->options.tensor_bytes) {
        snprintf(text, sizeof text, "at most %" PRIu64 " bytes (limits.tensor_bytes)",
            ingest->options.tensor_bytes);
        fault_set(fault, WIRE_CODE_TENSOR_TOO_LARGE, WIRE_WANT, "bytes", text, "%" PRIu64, bytes);
    } else if (peer->wants == LIMIT_GRANTS || !(want = calloc(1, sizeof *want))) {
        fault_set(fault, WIRE_CODE_LIMIT, WIRE_WANT, "tensor", "fewer tensors asked for at a time",
            "%" PRIu64, tensor);
    } else {
        *want = (struct want){.peer = peer, .tensor = tensor, .bytes = bytes};
        peer->wants++;
        DL_APPEND(ingest->wants, want);
        credit_serve(ingest);
        return;
    }
    ingest_error(peer, fault, false);
}

bool credit_take(struct peer *peer, uint64_t tensor, uint64_t bytes)
{
    struct want *want, *next;
    bool good = false;

    DL_FOREACH_SAFE (peer->ingest->wants, want, next) {
        /* Numbers increase: what was asked for tensors before this one will not be used. */
        if (want->peer != peer || want->tensor > tensor)
            continue;
        good |= want->tensor == tensor && want->granted && want->bytes >= bytes;
        drop(want);
    }
    return good;
}

void credit_forget(struct peer *peer)
{
    struct want *want, *next;

    DL_FOREACH_SAFE (peer->ingest->wants, want, next)
        if (want->peer == peer)
            drop(want);
}

void credit_lapse(struct ingest *ingest)
{
    double deadline_ms = 1000 * ingest->options.sample_deadline_seconds;
    struct want *want, *next;

    DL_FOREACH_SAFE (ingest->wants, want, next)
        if (want->granted && ingest->lacked_ms >= want->granted_ms &&
            (double)(ingest->reading_ms - want->granted_ms) >= deadline_ms)
            drop(want);
}
