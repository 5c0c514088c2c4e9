/* Turns the operations of a batch into rows, inside a transaction of the caller's. Belongs to
 * the writer thread. */
#ifndef FORESHOCK_STORE_APPLY_H
#define FORESHOCK_STORE_APPLY_H

#include <sqlite3.h>

#include "daemon/core/error.h"
#include "daemon/store/alert_table.h"
#include "daemon/store/batch.h"
#include "daemon/store/deliveries.h"
#include "daemon/store/figure_table.h"
#include "daemon/store/outbox.h"
#include "daemon/store/run_table.h"

struct apply {
    sqlite3 *db;
    struct run_table runs;
    struct figure_table figures;
    struct alert_table alerts;
    struct outbox outbox;
    struct deliveries deliveries;
    bool without_figures;                     /* the disk is short of room */
    struct store_committed_figure *committed; /* room for the figures of one batch */
    size_t committed_size;
    struct error unreadable; /* of a row that the operation in hand cannot read; "": none */
};

struct apply_result {
    uint64_t figures;        /* points and histograms that were new */
    uint64_t left_out;       /* points and histograms, for want of room on the disk */
    uint64_t refused;        /* rows that break a rule of the schema and were left out */
    char refusal[ERROR_MAX]; /* of the last of them */
};

int apply_open(struct apply *apply, sqlite3 *db, struct error *error); /* 0, or -1 and `error` */
void apply_close(struct apply *apply);

/* A transaction begins, or begins anew after a rollback. */
void apply_begin(struct apply *apply);

/* An SQLite code. Figures of a run that is not there (any more) are left out without a word: a
 * run may be deleted while they wait. A row that a constraint refuses is left out and counted;
 * every other error ends the batch. */
int apply_batch(struct apply *apply, struct store_batch *batch, struct apply_result *result);

/* Removes the baseline files whose rows a committed batch has replaced. */
void apply_unlink_replaced(struct apply *apply, const struct store_batch *batch, int baselines_fd);

/* Hands what a committed batch has changed to the sink of `options`; an alert that it cannot read goes to their log. */
void apply_notify_sink(
    struct apply *apply, const struct store_batch *batch, const struct store_options *options);

/* After a run was retired by another than a batch: its alerts are to be notified as resolved. An SQLite
 * code. */
int apply_resolve_ended(struct apply *apply);

/* Must be called after a rollback, and when series were deleted: ids that are remembered may be
 * wrong now. */
void apply_forget(struct apply *apply);

#endif
