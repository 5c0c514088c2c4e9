/* The life of an alert: opening, layers that join, resolution, coming back; modes, conditions, ids.
 */
#include "tests/unit/alerts/stage.h"

#include "daemon/alerts/wording.h"

static void fire(struct stage *stage, int64_t layer, int64_t step)
{
    stage_figure(stage, layer, "weights.nonfinite", step, 1);
}

/* Good samples each 10 steps, up to and with `to`. */
static void good(struct stage *stage, int64_t layer, int64_t from, int64_t to)
{
    for (int64_t step = from; step <= to; step += 10)
        stage_figure(stage, layer, "weights.nonfinite", step, 0);
}

static struct stage *with_layers(const struct rule_settings *settings, int64_t count)
{
    struct stage *stage = stage_new(settings);
    for (int64_t id = 1; id <= count; id++) {
        char name[32];
        snprintf(name, sizeof name, "layer.%" PRId64, id);
        stage_layer(stage, id, name, "linear", "");
    }
    return stage;
}

static void one_alert_lists_its_layers(void **state)
{
    struct stage *stage = with_layers(NULL, 3);
    fire(stage, 2, 100);
    assert_int_equal(stage_report(stage), 1);
    assert_int_equal(stage->changes[0], ALERT_CHANGE_OPENED);
    assert_int_equal(stage->alerts[0].state, ALERT_FIRING);
    assert_int_equal(stage_report(stage), 0);

    stage_figure(stage, 3, "weights.nonfinite", 110, 50);
    fire(stage, 1, 110);
    assert_int_equal(stage_report(stage), 1);
    assert_int_equal(stage->changes[0], ALERT_CHANGE_UPDATED);
    const struct alert *alert = &stage->alerts[0];
    assert_int_equal(alert->layer_total, 3);
    assert_int_equal(alert->layers[0], 3); /* the most affected first, then the earliest */
    assert_int_equal(alert->layers[1], 2);
    assert_int_equal(alert->layers[2], 1);
    assert_int_equal(alert->started_step, 100);
    assert_int_equal(alert->last_step, 110);
    assert_string_equal(alert->title, "Numbers that are not finite: layer.3 and 2 more");

    fire(stage, 2, 110); /* the same layers still: nothing new */
    assert_int_equal(stage_report(stage), 0);
    stage_free(stage);
}

static void it_resolves_after_good_samples_and_the_cooldown(void **state)
{
    struct stage *stage = with_layers(NULL, 2);
    fire(stage, 1, 100);
    good(stage, 2, 100, 130);
    good(stage, 1, 110, 130);
    assert_int_equal(stage_report(stage), 1); /* three good samples: still firing */
    good(stage, 1, 140, 180);
    good(stage, 2, 140, 180);
    assert_int_equal(
        stage_report(stage), 0); /* well again since 140, but within the cooldown of 50 */
    good(stage, 1, 190, 190);
    assert_int_equal(stage_report(stage), 0); /* the other layer is not that far */
    good(stage, 2, 190, 190);
    assert_int_equal(stage_report(stage), 1);
    assert_int_equal(stage->changes[0], ALERT_CHANGE_RESOLVED);
    assert_int_equal(stage->alerts[0].state, ALERT_RESOLVED);
    assert_int_equal(stage->alerts[0].started_step, 100);
    assert_int_equal(stage->alerts[0].last_step, 100);
    assert_int_equal(stage->alerts[0].resolved_step, 140);
    assert_true(stage->alerts[0].resolved_at == 1140.0);
    assert_quiet(stage, RULE_NONFINITE);
    stage_free(stage);
}

static void within_the_cooldown_it_is_the_same_alert(void **state)
{
    struct stage *stage = with_layers(NULL, 1);
    fire(stage, 1, 100);
    good(stage, 1, 110, 180);
    fire(stage, 1, 185); /* well again since 140 */
    assert_int_equal(stage_report(stage), 1);
    assert_int_equal(stage->alerts[0].started_step, 100);
    good(stage, 1, 190, 290);
    fire(stage, 1, 300); /* well again since 220, resolved with 270 */
    assert_int_equal(stage_report(stage), 2);
    assert_int_equal(stage->changes[0], ALERT_CHANGE_RESOLVED);
    assert_int_equal(stage->alerts[0].resolved_step, 220);
    assert_int_equal(stage->changes[1], ALERT_CHANGE_OPENED);
    assert_int_equal(stage->alerts[1].started_step, 300);
    stage_free(stage);
}

