/* Whether and when to try again. Pure. */
#ifndef FORESHOCK_NOTIFY_RETRY_H
#define FORESHOCK_NOTIFY_RETRY_H

/* DELIVERED: 2xx. REFUSED: 400, 410, 413, 414, 415 and 422, which the next try of the same message
 * will not change. LATER: all else, no answer (status 0) too. */
enum retry_verdict { RETRY_DELIVERED, RETRY_LATER, RETRY_REFUSED };
enum retry_verdict retry_judge(long status);

/* Seconds until the next try after `tries` (at least one) that failed: twice as long each time,
 * between LIMIT_RETRY_MIN_SECONDS and LIMIT_RETRY_MAX_SECONDS, of which half is certain and half
 * `chance` (0 to 1), so that those who failed together do not come back together. Never sooner than
 * the receiver asked for (`retry_after`, 0: it did not), which is heard up to
 * LIMIT_RETRY_AFTER_SECONDS. */
double retry_pause(unsigned tries, double chance, double retry_after);

#endif
