/* The states of a session, and their names in the database and the log. */
#ifndef FORESHOCK_CORE_SESSION_STATE_H
#define FORESHOCK_CORE_SESSION_STATE_H

#include <stdbool.h>

/* NEW: in memory only, before its hello is accepted. LIVE is "open"; CLOSED: it said bye, or was ended by hand; LOST: its
 * lease ran out. */
enum session_state { SESSION_NEW, SESSION_LIVE, SESSION_LOST, SESSION_CLOSED, SESSION_STATES };

extern const char *const session_state_names[SESSION_STATES];

/* False, and `state` as it was: no state has that name. */
bool session_state_parse(const char *name, enum session_state *state);

#endif
