/* What the messages of a session do; see control.h. */
#include "daemon/ingest/control.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/fault.h"
#include "proto/names.h"

void control_receive_flush(
    const struct control *control, struct peer *peer, uint64_t token, bool on_control)
{
    const struct ingest_ops *ops = control->ops;
    struct wire_fault fault;

    switch (flushes_mark(&peer->flushes, token, on_control)) {
    case FLUSHES_WAITING: return;
    case FLUSHES_COMPLETE: ops->flush(ops->ctx, peer->session, token); return;
    case FLUSHES_FULL:
        fault_set(&fault, WIRE_CODE_LIMIT, WIRE_FLUSH, "token", "fewer flushes at a time",
            "%" PRIu64, token);
        peer_fault(peer, &fault, false);
    }
}

static void receive_heartbeat(const struct control *control, struct peer *peer, uint64_t dropped)
{
    const struct ingest_ops *ops = control->ops;

    ops->client_dropped(ops->ctx, peer->session, dropped);
    peer_send(peer, &(struct wire_message){.type = WIRE_PULSE, .u.dropped = peer->dropped});
}

static void receive_bye(const struct control *control, struct peer *peer, uint64_t dropped)
{
    const struct ingest_ops *ops = control->ops;
    void *session = peer->session;

    ops->client_dropped(ops->ctx, session, dropped);
    intake_forget(control->intake, peer);
    peers_remove(peer);
    ops->bye(ops->ctx, session);
}

/* Elements that a sender sends of a layer's weights. */
static uint64_t elements_of(const struct wire_layer *layer)
{
    const struct wire_shard *shard = &layer->shard;

    if (!layer->has_shard)
        return layer->shape[0] * layer->shape[1]; /* both are below 2^31 */
    return (shard->end - shard->begin) * layer->shape[shard->axis == WIRE_ROWS ? 1 : 0];
}

/* A layer whose weights could never come is refused at once, before anything is made for it. */
static int receive_layer(const struct control *control, struct peer *peer,
    const struct wire_layer *layer, struct wire_fault *fault)
{
    uint64_t size = names_dtype_size(layer->dtype), whole, bytes;
    char text[96];

    if (!__builtin_mul_overflow(layer->shape[0] * layer->shape[1], size, &whole) &&
        !__builtin_mul_overflow(elements_of(layer), size, &bytes) && bytes <= control->tensor_bytes)
        return control->ops->layer(control->ops->ctx, peer->session, layer, fault);
    snprintf(text, sizeof text, "weights of at most %" PRIu64 " bytes (limits.tensor_bytes)",
        control->tensor_bytes);
    return fault_set(fault, WIRE_CODE_TENSOR_TOO_LARGE, WIRE_LAYER, "shape", text,
        "[%" PRIu64 ", %" PRIu64 "]", layer->shape[0], layer->shape[1]);
}

void control_receive(
    const struct control *control, struct peer *peer, const struct wire_message *message)
{
    const struct ingest_ops *ops = control->ops;
    struct wire_fault fault;
    int rc = 0;

    peer_renew(peer);
    switch (message->type) {
    case WIRE_LAYER: rc = receive_layer(control, peer, &message->u.layer, &fault); break;
    case WIRE_SCALARS:
        rc = ops->scalars(ops->ctx, peer->session, &message->u.scalars, &fault);
        break;
    case WIRE_REWIND: rc = ops->rewind(ops->ctx, peer->session, message->u.step, &fault); break;
    case WIRE_HEARTBEAT: receive_heartbeat(control, peer, message->u.dropped); return;
    case WIRE_WANT:
        rc = credit_request(
            control->credit, &peer->account, message->u.want.tensor, message->u.want.bytes, &fault);
        break;
    case WIRE_FLUSH: control_receive_flush(control, peer, message->u.flush.token, true); return;
    case WIRE_BYE: receive_bye(control, peer, message->u.dropped); return;
    default:
        rc = fault_set(&fault, WIRE_CODE_UNKNOWN_TYPE, message->type, "type",
            "a message of a client's control socket", "%s", wire_type_name(message->type));
    }
    if (rc < 0)
        peer_fault(peer, &fault, false);
}
