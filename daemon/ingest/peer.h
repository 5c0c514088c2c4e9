/* A peer: one session of one client, the tensor that it is sending, and its turn for room. Loop thread only. */
#ifndef FORESHOCK_INGEST_PEER_H
#define FORESHOCK_INGEST_PEER_H

#include <uthash.h>
#include <utlist.h>

#include "daemon/core/limits.h"
#include "daemon/ingest/ingest.h"
#include "daemon/ingest/socket.h"

#define PEER_KEY_MAX      (WIRE_RUN_MAX + WIRE_SESSION_MAX + 2)
#define PEER_IDENTITY_MAX 255 /* ZeroMQ's own bound */

/* A session's request for room for one tensor; its bytes are charged once it is granted. */
struct want {
    struct peer *peer;
    uint64_t tensor, bytes;
    bool granted;
    uint64_t granted_ms; /* on the reading clock */
    struct want *prev, *next;
};

/* The tensor whose pieces are coming. */
struct assembly {
    bool busy;     /* pieces are expected */
    bool skipping; /* of a tensor that was refused or dropped: its pieces are thrown away */
    struct wire_tensor header;
    char dtype[16]; /* what header.dtype points to */
    struct tensor *tensor;
    uint64_t offset;      /* of the next piece */
    uint64_t deadline_ms; /* on the reading clock */
};

/* A flush marker that has come on one socket, and waits for its like on the other. */
struct flush {
    uint64_t token;
    bool on_control;
};

struct peer {
    struct ingest *ingest;
    char key[PEER_KEY_MAX]; /* run, a space, session */
    void *session;          /* the room above's */
    struct router *control; /* NULL: not connected */
    struct origin origin;   /* who said hello; messages of others are not this peer's */
    uint8_t identity[PEER_IDENTITY_MAX];
    size_t identity_size;
    uint8_t ticket[WIRE_TICKET_SIZE];
    uint64_t lease_until_ms; /* on the reading clock */
    bool seen;               /* since the last tick */
    uint64_t dropped, told_ms;
    struct flush flushes[LIMIT_FLUSHES];
    size_t flush_count;
    struct assembly assembly;
    size_t wants;
    UT_hash_handle by_key, by_identity, by_ticket;
};

struct binding {
    struct router *control, *tensors;
};

struct ingest {
    struct ingest_options options;
    void *zmq;
    uv_timer_t tick;
    struct binding bindings[LIMIT_ENDPOINTS];
    size_t binding_count;
    struct peer *peers, *connected,
        *ticketed;       /* the same peers by key, by identity on the control socket, by ticket */
    struct want *wants;  /* granted and waiting, in order */
    uint64_t lacked_ms;  /* when somebody last found no room, on the reading clock */
    uint64_t reading_ms; /* the reading clock: time in which the loop turned */
    uint64_t tick_at_ms; /* monotonic time of the last tick */
};

struct peer *peer_new(struct ingest *ingest, const char *key, void *session);
struct peer *peer_by_identity(struct ingest *ingest, const void *identity, size_t size);
struct peer *peer_by_ticket(struct ingest *ingest, const uint8_t ticket[WIRE_TICKET_SIZE]);

/* Where a message came from: enough to answer it, also when no peer is known. */
struct source {
    struct ingest *ingest;
    struct router *router;
    const void *identity;
    size_t identity_size;
    struct origin origin;
};

/* The peer answers on this connection from now on; it gets a new ticket. 0, or -1: no randomness to be had. */
int peer_connect(struct peer *peer, const struct source *source);
void peer_renew(struct peer *peer);

/* Lets go of everything: half a tensor, wants, tables. The session is not told. */
void peer_free(struct peer *peer);

void peer_send(struct peer *peer, const struct wire_message *message);

/* false: nobody is at the other end any more. */
bool peer_is_connected(struct peer *peer);

/* One piece of a tensor (assembly.c). `payload` is moved out when it is kept. */
void assembly_piece(struct peer *peer, const struct wire_tensor *header, zmq_msg_t *payload);
void assembly_expire(struct peer *peer);
void assembly_reset(struct peer *peer);

/* Room for tensors that must not be lost (wants.c). */
void credit_add(struct peer *peer, uint64_t tensor, uint64_t bytes, struct wire_fault *fault);
void credit_serve(struct ingest *ingest);
bool credit_fit(
    const struct peer *peer, uint64_t bytes); /* whether there is room for a tensor now */
bool credit_take(
    struct peer *peer, uint64_t tensor, uint64_t bytes); /* the granted room becomes the tensor's */
void credit_forget(struct peer *peer);
/* Room that was granted and is not used is given back while others lack it. */
void credit_lapse(struct ingest *ingest);

#endif
