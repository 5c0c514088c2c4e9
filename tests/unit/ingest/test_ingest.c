/* The real sockets in a real loop, and a client that speaks the wire: hello, tensors, credit, flush, faults, lease, bye. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include <cmocka.h>

#include "daemon/core/limits.h"
#include "daemon/ingest/ingest.h"
#include "proto/fault.h"
#include "proto/wire_decode.h"
#include "proto/wire_encode.h"
#include "tests/unit/virtual_clock.h"

#define DEADLINE_MS 10000u

/* The room above, which notes what it is asked. */
struct above {
    int hellos, welcomes, layers, byes, losses, begun, tensors, lost_tensors, flushes;
    uint64_t token, client_dropped;
    unsigned char first, last; /* bytes of the last tensor */
    struct wire_fault refusal; /* of the next hello, if it has a field */
    struct peer *peer;
};

struct bench {
    uv_loop_t loop;
    char folder[32], endpoint[64];
    struct stats stats;
    struct above above;
    struct ingest *ingest;
    void *zmq, *control, *tensors;
    uint8_t ticket[WIRE_TICKET_SIZE];
};

static struct above *of_session(void *session)
{
    return session;
}

static int on_hello(void *ctx, struct peer *peer, const struct wire_hello *hello,
    const struct origin *origin, void **session, uint32_t *attempt, struct wire_fault *fault)
{
    struct above *above = ctx;

    (void)hello;
    assert_int_equal(origin->uid, getuid());
    assert_int_equal(origin->pid, getpid());
    above->hellos++;
    if (above->refusal.field[0]) {
        *fault = above->refusal;
        return -1;
    }
    above->peer = peer;
    *session = above;
    *attempt = 1;
    return 0;
}

static void on_welcomed(void *ctx, void *session)
{
    (void)ctx;
    of_session(session)->welcomes++;
}

static int on_layer(
    void *ctx, void *session, const struct wire_layer *layer, struct wire_fault *fault)
{
    (void)ctx;
    (void)layer;
    (void)fault;
    of_session(session)->layers++;
    return 0;
}

static int on_scalars(
    void *ctx, void *session, const struct wire_scalars *scalars, struct wire_fault *fault)
{
    (void)ctx;
    (void)session;
    (void)scalars;
    (void)fault;
    return 0;
}

static int on_rewind(void *ctx, void *session, uint64_t step, struct wire_fault *fault)
{
    (void)ctx;
    (void)session;
    (void)step;
    (void)fault;
    return 0;
}

static int on_tensor_begin(
    void *ctx, void *session, const struct wire_tensor *header, struct wire_fault *fault)
{
    (void)ctx;
    (void)header;
    (void)fault;
    of_session(session)->begun++;
    return 0;
}

static void on_tensor(
    void *ctx, void *session, const struct wire_tensor *header, struct tensor *tensor)
{
    struct above *above = of_session(session);
    const unsigned char *data = tensor_data(tensor);

    (void)ctx;
    above->tensors++;
    above->first = data[0];
    above->last = data[header->total - 1];
    tensor_free(tensor);
}

static uint64_t on_tensor_lost(
    void *ctx, void *session, const struct wire_tensor *header, bool sample)
{
    (void)ctx;
    (void)header;
    (void)sample;
    of_session(session)->lost_tensors++;
    return 1;
}

static void on_flush(void *ctx, void *session, uint64_t token)
{
    (void)ctx;
    of_session(session)->flushes++;
    of_session(session)->token = token;
}

static bool on_may_send(void *ctx, void *session, bool asks)
{
    (void)ctx;
    (void)session;
    (void)asks;
    return true;
}

static void on_client_dropped(void *ctx, void *session, uint64_t samples)
{
    (void)ctx;
    of_session(session)->client_dropped = samples;
}

static void on_bye(void *ctx, void *session)
{
    (void)ctx;
    of_session(session)->byes++;
}

static void on_lost(void *ctx, void *session)
{
    (void)ctx;
    of_session(session)->losses++;
}

