/* One alert as it is stored and sent: every text resolved, every list bounded, nothing owned.
 *
 * The evaluator makes it once; the journal and the store take it as it is, and what trainings, event streams and notifiers
 * get is made of it or of its row. Copy it by assignment. Any thread may read it. */
#ifndef FORESHOCK_CORE_ALERT_RECORD_H
#define FORESHOCK_CORE_ALERT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/wire.h"

#define ALERT_LAYERS_MAX   32
#define ALERT_EVIDENCE_MAX 32
#define ALERT_TITLE_MAX    160
#define ALERT_SUMMARY_MAX  1024

enum alert_severity { SEVERITY_WARNING, SEVERITY_CRITICAL, ALERT_SEVERITIES };
enum alert_state { ALERT_FIRING, ALERT_RESOLVED, ALERT_STATES };

#define ALERT_RECORD_RUN UINT8_MAX /* the layer of evidence that is about the run itself */

/* A number is NaN where the rule has none. */
struct alert_record_evidence {
    uint8_t layer;      /* its place in `layers`, or ALERT_RECORD_RUN */
    const char *metric; /* static */
    double value, threshold, baseline, window;
    int64_t step;
};

struct alert_record {
    int64_t id; /* never given twice */
    /* Counts what the journal has taken, over all alerts. The store answers with it. */
    uint64_t revision;
    int64_t run;
    char run_key[WIRE_RUN_MAX + 1];
    uint32_t attempt;
    const char *rule; /* static */
    enum alert_severity severity;
    enum alert_state state;
    bool observed; /* recorded, never notified */
    int64_t started_step, last_step;
    double started_at, resolved_at; /* seconds since 1970; resolved_at 0: not yet */
    char title[ALERT_TITLE_MAX];
    char summary[ALERT_SUMMARY_MAX];
    size_t layer_count, evidence_count;
    char layers[ALERT_LAYERS_MAX][WIRE_NAME_MAX + 1]; /* the most affected first */
    struct alert_record_evidence evidence[ALERT_EVIDENCE_MAX];
};

_Static_assert(ALERT_LAYERS_MAX < ALERT_RECORD_RUN, "a place in the list is no run");
_Static_assert(ALERT_LAYERS_MAX <= WIRE_ALERT_LAYERS_MAX, "a message has room for all layers");

/* Their names, then NULL: "warning", "critical"; "firing", "resolved". */
extern const char *const alert_severity_names[ALERT_SEVERITIES + 1];
extern const char *const alert_state_names[ALERT_STATES + 1];

/* False, and the value as it was: none has that name. */
bool alert_severity_parse(const char *name, enum alert_severity *severity);
bool alert_state_parse(const char *name, enum alert_state *state);

/* The name of the layer that evidence is about, "" for the run itself. */
const char *alert_record_layer(
    const struct alert_record *record, const struct alert_record_evidence *evidence);

/* Appends a layer, its name cut to the bound. False if the list is full. */
bool alert_record_add_layer(struct alert_record *record, const char *name);

#endif
