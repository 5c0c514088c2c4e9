/* Verdicts and pauses; see retry.h. */
#include "daemon/notify/retry.h"

#include "daemon/core/limits.h"

enum retry_verdict retry_judge(long status)
{
    if (status / 100 == 2)
        return RETRY_DELIVERED;
    /* What the message itself is to blame for; all else (a proxy that has no route yet, a key that is
     * being changed) may be mended at the receiver. */
    switch (status) {
    case 400:
    case 410:
    case 413:
    case 414:
    case 415:
    case 422: return RETRY_REFUSED;
    default: return RETRY_LATER;
    }
}

double retry_pause(unsigned tries, double chance, double retry_after)
{
    double pause = LIMIT_RETRY_MIN_SECONDS;

    for (unsigned i = 1; i < tries && pause < LIMIT_RETRY_MAX_SECONDS; i++)
        pause *= 2;
    if (pause > LIMIT_RETRY_MAX_SECONDS)
        pause = LIMIT_RETRY_MAX_SECONDS;
    pause *= 0.5 + 0.5 * chance;
    if (retry_after > LIMIT_RETRY_AFTER_SECONDS)
        retry_after = LIMIT_RETRY_AFTER_SECONDS;
    return pause > retry_after ? pause : retry_after;
}
