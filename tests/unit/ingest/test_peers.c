/* Peers: the tables that find them, their leases on the reading clock, flush markers of two sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "daemon/ingest/peers.h"

#define LEASE_MS 1000u

struct room {
    uv_loop_t loop;
    void *zmq;
    struct router *router, *other_router;
    struct stats stats;
    struct reading_clock clock;
    struct peers peers;
};

static void on_message(void *ctx, struct router *router, struct router_message *message)
{
    (void)ctx;
    (void)router;
    (void)message;
}

static struct router *bind_router(struct room *room)
{
    const struct router_options options = {.endpoint = "tcp://127.0.0.1:*",
        .receive_hwm = 10,
        .frame_max = 1000,
        .receive = on_message};
    struct error error;
    struct router *router = router_new(&room->loop, room->zmq, &options, &error);

    assert_non_null(router);
    return router;
}

static int set_up(void **state)
{
    static struct room room;

    room = (struct room){.zmq = zmq_ctx_new()};
    uv_loop_init(&room.loop);
    room.router = bind_router(&room);
    room.other_router = bind_router(&room);
    room.peers = (struct peers){.clock = &room.clock, .lease_ms = LEASE_MS, .stats = &room.stats};
    *state = &room;
    return 0;
}

static int tear_down(void **state)
{
    struct room *room = *state;
    struct peer *peer, *next;

    HASH_ITER (by_key, room->peers.all, peer, next)
        peers_remove(peer);
    router_close(room->router);
    router_close(room->other_router);
    zmq_ctx_term(room->zmq);
    uv_run(&room->loop, UV_RUN_DEFAULT);
    return uv_loop_close(&room->loop);
}

static struct reply_to from(struct router *router, const char *identity, int64_t uid)
{
    return (struct reply_to){router, identity, strlen(identity), {uid, getpid()}};
}

static void test_a_peer_is_found_by_its_key_and_its_connection(void **state)
{
    struct room *room = *state;
    struct reply_to here = from(room->router, "a", 1000),
                    elsewhere = from(room->other_router, "a", 1000);
    struct reply_to other_user = from(room->router, "a", 1001);
    struct peer *peer = peers_add(&room->peers, NULL, "run session", NULL);

    assert_ptr_equal(peers_find(&room->peers, "run session"), peer);
    assert_null(peers_find(&room->peers, "run other"));
    assert_null(peers_by_origin(&room->peers, &here));
    assert_int_equal(peer_connect(peer, &here), 0);
    assert_ptr_equal(peers_by_origin(&room->peers, &here), peer);
    assert_null(peers_by_origin(&room->peers, &elsewhere));
    assert_null(peers_by_origin(&room->peers, &other_user));
    assert_ptr_equal(peers_by_ticket(&room->peers, peer->ticket), peer);
    peers_remove(peer);
    assert_int_equal(peers_count(&room->peers), 0);
    assert_null(peers_by_origin(&room->peers, &here));
}

static void test_a_reconnect_makes_the_old_ticket_worthless(void **state)
{
    struct room *room = *state;
    struct reply_to first = from(room->router, "a", 1000),
                    second = from(room->other_router, "b", 1000);
    struct peer *peer = peers_add(&room->peers, NULL, "run session", NULL);
    uint8_t ticket[WIRE_TICKET_SIZE];

    assert_int_equal(peer_connect(peer, &first), 0);
    memcpy(ticket, peer->ticket, sizeof ticket);
    assert_int_equal(peer_connect(peer, &second), 0);
    assert_null(peers_by_ticket(&room->peers, ticket));
    assert_null(peers_by_origin(&room->peers, &first));
    assert_ptr_equal(peers_by_origin(&room->peers, &second), peer);
}

static void test_a_connection_speaks_for_one_session_at_a_time(void **state)
{
    struct room *room = *state;
    struct reply_to here = from(room->router, "a", 1000);
    struct peer *first = peers_add(&room->peers, NULL, "run first", NULL);
    struct peer *second = peers_add(&room->peers, NULL, "run second", NULL);

    assert_int_equal(peer_connect(first, &here), 0);
    assert_int_equal(peer_connect(second, &here), 0);
    assert_ptr_equal(peers_by_origin(&room->peers, &here), second);
    assert_null(first->to.router);
}

static void test_a_lease_counts_time_in_which_the_loop_turned(void **state)
{
    struct room *room = *state;
    uint64_t now = 5000;
    struct peer *peer;

    reading_clock_start(&room->clock, now);
    peer = peers_add(&room->peers, NULL, "run session", NULL);
    for (int i = 0; i < 9; i++)
        assert_int_equal(reading_clock_tick(&room->clock, now += LIMIT_TICK_MS), 0);
    assert_false(peer_lease_is_over(peer));
    now += 3600000; /* the machine slept */
    assert_int_equal(reading_clock_tick(&room->clock, now), 3600000);
    assert_int_equal(room->clock.now_ms, 10 * LIMIT_TICK_MS);
    peer_renew(peer);
    for (int i = 0; i < 10; i++)
        assert_int_equal(reading_clock_tick(&room->clock, now += LIMIT_TICK_MS), 0);
    assert_true(peer_lease_is_over(peer));
}

