/* The runs: their attempts, sessions, layers and blocks, and the way of their samples to the workers and on.
 *
 * Loop thread only. Workers (libuv's pool) compute: the samples of one block in order, never two at once. Of two samples of
 * one block that wait, the newer wins, unless the session is lossless. Each event makes one batch, which goes to
 * `struct runs_out`. The functions whose first argument is `void *runs` have the form of a table of functions that main
 * fills. */
#ifndef FORESHOCK_RUNS_RUNS_H
#define FORESHOCK_RUNS_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/core/error.h"
#include "daemon/core/mailbox.h"
#include "daemon/core/run_control_answer.h"
#include "daemon/ingest/ingest.h"
#include "daemon/runs/options.h"

struct runs;

/* NULL: memory is short. */
struct runs *runs_new(const struct runs_options *options);

/* Restores everything that the store has. Before runs_attach. 0, or -1 and `error`. */
int runs_restore(struct runs *runs, struct error *error);

/* The ops for ingest_options, and then the ingest itself, which gets a lease for each session that was live. */
struct ingest_ops runs_ingest_ops(struct runs *runs);
int runs_attach(struct runs *runs, struct ingest *ingest);

/* Sends an alert to the clients of a run. */
void runs_alert(struct runs *runs, const char *run_key, const struct wire_alert *alert);

/* Ends a run that was lost, as if every process of it had said bye. One that has ended already stays as it is. */
enum run_control_answer runs_end(void *runs, int64_t run);

/* Deletes a run that is not running. */
enum run_control_answer runs_delete(void *runs, int64_t run);

/* The store has retired a run by itself: the loop forgets it too. */
void runs_forget(struct runs *runs, int64_t run);

/* The same by way of the mailbox, from any thread. `*runs` is read on the loop, and may be NULL until the start is over. */
void runs_post_forget(struct mailbox *mailbox, struct runs *const *runs, int64_t run);

/* Time goes on: gives up samples that wait in vain, writes rows that the store had no room for. The loop calls it each
 * LIMIT_TICK_MS. */
void runs_tick(struct runs *runs);

/* Begins no sample any more. Samples in progress are finished and published before this returns. */
void runs_stop(struct runs *runs);
void runs_free(struct runs *runs); /* after the loop has ended */

#endif
