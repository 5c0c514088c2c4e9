/* Who works on which requests. Each lane has threads, a queue and memory of its own, so that the answers of one kind never
 * wait for those of another; the HTTP threads wait for none of them. */
#ifndef FORESHOCK_HTTP_LANES_H
#define FORESHOCK_HTTP_LANES_H

#include "daemon/http/emitter.h"
#include "daemon/http/pool.h"

struct http;
struct request;

enum http_lane {
    LANE_BRIEF,  /* small answers out of the database */
    LANE_BULK,   /* answers that grow with the series of a run */
    LANE_CHANGE, /* changes: they wait for a commit */
    LANES,
    LANE_NONE = LANES, /* answered at once, on the HTTP thread */
};

struct lane {
    struct pool pool;
    struct emitter_budget answers; /* texts that are made, or on their way to the client */
};

/* 0, or -1 without threads and with nothing to stop. */
int lanes_start(struct http *http);

/* Suspends the connection of a request that has its route. Once a thread of the lane has run the route's function, or if the
 * lane has no room, the request is `worked` and libmicrohttpd asks for it again. */
void lanes_put(struct request *request);

/* Ends all work soon (http->stopping is set before) and returns when no request is suspended any more. From then on
 * lanes_put refuses. */
void lanes_stop(struct http *http);
void lanes_free(struct http *http); /* when no HTTP thread is left */

#endif
