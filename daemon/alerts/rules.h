/* The built-in rules: their names, and every constant that decides them, with its range, unit and
 * meaning.
 *
 * A rule is on (its alerts are notified), in observation (they are recorded, never notified) or off,
 * for the whole run or for the layers whose name fits a pattern. The constants lie in one struct of
 * doubles that a table describes, so that a configuration can name, check and set each of them
 * without knowing any. Values only: no ownership, any thread. */
#ifndef FORESHOCK_ALERTS_RULES_H
#define FORESHOCK_ALERTS_RULES_H

#include <stddef.h>

#include "daemon/core/alert_record.h"
#include "daemon/core/error.h"
#include "daemon/detectors/settings.h"

enum alert_rule {
    RULE_NONFINITE,
    RULE_SIGMA_GROWTH,
    RULE_LR_RUNAWAY,
    RULE_GRADIENT,
    RULE_ALIGNMENT_COLLAPSE,
    RULE_ROTATION_STILL,
    RULE_LOSS_HIGH,
    RULE_LOSS_LOW,
    RULE_LOSS_STUCK,
    RULE_RUN_LOST,
    RULE_BASELINE_DAMAGED,
    RULE_COUNT
};

enum rule_mode { RULE_OFF, RULE_OBSERVE, RULE_ON };

#define RULE_PATTERN_MAX   257 /* bytes of a pattern, the NUL included: a layer name's bound */
#define RULE_OVERRIDES_MAX 32

struct rule {
    const char *name;             /* as in the API and the configuration */
    const char *title;            /* of its alerts */
    enum alert_severity severity; /* at least */
    enum rule_mode mode;          /* unless configured */
};

extern const struct rule rule_table[RULE_COUNT];

/* The mode of a rule for the layers whose name fits `pattern` (fnmatch(3) without flags: `*` also
 * crosses dots). */
struct rule_override {
    enum alert_rule rule;
    enum rule_mode mode;
    char pattern[RULE_PATTERN_MAX];
};

/* How long a finding must last: so many samples in a row, and so many steps from the first to the
 * last of them. Both together make it indifferent to the sampling interval. */
struct rule_patience {
    double fire_samples, fire_steps;       /* bad ones, until a layer fires */
    double resolve_samples, resolve_steps; /* good ones, until it is well again */
    double cooldown; /* steps without a firing layer, until the alert is resolved */
};

struct rule_settings {
    enum rule_mode mode[RULE_COUNT];
    struct rule_patience patience[RULE_COUNT];
    struct detector_settings detectors;
    struct rule_override overrides[RULE_OVERRIDES_MAX]; /* the last one that fits a layer decides */
    size_t override_count;
};

/* One constant of one rule: where it is, and what it may be. */
struct rule_setting {
    enum alert_rule rule;
    const char *key;
    double initial, min, max; /* the range is closed */
    const char *unit;         /* "" for a pure number */
    const char *what;
    size_t offset; /* of the double in struct rule_settings */
};

extern const struct rule_setting rule_setting_table[];
extern const size_t rule_setting_count;

/* Every rule in its mode of the table, every constant at its initial value, no overrides. */
void rule_settings_init(struct rule_settings *settings);

/* The rule of that name, or -1. */
int rule_find(const char *name);
bool rule_exists(const char *name);

/* "on", "observe" or "off" to a rule_mode, or -1. */
int rule_mode_find(const char *name);

/* NULL if the rule has no such constant. */
const struct rule_setting *rule_setting_find(enum alert_rule rule, const char *key);

/* 0, or -1 and a text in `error` that names the rule, the key, the value and what was expected. */
int rule_setting_set(struct rule_settings *settings, enum alert_rule rule, const char *key,
    double value, struct error *error);

double rule_setting_get(const struct rule_settings *settings, const struct rule_setting *setting);

/* Adds an override. 0, or -1 and `error` (the pattern is empty or too long, or there are
 * RULE_OVERRIDES_MAX already). */
int rule_override_add(struct rule_settings *settings, enum alert_rule rule, const char *pattern,
    enum rule_mode mode, struct error *error);

/* Constants that contradict each other (a threshold of resolution on the wrong side of its alarm):
 * 0, or -1 and `error`. */
int rule_settings_check(const struct rule_settings *settings, struct error *error);

/* The mode of a rule for a layer; `layer` NULL: the run itself. */
enum rule_mode rule_mode_for(
    const struct rule_settings *settings, enum alert_rule rule, const char *layer);

#endif
