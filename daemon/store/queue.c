/* A list under a mutex. The critical sections are a few instructions; nobody waits for the disk
 * here. */
#include "daemon/store/queue.h"

#include "daemon/core/clock.h"

int queue_init(struct queue *queue)
{
    *queue = (struct queue){0};
    queue->tail = &queue->head;
    if (pthread_mutex_init(&queue->mutex, NULL))
        return -1;
    if (clock_cond_init(&queue->wake) == 0)
        return 0;
    pthread_mutex_destroy(&queue->mutex);
    return -1;
}

void queue_destroy(struct queue *queue)
{
    pthread_cond_destroy(&queue->wake);
    pthread_mutex_destroy(&queue->mutex);
}

/* Whether less than the bounds, each less a share of `reserved`, is there. */
static bool is_below_bound(const struct queue *queue, size_t reserved)
{
    return queue->count < STORE_QUEUE_MAX - reserved * (STORE_QUEUE_MAX / STORE_QUEUE_RESERVE) &&
           queue->bytes <
               STORE_QUEUE_BYTES_MAX - reserved * (STORE_QUEUE_BYTES_MAX / STORE_QUEUE_RESERVE) &&
           !queue->closing;
}

/* What waits should not wait for the next turn: somebody listens, or the bound is near. */
static bool is_pressing(const struct queue *queue)
{
    return queue->urgent > 0 || queue->count > STORE_QUEUE_MAX / 2 ||
           queue->bytes > STORE_QUEUE_BYTES_MAX / 2;
}

int queue_put(struct queue *queue, struct store_batch *batch)
{
    pthread_mutex_lock(&queue->mutex);
    bool room = is_below_bound(queue, 0);
    if (room) {
        if (queue->count == 0)
            queue->progress_ms = clock_ms();
        batch->next = NULL;
        *queue->tail = batch;
        queue->tail = &batch->next;
        queue->count++;
        queue->bytes += batch->bytes;
        queue->urgent += batch->urgent;
        if (queue->head == batch || is_pressing(queue))
            pthread_cond_signal(&queue->wake);
    }
    pthread_mutex_unlock(&queue->mutex);
    return room ? 0 : -1;
}

bool queue_has_room(struct queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    bool room = is_below_bound(queue, 1);
    pthread_mutex_unlock(&queue->mutex);
    return room;
}

uint64_t queue_stalled_ms(struct queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    uint64_t stalled = queue->count > 0 ? clock_ms() - queue->progress_ms : 0;
    pthread_mutex_unlock(&queue->mutex);
    return stalled;
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->closing = true;
    pthread_cond_signal(&queue->wake);
    pthread_mutex_unlock(&queue->mutex);
}

static uint64_t commit_due(const struct queue *queue, const struct queue_times *times)
{
    if (!queue->head)
        return UINT64_MAX;
    return is_pressing(queue) && times->urgent_ms < times->commit_ms ? times->urgent_ms
                                                                     : times->commit_ms;
}

bool queue_wait(struct queue *queue, const struct queue_times *times, bool *closing)
{
    pthread_mutex_lock(&queue->mutex);
    uint64_t now = clock_ms(), due = commit_due(queue, times);
    while (!queue->closing && now < due && now < times->turn_ms) {
        clock_cond_wait(&queue->wake, &queue->mutex, due < times->turn_ms ? due : times->turn_ms);
        now = clock_ms();
        due = commit_due(queue, times);
    }
    *closing = queue->closing;
    pthread_mutex_unlock(&queue->mutex);
    return now >= due;
}

struct store_batch *queue_take(struct queue *queue, size_t bytes, bool *more)
{
    pthread_mutex_lock(&queue->mutex);
    struct store_batch *taken = queue->head, **end = &taken;
    size_t sum = 0;
    for (; *end && sum < bytes; end = &(*end)->next) {
        sum += (*end)->bytes;
        queue->urgent -= (*end)->urgent;
    }
    queue->head = *end;
    *end = NULL;
    *more = queue->head != NULL;
    if (!*more)
        queue->tail = &queue->head;
    pthread_mutex_unlock(&queue->mutex);
    return taken;
}

void queue_return(struct queue *queue, struct store_batch *batches)
{
    struct store_batch **end = &batches;
    size_t urgent = 0;
    for (; *end; end = &(*end)->next)
        urgent += (*end)->urgent;
    pthread_mutex_lock(&queue->mutex);
    *end = queue->head;
    if (!queue->head)
        queue->tail = end;
    queue->head = batches;
    queue->urgent += urgent;
    pthread_mutex_unlock(&queue->mutex);
}

void queue_done(struct queue *queue, size_t count, size_t bytes)
{
    pthread_mutex_lock(&queue->mutex);
    queue->count -= count;
    queue->bytes -= bytes;
    queue->progress_ms = clock_ms();
    pthread_mutex_unlock(&queue->mutex);
}
