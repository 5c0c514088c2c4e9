/* The hub: ring, streams, heart beat. */
#include "daemon/http/events.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/clock.h"
#include "daemon/http/emitter.h"

struct event {
    uint64_t id;
    const char *type;
    char *text; /* run key, NUL, JSON, NUL */
    size_t size;
};

struct events_stream {
    struct events *events;
    struct events_stream *next;
    struct events_reader reader;
    uint64_t next_id; /* the first event that it has not read */
    uint64_t beat;    /* the last heart beat that it has read */
    bool waiting;
    char *run_key; /* NULL: all */
    char *pending; /* what is being written, from `pending_at` on */
    size_t pending_at, pending_size;
};

struct events {
    pthread_mutex_t lock;
    pthread_cond_t ending;
    pthread_t beater;
    struct stats *stats;
    unsigned beat_seconds;
    uint64_t beat;
    bool ended;
    struct event ring[EVENTS_RING]; /* event `id` lies at id % EVENTS_RING */
    uint64_t oldest_id, next_id;    /* kept are [oldest_id, next_id) */
    size_t bytes;
    struct events_stream *streams;
    unsigned streams_count;
};

static void wake_all(struct events *events)
{
    for (struct events_stream *stream = events->streams; stream; stream = stream->next) {
        if (!stream->waiting)
            continue;
        stream->waiting = false;
        stream->reader.wake(stream->reader.ctx);
    }
}

/* The thread that makes every stream write a comment now and then: only a write finds out that a
 * client has gone. */
static void *run_beats(void *ctx)
{
    struct events *events = ctx;
    uint64_t until_ms = clock_ms();

    pthread_mutex_lock(&events->lock);
    while (!events->ended) {
        until_ms += 1000 * (uint64_t)events->beat_seconds;
        while (!events->ended && clock_cond_wait(&events->ending, &events->lock, until_ms))
            continue;
        events->beat++;
        wake_all(events);
    }
    pthread_mutex_unlock(&events->lock);
    return NULL;
}

/* Microseconds since 1970: above every id that an earlier start has given. */
static uint64_t first_id(void)
{
    return (uint64_t)(1e6 * clock_wall());
}

struct events *events_new(struct stats *stats, unsigned beat_seconds)
{
    struct events *events = calloc(1, sizeof *events);

    if (!events)
        return NULL;
    events->stats = stats;
    events->beat_seconds = beat_seconds ? beat_seconds : EVENTS_BEAT_SECONDS;
    events->next_id = events->oldest_id = first_id();
    pthread_mutex_init(&events->lock, NULL);
    clock_cond_init(&events->ending);
    if (pthread_create(&events->beater, NULL, run_beats, events)) {
        pthread_cond_destroy(&events->ending);
        pthread_mutex_destroy(&events->lock);
        free(events);
        return NULL;
    }
    return events;
}

void events_end(struct events *events)
{
    pthread_mutex_lock(&events->lock);
    events->ended = true;
    pthread_cond_signal(&events->ending);
    wake_all(events);
    pthread_mutex_unlock(&events->lock);
}

static void drop_oldest_event(struct events *events)
{
    struct event *event = &events->ring[events->oldest_id++ % EVENTS_RING];

    events->bytes -= event->size;
    free(event->text);
    *event = (struct event){0};
}

void events_free(struct events *events)
{
    if (!events)
        return;
    events_end(events);
    pthread_join(events->beater, NULL);
    while (events->oldest_id < events->next_id)
        drop_oldest_event(events);
    pthread_cond_destroy(&events->ending);
    pthread_mutex_destroy(&events->lock);
    free(events);
}

void events_publish(struct events *events, const char *type, const char *run_key, const char *json)
{
    size_t key_size = strlen(run_key) + 1, json_size = strlen(json) + 1;
    char *text = malloc(key_size + json_size);

    if (text) {
        memcpy(text, run_key, key_size);
        memcpy(text + key_size, json, json_size);
    }
    pthread_mutex_lock(&events->lock);
    uint64_t id = events->next_id++;
    if (!text) {
        /* Everything before the gap goes too, so that every stream that has not read it finds the
         * gap. */
        while (events->oldest_id < id)
            drop_oldest_event(events);
        events->oldest_id = events->next_id;
    } else {
        if (id - events->oldest_id == EVENTS_RING)
            drop_oldest_event(events);
        events->ring[id % EVENTS_RING] = (struct event){id, type, text, key_size + json_size};
        events->bytes += key_size + json_size;
        while (events->bytes > EVENTS_BYTES_MAX && events->oldest_id < id)
            drop_oldest_event(events);
    }
    wake_all(events);
    pthread_mutex_unlock(&events->lock);
}

/* Where a stream begins: an id that the ring cannot follow on from is left as it is, and the first
 * read makes a reset. */
