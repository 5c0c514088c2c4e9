/* Lines of logfmt: escaping, levels, and the limit on what repeats itself. */
#include "daemon/core/log.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/core/clock.h"
#include "proto/utf8.h"

static struct {
    int fd;
    enum log_level level;
    bool journal;
} log_state = {.fd = STDERR_FILENO, .level = LOG_LEVEL_INFO};

static const struct {
    const char *name;
    int priority; /* syslog's number, for the journal */
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", 3},
    [LOG_LEVEL_WARNING] = {"warning", 4},
    [LOG_LEVEL_INFO] = {"info", 6},
};

int log_level_parse(const char *name, enum log_level *level)
{
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (strcmp(name, levels[i].name) == 0) {
            *level = (enum log_level)i;
            return 0;
        }
    }
    return -1;
}

const char *log_level_name(enum log_level level)
{
    return levels[level].name;
}

/* $JOURNAL_STREAM is "device:inode" of the journal's socket; it is inherited even where stderr was
 * redirected since. */
static bool is_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char own[64];
    struct stat st;
    if (!stream || fstat(fd, &st) != 0)
        return false;
    snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(stream, own) == 0;
}

void log_open(int fd, enum log_level level)
{
    log_state.fd = fd;
    log_state.level = level;
    log_state.journal = is_journal(fd);
}

/* A line being made. */
struct line {
    char *text;
    size_t used, size;
    bool full; /* something did not fit */
};

static void line_add(struct line *line, const char *bytes, size_t n)
{
    if (n > line->size - line->used) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->used, bytes, n);
    line->used += n;
}

/* Control characters, and those that break a line or turn its direction. */
static bool is_control_character(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x200e && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

/* Length of the character at the head of `size` bytes; 0: they are none, or one that may not be shown. */
static size_t shown_length(const char *text, size_t size)
{
    uint32_t character;
    size_t length = utf8_next(text, size, &character);
    return length > 0 && !is_control_character(character) ? length : 0;
}

static void line_add_quoted(struct line *line, const char *text, size_t size)
{
    size_t shown = size < LOG_VALUE_MAX ? size : LOG_VALUE_MAX;
    line_add(line, "\"", 1);
    for (size_t i = 0; i < shown;) {
        size_t length = shown_length(text + i, shown - i);
        if (length == 1 && (text[i] == '"' || text[i] == '\\'))
            line_add(line, "\\", 1);
        if (length > 0) {
            line_add(line, text + i, length);
            i += length;
        } else {
            char escaped[8];
            line_add(line, escaped,
                (size_t)snprintf(escaped, sizeof escaped, "\\x%02X", (unsigned char)text[i]));
            i++;
        }
    }
    if (size > shown)
        line_add(line, "...", 3);
    line_add(line, "\"", 1);
}

/* Values that need no quotes are easier on the eye and on grep. */
static bool is_plain(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("._:/-+@%", c);
        if (!plain || c == '\0')
            return false;
    }
    return size > 0 && size <= LOG_VALUE_MAX;
}

static void line_add_value(struct line *line, const struct log_field *field)
{
    char number[40];
    switch (field->kind) {
    case LOG_KIND_TEXT:
        if (is_plain(field->text, field->size))
            line_add(line, field->text, field->size);
        else
            line_add_quoted(line, field->text, field->size);
        break;
    case LOG_KIND_INTEGER:
        line_add(line, number, (size_t)snprintf(number, sizeof number, "%" PRId64, field->integer));
        break;
    case LOG_KIND_NUMBER:
        line_add(line, number, (size_t)snprintf(number, sizeof number, "%.9g", field->number));
        break;
    case LOG_KIND_END: break;
    }
}

size_t log_format(char *text, size_t size, enum log_level level, const struct log_field *fields)
{
    struct line line = {.text = text, .size = size - 1}; /* one byte kept for the newline */
    line_add(&line, "level=", 6);
    line_add(&line, log_level_name(level), strlen(log_level_name(level)));
    for (const struct log_field *f = fields; f->kind != LOG_KIND_END; f++) {
        size_t before = line.used;
        line_add(&line, " ", 1);
        line_add(&line, f->key, strlen(f->key));
        line_add(&line, "=", 1);
        line_add_value(&line, f);
        if (line.full) { /* a field is shown whole or not at all */
            line.used = before;
            break;
        }
    }
    line.text[line.used++] = '\n';
    return line.used;
}

static size_t format_stamp(char *text, size_t size, enum log_level level)
{
    if (log_state.journal)
        return (size_t)snprintf(text, size, "<%d>", levels[level].priority);
    uint64_t ms = (uint64_t)(1000 * clock_wall());
    time_t second = (time_t)(ms / 1000);
    struct tm utc;
    gmtime_r(&second, &utc);
    size_t n = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &utc);
    return n + (size_t)snprintf(text + n, size - n, ".%03dZ ", (int)(ms % 1000));
}

void log_write(enum log_level level, const struct log_field *fields)
{
    if (level > log_state.level)
        return;
    char line[LOG_LINE_MAX];
    size_t used = format_stamp(line, 64, level);
    used += log_format(line + used, sizeof line - used, level, fields);
    ssize_t written = write(log_state.fd, line, used);
    (void)written; /* there is nowhere left to complain to */
}

int log_limit_pass(struct log_limit *limit, int64_t second, uint64_t *left_out)
{
    pthread_mutex_lock(&limit->mutex);
    if (limit->second != second) {
        limit->second = second;
        limit->passed = 0;
    }
    int pass = limit->passed < limit->per_second;
    if (pass) {
        limit->passed++;
        *left_out = limit->left_out;
        limit->left_out = 0;
    } else {
        limit->left_out++;
    }
    pthread_mutex_unlock(&limit->mutex);
    return pass;
}

void log_write_limited(
    struct log_limit *limit, enum log_level level, const struct log_field *fields)
{
    if (level > log_state.level)
        return;
    uint64_t left_out;
    if (!log_limit_pass(limit, (int64_t)(clock_ms() / 1000), &left_out))
        return;
    if (left_out == 0) {
        log_write(level, fields);
        return;
    }
    struct log_field longer[32];
    size_t n = 0;
    for (; fields[n].kind != LOG_KIND_END && n < 30; n++)
        longer[n] = fields[n];
    longer[n++] = LOG_INT("left_out", left_out);
    longer[n] = LOG_END;
    log_write(level, longer);
}
