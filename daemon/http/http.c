/* The HTTP server: life of libmicrohttpd's daemon, and the way of each request through guard, route
 * and answer. */
#include "daemon/http/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/core/files.h"
#include "daemon/http/listen.h"
#include "daemon/http/request.h"
#include "daemon/http/respond.h"
#include "daemon/http/routes.h"
#include "daemon/http/stream.h"

enum { CONNECTION_MEMORY = 40 * 1024 }; /* for a request's head: above QUERY_TARGET_MAX */
_Static_assert(CONNECTION_MEMORY > QUERY_TARGET_MAX * 2,
    "a target of the allowed length must fit beside its headers");

static struct guard_headers guard_headers(const struct request *request)
{
    return (struct guard_headers){
        .host = request_header(request, MHD_HTTP_HEADER_HOST),
        .origin = request_header(request, MHD_HTTP_HEADER_ORIGIN),
        .authorization = request_header(request, MHD_HTTP_HEADER_AUTHORIZATION),
        .content_type = request_header(request, MHD_HTTP_HEADER_CONTENT_TYPE),
    };
}

/* Everything that can refuse a request before its route sees it. The route, or NULL and a problem.
 */
static const struct route *admit(
    struct request *request, char allow[ROUTES_ALLOW_MAX], struct problem *problem)
{
    const struct guard *guard = &request->http->guard;
    struct guard_headers headers = guard_headers(request);
    const struct route *route = NULL;

    allow[0] = '\0';
    if (!request->target_problem.status)
        route = routes_find(&request->query, request->method, &request->capture, allow, problem);
    else
        *problem = request->target_problem;

    struct problem refused;
    if (guard_check(guard, route ? route->need : GUARD_READ, &headers, &refused)) {
        *problem = refused;
        return NULL;
    }
    if (!route)
        return NULL;
    if (request->body_over) {
        problem_set(problem, 413, "the body is larger than %d bytes", HTTP_BODY_MAX);
        return NULL;
    }
    return query_check(&request->query, route->rules, route->rules_count, problem) ? NULL : route;
}

static enum MHD_Result conclude(struct request *request)
{
    if (request->problem.status)
        return respond_problem(request, &request->problem, NULL);
    return respond_text(request, &request->reply);
}

static enum MHD_Result dispatch(struct request *request)
{
    char allow[ROUTES_ALLOW_MAX];

    request->route = admit(request, allow, &request->problem);
    if (!request->route)
        return respond_problem(request, &request->problem, allow);
    if (!request->route->answer)
        return stream_respond(request);
    if (request->route->lane != LANE_NONE) {
        lanes_put(request);
        return MHD_YES;
    }
    request_work(request);
    return conclude(request);
}

static void *on_target(void *ctx, const char *target, struct MHD_Connection *connection)
{
    return request_new(ctx, connection, target);
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *data, size_t *data_size, void **state)
{
    struct request *request = *state;

    if (!request)
        return MHD_NO;
    if (!request->begun) {
        request->begun = true;
        return MHD_YES;
    }
    if (*data_size > 0) {
        size_t size = *data_size;
        *data_size = 0;
        return request_collect(request, data, size);
    }
    request->method = method;
    return request->worked ? conclude(request) : dispatch(request);
}

static void on_completed(
    void *ctx, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode why)
{
    request_free(*state);
    *state = NULL;
}

static unsigned or_default(unsigned value, unsigned otherwise)
{
    return value ? value : otherwise;
}

static void fill_defaults(struct http *http, const struct http_options *options)
{
    http->options = *options;
    http->options.connections_max = or_default(options->connections_max, HTTP_CONNECTIONS_MAX);
    http->options.streams_max = or_default(options->streams_max, HTTP_STREAMS_MAX);
    http->options.query_ms = or_default(options->query_ms, HTTP_QUERY_MS);
    if (!options->answers_bytes)
        http->options.answers_bytes = HTTP_ANSWERS_BYTES;
    /* Streams never take all connections: someone must be able to ask what goes on. */
    if (http->options.streams_max > http->options.connections_max / 2)
        http->options.streams_max = http->options.connections_max / 2;
    http->guard = (struct guard){
        .hosts = options->hosts,
        .hosts_count = options->hosts_count,
        .address = options->address,
        .token = options->token,
        .admin_token = options->admin_token,
    };
    http->port = options->port;
}

static int start_threads(struct http *http, int fd, struct error *error)
{
    unsigned connections = http->options.connections_max;

    files_exempt(fd);
    http->mhd = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL,
        NULL, on_request, http, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE,
        (unsigned)HTTP_THREADS, MHD_OPTION_CONNECTION_LIMIT, connections,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, connections, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)HTTP_IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, on_target, http,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, http, MHD_OPTION_END);
    if (http->mhd)
        return HTTP_OK;
    error_set(error, "HTTP threads on %s, port %u could not be started: %s", http->options.address,
        (unsigned)http->port, strerror(errno));
    return HTTP_FAILED;
}

/* Opens a reader now: a database that cannot be read is an error of the start. */
static int check_database(struct http *http, struct error *error)
{
    struct reader *reader = readers_take(&http->readers, error);

    if (!reader)
        return error_at(error, "HTTP");
    readers_give(&http->readers, reader);
    return 0;
}

/* Binds the address and starts libmicrohttpd's threads. HTTP_OK, or what http_start returns. */
static int start_listening(struct http *http, struct error *error)
{
    int fd = listen_tcp(http->options.address, &http->port, error), code;

    if (fd < 0)
        return HTTP_NOT_BOUND;
    code = start_threads(http, fd, error);
    if (code != HTTP_OK)
        close(fd);
    return code;
}

int http_start(struct http **out, const struct http_options *options, struct error *error)
{
    int code = HTTP_FAILED;
    struct http *http = calloc(1, sizeof *http);

    *out = NULL;
    if (!http) {
        error_set(error, "HTTP: out of memory");
        return HTTP_FAILED;
    }
    fill_defaults(http, options);
    readers_init(&http->readers, options->state_dir);
    if (check_database(http, error) != 0)
        goto fail;
    if (lanes_start(http)) {
        error_set(error, "HTTP: threads for queries could not be started");
        goto fail;
    }
    code = start_listening(http, error);
    if (code == HTTP_OK) {
        *out = http;
        return HTTP_OK;
    }
    lanes_stop(http);
    lanes_free(http);
fail:
    readers_close(&http->readers);
    free(http);
    return code;
}

uint16_t http_port(const struct http *http)
{
    return http->port;
}

void http_stop(struct http **pointer)
{
    struct http *http = *pointer;

    if (!http)
        return;
    /* libmicrohttpd aborts when it is stopped with a suspended connection: first no new ones, then
     * wake all queries and streams, which from now on end instead of waiting. */
    int fd = MHD_quiesce_daemon(http->mhd);
    atomic_store(&http->stopping, true);
    lanes_stop(http);
    events_end(http->options.events);
    MHD_stop_daemon(http->mhd);
    lanes_free(http);
    if (fd != MHD_INVALID_SOCKET)
        close(fd);
    readers_close(&http->readers);
    free(http);
    *pointer = NULL;
}
