/* Sessions come, go, are lost and come back; runs begin and end with them. See docs/protocol.md, `hello`, and METRICS.md,
 * "Attempts". */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/log.h"
#include "daemon/runs/state.h"
#include "proto/fault.h"

#define LAST_SEEN_SECONDS 5.0 /* between two rows that only say: still here */

static void copy(char *out, size_t size, struct wire_str text)
{
    snprintf(out, size, "%.*s", (int)text.len, text.ptr ? text.ptr : "");
}

static void replace(char **text, const char *by)
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

        copy(key, sizeof key, tag->key);
        json_object_set_new(tags, key, json_stringn(tag->value.ptr, tag->value.len));
    }
    text = json_dumps(tags, JSON_COMPACT);
    if (text)
        replace(&run->tags, text);
    free(text);
    json_decref(tags);
}

static struct session *live_session_of_rank(
    struct run *run, uint32_t rank, const struct session *but)
{
    for (struct session *s = run->sessions; s; s = s->hh.next)
        if (s != but && s->open && s->rank == rank)
            return s;
    return NULL;
}

static bool rank_was_seen(struct run *run, uint32_t rank)
{
    for (struct session *s = run->sessions; s; s = s->hh.next)
        if (s->attempt == run->attempt && s->rank == rank)
            return true;
    return false;
}

static bool any_open(struct run *run)
{
    for (struct session *s = run->sessions; s; s = s->hh.next)
        if (s->open)
            return true;
    return false;
}

static bool any_lost(struct run *run)
{
    for (struct session *s = run->sessions; s; s = s->hh.next)
        if (s->lost && s->attempt == run->attempt)
            return true;
    return false;
}

static void begin_attempt(struct run *run, uint32_t number)
{
    const struct runs_out *out = &run->runs->options.out;
    struct scalar *scalar, *next;

    gather_drop_all(run);
    run->attempt = number;
    run->attempt_started_at = runs_now();
    run->first_step = -1;
    HASH_ITER (hh, run->scalars, scalar, next) {
        HASH_DEL(run->scalars, scalar);
        free(scalar);
    }
    out->attempt(out->ctx, run->id, run->key, number);
    run_tell_layers(run);
    log_info("attempt begins", LOG_STR("run", run->key), LOG_INT("attempt", number));
}

static struct run *open_run(struct runs *runs, const char *key, const struct origin *origin)
{
    struct run *run = run_new(runs, runs->next_run, key);

    if (!run)
        return NULL;
    runs->next_run++;
    run->owner = origin->uid;
    run->started_at = runs_now();
    begin_attempt(run, 1);
    return run;
}

static size_t running(const struct runs *runs)
{
    size_t count = 0;

    for (const struct run *run = runs->by_id; run; run = run->by_id.next)
        count += strcmp(run->state, "running") == 0;
    return count;
}

static int check_owner(const struct run *run, const struct origin *origin, struct wire_fault *fault)
{
    if (!run || run->owner == ORIGIN_UNKNOWN || run->owner == origin->uid)
        return 0;
    return fault_set(fault, WIRE_CODE_NOT_OWNER, WIRE_HELLO, "run",
        "an id of your own: another user has opened this run", "%s", run->key);
}

/* A new start takes the rank of one that nobody stands behind any more, or of its own process (a notebook's cell that is run
 * again). Two processes that live do not take it from each other. */
static bool may_take_over(
    const struct session *session, const struct session *holder, const struct origin *origin)
{
    if (session)
        return false;
    return !ingest_is_connected(holder->peer) ||
           (origin->pid != ORIGIN_UNKNOWN && origin->pid == ingest_origin(holder->peer)->pid);
}

/* Whether this hello may come in. `session` NULL: a new one. `holder` NULL: the rank is free. */
static int check_hello(struct runs *runs, struct run *run, struct session *session,
    struct session *holder, const struct wire_hello *hello, const struct origin *origin,
    struct wire_fault *fault)
{
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
    if ((!run || strcmp(run->state, "running") != 0) && running(runs) >= runs->options.runs_max)
        return fault_set(fault, WIRE_CODE_LIMIT, WIRE_HELLO, "run",
            "fewer running runs (limits.runs)", "%zu", running(runs));
    return 0;
}

static struct session *open_session(
    struct run *run, const struct wire_hello *hello, const char *key)
{
    bool again = rank_was_seen(run, hello->rank) || strcmp(run->state, "ended") == 0;
    char client[WIRE_NAME_MAX + 1];
    struct session *session;

    copy(client, sizeof client, hello->client);
    session = run_session_new(run, key, client);
    if (!session)
        return NULL;
    session->rank = hello->rank;
    session->world = hello->world;
    if (again)
        begin_attempt(run, run->attempt + 1);
    session->attempt = run->attempt;
    return session;
}

/* From now on the session sends for the newest attempt: its steps count from the beginning. */
static void join_newest(struct session *session)
{
    struct numbered *numbered;

    session->attempt = session->run->attempt;
    session->resumed = false;
    for (numbered = session->numbers; numbered; numbered = numbered->hh.next)
        numbered->last_step[0] = numbered->last_step[1] = -1;
}

