/* A reader's connection and statements, shared by the files that implement reader.h. */
#ifndef FORESHOCK_STORE_READER_INTERNAL_H
#define FORESHOCK_STORE_READER_INTERNAL_H

#include <sqlite3.h>

#include "daemon/store/reader.h"

enum reader_statement {
    READ_RUNS,
    READ_RUN,
    READ_RUN_EXISTS,
    READ_LAYERS,
    READ_LAST_VALUES,
    READ_SERIES_NAMES,
    READ_ALERTS,
    READ_SERIES,
    READ_POINT_FIRST,
    READ_POINT_LAST,
    READ_POINTS,
    READ_HISTOGRAM_FIRST,
    READ_HISTOGRAM_LAST,
    READ_HISTOGRAMS,
    READ_SILENCES,
    READ_NOTIFIERS,
    READ_DUE,
    READ_NOTICES,
    READ_COUNT
};

struct reader {
    sqlite3 *db;
    sqlite3_stmt *statements[READ_COUNT];
    uint64_t deadline_ms; /* UINT64_MAX: no query is under way */
    bool (*stop)(void *ctx);
    void *stop_ctx;
    char error[STORE_ERROR_MAX];
};

/* Every query lies between these two: one snapshot, one limit of time. reader_end takes the last
 * SQLite code (SQLITE_DONE is good) and gives a READER_ code; it resets all statements. */
int reader_begin(struct reader *reader); /* an SQLite code */
int reader_end(struct reader *reader, int rc, bool found);

#endif
