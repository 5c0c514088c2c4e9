/* JSON and Prometheus text. JSON is read back by another library. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "daemon/http/emitter.h"
#include "daemon/http/objects.h"
#include "daemon/http/problem.h"
#include "daemon/http/prometheus.h"

static json_t *take(struct emitter *out)
{
    char *text = emitter_take(out);
    json_error_t error;

    assert_non_null(text);
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (!value)
        fail_msg("%s: %s", error.text, text);
    free(text);
    return value;
}

static void test_nesting(void **state)
{
    struct emitter out = {0};

    emitter_open(&out, '{');
    emitter_key(&out, "empty");
    emitter_open(&out, '[');
    emitter_close(&out, ']');
    emitter_key(&out, "list");
    emitter_open(&out, '[');
    emitter_int(&out, INT64_MIN);
    emitter_bool(&out, true);
    emitter_null(&out);
    emitter_open(&out, '{');
    emitter_close(&out, '}');
    emitter_raw(&out, "[1,2]");
    emitter_close(&out, ']');
    emitter_close(&out, '}');
    char *text = emitter_take(&out);
    assert_string_equal(text, "{\"empty\":[],\"list\":[-9223372036854775808,true,null,{},[1,2]]}");
    free(text);
}

static void test_strings(void **state)
{
    static const char *const texts[] = {"", "plain", "\"\\/\b\f\n\r\t", "\x01\x1f\x7f",
        "\xC3\x9F\xE2\x82\xAC\xF0\x9F\x92\xA5", "</script><img src=x onerror=1>"};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct emitter out = {0};
        emitter_text(&out, texts[i]);
        json_t *value = take(&out);
        assert_string_equal(json_string_value(value), texts[i]);
        json_decref(value);
    }
    struct emitter out = {0};
    emitter_text(&out, "bad\xff\xfe");
    json_t *value = take(&out);
    assert_string_equal(json_string_value(value), "bad??");
    json_decref(value);
}

static void test_numbers(void **state)
{
    static const double values[] = {0, -0.0, 1, 0.1, 1.0 / 3, 1e300, -1e-300, DBL_MAX, DBL_MIN,
        5e-324, 1763912345.25, 123456789.123456789};
    char text[EMITTER_NUMBER_MAX];

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        size_t size = emitter_number(text, values[i]);
        assert_int_equal(size, strlen(text));
        assert_true(size < sizeof text);
        assert_true(strtod(text, NULL) == values[i]);
    }
    emitter_number(text, 0.1);
    assert_string_equal(text, "0.1");
    struct emitter out = {0};
    emitter_open(&out, '[');
    emitter_real(&out, NAN);
    emitter_real(&out, INFINITY);
    emitter_real(&out, 2.5);
    emitter_close(&out, ']');
    char *all = emitter_take(&out);
    assert_string_equal(all, "[null,null,2.5]");
    free(all);
}

static void test_problem(void **state)
{
    struct emitter out = {0};
    struct problem problem;

    assert_int_equal(
        problem_parameter(&problem, 400, "points", "a\"b", "a number from %d to %d", 1, 5), -1);
    problem_write(&problem, &out);
    json_t *value = take(&out);
    assert_int_equal(json_integer_value(json_object_get(value, "status")), 400);
    assert_string_equal(json_string_value(json_object_get(value, "title")), "Bad request");
    assert_string_equal(json_string_value(json_object_get(value, "value")), "a\"b");
    assert_string_equal(
        json_string_value(json_object_get(value, "expected")), "a number from 1 to 5");
    json_decref(value);
}

static void test_sample(void **state)
{
    struct figure loss = {.step = 7, .attempt = 2, .time = 3.5, .value = 1.25, .metric = "loss"};
    struct figure norm = {
        .step = 7, .attempt = 2, .time = 3.5, .value = NAN, .metric = "grad_norm"};
    const struct store_committed_figure told[] = {
        {"r", "a\"b", "loss", &loss}, {"r", "a\"b", "grad_norm", &norm}};
    struct emitter out = {0};

    objects_sample(&out, told, 2);
    json_t *value = take(&out);
    assert_string_equal(json_string_value(json_object_get(value, "layer")), "a\"b");
    assert_int_equal(json_integer_value(json_object_get(value, "step")), 7);
    json_t *values = json_object_get(value, "values");
    assert_true(json_real_value(json_object_get(values, "loss")) == 1.25);
    assert_true(json_is_null(json_object_get(values, "grad_norm")));
    json_decref(value);
}

static void test_prometheus(void **state)
{
    char name[PROMETHEUS_NAME_MAX], longest[200];
    struct emitter out = {0};

    prometheus_name(name, "gate.in_out.p50");
    assert_string_equal(name, "foreshock_gate_in_out_p50");
    prometheus_name(name, "a/b-c\xC3\x9F");
    assert_string_equal(name, "foreshock_a_b_c__");
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    prometheus_name(name, longest);
    assert_int_equal(strlen(name), PROMETHEUS_NAME_MAX - 1);
    prometheus_family(&out, "foreshock_loss", "gauge", "Loss.");
    prometheus_sample(&out, "foreshock_loss",
        (const struct prometheus_label[]){{"run", "a\\b\"c\nd"}, {"layer", ""}}, 2, NAN);
    prometheus_sample(&out, "foreshock_loss", NULL, 0, -INFINITY);
    char *text = emitter_take(&out);
    assert_string_equal(text,
        "# HELP foreshock_loss Loss.\n# TYPE foreshock_loss gauge\n"
        "foreshock_loss{run=\"a\\\\b\\\"c\\nd\",layer=\"\"} NaN\nforeshock_loss -Inf\n");
    free(text);
}

/* What a text takes is charged while it grows, and goes back when it is freed or was not made. */
static void test_budget(void **state)
{
    struct emitter_budget budget = {.max = 5000};
    struct emitter first = {.budget = &budget}, second = {.budget = &budget};
    char bytes[1500] = {0};

    emitter_append(&first, bytes, sizeof bytes);
    assert_int_equal(budget.used, 2048);
    emitter_append(&second, bytes, sizeof bytes);
    emitter_append(&second, bytes, sizeof bytes);
    assert_true(second.failed && second.over);
    assert_null(emitter_take(&second));
    assert_true(second.over);
    assert_int_equal(budget.used, 2048);
    size_t size = first.size + 1;
    char *text = emitter_take(&first);
    assert_non_null(text);
    assert_int_equal(budget.used, size);
    free(text);
    emitter_uncharge(&budget, size);
    assert_int_equal(budget.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_problem),
        cmocka_unit_test(test_sample),
        cmocka_unit_test(test_prometheus),
        cmocka_unit_test(test_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
