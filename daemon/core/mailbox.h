/* The way back to the loop: any thread posts a function and its argument, the loop thread calls it.
 *
 * Posts come out in the order they went in. There is no bound here: those who post have one (barriers
 * and run control wait for their answer, alerts and retired runs come from commits). */
#ifndef FORESHOCK_CORE_MAILBOX_H
#define FORESHOCK_CORE_MAILBOX_H

#include <uv.h>

struct mailbox;

typedef void (*mailbox_fn)(void *arg);

/* Loop thread. NULL: memory is short. */
struct mailbox *mailbox_new(uv_loop_t *loop);

/* Any thread. 0, or -1 when memory is short: `fn` is then not called. */
int mailbox_post(struct mailbox *mailbox, mailbox_fn fn, void *arg);

/* Calls what is still waiting, now. Loop thread. */
void mailbox_drain(struct mailbox *mailbox);

/* Loop thread, when nobody posts any more; frees itself once the loop has run its closing turn. */
void mailbox_close(struct mailbox *mailbox);

#endif
