/* The connection of a reader; see reader.h. */
#include "daemon/store/reader.h"

#include <stdlib.h>

#include "daemon/core/clock.h"
#include "daemon/store/reader_query.h"
#include "daemon/store/sql.h"
#include "daemon/store/statedir.h"

static int must_stop(void *ctx)
{
    const struct reader *reader = ctx;
    if (reader->deadline_ms == UINT64_MAX)
        return 0;
    return reader->stop ? reader->stop(reader->stop_ctx) : clock_ms() > reader->deadline_ms;
}

void reader_watch(struct reader *reader, bool (*stop)(void *ctx), void *ctx)
{
    reader->stop = stop;
    reader->stop_ctx = ctx;
}

int reader_open(struct reader **out, const char *state_dir, struct error *error)
{
    struct reader *reader = calloc(1, sizeof *reader);
    char *path = statedir_file(state_dir, STATEDIR_DATABASE);
    int rc = -1;
    *out = NULL;
    if (!reader || !path) {
        error_set(error, "the database in %s cannot be opened: memory is short", state_dir);
    } else if (sql_open_reader(&reader->db, path, error) == 0) {
        reader->deadline_ms = UINT64_MAX;
        sqlite3_progress_handler(reader->db, 10000, must_stop, reader);
        rc = sql_prepare_all(reader->db, reader_query_texts, reader->statements, READ_COUNT, error);
    }
    free(path);
    if (rc)
        reader_close(&reader);
    *out = reader;
    return rc;
}

void reader_close(struct reader **reader)
{
    if (!*reader)
        return;
    sql_finalize_all((*reader)->statements, READ_COUNT);
    sqlite3_close((*reader)->db);
    free(*reader);
    *reader = NULL;
}

const char *reader_error(const struct reader *reader)
{
    return reader->error.text;
}
