/* A reader's connection and statements, and how every query begins and ends. */
#ifndef FORESHOCK_STORE_READER_QUERY_H
#define FORESHOCK_STORE_READER_QUERY_H

#include <sqlite3.h>

#include "daemon/core/error.h"
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
    struct error error;
};

/* Every query lies between these two: one snapshot, one limit of time. reader_query_end takes the last
 * SQLite code (SQLITE_DONE is good) and gives a READER_ code; it resets all statements. */
int reader_query_begin(struct reader *reader); /* an SQLite code */
int reader_query_end(struct reader *reader, int rc, bool found);

/* The first step of a statement whose parameters are bound, in a snapshot of its own. */
int reader_query_first(struct reader *reader, enum reader_statement statement);

extern const char *const reader_query_texts[READ_COUNT];

#endif
