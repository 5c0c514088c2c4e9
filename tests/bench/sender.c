/* A lossless client of the wire protocol; see sender.h. */
#include "tests/bench/sender.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "proto/wire_decode.h"
#include "proto/wire_encode.h"

#define PATIENCE_MS 120000

static int told(const char *what)
{
    fprintf(stderr, "sender: %s: %s\n", what, zmq_strerror(zmq_errno()));
    return -1;
}

void *sender_dealer(struct sender *sender, const char *endpoint)
{
    void *socket = zmq_socket(sender->context, ZMQ_DEALER);
    int patience = PATIENCE_MS, none = 0;

    if (!socket) {
        told(endpoint);
        return NULL;
    }
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &patience, sizeof patience);
    zmq_setsockopt(socket, ZMQ_SNDTIMEO, &patience, sizeof patience);
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
    if (zmq_connect(socket, endpoint) == 0)
        return socket;
    told(endpoint);
    zmq_close(socket);
    return NULL;
}

static int send_message(void *socket, const struct wire_message *message)
{
    void *bytes;
    size_t size;
    int rc;

    if (wire_encode(message, &bytes, &size) != 0)
        return told("encode");
    rc = zmq_send(socket, bytes, size, 0);
    free(bytes);
    return rc < 0 ? told("send") : 0;
}

/* The next message of the daemon, to be freed. An error message is told and fails. */
static int receive(struct sender *sender, struct wire_message *message)
{
    struct wire_fault fault;
    zmq_msg_t frame;
    int rc = -1;

    zmq_msg_init(&frame);
    if (zmq_msg_recv(&frame, sender->control, 0) < 0)
        told("receive");
    else if (wire_decode(zmq_msg_data(&frame), zmq_msg_size(&frame), message, &fault) != 0)
        fprintf(stderr, "sender: the daemon's message cannot be read: %s\n", fault.field);
    else
        rc = 0;
    zmq_msg_close(&frame);
    if (rc == 0 && message->type == WIRE_ERROR) {
        const struct wire_error *e = &message->u.error;

        fprintf(stderr, "sender: refused: %.*s %.*s %.*s, expected %.*s\n", (int)e->code.len,
            e->code.ptr, (int)e->field.len, e->field.ptr, (int)e->value.len, e->value.ptr,
            (int)e->expected.len, e->expected.ptr);
        wire_message_free(message);
        return -1;
    }
    return rc;
}

/* Passes over what else the daemon says. */
static int receive_type(struct sender *sender, enum wire_type type, struct wire_message *message)
{
    for (;;) {
        if (receive(sender, message) != 0)
            return -1;
        if (message->type == type)
            return 0;
        wire_message_free(message);
    }
}

static int open_tensors(struct sender *sender, const struct wire_welcome *welcome)
{
    char endpoint[256];

    snprintf(endpoint, sizeof endpoint, "%.*s", (int)welcome->tensors.len, welcome->tensors.ptr);
    memcpy(sender->ticket, welcome->ticket, sizeof sender->ticket);
    sender->tensors = sender_dealer(sender, endpoint);
    return sender->tensors ? 0 : -1;
}

int sender_open(struct sender *sender, const char *endpoint, const char *run)
{
    struct wire_message hello = {.type = WIRE_HELLO,
        .u.hello = {.version = WIRE_VERSION,
            .run = wire_str(run),
            .session = wire_str("bench"),
            .world = 1,
            .lossless = true}};
    struct wire_message answer;
    int rc;

    *sender = (struct sender){.context = zmq_ctx_new()};
    sender->control = sender_dealer(sender, endpoint);
    if (!sender->control)
        return -1;
    if (send_message(sender->control, &hello) != 0 ||
        receive_type(sender, WIRE_WELCOME, &answer) != 0)
        return -1;
    rc = open_tensors(sender, &answer.u.welcome);
    wire_message_free(&answer);
    return rc;
}

void sender_close(struct sender *sender)
{
    if (sender->control)
        zmq_close(sender->control);
    if (sender->tensors)
        zmq_close(sender->tensors);
    if (sender->context)
        zmq_ctx_term(sender->context);
    *sender = (struct sender){0};
}

int sender_layer(struct sender *sender, uint32_t layer, size_t rows, size_t cols, const char *dtype)
{
    char name[16];
    struct wire_message message = {.type = WIRE_LAYER,
        .u.layer = {.layer = layer,
            .name = {name, 0},
            .shape = {rows, cols},
            .dtype = wire_str(dtype),
            .role = wire_str("linear")}};

    snprintf(name, sizeof name, "%u", layer);
    message.u.layer.name = wire_str(name);
    return send_message(sender->control, &message);
}

int sender_want(struct sender *sender, size_t bytes)
{
    struct wire_message message = {.type = WIRE_WANT, .u.want = {++sender->asked, bytes}};

    return send_message(sender->control, &message);
}

static int wait_for_grant(struct sender *sender, uint64_t tensor)
{
    struct wire_message message;

    while (sender->granted < tensor) {
        if (receive_type(sender, WIRE_GRANT, &message) != 0)
            return -1;
        sender->granted = message.u.grant;
        wire_message_free(&message);
    }
    return 0;
}

static void keep_it(void *data, void *hint)
{
    (void)data;
    (void)hint;
}

int sender_pieces(void *socket, const void *data, size_t bytes, sender_header make, void *ctx)
{
    for (size_t offset = 0; offset < bytes; offset += WIRE_PIECE_MAX) {
        size_t size = bytes - offset < WIRE_PIECE_MAX ? bytes - offset : WIRE_PIECE_MAX;
        void *header;
        size_t header_size;
        zmq_msg_t piece;
        bool sent;

        if (make(ctx, offset, &header, &header_size) != 0)
            return told("encode");
        zmq_msg_init_data(&piece, (char *)data + offset, size, keep_it, NULL);
        sent = zmq_send(socket, header, header_size, ZMQ_SNDMORE) >= 0 &&
               zmq_msg_send(&piece, socket, 0) >= 0;
        free(header);
        if (!sent) {
            zmq_msg_close(&piece);
            return told("send");
        }
    }
    return 0;
}

static int piece_header(void *ctx, uint64_t offset, void **header, size_t *header_size)
{
    struct wire_message *message = ctx;

    message->u.tensor.offset = offset;
    return wire_encode(message, header, header_size);
}

int sender_tensor(struct sender *sender, const struct wire_tensor *header, const void *data)
{
    struct wire_message message = {.type = WIRE_TENSOR, .u.tensor = *header};

    memcpy(message.u.tensor.ticket, sender->ticket, sizeof sender->ticket);
    message.u.tensor.tensor = ++sender->sent;
    if (wait_for_grant(sender, sender->sent) != 0)
        return -1;
    return sender_pieces(sender->tensors, data, header->total, piece_header, &message);
}

int sender_flush(struct sender *sender)
{
    struct wire_message message = {.type = WIRE_FLUSH, .u.flush = {.token = ++sender->token}};
    uint64_t dropped;

    if (send_message(sender->control, &message) != 0)
        return -1;
    message.u.flush.has_ticket = true;
    memcpy(message.u.flush.ticket, sender->ticket, sizeof sender->ticket);
    if (send_message(sender->tensors, &message) != 0 ||
        receive_type(sender, WIRE_FLUSHED, &message) != 0)
        return -1;
    dropped = message.u.flushed.dropped;
    wire_message_free(&message);
    if (dropped > 0)
        fprintf(stderr, "sender: the daemon dropped %llu samples\n", (unsigned long long)dropped);
    return dropped > 0 ? -1 : 0;
}
