/* One bound ROUTER socket inside the libuv loop. Loop thread only.
 *
 * ZeroMQ's file descriptor is edge-triggered and a send may eat a read edge, so the descriptor only wakes the loop: before
 * each poll `prepare` asks ZMQ_EVENTS and, if there is something to read, keeps the loop from sleeping with an idle handle;
 * after the poll `check` reads up to a budget of messages and bytes and leaves the rest for the next turn. */
#ifndef FORESHOCK_INGEST_ROUTER_H
#define FORESHOCK_INGEST_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>
#include <zmq.h>

#include "daemon/core/error.h"

struct router;

/* One message. `frames` counts those after the identity, also the ones above two, which are read and thrown away. The
 * receiver may zmq_msg_move a frame out; the rest is closed after the call. */
struct router_message {
    zmq_msg_t identity, header, payload;
    size_t frames;
};

struct router_options {
    const char *endpoint;
    int receive_hwm;
    int64_t frame_max; /* a larger frame makes ZeroMQ hang up on its peer */
    void (*receive)(void *ctx, struct router *router, struct router_message *message);
    void *ctx;
};

/* Binds. ipc sockets are made with mode 0660. On failure NULL, and `error` tells the endpoint and the reason. */
struct router *router_new(
    uv_loop_t *loop, void *zmq_context, const struct router_options *options, struct error *error);

/* The endpoint as bound (with the port that a `*` was given). Lives as long as the router. */
const char *router_endpoint(const struct router *router);

/* Sends one single-frame message without waiting. false with errno: EHOSTUNREACH, the peer is gone; EAGAIN, it does not read. */
bool router_send(struct router *router, const void *identity, size_t identity_size,
    const void *data, size_t size);

/* Stops reading, unbinds, closes the ZeroMQ socket; frees itself once the loop has run its closing turn. Not from `receive`. */
void router_close(struct router *router);

#endif
