/* alerts-replay: replays a stream of figures from standard input through the daemon's detectors and
 * prints the alerts that they raise, as CSV. It is how tools/foreshock-eval judges the rules.
 *
 *     alerts-replay [RULE.KEY=VALUE]...   with other settings of the rules, or RULE.mode=off|observe|on
 *     alerts-replay --assessments           the risk of the run and what it rests on, instead
 *     alerts-replay --metrics             prints the metrics that any rule reads, one a line
 *
 * One item a line, fields separated by spaces; `run` comes first, a layer before its series:
 *
 *     run NAME
 *     begins STEP               the attempt began there or before
 *     layer ID NAME ROLE BLOCK  ID > 0; - for an empty ROLE or BLOCK
 *     series LAYER METRIC       LAYER 0: the run itself; series are numbered from 0 in a run
 *     figures COUNT             after this line that many struct record, in order of step, then a newline
 *
 * Columns: id (the run), step (at which it was known), rule, severity (warning, critical, or
 * observed for what nobody would be told of; a second line when it becomes critical), since (the
 * step at which it fired), layers (how many), first (the most affected one, empty for the run). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/alerts/engine.h"

#define LINE_MAX_BYTES 1024
#define SERIES_MAX     65536 /* of a run */

struct series {
    int64_t layer;
    int metric;
};

/* One figure, in this machine's byte order. */
struct record {
    int64_t series, step;
    double value;
};

struct replay {
    struct rule_settings settings;
    struct alert_engine *engine;
    size_t series_count;
    struct series series[SERIES_MAX];
    int64_t step;     /* the newest */
    bool assessments; /* are printed, instead of the alerts */
    char run[256];
    enum alert_severity told[RULE_COUNT];
};

/* A line when it opens and one when it becomes worse, at the step at which it is known. */
static void on_change(void *ctx, enum alert_change change, const struct alert *alert)
{
    struct replay *replay = ctx;
    if (replay->assessments || change == ALERT_CHANGE_RESOLVED ||
        (change == ALERT_CHANGE_UPDATED && alert->severity == replay->told[alert->rule]))
        return;
    replay->told[alert->rule] = alert->severity;
    printf("%s,%" PRId64 ",%s,%s,%" PRId64 ",%zu,%s\n", replay->run, replay->step,
        rule_table[alert->rule].name,
        alert->observed ? "observed" : alert_severity_names[alert->severity], alert->started_step,
        alert->layer_total, alert_engine_layer_name(replay->engine, alert->layers[0]));
}

static void print_assessments(const struct replay *replay)
{
    struct assessment assessment;
    while (alert_engine_assessment(replay->engine, &assessment)) {
        if (!replay->assessments)
            continue;
        printf("%s,%" PRId64 ",%.6g", replay->run, assessment.step, assessment.risk);
        for (size_t i = 0; i < READING_COUNT; i++)
            printf(",%.6g", assessment.readings[i]);
        putchar('\n');
    }
}

static int begin_run(struct replay *replay, const char *name)
{
    alert_engine_free(replay->engine);
    snprintf(replay->run, sizeof replay->run, "%s", name);
    replay->step = 0;
    replay->series_count = 0;
    replay->engine = alert_engine_new(&replay->settings);
    return replay->engine == NULL ? -1 : 0;
}

/* A field in which - stands for nothing. */
static const char *field(const char *text)
{
    return strcmp(text, "-") == 0 ? "" : text;
}

static int take_series(struct replay *replay, int64_t layer, const char *metric)
{
    if (replay->series_count == SERIES_MAX)
        return -1;
    replay->series[replay->series_count++] = (struct series){layer, alert_metric_id(metric)};
    return 0;
}

static void take_figure(struct replay *replay, const struct record *record)
{
    const struct series *series = &replay->series[record->series];
    replay->step = record->step > replay->step ? record->step : replay->step;
    alert_engine_feed(
        replay->engine, series->layer, series->metric, record->step, 0, record->value);
    alert_engine_report(replay->engine, on_change, replay);
    print_assessments(replay);
}

static int take_figures(struct replay *replay, int64_t count)
{
    struct record record;
    for (int64_t i = 0; i < count; i++) {
        if (fread(&record, sizeof record, 1, stdin) != 1 || record.series < 0 ||
            record.series >= (int64_t)replay->series_count)
            return -1;
        take_figure(replay, &record);
    }
    return getchar() == '\n' ? 0 : -1;
}

