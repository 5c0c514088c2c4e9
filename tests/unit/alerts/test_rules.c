/* The table of constants: complete, consistent, settable by name. */
#include "tests/unit/alerts/stage.h"

static void every_initial_value_is_allowed_and_consistent(void **state)
{
    struct rule_settings settings;
    struct error error = {""};
    rule_settings_init(&settings);
    for (size_t i = 0; i < rule_setting_count; i++) {
        const struct rule_setting *setting = &rule_setting_table[i];
        assert_ptr_equal(
            rule_setting_find(setting->rule, setting->key), setting); /* no key twice */
        assert_true(rule_setting_get(&settings, setting) == setting->initial);
        assert_int_equal(
            rule_setting_set(&settings, setting->rule, setting->key, setting->initial, &error), 0);
    }
    assert_int_equal(rule_settings_check(&settings, &error), 0);
}

static void each_constant_is_set_alone(void **state)
{
    for (size_t i = 0; i < rule_setting_count; i++) {
        struct rule_settings settings;
        struct error error;
        const struct rule_setting *changed = &rule_setting_table[i];
        double value = changed->initial == changed->max ? changed->min : changed->max;
        rule_settings_init(&settings);
        assert_int_equal(
            rule_setting_set(&settings, changed->rule, changed->key, value, &error), 0);
        for (size_t j = 0; j < rule_setting_count; j++)
            assert_true(rule_setting_get(&settings, &rule_setting_table[j]) ==
                        (i == j ? value : rule_setting_table[j].initial));
    }
}

static void errors_name_rule_key_value_and_range(void **state)
{
    struct rule_settings settings;
    struct error error;
    rule_settings_init(&settings);
    assert_int_equal(rule_setting_set(&settings, RULE_SIGMA_GROWTH, "layer", 0.01, &error), -1);
    assert_string_equal(
        error.text, "rule sigma_growth: layer is 0.01, expected a number from 0.1 to 100");
    assert_true(settings.detectors.sigma_growth.layer == 8);
    assert_int_equal(rule_setting_set(&settings, RULE_SIGMA_GROWTH, "layer", NAN, &error), -1);
    assert_int_equal(rule_setting_set(&settings, RULE_LOSS_HIGH, "elasticity", 1, &error), -1);
    assert_string_equal(error.text, "rule loss_high has no setting 'elasticity'");
}

static void thresholds_on_the_wrong_side_are_found(void **state)
{
    struct rule_settings settings;
    struct error error;
    rule_settings_init(&settings);
    settings.detectors.loss_high.rise = 1.6;
    assert_int_equal(rule_settings_check(&settings, &error), -1);
    assert_string_equal(
        error.text, "rule loss_high: rise is 1.6, expected at most critical, which is 1");
}

static void names_are_found(void **state)
{
    for (int rule = 0; rule < RULE_COUNT; rule++)
        assert_int_equal(rule_find(rule_table[rule].name), rule);
    assert_int_equal(rule_find("no_such_rule"), -1);
    assert_int_equal(rule_mode_find("observe"), RULE_OBSERVE);
    assert_int_equal(rule_mode_find("on "), -1);
    for (int id = 0; alert_metric_names()[id] != NULL; id++)
        assert_int_equal(alert_metric_id(alert_metric_names()[id]), id);
    assert_int_equal(alert_metric_id("batch_size"), -1);
}

static void the_last_pattern_that_fits_decides(void **state)
{
    struct rule_settings settings;
    struct error error;
    char wide[RULE_PATTERN_MAX + 1];
    rule_settings_init(&settings);
    assert_int_equal(rule_override_add(&settings, RULE_NONFINITE, "blocks.*", RULE_OFF, &error), 0);
    assert_int_equal(
        rule_override_add(&settings, RULE_NONFINITE, "*.mlp.gate", RULE_OBSERVE, &error), 0);
    assert_int_equal(rule_mode_for(&settings, RULE_NONFINITE, "blocks.0.attn.q"), RULE_OFF);
    assert_int_equal(rule_mode_for(&settings, RULE_NONFINITE, "blocks.0.mlp.gate"), RULE_OBSERVE);
    assert_int_equal(rule_mode_for(&settings, RULE_NONFINITE, "head"), RULE_ON);
    assert_int_equal(rule_mode_for(&settings, RULE_NONFINITE, NULL), RULE_ON);
    assert_int_equal(rule_mode_for(&settings, RULE_LOSS_HIGH, "blocks.0.attn.q"), RULE_ON);
    memset(wide, 'x', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    assert_int_equal(rule_override_add(&settings, RULE_NONFINITE, wide, RULE_OFF, &error), -1);
    assert_int_equal(rule_override_add(&settings, RULE_NONFINITE, "", RULE_OFF, &error), -1);
    while (settings.override_count < RULE_OVERRIDES_MAX)
        assert_int_equal(rule_override_add(&settings, RULE_NONFINITE, "x", RULE_OFF, &error), 0);
    assert_int_equal(rule_override_add(&settings, RULE_NONFINITE, "x", RULE_OFF, &error), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_initial_value_is_allowed_and_consistent),
        cmocka_unit_test(each_constant_is_set_alone),
        cmocka_unit_test(errors_name_rule_key_value_and_range),
        cmocka_unit_test(thresholds_on_the_wrong_side_are_found),
        cmocka_unit_test(names_are_found),
        cmocka_unit_test(the_last_pattern_that_fits_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
