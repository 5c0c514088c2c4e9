/* One request while it lasts, and what its route answers. Belongs to one thread at a time: an HTTP thread, or one of its
 * lane while it is worked on. */
#ifndef FORESHOCK_HTTP_REQUEST_H
#define FORESHOCK_HTTP_REQUEST_H

#include <microhttpd.h>
#include <stdbool.h>

#include "daemon/http/cancel.h"
#include "daemon/http/emitter.h"
#include "daemon/http/guard.h"
#include "daemon/http/http.h"
#include "daemon/http/lanes.h"
#include "daemon/http/problem.h"
#include "daemon/http/query.h"
#include "daemon/http/readers.h"

struct http {
    struct http_options options;
    struct guard guard;
    struct readers readers;
    struct lane lanes[LANES];
    atomic_bool stopping;
    struct MHD_Daemon *mhd;
    uint16_t port;
};

/* What a route's function fills. `text` needs not be JSON. */
struct reply {
    struct emitter text;
    unsigned status;
    const char *content_type;
};

struct request {
    struct http *http;
    struct MHD_Connection *connection;
    struct query query;
    struct problem target_problem; /* of a target that could not be parsed */
    const char *capture;           /* the path's variable segment */
    const char *method;
    char *body;
    size_t body_size;
    bool begun, body_over;
    struct reader *reader;
    uint64_t reader_since_ns;
    struct pool_item item; /* of its lane */
    const struct route *route;
    struct cancel cancel;
    struct reply reply;     /* what the route's function gave */
    struct problem problem; /* in place of the reply, if it has a status */
    bool worked;            /* reply or problem is there */
};

/* Called by libmicrohttpd for each request line, before the headers. NULL without memory. */
struct request *request_new(
    struct http *http, struct MHD_Connection *connection, const char *target);
void request_free(struct request *request);

/* Runs the function of the request's route: the reply is there, or the problem. */
void request_work(struct request *request);

/* Takes some of the body. MHD_NO, which closes the connection, for one that goes on long after it
 * was too large. */
enum MHD_Result request_collect(struct request *request, const char *data, size_t size);

/* The reader of this request, taken at the first call and given back by request_end_reading. NULL
 * and a problem. */
struct reader *request_reader(struct request *request, struct problem *problem);
void request_end_reading(struct request *request);

/* A problem from a reader's code: 404 with `missing`, 503 if the work was cancelled, or 500 (the cause goes to the
 * log). Returns -1. */
int request_reader_problem(
    struct request *request, int code, const char *missing, struct problem *problem);

/* Whether the work on this request should end: then a problem. For loops that may last. */
bool request_cancelled(struct request *request, struct problem *problem);

const char *request_header(const struct request *request, const char *name);

/* Finds the run that the path names. 0, or -1 and a problem (404). */
int request_run(struct request *request, int64_t *run, struct problem *problem);

/* The number above 0 that the path names. 0, or -1 and a problem (404). */
int request_number(
    struct request *request, const char *expected, int64_t *number, struct problem *problem);

/* 0 if the body is empty or an empty object, or -1 and a problem (400). */
int request_no_body(const struct request *request, struct problem *problem);

#endif
