/* What ingest asks of the room above it: the table of functions that main fills (runs_ingest_ops). Called on the loop thread. */
#ifndef FORESHOCK_INGEST_OPS_H
#define FORESHOCK_INGEST_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/tensor.h"
#include "daemon/ingest/origin.h"
#include "proto/wire.h"

struct peer;

enum { INGEST_KNOWN = 1 };

/* `session` is what hello gave. A function that returns -1 has filled `*fault`, which goes to the client. */
struct ingest_ops {
    /* A client opens a session, or resumes `*session` if that is not NULL. Sets *session and *attempt. `origin` is who asks;
     * ingest_origin(peer) is who held the session before. */
    int (*hello)(void *ctx, struct peer *peer, const struct wire_hello *hello,
        const struct origin *origin, void **session, uint32_t *attempt, struct wire_fault *fault);
    /* The client has its welcome: from here on it can be sent alerts. */
    void (*welcomed)(void *ctx, void *session);
    int (*layer)(
        void *ctx, void *session, const struct wire_layer *layer, struct wire_fault *fault);
    int (*scalars)(
        void *ctx, void *session, const struct wire_scalars *scalars, struct wire_fault *fault);
    int (*rewind)(void *ctx, void *session, uint64_t step, struct wire_fault *fault);
    /* The first piece of a tensor is here: may it come? INGEST_KNOWN: it was there before; it is thrown away silently. */
    int (*tensor_begin)(
        void *ctx, void *session, const struct wire_tensor *header, struct wire_fault *fault);
    /* It is whole, and belongs to the room above from now on. */
    void (*tensor)(
        void *ctx, void *session, const struct wire_tensor *header, struct tensor *tensor);
    /* It will not come. `sample`: nor shall the others of its block and step (it was dropped, not refused). Returns how many
     * samples that costs: 0 when others of the same sample were lost before. */
    uint64_t (*tensor_lost)(
        void *ctx, void *session, const struct wire_tensor *header, bool sample);
    /* Everything before it has been handed over: answer with ingest_flushed when it is committed. */
    void (*flush)(void *ctx, void *session, uint64_t token);
    /* Whether the session may have room now for a tensor that it sends, or `asks` for: then again at every tick. */
    bool (*may_send)(void *ctx, void *session, bool asks);
    /* `samples`: all that the client dropped since its start. */
    void (*client_dropped)(void *ctx, void *session, uint64_t samples);
    void (*bye)(void *ctx, void *session);  /* the peer and the session are over */
    void (*lost)(void *ctx, void *session); /* the lease ran out; the same */
    void (*seen)(void *ctx, void *session); /* a sign of life, at most once a tick */
    void *ctx;
};

#endif
