/* foreshock: what foreshockd knows, on the command line. A table of commands, and the options they
 * share. */
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "client/cli/cli.h"
#include "client/cli/text.h"

#define TOKEN_MAX 256

enum need { NO_RUN, MAY_RUN, NEEDS_RUN, NEEDS_ID };

static const struct command {
    const char *name;
    int (*function)(const struct cli *cli);
    enum need need;
    const char *options; /* letters of long_options besides those for all */
    const char *help;
} commands[] = {
    {"status", cmd_status, NO_RUN, "",
        "status               whether the daemon is well, and what it watches"},
    {"runs", cmd_runs, NO_RUN, "", "runs                 all runs, newest first"},
    {"layers", cmd_layers, NEEDS_RUN, "",
        "layers RUN           the layers of a run, with their newest figures"},
    {"alerts", cmd_alerts, MAY_RUN, "k",
        "alerts [RUN]         alerts; --check: only firing ones, exit code 3 if there is one"},
    {"series", cmd_series, NEEDS_RUN, "mlabpv",
        "series RUN           figures: --metric M... [--layer L]... [--from STEP] [--to STEP]\n"
        "                       [--points N] [--csv]; M and L may hold *"},
    {"ack", cmd_ack, NEEDS_ID, "", "ack ID               acknowledges an alert"},
    {"end", cmd_end, NEEDS_RUN, "",
        "end RUN              a lost run will not come back: it ends, its alerts are resolved"},
    {"silence", cmd_silence, NEEDS_RUN, "lRdr",
        "silence RUN          alerts of RUN are recorded and notify nobody: [--layer L] [--rule R]\n"
        "                       [--for 2h] [--reason TEXT]; RUN and L may hold *"},
    {"silences", cmd_silences, NO_RUN, "", "silences             what is silenced"},
    {"unsilence", cmd_unsilence, NEEDS_ID, "", "unsilence ID         ends a silence"},
};
#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static const struct option long_options[] = {
    {"url", required_argument, NULL, 'u'},
    {"token-file", required_argument, NULL, 't'},
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {"check", no_argument, NULL, 'k'},
    {"metric", required_argument, NULL, 'm'},
    {"layer", required_argument, NULL, 'l'},
    {"from", required_argument, NULL, 'a'},
    {"to", required_argument, NULL, 'b'},
    {"points", required_argument, NULL, 'p'},
    {"csv", no_argument, NULL, 'v'},
    {"admin-token-file", required_argument, NULL, 'A'},
    {"rule", required_argument, NULL, 'R'},
    {"for", required_argument, NULL, 'd'},
    {"reason", required_argument, NULL, 'r'},
    {NULL, 0, NULL, 0},
};

