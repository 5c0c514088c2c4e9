/* RFC 9457 problem documents. */
#include "daemon/http/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/utf8.h"

/* Cuts at `size` bytes without leaving half a UTF-8 sequence behind. */
static void copy_cut(char *out, size_t size, const char *text)
{
    size_t length = strnlen(text, size);

    if (length == size)
        length = utf8_whole(text, size - 1);
    memcpy(out, text, length);
    out[length] = '\0';
}

int problem_set(struct problem *problem, unsigned status, const char *detail, ...)
{
    va_list args;

    *problem = (struct problem){.status = status};
    va_start(args, detail);
    vsnprintf(problem->detail, sizeof problem->detail, detail, args);
    va_end(args);
    return -1;
}

int problem_parameter(struct problem *problem, unsigned status, const char *parameter,
    const char *value, const char *expected, ...)
{
    va_list args;

    *problem = (struct problem){.status = status};
    copy_cut(problem->parameter, sizeof problem->parameter, parameter);
    copy_cut(problem->value, sizeof problem->value, value);
    va_start(args, expected);
    vsnprintf(problem->expected, sizeof problem->expected, expected, args);
    va_end(args);
    snprintf(problem->detail, sizeof problem->detail, "%s is \"%s\"; expected: %s",
        problem->parameter, problem->value, problem->expected);
    return -1;
}

const char *problem_title(unsigned status)
{
    static const struct {
        unsigned status;
        const char *title;
    } titles[] = {
        {400, "Bad request"},
        {401, "Token wanted"},
        {403, "Not allowed"},
        {404, "Not found"},
        {405, "Method not allowed"},
        {409, "Conflict"},
        {413, "Body too large"},
        {414, "Address too long"},
        {415, "Unsupported content type"},
        {421, "Misdirected request"},
        {500, "Internal error"},
        {503, "Not available"},
    };

    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++) {
        if (titles[i].status == status)
            return titles[i].title;
    }
    return "Error";
}

void problem_write(const struct problem *problem, struct emitter *json)
{
    emitter_open(json, '{');
    emitter_key(json, "type");
    emitter_text(json, "about:blank");
    emitter_key(json, "title");
    emitter_text(json, problem_title(problem->status));
    emitter_key(json, "status");
    emitter_int(json, problem->status);
    emitter_key(json, "detail");
    emitter_text(json, problem->detail);
    if (problem->parameter[0]) {
        emitter_key(json, "parameter");
        emitter_text(json, problem->parameter);
        emitter_key(json, "value");
        emitter_text(json, problem->value);
        emitter_key(json, "expected");
        emitter_text(json, problem->expected);
    }
    emitter_close(json, '}');
}
