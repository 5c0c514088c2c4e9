/* The HTTP side of the daemon: API, Prometheus text, server-sent events, dashboard
 * (proto/openapi.yaml).
 *
 * libmicrohttpd runs its own threads (epoll, two of them). They answer by themselves only what needs neither the database
 * nor a commit; everything else waits, its connection suspended, for a thread of its lane (lanes.h) and reads through a
 * `struct reader` that it has to itself while it lasts. Order of life: events_new, store_open with
 * events_sink, http_start, …, http_stop, store_close, events_free. */
#ifndef FORESHOCK_HTTP_HTTP_H
#define FORESHOCK_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/core/error.h"
#include "daemon/core/stats.h"
#include "daemon/http/events.h"
#include "daemon/http/run_control.h"
#include "daemon/store/store.h"

struct http;

/* Strings and pointers are borrowed and must live until http_stop returned. */
struct http_options {
    const char *address; /* IPv4 or IPv6, numeric; IPv6 without brackets */
    uint16_t port;       /* 0: a free one */
    /* Names allowed in `Host` beside the loopback names and `address`; without a port. */
    const char *const *hosts;
    size_t hosts_count;
    const char *token;       /* NULL: reading is free */
    const char *admin_token; /* wanted for every change; also good for reading */
    const char *state_dir;   /* for readers */
    const char *version;
    unsigned connections_max; /* 0: HTTP_CONNECTIONS_MAX */
    unsigned streams_max;     /* open event streams; 0: HTTP_STREAMS_MAX */
    unsigned series_max;      /* gauges of /metrics */
    unsigned query_ms;        /* of work on one answer; 0: HTTP_QUERY_MS */
    size_t answers_bytes;     /* of a lane's answers, until they are sent; 0: HTTP_ANSWERS_BYTES */
    struct stats *stats;
    struct store *store;
    struct events *events;
    /* Hand the deletion or the end of a run (database id) to the store, or say why not; wait no longer
     * than a few seconds. The HTTP side then waits for the commit. Called on HTTP threads, several
     * at once. */
    enum run_control_answer (*delete_run)(void *ctx, int64_t run);
    enum run_control_answer (*end_run)(void *ctx, int64_t run);
    /* Whether there is a rule of that name; NULL: any name will do. Any thread. */
    bool (*knows_rule)(const char *name);
    /* A line for the daemon's log about a failure inside the server; may be NULL. Called on HTTP
     * threads. */
    void (*log)(void *ctx, const char *line);
    void *ctx; /* of delete_run, end_run and log */
};

enum {
    HTTP_CONNECTIONS_MAX = 96,
    HTTP_STREAMS_MAX = 32,
    HTTP_THREADS = 2,
    HTTP_BODY_MAX = 64 * 1024,
    HTTP_IDLE_SECONDS = 30,
    HTTP_QUERY_MS = 10000,
    HTTP_QUEUE_MAX = 16,            /* requests that wait for a thread of a lane */
    HTTP_RETRY_SECONDS = 1,         /* after which one that found no room may come again */
    HTTP_ANSWERS_BYTES = 512 << 20, /* twice the largest answer while it grows */
};

/* Codes of http_start: HTTP_NOT_BOUND becomes exit code 4. */
enum { HTTP_OK = 0, HTTP_FAILED = -1, HTTP_NOT_BOUND = -2 };

/* Binds, opens a reader and starts the threads. On failure `error` says what,
 * where and what was expected. */
int http_start(struct http **http, const struct http_options *options, struct error *error);

uint16_t http_port(const struct http *http); /* the bound port */

/* Cancels the queries, ends the event streams, lets other requests in hand finish, stops the threads. Safe on NULL; nulls the
 * caller's pointer. */
void http_stop(struct http **http);

#endif
