/* The newest attempt of a run, while it may go on: its engine, and the layers that the engine knows. Loop thread only. */
#ifndef FORESHOCK_EVALUATOR_RUN_WATCH_H
#define FORESHOCK_EVALUATOR_RUN_WATCH_H

#include <stdint.h>
#include <uthash.h>

#include "daemon/alerts/engine.h"
#include "daemon/core/alert_record.h"
#include "daemon/store/store.h"

struct watched_layer;

struct run_watch {
    int64_t run;
    uint32_t attempt;
    char *key; /* what people call the run */
    struct alert_engine *engine;
    struct watched_layer *layers;
    UT_hash_handle hh; /* by run, in the evaluator */
};

/* NULL: memory is short. Copies `key`. */
struct run_watch *run_watch_new(
    int64_t run, const char *key, uint32_t attempt, const struct rule_settings *settings);
void run_watch_free(struct run_watch *watch); /* safe on NULL */

/* `role` "" for an MLP block, `block` "" for none. 0, or -1: memory is short, and the layer is not judged. */
int run_watch_add_layer(
    struct run_watch *watch, int64_t id, const char *name, const char *role, const char *block);

/* The record of an alert of this run's engine. */
void run_watch_record(
    const struct run_watch *watch, const struct alert *alert, struct alert_record *record);

/* What the detectors have made of the figures of all layers since the last call goes into the batch: it is a series of the
 * run like any other. */
void run_watch_put_assessments(struct run_watch *watch, struct store_batch *batch);

/* The daemon itself knew of this alert before it was restarted: the same condition holds again for the run, or for the layers
 * that the row names. */
void run_watch_restore_condition(
    struct run_watch *watch, enum alert_rule rule, const struct store_alert *row);

#endif