static void on_seen(void *ctx, void *session)
{
    (void)ctx;
    (void)session;
}

static void connect_client(struct bench *bench)
{
    char tensors[80];

    snprintf(tensors, sizeof tensors, "%s.tensors", bench->endpoint);
    bench->control = zmq_socket(bench->zmq, ZMQ_DEALER);
    bench->tensors = zmq_socket(bench->zmq, ZMQ_DEALER);
    assert_int_equal(zmq_setsockopt(bench->control, ZMQ_LINGER, &(int){0}, sizeof(int)), 0);
    assert_int_equal(zmq_setsockopt(bench->tensors, ZMQ_LINGER, &(int){0}, sizeof(int)), 0);
    assert_int_equal(zmq_connect(bench->control, bench->endpoint), 0);
    assert_int_equal(zmq_connect(bench->tensors, tensors), 0);
}

static int set_up(void **state)
{
    static struct bench bench;
    const char *endpoints[] = {bench.endpoint};
    struct error error;

    bench = (struct bench){.folder = "/tmp/fs-ingest-XXXXXX", .zmq = zmq_ctx_new()};
    if (!mkdtemp(bench.folder))
        return -1;
    snprintf(bench.endpoint, sizeof bench.endpoint, "ipc://%s/i.sock", bench.folder);
    virtual_clock_use();
    uv_loop_init(&bench.loop);
    bench.ingest = ingest_new(&bench.loop,
        &(struct ingest_options){.endpoints = endpoints,
            .endpoint_count = 1,
            .memory_bytes = 1 << 20,
            .tensor_bytes = 1 << 22,
            .lease_seconds = 2,
            .heartbeat_seconds = 1,
            .sample_deadline_seconds = 1,
            .sessions_max = 1,
            .stats = &bench.stats,
            .ops = {on_hello, on_welcomed, on_layer, on_scalars, on_rewind, on_tensor_begin,
                on_tensor, on_tensor_lost, on_flush, on_may_send, on_client_dropped, on_bye,
                on_lost, on_seen, &bench.above}},
        &error);
    if (!bench.ingest)
        return -1;
    connect_client(&bench);
    *state = &bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    char command[80];

    zmq_close(bench->control);
    zmq_close(bench->tensors);
    zmq_ctx_term(bench->zmq);
    ingest_close(bench->ingest);
    uv_run(&bench->loop, UV_RUN_DEFAULT);
    virtual_clock_end();
    snprintf(command, sizeof command, "rm -r %s", bench->folder);
    return uv_loop_close(&bench->loop) != 0 || system(command) != 0;
}

static void send_on(
    void *socket, const struct wire_message *message, const void *payload, size_t size)
{
    size_t header_size;
    void *header;

    assert_int_equal(wire_encode(message, &header, &header_size), 0);
    assert_true(zmq_send(socket, header, header_size, payload ? ZMQ_SNDMORE : 0) >= 0);
    if (payload)
        assert_true(zmq_send(socket, payload, size, 0) >= 0);
    free(header);
}

/* Turns the loop until the next message of the daemon's comes, which must be of this type. */
static void expect(
    struct bench *bench, void *socket, enum wire_type type, struct wire_message *message)
{
    static char bytes[WIRE_HEADER_MAX];
    uint64_t until = uv_hrtime() + DEADLINE_MS * 1000000ull;
    struct wire_fault fault;
    int size = -1;

    while (size < 0 && uv_hrtime() < until) {
        uv_run(&bench->loop, UV_RUN_NOWAIT);
        size = zmq_recv(socket, bytes, sizeof bytes, ZMQ_DONTWAIT);
    }
    assert_true(size > 0);
    assert_int_equal(wire_decode(bytes, (size_t)size, message, &fault), 0);
    assert_string_equal(wire_type_name(message->type), wire_type_name(type));
}

