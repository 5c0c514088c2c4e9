/* The YAML file, into a struct config. */
#ifndef FORESHOCK_CONFIG_YAML_H
#define FORESHOCK_CONFIG_YAML_H

#include <stddef.h>

#include "daemon/config/config.h"

/* 0, or -1 and `error` with the file, the line and the option. `name` stands for the file in errors. */
int config_load_file(struct config *config, const char *path, struct error *error);
int config_load_text(
    struct config *config, const char *text, size_t size, const char *name, struct error *error);

#endif