/* It has said hello before, and may send again what it had no answer for. */
static void resume(struct session *session)
{
    struct run *run = session->run;
    bool ended = strcmp(run->state, "ended") == 0; /* it had said bye, and with it the run ended */
    bool overtaken = !session->open && session->attempt != run->attempt;

    session->resumed = true;
    if (ended || (overtaken && rank_was_seen(run, session->rank)))
        begin_attempt(run, run->attempt + 1);
    if (ended || overtaken)
        join_newest(session);
}

static void tell_firing(void *ctx, const struct wire_alert *alert)
{
    ingest_alert(ctx, alert);
}

/* A session that was closed says hello again: it did not say bye, so its lease had run out. */
static void come_back(struct session *session)
{
    struct run *run = session->run;
    const struct runs_out *out = &run->runs->options.out;

    session->lost = false;
    log_info("session is back", LOG_STR("run", run->key), LOG_STR("session", session->key));
    if (!any_lost(run))
        out->lost(out->ctx, run->id, false, run->last_step, "");
}

/* With what the batch holds of its run. */
static void publish_row(struct session *session, struct store_batch *batch)
{
    rows_put_session(batch, session);
    session->unsaved |= !rows_publish(session->run, batch, NULL, 0);
}

/* The session is live no more. */
static void leave(struct session *session)
{
    session->open = false;
    session->peer = NULL;
    stats_sub(&session->run->runs->options.stats->sessions, 1);
}

/* The session is live: it has a peer, and its run runs. */
static void open_up(struct session *session, struct peer *peer, bool lossless)
{
    struct run *run = session->run;
    struct store_batch *batch = store_batch_new();
    bool returns = session->resumed && !session->open;

    if (!session->peer)
        stats_add(&run->runs->options.stats->sessions, 1);
    session->peer = peer;
    session->lossless = lossless;
    session->open = true;
    if (strcmp(run->state, "running") != 0 || run->row_at == 0.0)
        stats_add(&run->runs->options.stats->runs_running, 1);
    run->state = "running";
    run->last_seen_at = runs_now();
    rows_put_run(batch, run);
    rows_put_attempt(batch, run);
    publish_row(session, batch);
    if (returns)
        come_back(session);
}

/* A newer start has its rank: the session is over, and its run goes on with the other. */
static void displace(struct session *session)
{
    struct run *run = session->run;
    struct store_batch *batch = store_batch_new();
    struct wire_fault fault;

    fault_set(&fault, WIRE_CODE_RANK_TAKEN, WIRE_HELLO, "rank",
        "that no newer session of this process takes over", "%" PRIu32, session->rank);
    ingest_displace(session->peer, &fault);
    leave(session);
    publish_row(session, batch);
    log_info("a newer start takes over", LOG_STR("run", run->key), LOG_STR("session", session->key),
        LOG_INT("rank", session->rank));
}

int sessions_hello(void *ctx, struct peer *peer, const struct wire_hello *hello,
    const struct origin *origin, void **known, uint32_t *attempt, struct wire_fault *fault)
{
    struct runs *runs = ctx;
    struct session *session = *known, *holder;
    char run_key[WIRE_RUN_MAX + 1], key[WIRE_SESSION_MAX + 1];
    struct run *run;

    copy(run_key, sizeof run_key, hello->run);
    copy(key, sizeof key, hello->session);
    HASH_FIND(by_key, runs->by_key, run_key, strlen(run_key), run);
    if (!session && run)
        session = run_session(run, key);
    holder = run ? live_session_of_rank(run, hello->rank, session) : NULL;
    if (check_hello(runs, run, session, holder, hello, origin, fault) != 0)
        return -1;
    if (holder)
        displace(holder);
    if (!run)
        run = open_run(runs, run_key, origin);
    if (session)
        resume(session);
    else if (run)
        session = open_session(run, hello, key);
    if (!session)
        return fault_set(
            fault, WIRE_CODE_LIMIT, WIRE_HELLO, "session", "memory for one more", "%s", key);
    if (hello->name.ptr) {
        char name[WIRE_NAME_MAX + 1];

        copy(name, sizeof name, hello->name);
        replace(&run->name, name);
    }
    if (hello->tags_count)
        take_tags(run, hello);
    open_up(session, peer, hello->lossless);
    *known = session;
    *attempt = session->attempt;
    log_info("session opened", LOG_STR("run", run->key), LOG_STR("session", key),
        LOG_INT("rank", session->rank), LOG_INT("attempt", session->attempt),
        LOG_STR("client", session->client));
    return 0;
}

static void tell_disk_short(struct session *session)
{
    struct wire_fault fault;

    fault_set(&fault, WIRE_CODE_DISK_SHORT, WIRE_HELLO, "run",
        "room on the daemon's disk (retention.disk_free_min): figures are judged, and not stored",
        "%s", session->run->key);
    ingest_error(session->peer, &fault, false);
}