static void expect_error(struct bench *bench, void *socket, const char *code, bool fatal)
{
    struct wire_message message;

    expect(bench, socket, WIRE_ERROR, &message);
    assert_true(wire_str_equal(message.u.error.code, code));
    assert_int_equal(message.u.error.fatal, fatal);
    wire_message_free(&message);
}

static void turn_until(struct bench *bench, const int *counter, int count)
{
    uint64_t until = uv_hrtime() + DEADLINE_MS * 1000000ull;

    while (*counter < count && uv_hrtime() < until)
        uv_run(&bench->loop, UV_RUN_ONCE);
    assert_int_equal(*counter, count);
}

/* As the daemon's loop does. */
static void pass_time(struct bench *bench, uint64_t ms)
{
    for (uint64_t passed = 0; passed < ms; passed += LIMIT_TICK_MS) {
        virtual_clock_move(LIMIT_TICK_MS);
        ingest_tick(bench->ingest);
    }
}

static void say_hello(struct bench *bench, const char *session)
{
    send_on(bench->control,
        &(struct wire_message){.type = WIRE_HELLO,
            .u.hello = {.version = WIRE_VERSION,
                .run = wire_str("run"),
                .session = wire_str(session),
                .world = 1}},
        NULL, 0);
}

static void open_session(struct bench *bench)
{
    struct wire_message message;

    say_hello(bench, "s1");
    expect(bench, bench->control, WIRE_WELCOME, &message);
    assert_int_equal(message.u.welcome.attempt, 1);
    assert_int_equal(message.u.welcome.lease_ms, 2000);
    memcpy(bench->ticket, message.u.welcome.ticket, sizeof bench->ticket);
    wire_message_free(&message);
    assert_int_equal(bench->above.welcomes, 1);
}

/* A piece of tensor `number`, a float32 matrix of one row. */
static void send_piece(struct bench *bench, uint64_t number, uint64_t total, uint64_t offset,
    size_t size, unsigned char value)
{
    struct wire_message message = {.type = WIRE_TENSOR,
        .u.tensor = {.tensor = number,
            .kind = WIRE_WEIGHTS,
            .layer = 1,
            .dtype = wire_str("float32"),
            .shape = {1, total / 4},
            .offset = offset,
            .total = total}};
    unsigned char *payload = malloc(size);

    memcpy(message.u.tensor.ticket, bench->ticket, sizeof bench->ticket);
    memset(payload, value, size);
    send_on(bench->tensors, &message, payload, size);
    free(payload);
}

static void test_hello_is_answered(void **state)
{
    struct bench *bench = *state;

    assert_string_equal(ingest_endpoint(bench->ingest, 0), bench->endpoint);
    assert_null(ingest_endpoint(bench->ingest, 1));
    open_session(bench);
    assert_true(ingest_is_connected(bench->above.peer));
    assert_int_equal(ingest_origin(bench->above.peer)->pid, getpid());
}

static void test_a_refused_hello_leaves_no_peer(void **state)
{
    struct bench *bench = *state;

    fault_set(&bench->above.refusal, WIRE_CODE_RANK_TAKEN, WIRE_HELLO, "rank", "a free one", "0");
    say_hello(bench, "s1");
    expect_error(bench, bench->control, "rank_taken", false);
    bench->above.refusal.field[0] = '\0';
    open_session(bench);
    say_hello(bench, "s2"); /* sessions_max is 1 */
    expect_error(bench, bench->control, "limit", false);
}

static void test_a_message_before_hello_is_refused(void **state)
{
    struct bench *bench = *state;

    send_on(bench->control, &(struct wire_message){.type = WIRE_HEARTBEAT}, NULL, 0);
    expect_error(bench, bench->control, "unknown_session", false);
    send_piece(bench, 1, 400, 0, 400, 1);
    expect_error(bench, bench->tensors, "unknown_ticket", false);
    zmq_send(bench->control, "\xc1", 1, 0);
    expect_error(bench, bench->control, "bad_header", false);
    assert_int_equal(stats_get(&bench->stats.refused[WIRE_CODE_UNKNOWN_TICKET]), 1);
}

