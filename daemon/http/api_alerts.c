/* GET /api/v1/alerts, POST /api/v1/alerts/{id}/ack. */
#include <stdlib.h>
#include <string.h>

#include "daemon/core/clock.h"
#include "daemon/http/api.h"
#include "daemon/http/objects.h"
#include "daemon/store/commit.h"
#include "daemon/store/reader_runs.h"

enum { LIMIT_DEFAULT = 1000, LIMIT_MAX = 10000, ACK_DEADLINE_MS = 5000 };

static void write_alert(void *ctx, const struct reader_alert *alert)
{
    struct emitter *json = ctx;

    emitter_open(json, '{');
    objects_alert_members(json, alert->run_key, &alert->row);
    emitter_key(json, "acknowledged");
    emitter_bool(json, alert->acknowledged_at > 0);
    emitter_key(json, "acknowledged_at");
    objects_time_or_null(json, alert->acknowledged_at);
    emitter_close(json, '}');
}

static int check_run(struct request *request, const char *key, struct problem *problem)
{
    int64_t run;

    if (!key)
        return 0;
    request->capture = key;
    return request_run(request, &run, problem);
}

int api_alerts(struct request *request, struct reply *reply, struct problem *problem)
{
    struct reader_alert_query query = {.run_key = query_text(&request->query, "run")};
    const char *state_name = NULL, *severity_name = NULL;
    enum alert_state state;
    enum alert_severity severity;
    int64_t limit = LIMIT_DEFAULT;

    if (query_choice(&request->query, "state", alert_state_names, &state_name, problem) ||
        query_choice(&request->query, "severity", alert_severity_names, &severity_name, problem) ||
        query_number(&request->query, "since", 0, &query.since, problem) ||
        query_integer(&request->query, "limit", 1, LIMIT_MAX, &limit, problem) ||
        check_run(request, query.run_key, problem))
        return -1;
    query.limit = (size_t)limit;
    if (state_name && alert_state_parse(state_name, &state))
        query.state = &state;
    if (severity_name && alert_severity_parse(severity_name, &severity))
        query.severity = &severity;
    struct reader *reader = request_reader(request, problem);
    if (!reader)
        return -1;
    emitter_open(&reply->text, '{');
    emitter_key(&reply->text, "alerts");
    emitter_open(&reply->text, '[');
    int code = reader_alerts(reader, &query, write_alert, &reply->text);
    if (code == READER_FAILED)
        return request_reader_problem(request, code, "", problem);
    emitter_close(&reply->text, ']');
    emitter_close(&reply->text, '}');
    return 0;
}

struct found_alert {
    struct emitter json;
    char *run_key;
};

static void keep_alert(void *ctx, const struct reader_alert *alert)
{
    struct found_alert *found = ctx;

    write_alert(&found->json, alert);
    found->run_key = strdup(alert->run_key);
}

/* One alert, to be freed after both outcomes. Gives the reader back, so that nothing is held while
 * a caller waits. */
static int read_alert(
    struct request *request, int64_t id, struct found_alert *found, struct problem *problem)
{
    struct reader_alert_query query = {.id = id, .limit = 1};
    struct reader *reader = request_reader(request, problem);

    *found = (struct found_alert){0};
    if (!reader)
        return -1;
    int code = reader_alerts(reader, &query, keep_alert, found);
    if (code == READER_FAILED)
        return request_reader_problem(request, code, "", problem);
    request_end_reading(request);
    if (!found->json.size)
        return problem_set(problem, 404, "there is no alert %lld", (long long)id);
    return found->run_key && !found->json.failed ? 0 : problem_set(problem, 500, "out of memory");
}

static void free_alert(struct found_alert *found)
{
    emitter_free(&found->json);
    free(found->run_key);
}

static int acknowledge(struct http *http, int64_t id, struct problem *problem)
{
    struct store_batch *batch = store_batch_new();

    if (!batch)
        return problem_set(problem, 500, "out of memory");
    store_put_ack(batch, id, clock_wall());
    switch (commit_and_wait(http->options.store, batch, ACK_DEADLINE_MS)) {
    case COMMIT_DONE: return 0;
    case COMMIT_FAILED: return problem_set(problem, 503, "the acknowledgement could not be stored");
    case COMMIT_LATE: break;
    }
    return problem_set(problem, 503,
        "the acknowledgement was not stored within %d ms; it may be later", ACK_DEADLINE_MS);
}

int api_alert_ack(struct request *request, struct reply *reply, struct problem *problem)
{
    int64_t id;

    struct found_alert found = {0};
    int result = -1;

    if (request_number(request, "the number of an alert", &id, problem) ||
        request_no_body(request, problem))
        return -1;
    if (read_alert(request, id, &found, problem) || acknowledge(request->http, id, problem))
        goto out;
    free_alert(&found);
    if (read_alert(request, id, &found, problem))
        goto out;
    emitter_append(&reply->text, found.json.text, found.json.size);
    char *text = emitter_take(&found.json);
    if (text)
        events_publish(request->http->options.events, "alert", found.run_key, text);
    free(text);
    result = 0;
out:
    free_alert(&found);
    return result;
}
