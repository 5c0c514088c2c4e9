/* The table of options, and the parsers of sizes, times and numbers. */
#include "daemon/config/options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/config/endpoint.h"
#include "daemon/config/unexpected.h"

#define KIB        1024.0
#define MIB        (1024.0 * KIB)
#define GIB        (1024.0 * MIB)
#define TIB        (1024.0 * GIB)
#define AT(member) offsetof(struct config, member)

const struct config_option config_options[] = {
    {"state_dir", CONFIG_TEXT, AT(state_dir), 0, 0, NULL, "an absolute path", config_check_path},
    {"log_level", CONFIG_LEVEL, AT(log_level), 0, 0, "info", LOG_LEVEL_NAMES, NULL},
    {"workers", CONFIG_COUNT, AT(workers), 0, 64, "0", "", NULL},

    {"ingest.endpoints", CONFIG_LIST, AT(ingest.endpoints), 0, CONFIG_ENDPOINTS_MAX, NULL,
        CONFIG_ENDPOINT_EXPECTED, config_check_endpoint},

    {"http.address", CONFIG_TEXT, AT(http.address), 0, 0, "127.0.0.1:8790", CONFIG_ADDRESS_EXPECTED,
        config_check_http},
    {"http.token", CONFIG_TEXT, AT(http.token), 0, 0, NULL, CONFIG_TOKEN_EXPECTED,
        config_check_token},
    {"http.token_file", CONFIG_TEXT, AT(http.token_file), 0, 0, NULL, "an absolute path",
        config_check_path},
    {"http.admin_token", CONFIG_TEXT, AT(http.admin_token), 0, 0, NULL, CONFIG_TOKEN_EXPECTED,
        config_check_token},
    {"http.admin_token_file", CONFIG_TEXT, AT(http.admin_token_file), 0, 0, NULL,
        "an absolute path", config_check_path},
    {"http.hosts", CONFIG_LIST, AT(http.hosts), 0, CONFIG_LIST_MAX, NULL, CONFIG_HOST_EXPECTED,
        config_check_host},
    {"http.external_url", CONFIG_TEXT, AT(http.external_url), 0, 0, NULL, CONFIG_URL_EXPECTED,
        config_check_url},

    {"limits.memory_bytes", CONFIG_BYTES, AT(limits.memory_bytes), 64 * MIB, TIB, "1GiB", "", NULL},
    {"limits.kept_bytes", CONFIG_BYTES, AT(limits.kept_bytes), 0, TIB, "1GiB", "", NULL},
    {"limits.tensor_bytes", CONFIG_BYTES, AT(limits.tensor_bytes), MIB, TIB, "4GiB", "", NULL},
    {"limits.runs", CONFIG_COUNT, AT(limits.runs), 1, 100000, "1000", "", NULL},
    {"limits.sessions", CONFIG_COUNT, AT(limits.sessions), 1, 100000, "4000", "", NULL},
    {"limits.layers_per_run", CONFIG_COUNT, AT(limits.layers_per_run), 1, 65536, "65536", "", NULL},
    {"limits.metrics_series", CONFIG_COUNT, AT(limits.metrics_series), 1, 1000000, "10000", "",
        NULL},
    {"limits.lease_seconds", CONFIG_NUMBER, AT(limits.lease_seconds), 0.5, 3600, "30",
        " of seconds", NULL},
    {"limits.heartbeat_seconds", CONFIG_NUMBER, AT(limits.heartbeat_seconds), 0, 600, "0",
        " of seconds", NULL},
    {"limits.sample_deadline_seconds", CONFIG_NUMBER, AT(limits.sample_deadline_seconds), 0.1, 3600,
        "10", " of seconds", NULL},
    {"limits.shard_deadline_seconds", CONFIG_NUMBER, AT(limits.shard_deadline_seconds), 0.1, 3600,
        "10", " of seconds", NULL},

    {"analysis.target_residual", CONFIG_NUMBER, AT(analysis.target_residual), 1e-6, 0.1, "0.001",
        "", NULL},
    {"analysis.passes_small", CONFIG_COUNT, AT(analysis.passes_small), 1, 100, "16", "", NULL},
    {"analysis.passes_large", CONFIG_COUNT, AT(analysis.passes_large), 1, 100, "8", "", NULL},

    {"retention.bytes", CONFIG_BYTES, AT(retention.bytes), 16 * MIB, 1024 * TIB, "2GiB", "", NULL},
    {"retention.age", CONFIG_AGE, AT(retention.age_seconds), 0, 36500 * 86400.0, "0", "", NULL},
    {"retention.disk_free_min", CONFIG_BYTES, AT(retention.disk_free_min), 0, 1024 * TIB, "512MiB",
        "", NULL},
};

const size_t config_option_count = sizeof config_options / sizeof config_options[0];

const struct config_option *config_option_find(const char *path)
{
    for (size_t i = 0; i < config_option_count; i++)
        if (strcmp(config_options[i].path, path) == 0)
            return &config_options[i];
    return NULL;
}

bool config_is_section(const char *path)
{
    size_t size = strlen(path);
    for (size_t i = 0; i < config_option_count; i++)
        if (strncmp(config_options[i].path, path, size) == 0 && config_options[i].path[size] == '.')
            return true;
    return false;
}

