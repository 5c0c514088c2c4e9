/* Host, Authorization, Origin and Content-Type. */
#include "daemon/http/guard.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

enum { HOST_MAX = 255 };

/* The name in `name[:port]` or `[v6][:port]`, without brackets. False if it is neither. */
static bool host_name(const char *host, char name[HOST_MAX + 1])
{
    bool bracketed = *host == '[';
    if (bracketed)
        host++;
    size_t length = strcspn(host, bracketed ? "]" : ":");
    const char *rest = host + length;

    if (length == 0 || length > HOST_MAX)
        return false;
    if (bracketed && *rest++ != ']')
        return false;
    if (*rest == ':') {
        rest++;
        if (!*rest || strspn(rest, "0123456789") != strlen(rest))
            return false;
    } else if (*rest) {
        return false;
    }
    memcpy(name, host, length);
    name[length] = '\0';
    return true;
}

static bool is_loopback(const char *name)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, name, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, name, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return !strcasecmp(name, "localhost");
}

bool guard_host(const struct guard *guard, const char *host)
{
    char name[HOST_MAX + 1];

    if (!host || !host_name(host, name))
        return false;
    if (is_loopback(name) || (guard->address && !strcasecmp(name, guard->address)))
        return true;
    for (size_t i = 0; i < guard->hosts_count; i++) {
        if (!strcasecmp(name, guard->hosts[i]))
            return true;
    }
    return false;
}

bool guard_bearer(const char *authorization, const char *token)
{
    static const char scheme[] = "Bearer ";

    if (!authorization || !token || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
        return false;
    const char *given = authorization + sizeof scheme - 1;
    while (*given == ' ')
        given++;
    size_t given_length = strlen(given), length = strlen(token);
    unsigned char differs = given_length != length || length == 0;
    for (size_t i = 0; i < given_length; i++)
        differs |= (unsigned char)(given[i] ^ token[length ? i % length : 0]);
    return !differs;
}

bool guard_origin(const char *origin, const char *host)
{
    static const char scheme[] = "http://", secure[] = "https://";

    if (!origin)
        return true;
    if (!host)
        return false;
    /* https: a proxy in front may speak TLS; the page still came from this host. */
    if (!strncmp(origin, scheme, sizeof scheme - 1))
        return !strcasecmp(origin + sizeof scheme - 1, host);
    if (!strncmp(origin, secure, sizeof secure - 1))
        return !strcasecmp(origin + sizeof secure - 1, host);
    return false;
}

bool guard_json(const char *content_type)
{
    static const char json[] = "application/json";

    if (!content_type || strncasecmp(content_type, json, sizeof json - 1) != 0)
        return false;
    const char *rest = content_type + sizeof json - 1;
    while (*rest == ' ' || *rest == '\t')
        rest++;
    return *rest == '\0' || *rest == ';';
}

static int check_change(
    const struct guard *guard, const struct guard_headers *headers, struct problem *problem)
{
    if (!guard_origin(headers->origin, headers->host))
        return problem_parameter(
            problem, 403, "Origin", headers->origin, "none, or the origin of this server");
    if (!guard_bearer(headers->authorization, guard->admin_token)) {
        if (guard_bearer(headers->authorization, guard->token))
            return problem_set(
                problem, 403, "this token may only read; a change wants the admin token");
        return problem_set(problem, 401,
            "a change wants the header Authorization: Bearer and the admin token (configured, or "
            "in the file admin.token "
            "of the state directory)");
    }
    if (!guard_json(headers->content_type))
        return problem_parameter(problem, 415, "Content-Type",
            headers->content_type ? headers->content_type : "", "application/json");
    return 0;
}

int guard_check(const struct guard *guard, enum guard_need need,
    const struct guard_headers *headers, struct problem *problem)
{
    if (!guard_host(guard, headers->host))
        return problem_parameter(problem, 421, "Host", headers->host ? headers->host : "",
            "a loopback name or a host of the configuration");
    if (need == GUARD_CHANGE)
        return check_change(guard, headers, problem);
    if (need == GUARD_OPEN || !guard->token || guard_bearer(headers->authorization, guard->token) ||
        guard_bearer(headers->authorization, guard->admin_token))
        return 0;
    return problem_set(
        problem, 401, "this server wants the header Authorization: Bearer and its token");
}
