/* Which series of a run a request means: names and patterns of metrics and layers, expanded over
 * what the run has. */
#ifndef FORESHOCK_HTTP_SELECTION_H
#define FORESHOCK_HTTP_SELECTION_H

#include "daemon/http/request.h"

struct selection_entry {
    char *layer, *metric; /* layer "": the run itself */
    int64_t layer_id;     /* 0: the run itself */
};

struct selection {
    struct selection_entry *entries;
    size_t count;
};

/* Every series that fits one of the request's `metric` parameters (all if there is none) and one of
 * its `layer` parameters (all layers and the run itself if there is none), by layer and metric. 0,
 * or -1 and a problem: 404 for a `layer` without `*` that the run does not have. Free after both.
 */
int selection_make(
    struct selection *selection, struct request *request, int64_t run, struct problem *problem);
void selection_free(struct selection *selection);

/* The ids of one layer, or block, by its name: a run may have one of each. 0 ids is a problem
 * (404). */
enum { SELECTION_IDS_MAX = 2 };
int selection_layer(struct request *request, int64_t run, const char *name,
    int64_t ids[SELECTION_IDS_MAX], size_t *count, struct problem *problem);

#endif
