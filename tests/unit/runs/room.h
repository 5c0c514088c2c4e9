/* The room of the runs by itself: a real store in a fresh folder, a real loop with libuv's workers, and real peers without
 * anybody at the other end. What it hands on is noted. Every failure ends the test. */
#ifndef FORESHOCK_TESTS_UNIT_RUNS_ROOM_H
#define FORESHOCK_TESTS_UNIT_RUNS_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/runs/run.h"
#include "daemon/runs/runs.h"
#include "daemon/runs/session.h"

#define ROOM_FIGURES       4096u
#define ROOM_LEASE_SECONDS 3600u

struct room {
    char dir[64], endpoint[96];
    struct stats stats;
    struct store *store;
    uv_loop_t loop;
    struct mailbox *mailbox;
    struct runs_options options; /* workers: 1 */
    struct runs *runs;
    struct ingest *ingest;
    struct ingest_ops ops;
    unsigned attempts, begins, losses, returns, ends, forgotten;
    struct figure figures[ROOM_FIGURES]; /* in order */
    size_t figure_count;
};

int room_setup(void **state); /* cmocka: *state becomes a struct room */
int room_teardown(void **state);
void room_restart(struct room *room); /* stops all of it, and starts it from what the store has */

/* What a client does. A refused hello gives NULL, and `fault` says why. */
struct session *room_hello(struct room *room, const char *run, const char *session, uint32_t rank,
    bool lossless, struct wire_fault *fault);
void room_bye(struct room *room, struct session *session);
void room_lose_lease(struct room *room, struct session *session);
void room_rewind(struct room *room, struct session *session, uint64_t step);
void room_declare(struct room *room, struct session *session, uint32_t number, const char *name,
    const char *block, const char *role);
/* A matrix of ROOM_ROWS x ROOM_ROWS. What ops.tensor_begin says: 0, INGEST_KNOWN or -1. */
#define ROOM_ROWS 8u
int room_send(struct room *room, struct session *session, uint32_t number, uint64_t step);
/* It will not come. Returns how many samples that costs. */
uint64_t room_drop(struct room *room, struct session *session, uint32_t number, uint64_t step);
void room_log(struct room *room, struct session *session, const char *name, uint64_t step);

/* Moves the clock on, a tick at a time. It stands still otherwise. */
void room_pass(struct room *room, uint64_t ms);

/* Turns the loop (20 s at most), a tick each time, until `condition` holds. */
void room_await(struct room *room, bool (*condition)(struct room *room, void *ctx), void *ctx);

/* A flush of the session: turns the loop until it is answered. */
void room_flush(struct room *room, struct session *session);

/* How many figures of that metric and layer (0: any) there were, and the step of the last; -1: none. */
size_t room_count(const struct room *room, const char *metric, int64_t layer, int64_t *last_step);

#endif
