/* The command line of `foreshock`: what was asked for, and the table of commands. */
#ifndef FORESHOCK_CLIENT_CLI_CLI_H
#define FORESHOCK_CLIENT_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#define CLI_LIST_MAX 64
#define CLI_URL      "http://127.0.0.1:8790"

/* Exit codes. CLI_FIRING: `alerts --check` while something fires. */
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_FIRING = 3 };

struct cli_list {
    const char *items[CLI_LIST_MAX];
    size_t count;
};

/* Texts point into argv or the environment, but for the tokens. */
struct cli {
    const char *url, *token_file, *admin_token_file;
    char *token, *admin_token; /* NULL: none */
    bool json, csv, check;
    const char *from, *to, *points; /* NULL: not given; the server checks them */
    struct cli_list metrics, layers;
    const char *rule, *duration, *reason; /* NULL: not given */
    const char *operand;                  /* RUN or ID, or NULL */
};

int cmd_status(const struct cli *cli);
int cmd_runs(const struct cli *cli);
int cmd_layers(const struct cli *cli);
int cmd_alerts(const struct cli *cli);
int cmd_series(const struct cli *cli);
int cmd_ack(const struct cli *cli);
int cmd_end(const struct cli *cli);
int cmd_silence(const struct cli *cli);
int cmd_silences(const struct cli *cli);
int cmd_unsilence(const struct cli *cli);

#endif
