/* The command line of foreshockd, and what a bad one is told. */
#include "daemon/config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct error error;

#define ARGS(...) ((char *[]){"foreshockd", __VA_ARGS__, NULL})
static int parse(struct config_args *args, char **argv)
{
    int argc = 0;
    while (argv[argc])
        argc++;
    return config_parse_args(args, argc, argv, &error);
}

static void test_command_line(void **state)
{
    struct config_args args;
    struct config c;
    char path[] = "/tmp/test_config_args.XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_true(dprintf(file, "http: {address: 'off'}\nlog_level: error\n") > 0);
    close(file);
    assert_int_equal(
        parse(&args, ARGS("--config", path, "--ingest", "ipc:///run/a", "--ingest=ipc:///run/b",
                         "--http", "[::1]:81", "--log-level", "warning", "--state-dir", "here")),
        0);
    assert_int_equal(args.action, CONFIG_RUN);
    assert_int_equal(config_load(&c, &args, &error), 0);
    assert_int_equal(c.ingest.endpoints.count, 2);
    assert_string_equal(c.ingest.endpoints.items[0], "ipc:///run/a");
    assert_string_equal(c.http.address, "[::1]:81");
    assert_int_equal(c.log_level, LOG_LEVEL_WARNING);
    char *cwd = getcwd(NULL, 0), expected[4200];
    snprintf(expected, sizeof expected, "%s/here", cwd);
    assert_string_equal(c.state_dir, expected);
    free(cwd);
    config_free(&c);

    assert_int_equal(parse(&args, ARGS("--check-config", "--config", path)), 0);
    assert_int_equal(args.action, CONFIG_CHECK);
    unlink(path);
    assert_int_equal(parse(&args, ARGS("--help", "--nonsense")), 0);
    assert_int_equal(args.action, CONFIG_HELP);
    assert_int_equal(parse(&args, ARGS("--version")), 0);
    assert_int_equal(args.action, CONFIG_VERSION);
    assert_non_null(strstr(config_usage(), "--check-config"));
}

static void test_bad_command_line(void **state)
{
    struct config_args args;
    struct config c;
    assert_int_equal(parse(&args, ARGS("--nonsense")), -1);
    assert_string_equal(error.text, "--nonsense: unknown or ambiguous option (see --help)");
    assert_int_equal(parse(&args, ARGS("--log-level", "info", "-x")), -1);
    assert_string_equal(error.text, "-x: unknown or ambiguous option (see --help)");
    assert_int_equal(parse(&args, ARGS("--http")), -1);
    assert_string_equal(error.text, "--http: wants a value (see --help)");
    assert_int_equal(parse(&args, ARGS("start")), -1);
    assert_string_equal(error.text, "start: unexpected argument (see --help)");
    assert_int_equal(
        parse(&args, ARGS("--ingest=1", "--ingest=2", "--ingest=3", "--ingest=4", "--ingest=5",
                         "--ingest=6", "--ingest=7", "--ingest=8", "--ingest=9")),
        -1);
    assert_string_equal(error.text, "--ingest: got more than 8 values");

    static const char *const cases[][3] = {
        {"--http", "9",
            "--http: got \"9\", expected an address and a port such as 127.0.0.1:8790 or "
            "[::1]:8790 (0: any free "
            "port), or off"},
        {"--ingest", "tcp://10.0.0.1:5",
            "--ingest: got \"tcp://10.0.0.1:5\", expected a loopback address: tcp:// beyond "
            "loopback would not be encrypted"},
        {"--log-level", "x", "--log-level: got \"x\", expected error, warning or info"},
        {"--state-dir", "", "--state-dir: got \"\", expected an absolute path"},
        {"--config", "/nonexistent", "/nonexistent: cannot be read: No such file or directory"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        /* the file comes last: a second --config goes before the first */
        assert_int_equal(
            parse(&args, ARGS("--config", "/dev/null", (char *)cases[i][0], (char *)cases[i][1])),
            0);
        assert_int_equal(config_load(&c, &args, &error), -1);
        assert_string_equal(error.text, cases[i][2]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_line),
        cmocka_unit_test(test_bad_command_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
