/* The section `rules` of the configuration file. */
#ifndef FORESHOCK_CONFIG_RULES_H
#define FORESHOCK_CONFIG_RULES_H

#include "daemon/config/config.h"

/* The section `rules`, whose options are those of rules.h. config_rule_of: the rule that
 * "rules.NAME" or "rules.NAME.KEY" belongs to, or -1. config_rule_set: `mode` or a constant.
 * config_rule_layer: the mode for layers that fit a pattern. */
int config_rule_of(const char *path);
int config_rule_set(struct config *config, enum alert_rule rule, const char *key, const char *text,
    struct error *error);
int config_rule_layer(struct config *config, enum alert_rule rule, const char *pattern,
    const char *mode, struct error *error);

#endif
