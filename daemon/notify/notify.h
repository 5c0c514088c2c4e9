/* Telling people: the notifiers of the configuration, each a thread of its own (sender.h) over the
 * outbox in the store. Alerts get into the outbox with the transaction that stores them; here they
 * only get out. Delivered at least once, in order of an alert, through outages of the receiver and of
 * the daemon. */
#ifndef FORESHOCK_NOTIFY_NOTIFY_H
#define FORESHOCK_NOTIFY_NOTIFY_H

#include "daemon/notify/settings.h"
#include "daemon/store/store.h"

struct notify;

/* NULL: memory is short. Loop thread, as all but notify_wake. */
struct notify *notify_new(void);

/* After store_open, before the first alert is put: tells the store who there is, and starts them.
 * `state_dir` must outlive it. 0, or -1 (memory, threads or the store's queue), which was logged. */
int notify_start(struct notify *notify, struct store *store, const char *state_dir,
    const struct notifier_settings *list, size_t count);

/* The same when the configuration was read anew: those that are gone or changed stop, those that are
 * new or changed start, the others go on. */
int notify_configure(struct notify *notify, const struct notifier_settings *list, size_t count);

/* Something may have come into the outbox. Any thread, until notify_free. */
void notify_wake(struct notify *notify);

/* Stops all threads, breaking off what is on its way: it is sent again after the next start. Before
 * store_close; safe on NULL. */
void notify_stop(struct notify *notify);
void notify_free(struct notify *notify); /* after store_close; safe on NULL */

#endif
