/* Bodies from users: the template of a webhook, and what is POSTed as a silence. */
#include "tests/fuzz/fuzz.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/http/silence_body.h"
#include "daemon/notify/template.h"

/* A template that is good makes JSON of any values, and its own names do not stay in it. */
static void try_template(const char *text)
{
    const char *values[TEMPLATE_NAME_COUNT];
    struct error error;

    for (size_t i = 0; i < TEMPLATE_NAME_COUNT; i++)
        values[i] = "\"}\\{{run}}\n\x01";
    int checked = template_check(text, &error);
    char *filled = template_fill(text, values);
    if ((checked == 0) != (filled != NULL) || (checked != 0 && !error.text[0]))
        abort();
    json_t *json = filled ? json_loads(filled, 0, NULL) : NULL;
    if (filled && !json)
        abort();
    json_decref(json);
    free(filled);
}

static bool knows_rule(const char *name)
{
    return strcmp(name, "nonfinite") == 0;
}

static void try_silence(const char *text, size_t size)
{
    struct problem problem = {0};
    struct silence_body body;

    if (silence_body_read(&body, text, size, 1e9, knows_rule, &problem) != 0) {
        if (problem.status != 400)
            abort();
        return;
    }
    const struct store_silence *silence = &body.silence;
    if (!silence->run || strlen(silence->run) > SILENCE_PATTERN_MAX || !silence->reason ||
        !(silence->expires_at > 1e9 && silence->expires_at <= 1e9 + SILENCE_SECONDS_MAX))
        abort();
    silence_body_free(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size);

    if (text)
        try_template(text);
    free(text);
    try_silence((const char *)data, size);
    return 0;
}
