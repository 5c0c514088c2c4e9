/* What a change of an alert puts into the outbox, what a delivery takes out of it, and silences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/core/limits.h"
#include "daemon/store/reader.h"
#include "daemon/store/reader_notify.h"
#include "tests/unit/store/fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct store_notifier everyone[] = {
    {.name = "all", .kind = "webhook", .rules = ""},
    {.name = "pager", .kind = "alertmanager", .rules = ",growth,nonfinite,", .critical_only = true},
};

static void notify(struct fixture *fixture, const struct store_notifier *list, size_t count)
{
    struct store_batch *batch = store_batch_new();
    store_put_notifiers(batch, list, count, 5000);
    fixture_submit(fixture, batch);
    fixture_flush(fixture);
}

static void put(struct fixture *fixture, const struct alert_record *alert)
{
    struct store_batch *batch = store_batch_new();
    store_put_alert(batch, alert);
    fixture_submit(fixture, batch);
    fixture_flush(fixture);
}

static int begin(void **state)
{
    if (fixture_setup(state))
        return -1;
    struct store_batch *batch = store_batch_new();
    const struct store_run run = fixture_run(1, "gpt"), other = fixture_run(2, "gpt-two");
    store_put_run(batch, &run);
    store_put_run(batch, &other);
    fixture_submit(*state, batch);
    notify(*state, everyone, COUNT(everyone));
    return 0;
}

/* What a notifier has to deliver next, as "event severity"; the row itself in `last`. */
static struct {
    struct store_delivery delivery;
    char event[16], alert[4096], noticed[4096], shown[64];
    double next_at;
    unsigned tries;
} last;

static void keep_due(void *ctx, const struct reader_due *due)
{
    const char *severity = strstr(due->alert, "critical") ? "critical" : "warning";
    last.delivery = (struct store_delivery){
        .event = last.event, .alert = last.alert, .row = due->row, .alert_id = due->alert_id};
    snprintf(last.event, sizeof last.event, "%s", due->event);
    snprintf(last.alert, sizeof last.alert, "%s", due->alert);
    snprintf(last.noticed, sizeof last.noticed, "%s", due->noticed);
    snprintf(last.shown, sizeof last.shown, "%s %s %lld", due->event, severity,
        (long long)due->alert_id);
    last.tries = due->tries;
    last.next_at = due->next_at;
    assert_int_equal(strlen(due->key), 16);
}

static const char *due(struct fixture *fixture, const char *notifier)
{
    struct error error = {0};
    struct reader *reader;
    assert_int_equal(reader_open(&reader, fixture->dir, &error), 0);
    int code = reader_due(reader, notifier, keep_due, NULL);
    reader_close(&reader);
    assert_int_not_equal(code, READER_FAILED);
    return code == READER_NONE ? "nothing" : last.shown;
}

/* The outcome of what `due` showed last. */
static void report(struct fixture *fixture, const char *notifier, enum store_outcome outcome)
{
    struct store_batch *batch = store_batch_new();
    last.delivery.notifier = notifier;
    last.delivery.outcome = outcome;
    last.delivery.now = 6000;
    last.delivery.next_at = 6001.5;
    store_put_delivery(batch, &last.delivery);
    fixture_submit(fixture, batch);
    fixture_flush(fixture);
}

static void deliver(struct fixture *fixture, const char *notifier, const char *expected)
{
    assert_string_equal(due(fixture, notifier), expected);
    report(fixture, notifier, STORE_DELIVERED);
}

static void silence(struct fixture *fixture, struct store_silence silence)
{
    struct store_batch *batch = store_batch_new();
    silence.id = store_new_silence_id(fixture->store);
    silence.reason = silence.created_by = "";
    silence.run = silence.run ? silence.run : "gpt";
    silence.expires_at = silence.expires_at > 0 ? silence.expires_at : 9e9;
    store_put_silence(batch, &silence);
    fixture_submit(fixture, batch);
    fixture_flush(fixture);
}

