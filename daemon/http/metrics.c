/* GET /metrics: the last figures of running runs, firing alerts, and the daemon's own counters. */
#include "daemon/http/metrics.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/http/grow.h"
#include "daemon/http/prometheus.h"
#include "daemon/store/reader_notify.h"
#include "daemon/store/reader_runs.h"

enum { ALERTS_MAX = 10000 };

struct metrics_sample {
    char name[PROMETHEUS_NAME_MAX];
    char *run, *layer;
    double value;
};

struct metrics_run {
    char *key;
    int64_t id, step;
};

struct metrics_alert {
    char *run, *rule;
    enum alert_severity severity;
};

struct metrics_notifier {
    char *name;
    struct reader_notifier row; /* but its name */
};

/* What the queries gather; `run` is the key of the run whose figures come. */
struct metrics_data {
    struct metrics_run *running;
    struct metrics_sample *samples;
    struct metrics_alert *firing;
    struct metrics_notifier *notifiers;
    size_t running_count, samples_count, firing_count, notifiers_count;
    const char *run;
    bool failed;
};

static char *copy(struct metrics_data *gathering, const char *text)
{
    char *copied = strdup(text);

    gathering->failed |= !copied;
    return copied;
}

static void keep_running(void *ctx, const struct reader_run *run)
{
    struct metrics_data *gathering = ctx;

    if (run->row.state != RUN_RUNNING)
        return;
    struct metrics_run *list = grow(gathering->running, gathering->running_count, sizeof *list);
    if (!list) {
        gathering->failed = true;
        return;
    }
    gathering->running = list;
    list[gathering->running_count++] =
        (struct metrics_run){copy(gathering, run->row.key), run->row.id, run->row.last_step};
}

static void keep_sample(void *ctx, const struct reader_last *last)
{
    struct metrics_data *gathering = ctx;
    struct metrics_sample *list = grow(gathering->samples, gathering->samples_count, sizeof *list);

    if (!list) {
        gathering->failed = true;
        return;
    }
    gathering->samples = list;
    struct metrics_sample *sample = &list[gathering->samples_count++];
    prometheus_name(sample->name, last->metric);
    sample->run = copy(gathering, gathering->run);
    sample->layer = copy(gathering, last->layer);
    sample->value = last->value;
}

static void keep_firing(void *ctx, const struct reader_alert *alert)
{
    struct metrics_data *gathering = ctx;
    struct metrics_alert *list = grow(gathering->firing, gathering->firing_count, sizeof *list);

    if (!list) {
        gathering->failed = true;
        return;
    }
    gathering->firing = list;
    list[gathering->firing_count++] = (struct metrics_alert){
        copy(gathering, alert->run_key), copy(gathering, alert->row.rule), alert->row.severity};
}

static void keep_notifier(void *ctx, const struct reader_notifier *row)
{
    struct metrics_data *gathering = ctx;
    struct metrics_notifier *list =
        grow(gathering->notifiers, gathering->notifiers_count, sizeof *list);

    if (!list) {
        gathering->failed = true;
        return;
    }
    gathering->notifiers = list;
    list[gathering->notifiers_count++] =
        (struct metrics_notifier){copy(gathering, row->name), *row};
}

static int gather(struct metrics_data *gathering, struct reader *reader)
{
    const enum alert_state state = ALERT_FIRING;
    const struct reader_alert_query firing = {.state = &state, .limit = ALERTS_MAX};
    int code = reader_runs(reader, keep_running, gathering);

    for (size_t i = 0; code != READER_FAILED && !gathering->failed && i < gathering->running_count;
         i++) {
        gathering->run = gathering->running[i].key;
        code = reader_last_values(reader, gathering->running[i].id, keep_sample, gathering);
    }
    if (code != READER_FAILED && !gathering->failed)
        code = reader_alerts(reader, &firing, keep_firing, gathering);
    if (code != READER_FAILED && !gathering->failed)
        code = reader_notifiers(reader, keep_notifier, gathering);
    return code == READER_FAILED || gathering->failed ? -1 : 0;
}

static void free_gathering(struct metrics_data *gathering)
{
    for (size_t i = 0; i < gathering->running_count; i++)
        free(gathering->running[i].key);
    for (size_t i = 0; i < gathering->samples_count; i++) {
        free(gathering->samples[i].run);
        free(gathering->samples[i].layer);
    }
    for (size_t i = 0; i < gathering->firing_count; i++) {
        free(gathering->firing[i].run);
        free(gathering->firing[i].rule);
    }
    for (size_t i = 0; i < gathering->notifiers_count; i++)
        free(gathering->notifiers[i].name);
    free(gathering->notifiers);
    free(gathering->running);
    free(gathering->samples);
    free(gathering->firing);
}

