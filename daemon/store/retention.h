/* Keeps the store below its limits, in slices of a few milliseconds between commits. Belongs to
 * the writer thread.
 *
 * The order of what goes: runs that were deleted; runs that are too old; and while the size is over
 * its limit: the run that ended first, but never the newest of all runs; then,
 * of the runs that are left (those that run, and the newest), the earliest attempts and the oldest
 * points (never the newest RETENTION_KEEP of a series). Nothing goes for a disk that others fill (disk.h).
 *
 *          ┌──────── nothing to do ────────┐
 *          ▼                               │
 *        REST ──── time to look ───▶ (look and choose) ◀── done ── REMOVE a run or first attempts
 *                                          ▲   ▲
 *                                          │   └──────────── done ── TRIM each series
 *                                          └──────────────── done ── VACUUM free pages
 */
#ifndef FORESHOCK_STORE_RETENTION_H
#define FORESHOCK_STORE_RETENTION_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/store/apply.h"
#include "daemon/store/prune.h"
#include "daemon/store/store.h"

#define RETENTION_KEEP          256 /* newest points of a series that trimming never takes */
#define RETENTION_STATEMENT_MAX 16

enum retention_phase { RETENTION_REST, RETENTION_REMOVE, RETENTION_TRIM, RETENTION_VACUUM };

struct retention {
    const struct store_options *options;
    struct apply *apply;
    int baselines_fd;
    sqlite3 *db;
    sqlite3_stmt *statements[RETENTION_STATEMENT_MAX];
    struct prune prune;
    enum retention_phase phase;
    uint64_t look_at_ms;  /* REST: when to look again */
    int64_t run, attempt; /* REMOVE: attempts of `run` up to this one; the whole run if INT64_MAX */
    int64_t series;       /* TRIM: the one in hand; earlier ids are done */
    enum prune_table table; /* TRIM: of which rows go */
    int64_t last;           /* TRIM: up to this step; less than 0: not chosen yet */
    bool trimmed;           /* TRIM: this pass has taken something */
    uint64_t logged_ms;     /* TRIM: when a pass was last logged; 0: never */
    bool exhausted;         /* nothing was left to take, and that was logged */
    bool failing;           /* the last slice failed, and that was logged */
};

int retention_open(struct retention *retention, const struct store_options *options,
    int baselines_fd, struct apply *apply, struct error *error); /* 0, or -1 and `error` */
void retention_close(struct retention *retention);

/* One slice. True: there is more to do, call again soon. `forget`: series were deleted,
 * remembered ids are wrong. */
bool retention_turn(struct retention *retention, uint64_t now_ms, bool *forget);

#endif
