/* See sessions.h. */
#include "daemon/runs/sessions.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/clock.h"
#include "daemon/core/log.h"
#include "daemon/runs/rows.h"
#include "proto/fault.h"

#define LAST_SEEN_SECONDS 5.0 /* between two rows that only say: still here */

static void copy_text(char *out, size_t size, struct wire_str text)
{
    snprintf(out, size, "%.*s", (int)text.len, text.ptr ? text.ptr : "");
}

static void replace_text(char **text, const char *by)
{
    char *copied = strdup(by);

    if (!copied)
        return;
    free(*text);
    *text = copied;
}

static void take_tags(struct run *run, const struct wire_hello *hello)
{
    json_t *tags = json_object();
    char *text;

    for (size_t i = 0; i < hello->tags_count; i++) {
        const struct wire_tag *tag = &hello->tags[i];
        char key[WIRE_NAME_MAX + 1];

        copy_text(key, sizeof key, tag->key);
        json_object_set_new(tags, key, json_stringn(tag->value.ptr, tag->value.len));
    }
    text = json_dumps(tags, JSON_COMPACT);
    if (text)
        replace_text(&run->tags, text);
    free(text);
    json_decref(tags);
}

static struct session *live_session_of_rank(
    struct run *run, uint32_t rank, const struct session *but)
{
    for (struct session *s = run->sessions; s; s = s->hh.next)
        if (s != but && s->state == SESSION_LIVE && s->rank == rank)
            return s;
    return NULL;
}

static bool rank_was_seen(const struct run *run, uint32_t rank)
{
    for (const struct session *s = run->sessions; s; s = s->hh.next)
        if (s->attempt == run->attempt.number && s->rank == rank)
            return true;
    return false;
}

static void begin_attempt(struct samples *samples, struct run *run)
{
    const struct runs_out *out = &run->registry->options->out;

    samples_drop_waiting(samples, run);
    attempt_next(&run->attempt, clock_wall());
    run_clear_scalars(run);
    out->attempt(out->ctx, run->id, run->key, run->attempt.number);
    run_announce_layers(run);
    log_info("attempt begins", LOG_STR("run", run->key), LOG_INT("attempt", run->attempt.number));
}

static struct run *open_run(struct samples *samples, const char *key, const struct origin *origin)
{
    struct registry *registry = samples->registry;
    struct run *run = registry_add(registry, registry->next_run, key);

    if (!run)
        return NULL;
    registry->next_run++;
    run->owner = origin->uid;
    run->started_at = clock_wall();
    begin_attempt(samples, run);
    return run;
}

static int check_owner(const struct run *run, const struct origin *origin, struct wire_fault *fault)
{
    if (!run || run->owner == ORIGIN_UNKNOWN || run->owner == origin->uid)
        return 0;
    return fault_set(fault, WIRE_CODE_NOT_OWNER, WIRE_HELLO, "run",
        "an id of your own: another user has opened this run", "%s", run->key);
}

/* A new session takes over the rank of a session whose process is gone, or of its own process (a notebook cell that is run
 * again). Two live processes do not take it from each other. */
static bool may_take_over(
    const struct session *session, const struct session *holder, const struct origin *origin)
{
    if (session)
        return false;
    return !ingest_is_connected(holder->peer) ||
           (origin->pid != ORIGIN_UNKNOWN && origin->pid == ingest_origin(holder->peer)->pid);
}

/* Whether this hello may come in. `session` NULL: a new one. `holder` NULL: the rank is free. */
static int check_hello(const struct registry *registry, struct run *run, struct session *session,
    struct session *holder, const struct wire_hello *hello, const struct origin *origin,
    struct wire_fault *fault)
{
    size_t running = registry_running(registry);
    char rank[16];

    if (check_owner(run, origin, fault) != 0)
        return -1;
    if (session && session->rank != hello->rank) {
        snprintf(rank, sizeof rank, "%" PRIu32, session->rank);
        return fault_set(
            fault, WIRE_CODE_BAD_FIELD, WIRE_HELLO, "rank", rank, "%" PRIu32, hello->rank);
    }
    if (holder && !may_take_over(session, holder, origin))
        return fault_set(fault, WIRE_CODE_RANK_TAKEN, WIRE_HELLO, "rank",
            "a rank that no other live process of this run holds", "%" PRIu32, hello->rank);
    if ((!run || run->state != RUN_RUNNING) && running >= registry->options->runs_max)
        return fault_set(fault, WIRE_CODE_LIMIT, WIRE_HELLO, "run",
            "fewer running runs (limits.runs)", "%zu", running);
    return 0;
}

static struct session *open_session(
    struct samples *samples, struct run *run, const struct wire_hello *hello, const char *key)
{
    bool again = rank_was_seen(run, hello->rank) || run->state == RUN_ENDED;
    char client[WIRE_NAME_MAX + 1];
    struct session *session;

    copy_text(client, sizeof client, hello->client);
    session = run_add_session(run, key, client);
    if (!session)
        return NULL;
    session->rank = hello->rank;
    session->world = hello->world;
    if (again)
        begin_attempt(samples, run);
    session->attempt = run->attempt.number;
    return session;
}

/* It has said hello before, and may send again what it had no answer for. */
static void resume_session(struct samples *samples, struct session *session)
{
    struct run *run = session->run;
    bool ended = run->state == RUN_ENDED; /* it had said bye, and with it the run ended */
    bool overtaken = session->state != SESSION_LIVE && session->attempt != run->attempt.number;

    session->resumed = true;
    if (ended || (overtaken && rank_was_seen(run, session->rank)))
        begin_attempt(samples, run);
    if (ended || overtaken)
        session_join_newest(session);
}

