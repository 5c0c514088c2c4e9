/* The one table of the options that a configuration file may hold, and how a text becomes a value. */
#ifndef FORESHOCK_CONFIG_OPTIONS_H
#define FORESHOCK_CONFIG_OPTIONS_H

#include "daemon/config/config.h"

enum config_type {
    CONFIG_TEXT,   /* char * */
    CONFIG_LIST,   /* struct config_list of texts, at most `max` */
    CONFIG_LEVEL,  /* uint32_t, enum log_level */
    CONFIG_COUNT,  /* uint32_t */
    CONFIG_NUMBER, /* double */
    CONFIG_BYTES,  /* uint64_t: 4096, 512MiB */
    CONFIG_AGE     /* double, seconds: 90d, 12h, 0 */
};

struct config_option {
    const char *path; /* limits.memory_bytes */
    enum config_type type;
    size_t offset; /* in struct config */
    double min, max;
    const char
        *fallback; /* the default as one would write it; NULL: none, or found by config_validate */
    const char *what; /* CONFIG_TEXT, CONFIG_LIST: what is expected; numbers: the unit, or "" */
    int (*check)(const char *text,
        char *err); /* of a text or of one in a list; NULL: any. Fails with a text in err */
};

extern const struct config_option config_options[];
extern const size_t config_option_count;

const struct config_option *config_option_find(const char *path);

/* Whether `path` is a section, such as "limits". */
bool config_is_section(const char *path);

/* Sets the value, or adds to the list. On failure `err` holds `got "...", expected ...`. */
int config_option_set(
    const struct config_option *option, struct config *config, const char *text, char *err);
void config_option_clear(const struct config_option *option, struct config *config);

/* The section `rules`, whose options are those of rules.h. config_rule_of: the rule that
 * "rules.NAME" or "rules.NAME.KEY" belongs to, or -1. config_rule_set: `mode` or a constant.
 * config_rule_layer: the mode for layers that fit a pattern. */
int config_rule_of(const char *path);
int config_rule_set(
    struct config *config, enum alert_rule rule, const char *key, const char *text, char *err);
int config_rule_layer(
    struct config *config, enum alert_rule rule, const char *pattern, const char *mode, char *err);

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
    struct config *config, const char *name, struct config_notifier *notifier, char *err);
int config_notifier_set(
    struct config_notifier *notifier, const char *key, const char *text, char *err);
int config_notifier_rule(struct config_notifier *notifier, const char *rule, char *err);
int config_notifier_label(
    struct config_notifier *notifier, const char *name, const char *value, char *err);
int config_notifier_finish(struct config_notifier *notifier, char *err);

/* A finite decimal number; 0 or -1. */
int config_parse_number(const char *text, double *value);

/* `got "TEXT", expected EXPECTED` with the text cut and cleaned; returns -1. */
int config_unexpected(char *err, const char *text, const char *expected);
void config_option_expected(const struct config_option *option, char *text, size_t size);

#endif
