/* Whether a hello may come in, and what it begins; see hello.h. */
#include "daemon/runs/hello.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/clock.h"
#include "daemon/core/log.h"
#include "daemon/runs/rows.h"
#include "daemon/runs/sessions.h"
#include "proto/fault.h"

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

static struct run *open_run(struct samples *samples, const char *key, const struct origin *origin)
{
    struct registry *registry = samples->registry;
    struct run *run = registry_add(registry, registry->next_run, key);

    if (!run)
        return NULL;
    registry->next_run++;
    run->owner = origin->uid;
    run->started_at = clock_wall();
    sessions_begin_attempt(samples, run);
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
        sessions_begin_attempt(samples, run);
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
        sessions_begin_attempt(samples, run);
    if (ended || overtaken)
        session_join_newest(session);
}

/* A session that had gone has said hello again. Its run is no longer lost once none of its sessions is. */
static void announce_return(struct session *session)
{
    struct run *run = session->run;
    const struct runs_out *out = &run->registry->options->out;

    log_info("session is back", LOG_STR("run", run->key), LOG_STR("session", session->key));
    if (!run_has_lost_session(run))
        out->lost(out->ctx, run->id, false, run->last_step, "");
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
    sessions_publish_row(session, batch);
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
    sessions_leave_run(session, SESSION_CLOSED);
    sessions_publish_row(session, batch);
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

int hello_receive(struct samples *samples, struct peer *peer, const struct wire_hello *hello,
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
