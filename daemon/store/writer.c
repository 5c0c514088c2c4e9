/* Group commit and checkpoints. */
#include "daemon/store/writer.h"

#include "daemon/core/clock.h"
#include "daemon/store/sql.h"
#include "daemon/store/store_log.h"

#define COMMIT_INTERVAL_MS 500                /* between commits that nobody waits for */
#define COMMIT_BYTES       ((size_t)16 << 20) /* batches of one: some 40,000 figures */
#define TURN_MS            500                /* at least one turn of the loop in this time */
#define BUSY_TURN_MS       4 /* while retention has work: the pause between its slices */
#define RETRY_MIN_MS       50
#define RETRY_MAX_MS       5000
#define CLOSE_TRIES        5 /* commits tried at the end before what waits is given up */
#define CHECKPOINT_BYTES   ((uint64_t)16 << 20)
#define TRUNCATE_BYTES     ((uint64_t)64 << 20)
#define TRUNCATE_WAIT_MS   50 /* for readers, and at most once a second */

static int note_wal(void *ctx, sqlite3 *db, const char *name, int pages)
{
    struct writer *writer = ctx;
    const uint64_t frame_bytes = 4096 + 24;
    writer->wal_bytes = (uint64_t)pages * frame_bytes;
    if (writer->wal_bytes < writer->checkpointed_bytes)
        writer->checkpointed_bytes = 0;
    stats_set(&writer->options->stats->store_wal_bytes, writer->wal_bytes);
    return SQLITE_OK;
}

static void checkpoint(struct writer *writer, uint64_t now)
{
    sqlite3 *db = writer->db;
    if (writer->wal_bytes > TRUNCATE_BYTES && now >= writer->truncate_from_ms) {
        sqlite3_busy_timeout(db, TRUNCATE_WAIT_MS);
        int rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        sqlite3_busy_timeout(db, SQL_BUSY_TIMEOUT_MS);
        writer->truncate_from_ms = now + 1000;
        if (rc == SQLITE_OK)
            note_wal(writer, db, NULL, 0);
    } else if (writer->wal_bytes >= writer->checkpointed_bytes + CHECKPOINT_BYTES) {
        if (sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) == SQLITE_OK)
            writer->checkpointed_bytes = writer->wal_bytes;
    }
}

static int commit_group(
    struct writer *writer, struct store_batch *group, struct apply_result *result)
{
    int rc = sql_exec(writer->db, "BEGIN IMMEDIATE");
    writer->apply->without_figures = disk_is_short(writer->disk, clock_ms());
    apply_begin(writer->apply);
    for (struct store_batch *batch = group; batch && rc == SQLITE_OK; batch = batch->next)
        rc = apply_batch(writer->apply, batch, result);
    if (rc == SQLITE_OK)
        rc = sql_exec(writer->db, "COMMIT");
    return rc;
}

static void count_commit(
    struct writer *writer, const struct apply_result *result, uint64_t began_ns)
{
    uint64_t us = (clock_ns() - began_ns) / 1000;
    stats_add(&writer->options->stats->store_commits_total, 1);
    stats_add(&writer->options->stats->store_commit_microseconds_total, us);
    stats_add(&writer->options->stats->figures_stored_total, result->figures);
    stats_add(&writer->options->stats->figures_dropped_disk_total, result->left_out);
    if (result->refused)
        store_log(writer->options, true,
            "the store left out %llu rows that the schema refuses, the last: %s",
            (unsigned long long)result->refused, result->refusal);
    const struct outbox *outbox = &writer->apply->outbox;
    if (outbox->dropped)
        store_log(writer->options, true,
            "the outbox is at its bounds and dropped %llu rows, the last for the notifier %s",
            (unsigned long long)outbox->dropped, outbox->dropped_of);
}

/* The group no longer counts as waiting. Before its callbacks run: who waits for one may look at
 * the gauge. */
static void count_out(struct writer *writer, const struct store_batch *group)
{
    size_t count = 0, bytes = 0;
    for (; group; group = group->next) {
        count++;
        bytes += group->bytes;
    }
    queue_done(writer->queue, count, bytes);
    stats_sub(&writer->options->stats->store_queue, count);
}

