/* The one owner of every alert from the engine to the people: it keeps each change of an alert until the store has answered
 * for it, and knows which alerts fire.
 *
 *             put               submit                 the store's answer
 *     engine ─────▶ waiting ──────────────▶ submitted ───────────────────▶ notified; gone from the list
 *                    │   ▲    │ refused       │
 *                    │   └────┘               │
 *                    └───────┬────────────────┘
 *                            ▼ for `patience_ms` it has not been written, or nothing has
 *                   notified as not recorded, and kept until the answer
 *
 * Trainings hear of an alert after its commit, or marked as not recorded; then they hear of it once more after the commit,
 * unless a newer change was sent meanwhile. Observed alerts are never sent. Silences are the store's knowledge: of an alert
 * that was never committed none is known, so it goes out. The end of an alert is sent to those who were sent its beginning.
 *
 * While the store has no room, of an alert at most two changes wait: what it says while it fires, and its end.
 * Loop thread only, but for journal_answer. */
#ifndef FORESHOCK_EVALUATOR_JOURNAL_H
#define FORESHOCK_EVALUATOR_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/alert_record.h"
#include "daemon/core/mailbox.h"
#include "daemon/core/stats.h"
#include "daemon/store/store.h"

struct journal;

struct journal_options {
    struct mailbox *mailbox;
    struct stats *stats;
    uint64_t patience_ms; /* 0: LIMIT_UNRECORDED_MS */
    /* To the trainings of the run; called on the loop. */
    void (*push)(void *ctx, const char *run_key, const struct wire_alert *alert);
    /* An alert that is not recorded, to all others who would hear of its commit. May be NULL. */
    void (*unrecorded)(void *ctx, const struct alert_record *record, bool silenced);
    void *ctx;
};

/* NULL: memory is short. Made before the store is opened, freed after the mailbox is closed. */
struct journal *journal_new(const struct journal_options *options);
void journal_free(struct journal *journal); /* safe on NULL */

/* False: LIMIT_JOURNAL changes wait already, and no alert may be opened. */
bool journal_has_room(const struct journal *journal);

/* Takes a change of an alert; its revision is the journal's. False: memory is short. */
bool journal_put(struct journal *journal, const struct alert_record *record);

/* Hands the batch over, with all that waits at its end unless the store had no room for the last one. The batch is gone in
 * any case. False: there was no room, and the batch is lost; what waits goes on waiting. */
bool journal_submit(struct journal *journal, struct store *store, struct store_batch *batch);

/* Now and then: submits what waits, and notifies what has waited too long. `now_ms`: clock_ms(). */
void journal_tick(struct journal *journal, struct store *store, uint64_t now_ms);

/* The row of an alert as it is now, from store_sink.alert. Any thread. */
void journal_answer(struct journal *journal, const struct store_alert *row);

/* An alert that fires and was committed before the start. `notified`: it was sent, too. False: memory is short. */
bool journal_restore(
    struct journal *journal, const struct alert_record *record, bool silenced, bool notified);

/* The alerts of a run that fire and that its trainings may know of, for one that came back. */
void journal_firing(const struct journal *journal, int64_t run,
    void (*each)(void *each_ctx, const struct wire_alert *), void *each_ctx);

/* The run is deleted. */
void journal_forget(struct journal *journal, int64_t run);

#endif
