/* An alert of the outbox; see story.h. */
#include "daemon/notify/story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int story_open(struct story *story, const char *event, const char *alert)
{
    *story = (struct story){event, json_loads(alert, 0, NULL)};
    if (json_is_object(story->alert))
        return 0;
    story_close(story);
    return -1;
}

void story_close(struct story *story)
{
    json_decref(story->alert);
    story->alert = NULL;
}

const char *story_text(const struct story *story, const char *key)
{
    const char *text = json_string_value(json_object_get(story->alert, key));

    return text ? text : "";
}

double story_number(const struct story *story, const char *key)
{
    return json_number_value(json_object_get(story->alert, key));
}

char *story_layers(const struct story *story)
{
    const json_t *layers = json_object_get(story->alert, "layers"), *layer;
    char *text = NULL;
    size_t size, i;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return NULL;
    json_array_foreach (layers, i, layer)
        fprintf(out, "%s%s", i ? ", " : "", json_is_string(layer) ? json_string_value(layer) : "");
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

char *story_url(const struct story *story, const char *external_url)
{
    size_t base = strlen(external_url);
    char *url = NULL;

    while (base > 0 && external_url[base - 1] == '/')
        base--;
    if (base == 0)
        return strdup("");
    return asprintf(&url, "%.*s/#run=%s", (int)base, external_url, story_text(story, "run")) < 0
               ? NULL
               : url;
}
