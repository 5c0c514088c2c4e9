/* Bodies: what receivers are sent for an alert of the outbox. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/notify/alertmanager.h"
#include "daemon/notify/webhook.h"

#define ALERT(severity, resolved_at)                                                               \
    "{\"id\":7,\"run\":\"gpt:1\",\"rule\":\"sigma_growth\",\"severity\":\"" severity               \
    "\",\"title\":\"It grows\",\"summary\":\"By \\\"a lot\\\"\",\"layers\":[\"up\",\"down\"],"     \
    "\"evidence\":[{\"metric\":\"spectral.sigma1\",\"value\":2.5}],\"started_step\":40,"           \
    "\"started_at\":1700000000.25,\"last_step\":44,\"resolved_at\":" resolved_at "}"

#define NOW 1700000100.0

static struct notifier_settings settings = {
    .kind = NOTIFIER_ALERTMANAGER,
    .external_url = "https://mon.example/f/",
    .resend_seconds = 60,
    .labels = {{"team", "research"}, {"instance", "here"}},
    .label_count = 2,
};

static struct notification open_story(const char *event, const char *alert)
{
    struct notification notification;

    assert_int_equal(notification_open(&notification, event, alert), 0);
    return notification;
}

/* The body of one alert; `noticed` NULL: it was not told before. */
static json_t *body_of(const char *event, const char *alert, const char *noticed)
{
    struct notification notification = open_story(event, alert), before = {0};

    if (noticed)
        before = open_story("firing", noticed);
    char *text = alertmanager_body(&settings, &notification, noticed ? &before : NULL, NOW);
    json_t *body = json_loads(text, 0, NULL);
    assert_true(json_is_array(body));
    free(text);
    notification_close(&before);
    notification_close(&notification);
    return body;
}

/* A text under `outer`.`key` of one alert in a body, or under `key` alone. */
static const char *at(const json_t *body, size_t i, const char *outer, const char *key)
{
    const json_t *alert = json_array_get(body, i);

    return json_string_value(json_object_get(outer ? json_object_get(alert, outer) : alert, key));
}

static void test_alertmanager_firing(void **state)
{
    json_t *body = body_of("firing", ALERT("warning", "null"), NULL);

    assert_int_equal(json_array_size(body), 1);
    assert_string_equal(at(body, 0, "labels", "alertname"), "ForeshockSigmaGrowth");
    assert_string_equal(at(body, 0, "labels", "severity"), "warning");
    assert_string_equal(at(body, 0, "labels", "run"), "gpt:1");
    assert_string_equal(at(body, 0, "labels", "rule"), "sigma_growth");
    assert_string_equal(at(body, 0, "labels", "team"), "research");
    assert_string_equal(at(body, 0, "labels", "instance"), "here");
    assert_int_equal(json_object_size(json_object_get(json_array_get(body, 0), "labels")), 6);
    assert_string_equal(at(body, 0, "annotations", "summary"), "It grows");
    assert_string_equal(at(body, 0, "annotations", "description"), "By \"a lot\"");
    assert_string_equal(at(body, 0, "annotations", "layers"), "up, down");
    assert_string_equal(at(body, 0, "annotations", "step"), "40");
    assert_string_equal(at(body, 0, NULL, "startsAt"), "2023-11-14T22:13:20.250Z");
    assert_string_equal(at(body, 0, NULL, "endsAt"), "2023-11-14T22:19:00.000Z");
    assert_string_equal(at(body, 0, NULL, "generatorURL"), "https://mon.example/f/#run=gpt:1");
    json_decref(body);
}

static void test_alertmanager_resolved(void **state)
{
    json_t *body = body_of("resolved", ALERT("warning", "1700000050.5"), ALERT("warning", "null"));

    assert_int_equal(json_array_size(body), 1);
    assert_string_equal(at(body, 0, NULL, "endsAt"), "2023-11-14T22:14:10.500Z");
    json_decref(body);
    /* A clock that was set back must not leave it firing, nor end it before it began. */
    body = body_of("resolved", ALERT("warning", "1800000000"), NULL);
    assert_string_equal(at(body, 0, NULL, "endsAt"), "2023-11-14T22:15:00.000Z");
    json_decref(body);
    body = body_of("resolved", ALERT("warning", "1600000000"), NULL);
    assert_string_equal(at(body, 0, NULL, "endsAt"), "2023-11-14T22:13:20.250Z");
    json_decref(body);
}