static void test_a_tensor_arrives_whole(void **state)
{
    struct bench *bench = *state;

    open_session(bench);
    send_piece(bench, 1, 60000, 0, 40000, 1);
    send_piece(bench, 1, 60000, 40000, 20000, 2);
    turn_until(bench, &bench->above.tensors, 1);
    assert_int_equal(bench->above.first, 1);
    assert_int_equal(bench->above.last, 2);
    assert_int_equal(stats_get(&bench->stats.ingest_bytes), 0);
    assert_int_equal(stats_get(&bench->stats.tensors_received_total), 1);
}

static void test_a_gap_costs_the_tensor_and_nothing_else(void **state)
{
    struct bench *bench = *state;

    open_session(bench);
    send_piece(bench, 1, 60000, 0, 10000, 1);
    send_piece(bench, 1, 60000, 20000, 10000, 1);
    expect_error(bench, bench->control, "tensor_mismatch", false);
    send_piece(bench, 1, 60000, 30000, 10000, 1); /* is thrown away silently */
    send_piece(bench, 2, 400, 0, 400, 7);
    turn_until(bench, &bench->above.tensors, 1);
    assert_int_equal(bench->above.first, 7);
    assert_int_equal(bench->above.lost_tensors, 1);
    assert_int_equal(stats_get(&bench->stats.dropped_refused_total), 1);
}

static void test_a_tensor_without_room_is_dropped(void **state)
{
    struct bench *bench = *state;

    open_session(bench);
    stats_add(&bench->stats.ingest_bytes, 1 << 20); /* of others */
    send_piece(bench, 1, 400, 0, 400, 1);
    expect_error(bench, bench->control, "budget", false);
    assert_int_equal(bench->above.lost_tensors, 1);
    assert_int_equal(stats_get(&bench->stats.dropped_budget_total), 1);
}

static void test_credit_waits_for_room(void **state)
{
    struct bench *bench = *state;
    struct wire_message message;

    open_session(bench);
    stats_add(&bench->stats.ingest_bytes, 1 << 20);
    send_on(
        bench->control, &(struct wire_message){.type = WIRE_WANT, .u.want = {5, 4000}}, NULL, 0);
    send_on(
        bench->control, &(struct wire_message){.type = WIRE_HEARTBEAT, .u.dropped = 3}, NULL, 0);
    expect(bench, bench->control, WIRE_PULSE, &message); /* and no grant before it */
    wire_message_free(&message);
    assert_int_equal(bench->above.client_dropped, 3);
    stats_sub(&bench->stats.ingest_bytes, 1 << 20);
    ingest_room(bench->ingest);
    expect(bench, bench->control, WIRE_GRANT, &message);
    assert_int_equal(message.u.grant, 5);
    wire_message_free(&message);
    assert_int_equal(stats_get(&bench->stats.ingest_bytes), 4000);
    send_piece(bench, 5, 4000, 0, 4000, 1);
    turn_until(bench, &bench->above.tensors, 1);
    assert_int_equal(stats_get(&bench->stats.ingest_bytes), 0);
}

static void test_a_flush_waits_for_both_sockets(void **state)
{
    struct bench *bench = *state;
    struct wire_message message = {.type = WIRE_FLUSH, .u.flush = {.token = 9}};

    open_session(bench);
    send_on(bench->control, &message, NULL, 0);
    send_piece(bench, 1, 400, 0, 400, 1);
    message.u.flush.has_ticket = true;
    memcpy(message.u.flush.ticket, bench->ticket, sizeof bench->ticket);
    send_on(bench->tensors, &message, NULL, 0);
    turn_until(bench, &bench->above.flushes, 1);
    assert_int_equal(bench->above.tensors, 1);
    ingest_flushed(bench->above.peer, bench->above.token);
    expect(bench, bench->control, WIRE_FLUSHED, &message);
    assert_int_equal(message.u.flushed.token, 9);
    wire_message_free(&message);
}

