/* An alert of the outbox; see notification.h. */
#include "daemon/notify/notification.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int notification_open(struct notification *notification, const char *event, const char *alert)
{
    *notification = (struct notification){event, json_loads(alert, 0, NULL)};
    if (json_is_object(notification->alert))
        return 0;
    notification_close(notification);
    return -1;
}

void notification_close(struct notification *notification)
{
    json_decref(notification->alert);
    notification->alert = NULL;
}

const char *notification_text(const struct notification *notification, const char *key)
{
    const char *text = json_string_value(json_object_get(notification->alert, key));

    return text ? text : "";
}

double notification_number(const struct notification *notification, const char *key)
{
    return json_number_value(json_object_get(notification->alert, key));
}

char *notification_layers(const struct notification *notification)
{
    const json_t *layers = json_object_get(notification->alert, "layers"), *layer;
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

char *notification_url(const struct notification *notification, const char *external_url)
{
    size_t base = strlen(external_url);
    char *url = NULL;

    while (base > 0 && external_url[base - 1] == '/')
        base--;
    if (base == 0)
        return strdup("");
    return asprintf(&url, "%.*s/#run=%s", (int)base, external_url,
               notification_text(notification, "run")) < 0
               ? NULL
               : url;
}
