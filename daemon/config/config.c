/* The configuration as a whole: defaults, command line, and the checks between options. */
#include "daemon/config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config/endpoint.h"
#include "daemon/config/options.h"
#include "daemon/config/yaml.h"

static const char usage[] =
    "Usage: foreshockd [OPTION]...\n"
    "Watches the training of neural networks, and warns before it breaks.\n"
    "\n"
    "  --config FILE        read FILE instead of " CONFIG_FILE " (none is needed)\n"
    "  --check-config       check the configuration, say so, and end\n"
    "  --state-dir DIR      where the database lies\n"
    "  --ingest ENDPOINT    where trainings connect: ipc:///PATH or tcp://ADDR:PORT (repeatable)\n"
    "  --http ADDR:PORT     where the pages and the API are served (port 0: any free one), or off\n"
    "  --log-level LEVEL    " LOG_LEVEL_NAMES "\n"
    "  --version            say which version this is\n"
    "  --help               say this\n"
    "\n"
    "Command-line options override the file. Exit codes: 0 stopped on request, 1 failed while\n"
    "running, 2 bad usage or configuration, 3 state directory in use or not usable, 4 an endpoint\n"
    "cannot be bound.\n";

const char *config_usage(void)
{
    return usage;
}

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"check-config", no_argument, NULL, 'k'},
    {"state-dir", required_argument, NULL, 's'},
    {"ingest", required_argument, NULL, 'i'},
    {"http", required_argument, NULL, 'h'},
    {"log-level", required_argument, NULL, 'l'},
    {"version", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'H'},
    {NULL, 0, NULL, 0},
};

static int take_argument(struct config_args *args, int option, struct error *error)
{
    switch (option) {
    case 'c': args->file = optarg; return 0;
    case 'k': args->action = CONFIG_CHECK; return 0;
    case 's': args->state_dir = optarg; return 0;
    case 'h': args->http = optarg; return 0;
    case 'l': args->log_level = optarg; return 0;
    case 'v': args->action = CONFIG_VERSION; return 0;
    case 'i':
        if (args->endpoint_count < CONFIG_ENDPOINTS_MAX) {
            args->endpoints[args->endpoint_count++] = optarg;
            return 0;
        }
        return error_set(error, "--ingest: got more than %d values", CONFIG_ENDPOINTS_MAX);
    default: args->action = CONFIG_HELP; return 0;
    }
}

int config_parse_args(struct config_args *args, int argc, char **argv, struct error *error)
{
    int option;
    *args = (struct config_args){.action = CONFIG_RUN};
    optind = 0; /* glibc: begin anew, so that a second call works */
    opterr = 0;
    while (args->action != CONFIG_HELP && args->action != CONFIG_VERSION) {
        int before = optind > 0 ? optind : 1;
        option = getopt_long(argc, argv, "+:", long_options, NULL);
        if (option == -1)
            break;
        if (option == '?' || option == ':') {
            return error_set(error,
                option == ':' ? "%s: wants a value (see --help)"
                              : "%s: unknown or ambiguous option (see --help)",
                argv[before]);
        }
        if (take_argument(args, option, error))
            return -1;
    }
    if (args->action != CONFIG_HELP && args->action != CONFIG_VERSION && optind < argc) {
        return error_set(error, "%s: unexpected argument (see --help)", argv[optind]);
    }
    return 0;
}

int config_default(struct config *config, struct error *error)
{
    memset(config, 0, sizeof *config);
    rule_settings_init(&config->rules);
    for (size_t i = 0; i < config_option_count; i++)
        if (config_options[i].fallback &&
            config_option_set(&config_options[i], config, config_options[i].fallback, error))
            return -1;
    return 0;
}

void config_free(struct config *config)
{
    for (size_t i = 0; i < config_option_count; i++)
        config_option_clear(&config_options[i], config);
    free(config->notifiers);
    config->notifiers = NULL;
    config->notifier_count = 0;
}

