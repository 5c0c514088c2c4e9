/* Child processes and their folders; see process.h. */
#include "tests/bench/process.h"

#include <curl/curl.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "daemon/core/limits.h"

#define CONFIG "limits:\n  lease_seconds: 600\n"

extern char **environ;

static int make_folder(struct process *process, const char *socket)
{
    const char *temporary = getenv("TMPDIR");

    *process = (struct process){0};
    snprintf(process->folder, sizeof process->folder, "%s/fs-bench-XXXXXX",
        temporary && strlen(temporary) < 40 ? temporary : "/tmp");
    if (!mkdtemp(process->folder)) {
        perror(process->folder);
        process->folder[0] = '\0';
        return -1;
    }
    snprintf(process->endpoint, sizeof process->endpoint, "ipc://%s/%s", process->folder, socket);
    return 0;
}

static int write_config(const char *path)
{
    FILE *file = fopen(path, "w");

    if (!file)
        return -1;
    fputs(CONFIG, file);
    return fclose(file);
}

/* Runs argv[0] with its stdout into a pipe that this process reads. */
static FILE *spawn(struct process *process, char **argv)
{
    posix_spawn_file_actions_t actions;
    int ends[2];
    FILE *out = NULL;

    if (pipe(ends) != 0)
        return NULL;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    if (posix_spawn(&process->pid, argv[0], &actions, NULL, argv, environ) == 0)
        out = fdopen(ends[0], "r");
    else
        process->pid = 0;
    if (!out)
        fprintf(stderr, "%s cannot be started\n", argv[0]);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (!out)
        close(ends[0]);
    return out;
}

int process_start_daemon(struct process *process, const char *binary)
{
    char config[96], state[96], line[256];
    char *argv[] = {(char *)binary, "--config", config, "--state-dir", state, "--ingest",
        process->endpoint, "--http", "127.0.0.1:0", "--log-level", "warning", NULL};
    FILE *out;

    if (make_folder(process, "in.sock") != 0)
        return -1;
    snprintf(config, sizeof config, "%s/config.yaml", process->folder);
    snprintf(state, sizeof state, "%s/state", process->folder);
    if (write_config(config) != 0 || !(out = spawn(process, argv)))
        return -1;
    while (process->url[0] == '\0' && fgets(line, sizeof line, out))
        sscanf(line, "foreshockd: http %95s", process->url);
    fclose(out); /* it prints nothing after that line */
    if (process->url[0] == '\0')
        fprintf(stderr, "%s did not start\n", binary);
    return process->url[0] ? 0 : -1;
}

int process_start_sink(struct process *process)
{
    char *argv[] = {"/proc/self/exe", "--sink", process->endpoint, NULL};
    char line[16];
    FILE *out;
    bool ready;

    if (make_folder(process, "sink.sock") != 0 || !(out = spawn(process, argv)))
        return -1;
    ready = fgets(line, sizeof line, out) != NULL;
    fclose(out);
    return ready ? 0 : -1;
}

/* One frame; true while more of its message follow. */
static bool receive(void *socket, zmq_msg_t *frame)
{
    zmq_msg_close(frame);
    zmq_msg_init(frame);
    return zmq_msg_recv(frame, socket, 0) >= 0 && zmq_msg_more(frame);
}

int sink_main(const char *endpoint)
{
    void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_ROUTER);
    int hwm = LIMIT_TENSOR_HWM;
    zmq_msg_t identity, frame;

    zmq_setsockopt(socket, ZMQ_RCVHWM, &hwm, sizeof hwm);
    if (zmq_bind(socket, endpoint) != 0) {
        fprintf(stderr, "%s: %s\n", endpoint, zmq_strerror(errno));
        return 1;
    }
    puts("ready");
    fflush(stdout);
    zmq_msg_init(&identity);
    zmq_msg_init(&frame);
    for (;;) {
        receive(socket, &identity);
        if (receive(socket, &frame)) {
            while (receive(socket, &frame))
                continue;
        } else {
            zmq_msg_send(&identity, socket, ZMQ_SNDMORE);
            zmq_msg_send(&frame, socket, 0);
        }
    }
}

/* The text of /metrics, to be freed, or NULL. */
static char *fetch_metrics(const struct process *process)
{
    char url[128], *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    CURL *curl = curl_easy_init();
    CURLcode rc = CURLE_OUT_OF_MEMORY;

    snprintf(url, sizeof url, "%smetrics", process->url);
    if (stream && curl) {
        curl_easy_setopt(curl, CURLOPT_URL, url);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, stream);
        curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
        rc = curl_easy_perform(curl);
    }
    curl_easy_cleanup(curl);
    if (stream)
        fclose(stream);
    if (rc == CURLE_OK)
        return text;
    free(text);
    return NULL;
}

double process_metric(const struct process *process, const char *name)
{
    char *text = fetch_metrics(process), wanted[128];
    const char *line;
    double value = -1;

    snprintf(wanted, sizeof wanted, "\n%s ", name);
    line = text ? strstr(text, wanted) : NULL;
    if (line)
        value = strtod(line + strlen(wanted), NULL);
    free(text);
    return value;
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *walk)
{
    return remove(path);
}

void process_stop(struct process *process)
{
    if (process->pid > 0) {
        kill(process->pid, SIGTERM);
        waitpid(process->pid, NULL, 0);
    }
    if (process->folder[0])
        nftw(process->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    *process = (struct process){0};
}
