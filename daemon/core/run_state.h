/* The states of a run, and their names in the database, the API and the log. */
#ifndef FORESHOCK_CORE_RUN_STATE_H
#define FORESHOCK_CORE_RUN_STATE_H

#include <stdbool.h>

/* NEW: in memory only, before its first process is let in. */
enum run_state { RUN_NEW, RUN_RUNNING, RUN_LOST, RUN_ENDED, RUN_STATES };

extern const char *const run_state_names[RUN_STATES];

/* False, and `state` as it was: no state has that name. */
bool run_state_parse(const char *name, enum run_state *state);

#endif
