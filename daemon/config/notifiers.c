/* The section `notifiers` of the configuration: one section a notifier, under its name. */
#include "daemon/config/notifiers.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config/endpoint.h"
#include "daemon/config/options.h"
#include "daemon/config/unexpected.h"
#include "daemon/notify/template.h"
#include "daemon/store/store.h"

#define FILE_MAX_BYTES (16 << 10)

enum kind_mask { FOR_ALERTMANAGER = 1, FOR_WEBHOOK = 2, FOR_ALL = 3 };

struct key {
    const char *name;
    enum kind_mask kinds;
    int (*set)(struct config_notifier *, const char *text, struct error *error);
};

static int copy_bounded(char *member, size_t size, const char *text, struct error *error)
{
    char expected[64];
    size_t length = strlen(text);
    if (length > 0 && length < size) {
        memcpy(member, text, length + 1);
        return 0;
    }
    snprintf(expected, sizeof expected, "a text of 1 to %zu bytes", size - 1);
    return config_unexpected(error, text, expected);
}

static int set_type(struct config_notifier *notifier, const char *text, struct error *error)
{
    bool webhook = strcmp(text, "webhook") == 0;
    if (!webhook && strcmp(text, "alertmanager") != 0)
        return config_unexpected(error, text, "alertmanager or webhook");
    notifier->settings->kind = webhook ? NOTIFIER_WEBHOOK : NOTIFIER_ALERTMANAGER;
    return 0;
}

static int set_url(struct config_notifier *notifier, const char *text, struct error *error)
{
    return config_check_url(text, error) ||
                   copy_bounded(notifier->settings->url, NOTIFIER_URL_MAX, text, error)
               ? -1
               : 0;
}

static int set_path(char *member, const char *text, struct error *error)
{
    return config_check_path(text, error) || copy_bounded(member, NOTIFIER_PATH_MAX, text, error)
               ? -1
               : 0;
}

static int set_url_file(struct config_notifier *notifier, const char *text, struct error *error)
{
    return set_path(notifier->url_file, text, error);
}

static int set_bearer_file(struct config_notifier *notifier, const char *text, struct error *error)
{
    return set_path(notifier->bearer_file, text, error);
}

static int set_headers_file(struct config_notifier *notifier, const char *text, struct error *error)
{
    return set_path(notifier->headers_file, text, error);
}

static int set_ca_file(struct config_notifier *notifier, const char *text, struct error *error)
{
    return set_path(notifier->settings->ca_file, text, error);
}

static int set_template(struct config_notifier *notifier, const char *text, struct error *error)
{
    return copy_bounded(notifier->settings->template, NOTIFIER_TEMPLATE_MAX, text, error) ||
                   template_check(text, error)
               ? -1
               : 0;
}

static int set_min_severity(struct config_notifier *notifier, const char *text, struct error *error)
{
    bool critical = strcmp(text, "critical") == 0;
    if (!critical && strcmp(text, "warning") != 0)
        return config_unexpected(error, text, "warning or critical");
    notifier->settings->critical_only = critical;
    return 0;
}

static int set_seconds(uint32_t *member, uint32_t max, const char *text, struct error *error)
{
    char expected[64];
    double value;
    snprintf(expected, sizeof expected, "a whole number of seconds from 1 to %u", max);
    if (config_parse_number(text, &value) || value < 1 || value > max ||
        value != (double)(uint32_t)value)
        return config_unexpected(error, text, expected);
    *member = (uint32_t)value;
    return 0;
}

static int set_resend(struct config_notifier *notifier, const char *text, struct error *error)
{
    return set_seconds(&notifier->settings->resend_seconds, 3600, text, error);
}

static int set_timeout(struct config_notifier *notifier, const char *text, struct error *error)
{
    return set_seconds(&notifier->settings->timeout_seconds, 60, text, error);
}

