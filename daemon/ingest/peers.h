/* Peers: the sessions of clients, how each is reached, and until when it is believed to live. Loop thread only.
 *
 * A peer lives from its hello (or ingest_expect) until its bye or the end of its lease, across reconnects. Its lease counts
 * only time in which the daemon was reading. */
#ifndef FORESHOCK_INGEST_PEERS_H
#define FORESHOCK_INGEST_PEERS_H

#include <uthash.h>

#include "daemon/core/limits.h"
#include "daemon/core/stats.h"
#include "daemon/ingest/assembly.h"
#include "daemon/ingest/credit.h"
#include "daemon/ingest/flushes.h"
#include "daemon/ingest/reading_clock.h"
#include "daemon/ingest/reply.h"

#define PEER_KEY_MAX      (WIRE_RUN_MAX + WIRE_SESSION_MAX + 2)
#define PEER_IDENTITY_MAX 255 /* ZeroMQ's own bound */

struct ingest;
struct peers;

struct peer {
    struct ingest *ingest;
    struct peers *peers;
    char key[PEER_KEY_MAX]; /* run, a space, session */
    void *session;          /* the room above's */
    /* `to.router` NULL: not connected. Messages of another origin are not this peer's. */
    struct reply_to to;
    uint8_t identity[PEER_IDENTITY_MAX];
    uint8_t ticket[WIRE_TICKET_SIZE];
    uint64_t lease_until_ms; /* on the reading clock */
    bool seen;               /* since the last tick */
    uint64_t dropped;        /* samples of this peer that the daemon dropped */
    uint64_t warned_ms;      /* last peer_fault_seldom, on the reading clock; 0: never */
    struct flushes flushes;
    struct assembly assembly;
    /* When the next piece of the assembly must be here, on the reading clock. */
    uint64_t piece_until_ms;
    struct credit_account account;
    UT_hash_handle by_key, by_identity, by_ticket;
};

/* All peers, and the same by identity on the control socket and by ticket while they are connected. */
struct peers {
    struct peer *all, *connected, *ticketed;
    const struct reading_clock *clock;
    uint64_t lease_ms;
    struct stats *stats;
};

/* Not connected, with a full lease. NULL: memory is short. */
struct peer *peers_add(struct peers *peers, struct ingest *ingest, const char *key, void *session);

/* Frees the peer. Its assembly and its credit must be released before. */
void peers_remove(struct peer *peer);

struct peer *peers_find(struct peers *peers, const char *key);
struct peer *peers_by_ticket(struct peers *peers, const uint8_t ticket[WIRE_TICKET_SIZE]);
/* Who speaks on a control socket; NULL: nobody whose user and socket these are. */
struct peer *peers_by_origin(struct peers *peers, const struct reply_to *from);
size_t peers_count(const struct peers *peers);

/* The peer answers on this connection from now on; it gets a new ticket. 0, or -1: no randomness to be had. */
int peer_connect(struct peer *peer, const struct reply_to *from);

/* A sign of life: a full lease from now on. */
void peer_renew(struct peer *peer);
bool peer_lease_is_over(const struct peer *peer);

/* Nothing is sent while the peer is not connected. */
void peer_send(struct peer *peer, const struct wire_message *message);
void peer_fault(struct peer *peer, const struct wire_fault *fault, bool fatal);
/* The same for faults that come by the hundred: sent at most every LIMIT_FAULT_PAUSE_MS, always counted. */
void peer_fault_seldom(struct peer *peer, const struct wire_fault *fault);

/* False: nobody is at the other end any more. After a start of the daemon those who were connected before count as connected
 * for LIMIT_RETURN_MS. */
bool peer_is_connected(struct peer *peer);

#endif
