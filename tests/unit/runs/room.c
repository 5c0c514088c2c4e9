/* See room.h. */
#include "tests/unit/runs/room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/core/limits.h"
#include "daemon/ingest/peers.h"
#include "tests/unit/store/fixture.h"
#include "tests/unit/virtual_clock.h"

static bool on_publish(
    void *ctx, int64_t run, struct store_batch *batch, const struct figure *figures, size_t count)
{
    struct room *room = ctx;

    (void)run;
    for (size_t i = 0; i < count && room->figure_count < ROOM_FIGURES; i++)
        room->figures[room->figure_count++] = figures[i];
    return batch && store_submit(room->store, batch) == 0;
}

static void on_attempt(void *ctx, int64_t run, const char *key, uint32_t attempt)
{
    struct room *room = ctx;

    (void)run;
    (void)key;
    (void)attempt;
    room->attempts++;
}

static void on_begins(void *ctx, int64_t run, int64_t step)
{
    struct room *room = ctx;

    (void)run;
    (void)step;
    room->begins++;
}

static void on_layer(
    void *ctx, int64_t run, int64_t layer, const char *name, const char *role, const char *block)
{
    (void)ctx;
    (void)run;
    (void)layer;
    (void)name;
    (void)role;
    (void)block;
}

static void on_lost(void *ctx, int64_t run, bool on, int64_t step, const char *text)
{
    struct room *room = ctx;

    (void)run;
    (void)step;
    (void)text;
    room->losses += on;
    room->returns += !on;
}

static void on_damaged(
    void *ctx, int64_t run, int64_t layer, bool on, int64_t step, const char *text)
{
    (void)ctx;
    (void)run;
    (void)layer;
    (void)step;
    if (on)
        fail_msg("a baseline is damaged: %s", text);
}

static void on_ended(void *ctx, int64_t run)
{
    struct room *room = ctx;

    (void)run;
    room->ends++;
}

static void on_forget(void *ctx, int64_t run)
{
    struct room *room = ctx;

    (void)run;
    room->forgotten++;
}

static void on_firing(
    void *ctx, int64_t run, void (*each)(void *each_ctx, const struct wire_alert *), void *each_ctx)
{
    (void)ctx;
    (void)run;
    (void)each;
    (void)each_ctx;
}

static void start(struct room *room)
{
    const struct store_options store = {
        .state_dir = room->dir, .retention_bytes = UINT64_MAX, .stats = &room->stats};
    const char *endpoints[] = {room->endpoint};
    struct error error;

    if (store_open(&room->store, &store, &error) != STORE_OK)
        fail_msg("store_open: %s", error.text);
    uv_loop_init(&room->loop);
    room->mailbox = mailbox_new(&room->loop);
    room->options.loop = &room->loop;
    room->options.mailbox = room->mailbox;
    room->options.store = room->store;
    room->runs = runs_new(&room->options);
    assert_non_null(room->runs);
    if (runs_restore(room->runs, &error) != 0)
        fail_msg("runs_restore: %s", error.text);
    room->ops = runs_ingest_ops(room->runs);
    room->ingest = ingest_new(&room->loop,
        &(struct ingest_options){.endpoints = endpoints,
            .endpoint_count = 1,
            .memory_bytes = 1 << 20,
            .tensor_bytes = 1 << 20,
            .lease_seconds = ROOM_LEASE_SECONDS,
            .heartbeat_seconds = 60,
            .sample_deadline_seconds = 60,
            .sessions_max = 100,
            .stats = &room->stats,
            .ops = room->ops},
        &error);
    if (!room->ingest)
        fail_msg("ingest_new: %s", error.text);
    assert_int_equal(runs_attach(room->runs, room->ingest), 0);
}