static const struct key keys[] = {
    {"type", FOR_ALL, set_type},
    {"url", FOR_ALL, set_url},
    {"url_file", FOR_ALL, set_url_file},
    {"bearer_file", FOR_ALL, set_bearer_file},
    {"headers_file", FOR_ALL, set_headers_file},
    {"ca_file", FOR_ALL, set_ca_file},
    {"min_severity", FOR_ALL, set_min_severity},
    {"timeout_seconds", FOR_ALL, set_timeout},
    {"rules", FOR_ALL, NULL},           /* a list: config_notifier_rule */
    {"labels", FOR_ALERTMANAGER, NULL}, /* a section: config_notifier_label */
    {"resend_seconds", FOR_ALERTMANAGER, set_resend},
    {"template", FOR_WEBHOOK, set_template},
};
#define KEY_COUNT (sizeof keys / sizeof keys[0])
_Static_assert(KEY_COUNT <= 32, "a bit each in `given`");

int config_notifier_add(
    struct config *config, const char *name, struct config_notifier *notifier, struct error *error)
{
    if (config->notifier_count == STORE_NOTIFIERS_MAX) {
        return error_set(error, "got more than %d notifiers", STORE_NOTIFIERS_MAX);
    }
    if (!config->notifiers)
        config->notifiers = calloc(STORE_NOTIFIERS_MAX, sizeof *config->notifiers);
    if (!config->notifiers) {
        return error_set(error, "out of memory");
    }
    *notifier = (struct config_notifier){.settings = &config->notifiers[config->notifier_count++]};
    notifier->settings->resend_seconds = 60;
    notifier->settings->timeout_seconds = 10;
    return copy_bounded(notifier->settings->name, NOTIFIER_NAME_MAX, name, error);
}

static const struct key *take_key(struct config_notifier *notifier, const char *name)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strcmp(keys[i].name, name) == 0) {
            notifier->given |= 1u << i;
            return &keys[i];
        }
    }
    return NULL;
}

int config_notifier_set(
    struct config_notifier *notifier, const char *name, const char *text, struct error *error)
{
    const struct key *key = take_key(notifier, name);
    if (key && key->set)
        return key->set(notifier, text, error);
    return error_set(
        error, key ? "got a value, expected a list or a section" : "unknown option of a notifier");
}

int config_notifier_rule(struct config_notifier *notifier, const char *text, struct error *error)
{
    char *rules = notifier->settings->rules;
    size_t used = strlen(rules);
    take_key(notifier, "rules");
    if (rule_find(text) < 0)
        return config_unexpected(error, text, "the name of a rule");
    int size = snprintf(rules + used, NOTIFIER_RULES_MAX - used, "%s%s,", used ? "" : ",", text);
    if ((size_t)size < NOTIFIER_RULES_MAX - used)
        return 0;
    return error_set(error, "got too many rules");
}

int config_notifier_label(
    struct config_notifier *notifier, const char *name, const char *value, struct error *error)
{
    static const char *const own[] = {"alertname", "severity", "run", "rule"};
    struct notifier_settings *settings = notifier->settings;
    bool good = isalpha((unsigned char)name[0]) || name[0] == '_';
    take_key(notifier, "labels");
    for (const char *c = name; *c; c++)
        good &= isalnum((unsigned char)*c) || *c == '_';
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        good &= strcmp(own[i], name) != 0;
    if (!good)
        return config_unexpected(
            error, name, "a label of [a-zA-Z0-9_] that is none of alertname, severity, run, rule");
    if (settings->label_count == NOTIFIER_LABELS_MAX) {
        return error_set(error, "got more than %d labels", NOTIFIER_LABELS_MAX);
    }
    struct notifier_label *label = &settings->labels[settings->label_count++];
    return copy_bounded(label->name, NOTIFIER_LABEL_MAX, name, error) ||
                   copy_bounded(label->value, NOTIFIER_LABEL_MAX, value, error)
               ? -1
               : 0;
}

