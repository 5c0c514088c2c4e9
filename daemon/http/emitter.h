/* Writes JSON into a growing text: commas by itself, `null` for what is not finite, no trees. One
 * thread.
 *
 * Memory that is short is remembered in `failed`; every later call then does nothing, and emit_take
 * returns NULL. */
#ifndef FORESHOCK_HTTP_EMITTER_H
#define FORESHOCK_HTTP_EMITTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that several texts share. Any thread. */
struct emit_budget {
    _Atomic size_t used;
    size_t max;
};

struct emitter {
    char *text;
    size_t size, room;
    bool comma, failed;
    bool over;                  /* it failed because the budget is spent ... */
    bool too_large;             /* ... which it exceeds by itself */
    struct emit_budget *budget; /* what `room` is charged to; NULL: nothing */
};

void emit_free(struct emitter *json);

/* The text, malloc'ed, NUL-terminated, now the caller's; NULL if it failed. Its size, with the NUL, stays charged to the
 * budget until the caller gives it back. */
char *emit_take(struct emitter *json);
void emit_uncharge(struct emit_budget *budget, size_t bytes); /* `budget` may be NULL */

void emit_open(struct emitter *json, char bracket);  /* '{' or '[' */
void emit_close(struct emitter *json, char bracket); /* '}' or ']' */
void emit_key(struct emitter *json, const char *key);

void emit_text(
    struct emitter *json, const char *text); /* NULL: null. Bytes that are no UTF-8 become '?' */
void emit_text_or_null(struct emitter *json, const char *text); /* as above, and null of "" */
void emit_int(struct emitter *json, int64_t value);
void emit_real(
    struct emitter *json, double value); /* the shortest text that reads back as the same number */
void emit_bool(struct emitter *json, bool value);
void emit_null(struct emitter *json);
void emit_raw(struct emitter *json, const char *value); /* a whole value that is JSON already */

/* Plain text without JSON's rules, for other formats in the same kind of buffer. */
void emit_append(struct emitter *json, const char *bytes, size_t size);
void emit_append_text(struct emitter *json, const char *text);

/* The shortest decimal text of a finite number that reads back as the same: at most EMIT_NUMBER_MAX
 * bytes with the NUL. */
#define EMIT_NUMBER_MAX 32
size_t emit_number(char *out, double value);

#endif
