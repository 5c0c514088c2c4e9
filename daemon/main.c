/* foreshockd: reads the configuration, makes the parts, wires them, and stops them in the opposite order. */
#include <cblas.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/analysis/kernels.h"
#include "daemon/config/config.h"
#include "daemon/config/token.h"
#include "daemon/core/clock.h"
#include "daemon/core/files.h"
#include "daemon/core/limits.h"
#include "daemon/core/log.h"
#include "daemon/core/loop.h"
#include "daemon/core/mailbox.h"
#include "daemon/core/stats.h"
#include "daemon/evaluator/evaluator.h"
#include "daemon/evaluator/journal.h"
#include "daemon/http/events_sink.h"
#include "daemon/http/http.h"
#include "daemon/http/run_control.h"
#include "daemon/ingest/ingest.h"
#include "daemon/notify/notify.h"
#include "daemon/runs/runs.h"
#include "daemon/store/silence_expiry.h"
#include "daemon/store/store.h"

enum exit_code {
    EXIT_STOPPED = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_STATE = 3,
    EXIT_ENDPOINT = 4
};

struct daemon {
    struct config config;
    struct config_args args;
    struct stats stats;
    struct loop loop;
    struct events *events;
    struct store_sink events_sink;
    struct store *store;
    struct silence_expiry silence_expiry;
    struct mailbox *mailbox;
    struct notify *notify;
    struct journal *journal;
    struct evaluator *evaluator;
    struct runs *runs;
    struct ingest *ingest;
    struct run_control run_control;
    struct http *http;
    char admin_token[TOKEN_SIZE];
    struct error error; /* why the start failed */
};

_Static_assert(CONFIG_ENDPOINTS_MAX <= LIMIT_ENDPOINTS, "every endpoint has its place");

/* What the store has committed goes to the event streams; alerts go to the notifiers too, and by the journal to the trainings.
 * On the writer thread. */

static void sink_figures(void *ctx, const struct store_committed_figure *figures, size_t count)
{
    struct daemon *daemon = ctx;

    daemon->events_sink.figures(daemon->events_sink.ctx, figures, count);
}

static void sink_alert(void *ctx, const char *run_key, const struct store_alert *alert)
{
    struct daemon *daemon = ctx;

    daemon->events_sink.alert(daemon->events_sink.ctx, run_key, alert);
    journal_answer(daemon->journal, alert);
    notify_wake(daemon->notify);
}

static void sink_run(void *ctx, const struct store_run *run)
{
    struct daemon *daemon = ctx;

    daemon->events_sink.run(daemon->events_sink.ctx, run);
}

static void sink_gone(void *ctx, int64_t run)
{
    struct daemon *daemon = ctx;

    runs_post_forget(daemon->mailbox, &daemon->runs, run);
    notify_wake(daemon->notify);
}

/* What the journal lets out; on the loop. */

static void push_alert(void *ctx, const char *run_key, const struct wire_alert *alert)
{
    struct daemon *daemon = ctx;

    if (daemon->runs)
        runs_alert(daemon->runs, run_key, alert);
}

/* The notifiers read the store: they hear of it when it is there. */
static void publish_unrecorded(void *ctx, const struct alert_record *record, bool silenced)
{
    struct daemon *daemon = ctx;

    events_sink_unrecorded(daemon->events, record, silenced);
}

static void log_store(void *ctx, bool error, const char *text)
{
    (void)ctx;
    log_write(error ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, LOG_FIELDS("store", LOG_STR("what", text)));
}

/* Each of these makes one part. 0, or the code to exit with, and daemon->error.text. */

