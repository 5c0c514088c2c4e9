/* Lines of the log: what they look like, and that no value can forge one. */
#include "daemon/core/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define FORMAT(line, ...)                                                                          \
    (line)[log_format((line), sizeof(line) - 1, LOG_LEVEL_INFO, LOG_FIELDS(__VA_ARGS__))] = '\0'

static void test_fields(void **state)
{
    char line[512];
    FORMAT(line, "run opened", LOG_BYTES("run", "gpt-2:xyz", 3), LOG_INT("attempt", -2),
        LOG_NUM("loss", 0.25));
    assert_string_equal(line, "level=info msg=\"run opened\" run=gpt attempt=-2 loss=0.25\n");
    FORMAT(line, "bare");
    assert_string_equal(line, "level=info msg=bare\n");
    FORMAT(line, "empty", LOG_STR("name", ""), LOG_STR("none", NULL));
    assert_string_equal(line, "level=info msg=empty name=\"\" none=\"\"\n");
}

static void test_escapes(void **state)
{
    static const struct {
        const char *value;
        const char *shown;
    } cases[] = {
        {"a\nlevel=error", "\"a\\x0Alevel=error\""},
        {"say \"x\"\\", "\"say \\\"x\\\"\\\\\""},
        {"\x1b[31m", "\"\\x1B[31m\""},
        {"\x7f", "\"\\x7F\""},
        {"caf\xc3\xa9", "\"caf\xc3\xa9\""},
        {"\xe5\xb1\xa4.0", "\"\xe5\xb1\xa4.0\""},
        {"\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\""},
        {"bad \xc3(", "\"bad \\xC3(\""},
        {"cut \xe5\xb1", "\"cut \\xE5\\xB1\""},
        {"overlong \xc0\xaf", "\"overlong \\xC0\\xAF\""},
        {"overlong \xe0\x80\xaf", "\"overlong \\xE0\\x80\\xAF\""},
        {"surrogate \xed\xa0\x80", "\"surrogate \\xED\\xA0\\x80\""},
        {"beyond \xf4\x90\x80\x80", "\"beyond \\xF4\\x90\\x80\\x80\""},
        {"c1 \xc2\x85", "\"c1 \\xC2\\x85\""},
        {"line \xe2\x80\xa8", "\"line \\xE2\\x80\\xA8\""},
        {"right to left \xe2\x80\xae", "\"right to left \\xE2\\x80\\xAE\""},
        {"a=b", "\"a=b\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[512], expected[512];
        FORMAT(line, "m", LOG_STR("v", cases[i].value));
        snprintf(expected, sizeof expected, "level=info msg=m v=%s\n", cases[i].shown);
        assert_string_equal(line, expected);
    }
    char line[64];
    FORMAT(line, "m", LOG_BYTES("v", "a\0b", 3));
    assert_string_equal(line, "level=info msg=m v=\"a\\x00b\"\n");
}

static void test_bounds(void **state)
{
    char value[5000], line[LOG_LINE_MAX + 1];
    memset(value, '\x01', sizeof value);
    FORMAT(line, "m", LOG_BYTES("v", value, sizeof value));
    assert_int_equal(strlen(line), strlen("level=info msg=m v=\"...\"\n") + 4 * LOG_VALUE_MAX);
    FORMAT(line, "m", LOG_BYTES("v", value, 500), LOG_BYTES("w", value, 500),
        LOG_BYTES("x", value, 500), LOG_INT("n", 1));
    assert_non_null(strstr(line, " w=\""));
    assert_null(strstr(line, " x=")); /* does not fit, so it is not shown by half */
    assert_int_equal(line[strlen(line) - 1], '\n');
    for (size_t size = 64; size < 200; size++) {
        char *small = malloc(size);
        assert_non_null(small);
        size_t used = log_format(small, size, LOG_LEVEL_ERROR,
            LOG_FIELDS("m", LOG_BYTES("v", value, 20), LOG_INT("n", 7)));
        assert_true(used <= size);
        assert_int_equal(small[used - 1], '\n');
        free(small);
    }
}

static void test_limit(void **state)
{
    struct log_limit limit = LOG_LIMIT(2);
    uint64_t left_out = 99;
    assert_true(log_limit_pass(&limit, 10, &left_out));
    assert_int_equal(left_out, 0);
    assert_true(log_limit_pass(&limit, 10, &left_out));
    for (int i = 0; i < 3; i++)
        assert_false(log_limit_pass(&limit, 10, &left_out));
    assert_true(log_limit_pass(&limit, 11, &left_out));
    assert_int_equal(left_out, 3);
    assert_true(log_limit_pass(&limit, 11, &left_out));
    assert_int_equal(left_out, 0);
}

/* What arrives on the other end of a pipe given to log_open. */
static size_t read_back(int fd, char *text, size_t size)
{
    ssize_t n = read(fd, text, size - 1);
    assert_true(n >= 0);
    text[n] = '\0';
    return (size_t)n;
}

static void test_written(void **state)
{
    int fds[2];
    char text[1024];
    assert_int_equal(pipe(fds), 0);
    unsetenv("JOURNAL_STREAM");
    log_open(fds[1], LOG_LEVEL_WARNING);
    log_info("not shown");
    log_warning("shown", LOG_INT("n", 1));
    read_back(fds[0], text, sizeof text);
    int year, month, day, hour, minute, second, ms, end = 0;
    assert_int_equal(sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ %n", &year, &month, &day, &hour,
                         &minute, &second, &ms, &end),
        7);
    assert_int_equal(end, 25);
    assert_string_equal(text + end, "level=warning msg=shown n=1\n");

    struct stat st;
    char stream[64];
    assert_int_equal(fstat(fds[1], &st), 0);
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_open(fds[1], LOG_LEVEL_INFO);
    log_error("to the journal");
    read_back(fds[0], text, sizeof text);
    assert_string_equal(text, "<3>level=error msg=\"to the journal\"\n");

    setenv("JOURNAL_STREAM", "1:1", 1); /* another file's: stderr was redirected */
    log_open(fds[1], LOG_LEVEL_INFO);
    log_error("elsewhere");
    read_back(fds[0], text, sizeof text);
    assert_int_equal(text[4], '-');
    log_open(STDERR_FILENO, LOG_LEVEL_INFO);
    close(fds[0]);
    close(fds[1]);
}

static void test_levels(void **state)
{
    enum log_level level;
    assert_int_equal(log_level_parse("warning", &level), 0);
    assert_int_equal(level, LOG_LEVEL_WARNING);
    assert_int_equal(log_level_parse("Debug", &level), -1);
    assert_string_equal(log_level_name(LOG_LEVEL_WARNING), "warning");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_written),
        cmocka_unit_test(test_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