static void print_help(void)
{
    puts("Usage: foreshock [OPTION]... COMMAND [ARGUMENT]...\n"
         "Shows what foreshockd knows of the trainings that it watches.\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        printf("  %s\n", commands[i].help);
    puts("\n"
         "  --url URL            where foreshockd answers; else FORESHOCK_URL, else " CLI_URL "\n"
         "  --token-file FILE    the token is the first line of FILE; else FORESHOCK_TOKEN\n"
         "  --admin-token-file FILE\n"
         "                       the same for ack, end, silence and unsilence; else\n"
         "                       FORESHOCK_ADMIN_TOKEN\n"
         "  --json               the answer as JSON\n"
         "  --version, --help\n"
         "\n"
         "Exit codes: 0 good, 1 no or a bad answer, 2 bad usage, 3 an alert fires (alerts "
         "--check).");
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int add_to_list(struct cli_list *list, const char *item)
{
    if (list->count == CLI_LIST_MAX) {
        text_complain("got more than %d values of --metric or --layer", CLI_LIST_MAX);
        return CLI_USAGE;
    }
    list->items[list->count++] = item;
    return CLI_OK;
}

static int set_option(struct cli *cli, int option)
{
    switch (option) {
    case 'u': cli->url = optarg; break;
    case 't': cli->token_file = optarg; break;
    case 'j': cli->json = true; break;
    case 'v': cli->csv = true; break;
    case 'k': cli->check = true; break;
    case 'a': cli->from = optarg; break;
    case 'b': cli->to = optarg; break;
    case 'p': cli->points = optarg; break;
    case 'A': cli->admin_token_file = optarg; break;
    case 'R': cli->rule = optarg; break;
    case 'd': cli->duration = optarg; break;
    case 'r': cli->reason = optarg; break;
    case 'm': return add_to_list(&cli->metrics, optarg);
    case 'l': return add_to_list(&cli->layers, optarg);
    case 'h': print_help(); exit(CLI_OK);
    case 'V': puts("foreshock " FORESHOCK_VERSION); exit(CLI_OK);
    default: break;
    }
    return CLI_OK;
}

static const char *option_name(int letter)
{
    const struct option *o = long_options;
    while (o->name && o->val != letter)
        o++;
    return o->name ? o->name : "";
}

/* Options before the command, or all that follow it; `mode` is getopt's. Those in neither list are
 * not the command's. */
static int take_options(
    struct cli *cli, int argc, char **argv, const char *mode, const char *allowed)
{
    int option;
    optind = 0; /* glibc: begin anew */
    opterr = 0;
    for (;;) {
        int at = optind > 0 ? optind : 1;
        option = getopt_long(argc, argv, mode, long_options, NULL);
        if (option == -1)
            return CLI_OK;
        if (option == '?' || option == ':') {
            text_complain(
                option == ':' ? "%s wants a value (see --help)" : "%s: unknown option (see --help)",
                optind > at ? argv[optind - 1] : argv[at]);
            return CLI_USAGE;
        }
        if (!strchr("utAjhV", option) && !strchr(allowed, option)) {
            text_complain("%s: no option --%s (see --help)", argv[0], option_name(option));
            return CLI_USAGE;
        }
        if (set_option(cli, option))
            return CLI_USAGE;
    }
}

static int take_operands(struct cli *cli, const struct command *command, int argc, char **argv)
{
    int most = command->need == NO_RUN ? 0 : 1;
    if (command->need == NEEDS_RUN && argc == 0) {
        text_complain("%s: RUN is missing; 'foreshock runs' lists them", command->name);
        return CLI_USAGE;
    }
    if (command->need == NEEDS_ID && argc == 0) {
        text_complain("%s: ID is missing; 'foreshock alerts' and 'foreshock silences' list them",
            command->name);
        return CLI_USAGE;
    }
    if (argc > most) {
        text_complain("%s: unexpected argument \"%s\" (see --help)", command->name, argv[most]);
        return CLI_USAGE;
    }
    cli->operand = argc > 0 ? argv[0] : NULL;
    return CLI_OK;
}

/* A token: the first line of the file that `option` names, else the variable `name`. */
static int find_token(const char *option, const char *path, const char *name, char **out)
{
    char line[TOKEN_MAX + 2] = "";
    const char *token = getenv(name);
    if (path) {
        FILE *file = fopen(path, "re");
        if (!file || !fgets(line, sizeof line, file)) {
            text_complain("%s: %s: %s", option, path, file ? "is empty" : strerror(errno));
            if (file)
                fclose(file);
            return CLI_USAGE;
        }
        fclose(file);
        line[strcspn(line, "\r\n")] = '\0';
        token = line;
    }
    if (!token || !token[0])
        return CLI_OK;
    for (const char *c = token; *c; c++) {
        if (*c <= ' ' || *c >= 0x7f) {
            text_complain("the token holds a character that no token has: expected printable ASCII "
                          "without spaces");
            return CLI_USAGE;
        }
    }
    *out = strdup(token);
    return *out ? CLI_OK : CLI_FAILED;
}

static int run_command(struct cli *cli, const struct command *command)
{
    if (!cli->url)
        cli->url = getenv("FORESHOCK_URL");
    if (!cli->url || !cli->url[0])
        cli->url = CLI_URL;
    int rc = find_token("--token-file", cli->token_file, "FORESHOCK_TOKEN", &cli->token);
    if (rc == CLI_OK)
        rc = find_token("--admin-token-file", cli->admin_token_file, "FORESHOCK_ADMIN_TOKEN",
            &cli->admin_token);
    if (rc == CLI_OK) {
        curl_global_init(CURL_GLOBAL_DEFAULT);
        rc = command->function(cli);
        curl_global_cleanup();
    }
    free(cli->token);
    free(cli->admin_token);
    if (fflush(stdout) || ferror(stdout)) {
        text_complain("the output cannot be written: %s", strerror(errno));
        rc = rc ? rc : CLI_FAILED;
    }
    return rc;
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    setlocale(LC_CTYPE, "");
    if (take_options(&cli, argc, argv, "+:", ""))
        return CLI_USAGE;
    if (optind == argc) {
        text_complain("a command is missing (see --help)");
        return CLI_USAGE;
    }
    const struct command *command = find_command(argv[optind]);
    if (!command) {
        text_complain("'%s' is no command (see --help)", argv[optind]);
        return CLI_USAGE;
    }
    int first = optind;
    if (take_options(&cli, argc - first, argv + first, ":", command->options) ||
        take_operands(&cli, command, argc - first - optind, argv + first + optind))
        return CLI_USAGE;
    return run_command(&cli, command);
}
