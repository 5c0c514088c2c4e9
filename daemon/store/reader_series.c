/* Series and histograms for plots: the attempts of a series laid over each other, then put on
 * one grid. */
#include "daemon/store/reader_series.h"

#include <stdlib.h>

#include "daemon/store/bucket.h"
#include "daemon/store/reader_query.h"
#include "daemon/store/rows.h"

/* The part of one attempt's series that is seen. */
struct series_part {
    int64_t series;
    uint32_t attempt;
    int64_t first, last; /* steps, inclusive */
    bool empty;
};

struct series_parts {
    struct series_part *list;
    size_t count, room;
};

/* The statements that read one of the two tables. */
struct series_statements {
    enum reader_statement first, last, rows;
};

static const struct series_statements points_source = {
    READ_POINT_FIRST, READ_POINT_LAST, READ_POINTS};
static const struct series_statements histograms_source = {
    READ_HISTOGRAM_FIRST, READ_HISTOGRAM_LAST, READ_HISTOGRAMS};

/* All helpers give SQLITE_DONE when they went well, another code when not. */
static int list_parts(
    struct reader *reader, const struct reader_series_query *query, struct series_parts *parts)
{
    sqlite3_stmt *row = reader->statements[READ_SERIES];
    sqlite3_bind_int64(row, 1, query->run);
    sqlite3_bind_int64(row, 2, query->layer);
    sqlite3_bind_text(row, 3, query->metric, -1, SQLITE_STATIC);
    sqlite3_bind_int64(row, 4, query->attempt);
    int rc = sqlite3_step(row);
    for (; rc == SQLITE_ROW; rc = sqlite3_step(row)) {
        if (parts->count == parts->room) {
            size_t room = parts->room ? parts->room * 2 : 4;
            struct series_part *list = realloc(parts->list, room * sizeof *list);
            if (!list)
                return SQLITE_NOMEM;
            parts->list = list;
            parts->room = room;
        }
        parts->list[parts->count++] = (struct series_part){.series = sqlite3_column_int64(row, 0),
            .attempt = (uint32_t)sqlite3_column_int64(row, 1)};
    }
    return rc;
}

/* The first (or last) step that the series has in [from, to]. */
static int find_step(
    sqlite3_stmt *statement, int64_t series, int64_t from, int64_t to, int64_t *step, bool *found)
{
    sqlite3_bind_int64(statement, 1, series);
    sqlite3_bind_int64(statement, 2, from);
    sqlite3_bind_int64(statement, 3, to);
    int rc = sqlite3_step(statement);
    *found = rc == SQLITE_ROW;
    if (*found)
        *step = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return *found ? SQLITE_DONE : rc;
}

/* From the newest attempt back: each is seen up to where a later one begins, also where that
 * lies outside the range. */
static int limit_parts(struct reader *reader, const struct series_statements *source,
    const struct reader_series_query *query, struct series_parts *parts)
{
    sqlite3_stmt *first = reader->statements[source->first],
                 *last = reader->statements[source->last];
    int64_t end = query->to; /* the last step that is still free */
    int rc = SQLITE_DONE;
    bool free_steps = query->from <= query->to;
    for (size_t i = parts->count; i-- > 0 && rc == SQLITE_DONE;) {
        struct series_part *part = &parts->list[i];
        int64_t begin = 0;
        bool found = false;
        part->empty = true;
        if (!free_steps)
            continue;
        rc = find_step(first, part->series, query->from, end, &part->first, &found);
        part->empty = !found;
        if (rc == SQLITE_DONE && found)
            rc = find_step(last, part->series, query->from, end, &part->last, &found);
        if (rc == SQLITE_DONE)
            rc = find_step(first, part->series, INT64_MIN, end, &begin, &found);
        if (found && begin <= query->from)
            free_steps = false;
        else if (found)
            end = begin - 1;
    }
    return rc;
}

/* The grid over what all parts show. False: they show nothing. */
static bool grid_of(const struct series_parts *parts, size_t cells, struct bucket_grid *grid)
{
    bool any = false;
    int64_t first = 0, last = 0;
    for (size_t i = 0; i < parts->count; i++) {
        const struct series_part *part = &parts->list[i];
        if (part->empty)
            continue;
        first = !any || part->first < first ? part->first : first;
        last = !any || part->last > last ? part->last : last;
        any = true;
    }
    if (any)
        *grid = bucket_grid(first, last, cells);
    return any;
}

/* The number of cells that a part can fill. */
static size_t cells_of(const struct series_part *part, const struct bucket_grid *grid)
{
    return (size_t)(bucket_cell(grid, part->last) - bucket_cell(grid, part->first)) + 1;
}

static sqlite3_stmt *rows_of(
    struct reader *reader, const struct series_statements *source, const struct series_part *part)
{
    sqlite3_stmt *rows = reader->statements[source->rows];
    sqlite3_bind_int64(rows, 1, part->series);
    sqlite3_bind_int64(rows, 2, part->first);
    sqlite3_bind_int64(rows, 3, part->last);
    return rows;
}

