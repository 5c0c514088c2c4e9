/* Whose a message is, hellos, leases and the tick; see ingest.h. */
#include "daemon/ingest/ingest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/clock.h"
#include "daemon/core/limits.h"
#include "daemon/core/log.h"
#include "daemon/ingest/bindings.h"
#include "daemon/ingest/control.h"
#include "daemon/ingest/credit.h"
#include "daemon/ingest/header.h"
#include "daemon/ingest/intake.h"
#include "daemon/ingest/peers.h"
#include "daemon/ingest/reply.h"
#include "daemon/ingest/router.h"
#include "proto/fault.h"
#include "proto/wire_decode.h"

struct ingest {
    struct ingest_options options;
    struct bindings bindings;
    struct reading_clock clock;
    struct peers peers;
    struct credit credit;
    struct intake intake;
    struct control control;
};

/* What a message is answered to, also when no peer is known. */
struct source {
    struct ingest *ingest;
    struct reply_to to;
};

static void answer_fault(const struct source *source, const struct wire_fault *fault, bool fatal)
{
    struct peer *peer = peers_by_origin(&source->ingest->peers, &source->to);

    reply_fault(&source->to, source->ingest->options.stats, peer ? peer->key : "", fault, fatal);
}

static void remove_peer(struct peer *peer)
{
    intake_forget(&peer->ingest->intake, peer);
    peers_remove(peer);
}

void ingest_error(struct peer *peer, const struct wire_fault *fault, bool fatal)
{
    peer_fault(peer, fault, fatal);
}

void ingest_error_seldom(struct peer *peer, const struct wire_fault *fault)
{
    peer_fault_seldom(peer, fault);
}

void ingest_flushed(struct peer *peer, uint64_t token)
{
    peer_send(
        peer, &(struct wire_message){.type = WIRE_FLUSHED, .u.flushed = {token, peer->dropped}});
}

void ingest_alert(struct peer *peer, const struct wire_alert *alert)
{
    peer_send(peer, &(struct wire_message){.type = WIRE_ALERT, .u.alert = *alert});
}

bool ingest_is_connected(struct peer *peer)
{
    return peer_is_connected(peer);
}

const struct origin *ingest_origin(const struct peer *peer)
{
    return &peer->to.origin;
}

void ingest_displace(struct peer *peer, const struct wire_fault *fault)
{
    peer_fault(peer, fault, true);
    remove_peer(peer);
}

void ingest_count_dropped(struct peer *peer, uint64_t samples)
{
    peer->dropped += samples;
}

void ingest_room(struct ingest *ingest)
{
    credit_serve(&ingest->credit);
}

static void welcome(struct peer *peer, uint32_t attempt)
{
    const struct ingest_options *o = &peer->ingest->options;
    char tensors[256];
    struct wire_message message = {.type = WIRE_WELCOME,
        .u.welcome = {.version = WIRE_VERSION,
            .attempt = attempt,
            .lease_ms = (uint64_t)(1000 * o->lease_seconds),
            .heartbeat_ms = (uint64_t)(1000 * o->heartbeat_seconds),
            .piece_bytes = WIRE_PIECE_MAX,
            .tensor_bytes = o->tensor_bytes,
            .daemon = wire_str(FORESHOCK_VERSION)}};

    bindings_tensor_endpoint(&peer->ingest->bindings, peer->to.router, tensors, sizeof tensors);
    message.u.welcome.tensors = wire_str(tensors);
    memcpy(message.u.welcome.ticket, peer->ticket, sizeof peer->ticket);
    peer_send(peer, &message);
}

static int open_peer(const struct source *source, const char *key, const struct wire_hello *hello,
    struct peer **peer, uint32_t *attempt, struct wire_fault *fault)
{
    struct ingest *ingest = source->ingest;
    const struct ingest_ops *ops = &ingest->options.ops;
    bool made = !*peer;

    if (made && peers_count(&ingest->peers) >= ingest->options.sessions_max)
        return fault_set(fault, WIRE_CODE_LIMIT, WIRE_HELLO, "session",
            "fewer live sessions (limits.sessions)", "%zu", peers_count(&ingest->peers));
    if (made && !(*peer = peers_add(&ingest->peers, ingest, key, NULL)))
        return fault_set(fault, WIRE_CODE_LIMIT, WIRE_HELLO, "session", "memory", "%s", key);
    if (ops->hello(ops->ctx, *peer, hello, &source->to.origin, &(*peer)->session, attempt, fault) ==
        0)
        return 0;
    if (made)
        remove_peer(*peer);
    return -1;
}

