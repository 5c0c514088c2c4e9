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
    "The command line goes before the file. Exit codes: 0 stopped on request, 1 failed while\n"
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

static int take_option(struct config_args *args, int option, char *err)
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
        snprintf(err, CONFIG_ERROR_MAX, "--ingest: got more than %d values", CONFIG_ENDPOINTS_MAX);
        return -1;
    default: args->action = CONFIG_HELP; return 0;
    }
}

int config_parse_args(struct config_args *args, int argc, char **argv, char *err)
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
            snprintf(err, CONFIG_ERROR_MAX,
                option == ':' ? "%s: wants a value (see --help)"
                              : "%s: unknown or ambiguous option (see --help)",
                argv[before]);
            return -1;
        }
        if (take_option(args, option, err))
            return -1;
    }
    if (args->action != CONFIG_HELP && args->action != CONFIG_VERSION && optind < argc) {
        snprintf(err, CONFIG_ERROR_MAX, "%s: unexpected argument (see --help)", argv[optind]);
        return -1;
    }
    return 0;
}

int config_default(struct config *config, char *err)
{
    memset(config, 0, sizeof *config);
    rule_settings_init(&config->rules);
    for (size_t i = 0; i < config_option_count; i++)
        if (config_options[i].fallback &&
            config_option_set(&config_options[i], config, config_options[i].fallback, err))
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

static int apply(
    struct config *config, const char *path, const char *flag, const char *value, char *err)
{
    char why[CONFIG_ERROR_MAX];
    if (config_option_set(config_option_find(path), config, value, why) == 0)
        return 0;
    snprintf(err, CONFIG_ERROR_MAX, "%s: %.*s", flag, CONFIG_ERROR_MAX - 32, why);
    return -1;
}

/* Unlike in a file, a folder on the command line may be relative to where the daemon is started. */
static int apply_state_dir(struct config *config, const char *folder, char *err)
{
    char *cwd, *path;
    int rc;
    if (folder[0] == '/' || folder[0] == '\0')
        return apply(config, "state_dir", "--state-dir", folder, err);
    cwd = getcwd(NULL, 0);
    if (!cwd || asprintf(&path, "%s/%s", cwd, folder) < 0) {
        snprintf(err, CONFIG_ERROR_MAX, "--state-dir: the working directory cannot be read: %s",
            strerror(errno));
        free(cwd);
        return -1;
    }
    rc = apply(config, "state_dir", "--state-dir", path, err);
    free(cwd);
    free(path);
    return rc;
}

int config_apply_args(struct config *config, const struct config_args *args, char *err)
{
    if (args->state_dir && apply_state_dir(config, args->state_dir, err))
        return -1;
    if (args->http && apply(config, "http.address", "--http", args->http, err))
        return -1;
    if (args->log_level && apply(config, "log_level", "--log-level", args->log_level, err))
        return -1;
    if (args->endpoint_count > 0)
        config_option_clear(config_option_find("ingest.endpoints"), config);
    for (size_t i = 0; i < args->endpoint_count; i++)
        if (apply(config, "ingest.endpoints", "--ingest", args->endpoints[i], err))
            return -1;
    return 0;
}

/* The default places are the environment's: a check of the configuration has no need of them. */
static int fill_places(struct config *config, char *err)
{
    struct config_list *endpoints = &config->ingest.endpoints;
    if (!config->state_dir && !(config->state_dir = config_default_state_dir(err)))
        return -1;
    if (endpoints->count > 0)
        return 0;
    endpoints->items[0] = config_default_endpoint(err);
    if (!endpoints->items[0])
        return -1;
    endpoints->count = 1;
    return config_check_endpoint(
        endpoints->items[0], err); /* the default's path may be too long as well */
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
static int read_token(
    struct config *config, const char *name, char **token, const char *path, char *err)
{
    char line[CONFIG_TOKEN_MAX + 3], why[CONFIG_ERROR_MAX];
    if (!path)
        return 0;
    if (*token) {
        snprintf(
            err, CONFIG_ERROR_MAX, "%s and %s_file are both set, expected one of them", name, name);
        return -1;
    }
    if (read_line(path, line, sizeof line)) {
        snprintf(err, CONFIG_ERROR_MAX, "%s_file: %s: %s", name, path,
            errno ? strerror(errno) : "is no file that can be read");
        return -1;
    }
    line[strcspn(line, "\r\n")] = '\0';
    if (config_option_set(config_option_find(name), config, line, why) == 0)
        return 0;
    snprintf(err, CONFIG_ERROR_MAX, "%s_file: first line of %.200s: %.200s", name, path, why);
    return -1;
}

static int validate_http(struct config *config, char *err)
{
    if (read_token(config, "http.token", &config->http.token, config->http.token_file, err) ||
        read_token(config, "http.admin_token", &config->http.admin_token,
            config->http.admin_token_file, err))
        return -1;
    config->http.on = strcmp(config->http.address, "off") != 0;
    if (!config->http.on)
        return 0;
    config_parse_address(config->http.address, &config->http.socket);
    config->http.port = config_host_port(&config->http.socket, config->http.host);
    if (config->http.token || config_is_loopback(&config->http.socket))
        return 0;
    snprintf(err, CONFIG_ERROR_MAX,
        "http.address: %s is beyond loopback, which needs http.token or http.token_file",
        config->http.address);
    return -1;
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

static int validate_listeners(const struct config *config, char *err)
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
            snprintf(err, CONFIG_ERROR_MAX, "ingest.endpoints: %s and %s want the same socket",
                endpoints->items[i], other);
            return -1;
        }
    }
    return 0;
}

static int validate_limits(struct config *config, char *err)
{
    double lease = config->limits.lease_seconds;
    if (config->limits.heartbeat_seconds == 0)
        config->limits.heartbeat_seconds = lease / 6;
    if (config->limits.heartbeat_seconds > lease / 2) {
        snprintf(err, CONFIG_ERROR_MAX,
            "limits.heartbeat_seconds: got %g, expected at most half of limits.lease_seconds, "
            "which is %g",
            config->limits.heartbeat_seconds, lease);
        return -1;
    }
    /* A tensor that can never wait in memory is better refused at its first piece than dropped each
     * time. */
    if (config->limits.tensor_bytes > config->limits.memory_bytes)
        config->limits.tensor_bytes = config->limits.memory_bytes;
    return rule_settings_check(&config->rules, err, CONFIG_ERROR_MAX);
}

int config_validate(struct config *config, char *err)
{
    if (config->workers == 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        config->workers = cores > 65 ? 64 : cores > 2 ? (uint32_t)cores - 1 : 1;
    }
    for (size_t i = 0; config->http.external_url && i < config->notifier_count; i++)
        snprintf(
            config->notifiers[i].external_url, NOTIFIER_URL_MAX, "%s", config->http.external_url);
    if (validate_http(config, err) || validate_listeners(config, err))
        return -1;
    return validate_limits(config, err);
}

int config_load(struct config *config, const struct config_args *args, char *err)
{
    bool there = args->file || access(CONFIG_FILE, F_OK) == 0;
    int rc = config_default(config, err);
    if (rc == 0 && there)
        rc = config_load_file(config, args->file ? args->file : CONFIG_FILE, err);
    if (rc == 0)
        rc = config_apply_args(config, args, err);
    if (rc == 0)
        rc = config_validate(config, err);
    if (rc == 0 && args->action != CONFIG_CHECK)
        rc = fill_places(config, err);
    if (rc)
        config_free(config);
    return rc;
}