static void at_the_end_of_the_cooldown_it_is_another(void **state)
{
    struct stage *stage = with_layers(NULL, 2);
    fire(stage, 1, 100);
    good(stage, 2, 100, 180);
    fire(stage, 2, 190);
    good(stage, 1, 110, 190); /* well again at 140, 50 steps before */
    assert_int_equal(stage_report(stage), 3);
    assert_int_equal(stage->changes[1], ALERT_CHANGE_RESOLVED);
    assert_int_equal(stage->alerts[1].layer_total, 1);
    assert_int_equal(stage->changes[2], ALERT_CHANGE_OPENED);
    assert_int_equal(stage->alerts[2].started_step, 190);
    stage_free(stage);
}

/* The other layer was behind, and tells of an earlier and of a bridging fault. */
static void a_layer_that_is_behind_can_move_the_beginning(void **state)
{
    struct stage *stage = with_layers(NULL, 2);
    good(stage, 2, 0, 0);
    fire(stage, 1, 100);
    good(stage, 1, 110, 400);
    stage_report(stage);
    fire(stage, 2, 90);
    assert_int_equal(stage_open(stage, RULE_NONFINITE)->started_step, 90);
    good(stage, 2, 100, 160);
    fire(stage, 2,
        170); /* layer 1 was well again at 140: 30 steps of peace are fewer than the cooldown */
    good(stage, 2, 180, 400);
    stage_report(stage);
    assert_int_equal(stage->reported, 1);
    assert_int_equal(stage->changes[0], ALERT_CHANGE_RESOLVED);
    assert_int_equal(stage->alerts[0].started_step, 90);
    assert_int_equal(stage->alerts[0].resolved_step, 210);
    stage_free(stage);
}

static void a_layer_that_fell_silent_is_not_waited_for(void **state)
{
    struct stage *stage = with_layers(NULL, 2);
    good(stage, 2, 0, 50);
    fire(stage, 1, 100);
    good(stage, 1, 110, 50 + RULE_ALERT_LAG_MAX);
    stage_report(stage);
    assert_int_equal(stage->changes[0], ALERT_CHANGE_OPENED);
    assert_int_equal(stage_report(stage), 0);
    good(stage, 1, 60 + RULE_ALERT_LAG_MAX, 60 + RULE_ALERT_LAG_MAX);
    assert_int_equal(stage_report(stage), 1);
    assert_int_equal(stage->changes[0], ALERT_CHANGE_RESOLVED);
    stage_free(stage);
}

static void an_alert_that_came_and_went_is_told_whole(void **state)
{
    struct stage *stage = with_layers(NULL, 1);
    fire(stage, 1, 100);
    good(stage, 1, 110, 300);
    assert_int_equal(stage_report(stage), 2);
    assert_int_equal(stage->changes[0], ALERT_CHANGE_OPENED);
    assert_int_equal(stage->changes[1], ALERT_CHANGE_RESOLVED);
    stage_free(stage);
}

static void lists_are_cut_and_counts_are_not(void **state)
{
    struct stage *stage = with_layers(NULL, 100);
    for (int64_t id = 1; id <= 100; id++)
        stage_figure(stage, id, "weights.nonfinite", 10, (double)id);
    const struct alert *alert = stage_open(stage, RULE_NONFINITE);
    assert_int_equal(alert->layer_total, 100);
    assert_int_equal(alert->layer_count, ALERT_LAYERS_MAX);
    assert_int_equal(alert->evidence_count, ALERT_EVIDENCE_MAX);
    for (size_t i = 0; i < ALERT_LAYERS_MAX; i++) {
        assert_int_equal(alert->layers[i], 100 - (int64_t)i);
        assert_int_equal(alert->evidence[i].layer, 100 - (int64_t)i);
    }
    stage_free(stage);
}

static void stale_unknown_and_foreign_figures_are_ignored(void **state)
{
    struct stage *stage = with_layers(NULL, 1);
    good(stage, 1, 100, 100);
    fire(stage, 1, 100); /* the step has its figure already */
    fire(stage, 1, 90);
    fire(stage, 1, -5);
    fire(stage, 2, 200); /* not introduced */
    stage_figure(stage, 1, "gate.in_out.mean", 200, NAN);
    assert_quiet(stage, RULE_NONFINITE);
    stage_free(stage);
}