static void send_alert(void *ctx, const struct wire_alert *alert)
{
    ingest_alert(ctx, alert);
}

/* A session that was closed has said hello again: it did not say bye, so its lease had run out. */
static void announce_return(struct session *session)
{
    struct run *run = session->run;
    const struct runs_out *out = &run->registry->options->out;

    log_info("session is back", LOG_STR("run", run->key), LOG_STR("session", session->key));
    if (!run_has_lost_session(run))
        out->lost(out->ctx, run->id, false, run->last_step, "");
}

/* With what the batch holds of its run. */
static void publish_row(struct session *session, struct store_batch *batch)
{
    rows_put_session(batch, session);
    session->unsaved |= !rows_publish(session->run, batch, NULL, 0);
}

/* A live session is over. */
static void leave_run(struct session *session, enum session_state to)
{
    if (!session_move(session, to))
        return;
    session->peer = NULL;
    stats_sub(&session->run->registry->options->stats->sessions, 1);
}

/* The session is live: it has a peer, and its run runs. */
static void go_live(struct session *session, struct peer *peer, bool lossless)
{
    struct run *run = session->run;
    struct store_batch *batch = store_batch_new();
    bool was_live = session->state == SESSION_LIVE;

    if (!was_live && session_move(session, SESSION_LIVE))
        stats_add(&run->registry->options->stats->sessions, 1);
    session->peer = peer;
    session->lossless = lossless;
    if (run->state != RUN_RUNNING)
        run_move(run, RUN_RUNNING);
    run->last_seen_at = clock_wall();
    rows_put_run(batch, run);
    rows_put_attempt(batch, run);
    publish_row(session, batch);
    if (session->resumed && !was_live)
        announce_return(session);
}

/* A newer start has its rank: the session is over, and its run goes on with the other. */
static void displace_session(struct session *session)
{
    struct run *run = session->run;
    struct store_batch *batch = store_batch_new();
    struct wire_fault fault;

    fault_set(&fault, WIRE_CODE_RANK_TAKEN, WIRE_HELLO, "rank",
        "that no newer session of this process takes over", "%" PRIu32, session->rank);
    ingest_displace(session->peer, &fault);
    leave_run(session, SESSION_CLOSED);
    publish_row(session, batch);
    log_info("a newer start takes over", LOG_STR("run", run->key), LOG_STR("session", session->key),
        LOG_INT("rank", session->rank));
}

/* What people call the run, as the hello says it. */
static void take_names(struct run *run, const struct wire_hello *hello)
{
    if (hello->name.ptr) {
        char name[WIRE_NAME_MAX + 1];

        copy_text(name, sizeof name, hello->name);
        replace_text(&run->name, name);
    }
    if (hello->tags_count)
        take_tags(run, hello);
}

int sessions_hello(struct samples *samples, struct peer *peer, const struct wire_hello *hello,
    const struct origin *origin, struct session **known, struct wire_fault *fault)
{
    struct registry *registry = samples->registry;
    struct session *session = *known, *holder;
    char run_key[WIRE_RUN_MAX + 1], key[WIRE_SESSION_MAX + 1];
    struct run *run;

    copy_text(run_key, sizeof run_key, hello->run);
    copy_text(key, sizeof key, hello->session);
    run = registry_find_key(registry, run_key);
    if (!session && run)
        session = run_session(run, key);
    holder = run ? live_session_of_rank(run, hello->rank, session) : NULL;
    if (check_hello(registry, run, session, holder, hello, origin, fault) != 0)
        return -1;
    if (holder)
        displace_session(holder);
    if (!run)
        run = open_run(samples, run_key, origin);
    if (session)
        resume_session(samples, session);
    else if (run)
        session = open_session(samples, run, hello, key);
    if (!session)
        return fault_set(
            fault, WIRE_CODE_LIMIT, WIRE_HELLO, "session", "memory for one more", "%s", key);
    take_names(run, hello);
    go_live(session, peer, hello->lossless);
    *known = session;
    log_info("session opened", LOG_STR("run", run->key), LOG_STR("session", key),
        LOG_INT("rank", session->rank), LOG_INT("attempt", session->attempt),
        LOG_STR("client", session->client));
    return 0;
}

static void send_disk_short(struct session *session)
{
    struct wire_fault fault;

    fault_set(&fault, WIRE_CODE_DISK_SHORT, WIRE_HELLO, "run",
        "room on the daemon's disk (retention.disk_free_min): figures are judged, and not stored",
        "%s", session->run->key);
    ingest_error(session->peer, &fault, false);
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
        begin_attempt(samples, run);
    session_join_newest(session);
    batch = store_batch_new();
    rows_put_run(batch, run);
    rows_put_attempt(batch, run);
    publish_row(session, batch);
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
    publish_row(session, batch);
}

/* The peer is gone: by a bye, or because its lease ran out. `run_to`: what the run is without any live session. */
static void close_session(
    struct samples *samples, struct session *session, enum session_state to, enum run_state run_to)
{
    struct run *run = session->run;
    const struct runs_out *out = &run->registry->options->out;
    struct store_batch *batch = store_batch_new();

    leave_run(session, to);
    if (!run_has_live_session(run) && run_move(run, run_to)) {
        samples_drop_waiting(samples, run);
        samples_release_memory(samples, run);
    }
    rows_put_run(batch, run);
    publish_row(session, batch);
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