static int fill_buckets(
    sqlite3_stmt *row, const struct bucket_grid *grid, struct reader_bucket *buckets, size_t *count)
{
    struct bucket_sum sum;
    uint64_t cell = 0;
    int rc = sqlite3_step(row);
    for (; rc == SQLITE_ROW; rc = sqlite3_step(row)) {
        int64_t step = sqlite3_column_int64(row, 0);
        uint64_t here = bucket_cell(grid, step);
        if (*count == 0 || here != cell)
            bucket_begin(&buckets[(*count)++], &sum);
        cell = here;
        bucket_add(
            &buckets[*count - 1], &sum, step, sqlite3_column_double(row, 1), rows_value(row, 2));
    }
    sqlite3_reset(row);
    return rc;
}

static void sum_counts(struct reader_column *column, const unsigned char *bytes)
{
    for (size_t i = 0; i < HISTOGRAM_BINS; i++) {
        uint32_t count = 0;
        for (size_t b = 0; b < 4; b++)
            count |= (uint32_t)bytes[4 * i + b] << (8 * b);
        column->counts[i] += count;
    }
}

static int fill_columns(
    sqlite3_stmt *row, const struct bucket_grid *grid, struct reader_column *columns, size_t *count)
{
    uint64_t cell = 0;
    int rc = sqlite3_step(row);
    for (; rc == SQLITE_ROW; rc = sqlite3_step(row)) {
        int64_t step = sqlite3_column_int64(row, 0);
        uint64_t here = bucket_cell(grid, step);
        if (*count == 0 || here != cell)
            columns[(*count)++] = (struct reader_column){.first_step = step};
        cell = here;
        struct reader_column *column = &columns[*count - 1];
        column->last_step = step;
        column->time = sqlite3_column_double(row, 1);
        const unsigned char *bytes = sqlite3_column_blob(row, 2);
        if (!bytes || sqlite3_column_bytes(row, 2) != 4 * HISTOGRAM_BINS)
            return SQLITE_CORRUPT;
        sum_counts(column, bytes);
    }
    sqlite3_reset(row);
    return rc;
}

/* Finds the parts and the grid of a query. `shown`: there is something to read. */
static int plan(struct reader *reader, const struct series_statements *source,
    const struct reader_series_query *query, struct series_parts *parts, struct bucket_grid *grid,
    bool *shown)
{
    int rc = reader_query_begin(reader);
    if (rc == SQLITE_OK)
        rc = list_parts(reader, query, parts);
    if (rc == SQLITE_DONE)
        rc = limit_parts(reader, source, query, parts);
    *shown = rc == SQLITE_DONE && grid_of(parts, query->points ? query->points : 1, grid);
    return rc;
}

int reader_series(struct reader *reader, const struct reader_series_query *query,
    void (*series)(void *ctx, uint32_t attempt, const struct reader_bucket *buckets, size_t count),
    void *ctx)
{
    struct series_parts parts = {0};
    struct bucket_grid grid = {0};
    bool shown;
    int rc = plan(reader, &points_source, query, &parts, &grid, &shown);
    for (size_t i = 0; shown && i < parts.count && rc == SQLITE_DONE; i++) {
        const struct series_part *part = &parts.list[i];
        size_t count = 0;
        if (part->empty)
            continue;
        struct reader_bucket *buckets = calloc(cells_of(part, &grid), sizeof *buckets);
        rc = buckets ? fill_buckets(rows_of(reader, &points_source, part), &grid, buckets, &count)
                     : SQLITE_NOMEM;
        if (rc == SQLITE_DONE)
            series(ctx, part->attempt, buckets, count);
        free(buckets);
    }
    free(parts.list);
    return reader_query_end(reader, rc, parts.count > 0);
}

int reader_histogram(struct reader *reader, const struct reader_series_query *query,
    void (*each)(void *ctx, uint32_t attempt, const struct reader_column *columns, size_t count),
    void *ctx)
{
    struct series_parts parts = {0};
    struct bucket_grid grid = {0};
    bool shown;
    int rc = plan(reader, &histograms_source, query, &parts, &grid, &shown);
    for (size_t i = 0; shown && i < parts.count && rc == SQLITE_DONE; i++) {
        const struct series_part *part = &parts.list[i];
        size_t count = 0;
        if (part->empty)
            continue;
        struct reader_column *columns = calloc(cells_of(part, &grid), sizeof *columns);
        rc = columns
                 ? fill_columns(rows_of(reader, &histograms_source, part), &grid, columns, &count)
                 : SQLITE_NOMEM;
        if (rc == SQLITE_DONE)
            each(ctx, part->attempt, columns, count);
        free(columns);
    }
    free(parts.list);
    return reader_query_end(reader, rc, parts.count > 0);
}
