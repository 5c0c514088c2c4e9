/* Committed alerts on their way back to the trainings: from the writer thread over the loop to the clients of the run. */
#ifndef FORESHOCK_PUSH_H
#define FORESHOCK_PUSH_H

#include "daemon/mailbox.h"
#include "daemon/runs/runs.h"
#include "daemon/store/store.h"

/* Copies the alert and posts it to the loop. Observed alerts are not told. Any thread. */
void push_alert(struct mailbox *mailbox, struct runs *runs, const char *run_key,
    const struct store_alert *alert);

#endif
