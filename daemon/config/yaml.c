/* The YAML file: two readings of the same text. The first goes over the parser's events and refuses
 * what a configuration has no need of (anchors, aliases, tags, a second document); the second walks
 * the document along the table of options. */
#include "daemon/config/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#include "daemon/config/notifiers.h"
#include "daemon/config/options.h"
#include "daemon/config/rules.h"

#define PATH_SIZE 128
#define DEPTH_MAX 16

struct loader {
    struct config *config;
    yaml_document_t *document;
    const char *name, *text;
    size_t size;
    struct error *error;
};

__attribute__((format(printf, 3, 4))) static int fail(
    const struct loader *loader, size_t line, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return error_set(loader->error, "%s:%zu: %s", loader->name, line + 1, text);
}

/* The error that is there is of the option `path`. */
static int fail_option(const struct loader *loader, const yaml_node_t *node, const char *path)
{
    return error_at(loader->error, "%s:%zu: %s", loader->name, node->start_mark.line + 1, path);
}

static const char *kind(const yaml_node_t *node)
{
    if (node->type == YAML_MAPPING_NODE)
        return "a section";
    return node->type == YAML_SEQUENCE_NODE ? "a list" : "a value";
}

/* Nothing after the colon, as in a section of which all is commented out. */
static bool is_nothing(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0 &&
           node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static int load_scalar(
    struct loader *loader, const struct config_option *option, const yaml_node_t *node)
{
    const char *value = (const char *)node->data.scalar.value;
    if (node->type != YAML_SCALAR_NODE) {
        char expected[200];
        config_option_expected(option, expected, sizeof expected);
        error_set(loader->error, "got %s, expected %s", kind(node), expected);
        return fail_option(loader, node, option->path);
    }
    for (size_t i = 0; i < node->data.scalar.length; i++)
        if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f) {
            error_set(loader->error, "got a control character");
            return fail_option(loader, node, option->path);
        }
    if (config_option_set(option, loader->config, value, loader->error))
        return fail_option(loader, node, option->path);
    return 0;
}

static int load_list(
    struct loader *loader, const struct config_option *option, const yaml_node_t *node)
{
    if (node->type != YAML_SEQUENCE_NODE) {
        error_set(loader->error, "got %s, expected a list of %s", kind(node), option->what);
        return fail_option(loader, node, option->path);
    }
    config_option_clear(option, loader->config);
    for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top;
         i++)
        if (load_scalar(loader, option, yaml_document_get_node(loader->document, *i)))
            return -1;
    return 0;
}

/* NULL if it is no text, or one with a NUL in it. */
static const char *text_of(const yaml_node_t *node)
{
    const char *text = (const char *)node->data.scalar.value;
    return node->type == YAML_SCALAR_NODE && strlen(text) == node->data.scalar.length ? text : NULL;
}

static const char *key_of(const struct loader *loader, const yaml_node_pair_t *pair)
{
    return text_of(yaml_document_get_node(loader->document, pair->key));
}

/* The whole name of the key of `pair` under the section `prefix`; refuses what is no key, and a key
 * that came before. */
static int name_key(struct loader *loader, const yaml_node_t *mapping, const yaml_node_pair_t *pair,
    const char *prefix, char path[PATH_SIZE])
{
    const yaml_node_t *node = yaml_document_get_node(loader->document, pair->key);
    const char *key = key_of(loader, pair);
    if (!key || strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_-") != strlen(key) ||
        key[0] == '\0' || strlen(prefix) + strlen(key) + 2 > PATH_SIZE)
        return fail(loader, node->start_mark.line, "%s%sgot a key that is no name of an option",
            prefix, *prefix ? ": " : "");
    snprintf(path, PATH_SIZE, "%s%s%s", prefix, *prefix ? "." : "", key);
    for (yaml_node_pair_t *p = mapping->data.mapping.pairs.start; p < pair; p++) {
        const char *other = key_of(loader, p);
        if (other && strcmp(other, key) == 0)
            return fail(loader, node->start_mark.line, "%s: is there twice, first on line %zu",
                path, yaml_document_get_node(loader->document, p->key)->start_mark.line + 1);
    }
    return 0;
}

/* `layers` of a rule: pairs of a pattern and a mode. */
static int load_rule_layers(
    struct loader *loader, const char *path, enum alert_rule rule, const yaml_node_t *node)
{
    if (node->type != YAML_MAPPING_NODE) {
        error_set(
            loader->error, "got %s, expected lines of PATTERN: on, observe or off", kind(node));
        return fail_option(loader, node, path);
    }
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
         p++) {
        const yaml_node_t *value = yaml_document_get_node(loader->document, p->value);
        const char *pattern = key_of(loader, p), *mode = text_of(value);
        if (!pattern || !mode) {
            error_set(loader->error, "expected lines of PATTERN: on, observe or off");
            return fail_option(loader, value, path);
        }
        if (config_rule_layer(loader->config, rule, pattern, mode, loader->error))
            return fail_option(loader, value, path);
    }
    return 0;
}