static int compare_samples(const void *left, const void *right)
{
    const struct metrics_sample *a = left, *b = right;
    int order = strcmp(a->name, b->name);

    if (!order)
        order = strcmp(a->run, b->run);
    return order ? order : strcmp(a->layer, b->layer);
}

static int compare_firing(const void *left, const void *right)
{
    const struct metrics_alert *a = left, *b = right;
    int order = strcmp(a->run, b->run);

    if (!order)
        order = strcmp(a->rule, b->rule);
    return order ? order
                 : strcmp(alert_severity_names[a->severity], alert_severity_names[b->severity]);
}

/* The daemon's own families: a training's scalar of the same name is left out. */
struct own_family {
    const char *name, *type, *help;
    size_t offset; /* in struct stats */
};

#define OWN_FAMILY(member, type, help)                                                             \
    {"foreshock_" #member, type, help, offsetof(struct stats, member)},
static const struct own_family own_families[] = {STATS_TABLE(OWN_FAMILY)};
#undef OWN_FAMILY

static const char *const derived_families[] = {
    "foreshock_step",
    "foreshock_alerts_firing",
    "foreshock_metrics_left_out",
    "foreshock_refused_total",
    "foreshock_info",
    "foreshock_notify_delivered_total",
    "foreshock_notify_failed_total",
    "foreshock_notify_dropped_total",
    "foreshock_notify_retries_total",
    "foreshock_notify_outbox",
};

/* Prometheus counts time in seconds: the name of a counter of microseconds says so. True if it is
 * one. */
static bool own_name(char name[PROMETHEUS_NAME_MAX], const struct own_family *family)
{
    static const char micro[] = "_microseconds_total";
    size_t length = strlen(family->name);
    size_t stem = length - (sizeof micro - 1);

    if (length < sizeof micro || strcmp(family->name + stem, micro) != 0) {
        snprintf(name, PROMETHEUS_NAME_MAX, "%s", family->name);
        return false;
    }
    snprintf(name, PROMETHEUS_NAME_MAX, "%.*s_seconds_total", (int)stem, family->name);
    return true;
}

static bool is_own(const char *name)
{
    char own[PROMETHEUS_NAME_MAX];

    for (size_t i = 0; i < sizeof own_families / sizeof *own_families; i++) {
        own_name(own, &own_families[i]);
        if (!strcmp(own, name))
            return true;
    }
    for (size_t i = 0; i < sizeof derived_families / sizeof *derived_families; i++) {
        if (!strcmp(derived_families[i], name))
            return true;
    }
    return false;
}

static void write_own(struct emitter *text, struct stats *stats)
{
    for (size_t i = 0; i < sizeof own_families / sizeof *own_families; i++) {
        const struct own_family *family = &own_families[i];
        char name[PROMETHEUS_NAME_MAX];
        double value =
            (double)stats_get((_Atomic uint64_t *)(void *)((char *)stats + family->offset));

        if (own_name(name, family))
            value *= 1e-6;
        prometheus_family(text, name, family->type, family->help);
        prometheus_sample(text, name, NULL, 0, value);
    }
    prometheus_family(
        text, "foreshock_refused_total", "counter", "Messages refused, by the code of the error.");
    for (int code = WIRE_CODE_NONE + 1; code < WIRE_CODE_COUNT; code++)
        prometheus_sample(text, "foreshock_refused_total",
            &(struct prometheus_label){"code", wire_code_name((enum wire_code)code)}, 1,
            (double)stats_get(&stats->refused[code]));
}

/* Returns how many were left out: beyond `most`, of a name of our own, or of the name of another
 * series of the same layer. */
static size_t write_samples(struct emitter *text, const struct metrics_data *gathering, size_t most)
{
    const struct metrics_sample *before = NULL;
    size_t written = 0;

    for (size_t i = 0; i < gathering->samples_count && written < most; i++) {
        const struct metrics_sample *sample = &gathering->samples[i];
        if (is_own(sample->name) || (before && !compare_samples(before, sample)))
            continue;
        if (!before || strcmp(before->name, sample->name) != 0)
            prometheus_family(
                text, sample->name, "gauge", "Last value of this figure in a running run.");
        prometheus_sample(text, sample->name,
            (const struct prometheus_label[]){{"run", sample->run}, {"layer", sample->layer}}, 2,
            sample->value);
        before = sample;
        written++;
    }
    return gathering->samples_count - written;
}

static void write_steps(struct emitter *text, const struct metrics_data *gathering)
{
    prometheus_family(text, "foreshock_step", "gauge", "Last step of a running run.");
    for (size_t i = 0; i < gathering->running_count; i++) {
        const struct metrics_run *running = &gathering->running[i];
        if (running->step >= 0)
            prometheus_sample(text, "foreshock_step",
                &(struct prometheus_label){"run", running->key}, 1, (double)running->step);
    }
}

static void write_firing(struct emitter *text, const struct metrics_data *gathering)
{
    prometheus_family(text, "foreshock_alerts_firing", "gauge", "Alerts that fire now.");
    for (size_t i = 0; i < gathering->firing_count;) {
        const struct metrics_alert *first = &gathering->firing[i];
        size_t same = 1;
        while (i + same < gathering->firing_count && !compare_firing(first, first + same))
            same++;
        prometheus_sample(text, "foreshock_alerts_firing",
            (const struct prometheus_label[]){{"run", first->run}, {"rule", first->rule},
                {"severity", alert_severity_names[first->severity]}},
            3, (double)same);
        i += same;
    }
}

static const struct notifier_family {
    const char *name, *type, *help;
    size_t offset; /* in struct reader_notifier */
} notifier_families[] = {
    {"foreshock_notify_delivered_total", "counter", "Messages that a notifier's receiver took.",
        offsetof(struct reader_notifier, delivered)},
    {"foreshock_notify_failed_total", "counter",
        "Messages given up because the receiver refuses them.",
        offsetof(struct reader_notifier, failed)},
    {"foreshock_notify_dropped_total", "counter",
        "Messages dropped because too many waited, or for too long.",
        offsetof(struct reader_notifier, dropped)},
    {"foreshock_notify_retries_total", "counter", "Tries that failed and are tried again.",
        offsetof(struct reader_notifier, retries)},
    {"foreshock_notify_outbox", "gauge", "Messages that wait to be delivered.",
        offsetof(struct reader_notifier, waiting)},
};

static void write_notifiers(struct emitter *text, const struct metrics_data *gathering)
{
    for (size_t f = 0; f < sizeof notifier_families / sizeof *notifier_families; f++) {
        const struct notifier_family *family = &notifier_families[f];

        prometheus_family(text, family->name, family->type, family->help);
        for (size_t i = 0; i < gathering->notifiers_count; i++) {
            const struct metrics_notifier *notifier = &gathering->notifiers[i];
            const char *row = (const char *)&notifier->row;

            prometheus_sample(text, family->name,
                &(struct prometheus_label){"notifier", notifier->name}, 1,
                (double)*(const uint64_t *)(const void *)(row + family->offset));
        }
    }
}

static void write_all(
    struct emitter *text, struct metrics_data *gathering, const struct http_options *options)
{
    if (gathering->samples_count > 1)
        qsort(gathering->samples, gathering->samples_count, sizeof *gathering->samples,
            compare_samples);
    if (gathering->firing_count > 1)
        qsort(
            gathering->firing, gathering->firing_count, sizeof *gathering->firing, compare_firing);
    size_t left_out = write_samples(text, gathering, options->series_max);
    prometheus_family(text, "foreshock_metrics_left_out", "gauge",
        "Series of running runs that are not shown here: above the limit, or of a name that is "
        "taken.");
    prometheus_sample(text, "foreshock_metrics_left_out", NULL, 0, (double)left_out);
    write_steps(text, gathering);
    write_firing(text, gathering);
    write_notifiers(text, gathering);
    prometheus_family(text, "foreshock_info", "gauge", "Always 1; the label tells the version.");
    prometheus_sample(
        text, "foreshock_info", &(struct prometheus_label){"version", options->version}, 1, 1);
    write_own(text, options->stats);
}

int metrics_text(struct request *request, struct reply *reply, struct problem *problem)
{
    struct metrics_data gathering = {0};
    struct reader *reader = request_reader(request, problem);
    int result = 0;

    if (!reader)
        return -1;
    if (gather(&gathering, reader)) {
        result = request_reader_problem(request, READER_FAILED, "", problem);
    } else {
        write_all(&reply->text, &gathering, &request->http->options);
        reply->content_type = "text/plain; version=0.0.4; charset=utf-8";
    }
    free_gathering(&gathering);
    return result;
}