static int apply(struct config *config, const char *path, const char *flag, const char *value,
    struct error *error)
{
    if (config_option_set(config_option_find(path), config, value, error) == 0)
        return 0;
    return error_at(error, "%s", flag);
}

/* Unlike in a file, a folder on the command line may be relative to where the daemon is started. */
static int apply_state_dir(struct config *config, const char *folder, struct error *error)
{
    char *cwd, *path;
    int rc;
    if (folder[0] == '/' || folder[0] == '\0')
        return apply(config, "state_dir", "--state-dir", folder, error);
    cwd = getcwd(NULL, 0);
    if (!cwd || asprintf(&path, "%s/%s", cwd, folder) < 0) {
        error_set(error, "--state-dir: the working directory cannot be read: %s", strerror(errno));
        free(cwd);
        return -1;
    }
    rc = apply(config, "state_dir", "--state-dir", path, error);
    free(cwd);
    free(path);
    return rc;
}

int config_apply_args(struct config *config, const struct config_args *args, struct error *error)
{
    if (args->state_dir && apply_state_dir(config, args->state_dir, error))
        return -1;
    if (args->http && apply(config, "http.address", "--http", args->http, error))
        return -1;
    if (args->log_level && apply(config, "log_level", "--log-level", args->log_level, error))
        return -1;
    if (args->endpoint_count > 0)
        config_option_clear(config_option_find("ingest.endpoints"), config);
    for (size_t i = 0; i < args->endpoint_count; i++)
        if (apply(config, "ingest.endpoints", "--ingest", args->endpoints[i], error))
            return -1;
    return 0;
}

/* The default places are the environment's: a check of the configuration has no need of them. */
static int fill_places(struct config *config, struct error *error)
{
    struct config_list *endpoints = &config->ingest.endpoints;
    if (!config->state_dir && !(config->state_dir = config_default_state_dir(error)))
        return -1;
    if (endpoints->count > 0)
        return 0;
    endpoints->items[0] = config_default_endpoint(error);
    if (!endpoints->items[0])
        return -1;
    endpoints->count = 1;
    return config_check_endpoint(
        endpoints->items[0], error); /* the default's path may be too long as well */
}

/* The start of a file. -1 and errno, 0 for one that is no regular file: a pipe would make the daemon wait for its writer. */
static int read_line(const char *path, char *line, size_t size)
{
    struct stat found;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = -1;
    if (fd >= 0 && fstat(fd, &found) == 0) {
        bool regular = S_ISREG(found.st_mode);
        errno = 0;
        got = regular ? read(fd, line, size - 1) : -1;
    }
    int reason = errno;
    if (fd >= 0)
        close(fd);
    line[got > 0 ? got : 0] = '\0';
    errno = reason;
    return got < 0 ? -1 : 0;
}

/* Fills the option `name` from the first line of the file that the option `name`_file names. */
static int read_token_file(
    struct config *config, const char *name, char **token, const char *path, struct error *error)
{
    char line[CONFIG_TOKEN_MAX + 3];
    if (!path)
        return 0;
    if (*token) {
        return error_set(error, "%s and %s_file are both set, expected one of them", name, name);
    }
    if (read_line(path, line, sizeof line)) {
        return error_set(error, "%s_file: %s: %s", name, path,
            errno ? strerror(errno) : "is no file that can be read");
    }
    line[strcspn(line, "\r\n")] = '\0';
    if (config_option_set(config_option_find(name), config, line, error) == 0)
        return 0;
    return error_at(error, "%s_file: first line of %.200s", name, path);
}

