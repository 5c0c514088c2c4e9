/* Ends the silences whose time has come. Belongs to one thread, the loop. */
#ifndef FORESHOCK_STORE_SILENCE_EXPIRY_H
#define FORESHOCK_STORE_SILENCE_EXPIRY_H

#include "daemon/store/store.h"

struct silence_expiry {
    double asked_at; /* seconds since 1970; 0: never */
};

/* At each tick: asks the store, at most once a second, until it has done it. `store` may be NULL while the daemon starts. */
void silence_expiry_tick(struct silence_expiry *expiry, struct store *store);

#endif