static void stop(struct room *room)
{
    ingest_close(room->ingest);
    runs_stop(room->runs);
    store_close(&room->store); /* the last barriers come out of it */
    mailbox_drain(room->mailbox);
    mailbox_close(room->mailbox);
    uv_run(&room->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&room->loop), 0);
    runs_free(room->runs);
    assert_int_equal(stats_get(&room->stats.ingest_bytes), 0);
    assert_int_equal(stats_get(&room->stats.shard_bytes), 0);
    assert_int_equal(stats_get(&room->stats.kept_bytes), 0);
    assert_int_equal(stats_get(&room->stats.partner_bytes), 0);
}

int room_setup(void **state)
{
    struct room *room = calloc(1, sizeof *room);

    assert_non_null(room);
    strcpy(room->dir, "/tmp/foreshock-runs-XXXXXX");
    assert_non_null(mkdtemp(room->dir));
    snprintf(room->endpoint, sizeof room->endpoint, "ipc://%s/socket", room->dir);
    room->options = (struct runs_options){
        .stats = &room->stats,
        .workers = 1,
        .kept_bytes = 1 << 20,
        .runs_max = 8,
        .layers_max = 8,
        .memory_bytes = 1 << 20,
        .sample_deadline_seconds = 3600,
        .shard_deadline_seconds = 3600,
        .out = {.publish = on_publish,
            .attempt = on_attempt,
            .begins = on_begins,
            .layer = on_layer,
            .lost = on_lost,
            .damaged = on_damaged,
            .ended = on_ended,
            .forget = on_forget,
            .firing = on_firing,
            .ctx = room},
    };
    virtual_clock_use();
    start(room);
    *state = room;
    return 0;
}

int room_teardown(void **state)
{
    struct room *room = *state;

    stop(room);
    virtual_clock_end();
    fixture_remove(room->dir);
    free(room);
    return 0;
}

void room_restart(struct room *room)
{
    stop(room);
    stats_set(&room->stats.sessions, 0);
    stats_set(&room->stats.runs_running, 0);
    start(room);
}

static struct wire_str str(const char *text)
{
    return (struct wire_str){text, strlen(text)};
}

struct session *room_hello(struct room *room, const char *run, const char *session, uint32_t rank,
    bool lossless, struct wire_fault *fault)
{
    struct wire_hello hello = {.run = str(run),
        .session = str(session),
        .rank = rank,
        .world = 2,
        .client = str("test"),
        .lossless = lossless};
    struct origin origin = {.uid = getuid(), .pid = getpid()};
    struct peer *peer = ingest_expect(room->ingest, run, session, NULL);
    struct wire_fault unwanted;
    void *known = NULL;
    uint32_t attempt = 0;

    assert_non_null(peer);
    if (room->ops.hello(room->ops.ctx, peer, &hello, &origin, &known, &attempt,
            fault ? fault : &unwanted) != 0) {
        if (!fault)
            fail_msg("hello: %s: expected %s", unwanted.field, unwanted.expected);
        return NULL;
    }
    peer->session = known; /* as the ingest does after a hello */
    room->ops.welcomed(room->ops.ctx, known);
    assert_int_equal(attempt, ((struct session *)known)->attempt);
    return known;
}

void room_bye(struct room *room, struct session *session)
{
    room->ops.bye(room->ops.ctx, session);
}

void room_lose_lease(struct room *room, struct session *session)
{
    room->ops.lost(room->ops.ctx, session);
}

void room_rewind(struct room *room, struct session *session, uint64_t step)
{
    struct wire_fault fault;

    assert_int_equal(room->ops.rewind(room->ops.ctx, session, step, &fault), 0);
}

void room_declare(struct room *room, struct session *session, uint32_t number, const char *name,
    const char *block, const char *role)
{
    struct wire_layer layer = {.layer = number,
        .name = str(name),
        .shape = {ROOM_ROWS, ROOM_ROWS},
        .dtype = str("float32"),
        .role = str(role),
        .block = str(block)};
    struct wire_fault fault;

    if (room->ops.layer(room->ops.ctx, session, &layer, &fault) != 0)
        fail_msg("layer: %s: expected %s", fault.field, fault.expected);
}

