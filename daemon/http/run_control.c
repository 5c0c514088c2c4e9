/* A question to the loop, and the thread that waits for its answer; see run_control.h. */
#include "daemon/http/run_control.h"

#include <pthread.h>
#include <stdlib.h>

#include "daemon/core/clock.h"

#define WAIT_MS  2000
#define LOOK_MS  50 /* how soon a stop is noticed */
#define RETRY_MS 20

typedef enum run_control_answer (*run_control_fn)(void *ctx, int64_t run);

/* Held by the thread that asks and by the post to the loop: whoever lets go last frees it. */
struct run_question {
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    run_control_fn function;
    void *ctx;
    int64_t run;
    int holders;
    bool done;
    enum run_control_answer answer;
};

/* Called with the mutex held, which it gives up. */
static void question_release(struct run_question *question)
{
    bool last = --question->holders == 0;

    pthread_mutex_unlock(&question->mutex);
    if (!last)
        return;
    pthread_cond_destroy(&question->answered);
    pthread_mutex_destroy(&question->mutex);
    free(question);
}

static void answer_on_loop(void *arg)
{
    struct run_question *question = arg;

    pthread_mutex_lock(&question->mutex);
    /* Whoever has gone away has answered that it failed. */
    if (question->holders == 2) {
        question->answer = question->function(question->ctx, question->run);
        question->done = true;
        pthread_cond_signal(&question->answered);
    }
    question_release(question);
}

static struct run_question *question_new(run_control_fn function, void *ctx, int64_t run)
{
    struct run_question *question = calloc(1, sizeof *question);

    if (!question)
        return NULL;
    pthread_mutex_init(&question->mutex, NULL);
    clock_cond_init(&question->answered);
    question->function = function;
    question->ctx = ctx;
    question->run = run;
    question->holders = 2;
    return question;
}

static enum run_control_answer ask_once(
    struct run_control *control, run_control_fn function, int64_t run, uint64_t until_ms)
{
    struct run_question *question = question_new(function, control->ops.ctx, run);
    enum run_control_answer answer = RUN_CONTROL_FAILED;
    bool posted;

    if (!question)
        return RUN_CONTROL_FAILED;
    posted = mailbox_post(control->mailbox, answer_on_loop, question) == 0;
    pthread_mutex_lock(&question->mutex);
    if (!posted)
        question->holders = 1;
    while (posted && !question->done && !atomic_load(&control->closed) && clock_ms() < until_ms)
        clock_cond_wait(&question->answered, &question->mutex, clock_ms() + LOOK_MS);
    if (question->done)
        answer = question->answer;
    question_release(question);
    return answer;
}

static enum run_control_answer ask_loop(
    struct run_control *control, run_control_fn function, int64_t run)
{
    uint64_t until_ms = clock_ms() + WAIT_MS;
    enum run_control_answer answer = ask_once(control, function, run, until_ms);

    /* A run that has just ended: its last samples are still being worked on. */
    while (answer == RUN_CONTROL_BUSY && clock_ms() < until_ms) {
        clock_sleep_ms(RETRY_MS);
        answer = ask_once(control, function, run, until_ms);
    }
    return answer;
}

enum run_control_answer run_control_delete(void *control, int64_t run)
{
    struct run_control *self = control;

    return ask_loop(self, self->ops.delete_run, run);
}

enum run_control_answer run_control_end(void *control, int64_t run)
{
    struct run_control *self = control;

    return ask_loop(self, self->ops.end_run, run);
}
