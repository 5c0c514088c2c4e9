/* The section `notifiers` of the configuration file. */
#ifndef FORESHOCK_CONFIG_NOTIFIERS_H
#define FORESHOCK_CONFIG_NOTIFIERS_H

#include "daemon/config/config.h"

/* One notifier of the section `notifiers` while it is read. */
struct config_notifier {
    struct notifier_settings *settings;
    char url_file[NOTIFIER_PATH_MAX], bearer_file[NOTIFIER_PATH_MAX],
        headers_file[NOTIFIER_PATH_MAX]; /* "": none */
    unsigned given;                      /* which options, a bit each */
};
/* Adds one of that name, then its options: those with a value, each of its rules, each of its labels.
 * config_notifier_finish reads its files and checks the whole. */
int config_notifier_add(
    struct config *config, const char *name, struct config_notifier *notifier, struct error *error);
int config_notifier_set(
    struct config_notifier *notifier, const char *key, const char *text, struct error *error);
int config_notifier_rule(struct config_notifier *notifier, const char *rule, struct error *error);
int config_notifier_label(
    struct config_notifier *notifier, const char *name, const char *value, struct error *error);
int config_notifier_finish(struct config_notifier *notifier, struct error *error);

#endif
