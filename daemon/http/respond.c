/* Responses of libmicrohttpd. */
#include "daemon/http/respond.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const common_headers[][2] = {
    {"Cache-Control", "no-store"},
    {"Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'; "
                                "frame-ancestors 'none'; object-src 'none'"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Referrer-Policy", "no-referrer"},
    {"X-Content-Type-Options", "nosniff"},
};

enum MHD_Result respond_with(struct request *request, unsigned status, const char *content_type,
    struct MHD_Response *response)
{
    struct stats *stats = request->http->options.stats;

    for (size_t i = 0; i < sizeof common_headers / sizeof *common_headers; i++)
        MHD_add_response_header(response, common_headers[i][0], common_headers[i][1]);
    MHD_add_response_header(response, "Content-Type", content_type);
    if (status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer realm=\"foreshock\"");
    enum MHD_Result result = MHD_queue_response(request->connection, status, response);
    MHD_destroy_response(response);
    stats_add(&stats->http_requests_total, 1);
    if (status >= 400)
        stats_add(&stats->http_errors_total, 1);
    return result;
}

/* A text on its way to the client. */
struct sent {
    char *text;
    size_t size; /* with the NUL */
    struct emitter_budget *budget;
};

static void free_sent(void *ctx)
{
    struct sent *sent = ctx;

    emitter_uncharge(sent->budget, sent->size);
    free(sent->text);
    free(sent);
}

static enum MHD_Result respond_without_memory(struct request *request, const struct emitter *failed)
{
    struct problem problem = {0};

    if (failed->too_large) {
        problem_set(&problem, 400,
            "the answer is larger than the server may make: ask for fewer series or points");
    } else if (failed->over) {
        problem_set(&problem, 503, "other large answers are still being sent");
        problem.retry_after_seconds = HTTP_RETRY_SECONDS;
    } else {
        problem_set(&problem, 500, "out of memory");
    }
    return respond_problem(request, &problem, NULL);
}

enum MHD_Result respond_text(struct request *request, struct reply *reply)
{
    size_t size = reply->text.size;
    struct emitter_budget *budget = reply->text.budget;
    struct sent *sent = malloc(sizeof *sent);
    char *text = sent ? emitter_take(&reply->text) : NULL;

    if (!text) {
        free(sent);
        return respond_without_memory(request, &reply->text);
    }
    *sent = (struct sent){text, size + 1, budget};
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback_cls(size, text, free_sent, sent);
    if (!response) {
        free_sent(sent);
        return MHD_NO;
    }
    return respond_with(request, reply->status, reply->content_type, response);
}

/* A client that is to come back gives its connection up, so that those who wait cannot take all connections. */
static void add_retry_after(struct MHD_Response *response, unsigned seconds)
{
    char text[16];

    snprintf(text, sizeof text, "%u", seconds);
    MHD_add_response_header(response, "Retry-After", text);
    MHD_add_response_header(response, "Connection", "close");
}

enum MHD_Result respond_problem(
    struct request *request, const struct problem *problem, const char *allow)
{
    struct emitter json = {0};

    problem_write(problem, &json);
    size_t size = json.size;
    char *text = emitter_take(&json);
    if (!text)
        return MHD_NO;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        free(text);
        return MHD_NO;
    }
    if (allow && *allow)
        MHD_add_response_header(response, "Allow", allow);
    if (problem->retry_after_seconds)
        add_retry_after(response, problem->retry_after_seconds);
    return respond_with(request, problem->status, "application/problem+json", response);
}
