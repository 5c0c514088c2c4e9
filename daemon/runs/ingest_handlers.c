/* See ingest_handlers.h. */
#include "daemon/runs/ingest_handlers.h"

#include "daemon/runs/barriers.h"
#include "daemon/runs/declaration.h"
#include "daemon/runs/hello.h"
#include "daemon/runs/scalars.h"
#include "daemon/runs/sessions.h"

static int on_hello(void *ctx, struct peer *peer, const struct wire_hello *hello,
    const struct origin *origin, void **known, uint32_t *attempt, struct wire_fault *fault)
{
    struct session *session = *known;

    if (hello_receive(ctx, peer, hello, origin, &session, fault) != 0)
        return -1;
    *known = session;
    *attempt = session->attempt;
    return 0;
}

static void on_welcomed(void *ctx, void *session)
{
    (void)ctx;
    sessions_welcomed(session);
}

static int on_layer(
    void *ctx, void *session, const struct wire_layer *layer, struct wire_fault *fault)
{
    (void)ctx;
    return declaration_take(session, layer, fault);
}

static int on_scalars(
    void *ctx, void *session, const struct wire_scalars *scalars, struct wire_fault *fault)
{
    (void)ctx;
    return scalars_take(session, scalars, fault);
}

static int on_rewind(void *ctx, void *session, uint64_t step, struct wire_fault *fault)
{
    (void)fault;
    sessions_rewind(ctx, session, step);
    return 0;
}

static int on_tensor_begin(
    void *ctx, void *session, const struct wire_tensor *header, struct wire_fault *fault)
{
    (void)ctx;
    return samples_begin(session, header, fault);
}

static void on_tensor(
    void *ctx, void *session, const struct wire_tensor *header, struct tensor *tensor)
{
    samples_tensor(ctx, session, header, tensor);
}

static uint64_t on_tensor_lost(
    void *ctx, void *session, const struct wire_tensor *header, bool sample)
{
    return samples_lost(ctx, session, header, sample);
}

static void on_flush(void *ctx, void *session, uint64_t token)
{
    (void)ctx;
    barriers_add(session, token);
}

static bool on_may_send(void *ctx, void *session, bool asks)
{
    return samples_may_send(ctx, session, asks);
}

static void on_client_dropped(void *ctx, void *session, uint64_t samples)
{
    (void)ctx;
    sessions_dropped(session, samples);
}

static void on_bye(void *ctx, void *session)
{
    sessions_bye(ctx, session);
}

static void on_lost(void *ctx, void *session)
{
    sessions_lost(ctx, session);
}

static void on_seen(void *ctx, void *session)
{
    (void)ctx;
    sessions_seen(session);
}

struct ingest_ops ingest_handlers_ops(struct samples *samples)
{
    return (struct ingest_ops){
        .hello = on_hello,
        .welcomed = on_welcomed,
        .layer = on_layer,
        .scalars = on_scalars,
        .rewind = on_rewind,
        .tensor_begin = on_tensor_begin,
        .tensor = on_tensor,
        .tensor_lost = on_tensor_lost,
        .flush = on_flush,
        .may_send = on_may_send,
        .client_dropped = on_client_dropped,
        .bye = on_bye,
        .lost = on_lost,
        .seen = on_seen,
        .ctx = samples,
    };
}
