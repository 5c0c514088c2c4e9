/* GET /api/v1/runs/{run}/series. */
#include <stddef.h>
#include <string.h>

#include "daemon/http/api.h"
#include "daemon/http/selection.h"
#include "daemon/store/reader_series.h"

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

    emitter_key(json, "step");
    emitter_open(json, '[');
    for (size_t i = 0; i < count; i++)
        emitter_int(json, buckets[i].step);
    emitter_close(json, ']');
    for (size_t column = 0; column < sizeof real_columns / sizeof *real_columns; column++) {
        if (cancel_due(&writer->request->cancel))
            return;
        emitter_key(json, real_columns[column].key);
        emitter_open(json, '[');
        for (size_t i = 0; i < count; i++)
            emitter_real(json, real_column(&buckets[i], column));
        emitter_close(json, ']');
    }
    emitter_key(json, "nonfinite");
    emitter_open(json, '[');
    for (size_t i = 0; i < count; i++)
        emitter_int(json, (int64_t)buckets[i].nonfinite);
    emitter_close(json, ']');
}

static void write_series(
    void *ctx, uint32_t attempt, const struct reader_bucket *buckets, size_t count)
{
    struct series_writer *writer = ctx;
    struct emitter *json = writer->json;

    writer->buckets += count;
    if (writer->buckets > BUCKETS_MAX || count == 0)
        return;
    emitter_open(json, '{');
    emitter_key(json, "layer");
    emitter_text(json, writer->entry->layer);
    emitter_key(json, "metric");
    emitter_text(json, writer->entry->metric);
    emitter_key(json, "attempt");
    emitter_int(json, attempt);
    write_columns(writer, buckets, count);
    emitter_close(json, '}');
}

static int parse_series_query(
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
            emitter_number(points, (double)query->points);
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

    if (parse_series_query(request, &query, problem) || request_run(request, &query.run, problem))
        return -1;
    int result = selection_make(&selection, request, query.run, problem);
    if (!result) {
        emitter_open(json, '{');
        emitter_key(json, "run");
        emitter_text(json, request->capture);
        emitter_key(json, "series");
        emitter_open(json, '[');
        result = write_selected(request, &selection, &query, json, problem);
        emitter_close(json, ']');
        emitter_close(json, '}');
    }
    selection_free(&selection);
    return result;
}
