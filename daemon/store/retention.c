/* Retention by size and by age. */
#include "daemon/store/retention.h"

#include <stdio.h>
#include <unistd.h>

#include "daemon/core/clock.h"
#include "daemon/store/baseline_file.h"
#include "daemon/store/sql.h"
#include "daemon/store/store_log.h"

#define LOOK_MS           1000    /* between two looks at the sizes */
#define LOOK_EXHAUSTED_MS 10000   /* when nothing was left to take */
#define SLICE_MS          4       /* one transaction of deletions */
#define LOG_MS            3600000 /* between two lines about trimming */

enum {
    PAGE_COUNT,
    FREE_COUNT,
    BASELINE_BYTES,
    FIND_RETIRED,
    FIND_AGED,
    FIND_ENDED,
    FIND_OLD_ATTEMPT,
    RETIRE,
    NEXT_OF_RUN,
    DELETE_SERIES,
    LIST_BASELINES,
    DELETE_RUN,
    NEXT_SERIES,
    RUN_KEY,
    ALL_KEYS,
    VACUUM,
    STATEMENT_COUNT
};
_Static_assert(STATEMENT_COUNT <= RETENTION_STATEMENT_MAX, "room for all statements");

static const char *const texts[STATEMENT_COUNT] = {
    [PAGE_COUNT] = "PRAGMA page_count",
    [FREE_COUNT] = "PRAGMA freelist_count",
    [BASELINE_BYTES] = "SELECT coalesce(sum(bytes), 0) FROM baseline",
    [FIND_RETIRED] = "SELECT id FROM run WHERE retired = 1 LIMIT 1",
    [FIND_AGED] = "SELECT id FROM run WHERE retired = 0 AND state != 'running' AND last_seen_at"
                  " < ? ORDER BY last_seen_at LIMIT 1",
    [FIND_ENDED] =
        "SELECT id FROM run WHERE retired = 0 AND state != 'running' AND id != (SELECT id FROM run"
        " WHERE retired = 0 ORDER BY last_seen_at DESC, id DESC LIMIT 1)"
        " ORDER BY last_seen_at, id LIMIT 1",
    [FIND_OLD_ATTEMPT] =
        "SELECT s.run_id, s.attempt FROM series s JOIN run r ON r.id = s.run_id WHERE"
        " r.retired = 0 AND s.attempt < r.attempt ORDER BY s.attempt, s.run_id LIMIT 1",
    [RETIRE] = "UPDATE run SET retired = 1, key = char(10) || id WHERE id = ?",
    [NEXT_OF_RUN] = "SELECT id FROM series WHERE run_id = ? AND attempt <= ? LIMIT 1",
    [DELETE_SERIES] = "DELETE FROM series WHERE id = ?",
    [LIST_BASELINES] = "SELECT b.layer_id, b.attempt, b.step FROM baseline b JOIN layer l ON l.id ="
                       " b.layer_id WHERE l.run_id = ?",
    [DELETE_RUN] = "DELETE FROM run WHERE id = ?",
    [NEXT_SERIES] = "SELECT s.id FROM series s JOIN run r ON r.id = s.run_id WHERE r.retired = 0"
                    " AND s.id > ? ORDER BY s.id LIMIT 1",
    [RUN_KEY] = "SELECT key FROM run WHERE id = ?",
    [ALL_KEYS] = "SELECT group_concat(key, ', ') FROM run WHERE retired = 0",
    [VACUUM] = "PRAGMA incremental_vacuum(128)",
};

struct store_sizes {
    uint64_t file, used, baselines; /* bytes; `used` is `file` without its free pages */
};

int retention_open(struct retention *retention, const struct store_options *options,
    int baselines_fd, struct apply *apply, struct error *error)
{
    *retention = (struct retention){
        .options = options, .apply = apply, .baselines_fd = baselines_fd, .db = apply->db};
    if (prune_open(&retention->prune, apply->db, error))
        return -1;
    return sql_prepare_all(apply->db, texts, retention->statements, STATEMENT_COUNT, error);
}

