/* One function a kind of row, each with a statement that is prepared once. */
#include "daemon/store/run_table.h"

#include <unistd.h>

#include "daemon/store/baseline_file.h"
#include "daemon/store/sql.h"

/* INSERT ... ON CONFLICT DO UPDATE throughout: REPLACE would delete the old row, and by cascade
 * all that belongs to it. */
enum {
    PUT_RUN,
    PUT_ATTEMPT,
    PUT_SESSION,
    PUT_LAYER,
    FIND_BASELINE,
    PUT_BASELINE,
    PUT_TRACKER,
    HAS_RUN,
    RETIRE_RUN,
    STATEMENT_COUNT
};
_Static_assert(STATEMENT_COUNT <= RUN_TABLE_STATEMENT_MAX, "room for all statements");

static const char *const texts[STATEMENT_COUNT] = {
    [PUT_RUN] =
        "INSERT INTO run (id, key, name, state, tags, attempt, started_at,"
        " last_seen_at, last_step, dropped, undefined, owner) VALUES (?1, ?2, ?3, ?4, ?5,"
        " ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT (id) DO UPDATE SET name = ?3, state = ?4,"
        " tags = ?5, attempt = ?6, started_at = ?7, last_seen_at = ?8, last_step = ?9,"
        " dropped = ?10, undefined = ?11 WHERE retired = 0",
    [PUT_ATTEMPT] = "INSERT INTO attempt (run_id, number, first_step, started_at) VALUES (?1, ?2,"
                    " ?3, ?4) ON CONFLICT DO UPDATE SET first_step = ?3, started_at = ?4",
    [PUT_SESSION] = "INSERT INTO session (run_id, key, attempt, rank, world, client, state,"
                    " dropped) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE SET"
                    " attempt = ?3, rank = ?4, world = ?5, client = ?6, state = ?7, dropped = ?8",
    [PUT_LAYER] = "INSERT INTO layer (id, run_id, name, kind, role, block, dtype, rows, cols,"
                  " transposed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"
                  " ?10) ON CONFLICT (id) DO UPDATE SET name = ?3, kind = ?4, role ="
                  " ?5, block = ?6, dtype = ?7, rows = ?8, cols = ?9, transposed = ?10",
    [FIND_BASELINE] = "SELECT attempt, step FROM baseline WHERE layer_id = ?",
    [PUT_BASELINE] = "INSERT INTO baseline (layer_id, attempt, step, dtype, bytes, checksum)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (layer_id) DO UPDATE SET attempt"
                     " = ?2, step = ?3, dtype = ?4, bytes = ?5, checksum = ?6",
    [PUT_TRACKER] = "INSERT INTO tracker (layer_id, attempt, step, state) VALUES (?1, ?2, ?3, ?4)"
                    " ON CONFLICT (layer_id) DO UPDATE SET attempt = ?2, step = ?3, state = ?4",
    [HAS_RUN] = "SELECT 1 FROM run WHERE id = ? AND retired = 0",
    /* The key is free again at once; no user's key begins with a control character. */
    [RETIRE_RUN] = "UPDATE run SET retired = 1, key = char(10) || id WHERE id = ? AND retired = 0",
};

int run_table_open(struct run_table *table, sqlite3 *db, struct error *error)
{
    *table = (struct run_table){0};
    return sql_prepare_all(db, texts, table->statements, STATEMENT_COUNT, error);
}

void run_table_close(struct run_table *table)
{
    sql_finalize_all(table->statements, STATEMENT_COUNT);
}

/* `value` unless it says "none". */
static void bind_unless_negative(sqlite3_stmt *statement, int index, int64_t value)
{
    if (value < 0)
        sqlite3_bind_null(statement, index);
    else
        sqlite3_bind_int64(statement, index, value);
}

int run_table_put(struct run_table *table, const struct store_run *run)
{
    sqlite3_stmt *statement = table->statements[PUT_RUN];
    sqlite3_bind_int64(statement, 1, run->id);
    sql_bind_text(statement, 2, run->key);
    sql_bind_text(statement, 3, run->name);
    sql_bind_text(statement, 4, run_state_names[run->state]);
    sql_bind_text(statement, 5, run->tags);
    sqlite3_bind_int64(statement, 6, run->attempt);
    sqlite3_bind_double(statement, 7, run->started_at);
    sqlite3_bind_double(statement, 8, run->last_seen_at);
    bind_unless_negative(statement, 9, run->last_step);
    sqlite3_bind_int64(statement, 10, (int64_t)run->dropped);
    sqlite3_bind_int64(statement, 11, (int64_t)run->undefined);
    bind_unless_negative(statement, 12, run->owner);
    return sql_run(statement);
}

