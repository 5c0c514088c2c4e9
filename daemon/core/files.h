/* Raises the limit of open files, and keeps the connections of trainings from using those that the daemon needs.
 *
 * libzmq aborts when accept() finds no file left, and a trainer takes two. So the process has an accept() of its own: a
 * connection whose file would be one of the reserved is closed at once, and counted. */
#ifndef FORESHOCK_CORE_FILES_H
#define FORESHOCK_CORE_FILES_H

#include <stdint.h>

#include "daemon/core/error.h"

/* Raises the limit of open files for so many sessions, as far as it can be, and guards accept() from now on; each connection
 * that is refused counts in `refused`. `*sessions` becomes how many of them fit; fewer are logged. 0; or -1 and `error`: the
 * limit is below what the daemon needs for itself. Before other threads start. */
int files_guard(uint32_t *sessions, _Atomic uint64_t *refused, struct error *error);

/* Logs that connections were refused, if `refused` has grown since the last call; at most once a second. One thread. */
void files_log_refused(_Atomic uint64_t *refused);

/* This listening socket is bounded by its owner, within the reserve. Any thread; one socket at a time, -1: none. */
void files_exempt(int listening);

#endif
