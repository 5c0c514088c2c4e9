/* One walk for both: a check is a filling with empty values that complains. */
#include "daemon/notify/template.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECTED                                                                                   \
    "title, summary, severity, run, rule, event, url, id, step, layers or pagerduty_action"

static const char *const names[TEMPLATE_NAME_COUNT] = {
    [TEMPLATE_TITLE] = "title",
    [TEMPLATE_SUMMARY] = "summary",
    [TEMPLATE_SEVERITY] = "severity",
    [TEMPLATE_RUN] = "run",
    [TEMPLATE_RULE] = "rule",
    [TEMPLATE_EVENT] = "event",
    [TEMPLATE_URL] = "url",
    [TEMPLATE_ID] = "id",
    [TEMPLATE_STEP] = "step",
    [TEMPLATE_LAYERS] = "layers",
    [TEMPLATE_PAGERDUTY_ACTION] = "pagerduty_action",
};

struct filling {
    const char *const *values;
    struct error *error;
};

/* The value of the placeholder of `size` bytes at `name`; NULL: there is none of that name. */
static const char *value_of(const struct filling *filling, const char *name, size_t size)
{
    while (size > 0 && *name == ' ') {
        name++;
        size--;
    }
    while (size > 0 && name[size - 1] == ' ')
        size--;
    for (size_t i = 0; i < TEMPLATE_NAME_COUNT; i++)
        if (strlen(names[i]) == size && strncmp(names[i], name, size) == 0)
            return filling->values[i];
    error_set(filling->error, "unknown placeholder {{%.*s}}, expected {{NAME}} of " EXPECTED,
        size > 60 ? 60 : (int)size, name);
    return NULL;
}

/* Writes `text` with its placeholders filled in. 0, or -1. */
static int write_filled(FILE *out, const struct filling *filling, const char *text)
{
    for (;;) {
        const char *open = strstr(text, "{{");
        fprintf(out, "%.*s", open ? (int)(open - text) : (int)strlen(text), text);
        if (!open)
            return 0;
        const char *close = strstr(open, "}}");
        if (!close) {
            error_set(filling->error, "\"{{\" without its \"}}\" in \"%.60s\"", open);
            return -1;
        }
        const char *value = value_of(filling, open + 2, (size_t)(close - open) - 2);
        if (!value)
            return -1;
        fputs(value, out);
        text = close + 2;
    }
}

static json_t *fill_string(const struct filling *filling, const char *text)
{
    char *filled = NULL;
    size_t size;
    FILE *out = open_memstream(&filled, &size);
    int rc = out ? write_filled(out, filling, text) : -1;
    if (out && fclose(out) != 0)
        rc = -1;
    json_t *string = rc == 0 ? json_string(filled) : NULL;
    free(filled);
    return string;
}

static json_t *fill_node(const struct filling *filling, const json_t *node);

static json_t *fill_object(const struct filling *filling, json_t *node)
{
    json_t *filled = json_object(), *member;
    const char *key;
    json_object_foreach (node, key, member) {
        if (strstr(key, "{{")) {
            error_set(filling->error,
                "got a placeholder in the name \"%.60s\", expected them in values only", key);
            json_decref(filled);
            return NULL;
        }
        if (json_object_set_new(filled, key, fill_node(filling, member)) != 0) {
            json_decref(filled);
            return NULL;
        }
    }
    return filled;
}

static json_t *fill_array(const struct filling *filling, const json_t *node)
{
    json_t *filled = json_array(), *element;
    size_t i;
    json_array_foreach (node, i, element) {
        if (json_array_append_new(filled, fill_node(filling, element)) != 0) {
            json_decref(filled);
            return NULL;
        }
    }
    return filled;
}

static json_t *fill_node(const struct filling *filling, const json_t *node)
{
    switch (json_typeof(node)) {
    case JSON_OBJECT: return fill_object(filling, (json_t *)node);
    case JSON_ARRAY: return fill_array(filling, node);
    case JSON_STRING: return fill_string(filling, json_string_value(node));
    default: return json_deep_copy(node);
    }
}

static json_t *fill_text(const char *text, const struct filling *filling)
{
    json_error_t parse;
    json_t *node = json_loads(text, JSON_REJECT_DUPLICATES, &parse);
    if (!node) {
        error_set(filling->error, "not JSON: line %d: %.120s; placeholders stand inside of strings",
            parse.line, parse.text);
        return NULL;
    }
    error_set(filling->error, "memory is short");
    json_t *filled = fill_node(filling, node);
    json_decref(node);
    return filled;
}

int template_check(const char *text, struct error *error)
{
    const char *empty[TEMPLATE_NAME_COUNT];
    for (size_t i = 0; i < TEMPLATE_NAME_COUNT; i++)
        empty[i] = "";
    const struct filling filling = {empty, error};
    json_t *filled = fill_text(text, &filling);
    int rc = filled ? 0 : -1;
    json_decref(filled);
    return rc;
}

char *template_fill(const char *text, const char *const values[TEMPLATE_NAME_COUNT])
{
    struct error error;
    const struct filling filling = {values, &error};
    json_t *filled = fill_text(text, &filling);
    char *body = filled ? json_dumps(filled, JSON_COMPACT) : NULL;
    json_decref(filled);
    return body;
}
