/* Bodies of a user's own: JSON text in whose strings placeholders such as {{title}} stand. The text
 * is read as JSON, its strings are filled in, and JSON is written: whatever a value holds, the
 * result is JSON of the template's shape. Pure. */
#ifndef FORESHOCK_NOTIFY_TEMPLATE_H
#define FORESHOCK_NOTIFY_TEMPLATE_H

#include "daemon/core/error.h"

enum template_name {
    TEMPLATE_TITLE,
    TEMPLATE_SUMMARY,
    TEMPLATE_SEVERITY,
    TEMPLATE_RUN,
    TEMPLATE_RULE,
    TEMPLATE_EVENT,
    TEMPLATE_URL,
    TEMPLATE_ID,
    TEMPLATE_STEP,
    TEMPLATE_LAYERS,
    TEMPLATE_PAGERDUTY_ACTION,
    TEMPLATE_NAME_COUNT
};

/* 0, or -1 and a text in `error`: what is wrong, by the name of the placeholder or by line. */
int template_check(const char *text, struct error *error);

/* The body, to be freed: `values` are UTF-8. NULL: memory is short, or the template is not good. */
char *template_fill(const char *text, const char *const values[TEMPLATE_NAME_COUNT]);

#endif
