/* One notifier at work: a thread that reads what is due from the outbox, hands it to the receiver and
 * reports what came of it to the store. Whatever the receiver does, only this thread waits for it.
 *
 *          ┌──────────── nothing due, or a pause: sleeps until woken ◀─┐
 *          ▼                                                          │
 *        look ── a row is due ──▶ POST ── 2xx ─────────▶ delivered ───┤
 *          │                        ├──── 400 410 413 414 415 422 ─▶ put off, after
 *          │                        │                                LIMIT_REFUSED_TRIES given up
 *          │                        └──── other, no answer ─▶ put off; a pause of all rows
 *          └─ Alertmanager, each resend_seconds ──▶ POST of all that fires
 */
#ifndef FORESHOCK_NOTIFY_SENDER_H
#define FORESHOCK_NOTIFY_SENDER_H

#include "daemon/notify/settings.h"
#include "daemon/store/store.h"

struct sender;

/* Starts the thread; the settings are copied, `state_dir` is not. NULL: memory or threads are short. */
struct sender *sender_start(
    const struct notifier_settings *settings, struct store *store, const char *state_dir);
const struct notifier_settings *sender_settings(const struct sender *sender);

/* Any thread: there may be something due. */
void sender_wake(struct sender *sender);

/* Asks it to stop, and breaks a request off that is on its way; then sender_join waits for that, a
 * fraction of a second, and frees it. */
void sender_stop(struct sender *sender);
void sender_join(struct sender *sender);

#endif
