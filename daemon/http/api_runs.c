/* GET /api/v1/runs, GET and DELETE /api/v1/runs/{run}, POST /api/v1/runs/{run}/end. */
#include <stdlib.h>
#include <string.h>

#include "daemon/http/api.h"
#include "daemon/http/grow.h"
#include "daemon/http/objects.h"
#include "daemon/store/commit.h"
#include "daemon/store/reader_runs.h"

enum { CONTROL_DEADLINE_MS = 5000 };

static void write_counts(struct emitter *json, const struct reader_run *run)
{
    emitter_key(json, "alerts_firing");
    emitter_int(json, (int64_t)run->alerts_firing);
    emitter_key(json, "clients");
    emitter_int(json, (int64_t)run->sessions_open);
}

static void write_listed(void *ctx, const struct reader_run *run)
{
    struct emitter *json = ctx;

    emitter_open(json, '{');
    objects_run_members(json, &run->row);
    emitter_key(json, "layers");
    emitter_int(json, (int64_t)run->layers);
    write_counts(json, run);
    emitter_close(json, '}');
}

int api_runs(struct request *request, struct reply *reply, struct problem *problem)
{
    struct emitter *json = &reply->text;
    struct reader *reader = request_reader(request, problem);

    if (!reader)
        return -1;
    emitter_open(json, '{');
    emitter_key(json, "runs");
    emitter_open(json, '[');
    int code = reader_runs(reader, write_listed, json);
    if (code)
        return request_reader_problem(request, code, "", problem);
    emitter_close(json, ']');
    emitter_close(json, '}');
    return 0;
}

/* The last values of a run as text, one piece of JSON members for each layer id, in the order of
 * the query. */
struct lasts {
    struct last {
        int64_t layer;
        struct emitter members;
    } * list;
    size_t count;
    bool failed;
};

static struct last *last_of(struct lasts *lasts, int64_t layer)
{
    if (lasts->count > 0 && lasts->list[lasts->count - 1].layer == layer)
        return &lasts->list[lasts->count - 1];
    struct last *list = grow(lasts->list, lasts->count, sizeof *list);
    if (!list) {
        lasts->failed = true;
        return NULL;
    }
    lasts->list = list;
    list[lasts->count] = (struct last){.layer = layer};
    return &list[lasts->count++];
}

static void keep_last(void *ctx, const struct reader_last *value)
{
    struct last *last = last_of(ctx, value->layer_id);

    if (!last)
        return;
    emitter_key(&last->members, value->metric);
    emitter_open(&last->members, '{');
    emitter_key(&last->members, "step");
    emitter_int(&last->members, value->step);
    emitter_key(&last->members, "time");
    emitter_real(&last->members, value->time);
    emitter_key(&last->members, "value");
    emitter_real(&last->members, value->value);
    emitter_close(&last->members, '}');
}

static void free_lasts(struct lasts *lasts)
{
    for (size_t i = 0; i < lasts->count; i++)
        emitter_free(&lasts->list[i].members);
    free(lasts->list);
}

struct run_writer {
    struct emitter *json;
    const struct lasts *lasts;
    size_t next; /* of the lasts */
};

/* Layers come in the order of the lasts, by id, the run itself (0) first. */
static void write_lasts(struct run_writer *writer, int64_t layer)
{
    const struct lasts *lasts = writer->lasts;

    while (writer->next < lasts->count && lasts->list[writer->next].layer < layer)
        writer->next++;
    emitter_key(writer->json, "last");
    emitter_open(writer->json, '{');
    if (writer->next < lasts->count && lasts->list[writer->next].layer == layer) {
        const struct last *last = &lasts->list[writer->next];
        emitter_append(writer->json, last->members.text, last->members.size);
        writer->json->failed |= last->members.failed;
    }
    emitter_close(writer->json, '}');
}

static void write_layer(void *ctx, const struct store_layer *layer)
{
    struct run_writer *writer = ctx;
    struct emitter *json = writer->json;

    emitter_open(json, '{');
    emitter_key(json, "name");
    emitter_text(json, layer->name);
    emitter_key(json, "kind");
    emitter_text(json, layer->kind);
    emitter_key(json, "shape");
    if (layer->rows) {
        emitter_open(json, '[');
        emitter_int(json, (int64_t)layer->rows);
        emitter_int(json, (int64_t)layer->cols);
        emitter_close(json, ']');
    } else {
        emitter_null(json);
    }
    emitter_key(json, "dtype");
    emitter_text_or_null(json, layer->dtype);
    emitter_key(json, "role");
    emitter_text_or_null(json, layer->role);
    emitter_key(json, "block");
    emitter_text_or_null(json, layer->block);
    write_lasts(writer, layer->id);
    emitter_close(json, '}');
}

