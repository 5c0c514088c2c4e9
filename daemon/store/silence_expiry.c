/* Silences that end by the clock; see silence_expiry.h. */
#include "daemon/store/silence_expiry.h"

#include <math.h>

#include "daemon/core/clock.h"
#include "daemon/core/log.h"

void silence_expiry_tick(struct silence_expiry *expiry, struct store *store)
{
    double now = clock_wall();
    struct store_batch *batch;

    if (!store || store_next_expiry(store) > now || fabs(now - expiry->asked_at) < 1)
        return;
    expiry->asked_at = now;
    batch = store_batch_new();
    store_put_expire_silences(batch, now);
    if (store_submit(store, batch) != 0)
        log_warning("silences last longer: the store is behind");
}
