/* Addresses, endpoints and default places. */
#include "daemon/config/endpoint.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config/config.h"
#include "daemon/config/unexpected.h"

int config_check_path(const char *text, struct error *error)
{
    return text[0] == '/' ? 0 : config_unexpected(error, text, "an absolute path");
}

int config_check_host(const char *text, struct error *error)
{
    size_t size = strlen(text);
    bool good =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == size &&
        size <= 253;
    return good ? 0 : config_unexpected(error, text, CONFIG_HOST_EXPECTED);
}

int config_check_url(const char *text, struct error *error)
{
    CURLU *url = curl_url();
    char *scheme = NULL, *host = NULL;
    bool good = url && strlen(text) < NOTIFIER_URL_MAX &&
                curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK && host[0] &&
                (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(url);
    return good ? 0 : config_unexpected(error, text, CONFIG_URL_EXPECTED);
}

/* The token itself is not repeated in the error: errors are logged. */
int config_check_token(const char *text, struct error *error)
{
    size_t size = strlen(text);
    bool printable = true;
    for (size_t i = 0; i < size; i++)
        printable = printable && text[i] > ' ' && text[i] < 0x7f;
    if (printable && size >= 8 && size <= CONFIG_TOKEN_MAX)
        return 0;
    return error_set(error, "got %zu bytes, expected " CONFIG_TOKEN_EXPECTED, size);
}

static int parse_port(const char *text, in_port_t *port)
{
    size_t digits = strspn(text, "0123456789");
    long number = digits > 0 && digits <= 5 ? strtol(text, NULL, 10) : -1;
    if (number < 0 || number > 65535 || text[digits] != '\0')
        return -1;
    *port = htons((uint16_t)number);
    return 0;
}

int config_parse_address(const char *text, struct sockaddr_storage *address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
    char host[64];
    const char *colon = strrchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof host)
        return -1;
    size_t size = (size_t)(colon - text);
    memset(address, 0, sizeof *address);
    if (text[0] == '[') {
        if (size < 2 || text[size - 1] != ']')
            return -1;
        memcpy(host, text + 1, size - 2);
        host[size - 2] = '\0';
        v6->sin6_family = AF_INET6;
        return inet_pton(AF_INET6, host, &v6->sin6_addr) == 1
                   ? parse_port(colon + 1, &v6->sin6_port)
                   : -1;
    }
    memcpy(host, text, size);
    host[size] = '\0';
    v4->sin_family = AF_INET;
    const char *name = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    return inet_pton(AF_INET, name, &v4->sin_addr) == 1 ? parse_port(colon + 1, &v4->sin_port) : -1;
}

uint16_t config_host_port(const struct sockaddr_storage *address, char *host)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    bool is_v4 = address->ss_family == AF_INET;
    const void *numbers = is_v4 ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr;
    inet_ntop(address->ss_family, numbers, host, CONFIG_HOST_MAX);
    return ntohs(is_v4 ? v4->sin_port : v6->sin6_port);
}

static bool is_loopback4(in_addr_t address)
{
    return ntohl(address) >> 24 == 127;
}

bool config_is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return is_loopback4(((const struct sockaddr_in *)address)->sin_addr.s_addr);
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && is_loopback4(v6->s6_addr32[3]));
}

static bool is_any(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ((const struct sockaddr_in *)address)->sin_addr.s_addr == htonl(INADDR_ANY);
    return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

bool config_same_socket(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    /* the port lies at the same place in both families */
    in_port_t port = ((const struct sockaddr_in *)a)->sin_port;
    if (port == 0 || port != ((const struct sockaddr_in *)b)->sin_port)
        return false;
    if (is_any(a) || is_any(b))
        return true;
    return memcmp(a, b, sizeof *a) == 0;
}

static int check_ipc(const char *path, const char *text, struct error *error)
{
    if (path[0] != '/' || path[1] == '\0')
        return config_unexpected(error, text, CONFIG_ENDPOINT_EXPECTED);
    size_t size = strlen(path) + strlen(".tensors");
    if (size <= CONFIG_IPC_PATH_MAX)
        return 0;
    char expected[200];
    snprintf(expected, sizeof expected,
        "a path of at most %zu bytes (%d with the .tensors of the tensor socket), this one has %zu",
        CONFIG_IPC_PATH_MAX - strlen(".tensors"), CONFIG_IPC_PATH_MAX, strlen(path));
    return config_unexpected(error, text, expected);
}

int config_check_endpoint(const char *text, struct error *error)
{
    struct sockaddr_storage address;
    if (strncmp(text, "ipc://", 6) == 0)
        return check_ipc(text + 6, text, error);
    if (strncmp(text, "tcp://", 6) != 0)
        return config_unexpected(error, text, CONFIG_ENDPOINT_EXPECTED);
    bool any = strncmp(text + 6, "*:", 2) == 0;
    if (!any && config_parse_address(text + 6, &address))
        return config_unexpected(error, text, CONFIG_ENDPOINT_EXPECTED);
    if (!any && config_is_loopback(&address))
        return 0;
    return config_unexpected(
        error, text, "a loopback address: tcp:// beyond loopback would not be encrypted");
}

int config_check_http(const char *text, struct error *error)
{
    struct sockaddr_storage address;
    if (strcmp(text, "off") == 0 || config_parse_address(text, &address) == 0)
        return 0;
    return config_unexpected(error, text, CONFIG_ADDRESS_EXPECTED);
}

static bool is_ours(const char *folder)
{
    struct stat st;
    return stat(folder, &st) == 0 && S_ISDIR(st.st_mode) && access(folder, W_OK | X_OK) == 0;
}

/* Environment variables with relative paths are to be ignored, says the XDG base directory
 * specification. */
static const char *absolute_env(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] == '/' ? value : NULL;
}

static char *join(const char *prefix, const char *folder, const char *rest, struct error *error)
{
    char *path;
    if (asprintf(&path, "%s%s%s", prefix, folder, rest) >= 0)
        return path;
    error_set(error, "out of memory");
    return NULL;
}

char *config_default_state_dir(struct error *error)
{
    const char *state_home = absolute_env("XDG_STATE_HOME"), *home = absolute_env("HOME");
    if (is_ours("/var/lib/foreshock"))
        return join("/var/lib/foreshock", "", "", error);
    if (state_home)
        return join(state_home, "/foreshock", "", error);
    if (home)
        return join(home, "/.local/state/foreshock", "", error);
    error_set(error,
        "no state directory: /var/lib/foreshock is not there or not writable, and neither "
        "XDG_STATE_HOME nor HOME is set; set state_dir, or --state-dir DIR");
    return NULL;
}

char *config_default_endpoint(struct error *error)
{
    const char *runtime = absolute_env("XDG_RUNTIME_DIR");
    if (is_ours("/run/foreshock"))
        return join("ipc://", "/run/foreshock", "/ingest.sock", error);
    if (runtime)
        return join("ipc://", runtime, "/foreshock/ingest.sock", error);
    error_set(error,
        "no ingest endpoint: /run/foreshock is not there or not writable, and XDG_RUNTIME_DIR "
        "is not set; set ingest.endpoints, or --ingest ipc:///SOME/FOLDER/ingest.sock");
    return NULL;
}
