/* Where figures go: through the detectors of their run, and with the alerts that they changed into the store.
 *
 * One engine a run, for its newest attempt. A batch holds what one event made, so a figure and the alert that it raised are
 * committed together; the alerts are the journal's from the moment they change (journal.h). Loop thread only.
 *
 * The functions whose first argument is `ctx` (the evaluator) have the form of a table of functions that main fills. */
#ifndef FORESHOCK_EVALUATOR_EVALUATOR_H
#define FORESHOCK_EVALUATOR_EVALUATOR_H

#include "daemon/alerts/rules.h"
#include "daemon/core/error.h"
#include "daemon/evaluator/journal.h"
#include "daemon/store/store.h"

struct evaluator;

/* NULL: memory is short. The store and the journal must outlive it. */
struct evaluator *evaluator_new(
    struct store *store, const struct rule_settings *settings, struct journal *journal);
void evaluator_free(struct evaluator *evaluator); /* safe on NULL */

/* After all runs, attempts and layers are known again: the engines of runs that may go on see their stored figures again, and
 * open alerts are theirs; those that no engine has are resolved. 0, or -1 and `error`. */
int evaluator_restore(struct evaluator *evaluator, struct error *error);

/* New thresholds for what comes from now on. */
void evaluator_retune(struct evaluator *evaluator, const struct rule_settings *settings);

/* To be called now and then: the journal's tick. */
void evaluator_tick(struct evaluator *evaluator);

/* One event's rows and figures. The batch is the evaluator's from now on. False: the store had no room, and it is lost; the
 * alerts are not. */
bool evaluator_publish(
    void *ctx, int64_t run, struct store_batch *batch, const struct figure *figures, size_t count);

/* A run begins, or an attempt of it: what was known of it by its figures starts anew. */
void evaluator_attempt(void *ctx, int64_t run, const char *key, uint32_t attempt);
void evaluator_begins(void *ctx, int64_t run, int64_t step); /* the first step of the attempt */

/* `role` "" for an MLP block, `block` "" for none. */
void evaluator_layer(
    void *ctx, int64_t run, int64_t layer, const char *name, const char *role, const char *block);

/* What the daemon itself knows. `layer` 0: the run itself. */
void evaluator_lost(void *ctx, int64_t run, bool on, int64_t step, const char *text);
void evaluator_damaged(
    void *ctx, int64_t run, int64_t layer, bool on, int64_t step, const char *text);

void evaluator_ended(void *ctx, int64_t run);  /* nothing is wrong with it any more */
void evaluator_forget(void *ctx, int64_t run); /* it is deleted */

/* The alerts that fire, for a training that came back. */
void evaluator_firing(void *ctx, int64_t run,
    void (*each)(void *each_ctx, const struct wire_alert *), void *each_ctx);

#endif
