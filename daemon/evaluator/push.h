/* Committed alerts on their way back to the trainings: from the writer thread over the loop to the clients of the run. */
#ifndef FORESHOCK_EVALUATOR_PUSH_H
#define FORESHOCK_EVALUATOR_PUSH_H

#include "daemon/core/mailbox.h"
#include "daemon/evaluator/announced.h"
#include "daemon/runs/runs.h"
#include "daemon/store/store.h"

/* Members are the loop's; `runs` may be NULL while the daemon starts. */
struct push {
    struct mailbox *mailbox;
    struct announced *announced;
    struct runs *runs;
};

/* Copies the alert and posts it to the loop. Alerts that are observed or silenced are not told; the end of one is told if its
 * beginning was. Any thread. */
void push_alert(struct push *push, const char *run_key, const struct store_alert *alert);

#endif
