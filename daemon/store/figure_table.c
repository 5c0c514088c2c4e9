/* Points and histograms by the id of their series. */
#include "daemon/store/figure_table.h"

#include "daemon/store/sql.h"

enum { FIND_SERIES, PUT_SERIES, PUT_POINT, PUT_HISTOGRAM, STATEMENT_COUNT };
_Static_assert(STATEMENT_COUNT <= FIGURE_TABLE_STATEMENT_MAX, "room for all statements");

static const char *const texts[STATEMENT_COUNT] = {
    [FIND_SERIES] = "SELECT r.key, coalesce(l.name, ''), s.id FROM run r LEFT JOIN layer l ON"
                    " l.id = ?3 AND l.run_id = r.id LEFT JOIN series s ON s.run_id = r.id AND"
                    " s.attempt = ?2 AND s.layer_id = ?3 AND s.metric = ?4 WHERE r.id = ?1 AND"
                    " r.retired = 0 AND (?3 = 0 OR l.id IS NOT NULL)",
    [PUT_SERIES] = "INSERT INTO series (run_id, attempt, layer_id, metric) VALUES (?1, ?2, ?3, ?4)",
    [PUT_POINT] = "INSERT INTO point (series_id, step, time, value) VALUES (?1, ?2, ?3, ?4) ON"
                  " CONFLICT (series_id, step) DO NOTHING",
    [PUT_HISTOGRAM] = "INSERT INTO histogram (series_id, step, time, counts) VALUES (?1, ?2, ?3,"
                      " ?4) ON CONFLICT (series_id, step) DO NOTHING",
};

int figure_table_open(struct figure_table *table, sqlite3 *db, struct error *error)
{
    *table = (struct figure_table){.db = db};
    return sql_prepare_all(db, texts, table->statements, STATEMENT_COUNT, error);
}

void figure_table_close(struct figure_table *table)
{
    sql_finalize_all(table->statements, STATEMENT_COUNT);
    series_cache_clear(&table->series);
}

void figure_table_forget(struct figure_table *table)
{
    series_cache_clear(&table->series);
}

static void bind_series(sqlite3_stmt *statement, const struct series *key)
{
    sqlite3_bind_int64(statement, 1, key->run);
    sqlite3_bind_int64(statement, 2, key->attempt);
    sqlite3_bind_int64(statement, 3, key->layer);
    sql_bind_text(statement, 4, key->metric);
}

/* The series of `key` (run, attempt, layer, metric), which is made if its run and layer are
 * there. `found` NULL: they are not. */
static int find_series(
    struct figure_table *table, const struct series *key, const struct series **found)
{
    *found = series_cache_find(&table->series, key);
    if (*found)
        return SQLITE_OK;
    sqlite3_stmt *find = table->statements[FIND_SERIES], *put = table->statements[PUT_SERIES];
    bind_series(find, key);
    int rc = sqlite3_step(find);
    if (rc == SQLITE_ROW) {
        struct series series = *key;
        series.run_key = sql_text(find, 0);
        series.layer_name = sql_text(find, 1);
        series.id = sqlite3_column_int64(find, 2);
        rc = SQLITE_OK;
        if (series.id == 0) {
            bind_series(put, key);
            rc = sql_run(put);
            series.id = sqlite3_last_insert_rowid(table->db);
        }
        if (rc == SQLITE_OK)
            *found = series_cache_add(&table->series, &series);
        if (rc == SQLITE_OK && !*found)
            rc = SQLITE_NOMEM;
    } else if (rc == SQLITE_DONE) {
        rc = SQLITE_OK;
    }
    sqlite3_reset(find);
    return rc;
}

int figure_table_find_series(
    struct figure_table *table, const struct figure *figure, const struct series **found)
{
    const struct series key = {.run = figure->run,
        .layer = figure->layer,
        .attempt = figure->attempt,
        .metric = figure->metric};
    return find_series(table, &key, found);
}

static int insert_row(struct figure_table *table, sqlite3_stmt *statement, bool *stored)
{
    int rc = sql_run(statement);
    *stored = rc == SQLITE_OK && sqlite3_changes(table->db) > 0;
    return rc;
}

int figure_table_put(struct figure_table *table, const struct figure *figure, bool *stored)
{
    const struct series *series;
    *stored = false;
    int rc = figure_table_find_series(table, figure, &series);
    if (rc != SQLITE_OK || !series)
        return rc;
    sqlite3_stmt *statement = table->statements[PUT_POINT];
    sqlite3_bind_int64(statement, 1, series->id);
    sqlite3_bind_int64(statement, 2, figure->step);
    sqlite3_bind_double(statement, 3, figure->time);
    sqlite3_bind_double(statement, 4, figure->value); /* NaN becomes NULL */
    return insert_row(table, statement, stored);
}

static void encode_counts(
    const uint32_t counts[HISTOGRAM_BINS], unsigned char bytes[4 * HISTOGRAM_BINS])
{
    for (size_t i = 0; i < HISTOGRAM_BINS; i++) {
        for (size_t b = 0; b < 4; b++)
            bytes[4 * i + b] = (unsigned char)(counts[i] >> (8 * b));
    }
}

int figure_table_put_histogram(
    struct figure_table *table, const struct histogram *histogram, bool *stored)
{
    const struct series key = {.run = histogram->run,
        .layer = histogram->layer,
        .attempt = histogram->attempt,
        .metric = histogram->metric};
    const struct series *series;
    *stored = false;
    int rc = find_series(table, &key, &series);
    if (rc != SQLITE_OK || !series)
        return rc;
    unsigned char bytes[4 * HISTOGRAM_BINS];
    encode_counts(histogram->counts, bytes);
    sqlite3_stmt *statement = table->statements[PUT_HISTOGRAM];
    sqlite3_bind_int64(statement, 1, series->id);
    sqlite3_bind_int64(statement, 2, histogram->step);
    sqlite3_bind_double(statement, 3, histogram->time);
    sqlite3_bind_blob(statement, 4, bytes, sizeof bytes, SQLITE_STATIC);
    return insert_row(table, statement, stored);
}
