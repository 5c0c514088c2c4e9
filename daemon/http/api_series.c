/* GET /api/v1/runs/{run}/series. */
#include <stddef.h>
#include <string.h>

#include "daemon/http/api.h"
#include "daemon/http/selection.h"

enum {
    POINTS_DEFAULT = 1000,
    POINTS_MAX = 100000,
    BUCKETS_MAX = 1000000, /* of one answer: about 100 MB of text */
};

struct series_writer {
    struct request *request;
    struct emitter *json;
    const struct selection_entry *entry;
    size_t buckets; /* so far, of all series */
};

static const struct {
    const char *key;
    size_t offset;
} real_columns[] = {
    {"time", offsetof(struct reader_bucket, time)},
    {"min", offsetof(struct reader_bucket, min)},
    {"mean", offsetof(struct reader_bucket, mean)},
    {"max", offsetof(struct reader_bucket, max)},
    {"last", offsetof(struct reader_bucket, last)},
};

static double real_column(const struct reader_bucket *bucket, size_t column)
{
    double value;

    memcpy(&value, (const char *)bucket + real_columns[column].offset, sizeof value);
    return value;
}

/* Stops between two columns when nobody wants the answer any more: a column may have 100,000 numbers. */
static void write_columns(
    struct series_writer *writer, const struct reader_bucket *buckets, size_t count)
{
    struct emitter *json = writer->json;

    emit_key(json, "step");
    emit_open(json, '[');
    for (size_t i = 0; i < count; i++)
        emit_int(json, buckets[i].step);
    emit_close(json, ']');
    for (size_t column = 0; column < sizeof real_columns / sizeof *real_columns; column++) {
        if (cancel_due(&writer->request->cancel))
            return;
        emit_key(json, real_columns[column].key);
        emit_open(json, '[');
        for (size_t i = 0; i < count; i++)
            emit_real(json, real_column(&buckets[i], column));
        emit_close(json, ']');
    }
    emit_key(json, "nonfinite");
    emit_open(json, '[');
    for (size_t i = 0; i < count; i++)
        emit_int(json, (int64_t)buckets[i].nonfinite);
    emit_close(json, ']');
}

static void write_series(
    void *ctx, uint32_t attempt, const struct reader_bucket *buckets, size_t count)
{
    struct series_writer *writer = ctx;
    struct emitter *json = writer->json;

    writer->buckets += count;
    if (writer->buckets > BUCKETS_MAX || count == 0)
        return;
    emit_open(json, '{');
    emit_key(json, "layer");
    emit_text(json, writer->entry->layer);
    emit_key(json, "metric");
    emit_text(json, writer->entry->metric);
    emit_key(json, "attempt");
    emit_int(json, attempt);
    write_columns(writer, buckets, count);
    emit_close(json, '}');
}

static int parse(
    const struct request *request, struct reader_series_query *query, struct problem *problem)
{
    int64_t points = POINTS_DEFAULT, attempt = 0;

    query->from = 0;
    query->to = INT64_MAX;
    if (query_integer(&request->query, "from", 0, INT64_MAX, &query->from, problem) ||
        query_integer(&request->query, "to", 0, INT64_MAX, &query->to, problem) ||
        query_integer(&request->query, "points", 1, POINTS_MAX, &points, problem) ||
        query_integer(&request->query, "attempt", 1, UINT32_MAX, &attempt, problem))
        return -1;
    if (query->from > query->to)
        return problem_parameter(
            problem, 400, "to", query_text(&request->query, "to"), "not below from");
    if (!query_text(&request->query, "metric"))
        return problem_parameter(
            problem, 400, "metric", "", "at least one metric, or a pattern with *");
    query->points = (size_t)points;
    query->attempt = (uint32_t)attempt;
    return 0;
}

static int write_selected(struct request *request, const struct selection *selection,
    struct reader_series_query *query, struct emitter *json, struct problem *problem)
{
    struct series_writer writer = {.request = request, .json = json};
    char points[24];

    for (size_t i = 0; i < selection->count && !json->failed; i++) {
        if (request_cancelled(request, problem))
            return -1;
        writer.entry = &selection->entries[i];
        query->layer = writer.entry->layer_id;
        query->metric = writer.entry->metric;
        if (reader_series(request->reader, query, write_series, &writer) == READER_FAILED)
            return request_reader_problem(request, READER_FAILED, "", problem);
        if (writer.buckets > BUCKETS_MAX) {
            emit_number(points, (double)query->points);
            return problem_parameter(problem, 400, "points", points,
                "at most %d buckets in one answer: fewer points, metrics or layers", BUCKETS_MAX);
        }
    }
    return request_cancelled(request, problem) ? -1 : 0;
}

int api_series(struct request *request, struct reply *reply, struct problem *problem)
{
    struct reader_series_query query = {0};
    struct selection selection;
    struct emitter *json = &reply->text;

    if (parse(request, &query, problem) || request_run(request, &query.run, problem))
        return -1;
    int result = selection_make(&selection, request, query.run, problem);
    if (!result) {
        emit_open(json, '{');
        emit_key(json, "run");
        emit_text(json, request->capture);
        emit_key(json, "series");
        emit_open(json, '[');
        result = write_selected(request, &selection, &query, json, problem);
        emit_close(json, ']');
        emit_close(json, '}');
    }
    selection_free(&selection);
    return result;
}