/* The key `key` of the section of a rule. */
static int load_rule_setting(struct loader *loader, const char *path, enum alert_rule rule,
    const char *key, const yaml_node_t *node)
{
    const char *value = text_of(node);
    if (strcmp(key, "layers") == 0)
        return load_rule_layers(loader, path, rule, node);
    if (!value) {
        error_set(loader->error, "got %s, expected a value", kind(node));
        return fail_option(loader, node, path);
    }
    return config_rule_set(loader->config, rule, key, value, loader->error)
               ? fail_option(loader, node, path)
               : 0;
}

/* A value of a notifier: a text of one line, or the template, which may have several. */
static int check_notifier_text(const char *key, const char *text, struct error *error)
{
    bool lines = strcmp(key, "template") == 0;
    for (; *text; text++) {
        if (((unsigned char)*text < 0x20 && !(lines && strchr("\n\t", *text))) || *text == 0x7f) {
            return error_set(error, "got a control character");
        }
    }
    return 0;
}

static int load_notifier_rules(struct loader *loader, struct config_notifier *notifier,
    const yaml_node_t *node, struct error *error)
{
    for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top;
         i++) {
        const char *rule = text_of(yaml_document_get_node(loader->document, *i));
        if (config_notifier_rule(notifier, rule ? rule : "", error))
            return -1;
    }
    return 0;
}

static int load_notifier_labels(struct loader *loader, struct config_notifier *notifier,
    const yaml_node_t *node, struct error *error)
{
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
         p++) {
        const char *name = key_of(loader, p);
        const char *value = text_of(yaml_document_get_node(loader->document, p->value));
        if (!name || !value) {
            return error_set(error, "expected lines of NAME: VALUE");
        }
        if (check_notifier_text("labels", value, error) ||
            config_notifier_label(notifier, name, value, error))
            return -1;
    }
    return 0;
}

static int load_notifier_pair(struct loader *loader, struct config_notifier *notifier,
    const char *key, const yaml_node_t *node, struct error *error)
{
    const char *text = text_of(node);
    if (strcmp(key, "rules") == 0 && node->type == YAML_SEQUENCE_NODE)
        return load_notifier_rules(loader, notifier, node, error);
    if (strcmp(key, "labels") == 0 && node->type == YAML_MAPPING_NODE)
        return load_notifier_labels(loader, notifier, node, error);
    if (!text) {
        return error_set(error, "got %s, expected a value", kind(node));
    }
    return check_notifier_text(key, text, error) || config_notifier_set(notifier, key, text, error)
               ? -1
               : 0;
}

/* The section of one notifier; `path` is "notifiers.NAME". */
static int load_notifier(struct loader *loader, const char *path, const yaml_node_t *node)
{
    char key[PATH_SIZE];
    struct config_notifier notifier;
    if (node->type != YAML_MAPPING_NODE) {
        error_set(loader->error, "got %s, expected a section with type and url", kind(node));
        return fail_option(loader, node, path);
    }
    if (config_notifier_add(loader->config, strchr(path, '.') + 1, &notifier, loader->error))
        return fail_option(loader, node, path);
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
         p++) {
        const yaml_node_t *value = yaml_document_get_node(loader->document, p->value);
        if (name_key(loader, node, p, path, key))
            return -1;
        if (load_notifier_pair(loader, &notifier, key_of(loader, p), value, loader->error))
            return fail_option(loader, value, key);
    }
    return config_notifier_finish(&notifier, loader->error) ? fail_option(loader, node, path) : 0;
}

static int load_section(struct loader *loader, const yaml_node_t *mapping, const char *prefix);

static int load_pair(struct loader *loader, const yaml_node_t *mapping,
    const yaml_node_pair_t *pair, const char *prefix)
{
    char path[PATH_SIZE];
    const yaml_node_t *value = yaml_document_get_node(loader->document, pair->value);
    if (name_key(loader, mapping, pair, prefix, path))
        return -1;
    const struct config_option *option = config_option_find(path);
    if (option && option->type == CONFIG_LIST)
        return load_list(loader, option, value);
    if (option)
        return load_scalar(loader, option, value);
    if (strcmp(prefix, "notifiers") == 0)
        return load_notifier(loader, path, value);
    int rule = config_rule_of(path);
    if (rule >= 0 && strcmp(prefix, "rules") != 0)
        return load_rule_setting(
            loader, path, (enum alert_rule)rule, strrchr(path, '.') + 1, value);
    if (rule >= 0 || strcmp(path, "rules") == 0 || strcmp(path, "notifiers") == 0 ||
        config_is_section(path))
        return load_section(loader, value, path);
    size_t line = yaml_document_get_node(loader->document, pair->key)->start_mark.line;
    return fail(loader, line, "%s: unknown option", path);
}

