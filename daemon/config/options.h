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
    /* The default as one would write it; NULL: none, or found by config_validate. */
    const char *fallback;
    const char *what; /* CONFIG_TEXT, CONFIG_LIST: what is expected; numbers: the unit, or "" */
    /* Of a text or of one in a list; NULL: any. Fails with a text in `error`. */
    int (*check)(const char *text, struct error *error);
};

extern const struct config_option config_options[];
extern const size_t config_option_count;

const struct config_option *config_option_find(const char *path);

/* Whether `path` is a section, such as "limits". */
bool config_is_section(const char *path);

/* Sets the value, or adds to the list. On failure `error` holds `got "...", expected ...`. */
int config_option_set(const struct config_option *option, struct config *config, const char *text,
    struct error *error);
void config_option_clear(const struct config_option *option, struct config *config);

/* A finite decimal number; 0 or -1. */
int config_parse_number(const char *text, double *value);

void config_option_expected(const struct config_option *option, char *text, size_t size);

#endif
