/* The daemon's configuration: defaults, then the YAML file, then the command line, then the checks
 * that need all of it. Texts in `struct config` belong to it; nothing here is changed after
 * config_load, so any thread may read. Every error is one line in `error`
 * that names the place, the value and what was expected. */
#ifndef FORESHOCK_CONFIG_CONFIG_H
#define FORESHOCK_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "daemon/alerts/rules.h"
#include "daemon/core/error.h"
#include "daemon/core/log.h"
#include "daemon/notify/settings.h"

#define CONFIG_FILE          "/etc/foreshock/foreshock.yaml"
#define CONFIG_FILE_MAX      (1u << 20)
#define CONFIG_ENDPOINTS_MAX 8
#define CONFIG_LIST_MAX      16
#define CONFIG_TOKEN_MAX     256
#define CONFIG_HOST_MAX      48 /* bytes of a numeric address, the NUL included */
/* Bytes of a socket's path; the tensor socket's is the control socket's with ".tensors" after it */
#define CONFIG_IPC_PATH_MAX  107

struct config_list {
    char *items[CONFIG_LIST_MAX];
    size_t count;
};

struct config {
    char *state_dir;
    uint32_t log_level; /* enum log_level */
    uint32_t workers;

    struct {
        struct config_list endpoints; /* ipc://PATH, or tcp://ADDR:PORT on loopback */
    } ingest;

    struct {
        char *address;                       /* as it was written */
        char *token;                         /* NULL: none wanted */
        char *admin_token;                   /* NULL: make one at each start */
        char *token_file, *admin_token_file; /* config_load fills the tokens from them */
        struct config_list hosts;            /* names allowed in Host besides loopback ones */
        char *external_url;                  /* where people reach the page; NULL: nowhere */
        bool on;                             /* false: the next three are not set */
        struct sockaddr_storage socket;
        char host[CONFIG_HOST_MAX]; /* numeric, without brackets */
        uint16_t port;              /* 0: pick a free one */
    } http;

    struct {
        uint64_t memory_bytes; /* tensors that wait for analysis; as much again of waiting shards */
        uint64_t kept_bytes;   /* previous snapshots */
        uint64_t tensor_bytes; /* one tensor; config_load keeps it within memory_bytes */
        uint32_t runs, sessions, layers_per_run, metrics_series;
        double lease_seconds, heartbeat_seconds, sample_deadline_seconds, shard_deadline_seconds;
    } limits;

    struct {
        double target_residual;
        uint32_t passes_small, passes_large;
    } analysis;

    struct {
        uint64_t bytes, disk_free_min;
        double age_seconds; /* 0: kept for ever */
    } retention;

    struct rule_settings rules;
    struct notifier_settings *notifiers; /* room for STORE_NOTIFIERS_MAX; NULL: none */
    size_t notifier_count;
};

enum config_action { CONFIG_RUN, CONFIG_CHECK, CONFIG_HELP, CONFIG_VERSION };

/* The command line; texts point into argv. */
struct config_args {
    enum config_action action;
    const char *file; /* NULL: CONFIG_FILE where there is one */
    const char *state_dir, *http, *log_level;
    const char *endpoints[CONFIG_ENDPOINTS_MAX];
    size_t endpoint_count;
};

int config_parse_args(struct config_args *args, int argc, char **argv, struct error *error);
const char *config_usage(void);

/* All of it: what the daemon calls. On failure there is nothing to free. With CONFIG_CHECK the
 * default places, which depend on who runs the daemon, are not looked for: they stay empty. */
int config_load(struct config *config, const struct config_args *args, struct error *error);

/* Its parts. config_default makes a config that config_free must be given, whatever happens next. */
int config_default(struct config *config, struct error *error);
int config_apply_args(struct config *config, const struct config_args *args, struct error *error);
int config_validate(
    struct config *config, struct error *error); /* also fills in what follows from other options */
void config_free(struct config *config);

#endif