static void expire(struct fixture *fixture, double now)
{
    struct store_batch *batch = store_batch_new();
    store_put_expire_silences(batch, now);
    fixture_submit(fixture, batch);
    fixture_flush(fixture);
}

static struct alert_record resolved(struct alert_record alert)
{
    alert.state = ALERT_RESOLVED;
    alert.resolved_at = 2345.5;
    return alert;
}

static void test_life(void **state)
{
    struct alert_record alert = fixture_alert(1, 1);
    put(*state, &alert);
    assert_string_equal(due(*state, "pager"), "nothing");
    assert_string_equal(due(*state, "all"), "firing warning 1");
    assert_non_null(strstr(last.alert, "\"run\":\"gpt\""));
    assert_non_null(
        strstr(last.alert, "\"evidence\":[{\"layer\":\"up\",\"metric\":\"m\",\"value\":2.5,"));
    assert_non_null(strstr(last.alert, "\"resolved_at\":null"));
    report(*state, "all", STORE_DELIVERED);
    assert_string_equal(due(*state, "all"), "nothing");
    put(*state, &alert); /* nothing new */
    assert_string_equal(due(*state, "all"), "nothing");
    alert.severity = SEVERITY_CRITICAL;
    put(*state, &alert);
    assert_string_equal(due(*state, "all"), "updated critical 1");
    assert_non_null(strstr(last.noticed, "\"severity\":\"warning\""));
    report(*state, "all", STORE_DELIVERED);
    deliver(*state, "pager", "firing critical 1");
    alert = resolved(alert);
    put(*state, &alert);
    deliver(*state, "pager", "resolved critical 1");
    assert_string_equal(due(*state, "all"), "resolved critical 1");
    assert_non_null(strstr(last.alert, "\"resolved_at\":2345.5"));
    report(*state, "all", STORE_DELIVERED);
    assert_string_equal(due(*state, "all"), "nothing");
    assert_int_equal(fixture_query(*state, "SELECT count(*) FROM notice"), 0);
    assert_int_equal(fixture_query(*state, "SELECT delivered FROM notifier WHERE name = 'all'"), 3);
}

static void test_order_and_collapsing(void **state)
{
    struct alert_record alert = fixture_alert(1, 1), next = fixture_alert(2, 1);
    put(*state, &alert);
    assert_string_equal(due(*state, "all"), "firing warning 1");
    report(*state, "all", STORE_TRY_AGAIN);
    strcpy(alert.summary, "by more");
    put(*state, &alert);
    alert = resolved(alert);
    put(*state, &alert);
    put(*state, &next);
    assert_int_equal(
        fixture_query(*state, "SELECT count(*) FROM outbox JOIN notifier n ON n.id = notifier_id"
                              " WHERE n.name = 'all'"),
        3);
    assert_string_equal(due(*state, "all"), "firing warning 1");
    assert_non_null(strstr(last.alert, "by more"));
    assert_int_equal(last.tries, 1); /* goes over to the row that takes its place */
    assert_true(last.next_at == 6001.5);
    report(*state, "all", STORE_DELIVERED);
    deliver(*state, "all", "resolved warning 1");
    deliver(*state, "all", "firing warning 2");
    assert_string_equal(due(*state, "all"), "nothing");
}

/* Layers that fail one after the other are told together; what matters is told at once. */
static void test_changes_wait_for_each_other(void **state)
{
    struct alert_record alert = fixture_alert(1, 1);
    put(*state, &alert);
    deliver(*state, "all", "firing warning 1");
    fixture_alert_layers(&alert, (const char *const[]){"up", "down", NULL}, true);
    put(*state, &alert);
    assert_string_equal(due(*state, "all"), "updated warning 1");
    double first = last.next_at, now = (double)time(NULL);
    assert_true(first > now && first <= now + LIMIT_UPDATE_SECONDS + 2);
    fixture_alert_layers(&alert, (const char *const[]){"up", "down", "head", NULL}, true);
    put(*state, &alert);
    assert_string_equal(due(*state, "all"), "updated warning 1");
    assert_true(last.next_at == first);
    assert_non_null(strstr(last.alert, "head"));
    alert.severity = SEVERITY_CRITICAL;
    put(*state, &alert);
    assert_string_equal(due(*state, "all"), "updated critical 1");
    assert_true(last.next_at == 0);
    report(*state, "all", STORE_DELIVERED);
    alert.layer_count = 0;
    put(*state, &alert);
    alert = resolved(alert);
    put(*state, &alert);
    assert_string_equal(due(*state, "all"), "resolved critical 1");
    assert_true(last.next_at == 0);
}

