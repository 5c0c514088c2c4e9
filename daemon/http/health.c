/* GET /healthz and /readyz. */
#include "daemon/http/health.h"

#include <stdio.h>

#include "daemon/core/clock.h"
#include "daemon/store/reader_runs.h"

static uint64_t age(uint64_t stamp_ms, uint64_t now_ms)
{
    return stamp_ms < now_ms ? now_ms - stamp_ms : 0;
}

void health_check(struct stats *stats, uint64_t now_ms, struct health_part parts[HEALTH_PARTS])
{
    uint64_t loop = stats_get(&stats->loop_turn_ms);
    uint64_t writer = stats_get(&stats->writer_turn_ms);
    uint64_t worker = stats_get(&stats->worker_since_ms);
    uint64_t short_since = stats_get(&stats->disk_short_since_ms);

    parts[0] = (struct health_part){"loop", loop > 0, age(loop, now_ms), HEALTH_LOOP_MS};
    parts[1] = (struct health_part){"writer", writer > 0, age(writer, now_ms), HEALTH_WRITER_MS};
    parts[2] =
        (struct health_part){"workers", true, worker ? age(worker, now_ms) : 0, HEALTH_WORKER_MS};
    parts[3] = (struct health_part){
        "disk", !short_since, short_since ? age(short_since, now_ms) : 0, UINT64_MAX};
    for (int i = 0; i < HEALTH_PARTS; i++)
        parts[i].ok = parts[i].ok && parts[i].age_ms <= parts[i].age_max_ms;
}

static void write_health_parts(struct emitter *json, const struct health_part parts[HEALTH_PARTS])
{
    emitter_key(json, "parts");
    emitter_open(json, '{');
    for (int i = 0; i < HEALTH_PARTS; i++) {
        emitter_key(json, parts[i].name);
        emitter_open(json, '{');
        emitter_key(json, "ok");
        emitter_bool(json, parts[i].ok);
        emitter_key(json, "age_seconds");
        emitter_real(json, (double)parts[i].age_ms / 1000);
        emitter_close(json, '}');
    }
    emitter_close(json, '}');
}

static const struct health_part *first_stalled(const struct health_part parts[HEALTH_PARTS])
{
    for (int i = 0; i < HEALTH_PARTS; i++) {
        if (!parts[i].ok)
            return &parts[i];
    }
    return NULL;
}

static void describe(const struct health_part *part, char *detail, size_t size)
{
    double seconds = (double)part->age_ms / 1000;

    if (part->age_max_ms == UINT64_MAX)
        snprintf(detail, size,
            "%s: short of room for %.1f s (retention.disk_free_min); figures are not stored",
            part->name, seconds);
    else
        snprintf(detail, size, "%s: no progress for %.1f s; expected within %.0f s", part->name,
            seconds, (double)part->age_max_ms / 1000);
}

static void write_health(struct request *request, struct reply *reply)
{
    struct health_part parts[HEALTH_PARTS];
    struct emitter *json = &reply->text;

    health_check(request->http->options.stats, clock_ms(), parts);
    const struct health_part *stalled = first_stalled(parts);
    emitter_open(json, '{');
    if (stalled) {
        char detail[128];
        describe(stalled, detail, sizeof detail);
        reply->status = MHD_HTTP_SERVICE_UNAVAILABLE;
        reply->content_type = "application/problem+json";
        emitter_key(json, "type");
        emitter_text(json, "about:blank");
        emitter_key(json, "title");
        emitter_text(json, problem_title(503));
        emitter_key(json, "status");
        emitter_int(json, 503);
        emitter_key(json, "detail");
        emitter_text(json, detail);
        emitter_key(json, "part");
        emitter_text(json, stalled->name);
    } else {
        emitter_key(json, "status");
        emitter_text(json, "ok");
    }
    write_health_parts(json, parts);
    emitter_close(json, '}');
}

int health_alive(struct request *request, struct reply *reply, struct problem *problem)
{
    write_health(request, reply);
    return 0;
}

static void ignore_run(void *ctx, const struct reader_run *run) {}

int health_ready(struct request *request, struct reply *reply, struct problem *problem)
{
    struct reader *reader = request_reader(request, problem);

    if (!reader)
        return -1;
    if (reader_runs(reader, ignore_run, NULL))
        return problem_set(problem, 503, "the database cannot be read now");
    write_health(request, reply);
    return 0;
}
