/* See sessions.h. */
#include "daemon/runs/sessions.h"

#include <inttypes.h>
#include <stdio.h>

#include "daemon/core/clock.h"
#include "daemon/core/log.h"
#include "daemon/runs/rows.h"
#include "proto/fault.h"

#define LAST_SEEN_SECONDS 5.0 /* between two rows that only say: still here */

void sessions_begin_attempt(struct samples *samples, struct run *run)
{
    const struct runs_out *out = &run->registry->options->out;

    samples_drop_waiting(samples, run);
    attempt_next(&run->attempt, clock_wall());
    run_clear_scalars(run);
    out->attempt(out->ctx, run->id, run->key, run->attempt.number);
    run_announce_layers(run);
    log_info("attempt begins", LOG_STR("run", run->key), LOG_INT("attempt", run->attempt.number));
}

void sessions_publish_row(struct session *session, struct store_batch *batch)
{
    rows_put_session(batch, session);
    session->unsaved |= !rows_publish(session->run, batch, NULL, 0);
}

void sessions_leave_run(struct session *session, enum session_state to)
{
    if (!session_move(session, to))
        return;
    session->peer = NULL;
    stats_sub(&session->run->registry->options->stats->sessions, 1);
}

static void send_disk_short(struct session *session)
{
    struct wire_fault fault;

    fault_set(&fault, WIRE_CODE_DISK_SHORT, WIRE_HELLO, "run",
        "room on the daemon's disk (retention.disk_free_min): figures are judged, and not stored",
        "%s", session->run->key);
    ingest_error(session->peer, &fault, false);
}

static void send_alert(void *ctx, const struct wire_alert *alert)
{
    ingest_alert(ctx, alert);
}

void sessions_welcomed(struct session *session)
{
    const struct registry *registry = session->run->registry;
    const struct runs_out *out = &registry->options->out;

    out->firing(out->ctx, session->run->id, send_alert, session->peer);
    if (registry->disk_short)
        send_disk_short(session);
}

static void send_disk_short_to_all(const struct registry *registry)
{
    for (struct run *run = registry->by_id; run; run = run->by_id.next)
        for (struct session *session = run->sessions; session; session = session->hh.next)
            if (session->peer)
                send_disk_short(session);
}

void sessions_watch_disk(struct registry *registry)
{
    bool is_short = stats_get(&registry->options->stats->store_disk_short) > 0;

    if (is_short && !registry->disk_short)
        send_disk_short_to_all(registry);
    registry->disk_short = is_short;
}

void sessions_rewind(struct samples *samples, struct session *session, uint64_t step)
{
    struct run *run = session->run;
    struct store_batch *batch;

    log_info("training goes back", LOG_STR("run", run->key), LOG_INT("step", step));
    if (session->attempt == run->attempt.number)
        sessions_begin_attempt(samples, run);
    session_join_newest(session);
    batch = store_batch_new();
    rows_put_run(batch, run);
    rows_put_attempt(batch, run);
    sessions_publish_row(session, batch);
}

void sessions_dropped(struct session *session, uint64_t samples)
{
    struct run *run = session->run;
    uint64_t more = samples > session->client_dropped ? samples - session->client_dropped : 0;
    struct store_batch *batch;

    if (more == 0)
        return;
    session->client_dropped += more;
    run->dropped = run->dropped + more < WIRE_COUNT_MAX ? run->dropped + more : WIRE_COUNT_MAX;
    stats_add(&run->registry->options->stats->dropped_client_total, more);
    batch = store_batch_new();
    rows_put_run(batch, run);
    sessions_publish_row(session, batch);
}

/* The peer is gone: by a bye, or because its lease ran out. `run_to`: what the run is without any live session. */
static void close_session(
    struct samples *samples, struct session *session, enum session_state to, enum run_state run_to)
{
    struct run *run = session->run;
    const struct runs_out *out = &run->registry->options->out;
    struct store_batch *batch = store_batch_new();

    sessions_leave_run(session, to);
    if (!run_has_live_session(run) && run_move(run, run_to)) {
        samples_drop_waiting(samples, run);
        samples_release_memory(samples, run);
    }
    rows_put_run(batch, run);
    sessions_publish_row(session, batch);
    if (run->state == RUN_ENDED)
        out->ended(out->ctx, run->id);
}

void sessions_bye(struct samples *samples, struct session *session)
{
    struct run *run = session->run;

    run->last_seen_at = clock_wall();
    close_session(
        samples, session, SESSION_CLOSED, run_has_lost_session(run) ? RUN_LOST : RUN_ENDED);
    log_info("session ended", LOG_STR("run", run->key), LOG_STR("session", session->key));
}

void sessions_lost(struct samples *samples, struct session *session)
{
    struct run *run = session->run;
    const struct runs_out *out = &run->registry->options->out;
    char text[256];

    close_session(samples, session, SESSION_LOST, RUN_LOST);
    snprintf(text, sizeof text,
        "Rank %" PRIu32 " has been silent for the whole of its lease and did not say bye.",
        session->rank);
    out->lost(out->ctx, run->id, true, run->last_step, text);
}

void sessions_seen(struct session *session)
{
    struct run *run = session->run;
    struct store_batch *batch;

    run->last_seen_at = clock_wall();
    if (run->last_seen_at - run->row_at < LAST_SEEN_SECONDS)
        return;
    batch = store_batch_new();
    rows_put_run(batch, run);
    rows_publish(run, batch, NULL, 0);
}

int sessions_expect(struct registry *registry, struct ingest *ingest)
{
    int rc = 0;

    for (struct run *run = registry->by_id; run; run = run->by_id.next)
        for (struct session *session = run->sessions; session; session = session->hh.next) {
            if (session->state != SESSION_LIVE)
                continue;
            session->peer = ingest_expect(ingest, run->key, session->key, session);
            stats_add(&registry->options->stats->sessions, 1);
            rc |= session->peer ? 0 : -1;
        }
    return rc;
}

void sessions_detach(struct registry *registry)
{
    for (struct run *run = registry->by_id; run; run = run->by_id.next)
        for (struct session *session = run->sessions; session; session = session->hh.next)
            session->peer = NULL;
}

bool sessions_end_run(struct run *run)
{
    const struct runs_out *out = &run->registry->options->out;
    struct store_batch *batch = store_batch_new();

    rows_put_end(batch, run);
    if (store_submit(run->registry->options->store, batch) != 0)
        return false;
    run_move(run, RUN_ENDED);
    for (struct session *session = run->sessions; session; session = session->hh.next)
        if (session->state == SESSION_LOST)
            session_move(session, SESSION_CLOSED);
    out->ended(out->ctx, run->id);
    log_info("run ended by hand", LOG_STR("run", run->key));
    return true;
}
