/* See registry.h. */
#include "daemon/runs/registry.h"

#include <string.h>
#include <uthash.h>

#include "daemon/runs/run.h"

struct registry registry_of(const struct runs_options *options)
{
    return (struct registry){
        .options = options,
        .next_run = store_last_run_id(options->store) + 1,
        .next_layer = store_last_layer_id(options->store) + 1,
    };
}

struct run *registry_find(const struct registry *registry, int64_t id)
{
    struct run *run;

    HASH_FIND(by_id, registry->by_id, &id, sizeof id, run);
    return run;
}

struct run *registry_find_key(const struct registry *registry, const char *key)
{
    struct run *run;

    HASH_FIND(by_key, registry->by_key, key, strlen(key), run);
    return run;
}

struct run *registry_add(struct registry *registry, int64_t id, const char *key)
{
    struct run *run = run_new(registry, id, key);

    if (!run)
        return NULL;
    HASH_ADD_KEYPTR(by_key, registry->by_key, run->key, strlen(run->key), run);
    HASH_ADD(by_id, registry->by_id, id, sizeof run->id, run);
    return run;
}

void registry_remove(struct registry *registry, struct run *run)
{
    HASH_DELETE(by_key, registry->by_key, run);
    HASH_DELETE(by_id, registry->by_id, run);
    run_free(run);
}

size_t registry_running(const struct registry *registry)
{
    size_t count = 0;

    for (const struct run *run = registry->by_id; run; run = run->by_id.next)
        count += run->state == RUN_RUNNING;
    return count;
}