static int load_section(struct loader *loader, const yaml_node_t *mapping, const char *prefix)
{
    if (is_nothing(mapping))
        return 0;
    if (mapping->type != YAML_MAPPING_NODE)
        return fail(loader, mapping->start_mark.line,
            "%s%sgot %s, expected a section: indented lines of NAME: VALUE", prefix,
            *prefix ? ": " : "", kind(mapping));
    for (yaml_node_pair_t *p = mapping->data.mapping.pairs.start;
         p < mapping->data.mapping.pairs.top; p++)
        if (load_pair(loader, mapping, p, prefix))
            return -1;
    return 0;
}

static int fail_syntax(const struct loader *loader, const yaml_parser_t *parser)
{
    size_t line = parser->problem_mark.line;
    if (parser->error == YAML_READER_ERROR) /* bytes that are no text: there is only an offset */
        for (size_t i = 0; i < parser->problem_offset && i < loader->size; i++)
            line += loader->text[i] == '\n';
    return fail(loader, line, "not YAML: %s", parser->problem ? parser->problem : "out of memory");
}

struct scan {
    int depth, documents;
};

/* What is wrong with an event, or NULL. */
static const char *scan_event(const yaml_event_t *event, struct scan *scan)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return ++scan->documents > 1 ? "got a second document, expected one" : NULL;
    case YAML_ALIAS_EVENT: return "got an alias (*NAME), expected plain values";
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        scan->depth++;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        scan->depth++;
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: scan->depth--; break;
    default: break;
    }
    if (anchor)
        return "got an anchor (&NAME), expected plain values";
    if (tag)
        return "got a tag (!NAME), expected plain values";
    return scan->depth > DEPTH_MAX ? "nested too deep" : NULL;
}

static int scan_events(const struct loader *loader)
{
    yaml_parser_t parser;
    struct scan scan = {0};
    int rc = 0;
    bool more = true;
    if (!yaml_parser_initialize(&parser))
        return fail(loader, 0, "out of memory");
    yaml_parser_set_input_string(&parser, (const unsigned char *)loader->text, loader->size);
    while (rc == 0 && more) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            rc = fail_syntax(loader, &parser);
            break;
        }
        const char *wrong = scan_event(&event, &scan);
        if (wrong)
            rc = fail(loader, event.start_mark.line, "%s", wrong);
        more = event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return rc;
}

static int load_document(struct loader *loader)
{
    yaml_parser_t parser;
    yaml_document_t document;
    int rc;
    if (!yaml_parser_initialize(&parser))
        return fail(loader, 0, "out of memory");
    yaml_parser_set_input_string(&parser, (const unsigned char *)loader->text, loader->size);
    if (yaml_parser_load(&parser, &document)) {
        loader->document = &document;
        const yaml_node_t *root = yaml_document_get_root_node(&document);
        rc = root ? load_section(loader, root, "") : 0;
        yaml_document_delete(&document);
        loader->document = NULL;
    } else {
        rc = fail_syntax(loader, &parser);
    }
    yaml_parser_delete(&parser);
    return rc;
}

int config_load_text(
    struct config *config, const char *text, size_t size, const char *name, struct error *error)
{
    struct loader loader = {
        .config = config, .name = name, .text = text, .size = size, .error = error};
    if (size > CONFIG_FILE_MAX)
        return fail(
            &loader, 0, "got more than %u bytes, expected a configuration file", CONFIG_FILE_MAX);
    if (scan_events(&loader))
        return -1;
    return load_document(&loader);
}

/* Reads at most `max` + 1 bytes. */
static char *read_file(const char *path, size_t max, size_t *size, struct error *error)
{
    char *text = malloc(max + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;
    *size = 0;
    while (text && fd >= 0 && *size <= max) {
        n = read(fd, text + *size, max + 1 - *size);
        if (n <= 0)
            break;
        *size += (size_t)n;
    }
    if (!text || fd < 0 || n < 0) {
        error_set(error, "%s: cannot be read: %s", path, strerror(errno));
        free(text);
        text = NULL;
    }
    if (fd >= 0)
        close(fd);
    return text;
}

int config_load_file(struct config *config, const char *path, struct error *error)
{
    size_t size;
    char *text = read_file(path, CONFIG_FILE_MAX, &size, error);
    if (!text)
        return -1;
    int rc = config_load_text(config, text, size, path, error);
    free(text);
    return rc;
}
