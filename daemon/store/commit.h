/* Hands a batch to the store and waits until it is committed. Not for the loop or the writer. */
#ifndef FORESHOCK_STORE_COMMIT_H
#define FORESHOCK_STORE_COMMIT_H

#include "daemon/store/store.h"

enum commit_result { COMMIT_DONE, COMMIT_FAILED, COMMIT_LATE };

/* Takes the batch, which must hold no callback of its own; NULL, of memory that was short, fails. COMMIT_LATE:
 * not within `deadline_ms`; it may still be committed. An empty batch waits for all earlier ones.
 */
enum commit_result commit_and_wait(
    struct store *store, struct store_batch *batch, unsigned deadline_ms);

#endif
