/* The writer thread: takes what waits, commits it, hands what was committed to the sink, then spends a slice on checkpoints
 * and retention. */
#ifndef FORESHOCK_STORE_WRITER_H
#define FORESHOCK_STORE_WRITER_H

#include <sqlite3.h>

#include "daemon/store/apply.h"
#include "daemon/store/disk.h"
#include "daemon/store/queue.h"
#include "daemon/store/retention.h"

struct writer {
    /* Given before the thread starts. All but the options and the queue are the thread's alone while it runs. */
    const struct store_options *options;
    struct queue *queue;
    sqlite3 *db;
    struct disk *disk;
    struct apply *apply;
    struct retention *retention;
    int baselines_fd;
    /* Its own, zero at the start. */
    struct queue_times times;
    uint64_t retry_ms;           /* pause before the next try; 0: the last commit went well */
    uint64_t wal_bytes;          /* of the log since it was last begun anew */
    uint64_t checkpointed_bytes; /* of these, already in the database */
    uint64_t truncate_from_ms;
    bool retention_busy;
};

/* A thread's function; `writer` is a struct writer. Ends when the queue is closed and what waited is committed, or given up. */
void *writer_main(void *writer);

#endif
