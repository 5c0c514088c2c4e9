/* An engine's alert as a record, and a record as a message. */
#include "daemon/evaluator/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "daemon/evaluator/training_message.h"

enum { UP = 3, DOWN = 7, UNKNOWN = 99 };

static struct alert_engine *engine_with_layers(void)
{
    struct rule_settings settings;
    struct alert_engine *engine;

    rule_settings_init(&settings);
    engine = alert_engine_new(&settings);
    assert_non_null(engine);
    assert_int_equal(alert_engine_layer(engine, UP, "h.0.up", "mlp.in", ""), 0);
    assert_int_equal(alert_engine_layer(engine, DOWN, "h.0.down", "mlp.out", ""), 0);
    return engine;
}

static const struct alert fires = {
    .rule = RULE_SIGMA_GROWTH,
    .severity = SEVERITY_CRITICAL,
    .state = ALERT_FIRING,
    .id = 5,
    .started_step = 40,
    .last_step = 60,
    .started_at = 1000,
    .title = "it grows",
    .summary = "by a lot",
    .layers = {DOWN, 0, UNKNOWN, UP},
    .layer_count = 4,
    .evidence = {{.layer = 0, .metric = "loss", .step = 1},
        {.layer = UP, .metric = "spectral.sigma1", .value = 2.5, .step = 2},
        {.layer = UNKNOWN, .metric = "spectral.sigma1", .step = 3},
        {.layer = DOWN, .metric = "spectral.sigma1", .step = 4}},
    .evidence_count = 4,
};

static void ids_become_names(void **state)
{
    struct alert_engine *engine = engine_with_layers();
    struct alert_record record;

    record_make(&record, engine, &fires);
    alert_engine_free(engine); /* the record needs it no more */
    assert_int_equal(record.layer_count, 2);
    assert_string_equal(record.layers[0], "h.0.down");
    assert_string_equal(record.layers[1], "h.0.up");
    assert_int_equal(record.evidence_count, 3);
    assert_string_equal(alert_record_layer(&record, &record.evidence[0]), "");
    assert_string_equal(alert_record_layer(&record, &record.evidence[1]), "h.0.up");
    assert_string_equal(alert_record_layer(&record, &record.evidence[2]), "h.0.down");
    assert_int_equal(record.evidence[2].step, 4);
    assert_string_equal(record.rule, "sigma_growth");
    assert_int_equal(record.id, 5);
}

static void a_message_says_what_the_record_says(void **state)
{
    struct alert_engine *engine = engine_with_layers();
    struct alert_record record;
    struct training_message message;

    record_make(&record, engine, &fires);
    alert_engine_free(engine);
    training_message_make(&message, &record, false);
    assert_int_equal(message.wire.id, 5);
    assert_int_equal(message.wire.step, 40);
    assert_true(wire_str_equal(message.wire.severity, "critical"));
    assert_true(wire_str_equal(message.wire.state, "firing"));
    assert_int_equal(message.wire.layers_count, 2);
    assert_true(wire_str_equal(message.wire.layers[1], "h.0.up"));
    assert_false(message.wire.recorded);
}

static void the_list_of_layers_is_bounded(void **state)
{
    struct alert_record record = {.layer_count = 0};
    char name[2 * WIRE_NAME_MAX];

    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    for (int i = 0; i < ALERT_LAYERS_MAX; i++)
        assert_true(alert_record_add_layer(&record, name));
    assert_false(alert_record_add_layer(&record, "one more"));
    assert_int_equal(strlen(record.layers[0]), WIRE_NAME_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_become_names),
        cmocka_unit_test(a_message_says_what_the_record_says),
        cmocka_unit_test(the_list_of_layers_is_bounded),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
