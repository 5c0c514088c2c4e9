/* alerts-replay: replays a stream of figures from standard input through the daemon's detectors and
 * prints the alerts that it raises, as CSV. It is how tools/foreshock-eval judges the rules.
 *
 * One item a line, fields separated by spaces; `layer` before its figures, `run` before its layers:
 *
 *     run NAME
 *     begins STEP                     the attempt began there or before
 *     layer ID NAME ROLE BLOCK        ID > 0; - for an empty ROLE or BLOCK
 *     figure LAYER METRIC STEP VALUE  LAYER 0: the run itself
 *
 * Columns: id (the run), step (at which the alert was raised), rule, severity (`observed` for one
 * that nobody would be told of), resolved (step, empty if still open), layers (how many), first
 * (the most affected one).
 *
 *     alerts-replay --metrics         prints the metrics that any rule reads, one a line */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/alerts/engine.h"

#define LINE_MAX_BYTES 1024

struct replay {
    struct alert_engine *engine;
    char run[256];
};

static void print_alert(const struct replay *replay, const struct alert *alert)
{
    char resolved[32] = "";
    if (alert->resolved_step >= 0)
        snprintf(resolved, sizeof resolved, "%" PRId64, alert->resolved_step);
    printf("%s,%" PRId64 ",%s,%s,%s,%zu,%s\n", replay->run, alert->started_step,
        rule_table[alert->rule].name,
        alert->observed ? "observed" : alert_severity_name(alert->severity), resolved,
        alert->layer_total, alert_engine_layer_name(replay->engine, alert->layers[0]));
}

static void on_change(void *ctx, enum alert_change change, const struct alert *alert)
{
    if (change == ALERT_RESOLVED)
        print_alert(ctx, alert);
}

static void finish_run(struct replay *replay)
{
    for (int rule = 0; replay->engine != NULL && rule < RULE_COUNT; rule++) {
        const struct alert *open = alert_engine_open(replay->engine, (enum alert_rule)rule);
        if (open != NULL)
            print_alert(replay, open);
    }
    alert_engine_free(replay->engine);
    replay->engine = NULL;
}

static int begin_run(struct replay *replay, const char *name)
{
    struct rule_settings settings;
    finish_run(replay);
    snprintf(replay->run, sizeof replay->run, "%s", name);
    rule_settings_init(&settings);
    replay->engine = alert_engine_new(&settings);
    return replay->engine == NULL ? -1 : 0;
}

/* A field in which - stands for nothing. */
static const char *field(const char *text)
{
    return strcmp(text, "-") == 0 ? "" : text;
}

/* 0, or -1: the line is not as described above. */
static int take_line(struct replay *replay, const char *line)
{
    char a[256], b[256], c[256];
    int64_t id, step;
    double value;
    if (sscanf(line, "run %255s", a) == 1)
        return begin_run(replay, a);
    if (replay->engine == NULL)
        return -1;
    if (sscanf(line, "begins %" SCNd64, &step) == 1) {
        alert_engine_begins(replay->engine, step);
        return 0;
    }
    if (sscanf(line, "layer %" SCNd64 " %255s %255s %255s", &id, a, b, c) == 4)
        return alert_engine_layer(replay->engine, id, a, field(b), field(c));
    if (sscanf(line, "figure %" SCNd64 " %255s %" SCNd64 " %lf", &id, a, &step, &value) != 4)
        return -1;
    alert_engine_figure(replay->engine, id, a, step, 0, value);
    alert_engine_drain(replay->engine, on_change, replay);
    return 0;
}

static int list_metrics(void)
{
    for (const char *const *name = alert_metric_names(); *name != NULL; name++)
        puts(*name);
    return 0;
}

int main(int argc, char **argv)
{
    struct replay replay = {0};
    char line[LINE_MAX_BYTES];

    if (argc == 2 && strcmp(argv[1], "--metrics") == 0)
        return list_metrics();
    if (argc != 1) {
        fputs("usage: alerts-replay [--metrics]\n", stderr);
        return 2;
    }
    puts("id,step,rule,severity,resolved,layers,first");
    for (size_t number = 1; fgets(line, sizeof line, stdin) != NULL; number++)
        if (take_line(&replay, line) != 0) {
            fprintf(
                stderr, "alerts-replay: line %zu: expected run, begins, layer or figure: %s", number, line);
            finish_run(&replay);
            return 1;
        }
    finish_run(&replay);
    return 0;
}
