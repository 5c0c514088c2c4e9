/* Targets and parameters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/http/query.h"

static struct query query;
static struct problem problem;

static int parse(const char *target)
{
    query_free(&query);
    problem = (struct problem){0};
    return query_parse(&query, target, &problem);
}

static void test_path(void **state)
{
    assert_int_equal(parse("/"), 0);
    assert_int_equal(query.segments_count, 0);
    assert_int_equal(parse("/api/v1/runs/a%2fb%20c"), 0);
    assert_int_equal(query.segments_count, 4);
    assert_string_equal(query.segments[3], "a/b c");
    assert_int_equal(parse("/runs/"), 0);
    assert_int_equal(query.segments_count, 2);
    assert_string_equal(query.segments[1], "");
    assert_int_equal(parse("/a+b"), 0);
    assert_string_equal(query.segments[0], "a+b");
}

static void test_bad_targets(void **state)
{
    static const char *const targets[] = {
        "", "runs", "/%", "/%4", "/%zz", "/a%00b", "/a%0ab", "/%ff", "/?a=%c3%28", "/?a%7f=1", "*"};

    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        assert_int_equal(parse(targets[i]), -1);
        assert_int_equal(problem.status, 400);
    }
    assert_int_equal(parse("/1/2/3/4/5/6/7/8/9"), -1);
    assert_int_equal(problem.status, 404);
}

static void test_length(void **state)
{
    char *target = malloc(QUERY_TARGET_MAX + 2);

    assert_non_null(target);
    memset(target, 'a', QUERY_TARGET_MAX + 1);
    target[0] = '/';
    target[QUERY_TARGET_MAX + 1] = '\0';
    assert_int_equal(parse(target), -1);
    assert_int_equal(problem.status, 414);
    target[QUERY_TARGET_MAX] = '\0';
    assert_int_equal(parse(target), 0);
    free(target);
}

static void test_parameters(void **state)
{
    assert_int_equal(parse("/x?layer=a+b%2B&metric=sa.*&metric=%C3%9F&&empty&nothing="), 0);
    assert_int_equal(query.parameters_count, 5);
    assert_string_equal(query_text(&query, "layer"), "a b+");
    assert_string_equal(query_text(&query, "metric"), "sa.*");
    assert_string_equal(query.parameters[2].value, "\xC3\x9F");
    assert_string_equal(query_text(&query, "empty"), "");
    assert_string_equal(query_text(&query, "nothing"), "");
    assert_null(query_text(&query, "missing"));
}

static void test_too_many_parameters(void **state)
{
    char target[2 * (QUERY_PARAMETERS_MAX + 1) + 3] = "/?";

    for (int i = 0; i <= QUERY_PARAMETERS_MAX; i++)
        strcat(target, "a&");
    assert_int_equal(parse(target), -1);
    target[strlen(target) - 2] = '\0';
    assert_int_equal(parse(target), 0);
}

static void test_check(void **state)
{
    static const struct query_rule rules[] = {{"metric", 1}, {"points", 0}};

    assert_int_equal(parse("/?metric=a&metric=b&points=3"), 0);
    assert_int_equal(query_check(&query, rules, 2, &problem), 0);
    assert_int_equal(parse("/?pionts=3"), 0);
    assert_int_equal(query_check(&query, rules, 2, &problem), -1);
    assert_int_equal(problem.status, 400);
    assert_string_equal(problem.parameter, "pionts");
    assert_string_equal(problem.value, "3");
    assert_non_null(strstr(problem.expected, "metric, points"));
    assert_int_equal(parse("/?points=3&points=3"), 0);
    assert_int_equal(query_check(&query, rules, 2, &problem), -1);
    assert_string_equal(problem.parameter, "points");
    assert_int_equal(parse("/?x=1"), 0);
    assert_int_equal(query_check(&query, rules, 0, &problem), -1);
}

static void test_integer(void **state)
{
    static const char *const bad[] = {"/?n=", "/?n=x", "/?n=5x", "/?n=-1", "/?n=101", "/?n=%205",
        "/?n=%2B5", "/?n=5.0", "/?n=99999999999999999999"};
    int64_t value = 7;

    assert_int_equal(parse("/"), 0);
    assert_int_equal(query_integer(&query, "n", 0, 100, &value, &problem), 0);
    assert_int_equal(value, 7);
    assert_int_equal(parse("/?n=100"), 0);
    assert_int_equal(query_integer(&query, "n", 0, 100, &value, &problem), 0);
    assert_int_equal(value, 100);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(parse(bad[i]), 0);
        assert_int_equal(query_integer(&query, "n", 0, 100, &value, &problem), -1);
        assert_string_equal(problem.parameter, "n");
        assert_string_equal(problem.expected, "a whole number from 0 to 100");
    }
    assert_int_equal(value, 100);
}

static void test_number_and_choice(void **state)
{
    static const char *const choices[] = {"firing", "resolved", NULL};
    const char *choice = NULL;
    double value = 0;

    assert_int_equal(parse("/?t=1.5e3&s=firing&bad=nan&hex=0x10&o=other"), 0);
    assert_int_equal(query_number(&query, "t", 0, &value, &problem), 0);
    assert_true(value == 1500);
    assert_int_equal(query_number(&query, "bad", 0, &value, &problem), -1);
    assert_int_equal(query_number(&query, "hex", 0, &value, &problem), -1);
    assert_int_equal(query_choice(&query, "s", choices, &choice, &problem), 0);
    assert_string_equal(choice, "firing");
    assert_int_equal(query_choice(&query, "o", choices, &choice, &problem), -1);
    assert_string_equal(problem.expected, "one of: firing, resolved");
}

static void test_match(void **state)
{
    assert_true(query_match("*", ""));
    assert_true(query_match("*", "anything"));
    assert_true(query_match("spectral.*", "spectral.sigma1"));
    assert_false(query_match("spectral.*", "sa.mean"));
    assert_true(query_match("*.mlp.*_proj", "blocks.0.mlp.up_proj"));
    assert_false(query_match("*.mlp.*_proj", "blocks.0.mlp.up_projx"));
    assert_true(query_match("a*b*c", "aXbXbXc"));
    assert_false(query_match("a*b*c", "aXbXb"));
    assert_true(query_match("", ""));
    assert_false(query_match("", "a"));
    assert_false(query_match("a", ""));
}

static void test_problem_cut(void **state)
{
    char value[300];

    memset(value, 'a', sizeof value);
    memcpy(value + sizeof problem.value - 2, "\xC3\x9F", 2);
    value[sizeof value - 1] = '\0';
    problem_parameter(&problem, 400, "p", value, "less");
    assert_int_equal(strlen(problem.value), sizeof problem.value - 2);
    assert_int_equal(problem.value[sizeof problem.value - 3], 'a');
}

static int tear_down(void **state)
{
    query_free(&query);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_path, tear_down),
        cmocka_unit_test_teardown(test_bad_targets, tear_down),
        cmocka_unit_test_teardown(test_length, tear_down),
        cmocka_unit_test_teardown(test_parameters, tear_down),
        cmocka_unit_test_teardown(test_too_many_parameters, tear_down),
        cmocka_unit_test_teardown(test_check, tear_down),
        cmocka_unit_test_teardown(test_integer, tear_down),
        cmocka_unit_test_teardown(test_number_and_choice, tear_down),
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_problem_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
