/* Posts from any thread to the loop; see mailbox.h. */
#include "daemon/core/mailbox.h"

#include <stdlib.h>
#include <utlist.h>

struct mailbox_item {
    mailbox_fn fn;
    void *arg;
    struct mailbox_item *prev, *next;
};

struct mailbox {
    uv_async_t async;
    uv_mutex_t mutex;
    struct mailbox_item *posts; /* under mutex */
};

static void on_async(uv_async_t *async)
{
    mailbox_drain(async->data);
}

struct mailbox *mailbox_new(uv_loop_t *loop)
{
    struct mailbox *mailbox = calloc(1, sizeof *mailbox);

    if (!mailbox)
        return NULL;
    if (uv_mutex_init(&mailbox->mutex) != 0)
        goto no_mutex;
    if (uv_async_init(loop, &mailbox->async, on_async) != 0)
        goto no_async;
    mailbox->async.data = mailbox;
    return mailbox;

no_async:
    uv_mutex_destroy(&mailbox->mutex);
no_mutex:
    free(mailbox);
    return NULL;
}

int mailbox_post(struct mailbox *mailbox, mailbox_fn fn, void *arg)
{
    struct mailbox_item *post = calloc(1, sizeof *post);

    if (!post)
        return -1;
    post->fn = fn;
    post->arg = arg;
    uv_mutex_lock(&mailbox->mutex);
    DL_APPEND(mailbox->posts, post);
    uv_mutex_unlock(&mailbox->mutex);
    uv_async_send(&mailbox->async);
    return 0;
}

void mailbox_drain(struct mailbox *mailbox)
{
    struct mailbox_item *posts, *post, *next;

    uv_mutex_lock(&mailbox->mutex);
    posts = mailbox->posts;
    mailbox->posts = NULL;
    uv_mutex_unlock(&mailbox->mutex);
    DL_FOREACH_SAFE (posts, post, next) {
        post->fn(post->arg);
        free(post);
    }
}

static void on_mailbox_closed(uv_handle_t *handle)
{
    struct mailbox *mailbox = handle->data;

    uv_mutex_destroy(&mailbox->mutex);
    free(mailbox);
}

void mailbox_close(struct mailbox *mailbox)
{
    mailbox_drain(mailbox);
    uv_close((uv_handle_t *)&mailbox->async, on_mailbox_closed);
}
