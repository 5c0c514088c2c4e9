/* The hub of events: order, filters, resumption, overflow, waiting, several threads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/http/events.h"

enum { MANY_SECONDS = 1000 };

static struct stats stats;

struct client {
    atomic_int waits, wakes;
    struct events_stream *stream;
};

static void on_wait(void *ctx)
{
    atomic_fetch_add(&((struct client *)ctx)->waits, 1);
}

static void on_wake(void *ctx)
{
    atomic_fetch_add(&((struct client *)ctx)->wakes, 1);
}

static void open_client(
    struct client *client, struct events *events, uint64_t last_id, const char *run)
{
    *client = (struct client){0};
    client->stream =
        events_open(events, last_id, run, 4, &(struct events_reader){on_wait, on_wake, client});
}

/* All that can be read now, in small bites. */
static char *read_all(struct client *client)
{
    static char text[8 * 1024 * 1024];
    size_t used = 0;
    ssize_t got;

    while ((got = events_read(client->stream, text + used, 7)) > 0) {
        used += (size_t)got;
        assert_true(used < sizeof text - 8);
    }
    assert_int_equal(got, 0);
    text[used] = '\0';
    return text;
}

static uint64_t last_id_in(const char *text)
{
    uint64_t id = 0;

    for (const char *at = text; (at = strstr(at, "id: ")); at++)
        id = strtoull(at + 4, NULL, 10);
    return id;
}

static void test_order_and_wait(void **state)
{
    struct events *events = events_new(&stats, MANY_SECONDS);
    struct client client;

    events_publish(events, "sample", "a", "{\"before\":1}");
    open_client(&client, events, 0, NULL);
    assert_string_equal(read_all(&client), "retry: 2000\n\n");
    assert_int_equal(client.waits, 1);
    events_publish(events, "sample", "a", "{\"n\":1}");
    assert_int_equal(client.wakes, 1);
    events_publish(events, "alert", "b", "{\"n\":2}");
    assert_int_equal(client.wakes, 1);
    const char *text = read_all(&client);
    const char *first = strstr(text, "event: sample\ndata: {\"n\":1}\n\n");
    const char *second = strstr(text, "event: alert\ndata: {\"n\":2}\n\n");
    assert_true(first && second && first < second);
    assert_null(strstr(text, "before"));
    assert_int_equal(stats_get(&stats.sse_clients), 1);
    events_close(client.stream);
    assert_int_equal(stats_get(&stats.sse_clients), 0);
    events_free(events);
}

static void test_filter_and_resume(void **state)
{
    struct events *events = events_new(&stats, MANY_SECONDS);
    struct client client;

    open_client(&client, events, 0, "a");
    events_publish(events, "sample", "b", "{\"other\":1}");
    events_publish(events, "sample", "a", "{\"n\":1}");
    const char *text = read_all(&client);
    assert_null(strstr(text, "other"));
    uint64_t id = last_id_in(text);
    events_close(client.stream);

    events_publish(events, "sample", "a", "{\"n\":2}");
    open_client(&client, events, id, "a");
    text = read_all(&client);
    assert_non_null(strstr(text, "{\"n\":2}"));
    assert_null(strstr(text, "{\"n\":1}"));
    assert_null(strstr(text, "reset"));
    events_close(client.stream);
    events_free(events);
}

static void test_unknown_id_is_reset(void **state)
{
    struct events *events = events_new(&stats, MANY_SECONDS);
    struct client client;

    events_publish(events, "sample", "a", "{}");
    open_client(&client, events, 12, NULL);
    assert_non_null(strstr(read_all(&client), "event: reset\n"));
    events_close(client.stream);
    open_client(&client, events, UINT64_MAX - 1, NULL);
    uint64_t id = last_id_in(read_all(&client));
    assert_true(id > 12 && id < UINT64_MAX - 1);
    events_close(client.stream);
    open_client(&client, events, id, NULL);
    assert_null(strstr(read_all(&client), "reset"));
    events_close(client.stream);
    events_free(events);
}

