/* Scalars while the store has no room. Those of a lossless session wait here, and with them the answers to its flushes, so that
 * the client keeps its own copies and sends no more than it may. Those of others are dropped and counted. */
#include <stdlib.h>
#include <string.h>

#include "daemon/runs/state.h"

struct waiting {
    struct wire_scalars scalars; /* points into the same allocation */
    uint32_t attempt;
    size_t bytes;
    struct waiting *prev, *next;
};

/* A copy in one piece: the message, its values, their names. */
static struct waiting *copy_of(const struct wire_scalars *scalars)
{
    size_t values = scalars->values_count * sizeof *scalars->values, bytes;
    struct waiting *copy;
    struct wire_scalar *value;
    char *text;

    bytes = sizeof *copy + values;
    for (size_t i = 0; i < scalars->values_count; i++)
        bytes += scalars->values[i].name.len;
    copy = malloc(bytes);
    if (!copy)
        return NULL;
    value = (struct wire_scalar *)(copy + 1);
    text = (char *)(value + scalars->values_count);
    *copy = (struct waiting){.scalars = *scalars, .bytes = bytes};
    copy->scalars.values = value;
    for (size_t i = 0; i < scalars->values_count; i++, value++) {
        *value = scalars->values[i];
        memcpy(text, value->name.ptr, value->name.len);
        value->name.ptr = text;
        text += value->name.len;
    }
    return copy;
}

void backlog_lose(struct session *session)
{
    session->run->dropped++;
    stats_add(&session->run->runs->options.stats->dropped_scalars_total, 1);
    if (session->peer)
        ingest_count_dropped(session->peer, 1);
}

static void forget(struct session *session, struct waiting *waiting)
{
    session->run->runs->backlog_bytes -= waiting->bytes;
    DL_DELETE(session->backlog, waiting);
    free(waiting);
}

static void keep(struct session *session, const struct wire_scalars *scalars)
{
    struct runs *runs = session->run->runs;
    struct waiting *copy = copy_of(scalars);

    if (!copy || copy->bytes > LIMIT_BACKLOG_BYTES - runs->backlog_bytes) {
        free(copy);
        backlog_lose(session);
        return;
    }
    copy->attempt = session->attempt;
    runs->backlog_bytes += copy->bytes;
    DL_APPEND(session->backlog, copy);
}

int backlog_scalars(
    void *ctx, void *known, const struct wire_scalars *scalars, struct wire_fault *fault)
{
    struct session *session = known;

    if (!session->backlog && sessions_has_room(session))
        return scalars_log(ctx, known, scalars, fault);
    if (session->lossless)
        keep(session, scalars);
    else
        backlog_lose(session);
    return 0;
}

static void log_waiting(struct session *session, const struct waiting *waiting)
{
    struct wire_fault fault;

    if (waiting->attempt != session->attempt)
        backlog_lose(session); /* of an attempt that the session has left since */
    else if (scalars_log(session->run->runs, session, &waiting->scalars, &fault) != 0 &&
             session->peer)
        ingest_error(session->peer, &fault, false);
}

/* Flushes wait for the backlog of their session, and for room of their own. */
static void serve(struct session *session)
{
    while (session->backlog && sessions_has_room(session)) {
        log_waiting(session, session->backlog);
        forget(session, session->backlog);
    }
    fences_check(session);
}

void backlog_serve(struct runs *runs)
{
    struct run *run, *next_run;
    struct session *session, *next;

    HASH_ITER (by_id, runs->by_id, run, next_run)
        HASH_ITER (hh, run->sessions, session, next)
            serve(session);
}

void backlog_free(struct session *session)
{
    while (session->backlog)
        forget(session, session->backlog);
}
