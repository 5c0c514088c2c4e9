/* The event loop, its signals and its timer; see loop.h. */
#include "daemon/core/loop.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/core/limits.h"
#include "daemon/core/log.h"

static void stop_loop(struct loop *loop)
{
    if (loop->stopping)
        return;
    loop->stopping = true;
    log_info("stopping");
    uv_stop(&loop->uv);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct loop *loop = handle->data;

    if (number == SIGHUP)
        loop->options.on_reload(loop->options.ctx);
    else
        stop_loop(loop);
}

static void on_timer(uv_timer_t *timer)
{
    struct loop *loop = timer->data;

    loop->options.on_tick(loop->options.ctx);
}

int loop_open(struct loop *loop, struct error *error)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    char workers[16];

    /* Read once, at the first piece of work. */
    snprintf(workers, sizeof workers, "%u", loop->options.workers);
    setenv("UV_THREADPOOL_SIZE", workers, 1);
    if (uv_loop_init(&loop->uv) != 0)
        return error_set(error, "the event loop cannot be made");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        uv_signal_init(&loop->uv, &loop->signals[i]);
        loop->signals[i].data = loop;
        uv_signal_start(&loop->signals[i], on_signal, numbers[i]);
    }
    uv_timer_init(&loop->uv, &loop->tick);
    loop->tick.data = loop;
    uv_timer_start(&loop->tick, on_timer, 0, LIMIT_TICK_MS);
    return 0;
}

void loop_run(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_end(struct loop *loop)
{
    for (size_t i = 0; i < sizeof loop->signals / sizeof *loop->signals; i++)
        uv_close((uv_handle_t *)&loop->signals[i], NULL);
    uv_close((uv_handle_t *)&loop->tick, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_close(struct loop *loop)
{
    uv_loop_close(&loop->uv);
}
