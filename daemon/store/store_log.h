/* A line of the store's for the daemon's log. */
#ifndef FORESHOCK_STORE_STORE_LOG_H
#define FORESHOCK_STORE_STORE_LOG_H

#include <stdbool.h>

#include "daemon/store/store.h"

/* `error` false: routine. Any thread. */
__attribute__((format(printf, 3, 4))) void store_log(
    const struct store_options *options, bool error, const char *format, ...);

#endif