static int start_store(struct daemon *daemon)
{
    const struct config *c = &daemon->config;
    struct store_options options = {
        .state_dir = c->state_dir,
        .retention_bytes = c->retention.bytes,
        .retention_seconds = c->retention.age_seconds,
        .disk_free_min = c->retention.disk_free_min,
        .stats = &daemon->stats,
        .sink = {.figures = sink_figures,
            .alert = sink_alert,
            .run = sink_run,
            .gone = sink_gone,
            .ctx = daemon},
        .log = log_store,
    };
    int rc = store_open(&daemon->store, &options, &daemon->error);

    if (rc != STORE_OK)
        return rc == STORE_FAILED ? EXIT_FAILED : EXIT_STATE;
    if (notify_start(
            daemon->notify, daemon->store, c->state_dir, c->notifiers, c->notifier_count) == 0)
        return 0;
    error_set(&daemon->error, "the notifiers cannot be started");
    return EXIT_FAILED;
}

static struct runs_out evaluate(struct evaluator *evaluator)
{
    return (struct runs_out){
        .publish = evaluator_publish,
        .attempt = evaluator_attempt,
        .begins = evaluator_begins,
        .layer = evaluator_layer,
        .lost = evaluator_lost,
        .damaged = evaluator_damaged,
        .ended = evaluator_ended,
        .forget = evaluator_forget,
        .firing = evaluator_firing,
        .ctx = evaluator,
    };
}

static int start_runs(struct daemon *daemon)
{
    const struct config *c = &daemon->config;
    struct runs_options options = {
        .loop = &daemon->loop.uv,
        .mailbox = daemon->mailbox,
        .store = daemon->store,
        .stats = &daemon->stats,
        .workers = c->workers,
        .kept_bytes = c->limits.kept_bytes,
        .runs_max = c->limits.runs,
        .layers_max = c->limits.layers_per_run,
        .memory_bytes = c->limits.memory_bytes,
        .sample_deadline_seconds = c->limits.sample_deadline_seconds,
        .shard_deadline_seconds = c->limits.shard_deadline_seconds,
        .target_residual = c->analysis.target_residual,
        .passes_small = c->analysis.passes_small,
        .passes_large = c->analysis.passes_large,
    };

    daemon->evaluator = evaluator_new(daemon->store, &c->rules, daemon->journal);
    if (daemon->evaluator) {
        options.out = evaluate(daemon->evaluator);
        daemon->runs = runs_new(&options);
    }
    if (!daemon->runs) {
        error_set(&daemon->error, "memory is short");
        return EXIT_FAILED;
    }
    return runs_restore(daemon->runs, &daemon->error) ||
                   evaluator_restore(daemon->evaluator, &daemon->error)
               ? EXIT_FAILED
               : 0;
}

static int start_ingest(struct daemon *daemon)
{
    const struct config *c = &daemon->config;
    struct ingest_options options = {
        .endpoints = (const char *const *)c->ingest.endpoints.items,
        .endpoint_count = c->ingest.endpoints.count,
        .memory_bytes = c->limits.memory_bytes,
        .tensor_bytes = c->limits.tensor_bytes,
        .lease_seconds = c->limits.lease_seconds,
        .heartbeat_seconds = c->limits.heartbeat_seconds,
        .sample_deadline_seconds = c->limits.sample_deadline_seconds,
        .sessions_max = c->limits.sessions,
        .stats = &daemon->stats,
        .ops = runs_ingest_ops(daemon->runs),
    };

    daemon->ingest = ingest_new(&daemon->loop.uv, &options, &daemon->error);
    if (!daemon->ingest)
        return EXIT_ENDPOINT;
    if (runs_attach(daemon->runs, daemon->ingest) == 0)
        return 0;
    error_set(&daemon->error, "memory is short");
    return EXIT_FAILED;
}

static void log_http(void *ctx, const char *line)
{
    (void)ctx;
    log_warning("http", LOG_STR("what", line));
}

