/* Expands `metric` and `layer` over the names of a run. */
#include "daemon/http/selection.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/http/grow.h"
#include "daemon/store/reader_runs.h"

struct layer_names {
    char **names;
    size_t count;
};

/* What the callbacks of the reader fill. */
struct expansion {
    const struct query *query;
    struct layer_names layers;
    struct selection *selection;
    bool failed;
};

static void keep_layer(void *ctx, const struct store_layer *layer)
{
    struct expansion *expansion = ctx;
    struct layer_names *layers = &expansion->layers;
    char **names = grow(layers->names, layers->count, sizeof *names);
    char *name = strdup(layer->name);

    if (names)
        layers->names = names;
    if (!names || !name) {
        free(name);
        expansion->failed = true;
        return;
    }
    names[layers->count++] = name;
}

static bool fits_pattern(const struct query *query, const char *parameter, const char *name)
{
    bool asked = false;

    for (size_t i = 0; i < query->parameters_count; i++) {
        const struct query_parameter *given = &query->parameters[i];
        if (strcmp(given->name, parameter) != 0)
            continue;
        asked = true;
        if (!strcmp(given->value, name) || query_match(given->value, name))
            return true;
    }
    return !asked;
}

static void add_entry(
    struct expansion *expansion, const char *layer, int64_t id, const char *metric)
{
    struct selection *selection = expansion->selection;
    struct selection_entry *list = grow(selection->entries, selection->count, sizeof *list);
    struct selection_entry entry = {strdup(layer), strdup(metric), id};

    if (list)
        selection->entries = list;
    if (!list || !entry.layer || !entry.metric) {
        free(entry.layer);
        free(entry.metric);
        expansion->failed = true;
        return;
    }
    list[selection->count++] = entry;
}

static void keep_series(void *ctx, const struct reader_name *name)
{
    struct expansion *expansion = ctx;

    if (fits_pattern(expansion->query, "metric", name->metric) &&
        fits_pattern(expansion->query, "layer", name->layer))
        add_entry(expansion, name->layer, name->layer_id, name->metric);
}

static int check_layers(const struct expansion *expansion, struct problem *problem)
{
    const struct query *query = expansion->query;

    for (size_t i = 0; i < query->parameters_count; i++) {
        const struct query_parameter *given = &query->parameters[i];
        bool known =
            strcmp(given->name, "layer") != 0 || !*given->value || strchr(given->value, '*');
        for (size_t k = 0; !known && k < expansion->layers.count; k++)
            known = !strcmp(expansion->layers.names[k], given->value);
        if (!known)
            return problem_parameter(problem, 404, "layer", given->value,
                "a layer or block of this run, a pattern with *, or nothing for the run itself");
    }
    return 0;
}

static int compare(const void *left, const void *right)
{
    const struct selection_entry *a = left, *b = right;
    int order = strcmp(a->layer, b->layer);

    if (!order)
        order = strcmp(a->metric, b->metric);
    if (!order)
        order = (a->layer_id > b->layer_id) - (a->layer_id < b->layer_id);
    return order;
}

/* The same series of several attempts is one entry. */
static void drop_twins(struct selection *selection)
{
    size_t kept = 0;

    if (selection->count > 1)
        qsort(selection->entries, selection->count, sizeof *selection->entries, compare);
    for (size_t i = 0; i < selection->count; i++) {
        struct selection_entry *entry = &selection->entries[i];
        if (kept > 0 && !compare(entry, &selection->entries[kept - 1])) {
            free(entry->layer);
            free(entry->metric);
        } else {
            selection->entries[kept++] = *entry;
        }
    }
    selection->count = kept;
}

static void free_layers(struct layer_names *layers)
{
    for (size_t i = 0; i < layers->count; i++)
        free(layers->names[i]);
    free(layers->names);
}

int selection_make(
    struct selection *selection, struct request *request, int64_t run, struct problem *problem)
{
    struct expansion expansion = {.query = &request->query, .selection = selection};
    int result = -1;

    *selection = (struct selection){0};
    int code = reader_layers(request->reader, run, keep_layer, &expansion);
    if (code != READER_FAILED && check_layers(&expansion, problem))
        goto out;
    if (code != READER_FAILED)
        code = reader_series_names(request->reader, run, keep_series, &expansion);
    if (code == READER_FAILED || expansion.failed) {
        request_reader_problem(request, READER_FAILED, "", problem);
        goto out;
    }
    drop_twins(selection);
    result = 0;
out:
    free_layers(&expansion.layers);
    return result;
}

void selection_free(struct selection *selection)
{
    for (size_t i = 0; i < selection->count; i++) {
        free(selection->entries[i].layer);
        free(selection->entries[i].metric);
    }
    free(selection->entries);
    *selection = (struct selection){0};
}

struct layer_search {
    const char *name;
    int64_t *ids;
    size_t count;
};

static void match_layer(void *ctx, const struct store_layer *layer)
{
    struct layer_search *search = ctx;

    if (search->count < SELECTION_IDS_MAX && !strcmp(layer->name, search->name))
        search->ids[search->count++] = layer->id;
}

int selection_layer(struct request *request, int64_t run, const char *name,
    int64_t ids[SELECTION_IDS_MAX], size_t *count, struct problem *problem)
{
    struct layer_search search = {name, ids, 0};

    if (reader_layers(request->reader, run, match_layer, &search) == READER_FAILED)
        return request_reader_problem(request, READER_FAILED, "", problem);
    if (!search.count)
        return problem_parameter(problem, 404, "layer", name, "a layer or block of this run");
    *count = search.count;
    return 0;
}
