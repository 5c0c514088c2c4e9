/* Run control: HTTP threads ask for the end or the deletion of a run. The loop owns runs, so it does it; the thread waits. */
#ifndef FORESHOCK_HTTP_RUN_CONTROL_H
#define FORESHOCK_HTTP_RUN_CONTROL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/mailbox.h"
#include "daemon/core/run_control_answer.h"

/* What the loop does; main fills it. Called on the loop thread. What is to be stored is handed to the store before they return. */
struct run_control_ops {
    enum run_control_answer (*delete_run)(void *ctx, int64_t run);
    enum run_control_answer (*end_run)(void *ctx, int64_t run);
    void *ctx;
};

struct run_control {
    struct mailbox *mailbox;
    struct run_control_ops ops;
    _Atomic bool closed; /* the loop answers no more: whoever waits gets RUN_CONTROL_FAILED */
};

/* For http_options.delete_run and end_run, whose ctx is the struct run_control. HTTP threads, several at once; they ask again while
 * the answer is BUSY, and wait two seconds at most. */
enum run_control_answer run_control_delete(void *control, int64_t run);
enum run_control_answer run_control_end(void *control, int64_t run);

#endif