/* The text of a file that holds a secret, to be freed: a plain file that is not open to everybody. */
static char *read_secret(const char *key, const char *path, struct error *error)
{
    char *text = calloc(1, FILE_MAX_BYTES + 2);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    ssize_t size = -1;
    if (text && fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        size = read(fd, text, FILE_MAX_BYTES + 1);
    if (!text || fd < 0 || size < 0)
        error_set(error, "%s: %.300s: %s", key, path,
            fd >= 0 ? "is no file that can be read" : strerror(errno));
    else if (status.st_mode & 07)
        error_set(error,
            "%s: %.300s is open to everybody (mode %04o), expected none for others (chmod o-rwx)",
            key, path, status.st_mode & 07777);
    else if (size == 0 || size > FILE_MAX_BYTES || strlen(text) != (size_t)size)
        error_set(error, "%s: %.300s: expected 1 to %d bytes of text", key, path, FILE_MAX_BYTES);
    else
        size = -2; /* good */
    if (fd >= 0)
        close(fd);
    if (size == -2)
        return text;
    free(text);
    return NULL;
}

static int read_bearer(struct config_notifier *notifier, struct error *error)
{
    char *text = read_secret("bearer_file", notifier->bearer_file, error);
    if (!text)
        return -1;
    text[strcspn(text, "\r\n")] = '\0';
    size_t size = strlen(text);
    bool good = size > 0 && size < NOTIFIER_BEARER_MAX;
    for (const char *c = text; *c; c++)
        good &= *c > ' ' && *c < 0x7f;
    if (good)
        memcpy(notifier->settings->bearer, text, size + 1);
    else
        error_set(error,
            "bearer_file: first line of %.300s: expected a token of 1 to %d printable ASCII "
            "characters without spaces",
            notifier->bearer_file, NOTIFIER_BEARER_MAX - 1);
    free(text);
    return good ? 0 : -1;
}

static int read_url(struct config_notifier *notifier, struct error *error)
{
    char *text = read_secret("url_file", notifier->url_file, error);
    if (!text)
        return -1;
    text[strcspn(text, "\r\n")] = '\0';
    int rc = set_url(notifier, text, error);
    if (rc) /* the address may be a secret: it is not shown */
        error_set(error, "url_file: first line of %.300s: expected %s", notifier->url_file,
            CONFIG_URL_EXPECTED);
    free(text);
    return rc;
}

/* NAME: VALUE, but not of those that the body decides. */
static bool is_header(const char *line)
{
    static const char token[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "!#$%&'*+-.^_`|~";
    size_t name = strspn(line, token);
    if (name == 0 || line[name] != ':' || strlen(line) >= NOTIFIER_HEADER_MAX)
        return false;
    for (const char *c = line; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return false;
    return strncasecmp(line, "content-length:", 15) != 0 &&
           strncasecmp(line, "transfer-encoding:", 18) != 0;
}

static int read_headers(struct config_notifier *notifier, struct error *error)
{
    struct notifier_settings *settings = notifier->settings;
    char *text = read_secret("headers_file", notifier->headers_file, error), *rest = text, *line;
    int number = 0, rc = text ? 0 : -1;
    while (rc == 0 && (line = strsep(&rest, "\n"))) {
        number++;
        line[strcspn(line, "\r")] = '\0';
        if (!line[0] || line[0] == '#')
            continue;
        if (is_header(line) && settings->header_count < NOTIFIER_HEADERS_MAX) {
            memcpy(settings->headers[settings->header_count++], line, strlen(line) + 1);
            continue;
        }
        error_set(error, "headers_file: line %d of %.300s: expected up to %d lines of NAME: VALUE",
            number, notifier->headers_file, NOTIFIER_HEADERS_MAX);
        rc = -1;
    }
    free(text);
    return rc;
}

/* An option that the other type of notifier has. */
static int check_keys(const struct config_notifier *notifier, struct error *error)
{
    bool webhook = notifier->settings->kind == NOTIFIER_WEBHOOK;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (!(notifier->given >> i & 1) ||
            keys[i].kinds & (webhook ? FOR_WEBHOOK : FOR_ALERTMANAGER))
            continue;
        return error_set(error, "%s: %s has no such option", keys[i].name,
            webhook ? "a webhook" : "an alertmanager");
    }
    return 0;
}

int config_notifier_finish(struct config_notifier *notifier, struct error *error)
{
    const struct notifier_settings *settings = notifier->settings;
    if (settings->kind == NOTIFIER_NO_KIND) {
        return error_set(error, "type is missing, expected alertmanager or webhook");
    }
    if (!settings->url[0] == !notifier->url_file[0]) {
        return error_set(error, "expected one of url and url_file");
    }
    if (check_keys(notifier, error) || (notifier->url_file[0] && read_url(notifier, error)) ||
        (notifier->bearer_file[0] && read_bearer(notifier, error)))
        return -1;
    return notifier->headers_file[0] ? read_headers(notifier, error) : 0;
}
