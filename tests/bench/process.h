/* The processes that the benchmark measures against: a foreshockd of its own in a fresh folder, and
 * a sink that throws away what it gets. Errors are told on stderr. One thread. */
#ifndef FORESHOCK_TESTS_BENCH_PROCESS_H
#define FORESHOCK_TESTS_BENCH_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

struct process {
    pid_t pid;         /* 0: not started */
    char folder[64];   /* of its own; removed at the end */
    char endpoint[96]; /* ipc://..., the control socket of a daemon */
    char url[96];      /* http://HOST:PORT/ of a daemon */
};

/* Starts `binary` on defaults, but for a lease that outlasts a busy machine. 0 once its sockets are
 * bound, or -1. process_stop is safe either way. */
int process_start_daemon(struct process *process, const char *binary);

/* Starts this program again as a sink, which calls sink_main. */
int process_start_sink(struct process *process);

/* Receives on a ROUTER socket and throws away; answers a message of one frame with itself. Ends
 * with its process. Returns only when the endpoint cannot be bound. */
int sink_main(const char *endpoint);

/* The value of one line of the daemon's /metrics; -1 where there is none. */
double process_metric(const struct process *process, const char *name);

void process_stop(struct process *process);

#endif
