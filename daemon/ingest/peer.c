/* Peers: the tables that find them, connecting and leaving; see peer.h. */
#include "daemon/ingest/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct peer *peer_new(struct ingest *ingest, const char *key, void *session)
{
    struct peer *peer = calloc(1, sizeof *peer);

    if (!peer)
        return NULL;
    peer->ingest = ingest;
    peer->session = session;
    peer->origin = (struct origin){ORIGIN_UNKNOWN, ORIGIN_UNKNOWN};
    snprintf(peer->key, sizeof peer->key, "%s", key);
    peer_renew(peer);
    HASH_ADD_KEYPTR(by_key, ingest->peers, peer->key, strlen(peer->key), peer);
    return peer;
}

struct peer *peer_by_identity(struct ingest *ingest, const void *identity, size_t size)
{
    struct peer *peer;

    HASH_FIND(by_identity, ingest->connected, identity, size, peer);
    return peer;
}

struct peer *peer_by_ticket(struct ingest *ingest, const uint8_t ticket[WIRE_TICKET_SIZE])
{
    struct peer *peer;

    HASH_FIND(by_ticket, ingest->ticketed, ticket, WIRE_TICKET_SIZE, peer);
    return peer;
}

static void disconnect(struct peer *peer)
{
    if (!peer->control)
        return;
    HASH_DELETE(by_identity, peer->ingest->connected, peer);
    HASH_DELETE(by_ticket, peer->ingest->ticketed, peer);
    peer->control = NULL;
}

int peer_connect(struct peer *peer, const struct source *source)
{
    size_t size = source->identity_size;
    struct peer *before = peer_by_identity(peer->ingest, source->identity, size);
    uint8_t ticket[WIRE_TICKET_SIZE];

    if (size > sizeof peer->identity || getrandom(ticket, sizeof ticket, 0) != sizeof ticket)
        return -1;
    if (before)
        disconnect(before);
    disconnect(peer);
    peer->control = source->router;
    peer->origin = source->origin;
    memcpy(peer->identity, source->identity, size);
    peer->identity_size = size;
    memcpy(peer->ticket, ticket, sizeof ticket);
    HASH_ADD(by_identity, peer->ingest->connected, identity, peer->identity_size, peer);
    HASH_ADD(by_ticket, peer->ingest->ticketed, ticket, WIRE_TICKET_SIZE, peer);
    peer->flush_count = 0;
    assembly_reset(peer);
    credit_forget(peer);
    return 0;
}

void peer_renew(struct peer *peer)
{
    peer->lease_until_ms =
        peer->ingest->reading_ms + (uint64_t)(1000 * peer->ingest->options.lease_seconds);
    peer->seen = true;
}

void peer_free(struct peer *peer)
{
    disconnect(peer);
    assembly_reset(peer);
    credit_forget(peer);
    HASH_DELETE(by_key, peer->ingest->peers, peer);
    free(peer);
}

void peer_send(struct peer *peer, const struct wire_message *message)
{
    void *bytes;
    size_t size;

    if (!peer->control || wire_encode(message, &bytes, &size) != 0)
        return;
    router_send(peer->control, peer->identity, peer->identity_size, bytes, size);
    free(bytes);
}

bool peer_is_connected(struct peer *peer)
{
    static const struct wire_message ping = {.type = WIRE_PING};
    void *bytes;
    size_t size;
    bool there;

    if (!peer->control)
        return peer->ingest->reading_ms < LIMIT_RETURN_MS;
    if (origin_has_exited(&peer->origin))
        return false;
    /* ZeroMQ tells that a connection is closed only to who sends on it. */
    if (wire_encode(&ping, &bytes, &size) != 0)
        return true;
    there = router_send(peer->control, peer->identity, peer->identity_size, bytes, size) ||
            errno != EHOSTUNREACH;
    free(bytes);
    return there;
}
