/* foreshock status, runs, layers, end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/api.h"
#include "client/cli/table.h"
#include "client/cli/text.h"

static int get_runs(const struct cli *cli, struct api_answer *answer)
{
    struct api_path path = {0};
    api_path_add(&path, "/api/v1/runs");
    return api_get(cli, &path, answer);
}

static const char *state_colour(const char *state)
{
    if (strcmp(state, "running") == 0)
        return "32";
    return strcmp(state, "lost") == 0 ? "31" : NULL;
}

static void add_step(struct table *table, const json_t *object, const char *key)
{
    long long step = api_int(object, key);
    if (step >= 0)
        table_addf(table, "%lld", step);
    else
        table_add(table, NULL);
}

static void print_runs(const json_t *runs)
{
    static const struct table_column columns[] = {{"RUN", TABLE_LEFT}, {"NAME", TABLE_LEFT},
        {"STATE", TABLE_LEFT}, {"STEP", TABLE_RIGHT}, {"LAST SEEN", TABLE_RIGHT},
        {"LAYERS", TABLE_RIGHT}, {"FIRING", TABLE_RIGHT}, {"DROPPED", TABLE_RIGHT}};
    struct table *table = table_new(columns, sizeof columns / sizeof columns[0]);
    size_t i;
    json_t *run;
    json_array_foreach (runs, i, run) {
        char ago[32];
        table_add(table, api_text(run, "id"));
        table_add(table, api_text(run, "name"));
        table_add(table, api_text(run, "state"));
        table_colour(table, state_colour(api_text(run, "state")));
        add_step(table, run, "last_step");
        table_add(table, text_ago(api_real(run, "last_seen_at"), ago, sizeof ago));
        table_addf(table, "%lld", api_int(run, "layers"));
        table_addf(table, "%lld", api_int(run, "alerts_firing"));
        table_colour(table, api_int(run, "alerts_firing") > 0 ? "31" : NULL);
        table_addf(table, "%lld", api_int(run, "dropped"));
    }
    table_print(table, "no runs yet");
    table_free(table);
}

int cmd_runs(const struct cli *cli)
{
    struct api_answer answer;
    if (get_runs(cli, &answer))
        return CLI_FAILED;
    if (cli->json)
        api_print(&answer);
    else
        print_runs(json_object_get(answer.json, "runs"));
    api_free(&answer);
    return CLI_OK;
}

struct sums {
    json_int_t running, lost, ended, firing, dropped;
};

static struct sums sum_runs(const json_t *runs)
{
    struct sums sums = {0};
    size_t i;
    json_t *run;
    json_array_foreach (runs, i, run) {
        const char *state = api_text(run, "state");
        sums.running += strcmp(state, "running") == 0;
        sums.lost += strcmp(state, "lost") == 0;
        sums.ended += strcmp(state, "ended") == 0;
        sums.firing += api_int(run, "alerts_firing");
        sums.dropped += api_int(run, "dropped");
    }
    return sums;
}

int cmd_status(const struct cli *cli)
{
    struct api_answer answer;
    int ready = api_ready(cli);
    if (ready < 0 || get_runs(cli, &answer))
        return CLI_FAILED;
    struct sums sums = sum_runs(json_object_get(answer.json, "runs"));
    if (cli->json) {
        json_t *status = json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I}", "url", cli->url, "ready",
            ready, "running", sums.running, "lost", sums.lost, "ended", sums.ended, "alerts_firing",
            sums.firing, "dropped", sums.dropped);
        json_dumpf(status, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(status);
    } else {
        int width;
        char *url = text_clean(cli->url, &width);
        printf("foreshockd at %s is %s\n", url,
            ready ? "ready" : "not ready: see /readyz and its log");
        printf("runs: %lld running, %lld lost, %lld ended\n", sums.running, sums.lost, sums.ended);
        printf("alerts firing: %lld\nsamples dropped: %lld\n", sums.firing, sums.dropped);
        free(url);
    }
    api_free(&answer);
    return ready ? CLI_OK : CLI_FAILED;
}

/* The newest value of `metric`, or "-" where there is none. */
static void add_last(struct table *table, const json_t *last, const char *metric)
{
    const json_t *value = json_object_get(json_object_get(last, metric), "value");
    if (json_is_number(value))
        table_addf(table, "%.6g", json_number_value(value));
    else
        table_add(table, NULL);
}

static void add_shape(struct table *table, const json_t *shape)
{
    if (json_array_size(shape) == 2)
        table_addf(table, "%lldx%lld", json_integer_value(json_array_get(shape, 0)),
            json_integer_value(json_array_get(shape, 1)));
    else
        table_add(table, NULL);
}

static void print_layers(const json_t *layers)
{
    static const struct table_column columns[] = {{"LAYER", TABLE_LEFT}, {"KIND", TABLE_LEFT},
        {"ROLE", TABLE_LEFT}, {"SHAPE", TABLE_RIGHT}, {"DTYPE", TABLE_LEFT}, {"STEP", TABLE_RIGHT},
        {"SIGMA1", TABLE_RIGHT}, {"DIVERSITY", TABLE_RIGHT}, {"ROTATED", TABLE_RIGHT},
        {"IN-OUT", TABLE_RIGHT}};
    struct table *table = table_new(columns, sizeof columns / sizeof columns[0]);
    size_t i;
    json_t *layer;
    json_array_foreach (layers, i, layer) {
        const json_t *last = json_object_get(layer, "last");
        table_add(table, api_text(layer, "name"));
        table_add(table, api_text(layer, "kind"));
        table_add(table, api_text(layer, "role"));
        add_shape(table, json_object_get(layer, "shape"));
        table_add(table, api_text(layer, "dtype"));
        add_step(table, json_object_get(last, "spectral.sigma1"), "step");
        add_last(table, last, "spectral.sigma1");
        add_last(table, last, "sa.diversity");
        add_last(table, last, "rotation.from_init");
        add_last(table, last, "gate.in_out.mean");
    }
    table_print(table, "no layers yet");
    table_free(table);
}

int cmd_layers(const struct cli *cli)
{
    struct api_path path = {0};
    struct api_answer answer;
    api_path_add(&path, "/api/v1/runs/");
    api_path_add_value(&path, cli->operand);
    if (api_get(cli, &path, &answer))
        return CLI_FAILED;
    if (cli->json)
        api_print(&answer);
    else
        print_layers(json_object_get(answer.json, "layers"));
    api_free(&answer);
    return CLI_OK;
}

int cmd_end(const struct cli *cli)
{
    struct api_path path = {0};
    struct api_answer answer;
    api_path_add(&path, "/api/v1/runs/");
    api_path_add_value(&path, cli->operand);
    api_path_add(&path, "/end");
    if (api_change(cli, "POST", &path, json_object(), &answer))
        return CLI_FAILED;
    if (cli->json)
        api_print(&answer);
    else
        text_say("%s has ended", api_text(answer.json, "id"));
    api_free(&answer);
    return CLI_OK;
}