static int start_http(struct daemon *daemon)
{
    const struct config *c = &daemon->config;
    struct http_options options = {
        .address = c->http.host,
        .port = c->http.port,
        .hosts = (const char *const *)c->http.hosts.items,
        .hosts_count = c->http.hosts.count,
        .token = c->http.token,
        .admin_token = c->http.admin_token ? c->http.admin_token : daemon->admin_token,
        .state_dir = c->state_dir,
        .version = FORESHOCK_VERSION,
        .series_max = c->limits.metrics_series,
        .stats = &daemon->stats,
        .store = daemon->store,
        .events = daemon->events,
        .delete_run = run_control_delete,
        .end_run = run_control_end,
        .knows_rule = rule_exists,
        .log = log_http,
        .ctx = &daemon->run_control,
    };
    int rc;

    if (!c->http.on)
        return 0;
    if (!c->http.admin_token && token_make(c->state_dir, daemon->admin_token, &daemon->error) != 0)
        return EXIT_STATE;
    daemon->run_control.mailbox = daemon->mailbox;
    daemon->run_control.ops = (struct run_control_ops){runs_delete, runs_end, daemon->runs};
    rc = http_start(&daemon->http, &options, &daemon->error);
    return rc == HTTP_OK ? 0 : rc == HTTP_NOT_BOUND ? EXIT_ENDPOINT : EXIT_FAILED;
}

static void on_reload(void *ctx)
{
    struct daemon *daemon = ctx;
    struct config fresh;

    if (config_load(&fresh, &daemon->args, &daemon->error) != 0) {
        log_error("configuration not reloaded", LOG_STR("why", daemon->error.text));
        return;
    }
    evaluator_retune(daemon->evaluator, &fresh.rules);
    if (notify_configure(daemon->notify, fresh.notifiers, fresh.notifier_count) == 0)
        log_info("rules and notifiers reloaded; what else may have changed takes a restart");
    config_free(&fresh);
}

/* The loop's only timer: all that waits is asked by it. */
static void on_tick(void *ctx)
{
    struct daemon *daemon = ctx;

    stats_set(&daemon->stats.loop_turn_ms, clock_ms());
    silence_expiry_tick(&daemon->silence_expiry, daemon->store);
    files_log_refused(&daemon->stats.connections_refused_total);
    if (daemon->ingest)
        ingest_tick(daemon->ingest);
    if (daemon->runs)
        runs_tick(daemon->runs);
    if (daemon->store && daemon->evaluator)
        evaluator_tick(daemon->evaluator);
}

static int start_loop(struct daemon *daemon)
{
    daemon->loop.options = (struct loop_options){.workers = daemon->config.workers,
        .on_tick = on_tick,
        .on_reload = on_reload,
        .ctx = daemon};
    return loop_open(&daemon->loop, &daemon->error) == 0 ? 0 : EXIT_FAILED;
}

/* Who hears of the store's commits: there before it. */
static int make_listeners(struct daemon *daemon)
{
    daemon->mailbox = mailbox_new(&daemon->loop.uv);
    daemon->events = events_new(&daemon->stats, 0);
    daemon->notify = notify_new();
    daemon->journal = journal_new(&(struct journal_options){
        .mailbox = daemon->mailbox,
        .stats = &daemon->stats,
        .push = push_alert,
        .unrecorded = publish_unrecorded,
        .ctx = daemon,
    });
    if (daemon->mailbox && daemon->events && daemon->notify && daemon->journal) {
        daemon->events_sink = events_sink(daemon->events);
        return 0;
    }
    error_set(&daemon->error, "memory is short");
    return EXIT_FAILED;
}

static void announce_ready(const struct daemon *daemon)
{
    const struct config *c = &daemon->config;
    const char *endpoint;

    for (size_t i = 0; (endpoint = ingest_endpoint(daemon->ingest, i)); i++)
        printf("foreshockd: ingest %s\n", endpoint);
    if (daemon->http)
        printf(strchr(c->http.host, ':') ? "foreshockd: http http://[%s]:%u/\n"
                                         : "foreshockd: http http://%s:%u/\n",
            c->http.host, http_port(daemon->http));
    fflush(stdout);
    log_info("ready", LOG_STR("version", FORESHOCK_VERSION), LOG_STR("state_dir", c->state_dir),
        LOG_INT("workers", c->workers), LOG_STR("kernels", kernels_in_use()->name),
        LOG_STR("blas", openblas_get_config()));
}

