/* Opening and closing, and the way in for batches. */
#include "daemon/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/core/clock.h"
#include "daemon/store/baseline.h"
#include "daemon/store/internal.h"
#include "daemon/store/migrate.h"
#include "daemon/store/sql.h"
#include "daemon/store/writer.h"

#define CHECK_LIMIT_MS 5000 /* the check after an unclean end stops here */

void store_log(const struct store_options *options, bool error, const char *format, ...)
{
    char text[STORE_ERROR_MAX * 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (options->log)
        options->log(options->log_ctx, error, text);
    else
        fprintf(stderr, "%s\n", text);
}

static int past_deadline(void *deadline_ms)
{
    return clock_ms() > *(const uint64_t *)deadline_ms;
}

/* Looks for damage, as far as time allows: a large database is not read to its end before the
 * daemon starts. */
static int check(struct store *store, char *err)
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
        snprintf(err, STORE_ERROR_MAX, "database %s is damaged: %s; expected quick_check to say ok",
            store->db_path, rc == SQLITE_ROW ? sql_text(statement, 0) : sqlite3_errmsg(store->db));
    sqlite3_finalize(statement);
    sqlite3_progress_handler(store->db, 0, NULL, NULL);
    return sound ? 0 : -1;
}

/* Makes the file with mode 0600: SQLite would leave it to the umask. */
static int make_file(const char *path, char *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST) {
        snprintf(err, STORE_ERROR_MAX, "database %s: cannot be made: %s", path, strerror(errno));
        return -1;
    }
    if (fd >= 0)
        close(fd);
    return 0;
}

/* SQLite would follow a link and write to whatever it finds behind these names. */
static int check_files(const struct store *store, char *err)
{
    static const char *const names[] = {
        STORE_DATABASE, STORE_DATABASE "-wal", STORE_DATABASE "-shm", STORE_DATABASE "-journal"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (statedir_check(&store->dir, names[i], err))
            return -1;
    return 0;
}

static int open_database(struct store *store, char *err)
{
    store->db_path = statedir_file(store->dir.path, STORE_DATABASE);
    if (!store->db_path) {
        snprintf(err, STORE_ERROR_MAX, "state directory %s: memory is short", store->dir.path);
        return -1;
    }
    if (check_files(store, err) || make_file(store->db_path, err) ||
        sql_open(&store->db, store->db_path, SQLITE_OPEN_READWRITE, err))
        return -1;
    if (migrate(store->db, store->db_path, schema_migrations, schema_migration_count, err))
        return -1;
    /* Deleted content need not be overwritten: that would write every page that retention frees. */
    if (sql_exec(store->db,
            "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536; PRAGMA secure_delete = OFF;"
            "PRAGMA journal_size_limit = 67108864;") != SQLITE_OK) {
        snprintf(
            err, STORE_ERROR_MAX, "database %s: %s", store->db_path, sqlite3_errmsg(store->db));
        return -1;
    }
    return store->dir.unclean ? check(store, err) : 0;
}

static int last_id(struct store *store, const char *table, int64_t *id, char *err)
{
    char text[96];
    snprintf(text, sizeof text,
        "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = '%s'", table);
    if (sql_get_int(store->db, text, id) == SQLITE_OK)
        return 0;
    snprintf(err, STORE_ERROR_MAX, "database %s: cannot be read: %s", store->db_path,
        sqlite3_errmsg(store->db));
    return -1;
}

static int look_at_notices(struct store *store, char *err)
{
    int64_t id = 0;
    if (last_id(store, "silence", &id, err))
        return -1;
    atomic_store(&store->last_silence_id, id);
    if (sql_get_int(store->db, "SELECT count(*) FROM notifier", &store->notifiers) == SQLITE_OK)
        return 0;
    snprintf(err, STORE_ERROR_MAX, "database %s: cannot be read: %s", store->db_path,
        sqlite3_errmsg(store->db));
    return -1;
}

static int start_writer(struct store *store, char *err)
{
    store->queue_made = queue_init(&store->queue) == 0;
    if (store->queue_made)
        store->writer_started = pthread_create(&store->writer, NULL, writer_main, store) == 0;
    if (store->writer_started)
        return 0;
    snprintf(err, STORE_ERROR_MAX, "the store's writer thread cannot be started");
    return -1;
}

static int open_parts(struct store *store, char *err)
{
    int rc = statedir_open(&store->dir, store->options.state_dir, err);
    if (rc != STORE_OK)
        return rc;
    store->options.state_dir = store->dir.path;
    store->disk = (struct disk){.options = &store->options, .fd = store->dir.baselines_fd};
    if (open_database(store, err) || last_id(store, "run", &store->last_run_id, err) ||
        last_id(store, "layer", &store->last_layer_id, err) || look_at_notices(store, err) ||
        baseline_sweep(store->dir.baselines_fd, store->db, err) ||
        apply_open(&store->apply, store->db, err) ||
        retention_open(
            &store->retention, &store->options, store->dir.baselines_fd, &store->apply, err))
        return STORE_UNUSABLE;
    return start_writer(store, err) ? STORE_FAILED : STORE_OK;
}

int store_open(struct store **out, const struct store_options *options, char *err)
{
    struct store *store = calloc(1, sizeof *store);
    *out = store;
    if (!store) {
        snprintf(err, STORE_ERROR_MAX, "the store cannot be opened: memory is short");
        return STORE_FAILED;
    }
    store->options = *options;
    store->dir = STATEDIR_CLOSED;
    int rc = open_parts(store, err);
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
        pthread_join(store->writer, NULL);
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
    return alert_ids_next(&store->apply.alert_ids);
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
    return atomic_load(&store->apply.silencer.next_expiry);
}

int store_submit(struct store *store, struct store_batch *batch)
{
    if (batch && !batch->failed) {
        stats_add(&store->options.stats->store_queue, 1);
        if (queue_put(&store->queue, batch) == 0)
            return 0;
        stats_sub(&store->options.stats->store_queue, 1);
    }
    if (batch && batch->fence)
        batch->fence(batch->fence_ctx, false);
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