static void receive_hello(const struct source *source, const struct wire_hello *hello)
{
    struct ingest *ingest = source->ingest;
    char key[PEER_KEY_MAX];
    struct wire_fault fault;
    struct peer *peer;
    uint32_t attempt;

    snprintf(key, sizeof key, "%.*s %.*s", (int)hello->run.len, hello->run.ptr,
        (int)hello->session.len, hello->session.ptr);
    peer = peers_find(&ingest->peers, key);
    if (open_peer(source, key, hello, &peer, &attempt, &fault) != 0) {
        /* What another session holds may be free later. */
        answer_fault(
            source, &fault, fault.code != WIRE_CODE_RANK_TAKEN && fault.code != WIRE_CODE_LIMIT);
        return;
    }
    if (peer_connect(peer, &source->to) != 0) {
        log_error(
            "a session cannot be connected: no randomness for its ticket", LOG_STR("session", key));
        return;
    }
    intake_forget(&ingest->intake, peer); /* of the connection before */
    peer_renew(peer);
    welcome(peer, attempt);
    ingest->options.ops.welcomed(ingest->options.ops.ctx, peer->session);
}

static int decode_header(
    const struct source *source, struct router_message *m, struct wire_message *message)
{
    struct wire_fault fault;

    if (header_decode(m, message, &fault) == 0)
        return 0;
    answer_fault(source, &fault, fault.code == WIRE_CODE_VERSION);
    return -1;
}

static struct source source_of(
    struct ingest *ingest, struct router *router, struct router_message *m)
{
    stats_add(&ingest->options.stats->messages_received_total, 1);
    stats_add(&ingest->options.stats->bytes_received_total,
        zmq_msg_size(&m->header) + zmq_msg_size(&m->payload));
    return (struct source){ingest,
        {router, zmq_msg_data(&m->identity), zmq_msg_size(&m->identity), origin_of(&m->header)}};
}

static void on_control(void *ctx, struct router *router, struct router_message *m)
{
    struct source source = source_of(ctx, router, m);
    struct wire_message message;
    struct wire_fault fault;
    struct peer *peer;

    if (decode_header(&source, m, &message) != 0)
        return;
    peer = peers_by_origin(&source.ingest->peers, &source.to);
    if (message.type == WIRE_HELLO) {
        receive_hello(&source, &message.u.hello);
    } else if (peer) {
        control_receive(&source.ingest->control, peer, &message);
    } else {
        fault_set(
            &fault, WIRE_CODE_UNKNOWN_SESSION, message.type, "session", "hello first", "none");
        answer_fault(&source, &fault, false);
    }
    wire_message_free(&message);
}

static const uint8_t *ticket_of(const struct wire_message *message)
{
    if (message->type == WIRE_TENSOR)
        return message->u.tensor.ticket;
    return message->type == WIRE_FLUSH && message->u.flush.has_ticket ? message->u.flush.ticket
                                                                      : NULL;
}

static void on_tensors(void *ctx, struct router *router, struct router_message *m)
{
    struct source source = source_of(ctx, router, m);
    struct wire_message message;
    struct wire_fault fault;
    const uint8_t *ticket;
    struct peer *peer;

    if (decode_header(&source, m, &message) != 0)
        return;
    ticket = ticket_of(&message);
    peer = ticket ? peers_by_ticket(&source.ingest->peers, ticket) : NULL;
    if (peer && peer->to.origin.uid != source.to.origin.uid)
        peer = NULL;
    if (!ticket) {
        fault_set(&fault, WIRE_CODE_UNKNOWN_TYPE, message.type, "type",
            "tensor, or flush with a ticket, on this socket", "%s", wire_type_name(message.type));
        answer_fault(&source, &fault, false);
    } else if (!peer) {
        fault_set(&fault, WIRE_CODE_UNKNOWN_TICKET, message.type, "ticket",
            "the ticket of a live session's welcome", "?");
        answer_fault(&source, &fault, false);
    } else if (message.type == WIRE_TENSOR) {
        peer_renew(peer);
        intake_piece(&source.ingest->intake, peer, &message.u.tensor, &m->payload);
    } else {
        peer_renew(peer);
        control_receive_flush(&source.ingest->control, peer, message.u.flush.token, false);
    }
    wire_message_free(&message);
}

