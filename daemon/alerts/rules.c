/* The table of rules and of their constants, each with its source. */
#include "daemon/alerts/rules.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

const struct rule rule_table[RULE_COUNT] = {
    [RULE_NONFINITE] = {"nonfinite", "Numbers that are not finite", SEVERITY_CRITICAL, RULE_ON},
    [RULE_SIGMA_GROWTH] = {"sigma_growth", "Spectral norms grow out of proportion",
        SEVERITY_WARNING, RULE_ON},
    [RULE_LR_RUNAWAY] = {"lr_runaway", "Learning rate leaves its plateau", SEVERITY_WARNING,
        RULE_ON},
    [RULE_GRADIENT] = {"gradient", "Gradient norm outgrows the loss", SEVERITY_WARNING, RULE_ON},
    [RULE_ALIGNMENT_COLLAPSE] = {"alignment_collapse", "Spectral alignment collapsed to one sign",
        SEVERITY_WARNING, RULE_OBSERVE},
    [RULE_ROTATION_STILL] = {"rotation_still", "Weights stand still", SEVERITY_WARNING, RULE_ON},
    [RULE_LOSS_HIGH] = {"loss_high", "Loss is well above its minimum", SEVERITY_WARNING, RULE_ON},
    [RULE_LOSS_LOW] = {"loss_low", "Loss is too good to be true", SEVERITY_WARNING, RULE_ON},
    [RULE_LOSS_STUCK] = {"loss_stuck", "Loss no longer changes", SEVERITY_WARNING, RULE_ON},
    [RULE_RUN_LOST] = {"run_lost", "Training is gone without a goodbye", SEVERITY_CRITICAL,
        RULE_ON},
    [RULE_BASELINE_DAMAGED] = {"baseline_damaged", "A kept initialization is damaged",
        SEVERITY_WARNING, RULE_ON},
};

#define AT(member) offsetof(struct rule_settings, member)

/* clang-format off */
#define PATIENCE(rule, fire_n, fire_span, resolve_n, resolve_span, cooldown_span)                  \
    {rule, "fire_samples", fire_n, 1, 1000, "samples",                                             \
        "bad samples in a row until a layer fires", AT(patience[rule].fire_samples)},              \
    {rule, "fire_steps", fire_span, 0, 1e6, "steps",                                               \
        "minimum span of those samples", AT(patience[rule].fire_steps)},                  \
    {rule, "resolve_samples", resolve_n, 1, 1000, "samples",                                       \
        "good samples in a row until a layer has recovered", AT(patience[rule].resolve_samples)},  \
    {rule, "resolve_steps", resolve_span, 0, 1e6, "steps",                                         \
        "minimum span of those samples", AT(patience[rule].resolve_steps)},               \
    {rule, "cooldown", cooldown_span, 0, 1e6, "steps",                                             \
        "steps without a firing layer until the alert is resolved", AT(patience[rule].cooldown)}
/* clang-format on */

