/* Requests for room: granted in order, within the budget, given back when they are not used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/limits.h"
#include "daemon/ingest/credit.h"

struct bank {
    struct stats stats;
    struct reading_clock clock;
    struct credit credit;
};

/* The owner of an account: which of its tensors were granted, and whether it may have room. */
struct client {
    struct credit_account account;
    uint64_t granted[8];
    size_t count;
    bool barred;
};

static bool may_send(void *owner, bool asks)
{
    const struct client *client = owner;

    (void)asks;
    return !client->barred;
}

static void on_granted(void *owner, uint64_t tensor)
{
    struct client *client = owner;

    assert_true(client->count < 8);
    client->granted[client->count++] = tensor;
}

static void open_bank(struct bank *bank)
{
    *bank = (struct bank){.clock = {.now_ms = 10}};
    bank->credit.options = (struct credit_options){.memory_bytes = 100,
        .tensor_bytes = 1000,
        .grant_ms = 50,
        .stats = &bank->stats,
        .clock = &bank->clock,
        .may_send = may_send,
        .granted = on_granted};
}

static void ask(struct bank *bank, struct client *client, uint64_t tensor, uint64_t bytes)
{
    struct wire_fault fault;

    client->account.owner = client;
    assert_int_equal(credit_request(&bank->credit, &client->account, tensor, bytes, &fault), 0);
}

static uint64_t charged(struct bank *bank)
{
    return stats_get(&bank->stats.ingest_bytes);
}

static void test_a_grant_is_charged_at_once(void **state)
{
    struct bank bank;
    struct client client = {0};

    (void)state;
    open_bank(&bank);
    ask(&bank, &client, 1, 60);
    assert_int_equal(client.count, 1);
    assert_int_equal(charged(&bank), 60);
    assert_true(credit_take(&bank.credit, &client.account, 1, 60));
    assert_int_equal(charged(&bank), 0); /* the tensor is charged now */
}

static void test_requests_are_served_in_order(void **state)
{
    struct bank bank;
    struct client first = {0}, second = {0}, third = {0};

    (void)state;
    open_bank(&bank);
    ask(&bank, &first, 1, 80);
    ask(&bank, &second, 1, 40);
    ask(&bank, &third, 1, 10); /* would fit, but nobody overtakes */
    assert_int_equal(second.count + third.count, 0);
    credit_forget(&bank.credit, &first.account);
    credit_serve(&bank.credit);
    assert_int_equal(second.count, 1);
    assert_int_equal(third.count, 1);
    assert_int_equal(charged(&bank), 50);
    credit_forget(&bank.credit, &second.account);
    credit_forget(&bank.credit, &third.account);
    assert_int_equal(charged(&bank), 0);
}

static void test_who_may_not_send_holds_up_nobody(void **state)
{
    struct bank bank;
    struct client barred = {.barred = true}, other = {0};

    (void)state;
    open_bank(&bank);
    ask(&bank, &barred, 1, 10);
    ask(&bank, &other, 1, 10);
    assert_int_equal(barred.count, 0);
    assert_int_equal(other.count, 1);
    assert_false(credit_fits(&bank.credit, &barred.account, 1));
    assert_true(credit_fits(&bank.credit, &other.account, 1));
    credit_forget(&bank.credit, &barred.account);
    credit_forget(&bank.credit, &other.account);
}

static void test_a_tensor_above_the_budget_passes_alone(void **state)
{
    struct bank bank;
    struct client client = {0};

    (void)state;
    open_bank(&bank);
    ask(&bank, &client, 1, 500);
    assert_int_equal(client.count, 1);
    assert_false(credit_fits(&bank.credit, &client.account, 1));
    credit_forget(&bank.credit, &client.account);
}

static void test_a_later_tensor_ends_requests_before_it(void **state)
{
    struct bank bank;
    struct client client = {0};

    (void)state;
    open_bank(&bank);
    ask(&bank, &client, 1, 10);
    ask(&bank, &client, 2, 10);
    ask(&bank, &client, 3, 10);
    assert_true(credit_take(&bank.credit, &client.account, 2, 10));
    assert_int_equal(client.account.requests, 1);
    assert_int_equal(charged(&bank), 10);
    assert_false(credit_take(&bank.credit, &client.account, 3, 11)); /* more than was granted */
    assert_int_equal(charged(&bank), 0);
}

static void test_an_unused_grant_lapses_while_others_lack_room(void **state)
{
    struct bank bank;
    struct client idle = {0}, other = {0};

    (void)state;
    open_bank(&bank);
    ask(&bank, &idle, 1, 80);
    bank.clock.now_ms += 50;
    credit_lapse(&bank.credit);
    assert_int_equal(charged(&bank), 80); /* nobody lacks it */
    ask(&bank, &other, 1, 80);
    credit_lapse(&bank.credit);
    credit_serve(&bank.credit);
    assert_int_equal(idle.account.requests, 0);
    assert_int_equal(other.count, 1);
    credit_forget(&bank.credit, &other.account);
}

static void test_what_cannot_be_asked_for(void **state)
{
    struct bank bank;
    struct client client = {0};
    struct wire_fault fault;

    (void)state;
    open_bank(&bank);
    client.account.owner = &client;
    assert_int_equal(credit_request(&bank.credit, &client.account, 1, 1001, &fault), -1);
    assert_int_equal(fault.code, WIRE_CODE_TENSOR_TOO_LARGE);
    client.barred = true;
    for (uint64_t n = 0; n < LIMIT_GRANTS; n++)
        assert_int_equal(credit_request(&bank.credit, &client.account, n, 1, &fault), 0);
    assert_int_equal(credit_request(&bank.credit, &client.account, 9999, 1, &fault), -1);
    assert_int_equal(fault.code, WIRE_CODE_LIMIT);
    credit_forget(&bank.credit, &client.account);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_grant_is_charged_at_once),
        cmocka_unit_test(test_requests_are_served_in_order),
        cmocka_unit_test(test_who_may_not_send_holds_up_nobody),
        cmocka_unit_test(test_a_tensor_above_the_budget_passes_alone),
        cmocka_unit_test(test_a_later_tensor_ends_requests_before_it),
        cmocka_unit_test(test_an_unused_grant_lapses_while_others_lack_room),
        cmocka_unit_test(test_what_cannot_be_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
