/* foreshock silence, silences, unsilence. */
#include <stdio.h>
#include <stdlib.h>

#include "client/cli/api.h"
#include "client/cli/table.h"
#include "client/cli/text.h"

#define SILENCES_PATH   "/api/v1/silences"
#define DEFAULT_SECONDS (2 * 3600)

static void add_or_any(struct table *table, const json_t *silence, const char *key)
{
    const char *text = api_text(silence, key);
    table_add(table, text[0] ? text : "any");
}

static void print_silences(const json_t *silences)
{
    static const struct table_column columns[] = {{"ID", TABLE_RIGHT}, {"RUN", TABLE_LEFT},
        {"RULE", TABLE_LEFT}, {"LAYER", TABLE_LEFT}, {"ENDS", TABLE_RIGHT}, {"BY", TABLE_LEFT},
        {"REASON", TABLE_LEFT}};
    struct table *table = table_new(columns, sizeof columns / sizeof columns[0]);
    size_t i;
    json_t *silence;
    json_array_foreach (silences, i, silence) {
        char left[32];
        table_addf(table, "%lld", api_int(silence, "id"));
        table_add(table, api_text(silence, "run"));
        add_or_any(table, silence, "rule");
        add_or_any(table, silence, "layer");
        table_add(table, text_left(api_real(silence, "expires_at"), left, sizeof left));
        table_add(table, api_text(silence, "created_by"));
        table_add(table, api_text(silence, "reason"));
    }
    table_print(table, "nothing is silenced");
    table_free(table);
}

int cmd_silences(const struct cli *cli)
{
    struct api_path path = {0};
    struct api_answer answer;
    api_path_add(&path, SILENCES_PATH);
    if (api_get(cli, &path, &answer))
        return CLI_FAILED;
    if (cli->json)
        api_print(&answer);
    else
        print_silences(json_object_get(answer.json, "silences"));
    api_free(&answer);
    return CLI_OK;
}

static int show(const struct cli *cli, struct api_answer *answer, const char *when)
{
    if (cli->json)
        api_print(answer);
    else
        text_say("silence %lld of %s ends %s", api_int(answer->json, "id"),
            api_text(answer->json, "run"), when);
    api_free(answer);
    return CLI_OK;
}

static json_t *silence_body(const struct cli *cli, double seconds)
{
    const char *user = getenv("USER");
    json_t *body = json_pack("{s:s, s:f}", "run", cli->operand, "for", seconds);
    if (cli->rule)
        json_object_set_new(body, "rule", json_string(cli->rule));
    if (cli->layers.count > 0)
        json_object_set_new(body, "layer", json_string(cli->layers.items[0]));
    if (cli->reason)
        json_object_set_new(body, "reason", json_string(cli->reason));
    if (user && user[0])
        json_object_set_new(body, "created_by", json_string(user));
    return body;
}

int cmd_silence(const struct cli *cli)
{
    struct api_path path = {0};
    struct api_answer answer;
    double seconds = cli->duration ? text_seconds(cli->duration) : DEFAULT_SECONDS;
    if (seconds <= 0) {
        text_complain(
            "silence: --for: got \"%s\", expected a time such as 30m, 2h or 7d", cli->duration);
        return CLI_USAGE;
    }
    if (cli->layers.count > 1) {
        text_complain("silence: expected one --layer; it may hold *");
        return CLI_USAGE;
    }
    api_path_add(&path, SILENCES_PATH);
    if (api_change(cli, "POST", &path, silence_body(cli, seconds), &answer))
        return CLI_FAILED;
    char left[32];
    return show(cli, &answer, text_left(api_real(answer.json, "expires_at"), left, sizeof left));
}

int cmd_unsilence(const struct cli *cli)
{
    struct api_path path = {0};
    struct api_answer answer;
    api_path_add(&path, SILENCES_PATH "/");
    api_path_add_value(&path, cli->operand);
    if (api_change(cli, "DELETE", &path, json_object(), &answer))
        return CLI_FAILED;
    return show(cli, &answer, "now");
}
