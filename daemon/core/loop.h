/* The event loop: libuv's, with its signals and its one timer. SIGTERM and SIGINT end loop_run. The thread that opens it. */
#ifndef FORESHOCK_CORE_LOOP_H
#define FORESHOCK_CORE_LOOP_H

#include <stdbool.h>
#include <uv.h>

#include "daemon/core/error.h"

struct loop_options {
    unsigned workers;             /* threads of libuv's pool */
    void (*on_tick)(void *ctx);   /* each LIMIT_TICK_MS, and once at the beginning */
    void (*on_reload)(void *ctx); /* SIGHUP */
    void *ctx;
};

/* Whoever makes it fills `options`; it stays where it is. */
struct loop {
    struct loop_options options;
    uv_loop_t uv;
    uv_timer_t tick;
    uv_signal_t signals[3];
    bool stopping;
};

/* Before the first piece of work for the pool. 0, or -1 and `error`. */
int loop_open(struct loop *loop, struct error *error);

/* Returns after SIGTERM or SIGINT. */
void loop_run(struct loop *loop);

/* Ends the signals and the timer, and runs until all that others have closed is gone. */
void loop_end(struct loop *loop);
void loop_close(struct loop *loop); /* after loop_end */

#endif