static void test_lanes_do_not_wait_for_each_other(void **state)
{
    struct alert_record alert = fixture_alert(1, 1), other = fixture_alert(2, 2);
    put(*state, &alert);
    assert_string_equal(due(*state, "all"), "firing warning 1");
    report(*state, "all", STORE_TRY_AGAIN);
    put(*state, &other);
    deliver(*state, "all", "firing warning 2");
    assert_string_equal(due(*state, "all"), "firing warning 1");
}

static void test_given_up(void **state)
{
    struct alert_record alert = fixture_alert(1, 1);
    put(*state, &alert);
    assert_string_equal(due(*state, "all"), "firing warning 1");
    report(*state, "all", STORE_GIVEN_UP);
    assert_string_equal(due(*state, "all"), "nothing");
    assert_int_equal(fixture_query(*state, "SELECT failed FROM notifier WHERE name = 'all'"), 1);
    alert = resolved(alert);
    put(*state, &alert); /* nobody was told that it fires */
    assert_string_equal(due(*state, "all"), "nothing");
}

static void test_observed(void **state)
{
    struct alert_record alert = fixture_alert(1, 1);
    alert.observed = true;
    put(*state, &alert);
    assert_string_equal(due(*state, "all"), "nothing");
    alert.observed = false;
    put(*state, &alert);
    deliver(*state, "all", "firing warning 1");
    alert.observed = true;
    put(*state, &alert);
    deliver(*state, "all", "resolved warning 1");
    alert = resolved(alert);
    put(*state, &alert);
    assert_string_equal(due(*state, "all"), "nothing");
}

static void test_silenced_from_the_start(void **state)
{
    struct alert_record alert = fixture_alert(1, 1);
    silence(*state, (struct store_silence){.rule = "growth", .expires_at = 7000});
    put(*state, &alert);
    assert_string_equal(due(*state, "all"), "nothing");
    assert_int_equal(fixture_query(*state, "SELECT silenced FROM alert"), 1);
    assert_int_equal(fixture_query(*state, "SELECT notified FROM alert"), 0);
    assert_true(store_next_expiry(((struct fixture *)*state)->store) == 7000);
    expire(*state, 6999);
    assert_string_equal(due(*state, "all"), "nothing");
    expire(*state, 7000);
    assert_int_equal(fixture_query(*state, "SELECT notified FROM alert"), 1);
    deliver(*state, "all", "firing warning 1");
    alert = resolved(alert);
    put(*state, &alert);
    deliver(*state, "all", "resolved warning 1");
}

static void test_silenced_until_resolved(void **state)
{
    struct alert_record alert = fixture_alert(1, 1);
    silence(*state, (struct store_silence){.run = "gpt*"});
    put(*state, &alert);
    alert = resolved(alert);
    put(*state, &alert);
    assert_string_equal(due(*state, "all"), "nothing");
    assert_int_equal(fixture_query(*state, "SELECT silenced FROM alert"), 1);
}

static void test_silenced_while_it_fires(void **state)
{
    struct alert_record alert = fixture_alert(1, 1);
    put(*state, &alert);
    deliver(*state, "all", "firing warning 1");
    silence(*state, (struct store_silence){.layer = "u?"});
    alert.severity = SEVERITY_CRITICAL;
    put(*state, &alert);
    assert_string_equal(due(*state, "all"), "nothing");
    alert = resolved(alert);
    put(*state, &alert);
    deliver(*state, "all", "resolved critical 1");
}