static void test_bye_ends_the_session(void **state)
{
    struct bench *bench = *state;

    open_session(bench);
    send_on(bench->control, &(struct wire_message){.type = WIRE_BYE, .u.dropped = 2}, NULL, 0);
    turn_until(bench, &bench->above.byes, 1);
    assert_int_equal(bench->above.client_dropped, 2);
    send_on(bench->control, &(struct wire_message){.type = WIRE_HEARTBEAT}, NULL, 0);
    expect_error(bench, bench->control, "unknown_session", false);
}

static void test_half_a_tensor_goes_stale(void **state)
{
    struct bench *bench = *state;

    open_session(bench);
    send_piece(bench, 1, 60000, 0, 10000, 1);
    turn_until(bench, &bench->above.begun, 1);
    pass_time(bench, 1000); /* sample_deadline_seconds */
    expect_error(bench, bench->control, "stale", false);
    assert_int_equal(bench->above.lost_tensors, 1);
    assert_int_equal(stats_get(&bench->stats.ingest_bytes), 0);
}

static void test_a_lease_runs_out(void **state)
{
    struct bench *bench = *state;

    open_session(bench);
    pass_time(bench, 2000 - LIMIT_TICK_MS); /* lease_seconds */
    assert_int_equal(bench->above.losses, 0);
    pass_time(bench, 2 * LIMIT_TICK_MS);
    assert_int_equal(bench->above.losses, 1);
    assert_int_equal(stats_get(&bench->stats.leases_lost_total), 1);
    assert_int_equal(stats_get(&bench->stats.stalls_total), 0);
}

static void test_a_stall_costs_no_lease(void **state)
{
    struct bench *bench = *state;
    struct wire_message message;

    open_session(bench);
    virtual_clock_move(3600000); /* the machine slept for an hour */
    ingest_tick(bench->ingest);
    assert_int_equal(stats_get(&bench->stats.stalls_total), 1);
    send_on(bench->control, &(struct wire_message){.type = WIRE_HEARTBEAT}, NULL, 0);
    expect(bench, bench->control, WIRE_PULSE, &message);
    wire_message_free(&message);
    assert_int_equal(bench->above.losses, 0);
}

static void test_a_displaced_peer_is_told(void **state)
{
    struct bench *bench = *state;
    struct wire_fault fault;

    open_session(bench);
    fault_set(&fault, WIRE_CODE_RANK_TAKEN, WIRE_HELLO, "rank", "one process a rank", "0");
    ingest_displace(bench->above.peer, &fault);
    expect_error(bench, bench->control, "rank_taken", true);
    assert_int_equal(bench->above.byes + bench->above.losses, 0);
}

static void test_an_endpoint_in_use_is_refused(void **state)
{
    struct bench *bench = *state;
    const char *endpoints[] = {bench->endpoint};
    uv_loop_t loop;
    struct error error;

    uv_loop_init(&loop);
    assert_null(ingest_new(&loop,
        &(struct ingest_options){
            .endpoints = endpoints, .endpoint_count = 1, .stats = &bench->stats},
        &error));
    assert_non_null(strstr(error.text, bench->endpoint));
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

#define INGEST_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        INGEST_TEST(test_hello_is_answered),
        INGEST_TEST(test_a_refused_hello_leaves_no_peer),
        INGEST_TEST(test_a_message_before_hello_is_refused),
        INGEST_TEST(test_a_tensor_arrives_whole),
        INGEST_TEST(test_a_gap_costs_the_tensor_and_nothing_else),
        INGEST_TEST(test_a_tensor_without_room_is_dropped),
        INGEST_TEST(test_credit_waits_for_room),
        INGEST_TEST(test_a_flush_waits_for_both_sockets),
        INGEST_TEST(test_bye_ends_the_session),
        INGEST_TEST(test_half_a_tensor_goes_stale),
        INGEST_TEST(test_a_lease_runs_out),
        INGEST_TEST(test_a_stall_costs_no_lease),
        INGEST_TEST(test_a_displaced_peer_is_told),
        INGEST_TEST(test_an_endpoint_in_use_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