int run_table_put_attempt(struct run_table *table, const struct store_attempt *attempt)
{
    sqlite3_stmt *statement = table->statements[PUT_ATTEMPT];
    sqlite3_bind_int64(statement, 1, attempt->run);
    sqlite3_bind_int64(statement, 2, attempt->number);
    bind_unless_negative(statement, 3, attempt->first_step);
    sqlite3_bind_double(statement, 4, attempt->started_at);
    return sql_run(statement);
}

int run_table_put_session(struct run_table *table, const struct store_session *session)
{
    sqlite3_stmt *statement = table->statements[PUT_SESSION];
    sqlite3_bind_int64(statement, 1, session->run);
    sql_bind_text(statement, 2, session->key);
    sqlite3_bind_int64(statement, 3, session->attempt);
    sqlite3_bind_int64(statement, 4, session->rank);
    sqlite3_bind_int64(statement, 5, session->world);
    sql_bind_text(statement, 6, session->client);
    sql_bind_text(statement, 7, session_state_names[session->state]);
    sqlite3_bind_int64(statement, 8, (int64_t)session->dropped);
    return sql_run(statement);
}

int run_table_put_layer(struct run_table *table, const struct store_layer *layer)
{
    sqlite3_stmt *statement = table->statements[PUT_LAYER];
    sqlite3_bind_int64(statement, 1, layer->id);
    sqlite3_bind_int64(statement, 2, layer->run);
    sql_bind_text(statement, 3, layer->name);
    sql_bind_text(statement, 4, layer->kind);
    sql_bind_text(statement, 5, layer->role);
    sql_bind_text(statement, 6, layer->block);
    sql_bind_text(statement, 7, layer->dtype);
    sqlite3_bind_int64(statement, 8, (int64_t)layer->rows);
    sqlite3_bind_int64(statement, 9, (int64_t)layer->cols);
    sqlite3_bind_int(statement, 10, layer->transposed);
    return sql_run(statement);
}

int run_table_put_tracker(struct run_table *table, const struct store_tracker *tracker)
{
    sqlite3_stmt *statement = table->statements[PUT_TRACKER];
    sqlite3_bind_int64(statement, 1, tracker->layer);
    sqlite3_bind_int64(statement, 2, tracker->attempt);
    sqlite3_bind_int64(statement, 3, tracker->step);
    sqlite3_bind_blob64(statement, 4, tracker->state, tracker->size, SQLITE_STATIC);
    return sql_run(statement);
}

/* The file of a layer's row. SQLITE_ROW, SQLITE_DONE (it has none), or an error. */
static int find_baseline(struct run_table *table, int64_t layer, uint32_t *attempt, int64_t *step)
{
    sqlite3_stmt *statement = table->statements[FIND_BASELINE];
    sqlite3_bind_int64(statement, 1, layer);
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        *attempt = (uint32_t)sqlite3_column_int64(statement, 0);
        *step = sqlite3_column_int64(statement, 1);
    }
    sqlite3_reset(statement);
    return rc;
}

int run_table_put_baseline(struct run_table *table, struct op_baseline *op)
{
    const struct baseline_row *baseline = &op->row;
    sqlite3_stmt *statement = table->statements[PUT_BASELINE];
    int found = find_baseline(table, baseline->layer, &op->old_attempt, &op->old_step);
    if (found != SQLITE_ROW && found != SQLITE_DONE)
        return found;
    op->replaces = found == SQLITE_ROW &&
                   (op->old_attempt != baseline->attempt || op->old_step != baseline->step);
    sqlite3_bind_int64(statement, 1, baseline->layer);
    sqlite3_bind_int64(statement, 2, baseline->attempt);
    sqlite3_bind_int64(statement, 3, baseline->step);
    sql_bind_text(statement, 4, baseline->dtype);
    sqlite3_bind_int64(statement, 5, (int64_t)baseline->bytes);
    sqlite3_bind_int64(statement, 6, (int64_t)baseline->checksum);
    return sql_run(statement);
}

void run_table_unlink_replaced(
    struct run_table *table, const struct op_baseline *op, int baselines_fd)
{
    char name[BASELINE_FILE_NAME_MAX];
    uint32_t attempt;
    int64_t step;
    if (!op->replaces || find_baseline(table, op->row.layer, &attempt, &step) != SQLITE_ROW)
        return;
    if (attempt == op->old_attempt && step == op->old_step)
        return; /* the row was refused, or a later one names the old file again */
    baseline_file_name(name, op->row.layer, op->old_attempt, op->old_step);
    unlinkat(baselines_fd, name, 0);
}

int run_table_retire(struct run_table *table, int64_t run)
{
    sqlite3_bind_int64(table->statements[RETIRE_RUN], 1, run);
    return sql_run(table->statements[RETIRE_RUN]);
}

bool run_table_has(struct run_table *table, int64_t run)
{
    sqlite3_stmt *statement = table->statements[HAS_RUN];
    sqlite3_bind_int64(statement, 1, run);
    bool found = sqlite3_step(statement) == SQLITE_ROW;
    sqlite3_reset(statement);
    return found;
}