/* lab/RESULTS.md says which recorded runs want each. */
const struct rule_setting rule_setting_table[] = {
    PATIENCE(RULE_NONFINITE, 1, 0, 4, 20, 50),
    {RULE_NONFINITE, "grad_norm_samples", 20, 1, 1000, "samples",
        "non-finite grad_norm in a row; loss scaling skips some at once while it looks for its scale",
        AT(detectors.nonfinite.grad_norm_samples)},

    PATIENCE(RULE_SIGMA_GROWTH, 2, 10, 4, 20, 100),
    {RULE_SIGMA_GROWTH, "median", 1.2, 0.1, 100, "",
        "all layers: fires above this median elasticity by the training clock, and above its past",
        AT(detectors.sigma_growth.median)},
    {RULE_SIGMA_GROWTH, "median_critical", 2, 0.1, 100, "",
        "all layers: critical above this median elasticity",
        AT(detectors.sigma_growth.median_critical)},
    {RULE_SIGMA_GROWTH, "median_critical_loss", 0.05, 0, 1000, "",
        "all layers: while the loss is this far above its lowest level, as a fraction of its way down",
        AT(detectors.sigma_growth.median_critical_loss)},
    {RULE_SIGMA_GROWTH, "layer", 8, 0.1, 100, "",
        "one layer: fires above this elasticity by the training clock",
        AT(detectors.sigma_growth.layer)},
    {RULE_SIGMA_GROWTH, "residual", 0.1, 0, 1, "",
        "leaves out samples of a larger spectral.residual", AT(detectors.sigma_growth.residual)},

    PATIENCE(RULE_LR_RUNAWAY, 2, 4, 4, 20, 100),
    {RULE_LR_RUNAWAY, "ratio", 2, 1.05, 1000, "",
        "fires above this multiple of the plateau's learning rate, reached in small steps",
        AT(detectors.lr_runaway.ratio)},
    {RULE_LR_RUNAWAY, "leap", 8, 1.05, 1e6, "",
        "or above this multiple of it, however it got there", AT(detectors.lr_runaway.leap)},

    PATIENCE(RULE_GRADIENT, 2, 10, 8, 40, 100),
    {RULE_GRADIENT, "ratio", 2, 1, 1e6, "",
        "fires when the level is this multiple of its own past, beyond what the loss rose",
        AT(detectors.gradient.ratio)},
    {RULE_GRADIENT, "loss_rise", 0.08, 0, 1000, "",
        "but only while the loss is this far above its lowest level, as a fraction of its way down",
        AT(detectors.gradient.loss_rise)},

    PATIENCE(RULE_ALIGNMENT_COLLAPSE, 2, 10, 4, 20, 100),
    {RULE_ALIGNMENT_COLLAPSE, "balanced", 0.5, 0, 1, "",
        "watches layers whose sa.diversity was above this in their own past",
        AT(detectors.alignment_collapse.balanced)},
    {RULE_ALIGNMENT_COLLAPSE, "fallen", 0.3, 0, 1, "",
        "fires when a quarter of them have a mean sa.diversity below this",
        AT(detectors.alignment_collapse.fallen)},
    {RULE_ALIGNMENT_COLLAPSE, "recovered", 0.4, 0, 1, "",
        "recovered above this mean of sa.diversity", AT(detectors.alignment_collapse.recovered)},
    {RULE_ALIGNMENT_COLLAPSE, "mean_samples", 4, 1, 32, "samples", "number of samples in that mean",
        AT(detectors.alignment_collapse.mean_samples)},
    {RULE_ALIGNMENT_COLLAPSE, "arm_steps", 300, 0, 1e9, "steps",
        "silent before this step of the attempt", AT(detectors.alignment_collapse.arm_steps)},

    PATIENCE(RULE_ROTATION_STILL, 5, 1000, 1, 0, 100),

    PATIENCE(RULE_LOSS_HIGH, 1, 0, 8, 20, 50),
    {RULE_LOSS_HIGH, "rise", 0.35, 0.01, 1000, "",
        "fires when all losses of 6 steps are this far above the lowest level, as a fraction of the "
        "way down",
        AT(detectors.loss_high.rise)},
    {RULE_LOSS_HIGH, "critical", 1, 0.01, 1000, "",
        "critical above this share: worse than where it began", AT(detectors.loss_high.critical)},
    {RULE_LOSS_HIGH, "arm_steps", 400, 0, 1e9, "steps", "silent before this step of the attempt",
        AT(detectors.loss_high.arm_steps)},

    PATIENCE(RULE_LOSS_LOW, 1, 0, 8, 20, 50),

    PATIENCE(RULE_LOSS_STUCK, 1, 0, 1, 0, 0),
};
const size_t rule_setting_count = sizeof rule_setting_table / sizeof rule_setting_table[0];

static const char *const mode_names[] = {
    [RULE_OFF] = "off", [RULE_OBSERVE] = "observe", [RULE_ON] = "on"};

static double *setting_at(struct rule_settings *settings, const struct rule_setting *setting)
{
    return (double *)(void *)((char *)settings + setting->offset);
}

void rule_settings_init(struct rule_settings *settings)
{
    memset(settings, 0, sizeof *settings);
    for (size_t i = 0; i < RULE_COUNT; i++)
        settings->mode[i] = rule_table[i].mode;
    for (size_t i = 0; i < rule_setting_count; i++)
        *setting_at(settings, &rule_setting_table[i]) = rule_setting_table[i].initial;
}

