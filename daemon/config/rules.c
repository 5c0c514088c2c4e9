/* The section `rules` of the configuration: modes, constants, and modes for some layers. */
#include "daemon/config/rules.h"

#include <stdio.h>

#include "daemon/config/options.h"
#include "daemon/config/unexpected.h"

#define MODES_EXPECTED "on, observe or off"

int config_rule_of(const char *path)
{
    char name[64];
    if (strncmp(path, "rules.", 6) != 0)
        return -1;
    size_t size = strcspn(path + 6, ".");
    if (size >= sizeof name)
        return -1;
    memcpy(name, path + 6, size);
    name[size] = '\0';
    return rule_find(name);
}

int config_rule_set(struct config *config, enum alert_rule rule, const char *key, const char *text,
    struct error *error)
{
    const struct rule_setting *setting = rule_setting_find(rule, key);
    double value;
    if (strcmp(key, "mode") == 0) {
        int mode = rule_mode_find(text);
        if (mode < 0)
            return config_unexpected(error, text, MODES_EXPECTED);
        config->rules.mode[rule] = (enum rule_mode)mode;
        return 0;
    }
    if (!setting) {
        return error_set(error, "unknown option of the rule %s", rule_table[rule].name);
    }
    if (config_parse_number(text, &value) || value < setting->min || value > setting->max) {
        char expected[128];
        snprintf(expected, sizeof expected, "a number from %g to %g%s%s", setting->min,
            setting->max, setting->unit[0] ? ", in " : "", setting->unit);
        return config_unexpected(error, text, expected);
    }
    return rule_setting_set(&config->rules, rule, key, value, error);
}

int config_rule_layer(struct config *config, enum alert_rule rule, const char *pattern,
    const char *mode, struct error *error)
{
    int found = rule_mode_find(mode);
    if (found < 0)
        return config_unexpected(error, mode, MODES_EXPECTED);
    return rule_override_add(&config->rules, rule, pattern, (enum rule_mode)found, error);
}