static void test_alertmanager_severity_changes(void **state)
{
    json_t *body = body_of("updated", ALERT("critical", "null"), ALERT("warning", "null"));

    assert_int_equal(json_array_size(body), 2);
    assert_string_equal(at(body, 0, "labels", "severity"), "warning");
    assert_string_equal(at(body, 0, NULL, "endsAt"), "2023-11-14T22:15:00.000Z");
    assert_string_equal(at(body, 1, "labels", "severity"), "critical");
    assert_string_equal(at(body, 1, NULL, "endsAt"), "2023-11-14T22:19:00.000Z");
    json_decref(body);
    /* The change was never taken: both are over. */
    body = body_of("resolved", ALERT("critical", "1700000050.5"), ALERT("warning", "null"));
    assert_int_equal(json_array_size(body), 2);
    assert_string_equal(at(body, 0, NULL, "endsAt"), "2023-11-14T22:15:00.000Z");
    assert_string_equal(at(body, 1, NULL, "endsAt"), "2023-11-14T22:14:10.500Z");
    json_decref(body);
}

static void test_alertmanager_addresses(void **state)
{
    static const char *const cases[][2] = {
        {"http://a:9093", "http://a:9093/api/v2/alerts"},
        {"http://a:9093/", "http://a:9093/api/v2/alerts"},
        {"http://a/am//", "http://a/am/api/v2/alerts"},
        {"http://a/api/v2/alerts", "http://a/api/v2/alerts"},
        {"http://a/api/v2/alerts/", "http://a/api/v2/alerts"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char full[NOTIFIER_URL_MAX];
        alertmanager_url(cases[i][0], full);
        assert_string_equal(full, cases[i][1]);
    }
}

static char *webhook_of(const char *event, const char *alert, const struct notifier_settings *to)
{
    struct notification notification = open_story(event, alert);
    char *body = webhook_body(to, &notification);

    assert_non_null(body);
    notification_close(&notification);
    return body;
}

static void test_webhook_object(void **state)
{
    char *body = webhook_of("firing", ALERT("warning", "null"), &settings);

    assert_string_equal(body,
        "{\"version\":1,\"event\":\"firing\",\"id\":7,\"run\":\"gpt:1\",\"rule\":\"sigma_growth\","
        "\"severity\":\"warning\",\"title\":\"It grows\",\"summary\":\"By \\\"a lot\\\"\",\"layers\":"
        "[\"up\",\"down\"],\"evidence\":[{\"metric\":\"spectral.sigma1\",\"value\":2.5}],"
        "\"started_step\":40,\"started_at\":1700000000.25,\"last_step\":44,\"resolved_at\":null,"
        "\"url\":\"https://mon.example/f/#run=gpt:1\"}");
    free(body);
    body = webhook_of("resolved", ALERT("warning", "1700000050.5"), &(struct notifier_settings){0});
    assert_non_null(strstr(body, "\"event\":\"resolved\""));
    assert_non_null(strstr(body, "\"resolved_at\":1700000050.5"));
    assert_non_null(strstr(body, "\"url\":null"));
    free(body);
}

static void test_webhook_template(void **state)
{
    const struct notifier_settings mine = {.kind = NOTIFIER_WEBHOOK,
        .template =
            "{\"a\":\"{{pagerduty_action}} {{id}} {{step}} {{layers}} {{event}} {{url}}\"}"};
    char *body = webhook_of("updated", ALERT("warning", "null"), &mine);

    assert_string_equal(body, "{\"a\":\"trigger 7 40 up, down updated \"}");
    free(body);
    body = webhook_of("resolved", ALERT("warning", "1700000050.5"), &mine);
    assert_string_equal(body, "{\"a\":\"resolve 7 40 up, down resolved \"}");
    free(body);
}

static void test_what_is_no_alert(void **state)
{
    static const char *const texts[] = {"", "[]", "7", "{", "null"};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct notification notification;
        assert_int_equal(notification_open(&notification, "firing", texts[i]), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alertmanager_firing),
        cmocka_unit_test(test_alertmanager_resolved),
        cmocka_unit_test(test_alertmanager_severity_changes),
        cmocka_unit_test(test_alertmanager_addresses),
        cmocka_unit_test(test_webhook_object),
        cmocka_unit_test(test_webhook_template),
        cmocka_unit_test(test_what_is_no_alert),
    };
    return cmocka_run_group_tests_name("notify payloads", tests, NULL, NULL);
}