void retention_close(struct retention *retention)
{
    prune_close(&retention->prune);
    sql_finalize_all(retention->statements, STATEMENT_COUNT);
}

/* The first columns (at most two) of the statement's first row. SQLITE_ROW, SQLITE_DONE, or an
 * error. */
static int first_row(sqlite3_stmt *statement, int64_t *first, int64_t *second)
{
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        *first = sqlite3_column_int64(statement, 0);
        if (second)
            *second = sqlite3_column_int64(statement, 1);
    }
    sqlite3_reset(statement);
    return rc;
}

static int measure_sizes(struct retention *retention, struct store_sizes *sizes)
{
    int64_t pages = 0, free_pages = 0, baselines = 0, page_bytes = 0;
    if (first_row(retention->statements[PAGE_COUNT], &pages, NULL) != SQLITE_ROW ||
        first_row(retention->statements[FREE_COUNT], &free_pages, NULL) != SQLITE_ROW ||
        first_row(retention->statements[BASELINE_BYTES], &baselines, NULL) != SQLITE_ROW ||
        sql_get_int(retention->db, "PRAGMA page_size", &page_bytes) != SQLITE_OK)
        return -1;
    sizes->file = (uint64_t)(pages * page_bytes);
    sizes->used = (uint64_t)((pages - free_pages) * page_bytes);
    sizes->baselines = (uint64_t)baselines;
    stats_set(&retention->options->stats->store_bytes, sizes->file + sizes->baselines);
    return 0;
}

static void rest_until(struct retention *retention, uint64_t until_ms)
{
    retention->phase = RETENTION_REST;
    retention->look_at_ms = until_ms;
}

static void remove_up_to(struct retention *retention, int64_t run, int64_t attempt)
{
    retention->phase = RETENTION_REMOVE;
    retention->run = run;
    retention->attempt = attempt;
}

/* The text that a statement finds, cut to the length of a line of the log. */
static void get_text(sqlite3_stmt *statement, char text[ERROR_MAX])
{
    bool found = sqlite3_step(statement) == SQLITE_ROW;
    snprintf(text, ERROR_MAX, "%s", found ? sql_text(statement, 0) : "");
    sqlite3_reset(statement);
}

/* Hides a run from all readers; its rows go afterwards. Its key goes at once. */
static int retire_for_room(struct retention *retention, int64_t run, const char *why)
{
    char key[ERROR_MAX];
    sqlite3_bind_int64(retention->statements[RUN_KEY], 1, run);
    get_text(retention->statements[RUN_KEY], key);
    sqlite3_bind_int64(retention->statements[RETIRE], 1, run);
    int rc = sql_exec(retention->db, "BEGIN IMMEDIATE");
    if (rc == SQLITE_OK)
        rc = sql_run(retention->statements[RETIRE]);
    if (rc == SQLITE_OK)
        rc = apply_resolve_ended(retention->apply);
    if (rc == SQLITE_OK)
        rc = sql_exec(retention->db, "COMMIT");
    if (rc != SQLITE_OK) {
        sql_rollback(retention->db);
        return rc;
    }
    store_log(retention->options, false, "retention removes run %s %s", key, why);
    if (retention->options->sink.gone)
        retention->options->sink.gone(retention->options->sink.ctx, run);
    remove_up_to(retention, run, INT64_MAX);
    return SQLITE_OK;
}

/* Something to remove whatever the size: a deleted run, or one that is too old. True: found. */
static bool choose_due(struct retention *retention, bool *forget)
{
    int64_t run;
    if (first_row(retention->statements[FIND_RETIRED], &run, NULL) == SQLITE_ROW) {
        remove_up_to(retention, run, INT64_MAX);
        return true;
    }
    double limit = retention->options->retention_seconds;
    sqlite3_bind_double(retention->statements[FIND_AGED], 1, clock_wall() - limit);
    if (limit <= 0 || first_row(retention->statements[FIND_AGED], &run, NULL) != SQLITE_ROW)
        return false;
    *forget = true;
    return retire_for_room(retention, run, "by its age") == SQLITE_OK;
}

