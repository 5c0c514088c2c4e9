/* Opening and closing, and the way in for batches. */
#include "daemon/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/core/clock.h"
#include "daemon/store/apply.h"
#include "daemon/store/baseline_file.h"
#include "daemon/store/catalog.h"
#include "daemon/store/disk.h"
#include "daemon/store/migrate.h"
#include "daemon/store/queue.h"
#include "daemon/store/retention.h"
#include "daemon/store/sql.h"
#include "daemon/store/statedir.h"
#include "daemon/store/writer.h"

#define CHECK_LIMIT_MS 5000 /* the check after an unclean end stops here */

struct store {
    struct store_options options; /* state_dir is dir.path */
    struct statedir dir;
    struct disk disk;
    char *db_path;
    int64_t last_run_id, last_layer_id;
    _Atomic int64_t last_silence_id;
    int64_t notifiers; /* when it was opened */
    struct queue queue;
    bool queue_made, writer_started;
    pthread_t thread;
    struct writer writer;
    /* Below: the writer thread's, once it runs (but for apply.alerts.silencer.next_expiry and apply.alerts.ids.last). */
    sqlite3 *db;
    struct apply apply;
    struct retention retention;
};

static int past_deadline(void *deadline_ms)
{
    return clock_ms() > *(const uint64_t *)deadline_ms;
}

/* Looks for damage, as far as time allows: a large database is not read to its end before the
 * daemon starts. */
static int check_database(struct store *store, struct error *error)
{
    uint64_t deadline_ms = clock_ms() + CHECK_LIMIT_MS;
    sqlite3_stmt *statement = NULL;
    sqlite3_progress_handler(store->db, 10000, past_deadline, &deadline_ms);
    int rc = sqlite3_prepare_v2(store->db, "PRAGMA quick_check(1)", -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    bool sound =
        rc == SQLITE_INTERRUPT || (rc == SQLITE_ROW && strcmp(sql_text(statement, 0), "ok") == 0);
    if (!sound)
        error_set(error, "database %s is damaged: %s; expected quick_check to say ok",
            store->db_path, rc == SQLITE_ROW ? sql_text(statement, 0) : sqlite3_errmsg(store->db));
    sqlite3_finalize(statement);
    sqlite3_progress_handler(store->db, 0, NULL, NULL);
    return sound ? 0 : -1;
}

/* Makes the file with mode 0600: SQLite would leave it to the umask. */
static int make_database_file(const char *path, struct error *error)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST) {
        return error_set(error, "database %s: cannot be made: %s", path, strerror(errno));
    }
    if (fd >= 0)
        close(fd);
    return 0;
}