static void observed_layers_do_not_make_it_loud(void **state)
{
    struct rule_settings settings;
    struct error error;
    rule_settings_init(&settings);
    rule_override_add(&settings, RULE_NONFINITE, "layer.1", RULE_OFF, &error);
    rule_override_add(&settings, RULE_NONFINITE, "layer.2", RULE_OBSERVE, &error);
    struct stage *stage = with_layers(&settings, 3);
    fire(stage, 1, 10);
    assert_int_equal(stage_report(stage), 0);
    fire(stage, 2, 10);
    assert_int_equal(stage_report(stage), 1);
    assert_true(stage->alerts[0].observed);
    fire(stage, 3, 20);
    assert_int_equal(stage_report(stage), 1);
    assert_int_equal(stage->changes[0], ALERT_CHANGE_UPDATED);
    assert_false(stage->alerts[0].observed);
    stage_free(stage);
}

static void turning_a_rule_off_resolves_its_alert(void **state)
{
    struct rule_settings settings;
    rule_settings_init(&settings);
    struct stage *stage = with_layers(&settings, 2);
    fire(stage, 1, 10);
    stage_figure(stage, 0, "loss", 10, NAN);
    stage_report(stage);
    settings.mode[RULE_NONFINITE] = RULE_OFF;
    alert_engine_retune(stage->engine, &settings, 5000);
    assert_int_equal(stage_report(stage), 1);
    assert_int_equal(stage->changes[0], ALERT_CHANGE_RESOLVED);
    assert_true(stage->alerts[0].resolved_at == 5000);
    fire(stage, 1, 20);
    assert_int_equal(stage_report(stage), 0);
    settings.mode[RULE_NONFINITE] = RULE_ON;
    alert_engine_retune(stage->engine, &settings, 6000);
    fire(stage, 1, 30);
    assert_int_equal(stage_report(stage), 1);
    stage_free(stage);
}

static void conditions_come_and_go_at_once(void **state)
{
    struct stage *stage = with_layers(NULL, 2);
    for (int round = 0; round < 6; round++) { /* again and again at the same step */
        alert_engine_condition(
            stage->engine, RULE_RUN_LOST, 0, true, 40, 2000 + round, "Its lease ran out.");
        alert_engine_condition(
            stage->engine, RULE_RUN_LOST, 0, true, 40, 2001 + round, "Its lease ran out.");
        assert_int_equal(stage_report(stage), 1);
        assert_int_equal(stage->changes[0], ALERT_CHANGE_OPENED);
        assert_int_equal(stage->alerts[0].severity, SEVERITY_CRITICAL);
        assert_int_equal(stage->alerts[0].started_step, 40);
        assert_memory_equal(stage->alerts[0].summary, "Its lease ran out. Last step 40.", 32);
        alert_engine_condition(stage->engine, RULE_RUN_LOST, 0, false, 40, 2100 + round, NULL);
        assert_int_equal(stage_report(stage), 1);
        assert_int_equal(stage->changes[0], ALERT_CHANGE_RESOLVED);
        assert_true(stage->alerts[0].resolved_at == 2100 + round);
    }
    alert_engine_condition(
        stage->engine, RULE_BASELINE_DAMAGED, 2, true, 0, 1, "2-1.w0 is missing.");
    assert_non_null(strstr(
        stage_open(stage, RULE_BASELINE_DAMAGED)->summary, "of layer.2 cannot be used: 2-1.w0 is"));
    alert_engine_condition(stage->engine, RULE_NONFINITE, 0, true, 40, 1, "not a condition");
    assert_quiet(stage, RULE_NONFINITE);
    stage_free(stage);
}

static void bind_as_reported(void *ctx, enum alert_change change, const struct alert *alert)
{
    struct stage *stage = ctx;
    if (change == ALERT_CHANGE_OPENED)
        assert_true(alert_engine_bind(stage->engine, alert->rule, 40 + alert->started_step));
    stage_note(ctx, change, alert);
}

static void ids_stay_with_their_alert(void **state)
{
    struct stage *stage = with_layers(NULL, 1);
    assert_false(alert_engine_bind(stage->engine, RULE_NONFINITE, 1));
    fire(stage, 1, 100);
    good(stage, 1, 110, 300);
    fire(stage, 1, 310); /* one that ended and one that is open, both unreported */
    alert_engine_report(stage->engine, bind_as_reported, stage);
    assert_int_equal(stage->reported, 3);
    assert_int_equal(stage->alerts[1].id, 140);
    assert_int_equal(stage->changes[1], ALERT_CHANGE_RESOLVED);
    assert_int_equal(stage_open(stage, RULE_NONFINITE)->id, 350);
    good(stage, 1, 320, 500);
    assert_int_equal(stage_report(stage), 1);
    assert_int_equal(stage->alerts[0].id, 350);
    stage_free(stage);
}