static int start_parts(struct daemon *daemon)
{
    int rc = make_listeners(daemon);

    if (rc == 0)
        rc = start_store(daemon);
    if (rc == 0)
        rc = start_runs(daemon);
    if (rc == 0)
        rc = start_ingest(daemon);
    if (rc == 0)
        rc = start_http(daemon);
    return rc;
}

/* Nobody sends any more; what is in hand is finished and committed; then the parts go, each after those that use it. */
static void stop_parts(struct daemon *daemon)
{
    if (daemon->ingest)
        ingest_close(daemon->ingest);
    daemon->ingest = NULL; /* runs_stop turns the loop, which ticks, until the workers are done */
    if (daemon->runs)
        runs_stop(daemon->runs);
    atomic_store(&daemon->run_control.closed, true);
    http_stop(&daemon->http);
    if (daemon->mailbox)
        mailbox_drain(
            daemon->mailbox); /* what an HTTP thread still asked for, while the store is there */
    notify_stop(daemon->notify);
    if (daemon->store && daemon->evaluator)
        evaluator_tick(daemon->evaluator); /* alerts that the store had no room for */
    store_close(&daemon->store);
    notify_free(daemon->notify);
    if (daemon->mailbox)
        mailbox_close(daemon->mailbox);
    loop_end(&daemon->loop);
    if (daemon->runs)
        runs_free(daemon->runs);
    evaluator_free(daemon->evaluator);
    journal_free(daemon->journal);
    events_free(daemon->events);
    loop_close(&daemon->loop);
}

static int run_daemon(struct daemon *daemon)
{
    int rc = EXIT_FAILED;

    /* Before the first thread: no connection may come while accept() is not guarded. */
    if (files_guard(&daemon->config.limits.sessions, &daemon->stats.connections_refused_total,
            &daemon->error) == 0)
        rc = start_loop(daemon);
    if (rc != 0) {
        fprintf(stderr, "foreshockd: %s\n", daemon->error.text);
        return rc;
    }
    rc = start_parts(daemon);
    if (rc == 0) {
        announce_ready(daemon);
        loop_run(&daemon->loop);
    } else {
        fprintf(stderr, "foreshockd: %s\n", daemon->error.text);
    }
    stop_parts(daemon);
    return rc;
}

static int print_check(const struct daemon *daemon)
{
    printf("foreshockd: the configuration is good (%s)\n",
        daemon->args.file ? daemon->args.file : CONFIG_FILE);
    return 0;
}

int main(int argc, char **argv)
{
    static struct daemon daemon;
    int rc = 0;

    openblas_set_num_threads(1); /* parallel are the blocks, not the products */
    signal(SIGPIPE, SIG_IGN);
    if (config_parse_args(&daemon.args, argc, argv, &daemon.error) != 0) {
        fprintf(stderr, "foreshockd: %s\n", daemon.error.text);
        return EXIT_USAGE;
    }
    if (daemon.args.action == CONFIG_HELP || daemon.args.action == CONFIG_VERSION) {
        fputs(daemon.args.action == CONFIG_HELP ? config_usage()
                                                : "foreshockd " FORESHOCK_VERSION "\n",
            stdout);
        return EXIT_STOPPED;
    }
    if (kernels_check_environment(&daemon.error) != 0 ||
        config_load(&daemon.config, &daemon.args, &daemon.error) != 0) {
        fprintf(stderr, "foreshockd: %s\n", daemon.error.text);
        return EXIT_USAGE;
    }
    log_open(STDERR_FILENO, (enum log_level)daemon.config.log_level);
    rc = daemon.args.action == CONFIG_CHECK ? print_check(&daemon) : run_daemon(&daemon);
    config_free(&daemon.config);
    return rc;
}