static int validate_http(struct config *config, struct error *error)
{
    if (read_token_file(
            config, "http.token", &config->http.token, config->http.token_file, error) ||
        read_token_file(config, "http.admin_token", &config->http.admin_token,
            config->http.admin_token_file, error))
        return -1;
    config->http.on = strcmp(config->http.address, "off") != 0;
    if (!config->http.on)
        return 0;
    config_parse_address(config->http.address, &config->http.socket);
    config->http.port = config_host_port(&config->http.socket, config->http.host);
    if (config->http.token || config_is_loopback(&config->http.socket))
        return 0;
    return error_set(error,
        "http.address: %s is beyond loopback, which needs http.token or http.token_file",
        config->http.address);
}

/* The socket of a tcp:// endpoint; false for ipc://. */
static bool tcp_socket(const char *endpoint, struct sockaddr_storage *address)
{
    return strncmp(endpoint, "tcp://", 6) == 0 && config_parse_address(endpoint + 6, address) == 0;
}

/* Whether two endpoints can not both be bound, the tensor sockets beside the ipc ones included. */
static bool endpoints_collide(const char *a, const char *b)
{
    struct sockaddr_storage x, y;
    size_t size = strlen(a) < strlen(b) ? strlen(a) : strlen(b);
    if (tcp_socket(a, &x))
        return tcp_socket(b, &y) && config_same_socket(&x, &y);
    if (strncmp(a, b, size) != 0)
        return false;
    const char *longer = strlen(a) > size ? a : b;
    return longer[size] == '\0' || strcmp(longer + size, ".tensors") == 0;
}

static int validate_listeners(const struct config *config, struct error *error)
{
    const struct config_list *endpoints = &config->ingest.endpoints;
    for (size_t i = 0; i < endpoints->count; i++) {
        struct sockaddr_storage address;
        const char *other = NULL;
        for (size_t j = 0; j < i; j++)
            if (endpoints_collide(endpoints->items[i], endpoints->items[j]))
                other = endpoints->items[j];
        if (config->http.on && tcp_socket(endpoints->items[i], &address) &&
            config_same_socket(&address, &config->http.socket))
            other = config->http.address;
        if (other) {
            return error_set(error, "ingest.endpoints: %s and %s want the same socket",
                endpoints->items[i], other);
        }
    }
    return 0;
}

static int validate_limits(struct config *config, struct error *error)
{
    double lease = config->limits.lease_seconds;
    if (config->limits.heartbeat_seconds == 0)
        config->limits.heartbeat_seconds = lease / 6;
    if (config->limits.heartbeat_seconds > lease / 2) {
        return error_set(error,
            "limits.heartbeat_seconds: got %g, expected at most half of limits.lease_seconds, "
            "which is %g",
            config->limits.heartbeat_seconds, lease);
    }
    /* A tensor that can never wait in memory is better refused at its first piece than dropped each
     * time. */
    if (config->limits.tensor_bytes > config->limits.memory_bytes)
        config->limits.tensor_bytes = config->limits.memory_bytes;
    return rule_settings_check(&config->rules, error);
}

int config_validate(struct config *config, struct error *error)
{
    if (config->workers == 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        config->workers = cores > 65 ? 64 : cores > 2 ? (uint32_t)cores - 1 : 1;
    }
    for (size_t i = 0; config->http.external_url && i < config->notifier_count; i++)
        snprintf(
            config->notifiers[i].external_url, NOTIFIER_URL_MAX, "%s", config->http.external_url);
    if (validate_http(config, error) || validate_listeners(config, error))
        return -1;
    return validate_limits(config, error);
}

int config_load(struct config *config, const struct config_args *args, struct error *error)
{
    bool there = args->file || access(CONFIG_FILE, F_OK) == 0;
    int rc = config_default(config, error);
    if (rc == 0 && there)
        rc = config_load_file(config, args->file ? args->file : CONFIG_FILE, error);
    if (rc == 0)
        rc = config_apply_args(config, args, error);
    if (rc == 0)
        rc = config_validate(config, error);
    if (rc == 0 && args->action != CONFIG_CHECK)
        rc = fill_places(config, error);
    if (rc)
        config_free(config);
    return rc;
}
