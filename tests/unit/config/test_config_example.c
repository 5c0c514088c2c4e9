/* The configuration that is installed, systemd/foreshock.yaml, against the defaults of the code. */
#include "daemon/config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/config/options.h"
#include "daemon/config/yaml.h"

static struct error error;

static void compare(
    const struct config_option *option, const struct config *a, const struct config *b)
{
    const void *x = (const char *)a + option->offset, *y = (const char *)b + option->offset;
    switch (option->type) {
    case CONFIG_TEXT:
        if (*(char *const *)x || *(char *const *)y)
            assert_string_equal(*(char *const *)x, *(char *const *)y);
        break;
    case CONFIG_LIST:
        assert_int_equal(
            ((const struct config_list *)x)->count, ((const struct config_list *)y)->count);
        break;
    case CONFIG_BYTES:
    case CONFIG_NUMBER:
    case CONFIG_AGE: assert_memory_equal(x, y, 8); break;
    case CONFIG_LEVEL:
    case CONFIG_COUNT: assert_memory_equal(x, y, 4); break;
    }
}

static void check_rules(const char *text, const struct config *shown, const struct config *fallback)
{
    for (size_t i = 0; i < rule_setting_count; i++) {
        const struct rule_setting *setting = &rule_setting_table[i];
        char line[96];
        snprintf(line, sizeof line, "\n    %s: ", setting->key);
        if (!strstr(text, line) ||
            rule_setting_get(&shown->rules, setting) != rule_setting_get(&fallback->rules, setting))
            fail_msg("rules.%s.%s is not in the example, or not with its default",
                rule_table[setting->rule].name, setting->key);
    }
    assert_memory_equal(shown->rules.mode, fallback->rules.mode, sizeof fallback->rules.mode);
    for (size_t i = 0; i < RULE_COUNT; i++) {
        char line[64];
        snprintf(line, sizeof line, "\n  %s:", rule_table[i].name);
        if (!strstr(text, line))
            fail_msg("the rule %s is not in the example", rule_table[i].name);
    }
}

/* The example that is installed: with its defaults uncommented it is the defaults, and it names
 * every option. */
static void test_example(void **state)
{
    static char raw[32768], text[32768];
    FILE *file = fopen(EXAMPLE_FILE, "r");
    assert_non_null(file);
    size_t used = 0, size = fread(raw, 1, sizeof raw - 1, file);
    fclose(file);
    raw[size] = '\0';
    for (char *line = strtok(raw, "\n"); line; line = strtok(NULL, "\n")) {
        if (strncmp(line, "##", 2) == 0) {
            char *name = strchr(line, ':'); /* options without a default are shown in the prose */
            used += (size_t)snprintf(
                text + used, sizeof text - used, "%s%s\n", name ? "# " : "#", line);
        } else {
            used +=
                (size_t)snprintf(text + used, sizeof text - used, "%s\n", line + (line[0] == '#'));
        }
    }
    struct config shown, fallback;
    assert_int_equal(config_default(&shown, &error), 0);
    assert_int_equal(config_default(&fallback, &error), 0);
    if (config_load_text(&shown, text, strlen(text), EXAMPLE_FILE, &error))
        fail_msg("%s", error.text);
    for (size_t i = 0; i < config_option_count; i++) {
        char name[64];
        const char *dot = strrchr(config_options[i].path, '.');
        snprintf(name, sizeof name, " %s:", dot ? dot + 1 : config_options[i].path);
        if (!strstr(text, name) && strncmp(text, name + 1, strlen(name) - 1) != 0) {
            snprintf(name, sizeof name, "\n%s:", config_options[i].path);
            if (!strstr(text, name))
                fail_msg("%s is not in the example", config_options[i].path);
        }
        compare(&config_options[i], &shown, &fallback);
    }
    check_rules(text, &shown, &fallback);
    config_free(&shown);
    config_free(&fallback);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
