/* See session_state.h. */
#include "daemon/core/session_state.h"

#include <string.h>

const char *const session_state_names[SESSION_STATES] = {"new", "open", "lost", "closed"};

bool session_state_parse(const char *name, enum session_state *state)
{
    for (int i = 0; i < SESSION_STATES; i++) {
        if (strcmp(name, session_state_names[i]) == 0) {
            *state = (enum session_state)i;
            return true;
        }
    }
    return false;
}
