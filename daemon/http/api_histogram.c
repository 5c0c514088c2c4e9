/* GET /api/v1/runs/{run}/histogram. */
#include "daemon/http/api.h"
#include "daemon/http/selection.h"
#include "daemon/store/reader_series.h"

enum { COLUMNS_DEFAULT = 200, COLUMNS_MAX = 2000 };

static void write_column_facts(
    struct emitter *json, const struct reader_column *columns, size_t count)
{
    emitter_key(json, "first_step");
    emitter_open(json, '[');
    for (size_t i = 0; i < count; i++)
        emitter_int(json, columns[i].first_step);
    emitter_close(json, ']');
    emitter_key(json, "step");
    emitter_open(json, '[');
    for (size_t i = 0; i < count; i++)
        emitter_int(json, columns[i].last_step);
    emitter_close(json, ']');
    emitter_key(json, "time");
    emitter_open(json, '[');
    for (size_t i = 0; i < count; i++)
        emitter_real(json, columns[i].time);
    emitter_close(json, ']');
}

static void write_histogram(
    void *ctx, uint32_t attempt, const struct reader_column *columns, size_t count)
{
    struct emitter *json = ctx;

    if (count == 0)
        return;
    emitter_open(json, '{');
    emitter_key(json, "attempt");
    emitter_int(json, attempt);
    write_column_facts(json, columns, count);
    emitter_key(json, "counts");
    emitter_open(json, '[');
    for (size_t bin = 0; bin < HISTOGRAM_BINS; bin++) {
        emitter_open(json, '[');
        for (size_t i = 0; i < count; i++)
            emitter_int(json, (int64_t)columns[i].counts[bin]);
        emitter_close(json, ']');
    }
    emitter_close(json, ']');
    emitter_close(json, '}');
}

static int parse_histogram_query(const struct request *request, struct reader_series_query *query,
    const char **layer, struct problem *problem)
{
    int64_t columns = COLUMNS_DEFAULT, attempt = 0;

    query->from = 0;
    query->to = INT64_MAX;
    if (query_integer(&request->query, "from", 0, INT64_MAX, &query->from, problem) ||
        query_integer(&request->query, "to", 0, INT64_MAX, &query->to, problem) ||
        query_integer(&request->query, "columns", 1, COLUMNS_MAX, &columns, problem) ||
        query_integer(&request->query, "attempt", 1, UINT32_MAX, &attempt, problem))
        return -1;
    if (query->from > query->to)
        return problem_parameter(
            problem, 400, "to", query_text(&request->query, "to"), "not below from");
    query->metric = query_text(&request->query, "metric");
    *layer = query_text(&request->query, "layer");
    if (!query->metric)
        return problem_parameter(
            problem, 400, "metric", "", "sa, gate.in_out, gate.gate_out or gate.gate_in");
    if (!*layer)
        return problem_parameter(problem, 400, "layer", "", "the name of a layer or block");
    query->points = (size_t)columns;
    query->attempt = (uint32_t)attempt;
    return 0;
}

static void write_edges(struct emitter *json)
{
    emitter_key(json, "edges");
    emitter_open(json, '[');
    for (int i = 0; i <= HISTOGRAM_BINS; i++)
        emitter_real(json, -1.0 + 2.0 * i / HISTOGRAM_BINS);
    emitter_close(json, ']');
}

int api_histogram(struct request *request, struct reply *reply, struct problem *problem)
{
    struct reader_series_query query = {0};
    struct emitter *json = &reply->text;
    const char *layer = NULL;
    int64_t ids[SELECTION_IDS_MAX];
    size_t count;

    if (parse_histogram_query(request, &query, &layer, problem) ||
        request_run(request, &query.run, problem) ||
        selection_layer(request, query.run, layer, ids, &count, problem))
        return -1;
    emitter_open(json, '{');
    emitter_key(json, "run");
    emitter_text(json, request->capture);
    emitter_key(json, "layer");
    emitter_text(json, layer);
    emitter_key(json, "metric");
    emitter_text(json, query.metric);
    write_edges(json);
    emitter_key(json, "histograms");
    emitter_open(json, '[');
    for (size_t i = 0; i < count; i++) {
        query.layer = ids[i];
        if (reader_histogram(request->reader, &query, write_histogram, json) == READER_FAILED)
            return request_reader_problem(request, READER_FAILED, "", problem);
    }
    emitter_close(json, ']');
    emitter_close(json, '}');
    return 0;
}
