/* See barriers.h. */
#include "daemon/runs/barriers.h"

#include <stdlib.h>
#include <utlist.h>

#include "daemon/core/log.h"
#include "daemon/runs/item.h"
#include "daemon/runs/registry.h"
#include "daemon/runs/run.h"

/* One on its way through the store. */
struct flying_barrier {
    struct mailbox *mailbox;
    struct session *session;
    uint64_t token;
    bool ok;
};

/* Back on the loop: the store has committed everything before it. */
static void on_landed(void *arg)
{
    struct flying_barrier *barrier = arg;
    struct session *session = barrier->session;

    session->barriers_flying--;
    if (barrier->ok && session->peer)
        ingest_flushed(session->peer, barrier->token);
    free(barrier);
}

/* On the writer thread. */
static void on_committed(void *ctx, bool ok)
{
    struct flying_barrier *barrier = ctx;

    barrier->ok = ok;
    if (mailbox_post(barrier->mailbox, on_landed, barrier) != 0)
        log_error("a flush is not answered: memory is short");
}

static void send_to_store(struct session *session, uint64_t token)
{
    const struct runs_options *options = session->run->registry->options;
    struct flying_barrier *barrier = calloc(1, sizeof *barrier);
    struct store_batch *batch = store_batch_new();

    if (!barrier || !batch) {
        free(barrier);
        store_batch_free(batch);
        return;
    }
    *barrier =
        (struct flying_barrier){.mailbox = options->mailbox, .session = session, .token = token};
    store_on_commit(batch, on_committed, barrier);
    session->barriers_flying++;
    store_submit(options->store, batch); /* refused or not, it lands */
}

void barriers_check(struct session *session)
{
    struct barrier *barrier, *next;

    DL_FOREACH_SAFE (session->barriers, barrier, next) {
        if (session->backlog.entries || !session_has_room(session))
            return; /* looked at again when there may be room */
        if (session->undone && session->undone->sequence <= barrier->after)
            return;
        send_to_store(session, barrier->token);
        DL_DELETE(session->barriers, barrier);
        free(barrier);
    }
}

void barriers_add(struct session *session, uint64_t token)
{
    struct barrier *barrier = calloc(1, sizeof *barrier);

    if (!barrier)
        return;
    barrier->token = token;
    barrier->after = session->sequence;
    DL_APPEND(session->barriers, barrier);
    barriers_check(session);
}