/* Tells what a group changed (`ok`), or only to its callbacks that it is lost, and frees it. */
static void release_group(struct writer *writer, struct store_batch *group, bool ok)
{
    count_out(writer, group);
    while (group) {
        struct store_batch *batch = group;
        group = batch->next;
        if (ok) {
            apply_unlink_replaced(writer->apply, batch, writer->baselines_fd);
            apply_notify_sink(writer->apply, batch, writer->options);
        }
        if (batch->on_commit)
            batch->on_commit(batch->on_commit_ctx, ok);
        store_batch_free(batch);
    }
}

/* The group goes back to the head of the queue, and the log says so once an outage. */
static void return_group(struct writer *writer, struct store_batch *group, int rc)
{
    if (writer->retry_ms == 0)
        store_log(writer->options, true,
            "the store cannot write and goes on trying; what comes is kept in memory: %s (%d)",
            sqlite3_errmsg(writer->db), rc);
    stats_add(&writer->options->stats->store_errors_total, 1);
    sql_rollback(writer->db);
    apply_forget(writer->apply);
    queue_return(writer->queue, group);
    writer->retry_ms = writer->retry_ms ? writer->retry_ms * 2 : RETRY_MIN_MS;
    if (writer->retry_ms > RETRY_MAX_MS)
        writer->retry_ms = RETRY_MAX_MS;
    writer->times.urgent_ms = writer->times.commit_ms = clock_ms() + writer->retry_ms;
    /* A log that is in the database can be begun anew: on a full disk that is the room to delete
     * something. */
    sqlite3_wal_checkpoint_v2(writer->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

/* One transaction of what waits. An SQLite code; `more`: something is left. */
static int commit_waiting(struct writer *writer, bool *more)
{
    struct store_batch *group = queue_take(writer->queue, COMMIT_BYTES, more);
    struct apply_result result = {0};
    if (!group)
        return SQLITE_OK;
    uint64_t began_ns = clock_ns();
    int rc = commit_group(writer, group, &result);
    if (rc != SQLITE_OK) {
        return_group(writer, group, rc);
        return rc;
    }
    count_commit(writer, &result, began_ns);
    if (writer->retry_ms > 0)
        store_log(writer->options, false, "the store writes again");
    writer->retry_ms = 0;
    writer->times.urgent_ms = 0;
    writer->times.commit_ms = *more ? 0 : clock_ms() + COMMIT_INTERVAL_MS;
    release_group(writer, group, true);
    return SQLITE_OK;
}

static void tidy_up(struct writer *writer)
{
    bool forget = false;
    uint64_t now = clock_ms();
    checkpoint(writer, now);
    disk_is_short(writer->disk, now); /* so that it is known without a commit too */
    writer->retention_busy = retention_turn(writer->retention, now, &forget);
    if (forget)
        apply_forget(writer->apply);
}

/* The end: what waits is committed, or given up after some tries. */
static void commit_rest(struct writer *writer)
{
    bool more = true;
    for (int tries = 0; more && tries < CLOSE_TRIES;) {
        if (commit_waiting(writer, &more) == SQLITE_OK)
            continue;
        more = true;
        tries++;
        clock_sleep_ms(RETRY_MIN_MS);
    }
    if (!more)
        return; /* a closed queue takes nothing new */
    store_log(writer->options, true,
        "the store is closed with batches that it could not write: they are lost");
    release_group(writer, queue_take(writer->queue, SIZE_MAX, &more), false);
}

void *writer_main(void *ctx)
{
    struct writer *writer = ctx;
    bool closing = false, more;
    sqlite3_wal_hook(writer->db, note_wal, writer);
    while (!closing) {
        uint64_t now = clock_ms();
        if (writer->retry_ms == 0) /* else it turns and gets nothing done */
            stats_set(&writer->options->stats->writer_turn_ms, now);
        writer->times.turn_ms = now + (writer->retention_busy ? BUSY_TURN_MS : TURN_MS);
        bool due = queue_wait(writer->queue, &writer->times, &closing);
        if (due)
            commit_waiting(writer, &more);
        tidy_up(writer);
    }
    commit_rest(writer);
    sqlite3_wal_hook(writer->db, NULL, NULL);
    return NULL;
}
