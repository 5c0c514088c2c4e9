/* Templates: what they become, and what is said of bad ones. */
#include "daemon/notify/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const values[TEMPLATE_NAME_COUNT] = {
    [TEMPLATE_TITLE] = "It \"grows\"\\\n",
    [TEMPLATE_SUMMARY] = "{{run}} \xe2\x80\xa6",
    [TEMPLATE_SEVERITY] = "warning",
    [TEMPLATE_RUN] = "gpt",
    [TEMPLATE_RULE] = "growth",
    [TEMPLATE_EVENT] = "firing",
    [TEMPLATE_URL] = "",
    [TEMPLATE_ID] = "7",
    [TEMPLATE_STEP] = "40",
    [TEMPLATE_LAYERS] = "a, b",
    [TEMPLATE_PAGERDUTY_ACTION] = "trigger",
};

static void test_filled(void **state)
{
    static const struct {
        const char *text, *filled;
    } cases[] = {
        {"{\"text\": \"{{title}}\"}", "{\"text\":\"It \\\"grows\\\"\\\\\\n\"}"},
        {"[\"{{severity}}/{{ rule }}{{id}}\"]", "[\"warning/growth7\"]"},
        {"[\"{{summary}}\"]", "[\"{{run}} \xe2\x80\xa6\"]"}, /* a value is not looked into */
        {"{\"b\": [1, 2.5, true, null, {\"c\": \"{{layers}}\"}], \"a\": \"\"}",
            "{\"b\":[1,2.5,true,null,{\"c\":\"a, b\"}],\"a\":\"\"}"},
        {"{\"x\": \"{{run}}{{event}}{{url}}{{step}}{{pagerduty_action}}\"}",
            "{\"x\":\"gptfiring40trigger\"}"},
        {"{\"x\": \"} {{run}} }} {\"}", "{\"x\":\"} gpt }} {\"}"},
        {"{}", "{}"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error;
        assert_int_equal(template_check(cases[i].text, &error), 0);
        char *filled = template_fill(cases[i].text, values);
        assert_non_null(filled);
        assert_string_equal(filled, cases[i].filled);
        free(filled);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"{\"a\": \"{{titel}}\"}", "unknown placeholder {{titel}}"},
        {"{\"a\": \"{{}}\"}", "unknown placeholder {{}}"},
        {"{\"a\": \"{{ti tle}}\"}", "unknown placeholder {{ti tle}}"},
        {"{\"a\": \"{{title\"}", "\"{{\" without its \"}}\""},
        {"{\"{{title}}\": 1}", "got a placeholder in the name"},
        {"{\"a\": {{title}}}", "not JSON: line 1"},
        {"{\"a\": 1,\n \"b\": }", "not JSON: line 2"},
        {"{\"a\": 1, \"a\": 2}", "not JSON"},
        {"", "not JSON"},
        {"\"{{title}}\"", "not JSON"},
        {"{} {}", "not JSON"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error;
        assert_int_equal(template_check(cases[i].text, &error), -1);
        if (!strstr(error.text, cases[i].why))
            fail_msg("%s: %s", cases[i].text, error.text);
        assert_null(template_fill(cases[i].text, values));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filled),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests_name("notify template", tests, NULL, NULL);
}