/* What goes next because there is too much. */
static void choose_victim(struct retention *retention, uint64_t now_ms, bool *forget)
{
    int64_t run, attempt;
    *forget = true;
    if (first_row(retention->statements[FIND_ENDED], &run, NULL) == SQLITE_ROW) {
        if (retire_for_room(retention, run, "to make room") != SQLITE_OK)
            rest_until(retention, now_ms + LOOK_MS);
    } else if (first_row(retention->statements[FIND_OLD_ATTEMPT], &run, &attempt) == SQLITE_ROW) {
        remove_up_to(retention, run, attempt);
    } else {
        retention->phase = RETENTION_TRIM;
        retention->series = 0;
        retention->table = PRUNE_HISTOGRAMS; /* as if series 0 were done */
        retention->last = -1;
        retention->trimmed = false;
    }
}

static void choose_next(struct retention *retention, uint64_t now_ms, bool *forget)
{
    struct store_sizes sizes;
    uint64_t limit = retention->options->retention_bytes;
    rest_until(retention, now_ms + LOOK_MS);
    if (measure_sizes(retention, &sizes) || choose_due(retention, forget))
        return;
    /* On a disk that is short of room the pages that are free anyhow go back to it. */
    bool shrink = sizes.file + sizes.baselines > limit ||
                  stats_get(&retention->options->stats->store_disk_short) > 0;
    if (shrink && sizes.file > sizes.used)
        retention->phase = RETENTION_VACUUM;
    else if (sizes.used + sizes.baselines > limit)
        choose_victim(retention, now_ms, forget);
}

static int delete_run_rows(struct retention *retention)
{
    sqlite3_stmt *files = retention->statements[LIST_BASELINES];
    char name[BASELINE_FILE_NAME_MAX];
    sqlite3_bind_int64(files, 1, retention->run);
    int rc = sqlite3_step(files);
    for (; rc == SQLITE_ROW; rc = sqlite3_step(files)) {
        baseline_file_name(name, sqlite3_column_int64(files, 0),
            (uint32_t)sqlite3_column_int64(files, 1), sqlite3_column_int64(files, 2));
        unlinkat(retention->baselines_fd, name, 0);
    }
    sqlite3_reset(files);
    if (rc != SQLITE_DONE)
        return rc;
    sqlite3_bind_int64(retention->statements[DELETE_RUN], 1, retention->run);
    return sql_run(retention->statements[DELETE_RUN]);
}

/* A thousand rows of the run in hand. An SQLite code; SQLITE_DONE: all is gone. */
static int remove_some(struct retention *retention, bool *forget)
{
    sqlite3_stmt *next = retention->statements[NEXT_OF_RUN];
    int64_t series = 0;
    sqlite3_bind_int64(next, 1, retention->run);
    sqlite3_bind_int64(next, 2, retention->attempt);
    int rc = first_row(next, &series, NULL);
    if (rc == SQLITE_DONE && retention->attempt == INT64_MAX)
        rc = delete_run_rows(retention) == SQLITE_OK ? SQLITE_DONE
                                                     : sqlite3_extended_errcode(retention->db);
    if (rc != SQLITE_ROW)
        return rc;
    rc = prune_slice(&retention->prune, PRUNE_POINTS, series, INT64_MAX);
    if (rc == SQLITE_DONE)
        rc = prune_slice(&retention->prune, PRUNE_HISTOGRAMS, series, INT64_MAX);
    if (rc != SQLITE_DONE)
        return rc;
    *forget = true;
    sqlite3_bind_int64(retention->statements[DELETE_SERIES], 1, series);
    return sql_run(retention->statements[DELETE_SERIES]);
}

/* Points of a series first, then its histograms, then the next series. SQLITE_DONE: that was the
 * last. */