/* On its way when the silence begins, and over before the receiver answers. */
static void test_silenced_in_flight(void **state)
{
    struct alert_record alert = fixture_alert(1, 1);
    put(*state, &alert);
    assert_string_equal(due(*state, "all"), "firing warning 1");
    silence(*state, (struct store_silence){0});
    alert = resolved(alert);
    put(*state, &alert);
    report(*state, "all", STORE_DELIVERED);
    deliver(*state, "all", "resolved warning 1");
    assert_string_equal(due(*state, "all"), "nothing");
}

static void test_what_a_silence_covers(void **state)
{
    enum evidence { NONE, EACH, OF_THE_RUN };
    static const struct {
        const char *layers[3];
        enum evidence evidence;
        struct store_silence silence;
        bool covered;
    } cases[] = {
        {{"up"}, NONE, {.run = "gpt"}, true},
        {{"up"}, NONE, {.run = "gp"}, false},
        {{"up"}, NONE, {.run = "g*"}, true},
        {{"up"}, NONE, {.rule = "nonfinite"}, false},
        {{"up"}, NONE, {.layer = "up"}, true},
        {{"up"}, NONE, {.layer = "down"}, false},
        {{"up", "down"}, NONE, {.layer = "up"}, false},
        {{"up", "down"}, NONE, {.layer = "*"}, true},
        {{"h[0]"}, NONE, {.layer = "h[0]"}, true},
        {{NULL}, NONE, {.layer = "*"}, false},
        {{NULL}, NONE, {.layer = NULL}, true},
        {{"up"}, OF_THE_RUN, {.layer = "*"}, false},
        {{"up"}, EACH, {.layer = "*"}, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct alert_record alert = fixture_alert(1, 1);
        silence(*state, cases[i].silence);
        fixture_alert_layers(&alert, cases[i].layers, cases[i].evidence != NONE);
        if (cases[i].evidence == OF_THE_RUN)
            alert.evidence[alert.evidence_count++] =
                (struct alert_record_evidence){.layer = ALERT_RECORD_RUN, .metric = "m"};
        put(*state, &alert);
        if (fixture_query(*state, "SELECT silenced FROM alert") != cases[i].covered)
            fail_msg("case %zu", i);
        expire(*state, 1e10);
    }
}

static void test_two_silences_cover_together(void **state)
{
    struct alert_record alert = fixture_alert(1, 1);
    fixture_alert_layers(&alert, (const char *const[]){"up", "down", NULL}, true);
    put(*state, &alert);
    silence(*state, (struct store_silence){.layer = "up", .expires_at = 7000});
    assert_int_equal(fixture_query(*state, "SELECT silenced FROM alert"), 0);
    silence(*state, (struct store_silence){.layer = "down", .expires_at = 8000});
    assert_int_equal(fixture_query(*state, "SELECT silenced FROM alert"), 1);
    expire(*state, 7500);
    assert_int_equal(fixture_query(*state, "SELECT silenced FROM alert"), 0);
}

static void test_notifiers_come_and_go(void **state)
{
    const struct store_notifier other[] = {
        everyone[0], {.name = "new", .kind = "webhook", .rules = ""}};
    const struct store_notifier turned[] = {{.name = "all", .kind = "alertmanager", .rules = ""}};
    struct alert_record alert = fixture_alert(1, 1), over = resolved(fixture_alert(2, 1));
    alert.severity = SEVERITY_CRITICAL;
    put(*state, &alert);
    put(*state, &over);
    deliver(*state, "all", "firing critical 1");
    notify(*state, other, COUNT(other));
    assert_string_equal(due(*state, "pager"), "nothing");
    assert_string_equal(due(*state, "all"), "nothing");
    assert_string_equal(due(*state, "new"), "firing critical 1");
    notify(*state, turned, COUNT(turned));
    deliver(*state, "all", "firing critical 1");
    notify(*state, NULL, 0);
    assert_int_equal(fixture_query(*state, "SELECT (SELECT count(*) FROM notifier) + (SELECT "
                                           "count(*) FROM outbox) + (SELECT count(*) FROM notice)"),
        0);
}

static void test_a_run_that_goes_is_over(void **state)
{
    struct alert_record alert = fixture_alert(1, 1);
    put(*state, &alert);
    deliver(*state, "all", "firing warning 1");
    struct store_batch *batch = store_batch_new();
    store_put_delete_run(batch, 1);
    fixture_submit(*state, batch);
    fixture_flush(*state);
    assert_string_equal(due(*state, "all"), "resolved warning 1");
    assert_non_null(strstr(last.alert, "\"run\":\"gpt\""));
    assert_null(strstr(last.alert, "\"resolved_at\":null"));
}

static void test_rows_are_bounded(void **state)
{
    struct fixture *fixture = *state;
    struct store_batch *batch = store_batch_new();
    struct alert_record alert = fixture_alert(1, 1);
    store_put_alert(batch, &alert);
    alert = resolved(alert);
    store_put_alert(batch, &alert);
    for (int64_t id = 2; id <= LIMIT_OUTBOX_ROWS; id++) {
        alert = fixture_alert(id, 1);
        store_put_alert(batch, &alert);
    }
    fixture_submit(fixture, batch);
    fixture_flush(fixture);
    /* The alert that came and went is known by its end alone. */
    assert_int_equal(fixture_query(fixture, "SELECT count(*) FROM outbox"), LIMIT_OUTBOX_ROWS);
    assert_int_equal(fixture_query(fixture, "SELECT dropped FROM notifier WHERE name = 'all'"), 1);
    assert_string_equal(due(fixture, "all"), "resolved warning 1");
}

static void test_age_is_bounded(void **state)
{
    struct alert_record alert = fixture_alert(1, 1), over = fixture_alert(2, 2);
    put(*state, &over);
    over = resolved(over);
    put(*state, &over);
    put(*state, &alert);
    assert_string_equal(due(*state, "all"), "firing warning 2");
    last.delivery.notifier = "all";
    last.delivery.outcome = STORE_TRY_AGAIN;
    last.delivery.now = 9e9;
    struct store_batch *batch = store_batch_new();
    store_put_delivery(batch, &last.delivery);
    fixture_submit(*state, batch);
    fixture_flush(*state);
    assert_string_equal(due(*state, "all"), "firing warning 1"); /* it fires on: the newest state */
    assert_int_equal(fixture_query(*state, "SELECT count(*) FROM outbox"), 1);
    assert_int_equal(fixture_query(*state, "SELECT dropped FROM notifier WHERE name = 'all'"), 2);
}

static void test_survives_a_restart(void **state)
{
    struct alert_record alert = fixture_alert(1, 1), over = fixture_alert(2, 2);
    silence(*state, (struct store_silence){.run = "gpt", .expires_at = 7000});
    put(*state, &alert);
    put(*state, &over);
    fixture_reopen(*state);
    assert_true(store_next_expiry(((struct fixture *)*state)->store) == 7000);
    assert_int_equal(store_new_silence_id(((struct fixture *)*state)->store), 2);
    notify(*state, everyone, COUNT(everyone));
    deliver(*state, "all", "firing warning 2");
    assert_string_equal(due(*state, "all"), "nothing");
    expire(*state, 7000);
    assert_string_equal(due(*state, "all"), "firing warning 1");
    assert_true(store_next_expiry(((struct fixture *)*state)->store) > 1e300);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_life),
        TEST(test_order_and_collapsing),
        TEST(test_changes_wait_for_each_other),
        TEST(test_lanes_do_not_wait_for_each_other),
        TEST(test_given_up),
        TEST(test_observed),
        TEST(test_silenced_from_the_start),
        TEST(test_silenced_until_resolved),
        TEST(test_silenced_while_it_fires),
        TEST(test_silenced_in_flight),
        TEST(test_what_a_silence_covers),
        TEST(test_two_silences_cover_together),
        TEST(test_notifiers_come_and_go),
        TEST(test_a_run_that_goes_is_over),
        TEST(test_rows_are_bounded),
        TEST(test_age_is_bounded),
        TEST(test_survives_a_restart),
    };
    return cmocka_run_group_tests_name("store outbox", tests, NULL, NULL);
}
