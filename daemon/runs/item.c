/* See item.h. */
#include "daemon/runs/item.h"

#include <stdlib.h>
#include <utlist.h>

#include "daemon/runs/barriers.h"

uint64_t item_tensors(const struct item *item)
{
    const struct item *other;
    uint64_t count = item->session != NULL;

    DL_FOREACH (item->others, other)
        count++;
    return count;
}

bool item_is_lossless(const struct item *item)
{
    const struct item *other;

    DL_FOREACH (item->others, other)
        if (other->session->lossless)
            return true;
    return item->session->lossless;
}

bool item_is_from(const struct item *item, const struct session *session)
{
    const struct item *other;

    DL_FOREACH (item->others, other)
        if (other->session == session)
            return true;
    return item->session == session;
}

void item_lose(struct item *item)
{
    struct item *other;

    session_lose_sample(item->session, item->queue, item->task.step);
    DL_FOREACH (item->others, other)
        session_lose_sample(other->session, item->queue, item->task.step);
}

static void finish_one(struct item *item)
{
    struct session *session = item->session;

    block_task_clear(&item->task);
    if (session) {
        DL_DELETE2(session->undone, item, earlier, later);
        barriers_check(session);
    }
    free(item);
}

void item_done(struct item *item)
{
    struct item *other, *next;

    DL_FOREACH_SAFE (item->others, other, next)
        finish_one(other);
    finish_one(item);
}

void item_free(struct item *item)
{
    struct item *other, *next;

    DL_FOREACH_SAFE (item->others, other, next)
        free(other);
    block_task_clear(&item->task);
    free(item);
}
