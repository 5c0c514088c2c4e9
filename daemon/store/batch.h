/* A batch: the rows of one event, copied into memory that the batch owns, in the order in which
 * they were put. */
#ifndef FORESHOCK_STORE_BATCH_H
#define FORESHOCK_STORE_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/store/alert_row.h"
#include "daemon/store/store.h"

enum op_type {
    OP_RUN,
    OP_ATTEMPT,
    OP_SESSION,
    OP_LAYER,
    OP_FIGURE,
    OP_HISTOGRAM,
    OP_ALERT,
    OP_ALERT_END,
    OP_BASELINE,
    OP_TRACKER,
    OP_DELETE_RUN,
    OP_ACK,
    OP_SILENCE,
    OP_END_SILENCE,
    OP_EXPIRE_SILENCES,
    OP_NOTIFIERS,
    OP_DELIVERY,
};

struct op_ack {
    int64_t alert;
    double time;
};

struct op_alert {
    struct alert_record record;
    struct alert_row_json json; /* the writer makes it once */
    struct store_alert row;     /* as the transaction in hand left it */
};

struct op_alert_end {
    int64_t alert;
    double time;
};

struct op_notifiers {
    struct store_notifier *list;
    size_t count;
    double now;
};

struct op_baseline {
    struct baseline_row row;
    bool replaces; /* in the transaction in hand, the row of another file: this one */
    uint32_t old_attempt;
    int64_t old_step;
};

struct op_figure {
    struct figure figure;
    bool stored; /* by the transaction in hand: it was not there before */
};

struct op {
    struct op *next;
    enum op_type type;
    union {
        struct store_run run;
        struct store_attempt attempt;
        struct store_session session;
        struct store_layer layer;
        struct op_figure *figure;
        struct histogram *histogram;
        struct op_alert *alert;
        struct op_alert_end alert_end;
        struct op_baseline baseline;
        struct store_tracker tracker;
        int64_t delete_run;
        struct op_ack ack;
        struct store_silence silence;
        int64_t end_silence;
        double expire_silences;
        struct op_notifiers notifiers;
        struct store_delivery delivery;
    };
};

struct batch_block;

struct store_batch {
    struct store_batch *next; /* in the queue */
    struct op *ops, **tail;
    struct batch_block *blocks;
    size_t bytes; /* of all blocks */
    bool failed;  /* memory was short */
    /* Somebody waits for its commit: a callback, or those who are to hear of an alert. */
    bool urgent;
    void (*on_commit)(void *ctx, bool ok); /* NULL: nobody waits for it in particular */
    void *on_commit_ctx;
};

#endif
