/* Deadline, client and server of one piece of work. */
#include "daemon/http/cancel.h"

#include <poll.h>

#include "daemon/core/clock.h"

void cancel_begin(struct cancel *cancel, const atomic_bool *stopping, int client, unsigned limit_ms)
{
    *cancel = (struct cancel){
        .stopping = stopping,
        .client = client,
        .limit_ms = limit_ms,
        .deadline_ms = clock_ms() + limit_ms,
    };
}

/* A client that closes only its sending side counts as gone too: nobody can tell the two apart without writing. */
static bool has_left(int client)
{
    struct pollfd look = {.fd = client, .events = POLLRDHUP};

    return client >= 0 && poll(&look, 1, 0) > 0;
}

bool cancel_due(void *ctx)
{
    struct cancel *cancel = ctx;

    if (cancel->cause != CANCEL_NONE)
        return true;
    if (atomic_load_explicit(cancel->stopping, memory_order_relaxed)) {
        cancel->cause = CANCEL_STOPPING;
        return true;
    }
    uint64_t now = clock_ms();
    if (now < cancel->look_ms)
        return false;
    cancel->look_ms = now + CANCEL_LOOK_MS;
    if (now >= cancel->deadline_ms)
        cancel->cause = CANCEL_LATE;
    else if (has_left(cancel->client))
        cancel->cause = CANCEL_LEFT;
    return cancel->cause != CANCEL_NONE;
}

int cancel_problem(const struct cancel *cancel, struct problem *problem)
{
    switch (cancel->cause) {
    case CANCEL_STOPPING: return problem_set(problem, 503, "the daemon is stopping");
    case CANCEL_LEFT:
        return problem_set(problem, 503, "the client closed its side before the answer was ready");
    case CANCEL_LATE:
    case CANCEL_NONE: break;
    }
    return problem_set(problem, 503,
        "the answer was not ready within %g s; ask for fewer series, points or steps",
        cancel->limit_ms / 1000.0);
}
