/* A real store and a real HTTP server without the rest of the daemon, for tests of the API and the
 * page.
 *
 * Usage: serve STATE_DIR [--token TOKEN] [--live MILLISECONDS] [--wide SERIES] [--query-ms MILLISECONDS]
 * [--answers-bytes BYTES]. Fills the store with runs whose
 * figures follow the formulas of serve_data.c, prints `port NUMBER`, and serves until SIGTERM. With
 * --live the running run goes on; with --wide there is another run with so many series; the others are members of
 * http_options. */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/http/events_sink.h"
#include "daemon/http/http.h"
#include "daemon/store/commit.h"
#include "tests/unit/http/serve_data.h"

enum { COMMIT_MS = 20000, TURN_MS = 100 };

struct server {
    struct stats stats;
    struct events *events;
    struct store *store;
    struct http *http;
    const char *token;
    unsigned live_ms, query_ms;
    size_t wide, answers_bytes;
};

static atomic_int stopping; /* any thread may get the signal */

static void on_signal(int number)
{
    stopping = 1;
}

static enum run_control_answer delete_run(void *ctx, int64_t run)
{
    struct server *server = ctx;
    struct store_batch *batch = store_batch_new();

    if (run == SERVE_RUNNING) {
        store_batch_free(batch);
        return RUN_CONTROL_RUNNING;
    }
    store_put_delete_run(batch, run);
    return store_submit(server->store, batch) ? RUN_CONTROL_FAILED : RUN_CONTROL_DONE;
}

static enum run_control_answer end_run(void *ctx, int64_t run)
{
    return run == SERVE_RUNNING ? RUN_CONTROL_RUNNING : RUN_CONTROL_DONE;
}

static void log_line(void *ctx, const char *line)
{
    fprintf(stderr, "%s\n", line);
}

static int fill(struct server *server)
{
    struct store_batch *batch = store_batch_new();

    serve_data_begin(batch);
    for (int64_t step = 0; step < SERVE_STEPS; step += SERVE_EVERY)
        serve_data_step(batch, step);
    for (size_t first = 0; first < server->wide; first += SERVE_WIDE_BATCH) {
        serve_data_wide(batch, first);
        if (store_submit(server->store, batch))
            return -1;
        batch = store_batch_new();
    }
    return commit_and_wait(server->store, batch, COMMIT_MS) == COMMIT_DONE ? 0 : -1;
}

static void stamp_turn(struct stats *stats)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    stats_set(&stats->loop_turn_ms, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

static int start(struct server *server, const char *state_dir)
{
    struct error error = {0};
    static const char *const hosts[] = {"monitor.example"};

    stamp_turn(&server->stats);
    server->events = events_new(&server->stats, 1);
    const struct store_options store = {
        .state_dir = state_dir,
        .retention_bytes = UINT64_C(1) << 30,
        .stats = &server->stats,
        .sink = events_sink(server->events),
    };
    if (store_open(&server->store, &store, &error)) {
        fprintf(stderr, "%s\n", error.text);
        return -1;
    }
    const struct http_options http = {
        .address = "127.0.0.1",
        .hosts = hosts,
        .hosts_count = 1,
        .token = server->token,
        .admin_token = "admin-secret",
        .state_dir = state_dir,
        .version = "test",
        .streams_max = 8,
        .series_max = 5000,
        .query_ms = server->query_ms,
        .answers_bytes = server->answers_bytes,
        .stats = &server->stats,
        .store = server->store,
        .events = server->events,
        .delete_run = delete_run,
        .end_run = end_run,
        .log = log_line,
        .ctx = server,
    };
    if (fill(server) || http_start(&server->http, &http, &error)) {
        fprintf(stderr, "not started: %s\n", error.text);
        return -1;
    }
    printf("port %u\n", (unsigned)http_port(server->http));
    fflush(stdout);
    return 0;
}

static void run(struct server *server)
{
    int64_t step = SERVE_STEPS;
    unsigned since_ms = 0;

    while (!stopping) {
        nanosleep(&(struct timespec){.tv_nsec = TURN_MS * 1000000L}, NULL);
        stamp_turn(&server->stats);
        since_ms += TURN_MS;
        if (!server->live_ms || since_ms < server->live_ms)
            continue;
        struct store_batch *batch = store_batch_new();
        serve_data_step(batch, step);
        store_submit(server->store, batch);
        step += SERVE_EVERY;
        since_ms = 0;
    }
}

static void take_option(struct server *server, const char *name, const char *value)
{
    size_t number = strtoul(value, NULL, 10);

    if (!strcmp(name, "--token"))
        server->token = value;
    else if (!strcmp(name, "--live"))
        server->live_ms = (unsigned)number;
    else if (!strcmp(name, "--wide"))
        server->wide = number;
    else if (!strcmp(name, "--query-ms"))
        server->query_ms = (unsigned)number;
    else if (!strcmp(name, "--answers-bytes"))
        server->answers_bytes = number;
}

int main(int argc, char **argv)
{
    static struct server server;
    int code = 1;

    for (int i = 2; i + 1 < argc; i += 2)
        take_option(&server, argv[i], argv[i + 1]);
    if (argc < 2)
        return 2;
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    signal(SIGPIPE, SIG_IGN);
    if (!start(&server, argv[1])) {
        run(&server);
        code = 0;
    }
    http_stop(&server.http);
    store_close(&server.store);
    events_free(server.events);
    return code;
}
