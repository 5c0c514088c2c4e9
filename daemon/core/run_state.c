/* See run_state.h. */
#include "daemon/core/run_state.h"

#include <string.h>

const char *const run_state_names[RUN_STATES] = {"new", "running", "lost", "ended"};

bool run_state_parse(const char *name, enum run_state *state)
{
    for (int i = 0; i < RUN_STATES; i++) {
        if (strcmp(name, run_state_names[i]) == 0) {
            *state = (enum run_state)i;
            return true;
        }
    }
    return false;
}
