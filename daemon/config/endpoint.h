/* What an address, an endpoint, a host name, a token and a path may look like, and where things are
 * by default. The checks return 0, or -1 with `got "...", expected ...` in `error`. */
#ifndef FORESHOCK_CONFIG_ENDPOINT_H
#define FORESHOCK_CONFIG_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "daemon/core/error.h"

#define CONFIG_ADDRESS_EXPECTED                                                                    \
    "an address and a port such as 127.0.0.1:8790 or [::1]:8790 (0: any free port), or off"
#define CONFIG_ENDPOINT_EXPECTED "ipc:///ABSOLUTE/PATH or tcp://ADDRESS:PORT"
#define CONFIG_HOST_EXPECTED     "a host name such as gpu1.example.org, without a port"
#define CONFIG_URL_EXPECTED      "an address such as https://host:9093/path, http or https"
#define CONFIG_TOKEN_EXPECTED    "a token of 8 to 256 printable ASCII characters without spaces"

int config_check_path(const char *text, struct error *error);
int config_check_endpoint(const char *text, struct error *error);
int config_check_http(const char *text, struct error *error);
int config_check_host(const char *text, struct error *error);
int config_check_token(const char *text, struct error *error);
int config_check_url(const char *text, struct error *error);

/* "127.0.0.1:8790", "localhost:0", "[::1]:8790"; 0 or -1. */
int config_parse_address(const char *text, struct sockaddr_storage *address);
/* Writes the numeric host into `host` (CONFIG_HOST_MAX bytes) and returns the port. */
uint16_t config_host_port(const struct sockaddr_storage *address, char *host);
bool config_is_loopback(const struct sockaddr_storage *address);

/* Whether both can not be bound at once: same address (or one of them is any) and same port, which
 * is not 0. */
bool config_same_socket(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

/* The defaults that depend on the machine: malloced, or NULL with a text in `error` that says what to
 * set. */
char *config_default_state_dir(struct error *error);
char *config_default_endpoint(struct error *error);

#endif
