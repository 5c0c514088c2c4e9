/* The hub of server-sent events: a bounded ring that any thread publishes to, and one cursor for
 * each open stream.
 *
 * Knows nothing of HTTP: a stream is asked to `wait` when it has read everything and to `wake` when
 * there is more; both are called under the hub's lock, so that no wake is lost. Ids grow over
 * restarts of the daemon. */
#ifndef FORESHOCK_HTTP_EVENTS_H
#define FORESHOCK_HTTP_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/core/stats.h"

struct events;
struct events_stream;

enum {
    EVENTS_RING = 8192,                 /* events kept */
    EVENTS_BYTES_MAX = 8 * 1024 * 1024, /* of their texts */
    EVENTS_BEAT_SECONDS = 10,           /* between comment lines of a stream */
};

/* `beat_seconds` 0: EVENTS_BEAT_SECONDS. NULL when memory or threads are short. */
struct events *events_new(struct stats *stats, unsigned beat_seconds);
void events_free(struct events *events); /* after every stream was closed; safe on NULL */

/* `type` is a static string; `json` one line of JSON, copied, as is `run_key` ("" if of no run).
 * Any thread; never waits for a client. Without memory the event is dropped and the streams find a
 * gap (`reset`). */
void events_publish(struct events *events, const char *type, const char *run_key, const char *json);

/* No stream waits from here on: all are woken and read EVENTS_END. */
void events_end(struct events *events);

struct events_reader {
    void (*wait)(void *ctx);
    void (*wake)(void *ctx);
    void *ctx;
};

/* Begins behind the event `last_id`, or with the next one if 0. `run_key` NULL or "": all runs. At
 * most `streams_max` streams are open at a time: NULL above it, or without memory. */
struct events_stream *events_open(struct events *events, uint64_t last_id, const char *run_key,
    unsigned streams_max, const struct events_reader *reader);
void events_close(struct events_stream *stream);

/* The next bytes of the stream: > 0 written to `buffer`; 0 after `wait` was called; EVENTS_END. One
 * thread at a time. */
enum { EVENTS_END = -1 };
ssize_t events_read(struct events_stream *stream, char *buffer, size_t size);

#endif
