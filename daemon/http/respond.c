/* Responses of libmicrohttpd. */
#include "daemon/http/respond.h"

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

enum MHD_Result respond_text(struct request *request, struct reply *reply)
{
    size_t size = reply->text.size;
    char *text = emit_take(&reply->text);

    if (!text) {
        struct problem problem;
        problem_set(&problem, 500, "out of memory");
        return respond_problem(request, &problem, NULL);
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        free(text);
        return MHD_NO;
    }
    return respond_with(request, reply->status, reply->content_type, response);
}

enum MHD_Result respond_problem(
    struct request *request, const struct problem *problem, const char *allow)
{
    struct emitter json = {0};

    problem_write(problem, &json);
    size_t size = json.size;
    char *text = emit_take(&json);
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
    return respond_with(request, problem->status, "application/problem+json", response);
}