static void test_who_was_there_before_a_start_has_time_to_return(void **state)
{
    struct room *room = *state;
    struct peer *peer = peers_add(&room->peers, NULL, "run session", NULL);

    assert_true(peer_is_connected(peer));
    room->clock.now_ms = LIMIT_RETURN_MS;
    assert_false(peer_is_connected(peer));
}

static void test_nobody_at_the_other_end(void **state)
{
    struct room *room = *state;
    struct reply_to here = from(room->router, "nobody", 1000);
    struct peer *peer = peers_add(&room->peers, NULL, "run session", NULL);

    assert_int_equal(peer_connect(peer, &here), 0);
    assert_false(peer_is_connected(peer)); /* ZeroMQ knows no such connection */
}

static void test_seldom_faults_are_all_counted(void **state)
{
    struct room *room = *state;
    const struct wire_fault fault = {.code = WIRE_CODE_BUDGET};
    struct peer *peer = peers_add(&room->peers, NULL, "run session", NULL);
    uint64_t first;

    room->clock.now_ms = 100;
    peer_fault_seldom(peer, &fault);
    first = peer->warned_ms;
    room->clock.now_ms += LIMIT_FAULT_PAUSE_MS - 1;
    peer_fault_seldom(peer, &fault);
    assert_int_equal(peer->warned_ms, first);
    room->clock.now_ms++;
    peer_fault_seldom(peer, &fault);
    assert_int_not_equal(peer->warned_ms, first);
    assert_int_equal(stats_get(&room->stats.refused[WIRE_CODE_BUDGET]), 3);
}

static void test_a_flush_is_complete_when_both_sockets_brought_it(void **state)
{
    struct flushes flushes = {0};

    (void)state;
    assert_int_equal(flushes_mark(&flushes, 1, true), FLUSHES_WAITING);
    assert_int_equal(flushes_mark(&flushes, 2, false), FLUSHES_WAITING);
    assert_int_equal(flushes_mark(&flushes, 1, true), FLUSHES_WAITING); /* the same token again */
    assert_int_equal(flushes_mark(&flushes, 2, true), FLUSHES_COMPLETE);
    assert_int_equal(flushes_mark(&flushes, 1, false), FLUSHES_COMPLETE);
    assert_int_equal(flushes_mark(&flushes, 1, false), FLUSHES_COMPLETE);
    assert_int_equal(flushes.count, 0);
    for (uint64_t token = 0; token < LIMIT_FLUSHES; token++)
        assert_int_equal(flushes_mark(&flushes, token, true), FLUSHES_WAITING);
    assert_int_equal(flushes_mark(&flushes, 999, true), FLUSHES_FULL);
    flushes_clear(&flushes);
    assert_int_equal(flushes_mark(&flushes, 999, true), FLUSHES_WAITING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_a_peer_is_found_by_its_key_and_its_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_reconnect_makes_the_old_ticket_worthless, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_connection_speaks_for_one_session_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_lease_counts_time_in_which_the_loop_turned, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_who_was_there_before_a_start_has_time_to_return, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nobody_at_the_other_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_seldom_faults_are_all_counted, set_up, tear_down),
        cmocka_unit_test(test_a_flush_is_complete_when_both_sockets_brought_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
