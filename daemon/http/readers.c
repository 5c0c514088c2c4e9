/* Idle readers on a stack under a mutex. */
#include "daemon/http/readers.h"

void readers_init(struct readers *readers, const char *state_dir)
{
    *readers = (struct readers){.state_dir = state_dir};
    pthread_mutex_init(&readers->lock, NULL);
}

void readers_close(struct readers *readers)
{
    while (readers->idle_count > 0)
        reader_close(&readers->idle[--readers->idle_count]);
    pthread_mutex_destroy(&readers->lock);
}

struct reader *readers_take(struct readers *readers, struct error *error)
{
    struct reader *reader = NULL;

    pthread_mutex_lock(&readers->lock);
    if (readers->idle_count > 0)
        reader = readers->idle[--readers->idle_count];
    pthread_mutex_unlock(&readers->lock);
    if (!reader && reader_open(&reader, readers->state_dir, error))
        return NULL;
    return reader;
}

void readers_give(struct readers *readers, struct reader *reader)
{
    pthread_mutex_lock(&readers->lock);
    if (readers->idle_count < READERS_IDLE_MAX) {
        readers->idle[readers->idle_count++] = reader;
        reader = NULL;
    }
    pthread_mutex_unlock(&readers->lock);
    reader_close(&reader);
}