/* 0, or -1: the line is not as described above. */
static int take_line(struct replay *replay, const char *line)
{
    char a[256], b[256], c[256];
    int64_t number;
    if (sscanf(line, "run %255s", a) == 1)
        return begin_run(replay, a);
    if (replay->engine == NULL)
        return -1;
    if (sscanf(line, "begins %" SCNd64, &number) == 1) {
        alert_engine_begins(replay->engine, number);
        return 0;
    }
    if (sscanf(line, "layer %" SCNd64 " %255s %255s %255s", &number, a, b, c) == 4)
        return alert_engine_layer(replay->engine, number, a, field(b), field(c));
    if (sscanf(line, "series %" SCNd64 " %255s", &number, a) == 2)
        return take_series(replay, number, a);
    if (sscanf(line, "figures %" SCNd64, &number) == 1)
        return take_figures(replay, number);
    return -1;
}

/* The names of all rules, for a message. */
static const char *rule_names(void)
{
    static char names[512];
    size_t length = 0;
    for (size_t i = 0; i < RULE_COUNT; i++)
        length += (size_t)snprintf(
            names + length, sizeof names - length, "%s%s", i > 0 ? ", " : "", rule_table[i].name);
    return names;
}

static int take_mode(
    struct rule_settings *settings, enum alert_rule rule, const char *value, struct error *error)
{
    int mode = rule_mode_find(value);
    if (mode < 0) {
        return error_set(error, "rule %s: mode is '%s', expected off, observe or on",
            rule_table[rule].name, value);
    }
    settings->mode[rule] = (enum rule_mode)mode;
    return 0;
}

/* RULE.KEY=VALUE or RULE.mode=MODE into the settings. 0, or -1 and a text. */
static int take_setting(struct rule_settings *settings, const char *text, struct error *error)
{
    char name[64], key[64], value[64], *end;
    if (sscanf(text, "%63[^.].%63[^=]=%63s", name, key, value) != 3) {
        return error_set(error, "'%s', expected RULE.KEY=VALUE", text);
    }
    int rule = rule_find(name);
    if (rule < 0) {
        return error_set(error, "'%s': no such rule, expected one of %s", text, rule_names());
    }
    if (strcmp(key, "mode") == 0)
        return take_mode(settings, (enum alert_rule)rule, value, error);
    double number = strtod(value, &end);
    if (*end != '\0') {
        return error_set(error, "'%s', expected RULE.KEY=VALUE with a number", text);
    }
    return rule_setting_set(settings, (enum alert_rule)rule, key, number, error);
}

static int list_metrics(void)
{
    for (const char *const *name = alert_metric_names(); *name != NULL; name++)
        puts(*name);
    return 0;
}

static void print_header(const struct replay *replay)
{
    if (!replay->assessments) {
        puts("id,step,rule,severity,since,layers,first");
        return;
    }
    printf("id,step,risk");
    for (size_t i = 0; i < READING_COUNT; i++)
        printf(",%s", risk_reading_names[i]);
    putchar('\n');
}

static int replay_all(struct replay *replay)
{
    char line[LINE_MAX_BYTES];
    print_header(replay);
    for (size_t number = 1; fgets(line, sizeof line, stdin) != NULL; number++)
        if (take_line(replay, line) != 0) {
            fprintf(stderr,
                "alerts-replay: line %zu: expected run, begins, layer, series or figures: %s",
                number, line);
            return 1;
        }
    return 0;
}

int main(int argc, char **argv)
{
    static struct replay replay;
    struct error error;
    if (argc == 2 && strcmp(argv[1], "--metrics") == 0)
        return list_metrics();
    rule_settings_init(&replay.settings);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--assessments") == 0)
            replay.assessments = true;
        else if (take_setting(&replay.settings, argv[i], &error) != 0) {
            fprintf(stderr, "alerts-replay: %s\n", error.text);
            return 2;
        }
    }
    if (rule_settings_check(&replay.settings, &error) != 0) {
        fprintf(stderr, "alerts-replay: %s\n", error.text);
        return 2;
    }
    int rc = replay_all(&replay);
    alert_engine_free(replay.engine);
    return rc;
}
