/* The engine's alert as a record: ids of layers become names. */
#ifndef FORESHOCK_EVALUATOR_RECORD_H
#define FORESHOCK_EVALUATOR_RECORD_H

#include "daemon/alerts/engine.h"
#include "daemon/core/alert_record.h"

/* Fills in all but `run`, `run_key`, `attempt` and `revision`. A layer that the engine does not know has no name and is left
 * out, with its evidence. */
void record_make(
    struct alert_record *record, const struct alert_engine *engine, const struct alert *alert);

#endif
