/* Errands of HTTP threads; see errand.h. */
#include "daemon/http/run_control.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#define WAIT_MS           2000
#define LOOK_MS           50 /* how soon a stop is noticed */
#define RETRY_NANOSECONDS 20000000

typedef enum runs_answer (*errand_fn)(struct runs *runs, int64_t run);

/* Held by the thread that asks and by the post to the loop: whoever lets go last frees it. */
struct question {
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    errand_fn errand;
    struct runs *runs;
    int64_t run;
    int holders;
    bool done;
    enum runs_answer answer;
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

    pthread_mutex_lock(&question->mutex);
    /* Who has gone away was told that it failed. */
    if (question->holders == 2) {
        question->answer = question->errand(question->runs, question->run);
        question->done = true;
        pthread_cond_signal(&question->answered);
    }
    let_go(question);
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct timespec in_a_moment(void)
{
    uint64_t ms = now_ms() + LOOK_MS;

    return (struct timespec){(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
}

static struct question *question_new(struct run_control *desk, errand_fn errand, int64_t run)
{
    struct question *question = calloc(1, sizeof *question);
    pthread_condattr_t monotonic;

    if (!question)
        return NULL;
    pthread_mutex_init(&question->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&question->answered, &monotonic);
    pthread_condattr_destroy(&monotonic);
    question->errand = errand;
    question->runs = desk->runs;
    question->run = run;
    question->holders = 2;
    return question;
}

static enum runs_answer ask_once(
    struct run_control *desk, errand_fn errand, int64_t run, uint64_t until_ms)
{
    struct question *question = question_new(desk, errand, run);
    enum runs_answer answer = RUNS_FAILED;
    bool posted;

    if (!question)
        return RUNS_FAILED;
    posted = mailbox_post(desk->mailbox, on_loop, question) == 0;
    pthread_mutex_lock(&question->mutex);
    if (!posted)
        question->holders = 1;
    while (posted && !question->done && !atomic_load(&desk->closed) && now_ms() < until_ms) {
        struct timespec moment = in_a_moment();

        pthread_cond_timedwait(&question->answered, &question->mutex, &moment);
    }
    if (question->done)
        answer = question->answer;
    let_go(question);
    return answer;
}

static enum http_control ask(struct run_control *desk, errand_fn errand, int64_t run)
{
    const struct timespec pause = {.tv_nsec = RETRY_NANOSECONDS};
    uint64_t until_ms = now_ms() + WAIT_MS;
    enum runs_answer answer = ask_once(desk, errand, run, until_ms);

    /* A run that has just ended: its last samples are still in hand. */
    while (answer == RUNS_BUSY && now_ms() < until_ms) {
        nanosleep(&pause, NULL);
        answer = ask_once(desk, errand, run, until_ms);
    }
    switch (answer) {
    case RUNS_DONE: return HTTP_CONTROL_DONE;
    case RUNS_RUNNING:
    case RUNS_BUSY: return HTTP_CONTROL_RUNNING;
    case RUNS_UNKNOWN: return HTTP_CONTROL_GONE;
    default: return HTTP_CONTROL_FAILED;
    }
}

enum http_control run_control_delete_run(void *desk, int64_t run)
{
    return ask(desk, runs_delete, run);
}

enum http_control run_control_end_run(void *desk, int64_t run)
{
    return ask(desk, runs_end, run);
}