static void lose_lease(struct peer *peer)
{
    const struct ingest_ops *ops = &peer->ingest->options.ops;
    void *session = peer->session;

    log_warning("lease ran out without a bye", LOG_STR("session", peer->key));
    stats_add(&peer->ingest->options.stats->leases_lost_total, 1);
    remove_peer(peer);
    ops->lost(ops->ctx, session);
}

static void look_after(struct peer *peer)
{
    const struct ingest_ops *ops = &peer->ingest->options.ops;

    intake_expire(&peer->ingest->intake, peer);
    if (peer->seen && peer->to.router)
        ops->seen(ops->ctx, peer->session);
    peer->seen = false;
    if (peer_lease_is_over(peer))
        lose_lease(peer);
}

/* After a stall nobody is to blame: every lease starts anew. */
static void on_stall(struct ingest *ingest, uint64_t stalled_ms)
{
    struct peer *peer, *next;

    stats_add(&ingest->options.stats->stalls_total, 1);
    log_warning("the loop stood still: leases start anew", LOG_INT("ms", stalled_ms));
    HASH_ITER (by_key, ingest->peers.all, peer, next)
        peer_renew(peer);
}

void ingest_tick(struct ingest *ingest)
{
    uint64_t stalled_ms = reading_clock_tick(&ingest->clock, clock_ms());
    struct peer *peer, *next;

    if (stalled_ms > 0)
        on_stall(ingest, stalled_ms);
    HASH_ITER (by_key, ingest->peers.all, peer, next)
        look_after(peer);
    credit_lapse(&ingest->credit);
    credit_serve(&ingest->credit);
}

static bool may_send(void *owner, bool asks)
{
    const struct peer *peer = owner;
    const struct ingest_ops *ops = &peer->ingest->options.ops;

    return ops->may_send(ops->ctx, peer->session, asks);
}

static void on_granted(void *owner, uint64_t tensor)
{
    peer_send(owner, &(struct wire_message){.type = WIRE_GRANT, .u.grant = tensor});
}

static void wire_parts(struct ingest *ingest)
{
    const struct ingest_options *o = &ingest->options;
    uint64_t piece_ms = (uint64_t)(1000 * o->sample_deadline_seconds);

    ingest->peers = (struct peers){.clock = &ingest->clock,
        .lease_ms = (uint64_t)(1000 * o->lease_seconds),
        .stats = o->stats};
    ingest->credit = (struct credit){.options = {.memory_bytes = o->memory_bytes,
                                         .tensor_bytes = o->tensor_bytes,
                                         .grant_ms = piece_ms,
                                         .stats = o->stats,
                                         .clock = &ingest->clock,
                                         .may_send = may_send,
                                         .granted = on_granted}};
    ingest->intake = (struct intake){.ops = &o->ops,
        .credit = &ingest->credit,
        .clock = &ingest->clock,
        .stats = o->stats,
        .tensor_bytes = o->tensor_bytes,
        .piece_ms = piece_ms};
    ingest->control = (struct control){.ops = &o->ops,
        .credit = &ingest->credit,
        .intake = &ingest->intake,
        .tensor_bytes = o->tensor_bytes};
}

struct ingest *ingest_new(
    uv_loop_t *loop, const struct ingest_options *options, struct error *error)
{
    struct ingest *ingest = calloc(1, sizeof *ingest);

    if (!ingest) {
        error_set(error, "memory is short");
        return NULL;
    }
    ingest->options = *options;
    wire_parts(ingest);
    reading_clock_start(&ingest->clock, clock_ms());
    ingest->bindings = (struct bindings){
        .loop = loop, .on_control = on_control, .on_tensors = on_tensors, .ctx = ingest};
    if (bindings_open(&ingest->bindings, options->endpoints, options->endpoint_count, error) == 0)
        return ingest;
    free(ingest);
    return NULL;
}

const char *ingest_endpoint(const struct ingest *ingest, size_t n)
{
    return bindings_endpoint(&ingest->bindings, n);
}

struct peer *ingest_expect(
    struct ingest *ingest, const char *run, const char *session_key, void *session)
{
    char key[PEER_KEY_MAX];

    snprintf(key, sizeof key, "%s %s", run, session_key);
    return peers_add(&ingest->peers, ingest, key, session);
}

void ingest_close(struct ingest *ingest)
{
    struct peer *peer, *next;

    HASH_ITER (by_key, ingest->peers.all, peer, next) {
        peer_send(peer, &(struct wire_message){.type = WIRE_CLOSING});
        remove_peer(peer);
    }
    bindings_close(&ingest->bindings);
    free(ingest);
}