static void write_run(void *ctx, const struct reader_run *run)
{
    struct run_writer *writer = ctx;
    struct emitter *json = writer->json;

    objects_run_members(json, &run->row);
    write_counts(json, run);
    emitter_key(json, "attempt");
    emitter_int(json, run->row.attempt);
    emitter_key(json, "undefined");
    emitter_int(json, (int64_t)run->row.undefined);
    write_lasts(writer, 0);
}

int api_run(struct request *request, struct reply *reply, struct problem *problem)
{
    int64_t run;
    int result = -1;
    struct lasts lasts = {0};
    struct run_writer writer = {&reply->text, &lasts, 0};

    if (request_run(request, &run, problem))
        return -1;
    int code = reader_last_values(request->reader, run, keep_last, &lasts);
    if (code == READER_FAILED || lasts.failed) {
        request_reader_problem(request, READER_FAILED, "", problem);
        goto out;
    }
    emitter_open(&reply->text, '{');
    code = reader_run(request->reader, request->capture, write_run, &writer);
    emitter_key(&reply->text, "layers");
    emitter_open(&reply->text, '[');
    if (!code)
        code = reader_layers(request->reader, run, write_layer, &writer);
    if (code == READER_FAILED) {
        request_reader_problem(request, code, "", problem);
        goto out;
    }
    emitter_close(&reply->text, ']');
    emitter_close(&reply->text, '}');
    result = 0;
out:
    free_lasts(&lasts);
    return result;
}

static void announce_deleted(struct http *http, const char *key)
{
    struct emitter json = {0};

    emitter_open(&json, '{');
    emitter_key(&json, "id");
    emitter_text(&json, key);
    emitter_key(&json, "state");
    emitter_text(&json, "deleted");
    emitter_close(&json, '}');
    char *text = emitter_take(&json);
    if (text)
        events_publish(http->options.events, "run", key, text);
    free(text);
}

/* Has something done to the run of the path, which must not be running, and waits until that is
 * stored. `done`: what will have happened to it. */
static int control_run(struct request *request, enum run_control_answer (*control)(void *, int64_t),
    const char *done, struct problem *problem)
{
    const struct http_options *options = &request->http->options;
    int64_t run;

    if (request_run(request, &run, problem))
        return -1;
    /* An open reader would keep the write-ahead log from shrinking while we wait. */
    request_end_reading(request);
    switch (control(options->ctx, run)) {
    case RUN_CONTROL_DONE: break;
    case RUN_CONTROL_RUNNING:
    case RUN_CONTROL_BUSY:
        return problem_parameter(problem, 409, "run", request->capture,
            "a run that is not running: all its processes said goodbye, or their leases ran out");
    case RUN_CONTROL_UNKNOWN:
        return problem_parameter(
            problem, 404, "run", request->capture, "the id of a run that is stored here");
    case RUN_CONTROL_FAILED:
        return problem_set(problem, 503, "the run could not be %s now; the log tells why", done);
    }
    if (commit_and_wait(options->store, store_batch_new(), CONTROL_DEADLINE_MS) != COMMIT_DONE)
        return problem_set(problem, 503, "the run was not %s within %d ms; it may be later", done,
            CONTROL_DEADLINE_MS);
    return 0;
}

static void answer(struct emitter *json, const char *key, const char *done)
{
    emitter_open(json, '{');
    emitter_key(json, "id");
    emitter_text(json, key);
    emitter_key(json, done);
    emitter_bool(json, true);
    emitter_close(json, '}');
}

int api_run_delete(struct request *request, struct reply *reply, struct problem *problem)
{
    if (control_run(request, request->http->options.delete_run, "deleted", problem))
        return -1;
    announce_deleted(request->http, request->capture);
    answer(&reply->text, request->capture, "deleted");
    return 0;
}

int api_run_end(struct request *request, struct reply *reply, struct problem *problem)
{
    if (request_no_body(request, problem) ||
        control_run(request, request->http->options.end_run, "ended", problem))
        return -1;
    answer(&reply->text, request->capture, "ended");
    return 0;
}
