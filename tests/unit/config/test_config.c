/* The configuration: its defaults, its file, and what each bad one is told. */
#include "daemon/config/config.h"
#include "daemon/config/yaml.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define GIB          (UINT64_C(1) << 30)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct error error;
static char folder[] = "/tmp/test_config.XXXXXX";

static int load(struct config *config, const char *text)
{
    assert_int_equal(config_default(config, &error), 0);
    error.text[0] = '\0';
    return config_load_text(config, text, strlen(text), "f.yaml", &error);
}

/* Puts `text` into a fresh file and returns its path, which lives until the next call. */
static const char *file_of(const char *text, size_t size)
{
    static char path[64];
    snprintf(path, sizeof path, "%s/file", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return path;
}

static void test_defaults(void **state)
{
    struct config c;
    assert_int_equal(config_default(&c, &error), 0);
    assert_null(c.state_dir);
    assert_int_equal(c.log_level, LOG_LEVEL_INFO);
    assert_string_equal(c.http.address, "127.0.0.1:8790");
    assert_int_equal(c.limits.memory_bytes, GIB);
    assert_int_equal(c.limits.tensor_bytes, 4 * GIB);
    assert_int_equal(c.limits.layers_per_run, 65536);
    assert_true(c.limits.lease_seconds == 30);
    assert_true(c.analysis.target_residual == 1e-3);
    assert_int_equal(c.retention.bytes, 2 * GIB);
    config_free(&c);
}

static void test_whole_file(void **state)
{
    static const char text[] =
        "state_dir: /srv/foreshock\nlog_level: warning\nworkers: 3\n"
        "ingest:\n  endpoints:\n    - ipc:///run/a.sock\n    - 'tcp://127.0.0.1:7000'\n"
        "http: {address: '[::1]:0', token: secret-of-ours, hosts: [gpu1.example.org, gpu1]}\n"
        "limits:\n  memory_bytes: 512MiB\n  kept_bytes: 0\n  tensor_bytes: 104857600\n  "
        "lease_seconds: 0.5\n"
        "  runs: 7\n  heartbeat_seconds: 0.1\n"
        "analysis:\n  target_residual: 1e-4\n  passes_large: 12\n"
        "retention: {age: 90d, disk_free_min: 1GiB}\n"
        "rules:\n  loss_high: {mode: observe, critical: 7}\n  nonfinite:\n    layers: {'*.head': off, "
        "'a b': observe}\n";
    struct config c;
    assert_int_equal(load(&c, text), 0);
    assert_int_equal(config_validate(&c, &error), 0);
    assert_string_equal(c.state_dir, "/srv/foreshock");
    assert_int_equal(c.log_level, LOG_LEVEL_WARNING);
    assert_int_equal(c.workers, 3);
    assert_int_equal(c.ingest.endpoints.count, 2);
    assert_string_equal(c.ingest.endpoints.items[1], "tcp://127.0.0.1:7000");
    assert_true(c.http.on);
    assert_int_equal(c.http.socket.ss_family, AF_INET6);
    assert_string_equal(c.http.host, "::1");
    assert_int_equal(c.http.port, 0);
    assert_string_equal(c.http.token, "secret-of-ours");
    assert_int_equal(c.http.hosts.count, 2);
    assert_string_equal(c.http.hosts.items[0], "gpu1.example.org");
    assert_int_equal(c.limits.memory_bytes, GIB / 2);
    assert_int_equal(c.limits.kept_bytes, 0);
    assert_int_equal(c.limits.tensor_bytes, 104857600);
    assert_true(c.limits.lease_seconds == 0.5 && c.limits.heartbeat_seconds == 0.1);
    assert_int_equal(c.limits.runs, 7);
    assert_true(c.analysis.target_residual == 1e-4);
    assert_int_equal(c.analysis.passes_large, 12);
    assert_int_equal(c.analysis.passes_small, 16);
    assert_true(c.retention.age_seconds == 90 * 86400.0);
    assert_int_equal(c.retention.disk_free_min, GIB);
    assert_int_equal(c.rules.mode[RULE_LOSS_HIGH], RULE_OBSERVE);
    assert_int_equal(c.rules.mode[RULE_NONFINITE], RULE_ON);
    assert_true(c.rules.detectors.loss_high.critical == 7);
    assert_int_equal(rule_mode_for(&c.rules, RULE_NONFINITE, "lm.head"), RULE_OFF);
    assert_int_equal(rule_mode_for(&c.rules, RULE_NONFINITE, "a b"), RULE_OBSERVE);
    config_free(&c);
}

static void test_notifiers(void **state)
{
    static const char text[] =
        "http: {external_url: 'https://mon.example/'}\n"
        "notifiers:\n  pager:\n    type: alertmanager\n    url: http://127.0.0.1:9093\n"
        "    labels: {team: research}\n    resend_seconds: 30\n    min_severity: critical\n"
        "    rules: [nonfinite, run_lost]\n"
        "  chat:\n    type: webhook\n    url: https://x.example/y?z\n    template: |\n"
        "      {\"a\":\n       \"{{title}}\"}\n";
    struct config c;
    assert_int_equal(load(&c, text), 0);
    assert_int_equal(config_validate(&c, &error), 0);
    assert_int_equal(c.notifier_count, 2);
    assert_string_equal(c.notifiers[0].name, "pager");
    assert_int_equal(c.notifiers[0].kind, NOTIFIER_ALERTMANAGER);
    assert_string_equal(c.notifiers[0].external_url, "https://mon.example/");
    assert_string_equal(c.notifiers[0].labels[0].value, "research");
    assert_int_equal(c.notifiers[0].resend_seconds, 30);
    assert_true(c.notifiers[0].critical_only);
    assert_string_equal(c.notifiers[0].rules, ",nonfinite,run_lost,");
    assert_int_equal(c.notifiers[1].kind, NOTIFIER_WEBHOOK);
    assert_string_equal(c.notifiers[1].url, "https://x.example/y?z");
    assert_string_equal(c.notifiers[1].template, "{\"a\":\n \"{{title}}\"}\n");
    assert_int_equal(c.notifiers[1].timeout_seconds, 10);
    config_free(&c);
}

/* Loads a webhook whose `key` names a file with this text and mode. */
static int load_secret(struct config *c, const char *key, const char *text, mode_t mode)
{
    char yaml[256];
    const char *path = file_of(text, strlen(text));
    assert_int_equal(chmod(path, mode), 0);
    snprintf(yaml, sizeof yaml, "notifiers: {a: {type: webhook, %s %s: %s}}",
        strcmp(key, "url_file") == 0 ? "" : "url: 'http://x',", key, path);
    int rc = load(c, yaml);
    unlink(path);
    return rc;
}

static void test_notifier_files(void **state)
{
    struct config c;
    assert_int_equal(load_secret(&c, "bearer_file", "s3cret\nmore\n", 0640), 0);
    assert_string_equal(c.notifiers[0].bearer, "s3cret");
    config_free(&c);
    assert_int_equal(load_secret(&c, "headers_file", "# ours\nX-Key: a b\r\n\nX-B:c", 0600), 0);
    assert_int_equal(c.notifiers[0].header_count, 2);
    assert_string_equal(c.notifiers[0].headers[0], "X-Key: a b");
    config_free(&c);
    assert_int_equal(load_secret(&c, "url_file", "https://x.example/secret\n", 0600), 0);
    assert_string_equal(c.notifiers[0].url, "https://x.example/secret");
    config_free(&c);
    assert_int_equal(load_secret(&c, "bearer_file", "s3cret", 0644), -1);
    assert_non_null(strstr(error.text, "is open to everybody (mode 0644)"));
    config_free(&c);
    assert_int_equal(load_secret(&c, "bearer_file", "a b", 0600), -1);
    assert_non_null(strstr(error.text, "expected a token"));
    config_free(&c);
    assert_int_equal(load_secret(&c, "headers_file", "X: 1\nnonsense", 0600), -1);
    assert_non_null(strstr(error.text, "headers_file: line 2 of"));
    config_free(&c);
    assert_int_equal(load_secret(&c, "headers_file", "Content-Length: 3", 0600), -1);
    config_free(&c);
    assert_int_equal(load_secret(&c, "url_file", "gopher://secret", 0600), -1);
    assert_non_null(strstr(error.text, "url_file: first line of"));
    assert_null(strstr(error.text, "secret"));
    config_free(&c);
}

static void test_empty_files(void **state)
{
    static const char *const texts[] = {"", "# nothing\n", "---\n", "limits:\n#  runs: 3\n", "{}"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct config c;
        assert_int_equal(load(&c, texts[i]), 0);
        assert_int_equal(c.limits.runs, 1000);
        config_free(&c);
    }
}

static const struct {
    const char *text, *error;
} bad_files[] = {
    {"a: 1", "f.yaml:1: a: unknown option"},
    {"notifiers: [{url: http://x}]",
        "f.yaml:1: notifiers: got a list, expected a section: indented lines of NAME: VALUE"},
    {"notifiers: {a: http://x}",
        "f.yaml:1: notifiers.a: got a value, expected a section with type and url"},
    {"notifiers:\n  a:\n    url: http://x\n",
        "f.yaml:3: notifiers.a: type is missing, expected alertmanager or webhook"},
    {"notifiers: {a: {type: webhook}}", "f.yaml:1: notifiers.a: expected one of url and url_file"},
    {"notifiers: {a: {type: smtp, url: http://x}}",
        "f.yaml:1: notifiers.a.type: got \"smtp\", expected alertmanager or webhook"},
    {"notifiers:\n  a:\n    type: webhook\n    url: http://x\n    colour: red\n",
        "f.yaml:5: notifiers.a.colour: unknown option of a notifier"},
    {"notifiers: {a: {type: webhook, url: http://x, type: webhook}}",
        "f.yaml:1: notifiers.a.type: is there twice, first on line 1"},
    {"notifiers: {a: {type: webhook, url: http://x}, a: {type: webhook, url: http://y}}",
        "f.yaml:1: notifiers.a: is there twice, first on line 1"},
    {"notifiers: {a: {type: webhook, url: 'ftp://x'}}",
        "f.yaml:1: notifiers.a.url: got \"ftp://x\", expected an address such as "
        "https://host:9093/path, http or https"},
    {"notifiers: {a: {type: webhook, url: nowhere}}",
        "f.yaml:1: notifiers.a.url: got \"nowhere\", expected an address such as "
        "https://host:9093/path, http or https"},
    {"notifiers: {a: {type: webhook, url: 'http://x', labels: {b: c}}}",
        "f.yaml:1: notifiers.a: labels: a webhook has no such option"},
    {"notifiers: {a: {type: alertmanager, url: 'http://x', template: '{}'}}",
        "f.yaml:1: notifiers.a: template: an alertmanager has no such option"},
    {"notifiers: {a: {type: alertmanager, url: 'http://x', labels: {run: c}}}",
        "f.yaml:1: notifiers.a.labels: got \"run\", expected a label of [a-zA-Z0-9_] that is none "
        "of alertname, severity, run, rule"},
    {"notifiers: {a: {type: webhook, url: 'http://x', rules: [none]}}",
        "f.yaml:1: notifiers.a.rules: got \"none\", expected the name of a rule"},
    {"notifiers: {a: {type: webhook, url: 'http://x', rules: nonfinite}}",
        "f.yaml:1: notifiers.a.rules: got a value, expected a list or a section"},
    {"notifiers: {a: {type: webhook, url: 'http://x', min_severity: low}}",
        "f.yaml:1: notifiers.a.min_severity: got \"low\", expected warning or critical"},
    {"notifiers: {a: {type: webhook, url: 'http://x', timeout_seconds: 0}}",
        "f.yaml:1: notifiers.a.timeout_seconds: got \"0\", expected a whole number of seconds from "
        "1 to 60"},
    {"notifiers:\n  a:\n    type: webhook\n    url: http://x\n    template: '{\"a\": \"{{b}}\"}'\n",
        "f.yaml:5: notifiers.a.template: unknown placeholder {{b}}, expected {{NAME}} of title, "
        "summary, severity, run, rule, event, url, id, step, layers or pagerduty_action"},
    {"notifiers: {a: {type: webhook, url: 'http://x', bearer_file: relative}}",
        "f.yaml:1: notifiers.a.bearer_file: got \"relative\", expected an absolute path"},
    {"notifiers: {a: {type: webhook, url_file: /nonexistent/file}}",
        "f.yaml:1: notifiers.a: url_file: /nonexistent/file: No such file or directory"},
    {"notifiers: {a: {type: webhook, url: 'http://x', headers_file: /dev/zero}}",
        "f.yaml:1: notifiers.a: headers_file: /dev/zero: is no file that can be read"},
    {"http: {external_url: here}", "f.yaml:1: http.external_url: got \"here\", expected an address "
                                   "such as https://host:9093/path, http or https"},
    {"log_level: info\nlimits:\n  runs: 3\n  memory: 1GiB\n",
        "f.yaml:4: limits.memory: unknown option"},
    {"limits.runs: 3", "f.yaml:1: got a key that is no name of an option"},
    {"limits: {? [a] : 1}", "f.yaml:1: limits: got a key that is no name of an option"},
    {"limits:\n\n  memory_bytes: abc", "f.yaml:3: limits.memory_bytes: got \"abc\", expected a "
                                       "size such as 512MiB, from 64MiB to 1TiB"},
    {"limits: {memory_bytes: 1MiB}", "f.yaml:1: limits.memory_bytes: got \"1MiB\", expected a size "
                                     "such as 512MiB, from 64MiB to 1TiB"},
    {"limits: {memory_bytes: 2TiB}", "f.yaml:1: limits.memory_bytes: got \"2TiB\", expected a size "
                                     "such as 512MiB, from 64MiB to 1TiB"},
    {"limits: {memory_bytes: -1}", "f.yaml:1: limits.memory_bytes: got \"-1\", expected a size "
                                   "such as 512MiB, from 64MiB to 1TiB"},
    {"limits: {memory_bytes: 1GB}", "f.yaml:1: limits.memory_bytes: got \"1GB\", expected a size "
                                    "such as 512MiB, from 64MiB to 1TiB"},
    {"limits: {memory_bytes: 99999999999999999999}",
        "f.yaml:1: limits.memory_bytes: got \"99999999999999999999\", expected a size such as "
        "512MiB, from 64MiB to 1TiB"},
    {"limits: {runs: 1.5}",
        "f.yaml:1: limits.runs: got \"1.5\", expected a whole number from 1 to 100000"},
    {"limits: {runs: 0}",
        "f.yaml:1: limits.runs: got \"0\", expected a whole number from 1 to 100000"},
    {"limits: {runs: }",
        "f.yaml:1: limits.runs: got \"\", expected a whole number from 1 to 100000"},
    {"limits: {runs: [1]}",
        "f.yaml:1: limits.runs: got a list, expected a whole number from 1 to 100000"},
    {"limits: {runs: {a: 1}}",
        "f.yaml:1: limits.runs: got a section, expected a whole number from 1 to 100000"},
    {"limits: {lease_seconds: 0.1}", "f.yaml:1: limits.lease_seconds: got \"0.1\", expected a "
                                     "number of seconds from 0.5 to 3600"},
    {"limits: {lease_seconds: nan}", "f.yaml:1: limits.lease_seconds: got \"nan\", expected a "
                                     "number of seconds from 0.5 to 3600"},
    {"limits: {lease_seconds: 1e999}", "f.yaml:1: limits.lease_seconds: got \"1e999\", expected a "
                                       "number of seconds from 0.5 to 3600"},
    {"limits: {lease_seconds: 0x10}", "f.yaml:1: limits.lease_seconds: got \"0x10\", expected a "
                                      "number of seconds from 0.5 to 3600"},
    {"retention: {age: 3 days}", "f.yaml:1: retention.age: got \"3 days\", expected a time such as "
                                 "90d or 12h, up to 36500d, or 0 for no limit"},
    {"limits: 3",
        "f.yaml:1: limits: got a value, expected a section: indented lines of NAME: VALUE"},
    {"[1, 2]", "f.yaml:1: got a list, expected a section: indented lines of NAME: VALUE"},
    {"hello", "f.yaml:1: got a value, expected a section: indented lines of NAME: VALUE"},
    {"log_level: loud", "f.yaml:1: log_level: got \"loud\", expected error, warning or info"},
    {"state_dir: here", "f.yaml:1: state_dir: got \"here\", expected an absolute path"},
    {"state_dir: \"/a\\nb\"", "f.yaml:1: state_dir: got a control character"},
    {"state_dir: \"/a\\0b\"", "f.yaml:1: state_dir: got a control character"},
    {"http: {address: example.org:80}",
        "f.yaml:1: http.address: got \"example.org:80\", expected an address and a port such "
        "as 127.0.0.1:8790 or [::1]:8790 (0: any free port), or off"},
    {"http: {address: '127.0.0.1:70000'}",
        "f.yaml:1: http.address: got \"127.0.0.1:70000\", expected an address and a port "
        "such as 127.0.0.1:8790 or [::1]:8790 (0: any free port), or off"},
    {"http: {token: short}", "f.yaml:1: http.token: got 5 bytes, expected a token of 8 to 256 "
                             "printable ASCII characters without spaces"},
    {"http: {hosts: ['a:80']}", "f.yaml:1: http.hosts: got \"a:80\", expected a host name such as "
                                "gpu1.example.org, without a port"},
    {"http: {hosts: a}", "f.yaml:1: http.hosts: got a value, expected a list of a host name such "
                         "as gpu1.example.org, without a port"},
    {"ingest: {endpoints: ['ipc://relative']}",
        "f.yaml:1: ingest.endpoints: got \"ipc://relative\", expected "
        "ipc:///ABSOLUTE/PATH or tcp://ADDRESS:PORT"},
    {"ingest: {endpoints: ['udp://127.0.0.1:1']}",
        "f.yaml:1: ingest.endpoints: got \"udp://127.0.0.1:1\", expected "
        "ipc:///ABSOLUTE/PATH or tcp://ADDRESS:PORT"},
    {"ingest: {endpoints: ['tcp://0.0.0.0:1']}",
        "f.yaml:1: ingest.endpoints: got \"tcp://0.0.0.0:1\", expected a loopback "
        "address: tcp:// beyond loopback would not be encrypted"},
    {"ingest: {endpoints: ['tcp://*:1']}",
        "f.yaml:1: ingest.endpoints: got \"tcp://*:1\", expected a loopback "
        "address: tcp:// beyond loopback would not be encrypted"},
    {"ingest: {endpoints: ['ipc:///a', 'ipc:///b', 'ipc:///c', 'ipc:///d', 'ipc:///e', 'ipc:///f', "
     "'ipc:///g', 'ipc:///h', "
     "'ipc:///i']}",
        "f.yaml:1: ingest.endpoints: got more than 8 values"},
    {"log_level: info\nlimits: {}\nlog_level: warning\n",
        "f.yaml:3: log_level: is there twice, first on line 1"},
    {"limits: {runs: 2}\nlimits: {runs: 3}\n", "f.yaml:2: limits: is there twice, first on line 1"},
    {"log_level: &a info", "f.yaml:1: got an anchor (&NAME), expected plain values"},
    {"limits: {runs: *a}", "f.yaml:1: got an alias (*NAME), expected plain values"},
    {"log_level: !!str info", "f.yaml:1: got a tag (!NAME), expected plain values"},
    {"log_level: info\n---\nlog_level: warning\n", "f.yaml:2: got a second document, expected one"},
    {"rules: {nonsense: {mode: off}}", "f.yaml:1: rules.nonsense: unknown option"},
    {"rules: {loss_high: off}", "f.yaml:1: rules.loss_high: got a value, expected a section: "
                                "indented lines of NAME: VALUE"},
    {"rules: {loss_high: {mode: maybe}}",
        "f.yaml:1: rules.loss_high.mode: got \"maybe\", expected on, observe or off"},
    {"rules:\n  loss_high:\n    nonsense: 1",
        "f.yaml:3: rules.loss_high.nonsense: unknown option of the rule loss_high"},
    {"rules: {loss_high: {rise: [1]}}",
        "f.yaml:1: rules.loss_high.rise: got a list, expected a value"},
    {"rules: {loss_high: {mode: off, mode: on}}",
        "f.yaml:1: rules.loss_high.mode: is there twice, first on line 1"},
    {"rules: {nonfinite: {layers: [a]}}", "f.yaml:1: rules.nonfinite.layers: got a list, expected "
                                          "lines of PATTERN: on, observe or off"},
    {"rules: {nonfinite: {layers: {'*.head': no}}}",
        "f.yaml:1: rules.nonfinite.layers: got \"no\", expected on, observe or off"},
    {"a: [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "f.yaml:1: nested too deep"},
    {"log_level: 'info", "f.yaml:1: not YAML: found unexpected end of stream"},
    {"log_level: info\n\tworkers: 1",
        "f.yaml:2: not YAML: found a tab character that violates indentation"},
    {"log_level: info\nworkers: \xff", "f.yaml:2: not YAML: invalid leading UTF-8 octet"},
};

static void test_bad_files(void **state)
{
    for (size_t i = 0; i < COUNT(bad_files); i++) {
        struct config c;
        assert_int_equal(load(&c, bad_files[i].text), -1);
        assert_string_equal(error.text, bad_files[i].error);
        config_free(&c);
    }
}

static void test_long_path(void **state)
{
    char path[120] = "ipc:///", text[200], expected[300];
    memset(path + 7, 'a', 98);
    for (int length = 99; length <= 100; length++) {
        struct config c;
        path[6 + length] = '\0';
        snprintf(text, sizeof text, "ingest: {endpoints: ['%s']}", path);
        assert_int_equal(load(&c, text), length == 99 ? 0 : -1);
        config_free(&c);
        path[6 + length] = 'a';
    }
    snprintf(expected, sizeof expected,
        "f.yaml:1: ingest.endpoints: got \"%.68s...\", expected a path of at most 99 bytes (107 "
        "with the .tensors of the "
        "tensor socket), this one has 100",
        path);
    assert_string_equal(error.text, expected);
}

static void test_file_errors(void **state)
{
    struct config c;
    char expected[200];
    char *large = calloc(1, CONFIG_FILE_MAX + 2);
    assert_non_null(large);
    memset(large, '#', CONFIG_FILE_MAX + 1);
    const char *path = file_of(large, CONFIG_FILE_MAX + 1);
    assert_int_equal(config_default(&c, &error), 0);
    assert_int_equal(config_load_file(&c, path, &error), -1);
    snprintf(expected, sizeof expected,
        "%s:1: got more than 1048576 bytes, expected a configuration file", path);
    assert_string_equal(error.text, expected);
    path = file_of(large, CONFIG_FILE_MAX);
    assert_int_equal(config_load_file(&c, path, &error), 0);
    assert_int_equal(config_load_file(&c, "/nonexistent/f.yaml", &error), -1);
    assert_string_equal(
        error.text, "/nonexistent/f.yaml: cannot be read: No such file or directory");
    assert_int_equal(config_load_file(&c, folder, &error), -1);
    assert_non_null(strstr(error.text, ": cannot be read: Is a directory"));
    assert_int_equal(config_load_file(&c, "/dev/null", &error), 0);
    config_free(&c);
    free(large);
}

/* One that fits all but what the test adds. */
#define PLACES                                                                                     \
    "state_dir: /tmp\ningest: {endpoints: ['ipc:///run/x.sock', 'tcp://127.0.0.1:7000']}\n"

static void test_bad_together(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {PLACES "http: {address: '0.0.0.0:80'}", "http.address: 0.0.0.0:80 is beyond loopback, "
                                                 "which needs http.token or http.token_file"},
        {PLACES "http: {address: '[::]:80'}",
            "http.address: [::]:80 is beyond loopback, which needs http.token or http.token_file"},
        {PLACES "http: {token: secret-of-ours, token_file: /a}",
            "http.token and http.token_file are both set, expected one of them"},
        {PLACES "http: {token_file: /nonexistent/token}",
            "http.token_file: /nonexistent/token: No such file or directory"},
        {PLACES "http: {token_file: /dev/null}",
            "http.token_file: /dev/null: is no file that can be read"},
        {PLACES "http: {address: '127.0.0.1:7000'}",
            "ingest.endpoints: tcp://127.0.0.1:7000 and 127.0.0.1:7000 want the same socket"},
        {PLACES "http: {address: '0.0.0.0:7000', token: secret-of-ours}",
            "ingest.endpoints: tcp://127.0.0.1:7000 and 0.0.0.0:7000 want the same socket"},
        {"state_dir: /tmp\ningest: {endpoints: ['ipc:///run/x', 'ipc:///run/x']}",
            "ingest.endpoints: ipc:///run/x and ipc:///run/x want the same socket"},
        {"state_dir: /tmp\ningest: {endpoints: ['ipc:///run/x', 'ipc:///run/x.tensors']}",
            "ingest.endpoints: ipc:///run/x.tensors and ipc:///run/x want the same socket"},
        {"state_dir: /tmp\ningest: {endpoints: ['tcp://[::1]:9', 'tcp://[::1]:9']}",
            "ingest.endpoints: tcp://[::1]:9 and tcp://[::1]:9 want the same socket"},
        {PLACES "limits: {lease_seconds: 10, heartbeat_seconds: 6}",
            "limits.heartbeat_seconds: got 6, expected at most half of limits.lease_seconds, which "
            "is 10"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct config c;
        assert_int_equal(load(&c, cases[i].text), 0);
        assert_int_equal(config_validate(&c, &error), -1);
        assert_string_equal(error.text, cases[i].error);
        config_free(&c);
    }
}

static void test_good_together(void **state)
{
    static const char *const texts[] = {
        PLACES "http: {address: '0.0.0.0:80', token: secret-of-ours}",
        PLACES "http: {address: '127.0.0.1:0'}",
        PLACES "http: {address: '127.0.0.2:7000'}",
        PLACES "http: {address: 'off'}",
        PLACES "http: {address: 'localhost:80'}",
        PLACES "http: {address: '[::ffff:127.0.0.1]:80'}",
        "state_dir: /tmp\ningest: {endpoints: ['tcp://127.0.0.1:0', 'tcp://127.0.0.1:0']}",
        "state_dir: /tmp\ningest: {endpoints: ['ipc:///r/x', 'ipc:///r/x2', 'ipc:///r/x.o']}",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct config c;
        assert_int_equal(load(&c, texts[i]), 0);
        if (config_validate(&c, &error))
            fail_msg("%s: %s", texts[i], error.text);
        assert_true(c.workers >= 1 && c.workers <= 64);
        assert_true(c.limits.heartbeat_seconds == 5);
        assert_int_equal(c.limits.tensor_bytes, c.limits.memory_bytes);
        config_free(&c);
    }
}

static void test_token_file(void **state)
{
    struct config c;
    char text[200];
    snprintf(
        text, sizeof text, PLACES "http: {token_file: %s}", file_of("the-secret\r\nmore\n", 17));
    assert_int_equal(load(&c, text), 0);
    assert_int_equal(config_validate(&c, &error), 0);
    assert_string_equal(c.http.token, "the-secret");
    config_free(&c);
}

static void test_default_places(void **state)
{
    if (access("/var/lib/foreshock", W_OK) == 0 || access("/run/foreshock", W_OK) == 0)
        skip();
    struct config_args args = {.file = "/dev/null"};
    struct config c;
    setenv("XDG_STATE_HOME", "/x/state", 1);
    setenv("XDG_RUNTIME_DIR", "/x/run", 1);
    setenv("HOME", "/x/home", 1);
    assert_int_equal(config_load(&c, &args, &error), 0);
    assert_string_equal(c.state_dir, "/x/state/foreshock");
    assert_string_equal(c.ingest.endpoints.items[0], "ipc:///x/run/foreshock/ingest.sock");
    config_free(&c);
    setenv("XDG_STATE_HOME", "relative", 1);
    assert_int_equal(config_load(&c, &args, &error), 0);
    assert_string_equal(c.state_dir, "/x/home/.local/state/foreshock");
    config_free(&c);
    unsetenv("XDG_RUNTIME_DIR");
    assert_int_equal(config_load(&c, &args, &error), -1);
    assert_string_equal(error.text,
        "no ingest endpoint: /run/foreshock is not there or not writable, and XDG_RUNTIME_DIR is "
        "not "
        "set; set ingest.endpoints, or --ingest ipc:///SOME/FOLDER/ingest.sock");
    unsetenv("HOME");
    assert_int_equal(config_load(&c, &args, &error), -1);
    assert_string_equal(error.text,
        "no state directory: /var/lib/foreshock is not there or not writable, and neither "
        "XDG_STATE_HOME nor HOME is set; set state_dir, or --state-dir DIR");
    args.action = CONFIG_CHECK;
    assert_int_equal(config_load(&c, &args, &error), 0);
    config_free(&c);
    args.http = "0.0.0.0:1";
    assert_int_equal(config_load(&c, &args, &error), -1);
    assert_non_null(strstr(error.text, "http.address: 0.0.0.0:1 is beyond loopback"));
}

static int make_folder(void **state)
{
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char path[64];
    snprintf(path, sizeof path, "%s/file", folder);
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_whole_file),
        cmocka_unit_test(test_notifiers),
        cmocka_unit_test(test_notifier_files),
        cmocka_unit_test(test_empty_files),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_long_path),
        cmocka_unit_test(test_file_errors),
        cmocka_unit_test(test_bad_together),
        cmocka_unit_test(test_good_together),
        cmocka_unit_test(test_token_file),
        cmocka_unit_test(test_default_places),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