struct option_unit {
    const char *name;
    double factor;
};
static const struct option_unit bytes_units[] = {
    {"TiB", TIB}, {"GiB", GIB}, {"MiB", MIB}, {"KiB", KIB}, {"B", 1}, {"", 1}, {0}};
static const struct option_unit age_units[] = {
    {"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}, {"", 1}, {0}};

/* A whole number of at most 15 digits, so that it is exact as a double, and a unit. */
static int parse_with_unit(const char *text, const struct option_unit *units, double *value)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 15)
        return -1;
    for (const struct option_unit *u = units; u->name; u++) {
        if (strcmp(text + digits, u->name) == 0) {
            *value = strtod(text, NULL) * u->factor;
            return 0;
        }
    }
    return -1;
}

int config_parse_number(const char *text, double *value)
{
    char *end;
    if (text[0] == '\0' || strspn(text, "0123456789+-.eE") != strlen(text))
        return -1;
    *value = strtod(text, &end);
    return *end == '\0' && isfinite(*value) ? 0 : -1;
}

static int parse_value(const struct config_option *option, const char *text, double *value)
{
    enum log_level level;
    static const struct option_unit none[] = {{"", 1}, {0}};
    switch (option->type) {
    case CONFIG_COUNT: return parse_with_unit(text, none, value);
    case CONFIG_NUMBER: return config_parse_number(text, value);
    case CONFIG_BYTES: return parse_with_unit(text, bytes_units, value);
    case CONFIG_AGE: return parse_with_unit(text, age_units, value);
    case CONFIG_LEVEL:
        if (log_level_parse(text, &level))
            return -1;
        *value = level;
        return 0;
    case CONFIG_TEXT:
    case CONFIG_LIST: break;
    }
    return -1;
}

/* The bound in its largest whole unit: 67108864 is 64MiB. */
static const char *show_with_unit(
    char *text, size_t size, double value, const struct option_unit *units)
{
    const struct option_unit *u = units;
    while (u->factor > 1 && (value < u->factor || fmod(value, u->factor) != 0))
        u++;
    snprintf(text, size, "%.0f%s", value / u->factor, value > 0 ? u->name : "");
    return text;
}

void config_option_expected(const struct config_option *option, char *text, size_t size)
{
    char min[40], max[40];
    switch (option->type) {
    case CONFIG_COUNT:
        snprintf(text, size, "a whole number from %.0f to %.0f", option->min, option->max);
        break;
    case CONFIG_NUMBER:
        snprintf(text, size, "a number%s from %g to %g", option->what, option->min, option->max);
        break;
    case CONFIG_BYTES:
        snprintf(text, size, "a size such as 512MiB, from %s to %s",
            show_with_unit(min, sizeof min, option->min, bytes_units),
            show_with_unit(max, sizeof max, option->max, bytes_units));
        break;
    case CONFIG_AGE:
        snprintf(text, size, "a time such as 90d or 12h, up to %s, or 0 for no limit",
            show_with_unit(max, sizeof max, option->max, age_units));
        break;
    case CONFIG_LEVEL:
    case CONFIG_TEXT:
    case CONFIG_LIST: snprintf(text, size, "%s", option->what); break;
    }
}

static int set_text(char **slot, const char *text, struct error *error)
{
    char *copy = strdup(text);
    if (!copy) {
        return error_set(error, "out of memory");
    }
    free(*slot);
    *slot = copy;
    return 0;
}

static int add_to_list_option(
    struct config_list *list, size_t max, const char *text, struct error *error)
{
    if (list->count == max) {
        return error_set(error, "got more than %zu values", max);
    }
    list->items[list->count] = NULL;
    if (set_text(&list->items[list->count], text, error))
        return -1;
    list->count++;
    return 0;
}

static int set_number(
    const struct config_option *option, void *member, const char *text, struct error *error)
{
    double value;
    bool bounded = option->type != CONFIG_LEVEL;
    if (parse_value(option, text, &value) ||
        (bounded && (value < option->min || value > option->max))) {
        char expected[160];
        config_option_expected(option, expected, sizeof expected);
        return config_unexpected(error, text, expected);
    }
    switch (option->type) {
    case CONFIG_BYTES: *(uint64_t *)member = (uint64_t)value; break;
    case CONFIG_NUMBER:
    case CONFIG_AGE: *(double *)member = value; break;
    default: *(uint32_t *)member = (uint32_t)value; break;
    }
    return 0;
}

int config_option_set(const struct config_option *option, struct config *config, const char *text,
    struct error *error)
{
    void *member = (char *)config + option->offset;
    if (option->type != CONFIG_TEXT && option->type != CONFIG_LIST)
        return set_number(option, member, text, error);
    if (text[0] == '\0')
        return config_unexpected(error, text, option->what);
    if (option->check && option->check(text, error))
        return -1;
    if (option->type == CONFIG_TEXT)
        return set_text(member, text, error);
    return add_to_list_option(member, (size_t)option->max, text, error);
}

void config_option_clear(const struct config_option *option, struct config *config)
{
    void *member = (char *)config + option->offset;
    if (option->type == CONFIG_TEXT) {
        char **slot = member;
        free(*slot);
        *slot = NULL;
    } else if (option->type == CONFIG_LIST) {
        struct config_list *list = member;
        while (list->count > 0)
            free(list->items[--list->count]);
    }
}
