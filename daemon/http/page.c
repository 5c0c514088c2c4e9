/* The dashboard's files and the API's description. */
#include "daemon/http/page.h"

#include <string.h>

static int write_asset(struct reply *reply, const char *name, struct problem *problem)
{
    for (size_t i = 0; i < page_assets_count; i++) {
        const struct page_asset *asset = &page_assets[i];
        if (strcmp(asset->name, name) != 0)
            continue;
        reply->content_type = asset->content_type;
        emitter_append(&reply->text, (const char *)asset->bytes, asset->size);
        return 0;
    }
    return problem_parameter(problem, 404, "file", name, "a file of the dashboard");
}

int page_shell(struct request *request, struct reply *reply, struct problem *problem)
{
    const struct guard *guard = &request->http->guard;
    const char *authorization = request_header(request, MHD_HTTP_HEADER_AUTHORIZATION);

    /* A browser cannot send the token with this first request. The page holds no data and asks for
     * it; the status says that it was wanted. */
    if (guard->token && !guard_bearer(authorization, guard->token) &&
        !guard_bearer(authorization, guard->admin_token))
        reply->status = MHD_HTTP_UNAUTHORIZED;
    return write_asset(reply, "index.html", problem);
}

int page_file(struct request *request, struct reply *reply, struct problem *problem)
{
    return write_asset(reply, request->capture, problem);
}

int page_openapi(struct request *request, struct reply *reply, struct problem *problem)
{
    return write_asset(reply, "openapi.json", problem);
}
