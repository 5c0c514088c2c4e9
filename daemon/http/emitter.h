/* Writes JSON into a growing text: commas by itself, `null` for what is not finite, no trees. One
 * thread.
 *
 * Memory that is short is remembered in `failed`; every later call then does nothing, and emitter_take
 * returns NULL. */
#ifndef FORESHOCK_HTTP_EMITTER_H
#define FORESHOCK_HTTP_EMITTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that several texts share. Any thread. */
struct emitter_budget {
    _Atomic size_t used;
    size_t max;
};

struct emitter {
    char *text;
    size_t size, room;
    bool comma, failed;
    bool over;                     /* it failed because the budget is spent ... */
    bool too_large;                /* ... which it exceeds by itself */
    struct emitter_budget *budget; /* what `room` is charged to; NULL: nothing */
};

void emitter_free(struct emitter *json);

/* The text, malloc'ed, NUL-terminated, now the caller's; NULL if it failed. Its size, with the NUL, stays charged to the
 * budget until the caller gives it back. */
char *emitter_take(struct emitter *json);
void emitter_uncharge(struct emitter_budget *budget, size_t bytes); /* `budget` may be NULL */

void emitter_open(struct emitter *json, char bracket);  /* '{' or '[' */
void emitter_close(struct emitter *json, char bracket); /* '}' or ']' */
void emitter_key(struct emitter *json, const char *key);

void emitter_text(
    struct emitter *json, const char *text); /* NULL: null. Bytes that are no UTF-8 become '?' */
void emitter_text_or_null(struct emitter *json, const char *text); /* as above, and null of "" */
void emitter_int(struct emitter *json, int64_t value);
void emitter_real(
    struct emitter *json, double value); /* the shortest text that reads back as the same number */
void emitter_bool(struct emitter *json, bool value);
void emitter_null(struct emitter *json);
void emitter_raw(struct emitter *json, const char *value); /* a whole value that is JSON already */

/* Plain text without JSON's rules, for other formats in the same kind of buffer. */
void emitter_append(struct emitter *json, const char *bytes, size_t size);
void emitter_append_text(struct emitter *json, const char *text);

/* The shortest decimal text of a finite number that reads back as the same: at most EMITTER_NUMBER_MAX
 * bytes with the NUL. */
#define EMITTER_NUMBER_MAX 32
size_t emitter_number(char *out, double value);

#endif
