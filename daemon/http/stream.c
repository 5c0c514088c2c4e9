/* GET /api/v1/events: one stream of the hub as a response that never ends. */
#include "daemon/http/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/http/respond.h"

enum { BLOCK_SIZE = 4096 };

struct stream {
    struct MHD_Connection *connection;
    struct events_stream *events;
};

static void suspend(void *ctx)
{
    struct stream *stream = ctx;
    MHD_suspend_connection(stream->connection);
}

static void resume(void *ctx)
{
    struct stream *stream = ctx;
    MHD_resume_connection(stream->connection);
}

static ssize_t read_stream(void *ctx, uint64_t position, char *buffer, size_t size)
{
    struct stream *stream = ctx;
    ssize_t got = events_read(stream->events, buffer, size);

    return got == EVENTS_END ? MHD_CONTENT_READER_END_OF_STREAM : got;
}

static void free_stream(void *ctx)
{
    struct stream *stream = ctx;

    events_close(stream->events);
    free(stream);
}

static int parse_last_id(const char *text, uint64_t *id, struct problem *problem)
{
    char *end;

    *id = 0;
    if (!text)
        return 0;
    errno = 0;
    *id = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno)
        return problem_parameter(
            problem, 400, "Last-Event-ID", text, "the id of an event of this server");
    return 0;
}

static struct stream *open_stream(struct request *request, struct problem *problem)
{
    struct http *http = request->http;
    uint64_t last_id;

    if (parse_last_id(request_header(request, "Last-Event-ID"), &last_id, problem))
        return NULL;
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream) {
        problem_set(problem, 500, "out of memory");
        return NULL;
    }
    stream->connection = request->connection;
    stream->events = events_open(http->options.events, last_id, query_text(&request->query, "run"),
        http->options.streams_max, &(struct events_reader){suspend, resume, stream});
    if (!stream->events) {
        problem_set(
            problem, 503, "at most %u event streams are open at a time", http->options.streams_max);
        free(stream);
        return NULL;
    }
    return stream;
}

enum MHD_Result stream_respond(struct request *request)
{
    struct problem problem;
    struct MHD_Response *response;

    if (!strcmp(request->method, "HEAD")) {
        response = MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
        return response ? respond_with(request, MHD_HTTP_OK, "text/event-stream", response)
                        : MHD_NO;
    }
    struct stream *stream = open_stream(request, &problem);
    if (!stream)
        return respond_problem(request, &problem, NULL);
    response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, BLOCK_SIZE, read_stream, stream, free_stream);
    if (!response) {
        free_stream(stream);
        return MHD_NO;
    }
    MHD_add_response_header(response, "X-Accel-Buffering", "no");
    return respond_with(request, MHD_HTTP_OK, "text/event-stream", response);
}