static void test_slow_client(void **state)
{
    struct events *events = events_new(&stats, MANY_SECONDS);
    struct client client;

    stats_set(&stats.sse_dropped_total, 0);
    open_client(&client, events, 0, NULL);
    read_all(&client);
    for (int i = 0; i < EVENTS_RING + 5; i++)
        events_publish(events, "sample", "a", "{\"n\":0}");
    events_publish(events, "sample", "a", "{\"n\":1}");
    const char *text = read_all(&client);
    assert_ptr_equal(strstr(text, "event: reset\n"), strstr(text, "event: "));
    assert_int_equal(stats_get(&stats.sse_dropped_total), EVENTS_RING + 6);
    events_publish(events, "sample", "a", "{\"n\":2}");
    assert_non_null(strstr(read_all(&client), "{\"n\":2}"));
    events_close(client.stream);
    events_free(events);
}

static void test_bytes_are_bounded(void **state)
{
    struct events *events = events_new(&stats, MANY_SECONDS);
    struct client client;
    char *big = malloc(EVENTS_BYTES_MAX / 4);

    assert_non_null(big);
    memset(big, '1', EVENTS_BYTES_MAX / 4);
    big[EVENTS_BYTES_MAX / 4 - 1] = '\0';
    open_client(&client, events, 0, NULL);
    read_all(&client);
    for (int i = 0; i < 6; i++)
        events_publish(events, "sample", "a", big);
    assert_non_null(strstr(read_all(&client), "event: reset\n"));
    events_close(client.stream);
    events_free(events);
    free(big);
}

static void test_limit_and_end(void **state)
{
    struct events *events = events_new(&stats, MANY_SECONDS);
    struct client clients[5];
    char byte;

    for (int i = 0; i < 5; i++)
        open_client(&clients[i], events, 0, NULL);
    assert_non_null(clients[3].stream);
    assert_null(clients[4].stream);
    read_all(&clients[0]);
    events_end(events);
    assert_int_equal(clients[0].wakes, 1);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(events_read(clients[i].stream, &byte, 1), EVENTS_END);
        events_close(clients[i].stream);
    }
    open_client(&clients[4], events, 0, NULL);
    assert_null(clients[4].stream);
    events_free(events);
}

static void test_beat(void **state)
{
    struct events *events = events_new(&stats, 1);
    struct client client;

    open_client(&client, events, 0, NULL);
    read_all(&client);
    for (int i = 0; i < 300 && !client.wakes; i++)
        usleep(10000);
    assert_string_equal(read_all(&client), ":\n\n");
    events_close(client.stream);
    events_free(events);
}

enum { PUBLISHERS = 3, EACH = 1000 };

static void *publish_many(void *ctx)
{
    for (int i = 0; i < EACH; i++)
        events_publish(ctx, "sample", "a", "{\"x\":1}");
    return NULL;
}

static void test_threads(void **state)
{
    struct events *events = events_new(&stats, MANY_SECONDS);
    struct client client;
    pthread_t threads[PUBLISHERS];
    size_t seen = 0;

    open_client(&client, events, 0, NULL);
    for (int i = 0; i < PUBLISHERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, publish_many, events), 0);
    while (seen < PUBLISHERS * EACH) {
        for (const char *at = read_all(&client); (at = strstr(at, "data: ")); at++)
            seen++;
    }
    for (int i = 0; i < PUBLISHERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(seen, PUBLISHERS * EACH);
    events_close(client.stream);
    events_free(events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_wait),
        cmocka_unit_test(test_filter_and_resume),
        cmocka_unit_test(test_unknown_id_is_reset),
        cmocka_unit_test(test_slow_client),
        cmocka_unit_test(test_bytes_are_bounded),
        cmocka_unit_test(test_limit_and_end),
        cmocka_unit_test(test_beat),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
