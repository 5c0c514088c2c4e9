/* Where figures go: through the detectors of their run, and with the alerts that they changed into the store.
 *
 * One engine of detectors a run, for its newest attempt. A batch holds what one event made, so a figure and the alert that
 * it raised are committed together; those who tell others hear of both after the commit. Loop thread only. */
#ifndef FORESHOCK_EVALUATOR_EVALUATOR_H
#define FORESHOCK_EVALUATOR_EVALUATOR_H

#include "daemon/alerts/rules.h"
#include "daemon/evaluator/announced.h"
#include "daemon/runs/runs.h"
#include "daemon/store/store.h"

struct evaluator;

/* NULL: memory is short. `announced`: what a client that comes back may be told of. */
struct evaluator *evaluator_new(
    struct store *store, const struct rule_settings *settings, struct announced *announced);

/* Where runs_options.out leads. */
struct runs_out evaluator_runs_out(struct evaluator *evaluator);

/* After runs_restore: the detectors of runs that may go on see their stored figures again, and open alerts are theirs. */
int evaluator_restore(struct evaluator *evaluator, char *err);

/* New thresholds for what comes from now on. */
void evaluator_retune(struct evaluator *evaluator, const struct rule_settings *settings);

/* Tells the store again what it had no room for: of alerts that fire, of those that are resolved, of attempts that ended.
 * To be called now and then. */
void evaluator_settle(struct evaluator *evaluator);

void evaluator_free(struct evaluator *evaluator);

#endif
