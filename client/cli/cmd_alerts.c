/* foreshock alerts, ack. */
#include <string.h>

#include "client/cli/api.h"
#include "client/cli/table.h"
#include "client/cli/text.h"

/* "blocks.0.mlp.gate" or "blocks.0.mlp.gate +3". */
static void add_layers_cell(struct table *table, const json_t *layers)
{
    const char *first = json_string_value(json_array_get(layers, 0));
    size_t count = json_array_size(layers);
    if (!first)
        table_add(table, NULL);
    else if (count == 1)
        table_add(table, first);
    else
        table_addf(table, "%.220s +%zu", first, count - 1);
}

static const char *shown_state(const json_t *alert)
{
    if (json_is_true(json_object_get(alert, "observed")))
        return "observed";
    if (json_is_true(json_object_get(alert, "silenced")) &&
        strcmp(api_text(alert, "state"), "firing") == 0)
        return "silenced";
    return api_text(alert, "state");
}

static void print_alerts(const json_t *alerts)
{
    static const struct table_column columns[] = {{"ID", TABLE_RIGHT}, {"RUN", TABLE_LEFT},
        {"STATE", TABLE_LEFT}, {"SEVERITY", TABLE_LEFT}, {"RULE", TABLE_LEFT},
        {"SINCE STEP", TABLE_RIGHT}, {"SINCE", TABLE_RIGHT}, {"ACK", TABLE_LEFT},
        {"LAYERS", TABLE_LEFT}, {"SUMMARY", TABLE_LEFT}};
    struct table *table = table_new(columns, sizeof columns / sizeof columns[0]);
    size_t i;
    json_t *alert;
    json_array_foreach (alerts, i, alert) {
        char ago[32];
        bool firing = strcmp(api_text(alert, "state"), "firing") == 0;
        bool critical = strcmp(api_text(alert, "severity"), "critical") == 0;
        table_addf(table, "%lld", api_int(alert, "id"));
        table_add(table, api_text(alert, "run"));
        table_add(table, shown_state(alert));
        table_colour(table, !firing ? NULL : critical ? "31" : "33");
        table_add(table, api_text(alert, "severity"));
        table_add(table, api_text(alert, "rule"));
        if (api_int(alert, "started_step") >= 0)
            table_addf(table, "%lld", api_int(alert, "started_step"));
        else
            table_add(table, NULL);
        table_add(table, text_ago(api_real(alert, "started_at"), ago, sizeof ago));
        table_add(table, json_is_true(json_object_get(alert, "acknowledged")) ? "yes" : NULL);
        add_layers_cell(table, json_object_get(alert, "layers"));
        table_add(table, api_text(alert, "summary"));
    }
    table_print(table, "no alerts");
    table_free(table);
}

/* An alert of a rule that only observes, or one that is silenced, is recorded but notifies nobody: it does not count. */
static bool any_fires(const json_t *alerts)
{
    size_t i;
    json_t *alert;
    json_array_foreach (alerts, i, alert) {
        bool quiet = json_is_true(json_object_get(alert, "observed")) ||
                     json_is_true(json_object_get(alert, "silenced"));
        if (!quiet && strcmp(api_text(alert, "state"), "firing") == 0)
            return true;
    }
    return false;
}

int cmd_alerts(const struct cli *cli)
{
    struct api_path path = {0};
    struct api_answer answer;
    api_path_add(&path, "/api/v1/alerts");
    api_path_add_query(&path, "run", cli->operand);
    if (cli->check)
        api_path_add_query(&path, "state",
            "firing"); /* older ones that resolved must not push one out of the answer */
    if (api_get(cli, &path, &answer))
        return CLI_FAILED;
    const json_t *alerts = json_object_get(answer.json, "alerts");
    int rc = cli->check && any_fires(alerts) ? CLI_FIRING : CLI_OK;
    if (cli->json)
        api_print(&answer);
    else
        print_alerts(alerts);
    api_free(&answer);
    return rc;
}

int cmd_ack(const struct cli *cli)
{
    struct api_path path = {0};
    struct api_answer answer;
    api_path_add(&path, "/api/v1/alerts/");
    api_path_add_value(&path, cli->operand);
    api_path_add(&path, "/ack");
    if (api_change(cli, "POST", &path, json_object(), &answer))
        return CLI_FAILED;
    if (cli->json)
        api_print(&answer);
    else
        text_say("alert %lld of %s (%s) is acknowledged", api_int(answer.json, "id"),
            api_text(answer.json, "run"), api_text(answer.json, "rule"));
    api_free(&answer);
    return CLI_OK;
}