/* SQLite would follow a link and write to whatever it finds behind these names. */
static int check_files(const struct store *store, struct error *error)
{
    static const char *const names[] = {STATEDIR_DATABASE, STATEDIR_DATABASE "-wal",
        STATEDIR_DATABASE "-shm", STATEDIR_DATABASE "-journal"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (statedir_check(&store->dir, names[i], error))
            return -1;
    return 0;
}

static int open_database(struct store *store, struct error *error)
{
    store->db_path = statedir_file(store->dir.path, STATEDIR_DATABASE);
    if (!store->db_path) {
        return error_set(error, "state directory %s: memory is short", store->dir.path);
    }
    if (check_files(store, error) || make_database_file(store->db_path, error) ||
        sql_open(&store->db, store->db_path, SQLITE_OPEN_READWRITE, error))
        return -1;
    if (migrate(store->db, store->db_path, schema_migrations, schema_migration_count, error))
        return -1;
    /* Deleted content need not be overwritten: that would write every page that retention frees. */
    if (sql_exec(store->db,
            "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536; PRAGMA secure_delete = OFF;"
            "PRAGMA journal_size_limit = 67108864;") != SQLITE_OK) {
        return error_set(error, "database %s: %s", store->db_path, sqlite3_errmsg(store->db));
    }
    return store->dir.unclean ? check_database(store, error) : 0;
}

static int last_id(struct store *store, const char *table, int64_t *id, struct error *error)
{
    char text[96];
    snprintf(text, sizeof text,
        "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = '%s'", table);
    if (sql_get_int(store->db, text, id) == SQLITE_OK)
        return 0;
    return error_set(
        error, "database %s: cannot be read: %s", store->db_path, sqlite3_errmsg(store->db));
}

static int find_last_silence(struct store *store, struct error *error)
{
    int64_t id = 0;
    if (last_id(store, "silence", &id, error))
        return -1;
    atomic_store(&store->last_silence_id, id);
    if (sql_get_int(store->db, "SELECT count(*) FROM notifier", &store->notifiers) == SQLITE_OK)
        return 0;
    return error_set(
        error, "database %s: cannot be read: %s", store->db_path, sqlite3_errmsg(store->db));
}

static int start_writer(struct store *store, struct error *error)
{
    store->writer = (struct writer){.options = &store->options,
        .db = store->db,
        .queue = &store->queue,
        .disk = &store->disk,
        .apply = &store->apply,
        .retention = &store->retention,
        .baselines_fd = store->dir.baselines_fd};
    store->queue_made = queue_init(&store->queue) == 0;
    if (store->queue_made)
        store->writer_started =
            pthread_create(&store->thread, NULL, writer_main, &store->writer) == 0;
    if (store->writer_started)
        return 0;
    return error_set(error, "the store's writer thread cannot be started");
}

static int open_parts(struct store *store, struct error *error)
{
    int rc = statedir_open(&store->dir, store->options.state_dir, error);
    if (rc != STORE_OK)
        return rc;
    store->options.state_dir = store->dir.path;
    store->disk = (struct disk){.options = &store->options, .fd = store->dir.baselines_fd};
    if (open_database(store, error) || last_id(store, "run", &store->last_run_id, error) ||
        last_id(store, "layer", &store->last_layer_id, error) || find_last_silence(store, error) ||
        baseline_file_sweep(store->dir.baselines_fd, store->db, error) ||
        apply_open(&store->apply, store->db, error) ||
        retention_open(
            &store->retention, &store->options, store->dir.baselines_fd, &store->apply, error))
        return STORE_UNUSABLE;
    return start_writer(store, error) ? STORE_FAILED : STORE_OK;
}

int store_open(struct store **out, const struct store_options *options, struct error *error)
{
    struct store *store = calloc(1, sizeof *store);
    *out = store;
    if (!store) {
        error_set(error, "the store cannot be opened: memory is short");
        return STORE_FAILED;
    }
    store->options = *options;
    store->dir = STATEDIR_CLOSED;
    int rc = open_parts(store, error);
    if (rc != STORE_OK)
        store_close(out);
    return rc;
}

void store_close(struct store **out)
{
    struct store *store = *out;
    *out = NULL;
    if (!store)
        return;
    if (store->writer_started) {
        queue_close(&store->queue);
        pthread_join(store->thread, NULL);
    }
    if (store->queue_made)
        queue_destroy(&store->queue);
    retention_close(&store->retention);
    apply_close(&store->apply);
    sqlite3_close(store->db);
    statedir_close(&store->dir, store->writer_started);
    free(store->db_path);
    free(store);
}

int64_t store_last_run_id(const struct store *store)
{
    return store->last_run_id;
}

int64_t store_last_layer_id(const struct store *store)
{
    return store->last_layer_id;
}

int64_t store_new_alert_id(struct store *store)
{
    return alert_ids_next(&store->apply.alerts.ids);
}

bool store_had_notifiers(const struct store *store)
{
    return store->notifiers > 0;
}

int64_t store_new_silence_id(struct store *store)
{
    return atomic_fetch_add(&store->last_silence_id, 1) + 1;
}

double store_next_expiry(struct store *store)
{
    return atomic_load(&store->apply.alerts.silencer.next_expiry);
}

int store_submit(struct store *store, struct store_batch *batch)
{
    if (batch && !batch->failed) {
        stats_add(&store->options.stats->store_queue, 1);
        if (queue_put(&store->queue, batch) == 0)
            return 0;
        stats_sub(&store->options.stats->store_queue, 1);
    }
    if (batch && batch->on_commit)
        batch->on_commit(batch->on_commit_ctx, false);
    store_batch_free(batch);
    return -1;
}

bool store_has_room(struct store *store)
{
    return queue_has_room(&store->queue);
}

uint64_t store_stalled_ms(struct store *store)
{
    return queue_stalled_ms(&store->queue);
}

int store_catalog(struct store *store, const struct store_catalog *visitor, struct error *error)
{
    return catalog_read(store->db_path, visitor, error);
}

int store_replay(struct store *store, int64_t run, uint32_t attempt, const char *const *metrics,
    void (*figure)(void *ctx, const struct figure *), void *ctx, struct error *error)
{
    return catalog_replay(store->db_path, run, attempt, metrics, figure, ctx, error);
}

int store_baseline_write(struct store *store, struct baseline_row *row,
    const struct baseline_part *parts, size_t count, struct error *error)
{
    return baseline_file_write(store->dir.baselines_fd, &store->disk, row, parts, count, error);
}

const void *store_baseline_map(
    struct store *store, const struct baseline_row *row, struct error *error)
{
    return baseline_file_map(store->dir.baselines_fd, row, error);
}

void store_baseline_unmap(const void *map, uint64_t bytes)
{
    baseline_file_unmap(map, bytes);
}
