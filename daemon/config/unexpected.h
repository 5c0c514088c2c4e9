/* The words in which a value is refused. */
#ifndef FORESHOCK_CONFIG_UNEXPECTED_H
#define FORESHOCK_CONFIG_UNEXPECTED_H

#include "daemon/core/error.h"

/* `got "TEXT", expected EXPECTED` with the text cut and cleaned; returns -1. */
int config_unexpected(struct error *error, const char *text, const char *expected);

#endif
