/* The layers of an attempt and what is watched in each: one track, with its detector's state, for
 * each detector that found its metrics there, and one for each condition. Owned by the engine. */
#ifndef FORESHOCK_ALERTS_LAYERS_H
#define FORESHOCK_ALERTS_LAYERS_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/alerts/detection.h"
#include "daemon/alerts/rules.h"
#include "daemon/alerts/track.h"
#include "daemon/detectors/detector.h"

/* The last rules are conditions: the daemon knows them, no detector finds them. */
#define CONDITION_FIRST RULE_RUN_LOST
#define CONDITION_COUNT (RULE_COUNT - CONDITION_FIRST)

/* Detectors in the order of their table, then conditions. */
#define WATCH_COUNT (DETECTION_COUNT + CONDITION_COUNT)

struct watch {
    struct track track;
    alignas(max_align_t) unsigned char state[]; /* of the detector */
};

struct layer {
    int64_t id; /* 0: the run itself */
    char *name, *role, *block;
    bool gated;
    enum rule_mode mode[RULE_COUNT];
    int64_t newest[METRIC_COUNT];       /* step of the newest figure; -1: none */
    struct watch *watches[WATCH_COUNT]; /* NULL: not yet */
};

struct layers {
    size_t count, room;
    struct layer **sorted; /* by id */
};

/* NULL if it is not there. */
struct layer *layers_find(const struct layers *layers, int64_t id);

/* Adds a layer that is not there. NULL if memory is short. */
struct layer *layers_add(
    struct layers *layers, int64_t id, const char *name, const char *role, const char *block);

void layers_free(struct layers *layers);

/* The rule that a watch serves. */
enum alert_rule layer_watch_rule(size_t watch);

/* Makes the watch at its first use. NULL if memory is short. */
struct watch *layer_watch(struct layer *layer, size_t watch);

/* Sets the modes of every rule in this layer. */
void layer_set_modes(struct layer *layer, const struct rule_settings *settings);

/* Walks all spells of a rule whose alert is not resolved. Begin with a cursor of zeros;
 * layers->sorted[at.layer] is the layer of the spell that was returned. NULL at the end. */
struct cursor {
    size_t layer, watch, spell;
};
struct spell *layers_next_spell(
    const struct layers *layers, enum alert_rule rule, struct cursor *at);

#endif
