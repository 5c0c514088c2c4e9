/* The daemon's HTTP API as seen from here: one request at a time. */
#ifndef FORESHOCK_CLIENT_CLI_API_H
#define FORESHOCK_CLIENT_CLI_API_H

#include <jansson.h>

#include "client/cli/cli.h"

/* A path with its query, made piece by piece. Values are escaped. */
struct api_path {
    char text[8192];
    size_t used;
    bool full;
};
void api_path_add(struct api_path *path, const char *text); /* as it is */
void api_path_add_value(struct api_path *path, const char *value);
void api_path_add_query(
    struct api_path *path, const char *name, const char *value); /* value NULL: nothing */

struct api_answer {
    long status;
    char *body; /* terminated; never NULL after 0 */
    size_t size;
    json_t *json;
};

/* Gets `path`. 0 for a 2xx answer that is JSON; else CLI_FAILED, after one line on stderr that says
 * what went wrong and what to look at. The answer is to be freed only after 0. */
int api_get(const struct cli *cli, const struct api_path *path, struct api_answer *answer);

/* The same for a change: `method` with the JSON object `body` (taken over; NULL: memory was short) and the admin token. */
int api_change(const struct cli *cli, const char *method, const struct api_path *path, json_t *body,
    struct api_answer *answer);

void api_free(struct api_answer *answer);

/* Whether GET /readyz answers that all parts are well: 1, 0, or -1 after a line on stderr. */
int api_ready(const struct cli *cli);

/* The body as the server sent it, to stdout. */
void api_print(const struct api_answer *answer);

/* Members of an object; "" or -1 or 0 where they are missing or of another type. */
const char *api_text(const json_t *object, const char *key);
long long api_int(const json_t *object, const char *key);
double api_real(const json_t *object, const char *key);

#endif
