/* An alert of an engine as a row of the store. Loop thread only. */
#ifndef FORESHOCK_EVALUATOR_ALERT_ROW_H
#define FORESHOCK_EVALUATOR_ALERT_ROW_H

#include <stdint.h>

#include "daemon/alerts/engine.h"
#include "daemon/store/store.h"

/* The name of a layer: "" for the run itself (0) and for one that the engine does not know. Valid as
 * long as the engine is. */
const char *alert_row_layer(const struct alert_engine *engine, int64_t layer);

/* Into the batch, which copies: its layers and evidence by the engine's names, as JSON. */
void alert_row_put(struct store_batch *batch, const struct alert_engine *engine, int64_t run,
    uint32_t attempt, const struct alert *alert);

#endif
