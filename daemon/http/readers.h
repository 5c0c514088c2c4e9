/* A pool of database readers: each request takes one, or opens one where none is idle. Any thread.
 */
#ifndef FORESHOCK_HTTP_READERS_H
#define FORESHOCK_HTTP_READERS_H

#include <pthread.h>
#include <stddef.h>

#include "daemon/store/reader.h"

enum { READERS_IDLE_MAX = 4 };

struct readers {
    pthread_mutex_t lock;
    const char *state_dir;
    struct reader *idle[READERS_IDLE_MAX];
    size_t idle_count;
};

void readers_init(struct readers *readers, const char *state_dir);
void readers_close(struct readers *readers); /* when all were given back */

/* NULL and `error` if none can be opened. */
struct reader *readers_take(struct readers *readers, struct error *error);
void readers_give(struct readers *readers, struct reader *reader);

#endif
