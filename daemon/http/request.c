/* The life of a request: target, body, reader. */
#include "daemon/http/request.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/clock.h"
#include "daemon/http/routes.h"
#include "daemon/store/reader_runs.h"
#include "proto/names.h"
#include "proto/wire.h"

struct request *request_new(
    struct http *http, struct MHD_Connection *connection, const char *target)
{
    struct request *request = calloc(1, sizeof *request);

    if (!request)
        return NULL;
    request->http = http;
    request->connection = connection;
    query_parse(&request->query, target, &request->target_problem);
    return request;
}

void request_free(struct request *request)
{
    if (!request)
        return;
    request_end_reading(request);
    emitter_free(&request->reply.text);
    query_free(&request->query);
    free(request->body);
    free(request);
}

enum MHD_Result request_collect(struct request *request, const char *data, size_t size)
{
    if (request->body_size + size > HTTP_BODY_MAX) {
        /* Read on for a while without keeping it, so that the client sees the answer and no reset.
         */
        request->body_over = true;
        request->body_size += size;
        return request->body_size > 16u * HTTP_BODY_MAX ? MHD_NO : MHD_YES;
    }
    char *body = realloc(request->body, request->body_size + size + 1);
    if (!body)
        return MHD_NO;
    memcpy(body + request->body_size, data, size);
    request->body = body;
    request->body_size += size;
    request->body[request->body_size] = '\0';
    return MHD_YES;
}

void request_work(struct request *request)
{
    request->reply.status = MHD_HTTP_OK;
    request->reply.content_type = "application/json";
    if (request->route->answer(request, &request->reply, &request->problem) == 0)
        request->problem.status = 0;
    request_end_reading(request);
}

static void log_line(const struct http *http, const char *what, const char *cause)
{
    char line[ERROR_MAX + 64];

    if (!http->options.log)
        return;
    snprintf(line, sizeof line, "http: %s: %s", what, cause);
    http->options.log(http->options.ctx, line);
}

struct reader *request_reader(struct request *request, struct problem *problem)
{
    struct error error;

    if (request->reader)
        return request->reader;
    request->reader_since_ns = clock_ns();
    request->reader = readers_take(&request->http->readers, &error);
    if (!request->reader) {
        log_line(request->http, "no reader", error.text);
        problem_set(problem, 503, "the database cannot be read now");
        return NULL;
    }
    reader_watch(request->reader, cancel_due, &request->cancel);
    return request->reader;
}

void request_end_reading(struct request *request)
{
    if (!request->reader)
        return;
    reader_watch(request->reader, NULL, NULL);
    readers_give(&request->http->readers, request->reader);
    request->reader = NULL;
    stats_add(&request->http->options.stats->http_query_microseconds_total,
        (clock_ns() - request->reader_since_ns) / 1000);
}

int request_reader_problem(
    struct request *request, int code, const char *missing, struct problem *problem)
{
    if (code == READER_NONE)
        return problem_set(problem, 404, "%s", missing);
    if (request->cancel.cause != CANCEL_NONE)
        return cancel_problem(&request->cancel, problem);
    log_line(request->http, "query failed", reader_error(request->reader));
    return problem_set(problem, 500, "the database could not be read; the log tells why");
}

bool request_cancelled(struct request *request, struct problem *problem)
{
    if (!cancel_due(&request->cancel))
        return false;
    cancel_problem(&request->cancel, problem);
    return true;
}

const char *request_header(const struct request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

static void keep_id(void *ctx, const struct reader_run *run)
{
    int64_t *id = ctx;
    *id = run->row.id;
}

int request_run(struct request *request, int64_t *run, struct problem *problem)
{
    if (!names_valid_run(wire_str(request->capture)))
        return problem_parameter(problem, 404, "run", request->capture,
            "an id that matches [A-Za-z0-9][A-Za-z0-9._:-]{0,127}");
    struct reader *reader = request_reader(request, problem);
    if (!reader)
        return -1;
    int code = reader_run(reader, request->capture, keep_id, run);
    if (code == READER_NONE)
        return problem_parameter(
            problem, 404, "run", request->capture, "the id of a run that is stored here");
    return code ? request_reader_problem(request, code, "", problem) : 0;
}

int request_number(
    struct request *request, const char *expected, int64_t *number, struct problem *problem)
{
    const char *text = request->capture;
    char *end;

    errno = 0;
    *number = strtoll(text, &end, 10);
    if (*text < '1' || *text > '9' || *end || errno)
        return problem_parameter(problem, 404, "id", text, "%s", expected);
    return 0;
}

int request_no_body(const struct request *request, struct problem *problem)
{
    json_error_t error;

    if (request->body_size == 0)
        return 0;
    json_t *body = json_loadb(request->body, request->body_size, JSON_REJECT_DUPLICATES, &error);
    if (!body)
        return problem_set(
            problem, 400, "the body is no JSON: line %d: %s", error.line, error.text);
    bool empty = json_is_object(body) && json_object_size(body) == 0;
    json_decref(body);
    return empty ? 0 : problem_set(problem, 400, "the body is expected to be empty or {}");
}