int rule_find(const char *name)
{
    for (int i = 0; i < RULE_COUNT; i++)
        if (strcmp(rule_table[i].name, name) == 0)
            return i;
    return -1;
}

bool rule_exists(const char *name)
{
    return rule_find(name) >= 0;
}

int rule_mode_find(const char *name)
{
    for (int i = RULE_OFF; i <= RULE_ON; i++)
        if (strcmp(mode_names[i], name) == 0)
            return i;
    return -1;
}

const struct rule_setting *rule_setting_find(enum alert_rule rule, const char *key)
{
    for (size_t i = 0; i < rule_setting_count; i++)
        if (rule_setting_table[i].rule == rule && strcmp(rule_setting_table[i].key, key) == 0)
            return &rule_setting_table[i];
    return NULL;
}

double rule_setting_get(const struct rule_settings *settings, const struct rule_setting *setting)
{
    return *(const double *)(const void *)((const char *)settings + setting->offset);
}

int rule_setting_set(struct rule_settings *settings, enum alert_rule rule, const char *key,
    double value, struct error *error)
{
    const struct rule_setting *setting = rule_setting_find(rule, key);
    if (setting == NULL) {
        return error_set(error, "rule %s has no setting '%s'", rule_table[rule].name, key);
    }
    if (!(value >= setting->min && value <= setting->max)) {
        return error_set(error, "rule %s: %s is %g, expected a number from %g to %g",
            rule_table[rule].name, key, value, setting->min, setting->max);
    }
    *setting_at(settings, setting) = value;
    return 0;
}

int rule_override_add(struct rule_settings *settings, enum alert_rule rule, const char *pattern,
    enum rule_mode mode, struct error *error)
{
    size_t length = strlen(pattern);
    if (length == 0 || length >= RULE_PATTERN_MAX) {
        return error_set(error, "rule %s: a layer pattern of %zu bytes, expected 1 to %d",
            rule_table[rule].name, length, RULE_PATTERN_MAX - 1);
    }
    if (settings->override_count == RULE_OVERRIDES_MAX) {
        return error_set(error, "rule %s: more than %d layer patterns in all",
            rule_table[rule].name, RULE_OVERRIDES_MAX);
    }
    struct rule_override *override = &settings->overrides[settings->override_count++];
    override->rule = rule;
    override->mode = mode;
    memcpy(override->pattern, pattern, length + 1);
    return 0;
}

/* Pairs of settings: `low` must not exceed `high`. */
static const struct {
    enum alert_rule rule;
    const char *low, *high;
} ordered[] = {
    {RULE_SIGMA_GROWTH, "median", "median_critical"},
    {RULE_LR_RUNAWAY, "ratio", "leap"},
    {RULE_ALIGNMENT_COLLAPSE, "fallen", "recovered"},
    {RULE_ALIGNMENT_COLLAPSE, "fallen", "balanced"},
    {RULE_LOSS_HIGH, "rise", "critical"},
};

int rule_settings_check(const struct rule_settings *settings, struct error *error)
{
    for (size_t i = 0; i < sizeof ordered / sizeof ordered[0]; i++) {
        double low = rule_setting_get(settings, rule_setting_find(ordered[i].rule, ordered[i].low));
        double high =
            rule_setting_get(settings, rule_setting_find(ordered[i].rule, ordered[i].high));
        if (low > high) {
            return error_set(error, "rule %s: %s is %g, expected at most %s, which is %g",
                rule_table[ordered[i].rule].name, ordered[i].low, low, ordered[i].high, high);
        }
    }
    return 0;
}

enum rule_mode rule_mode_for(
    const struct rule_settings *settings, enum alert_rule rule, const char *layer)
{
    enum rule_mode mode = settings->mode[rule];
    for (size_t i = 0; layer != NULL && i < settings->override_count; i++) {
        const struct rule_override *override = &settings->overrides[i];
        if (override->rule == rule && fnmatch(override->pattern, layer, 0) == 0)
            mode = override->mode;
    }
    return mode;
}
