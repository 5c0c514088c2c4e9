/* Layers by id, their tracks made as their figures come. */
#include "daemon/alerts/layers.h"

#include <stdlib.h>
#include <string.h>

/* Index of the first layer whose id is not below. */
static size_t lower_bound(const struct layers *layers, int64_t id)
{
    size_t low = 0, high = layers->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (layers->sorted[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct layer *layers_find(const struct layers *layers, int64_t id)
{
    size_t at = lower_bound(layers, id);
    return at < layers->count && layers->sorted[at]->id == id ? layers->sorted[at] : NULL;
}

static void layer_free(struct layer *layer)
{
    if (layer == NULL)
        return;
    for (size_t i = 0; i < WATCH_COUNT; i++)
        free(layer->watches[i]);
    free(layer->name);
    free(layer->role);
    free(layer->block);
    free(layer);
}

static struct layer *layer_new(int64_t id, const char *name, const char *role, const char *block)
{
    struct layer *layer = calloc(1, sizeof *layer);
    if (layer == NULL)
        return NULL;
    layer->id = id;
    layer->name = strdup(name);
    layer->role = strdup(role);
    layer->block = strdup(block);
    if (layer->name == NULL || layer->role == NULL || layer->block == NULL) {
        layer_free(layer);
        return NULL;
    }
    for (size_t i = 0; i < METRIC_COUNT; i++)
        layer->newest[i] = -1;
    return layer;
}

/* An mlp.in and an mlp.gate of one block make the mlp.in gated, whichever came first. */
static void find_gate(const struct layers *layers, struct layer *added)
{
    bool is_in = strcmp(added->role, "mlp.in") == 0, is_gate = strcmp(added->role, "mlp.gate") == 0;
    if (added->block[0] == '\0' || !(is_in || is_gate))
        return;
    for (size_t i = 0; i < layers->count; i++) {
        struct layer *other = layers->sorted[i];
        if (strcmp(other->block, added->block) != 0)
            continue;
        if (is_in && strcmp(other->role, "mlp.gate") == 0)
            added->gated = true;
        if (is_gate && strcmp(other->role, "mlp.in") == 0)
            other->gated = true;
    }
}

struct layer *layers_add(
    struct layers *layers, int64_t id, const char *name, const char *role, const char *block)
{
    if (layers->count == layers->room) {
        size_t room = layers->room ? 2 * layers->room : 16;
        struct layer **grown = realloc(layers->sorted, room * sizeof grown[0]);
        if (grown == NULL)
            return NULL;
        layers->sorted = grown;
        layers->room = room;
    }
    struct layer *layer = layer_new(id, name, role, block);
    if (layer == NULL)
        return NULL;
    find_gate(layers, layer);
    size_t at = lower_bound(layers, id);
    memmove(layers->sorted + at + 1, layers->sorted + at,
        (layers->count - at) * sizeof layers->sorted[0]);
    layers->sorted[at] = layer;
    layers->count++;
    return layer;
}

void layers_free(struct layers *layers)
{
    for (size_t i = 0; i < layers->count; i++)
        layer_free(layers->sorted[i]);
    free(layers->sorted);
}

enum alert_rule layer_watch_rule(size_t watch)
{
    return watch < DETECTION_COUNT ? detection_table[watch].rule
                                   : (enum alert_rule)(CONDITION_FIRST + watch - DETECTION_COUNT);
}

struct watch *layer_watch(struct layer *layer, size_t watch)
{
    if (layer->watches[watch] == NULL) {
        size_t state_size =
            watch < DETECTION_COUNT ? detection_table[watch].detector->state_size : 0;
        struct watch *made = calloc(1, sizeof *made + state_size);
        if (made == NULL)
            return NULL;
        track_init(&made->track);
        layer->watches[watch] = made;
    }
    return layer->watches[watch];
}

void layer_set_modes(struct layer *layer, const struct rule_settings *settings)
{
    for (int rule = 0; rule < RULE_COUNT; rule++)
        layer->mode[rule] =
            rule_mode_for(settings, (enum alert_rule)rule, layer->id == 0 ? NULL : layer->name);
}

struct spell *layers_next_spell(
    const struct layers *layers, enum alert_rule rule, struct cursor *at)
{
    for (; at->layer < layers->count; at->layer++, at->watch = 0)
        for (; at->watch < WATCH_COUNT; at->watch++, at->spell = 0) {
            struct watch *watch = layers->sorted[at->layer]->watches[at->watch];
            if (watch == NULL || layer_watch_rule(at->watch) != rule)
                continue;
            while (at->spell < watch->track.spell_count) {
                struct spell *spell = &watch->track.spells[at->spell++];
                if (!spell->closed)
                    return spell;
            }
        }
    return NULL;
}
