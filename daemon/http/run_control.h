/* What HTTP threads want done to a run: the loop owns it, the thread waits for the answer. */
#ifndef FORESHOCK_HTTP_RUN_CONTROL_H
#define FORESHOCK_HTTP_RUN_CONTROL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/mailbox.h"
#include "daemon/http/http.h"
#include "daemon/runs/runs.h"

struct run_control {
    struct mailbox *mailbox;
    struct runs *runs;
    _Atomic bool closed; /* the loop answers no more: whoever waits is told that it failed */
};

/* http_options.delete_run and end_run, with the desk as their ctx. HTTP threads, several at once; wait two seconds at most.
 * What is to be stored is handed to the store before they return. */
enum http_control run_control_delete_run(void *desk, int64_t run);
enum http_control run_control_end_run(void *desk, int64_t run);

#endif
