/* Read-only queries on a connection of its own: what the HTTP threads use. A reader belongs to
 * one thread at a time.
 *
 * Every function steps its statement to the end (or to the caller's stop) and resets it before
 * it returns: no statement is open while a caller writes to the network. Strings live for the
 * callback only. Only committed data are seen, and no deleted run. A query that takes longer
 * than READER_LIMIT_MS, or that its watch ends, is stopped: READER_FAILED. */
#ifndef FORESHOCK_STORE_READER_H
#define FORESHOCK_STORE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/store/store.h"

#define READER_LIMIT_MS 2000

struct reader;

/* 0, or -1 and `error`. The store must have been opened once before. */
int reader_open(struct reader **reader, const char *state_dir, struct error *error);
void reader_close(struct reader **reader); /* safe on NULL */

/* From here on `stop` is asked every few milliseconds of a query whether it shall end, and READER_LIMIT_MS does not
 * count. NULL: as it was before. */
void reader_watch(struct reader *reader, bool (*stop)(void *ctx), void *ctx);

/* All queries (reader_runs.h, reader_series.h, reader_notify.h) return 0; READER_NONE when the run, attempt, layer or alert
 * is not there; READER_FAILED otherwise, and reader_error says why. */
enum { READER_OK = 0, READER_NONE = 1, READER_FAILED = -1 };
const char *reader_error(const struct reader *reader);

#endif