void sessions_welcomed(void *ctx, void *known)
{
    struct runs *runs = ctx;
    struct session *session = known;

    runs->options.out.firing(runs->options.out.ctx, session->run->id, tell_firing, session->peer);
    if (runs->disk_short)
        tell_disk_short(session);
}

bool sessions_has_room(const struct session *session)
{
    const struct runs *runs = session->run->runs;

    return store_has_room(runs->options.store) && !(session->lossless && runs->disk_short);
}

void sessions_watch_disk(struct runs *runs)
{
    bool is_short = stats_get(&runs->options.stats->store_disk_short) > 0;
    struct session *session;

    if (is_short && !runs->disk_short)
        for (struct run *run = runs->by_id; run; run = run->by_id.next)
            for (session = run->sessions; session; session = session->hh.next)
                if (session->peer)
                    tell_disk_short(session);
    runs->disk_short = is_short;
}

int sessions_rewind(void *ctx, void *known, uint64_t step, struct wire_fault *fault)
{
    struct session *session = known;
    struct run *run = session->run;
    struct store_batch *batch;

    (void)ctx;
    (void)fault;
    log_info("training goes back", LOG_STR("run", run->key), LOG_INT("step", step));
    if (session->attempt == run->attempt)
        begin_attempt(run, run->attempt + 1);
    join_newest(session);
    batch = store_batch_new();
    rows_put_run(batch, run);
    rows_put_attempt(batch, run);
    publish_row(session, batch);
    return 0;
}

void sessions_dropped(void *ctx, void *known, uint64_t samples)
{
    struct session *session = known;
    struct run *run = session->run;
    uint64_t more = samples > session->client_dropped ? samples - session->client_dropped : 0;
    struct store_batch *batch;

    (void)ctx;
    if (more == 0)
        return;
    session->client_dropped += more;
    run->dropped = run->dropped + more < WIRE_COUNT_MAX ? run->dropped + more : WIRE_COUNT_MAX;
    stats_add(&run->runs->options.stats->dropped_client_total, more);
    batch = store_batch_new();
    rows_put_run(batch, run);
    publish_row(session, batch);
}

/* The peer is gone: by a bye, or because its lease ran out. */
static void close_session(struct session *session, const char *state)
{
    struct run *run = session->run;
    const struct runs_out *out = &run->runs->options.out;
    struct store_batch *batch = store_batch_new();

    leave(session);
    if (!any_open(run)) {
        run->state = state;
        stats_sub(&run->runs->options.stats->runs_running, 1);
        gather_drop_all(run);
        samples_rest(run);
    }
    rows_put_run(batch, run);
    publish_row(session, batch);
    if (strcmp(run->state, "ended") == 0)
        out->ended(out->ctx, run->id);
}

void sessions_bye(void *ctx, void *known)
{
    struct session *session = known;
    struct run *run = session->run;

    (void)ctx;
    run->last_seen_at = runs_now();
    close_session(session, any_lost(run) ? "lost" : "ended");
    log_info("session ended", LOG_STR("run", run->key), LOG_STR("session", session->key));
}

void sessions_lost(void *ctx, void *known)
{
    struct session *session = known;
    struct run *run = session->run;
    const struct runs_out *out = &run->runs->options.out;
    char text[256];

    (void)ctx;
    session->lost = true;
    close_session(session, "lost");
    snprintf(text, sizeof text,
        "Rank %" PRIu32 " has been silent for the whole of its lease and did not say bye.",
        session->rank);
    out->lost(out->ctx, run->id, true, run->last_step, text);
}

enum runs_answer runs_end(struct runs *runs, int64_t id)
{
    const struct runs_out *out = &runs->options.out;
    struct store_batch *batch;
    struct run *run;

    HASH_FIND(by_id, runs->by_id, &id, sizeof id, run);
    if (!run)
        return RUNS_UNKNOWN;
    if (strcmp(run->state, "running") == 0)
        return RUNS_RUNNING;
    if (strcmp(run->state, "ended") == 0)
        return RUNS_DONE;
    batch = store_batch_new();
    run->state = "ended";
    rows_put_run(batch, run);
    for (struct session *s = run->sessions; s; s = s->hh.next) {
        s->lost = false;
        rows_put_session(batch, s);
    }
    if (store_submit(runs->options.store, batch) != 0) {
        run->state = "lost"; /* whoever asks again finds all of it to be done */
        return RUNS_FAILED;
    }
    out->ended(out->ctx, run->id);
    log_info("run ended by hand", LOG_STR("run", run->key));
    return RUNS_DONE;
}

void sessions_seen(void *ctx, void *known)
{
    struct session *session = known;
    struct run *run = session->run;
    struct store_batch *batch;

    (void)ctx;
    run->last_seen_at = runs_now();
    if (run->last_seen_at - run->row_at < LAST_SEEN_SECONDS)
        return;
    batch = store_batch_new();
    rows_put_run(batch, run);
    rows_publish(run, batch, NULL, 0);
}
