/* Deletions from HTTP threads; see deletion.h. */
#include "daemon/deletion.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#define WAIT_SECONDS      2
#define RETRY_NANOSECONDS 20000000

/* Held by the thread that asks and by the post to the loop: whoever lets go last frees it. */
struct question {
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    struct runs *runs;
    int64_t run;
    int holders;
    bool done;
    enum runs_deleted answer;
};

static void let_go(struct question *question)
{
    bool last = --question->holders == 0;

    pthread_mutex_unlock(&question->mutex);
    if (!last)
        return;
    pthread_cond_destroy(&question->answered);
    pthread_mutex_destroy(&question->mutex);
    free(question);
}

static void on_loop(void *arg)
{
    struct question *question = arg;
    enum runs_deleted answer = runs_delete(question->runs, question->run);

    pthread_mutex_lock(&question->mutex);
    question->answer = answer;
    question->done = true;
    pthread_cond_signal(&question->answered);
    let_go(question);
}

static struct timespec deadline(void)
{
    struct timespec at;

    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += WAIT_SECONDS;
    return at;
}

static enum runs_deleted ask_once(struct deletion_desk *desk, int64_t run)
{
    struct question *question = calloc(1, sizeof *question);
    enum runs_deleted answer = RUNS_DELETE_FAILED;
    struct timespec until = deadline();
    int rc = 0;

    if (!question)
        return RUNS_DELETE_FAILED;
    pthread_mutex_init(&question->mutex, NULL);
    pthread_cond_init(&question->answered, NULL);
    question->runs = desk->runs;
    question->run = run;
    question->holders = 2;
    if (mailbox_post(desk->mailbox, on_loop, question) != 0) {
        pthread_mutex_lock(&question->mutex);
        question->holders = 1;
        let_go(question);
        return RUNS_DELETE_FAILED;
    }
    pthread_mutex_lock(&question->mutex);
    while (!question->done && rc == 0)
        rc = pthread_cond_timedwait(&question->answered, &question->mutex, &until);
    if (question->done)
        answer = question->answer;
    let_go(question);
    return answer;
}

enum http_delete deletion_ask(void *desk, int64_t run)
{
    const struct timespec pause = {.tv_nsec = RETRY_NANOSECONDS};
    struct timespec until = deadline(), now = {0};
    enum runs_deleted answer = ask_once(desk, run);

    /* A run that has just ended: its last samples are still in hand. */
    while (answer == RUNS_DELETE_BUSY && now.tv_sec <= until.tv_sec) {
        nanosleep(&pause, NULL);
        answer = ask_once(desk, run);
        clock_gettime(CLOCK_REALTIME, &now);
    }
    switch (answer) {
    case RUNS_DELETED: return HTTP_DELETE_DONE;
    case RUNS_DELETE_RUNNING:
    case RUNS_DELETE_BUSY: return HTTP_DELETE_RUNNING;
    case RUNS_DELETE_UNKNOWN: return HTTP_DELETE_GONE;
    default: return HTTP_DELETE_FAILED;
    }
}
