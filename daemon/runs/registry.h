/* All runs that the loop knows, by key and by id, and what they share. Loop thread only. */
#ifndef FORESHOCK_RUNS_REGISTRY_H
#define FORESHOCK_RUNS_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/runs/options.h"
#include "daemon/runs/work_queue.h"

struct run;

struct registry {
    const struct runs_options *options;
    struct run *by_key, *by_id;
    int64_t next_run, next_layer; /* ids; MLP blocks have theirs of the layers' */
    struct work_line line;        /* of the queues of all runs */
    size_t backlog_bytes;         /* of all sessions */
    bool disk_short;              /* as the clients know it */
};

struct registry registry_of(const struct runs_options *options);

struct run *registry_find(const struct registry *registry, int64_t id); /* or NULL */
struct run *registry_find_key(const struct registry *registry, const char *key);

/* A run that the registry owns. NULL: memory is short. */
struct run *registry_add(struct registry *registry, int64_t id, const char *key);
void registry_remove(struct registry *registry, struct run *run); /* and frees it */

size_t registry_running(const struct registry *registry); /* how many run */

#endif
