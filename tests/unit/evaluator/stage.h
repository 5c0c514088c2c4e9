/* A store, a journal and an evaluator as the daemon wires them, three runs, and what the trainings were sent. Another
 * connection that holds the database stands for a store that cannot write. Every failure ends the test. */
#ifndef FORESHOCK_TESTS_UNIT_EVALUATOR_STAGE_H
#define FORESHOCK_TESTS_UNIT_EVALUATOR_STAGE_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <uv.h>

#include "daemon/evaluator/evaluator.h"
#include "tests/unit/store/fixture.h"

enum { FIRST = 1, SECOND, THIRD, RUNS };
enum { STAGE_PUSHES_MAX = 4096 };

struct stage_push {
    int64_t id, run;
    bool firing, recorded;
    bool returning; /* to a training that came back, not to one that is there */
};

struct stage {
    struct fixture *fixture;
    uv_loop_t loop;
    struct mailbox *mailbox;
    struct journal *journal;
    struct evaluator *evaluator;
    uint64_t patience_ms;
    atomic_bool
        dead; /* the store of a daemon that was killed still runs to its end: nobody hears it */
    sqlite3 *blocker;
    struct stage_push pushes[STAGE_PUSHES_MAX];
    size_t push_count;
    size_t unrecorded_count; /* to others than the trainings */
    void (*on_push)(struct stage *stage, const struct stage_push *push); /* may be NULL */
    void *ctx;
};

/* `patience_ms` 0: the daemon's. */
struct stage *stage_new(uint64_t patience_ms);
void stage_free(struct stage *stage);

/* Stops and starts the daemon in order. */
void stage_restart(struct stage *stage);

/* The daemon is killed while the store is blocked, and starts again with what the database held then. Unblocks. */
void stage_kill(struct stage *stage);

void stage_lost(struct stage *stage, int64_t run, bool on);

/* The store cannot write from here on: what is submitted waits. */
void stage_block(struct stage *stage);
void stage_fill(struct stage *stage); /* while it is blocked: until its queue takes nothing more */
void stage_unblock(struct stage *stage); /* and waits until the queue is empty */

/* A turn of the loop: the tick, and what came back from the store. */
void stage_turn(struct stage *stage);

/* Turns until all that waits is committed and answered. */
void stage_flush(struct stage *stage);

/* All trainings come back and are sent what fires. */
void stage_come_back(struct stage *stage);

/* How often an alert of a run was sent as firing or resolved, recorded or not. */
size_t stage_pushed(const struct stage *stage, int64_t run, bool firing, bool recorded);

#endif
