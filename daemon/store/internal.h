/* What the parts of the store share. */
#ifndef FORESHOCK_STORE_INTERNAL_H
#define FORESHOCK_STORE_INTERNAL_H

#include <pthread.h>
#include <sqlite3.h>

#include "daemon/store/apply.h"
#include "daemon/store/disk.h"
#include "daemon/store/queue.h"
#include "daemon/store/retention.h"
#include "daemon/store/statedir.h"
#include "daemon/store/store.h"

#define STORE_DATABASE "foreshock.db"

struct store {
    struct store_options options; /* state_dir is dir.path */
    struct statedir dir;
    struct disk disk;
    char *db_path;
    int64_t last_run_id, last_layer_id;
    _Atomic int64_t last_silence_id;
    int64_t notifiers; /* when it was opened */
    struct queue queue;
    bool queue_made, writer_started;
    pthread_t writer;
    /* Below: the writer thread's, once it runs (but for apply.silencer.next_expiry and apply.alert_ids.last). */
    sqlite3 *db;
    struct apply apply;
    struct retention retention;
};

/* Writes one line to the log; `error` false: routine. Any thread. */
__attribute__((format(printf, 3, 4))) void store_log(
    const struct store_options *options, bool error, const char *format, ...);

#endif
