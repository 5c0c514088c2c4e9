/* JSON to a silence; see silence_body.h. */
#include "daemon/http/silence_body.h"

#include <string.h>

static const char *const members[] = {
    "run", "rule", "layer", "for", "until", "reason", "created_by", NULL};

static int check_members(json_t *json, struct problem *problem)
{
    const char *key;
    json_t *value;

    if (!json_is_object(json))
        return problem_set(problem, 400, "the body is expected to be a JSON object");
    json_object_foreach (json, key, value) {
        size_t i = 0;
        while (members[i] && strcmp(members[i], key) != 0)
            i++;
        if (!members[i])
            return problem_parameter(problem, 400, key, "",
                "a member of the body: run, rule, layer, for, until, reason, created_by");
    }
    return 0;
}

static bool is_clean(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

/* A text member of 1 to `max` bytes; leaves `*text` when it is not there. */
static int read_text(
    const json_t *json, const char *key, size_t max, const char **text, struct problem *problem)
{
    const json_t *value = json_object_get(json, key);
    const char *found = json_string_value(value);

    if (!value || json_is_null(value))
        return 0;
    if (!found || !found[0] || strlen(found) > max || !is_clean(found))
        return problem_parameter(problem, 400, key, found ? found : "",
            "a text of 1 to %zu bytes without control characters", max);
    *text = found;
    return 0;
}

static int read_end(
    const json_t *json, double now, struct store_silence *silence, struct problem *problem)
{
    const json_t *span = json_object_get(json, "for"), *until = json_object_get(json, "until");
    const char *key = span ? "for" : "until";
    double seconds = span ? json_number_value(span) : json_number_value(until) - now;

    if (!span == !until)
        return problem_set(
            problem, 400, "expected either for (seconds) or until (seconds since 1970)");
    if (!json_is_number(span ? span : until) || !(seconds > 0 && seconds <= SILENCE_SECONDS_MAX))
        return problem_parameter(problem, 400, key, "",
            span ? "a number of seconds above 0, at most %d"
                 : "a time that is not past and at most %d seconds away",
            SILENCE_SECONDS_MAX);
    silence->created_at = now;
    silence->expires_at = now + seconds;
    return 0;
}

static int read_members(const json_t *json, double now, bool (*knows_rule)(const char *name),
    struct store_silence *silence, struct problem *problem)
{
    silence->reason = silence->created_by = "";
    if (read_text(json, "run", SILENCE_PATTERN_MAX, &silence->run, problem) ||
        read_text(json, "rule", SILENCE_PATTERN_MAX, &silence->rule, problem) ||
        read_text(json, "layer", SILENCE_PATTERN_MAX, &silence->layer, problem) ||
        read_text(json, "reason", SILENCE_REASON_MAX, &silence->reason, problem) ||
        read_text(json, "created_by", SILENCE_PATTERN_MAX, &silence->created_by, problem))
        return -1;
    if (!silence->run)
        return problem_parameter(problem, 400, "run", "", "the id of a run, or a pattern with *");
    if (silence->rule && knows_rule && !knows_rule(silence->rule))
        return problem_parameter(problem, 400, "rule", silence->rule, "the name of a rule");
    return read_end(json, now, silence, problem);
}

int silence_body_read(struct silence_body *body, const char *text, size_t size, double now,
    bool (*knows_rule)(const char *name), struct problem *problem)
{
    json_error_t error;

    *body = (struct silence_body){.json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error)};
    if (!body->json)
        return problem_set(
            problem, 400, "the body is no JSON: line %d: %s", error.line, error.text);
    if (check_members(body->json, problem) == 0 &&
        read_members(body->json, now, knows_rule, &body->silence, problem) == 0)
        return 0;
    silence_body_free(body);
    return -1;
}

void silence_body_free(struct silence_body *body)
{
    json_decref(body->json);
    body->json = NULL;
}
