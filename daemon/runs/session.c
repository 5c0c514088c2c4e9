/* Sessions as things in memory; see session.h. */
#include "daemon/runs/session.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "daemon/runs/barriers.h"
#include "daemon/runs/registry.h"
#include "daemon/runs/run.h"

static const unsigned next[SESSION_STATES] = {
    [SESSION_NEW] = STATE_BIT(SESSION_LIVE),
    [SESSION_LIVE] = STATE_BIT(SESSION_LOST) | STATE_BIT(SESSION_CLOSED),
    [SESSION_LOST] = STATE_BIT(SESSION_LIVE) | STATE_BIT(SESSION_CLOSED),
    [SESSION_CLOSED] = STATE_BIT(SESSION_LIVE),
};

const struct state_machine session_machine = {"session", session_state_names, next, SESSION_STATES};

struct session *session_new(struct run *run, const char *key, const char *client)
{
    struct session *session = calloc(1, sizeof *session);

    if (!session)
        return NULL;
    session->run = run;
    session->key = strdup(key);
    session->client = strdup(client);
    session->backlog.total_bytes = &run->registry->backlog_bytes;
    if (!session->key || !session->client) {
        session_free(session);
        return NULL;
    }
    return session;
}

void session_free(struct session *session)
{
    struct numbered_layer *numbered, *next_numbered;
    struct barrier *barrier, *next_barrier;
    struct lost_sample *loss, *next_loss;

    HASH_ITER (hh, session->numbers, numbered, next_numbered) {
        HASH_DEL(session->numbers, numbered);
        free(numbered);
    }
    DL_FOREACH_SAFE (session->barriers, barrier, next_barrier)
        free(barrier);
    HASH_ITER (hh, session->lost_samples, loss, next_loss) {
        HASH_DEL(session->lost_samples, loss);
        free(loss);
    }
    backlog_clear(&session->backlog);
    free(session->key);
    free(session->client);
    free(session);
}

bool session_move(struct session *session, enum session_state to)
{
    if (!state_machine_check(&session_machine, session->state, to, session->key))
        return false;
    session->state = to;
    return true;
}

struct numbered_layer *session_number(struct session *session, uint32_t number)
{
    struct numbered_layer *numbered;

    HASH_FIND(hh, session->numbers, &number, sizeof number, numbered);
    return numbered;
}

void session_join_newest(struct session *session)
{
    struct numbered_layer *numbered;

    session->attempt = session->run->attempt.number;
    session->resumed = false;
    for (numbered = session->numbers; numbered; numbered = numbered->hh.next)
        numbered->last_step[0] = numbered->last_step[1] = -1;
}

bool session_has_room(const struct session *session)
{
    const struct registry *registry = session->run->registry;

    return store_has_room(registry->options->store) && !(session->lossless && registry->disk_short);
}

uint64_t session_count_loss(struct session *session, struct work_queue *queue, int64_t step)
{
    struct lost_sample *loss;

    HASH_FIND_PTR(session->lost_samples, &queue, loss);
    if (loss && loss->attempt == session->attempt && loss->step == step)
        return 0;
    if (!loss && (loss = calloc(1, sizeof *loss))) {
        loss->queue = queue;
        HASH_ADD_PTR(session->lost_samples, queue, loss);
    }
    if (loss) {
        loss->attempt = session->attempt;
        loss->step = step;
    }
    session->run->dropped++;
    return 1;
}

void session_lose_sample(struct session *session, struct work_queue *queue, int64_t step)
{
    uint64_t lost = session_count_loss(session, queue, step);

    if (session->peer)
        ingest_count_dropped(session->peer, lost);
}

void session_lose_scalars(struct session *session)
{
    session->run->dropped++;
    stats_add(&session->run->registry->options->stats->dropped_scalars_total, 1);
    if (session->peer)
        ingest_count_dropped(session->peer, 1);
}
