/* The tables of peers, their connections and leases; see peers.h. */
#include "daemon/ingest/peers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct peer *peers_add(struct peers *peers, struct ingest *ingest, const char *key, void *session)
{
    struct peer *peer = calloc(1, sizeof *peer);

    if (!peer)
        return NULL;
    peer->ingest = ingest;
    peer->peers = peers;
    peer->session = session;
    peer->to.origin = (struct origin){ORIGIN_UNKNOWN, ORIGIN_UNKNOWN};
    peer->account.owner = peer;
    snprintf(peer->key, sizeof peer->key, "%s", key);
    peer_renew(peer);
    HASH_ADD_KEYPTR(by_key, peers->all, peer->key, strlen(peer->key), peer);
    return peer;
}

struct peer *peers_find(struct peers *peers, const char *key)
{
    struct peer *peer;

    HASH_FIND(by_key, peers->all, key, strlen(key), peer);
    return peer;
}

static struct peer *find_by_identity(struct peers *peers, const void *identity, size_t size)
{
    struct peer *peer;

    HASH_FIND(by_identity, peers->connected, identity, size, peer);
    return peer;
}

/* Identities of different sockets may be the same, and whoever makes up another user's identity is not that user. */
struct peer *peers_by_origin(struct peers *peers, const struct reply_to *from)
{
    struct peer *peer = find_by_identity(peers, from->identity, from->identity_size);

    return peer && peer->to.router == from->router && peer->to.origin.uid == from->origin.uid
               ? peer
               : NULL;
}

struct peer *peers_by_ticket(struct peers *peers, const uint8_t ticket[WIRE_TICKET_SIZE])
{
    struct peer *peer;

    HASH_FIND(by_ticket, peers->ticketed, ticket, WIRE_TICKET_SIZE, peer);
    return peer;
}

size_t peers_count(const struct peers *peers)
{
    return HASH_CNT(by_key, peers->all);
}

static void disconnect(struct peer *peer)
{
    if (!peer->to.router)
        return;
    HASH_DELETE(by_identity, peer->peers->connected, peer);
    HASH_DELETE(by_ticket, peer->peers->ticketed, peer);
    peer->to.router = NULL;
}

int peer_connect(struct peer *peer, const struct reply_to *from)
{
    struct peers *peers = peer->peers;
    struct peer *before = find_by_identity(peers, from->identity, from->identity_size);
    uint8_t ticket[WIRE_TICKET_SIZE];

    if (from->identity_size > sizeof peer->identity ||
        getrandom(ticket, sizeof ticket, 0) != sizeof ticket)
        return -1;
    if (before)
        disconnect(before);
    disconnect(peer);
    memcpy(peer->identity, from->identity, from->identity_size);
    peer->to = *from;
    peer->to.identity = peer->identity;
    memcpy(peer->ticket, ticket, sizeof ticket);
    HASH_ADD(by_identity, peers->connected, identity, peer->to.identity_size, peer);
    HASH_ADD(by_ticket, peers->ticketed, ticket, WIRE_TICKET_SIZE, peer);
    flushes_clear(&peer->flushes);
    return 0;
}

void peer_renew(struct peer *peer)
{
    peer->lease_until_ms = peer->peers->clock->now_ms + peer->peers->lease_ms;
    peer->seen = true;
}

bool peer_lease_is_over(const struct peer *peer)
{
    return peer->peers->clock->now_ms >= peer->lease_until_ms;
}

void peers_remove(struct peer *peer)
{
    disconnect(peer);
    HASH_DELETE(by_key, peer->peers->all, peer);
    free(peer);
}

void peer_send(struct peer *peer, const struct wire_message *message)
{
    reply_send(&peer->to, message);
}

void peer_fault(struct peer *peer, const struct wire_fault *fault, bool fatal)
{
    reply_fault(&peer->to, peer->peers->stats, peer->key, fault, fatal);
}

void peer_fault_seldom(struct peer *peer, const struct wire_fault *fault)
{
    uint64_t now = peer->peers->clock->now_ms;

    if (peer->warned_ms != 0 && now - peer->warned_ms < LIMIT_FAULT_PAUSE_MS) {
        reply_count(peer->peers->stats, fault);
        return;
    }
    peer_fault(peer, fault, false);
    peer->warned_ms = now ? now : 1;
}

bool peer_is_connected(struct peer *peer)
{
    static const struct wire_message ping = {.type = WIRE_PING};

    if (!peer->to.router)
        return peer->peers->clock->now_ms < LIMIT_RETURN_MS;
    if (origin_has_exited(&peer->to.origin))
        return false;
    /* ZeroMQ tells that a connection is closed only to who sends on it. */
    return reply_send(&peer->to, &ping) || errno != EHOSTUNREACH;
}