static int trim_next(struct retention *retention)
{
    retention->last = -1;
    if (retention->table == PRUNE_POINTS) {
        retention->table = PRUNE_HISTOGRAMS;
    } else {
        sqlite3_stmt *next = retention->statements[NEXT_SERIES];
        sqlite3_bind_int64(next, 1, retention->series);
        int rc = first_row(next, &retention->series, NULL);
        if (rc != SQLITE_ROW)
            return rc;
        retention->table = PRUNE_POINTS;
    }
    int rc = prune_cutoff(
        &retention->prune, retention->table, retention->series, RETENTION_KEEP, &retention->last);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* A thousand rows, or the next series. An SQLite code; SQLITE_DONE: the pass is over. */
static int trim_some(struct retention *retention)
{
    if (retention->last < 0)
        return trim_next(retention);
    int rc = prune_slice(&retention->prune, retention->table, retention->series, retention->last);
    if (rc != SQLITE_DONE)
        return rc;
    retention->trimmed = true;
    retention->last = -1;
    return SQLITE_OK;
}

static int vacuum_some(struct retention *retention)
{
    sqlite3_stmt *vacuum = retention->statements[VACUUM];
    int rc = sqlite3_step(vacuum);
    while (rc == SQLITE_ROW)
        rc = sqlite3_step(vacuum);
    sqlite3_reset(vacuum);
    return rc;
}

static int run_step(struct retention *retention, bool *forget)
{
    switch (retention->phase) {
    case RETENTION_REMOVE: return remove_some(retention, forget);
    case RETENTION_TRIM: return trim_some(retention);
    case RETENTION_VACUUM: return vacuum_some(retention);
    case RETENTION_REST: break;
    }
    return SQLITE_DONE;
}

/* One transaction of steps. An SQLite code; SQLITE_DONE: the phase is over. */
static int run_slice(struct retention *retention, uint64_t now_ms, bool *forget)
{
    int rc = sql_exec(retention->db, "BEGIN IMMEDIATE");
    while (rc == SQLITE_OK && clock_ms() <= now_ms + SLICE_MS)
        rc = run_step(retention, forget);
    int end = rc == SQLITE_OK || rc == SQLITE_DONE ? sql_exec(retention->db, "COMMIT") : rc;
    if (end == SQLITE_OK)
        return rc;
    sql_rollback(retention->db);
    return end;
}

static void log_trim(struct retention *retention, uint64_t now_ms)
{
    char keys[ERROR_MAX];
    if (retention->logged_ms > 0 && now_ms < retention->logged_ms + LOG_MS)
        return;
    retention->logged_ms = now_ms;
    get_text(retention->statements[ALL_KEYS], keys);
    store_log(retention->options, false, "retention trims the oldest points of %s", keys);
}

static void finish_phase(struct retention *retention, uint64_t now_ms, bool *forget)
{
    bool took = retention->phase != RETENTION_TRIM || retention->trimmed;
    if (retention->phase != RETENTION_VACUUM && took)
        stats_add(&retention->options->stats->store_retired_runs_total, 1);
    if (retention->phase == RETENTION_TRIM && took)
        log_trim(retention, now_ms);
    if (took) {
        retention->exhausted = false;
        choose_next(retention, now_ms, forget);
        return;
    }
    if (!retention->exhausted)
        store_log(retention->options, true,
            "the store is over its limit and nothing is left that retention may take");
    retention->exhausted = true;
    rest_until(retention, now_ms + LOOK_EXHAUSTED_MS);
}

bool retention_turn(struct retention *retention, uint64_t now_ms, bool *forget)
{
    if (retention->phase == RETENTION_REST) {
        if (now_ms >= retention->look_at_ms)
            choose_next(retention, now_ms, forget);
        return retention->phase != RETENTION_REST;
    }
    int rc = run_slice(retention, now_ms, forget);
    if (rc == SQLITE_DONE) {
        finish_phase(retention, now_ms, forget);
    } else if (rc != SQLITE_OK) {
        if (!retention->failing)
            store_log(retention->options, true, "retention failed and is tried again: %s",
                sqlite3_errmsg(retention->db));
        stats_add(&retention->options->stats->store_errors_total, 1);
        *forget = true;
        rest_until(retention, now_ms + LOOK_MS);
    }
    retention->failing = rc != SQLITE_OK && rc != SQLITE_DONE;
    return retention->phase != RETENTION_REST;
}
