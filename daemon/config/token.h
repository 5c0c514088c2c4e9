/* The admin token: configured, or made anew at each start in the state directory, for its owner alone to read. */
#ifndef FORESHOCK_CONFIG_TOKEN_H
#define FORESHOCK_CONFIG_TOKEN_H

#include "daemon/core/error.h"

#define TOKEN_FILE "admin.token"
#define TOKEN_SIZE 65 /* 256 bits in hexadecimal, and a NUL */

/* Makes a token and writes it to TOKEN_FILE in `state_dir`, mode 0600. 0, or -1 and `error`. */
int token_make(const char *state_dir, char token[TOKEN_SIZE], struct error *error);

#endif
