/* One logfmt line an event, on stderr: `2026-11-23T15:04:05.123Z level=info msg="..." run=gpt
 * layer=...`. Under the journal the time gives way to a `<N>` priority. Values are escaped, so that
 * no name from outside can forge a line. Any thread may log: each line is one write(2). */
#ifndef FORESHOCK_CORE_LOG_H
#define FORESHOCK_CORE_LOG_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO };

#define LOG_LEVEL_NAMES "error, warning or info"
/* Bytes of a line, its newline included; fields that do not fit are left out. */
#define LOG_LINE_MAX    4096
#define LOG_VALUE_MAX   512 /* bytes of a value that are shown */

enum log_kind { LOG_KIND_END, LOG_KIND_TEXT, LOG_KIND_INTEGER, LOG_KIND_NUMBER };

struct log_field {
    enum log_kind kind;
    const char *key;
    const char *text;
    size_t size;
    int64_t integer;
    double number;
};

/* Fields of a line. The bytes of LOG_BYTES need be neither UTF-8 nor terminated; LOG_STR(key, NULL)
 * shows as empty. */
#define LOG_BYTES(k, p, n)                                                                         \
    ((struct log_field){.kind = LOG_KIND_TEXT, .key = (k), .text = (p), .size = (n)})
#define LOG_STR(k, s) log_field_str((k), (s))
#define LOG_INT(k, n)                                                                              \
    ((struct log_field){.kind = LOG_KIND_INTEGER, .key = (k), .integer = (int64_t)(n)})
#define LOG_NUM(k, x) ((struct log_field){.kind = LOG_KIND_NUMBER, .key = (k), .number = (x)})
#define LOG_END       ((struct log_field){.kind = LOG_KIND_END})

static inline struct log_field log_field_str(const char *key, const char *text)
{
    return LOG_BYTES(key, text, text ? strlen(text) : 0);
}

#define LOG_FIELDS(msg, ...)                                                                       \
    ((const struct log_field[]){LOG_STR("msg", msg), ##__VA_ARGS__, LOG_END})

/* log_info("run opened", LOG_BYTES("run", name, size), LOG_INT("attempt", 2)); */
#define log_error(msg, ...)   log_write(LOG_LEVEL_ERROR, LOG_FIELDS(msg, ##__VA_ARGS__))
#define log_warning(msg, ...) log_write(LOG_LEVEL_WARNING, LOG_FIELDS(msg, ##__VA_ARGS__))
#define log_info(msg, ...)    log_write(LOG_LEVEL_INFO, LOG_FIELDS(msg, ##__VA_ARGS__))

/* For what a peer can make happen at will: at most `per_second` lines a second from one place in
 * the code; the next line that passes says in `left_out` how many did not:
 *
 *     static struct log_limit limit = LOG_LIMIT(5);
 *     log_limited(&limit, LOG_LEVEL_WARNING, "message refused", LOG_STR("why", why)); */
struct log_limit {
    pthread_mutex_t mutex;
    unsigned per_second, passed;
    uint64_t left_out;
    int64_t second; /* of CLOCK_MONOTONIC, to which `passed` belongs */
};
#define LOG_LIMIT(n)                                                                               \
    {                                                                                              \
        .mutex = PTHREAD_MUTEX_INITIALIZER, .per_second = (n)                                      \
    }
#define log_limited(limit, level, msg, ...)                                                        \
    log_write_limited(limit, level, LOG_FIELDS(msg, ##__VA_ARGS__))

/* Where lines go and from which level on; before the first call: stderr, info. Call it before other
 * threads are made. The journal's form is used when $JOURNAL_STREAM names the file behind `fd`. */
void log_open(int fd, enum log_level level);

/* 0, or -1 if `name` is none of LOG_LEVEL_NAMES. */
int log_level_parse(const char *name, enum log_level *level);
const char *log_level_name(enum log_level level);

/* `fields` ends with LOG_END. */
void log_write(enum log_level level, const struct log_field *fields);
void log_write_limited(
    struct log_limit *limit, enum log_level level, const struct log_field *fields);

/* Whether a line may pass at `second`; `*left_out` gets the number of those that did not since the
 * last that did. */
int log_limit_pass(struct log_limit *limit, int64_t second, uint64_t *left_out);

/* Writes the line without its time or priority, from `level=` to the newline, into `line`; returns
 * its length, which is below `size` (at least 64). */
size_t log_format(char *line, size_t size, enum log_level level, const struct log_field *fields);

#endif
