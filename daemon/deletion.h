/* Deleting a run on behalf of an HTTP thread: the loop owns the run, the thread waits for its answer. */
#ifndef FORESHOCK_DELETION_H
#define FORESHOCK_DELETION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/http/http.h"
#include "daemon/mailbox.h"
#include "daemon/runs/runs.h"

struct deletion_desk {
    struct mailbox *mailbox;
    struct runs *runs;
    _Atomic bool closed; /* the loop answers no more: whoever waits is told that it failed */
};

/* http_options.delete_run, with the desk as its ctx. HTTP threads, several at once; waits two seconds at most. The deletion
 * is handed to the store before it returns. */
enum http_delete deletion_ask(void *desk, int64_t run);

#endif
