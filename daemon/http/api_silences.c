/* GET and POST /api/v1/silences, DELETE /api/v1/silences/{id}. */

#include "daemon/core/clock.h"
#include "daemon/core/limits.h"
#include "daemon/http/api.h"
#include "daemon/http/objects.h"
#include "daemon/http/silence_body.h"
#include "daemon/store/commit.h"
#include "daemon/store/reader_notify.h"

enum { SILENCE_DEADLINE_MS = 5000 };

static void write_silence(void *ctx, const struct store_silence *silence)
{
    struct emitter *json = ctx;

    emitter_open(json, '{');
    emitter_key(json, "id");
    emitter_int(json, silence->id);
    emitter_key(json, "run");
    emitter_text(json, silence->run);
    emitter_key(json, "rule");
    emitter_text(json, silence->rule);
    emitter_key(json, "layer");
    emitter_text(json, silence->layer);
    emitter_key(json, "reason");
    emitter_text(json, silence->reason);
    emitter_key(json, "created_by");
    emitter_text(json, silence->created_by);
    emitter_key(json, "created_at");
    emitter_real(json, silence->created_at);
    emitter_key(json, "expires_at");
    emitter_real(json, silence->expires_at);
    emitter_close(json, '}');
}

int api_silences(struct request *request, struct reply *reply, struct problem *problem)
{
    struct reader *reader = request_reader(request, problem);

    if (!reader)
        return -1;
    emitter_open(&reply->text, '{');
    emitter_key(&reply->text, "silences");
    emitter_open(&reply->text, '[');
    int code = reader_silences(reader, 0, write_silence, &reply->text);
    if (code)
        return request_reader_problem(request, code, "", problem);
    emitter_close(&reply->text, ']');
    emitter_close(&reply->text, '}');
    return 0;
}

static void count_silence(void *ctx, const struct store_silence *silence)
{
    ++*(size_t *)ctx;
}

static int check_room(struct request *request, struct problem *problem)
{
    size_t count = 0;
    struct reader *reader = request_reader(request, problem);

    if (!reader)
        return -1;
    int code = reader_silences(reader, 0, count_silence, &count);
    if (code)
        return request_reader_problem(request, code, "", problem);
    request_end_reading(request);
    return count < LIMIT_SILENCES
               ? 0
               : problem_set(problem, 409, "there are %u silences already", LIMIT_SILENCES);
}

static int commit_silence(
    struct request *request, struct store_batch *batch, struct problem *problem)
{
    switch (commit_and_wait(request->http->options.store, batch, SILENCE_DEADLINE_MS)) {
    case COMMIT_DONE: return 0;
    case COMMIT_FAILED: return problem_set(problem, 503, "the change could not be stored");
    case COMMIT_LATE: break;
    }
    return problem_set(problem, 503, "the change was not stored within %d ms; it may be later",
        SILENCE_DEADLINE_MS);
}

static int add_silence(
    struct request *request, struct store_silence *silence, struct problem *problem)
{
    struct store_batch *batch = store_batch_new();

    if (!batch)
        return problem_set(problem, 500, "out of memory");
    silence->id = store_new_silence_id(request->http->options.store);
    store_put_silence(batch, silence);
    return commit_silence(request, batch, problem);
}

int api_silence_add(struct request *request, struct reply *reply, struct problem *problem)
{
    struct silence_body body;
    const char *text = request->body ? request->body : "";
    int result = -1;

    if (check_room(request, problem) ||
        silence_body_read(&body, text, request->body_size, clock_wall(),
            request->http->options.knows_rule, problem))
        return -1;
    if (add_silence(request, &body.silence, problem) == 0) {
        write_silence(&reply->text, &body.silence);
        reply->status = MHD_HTTP_CREATED;
        result = 0;
    }
    silence_body_free(&body);
    return result;
}

int api_silence_end(struct request *request, struct reply *reply, struct problem *problem)
{
    int64_t id;

    if (request_number(request, "the number of a silence", &id, problem))
        return -1;
    struct reader *reader = request_reader(request, problem);
    if (!reader)
        return -1;
    int code = reader_silences(reader, id, write_silence, &reply->text);
    if (code == READER_NONE)
        return problem_set(problem, 404, "there is no silence %lld", (long long)id);
    if (code)
        return request_reader_problem(request, code, "", problem);
    request_end_reading(request);
    struct store_batch *batch = store_batch_new();
    if (!batch)
        return problem_set(problem, 500, "out of memory");
    store_put_end_silence(batch, id);
    return commit_silence(request, batch, problem);
}