static struct wire_tensor header_of(uint32_t number, uint64_t step)
{
    return (struct wire_tensor){.kind = WIRE_WEIGHTS,
        .layer = number,
        .step = step,
        .dtype = str("float32"),
        .shape = {ROOM_ROWS, ROOM_ROWS},
        .total = ROOM_ROWS * ROOM_ROWS * sizeof(float)};
}

static struct tensor *tensor_of(struct room *room, uint32_t number, uint64_t step)
{
    size_t count = ROOM_ROWS * ROOM_ROWS, bytes = count * sizeof(float);
    struct tensor *tensor = tensor_new(bytes, &room->stats.ingest_bytes);
    float *data = malloc(bytes);

    assert_non_null(tensor);
    assert_non_null(data);
    for (size_t i = 0; i < count; i++)
        data[i] = (float)((i * 37 + number * 11) % 23) + 0.01f * (float)step;
    assert_int_equal(tensor_add_piece(tensor, data, bytes, data, free), 0);
    return tensor;
}

int room_send(struct room *room, struct session *session, uint32_t number, uint64_t step)
{
    struct wire_tensor header = header_of(number, step);
    struct wire_fault fault;
    int rc = room->ops.tensor_begin(room->ops.ctx, session, &header, &fault);

    if (rc == 0)
        room->ops.tensor(room->ops.ctx, session, &header, tensor_of(room, number, step));
    return rc;
}

uint64_t room_drop(struct room *room, struct session *session, uint32_t number, uint64_t step)
{
    struct wire_tensor header = header_of(number, step);

    return room->ops.tensor_lost(room->ops.ctx, session, &header, true);
}

void room_log(struct room *room, struct session *session, const char *name, uint64_t step)
{
    struct wire_scalar value = {.name = str(name), .value = (double)step};
    struct wire_scalars scalars = {.step = step, .values = &value, .values_count = 1};
    struct wire_fault fault;

    if (room->ops.scalars(room->ops.ctx, session, &scalars, &fault) != 0)
        fail_msg("scalars: %s: expected %s", fault.field, fault.expected);
}

static void on_wake(uv_timer_t *timer)
{
    (void)timer;
}

void room_pass(struct room *room, uint64_t ms)
{
    for (uint64_t passed = 0; passed < ms; passed += LIMIT_TICK_MS) {
        virtual_clock_move(LIMIT_TICK_MS);
        ingest_tick(room->ingest);
        runs_tick(room->runs);
    }
}

void room_await(struct room *room, bool (*condition)(struct room *room, void *ctx), void *ctx)
{
    uint64_t until = uv_hrtime() + 20000000000ull;
    uv_timer_t wake;

    uv_timer_init(&room->loop, &wake);
    uv_timer_start(&wake, on_wake, 10, 10);
    while (!condition(room, ctx)) {
        if (uv_hrtime() > until)
            fail_msg("waited 20 s in vain");
        uv_run(&room->loop, UV_RUN_ONCE);
        room_pass(room, LIMIT_TICK_MS);
    }
    uv_close((uv_handle_t *)&wake, NULL);
    uv_run(&room->loop, UV_RUN_NOWAIT);
}

static bool is_answered(struct room *room, void *ctx)
{
    const struct session *session = ctx;

    (void)room;
    return !session->barriers && session->barriers_flying == 0;
}

void room_flush(struct room *room, struct session *session)
{
    room->ops.flush(room->ops.ctx, session, 1);
    room_await(room, is_answered, session);
}

size_t room_count(const struct room *room, const char *metric, int64_t layer, int64_t *last_step)
{
    size_t count = 0;

    *last_step = -1;
    for (size_t i = 0; i < room->figure_count; i++) {
        const struct figure *figure = &room->figures[i];

        if (strcmp(figure->metric, metric) != 0 || (layer && figure->layer != layer))
            continue;
        *last_step = figure->step;
        count++;
    }
    return count;
}
