/* From the HTTP thread to a thread of the lane, and back. */
#include "daemon/http/lanes.h"

#include <stddef.h>

#include "daemon/http/request.h"
#include "daemon/http/routes.h"

_Static_assert((HTTP_QUEUE_MAX + POOL_THREADS) * LANES + HTTP_STREAMS_MAX < HTTP_CONNECTIONS_MAX,
    "however much waits, somebody can still ask for /healthz");

int lanes_start(struct http *http)
{
    for (size_t i = 0; i < LANES; i++) {
        struct lane *lane = &http->lanes[i];

        lane->answers = (struct emitter_budget){.max = http->options.answers_bytes};
        if (pool_start(&lane->pool, HTTP_QUEUE_MAX) == 0)
            continue;
        while (i-- > 0) {
            pool_stop(&http->lanes[i].pool);
            pool_free(&http->lanes[i].pool);
        }
        return -1;
    }
    return 0;
}

/* The client's socket. A change is finished even if its client leaves: others want to hear of it. */
static int watched_client(const struct request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    return request->route->lane == LANE_CHANGE || !info ? -1 : info->connect_fd;
}

static void work_on_request(struct pool_item *item)
{
    struct request *request = (void *)((char *)item - offsetof(struct request, item));
    struct http *http = request->http;

    cancel_begin(
        &request->cancel, &http->stopping, watched_client(request), http->options.query_ms);
    request->reply.text.budget = &http->lanes[request->route->lane].answers;
    if (!request_cancelled(request, &request->problem))
        request_work(request);
    request->worked = true;
    MHD_resume_connection(request->connection);
}

void lanes_put(struct request *request)
{
    request->item.run = work_on_request;
    MHD_suspend_connection(request->connection);
    switch (pool_put(&request->http->lanes[request->route->lane].pool, &request->item)) {
    case POOL_TAKEN: return;
    case POOL_FULL:
        problem_set(
            &request->problem, 503, "%d requests of this kind wait already", HTTP_QUEUE_MAX);
        request->problem.retry_after_seconds = HTTP_RETRY_SECONDS;
        break;
    case POOL_CLOSED: problem_set(&request->problem, 503, "the daemon is stopping"); break;
    }
    request->worked = true;
    MHD_resume_connection(request->connection);
}

void lanes_stop(struct http *http)
{
    for (size_t i = 0; i < LANES; i++)
        pool_stop(&http->lanes[i].pool);
}

void lanes_free(struct http *http)
{
    for (size_t i = 0; i < LANES; i++)
        pool_free(&http->lanes[i].pool);
}
