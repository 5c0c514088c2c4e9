/* foreshock series: as a table, as CSV (RFC 4180, full precision), or as the server's JSON. */
#include <stdio.h>
#include <string.h>

#include "client/cli/api.h"
#include "client/cli/table.h"
#include "client/cli/text.h"

static const char *const columns[] = {"step", "time", "min", "mean", "max", "last", "nonfinite"};
#define COLUMN_COUNT (sizeof columns / sizeof columns[0])

/* A value of a column; NULL in JSON (nothing finite) stays empty. */
static void format_value(char *text, size_t size, const json_t *value, int digits)
{
    text[0] = '\0';
    if (json_is_integer(value))
        snprintf(text, size, "%lld", json_integer_value(value));
    else if (json_is_real(value))
        snprintf(text, size, "%.*g", digits, json_real_value(value));
}

static void print_quoted(const char *text)
{
    bool plain = strpbrk(text, ",\"\r\n") == NULL;
    if (plain) {
        fputs(text, stdout);
        return;
    }
    putchar('"');
    for (; *text; text++)
        printf(*text == '"' ? "\"\"" : "%c", *text);
    putchar('"');
}

static void print_csv(const json_t *all)
{
    size_t i;
    json_t *series;
    printf("layer,metric,attempt");
    for (size_t c = 0; c < COLUMN_COUNT; c++)
        printf(",%s", columns[c]);
    printf("\r\n");
    json_array_foreach (all, i, series) {
        size_t count = json_array_size(json_object_get(series, "step"));
        for (size_t row = 0; row < count; row++) {
            print_quoted(api_text(series, "layer"));
            putchar(',');
            print_quoted(api_text(series, "metric"));
            printf(",%lld", api_int(series, "attempt"));
            for (size_t c = 0; c < COLUMN_COUNT; c++) {
                char value[40];
                format_value(value, sizeof value,
                    json_array_get(json_object_get(series, columns[c]), row), 17);
                printf(",%s", value);
            }
            printf("\r\n");
        }
    }
}

static void print_table(const json_t *all)
{
    static const struct table_column titles[] = {{"LAYER", TABLE_LEFT}, {"METRIC", TABLE_LEFT},
        {"ATTEMPT", TABLE_RIGHT}, {"STEP", TABLE_RIGHT}, {"MIN", TABLE_RIGHT},
        {"MEAN", TABLE_RIGHT}, {"MAX", TABLE_RIGHT}, {"LAST", TABLE_RIGHT},
        {"NONFINITE", TABLE_RIGHT}};
    static const char *const shown[] = {"step", "min", "mean", "max", "last", "nonfinite"};
    struct table *table = table_new(titles, sizeof titles / sizeof titles[0]);
    size_t i;
    json_t *series;
    json_array_foreach (all, i, series) {
        size_t count = json_array_size(json_object_get(series, "step"));
        for (size_t row = 0; row < count; row++) {
            table_add(table, api_text(series, "layer"));
            table_add(table, api_text(series, "metric"));
            table_addf(table, "%lld", api_int(series, "attempt"));
            for (size_t c = 0; c < sizeof shown / sizeof shown[0]; c++) {
                char value[40];
                format_value(
                    value, sizeof value, json_array_get(json_object_get(series, shown[c]), row), 6);
                table_add(table, value);
            }
        }
    }
    table_print(table, "no points: the run has no such metric (or layer) in these steps");
    table_free(table);
}

int cmd_series(const struct cli *cli)
{
    struct api_path path = {0};
    struct api_answer answer;
    if (cli->metrics.count == 0) {
        text_complain(
            "series: --metric M is missing, such as --metric spectral.sigma1 or --metric 'sa.*'");
        return CLI_USAGE;
    }
    api_path_add(&path, "/api/v1/runs/");
    api_path_add_value(&path, cli->operand);
    api_path_add(&path, "/series");
    for (size_t i = 0; i < cli->metrics.count; i++)
        api_path_add_query(&path, "metric", cli->metrics.items[i]);
    for (size_t i = 0; i < cli->layers.count; i++)
        api_path_add_query(&path, "layer", cli->layers.items[i]);
    api_path_add_query(&path, "from", cli->from);
    api_path_add_query(&path, "to", cli->to);
    api_path_add_query(&path, "points", cli->points);
    if (api_get(cli, &path, &answer))
        return CLI_FAILED;
    const json_t *series = json_object_get(answer.json, "series");
    if (cli->json)
        api_print(&answer);
    else if (cli->csv)
        print_csv(series);
    else
        print_table(series);
    api_free(&answer);
    return CLI_OK;
}