/* As after a restart: feed what is stored, bind what is open, discard what the database has. */
static void a_rebuilt_engine_is_silent_about_what_is_known(void **state)
{
    struct stage *stage = with_layers(NULL, 2);
    fire(stage, 1, 100);
    good(stage, 1, 110, 300);
    fire(stage, 1, 310);
    stage_figure(stage, 0, "loss", 310, NAN);
    assert_true(alert_engine_bind(stage->engine, RULE_NONFINITE, 9));
    assert_false(alert_engine_bind(
        stage->engine, RULE_LOSS_HIGH, 8)); /* its figures are gone: the caller's to resolve */
    alert_engine_discard(stage->engine);
    assert_int_equal(stage_report(stage), 0);
    fire(stage, 2, 310);
    assert_int_equal(stage_report(stage), 1);
    assert_int_equal(stage->changes[0], ALERT_CHANGE_UPDATED);
    assert_int_equal(stage->alerts[0].id, 9);
    stage_free(stage);
}

static void an_unbound_alert_is_told_after_a_discard(void **state)
{
    struct stage *stage = with_layers(NULL, 1);
    fire(stage, 1, 100);
    alert_engine_discard(stage->engine);
    assert_int_equal(stage_report(stage), 1);
    assert_int_equal(stage->changes[0], ALERT_CHANGE_OPENED);
    stage_free(stage);
}

static bool is_utf8(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0';) {
        int follow = *at >= 0xF0 ? 3 : *at >= 0xE0 ? 2 : *at >= 0xC0 ? 1 : 0;
        for (at++; follow > 0; follow--, at++)
            if ((*at & 0xC0) != 0x80)
                return false;
    }
    return true;
}

static void long_names_are_cut_between_characters(void **state)
{
    for (size_t shift = 0; shift < 4; shift++) {
        char name[RULE_PATTERN_MAX] = "xxx";
        name[shift] = '\0';
        while (strlen(name) + 4 < sizeof name)
            strcat(name, shift % 2 ? "\xF0\x9F\x94\xA5" : "\xE2\x82\xAC");
        struct stage *stage = stage_new(NULL);
        stage_layer(stage, 1, name, "linear", "");
        fire(stage, 1, 1);
        const struct alert *alert = stage_open(stage, RULE_NONFINITE);
        assert_true(strlen(alert->title) >= ALERT_TITLE_MAX - 4);
        assert_true(is_utf8(alert->title));
        assert_true(is_utf8(alert->summary));
        stage_free(stage);
    }
}

static void assert_told(double baseline, const char *words)
{
    struct alert alert = {.rule = RULE_SIGMA_GROWTH};
    struct spell spell = {
        .evidence = {{.metric = "sigma_growth.median", .value = 1.5, .baseline = baseline}},
        .evidence_count = 1};
    alert_describe(&alert, NULL, &spell, NULL);
    assert_non_null(strstr(alert.summary, words));
}

static void a_figure_near_zero_is_told_without_sign(void **state)
{
    assert_told(-0.0049, "1.50 or faster (0.00 at most");
    assert_told(-0.0051, "1.50 or faster (-0.01 at most");
    assert_told(0.0051, "1.50 or faster (0.01 at most");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_alert_lists_its_layers),
        cmocka_unit_test(it_resolves_after_good_samples_and_the_cooldown),
        cmocka_unit_test(within_the_cooldown_it_is_the_same_alert),
        cmocka_unit_test(at_the_end_of_the_cooldown_it_is_another),
        cmocka_unit_test(a_layer_that_is_behind_can_move_the_beginning),
        cmocka_unit_test(a_layer_that_fell_silent_is_not_waited_for),
        cmocka_unit_test(an_alert_that_came_and_went_is_told_whole),
        cmocka_unit_test(lists_are_cut_and_counts_are_not),
        cmocka_unit_test(stale_unknown_and_foreign_figures_are_ignored),
        cmocka_unit_test(observed_layers_do_not_make_it_loud),
        cmocka_unit_test(turning_a_rule_off_resolves_its_alert),
        cmocka_unit_test(conditions_come_and_go_at_once),
        cmocka_unit_test(ids_stay_with_their_alert),
        cmocka_unit_test(a_rebuilt_engine_is_silent_about_what_is_known),
        cmocka_unit_test(an_unbound_alert_is_told_after_a_discard),
        cmocka_unit_test(long_names_are_cut_between_characters),
        cmocka_unit_test(a_figure_near_zero_is_told_without_sign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
