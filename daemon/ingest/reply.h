/* Answers: a message to whoever stands at the other end of a connection, known as a session or not. Loop thread only. */
#ifndef FORESHOCK_INGEST_REPLY_H
#define FORESHOCK_INGEST_REPLY_H

#include "daemon/core/stats.h"
#include "daemon/ingest/origin.h"
#include "daemon/ingest/router.h"
#include "proto/wire.h"

/* Where a message came from. Borrows the identity. */
struct reply_to {
    struct router *router; /* NULL: nobody is connected, and nothing is sent */
    const void *identity;
    size_t identity_size;
    struct origin origin;
};

/* Never waits. False with errno if it was not sent; EHOSTUNREACH: nobody is at the other end any more. */
bool reply_send(const struct reply_to *to, const struct wire_message *message);

/* Sends an error message and counts it (reply_count). `session`: the peer's key, for the log; "" if there is none. */
void reply_fault(const struct reply_to *to, struct stats *stats, const char *session,
    const struct wire_fault *fault, bool fatal);

/* Counts a refused message without an answer to its sender. */
void reply_count(struct stats *stats, const struct wire_fault *fault);

#endif
