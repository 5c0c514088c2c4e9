/* The body of POST /api/v1/silences, checked. Pure. */
#ifndef FORESHOCK_HTTP_SILENCE_BODY_H
#define FORESHOCK_HTTP_SILENCE_BODY_H

#include <jansson.h>
#include <stdbool.h>

#include "daemon/http/problem.h"
#include "daemon/store/store.h"

enum {
    SILENCE_PATTERN_MAX = 256, /* bytes of a run's or a layer's pattern */
    SILENCE_REASON_MAX = 500,
    SILENCE_SECONDS_MAX = 366 * 86400,
};

struct silence_body {
    json_t *json;
    struct store_silence silence; /* all but the id; the texts are of `json` */
};

/* `knows_rule` tells whether there is a rule of that name; NULL: any name will do. 0, or -1 and a
 * problem. silence_body_free after 0. */
int silence_body_read(struct silence_body *body, const char *text, size_t size, double now,
    bool (*knows_rule)(const char *name), struct problem *problem);
void silence_body_free(struct silence_body *body);

#endif