static uint64_t start_behind(const struct events *events, uint64_t last_id)
{
    return last_id ? last_id + 1 : events->next_id;
}

struct events_stream *events_open(struct events *events, uint64_t last_id, const char *run_key,
    unsigned streams_max, const struct events_reader *reader)
{
    static const char hello[] = "retry: 2000\n\n";
    struct events_stream *stream = calloc(1, sizeof *stream);

    if (!stream)
        return NULL;
    stream->events = events;
    stream->reader = *reader;
    stream->pending = strdup(hello);
    stream->pending_size = sizeof hello - 1;
    if (run_key && *run_key)
        stream->run_key = strdup(run_key);
    pthread_mutex_lock(&events->lock);
    bool ok = stream->pending && (stream->run_key || !run_key || !*run_key) && !events->ended &&
              events->streams_count < streams_max;
    if (ok) {
        stream->next_id = start_behind(events, last_id);
        stream->beat = events->beat;
        stream->next = events->streams;
        events->streams = stream;
        events->streams_count++;
        stats_set(&events->stats->sse_clients, events->streams_count);
    }
    pthread_mutex_unlock(&events->lock);
    if (ok)
        return stream;
    free(stream->pending);
    free(stream->run_key);
    free(stream);
    return NULL;
}

void events_close(struct events_stream *stream)
{
    struct events *events = stream->events;

    pthread_mutex_lock(&events->lock);
    struct events_stream **link = &events->streams;
    while (*link != stream)
        link = &(*link)->next;
    *link = stream->next;
    events->streams_count--;
    stats_set(&events->stats->sse_clients, events->streams_count);
    pthread_mutex_unlock(&events->lock);
    free(stream->pending);
    free(stream->run_key);
    free(stream);
}

/* The functions below make the next piece of a stream, malloc'ed in `pending`. Under the lock. */

static void set_pending(struct events_stream *stream, char *text, int size)
{
    free(stream->pending);
    stream->pending = size < 0 ? NULL : text;
    stream->pending_at = 0;
    stream->pending_size = size < 0 ? 0 : (size_t)size;
}

static void make_reset(struct events_stream *stream)
{
    struct events *events = stream->events;
    char *text;
    uint64_t lost = stream->next_id < events->next_id ? events->next_id - stream->next_id : 0;

    /* The id of the newest event, so that a reconnect goes on from here. */
    int size = asprintf(&text,
        "id: %" PRIu64
        "\nevent: reset\ndata: {\"reason\":\"events were lost; ask again for all\"}\n\n",
        events->next_id - 1);
    set_pending(stream, text, size);
    /* A resumed stream may name an id of an earlier life: what it missed then is not known. */
    if (lost <= UINT64_C(2) * EVENTS_RING)
        stats_add(&events->stats->sse_dropped_total, lost);
    stream->next_id = events->next_id;
}

static void make_event(struct events_stream *stream, const struct event *event)
{
    char *text;
    const char *json = event->text + strlen(event->text) + 1;
    int size =
        asprintf(&text, "id: %" PRIu64 "\nevent: %s\ndata: %s\n\n", event->id, event->type, json);

    set_pending(stream, text, size);
}

static bool wanted(const struct events_stream *stream, const struct event *event)
{
    return !stream->run_key || !strcmp(stream->run_key, event->text);
}

static bool make_next(struct events_stream *stream)
{
    struct events *events = stream->events;

    if (stream->beat != events->beat) {
        stream->beat = events->beat;
        char *text = strdup(":\n\n");
        set_pending(stream, text, text ? 3 : -1);
        return true;
    }
    if (stream->next_id < events->oldest_id || stream->next_id > events->next_id) {
        make_reset(stream);
        return true;
    }
    while (stream->next_id < events->next_id) {
        const struct event *event = &events->ring[stream->next_id++ % EVENTS_RING];
        if (wanted(stream, event)) {
            make_event(stream, event);
            return true;
        }
    }
    return false;
}

ssize_t events_read(struct events_stream *stream, char *buffer, size_t size)
{
    struct events *events = stream->events;
    ssize_t got = EVENTS_END;

    pthread_mutex_lock(&events->lock);
    if (events->ended)
        goto out;
    if (stream->pending_at == stream->pending_size && !make_next(stream)) {
        stream->waiting = true;
        stream->reader.wait(stream->reader.ctx);
        got = 0;
        goto out;
    }
    size_t left = stream->pending_size - stream->pending_at;
    if (left == 0) /* memory was short: end, so that the client comes back */
        goto out;
    size_t take = left < size ? left : size;
    memcpy(buffer, stream->pending + stream->pending_at, take);
    stream->pending_at += take;
    got = (ssize_t)take;
out:
    pthread_mutex_unlock(&events->lock);
    return got;
}
