/* Tensors on their way to a block: which may come, which wait, which the newer ones drive out. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/runs/state.h"
#include "proto/fault.h"

static struct numbered *find_number(struct session *session, uint32_t n)
{
    struct numbered *numbered;

    HASH_FIND(hh, session->numbers, &n, sizeof n, numbered);
    return numbered;
}

static int check_shape(
    const struct numbered *numbered, const struct wire_tensor *header, struct wire_fault *fault)
{
    const struct layer *layer = numbered->layer;
    const struct span *span = &numbered->span;
    bool weights = header->kind == WIRE_WEIGHTS;
    uint64_t rows = span->cols ? layer->rows : span->end - span->begin;
    uint64_t cols = weights && span->cols ? span->end - span->begin : layer->cols;
    char text[128];

    if (header->shape[1] != cols || (weights && header->shape[0] != rows)) {
        if (weights)
            snprintf(text, sizeof text, "[%" PRIu64 ", %" PRIu64 "], as declared", rows, cols);
        else
            snprintf(
                text, sizeof text, "[tokens, %" PRIu64 "], as the layer was declared", layer->cols);
        return fault_set(fault, WIRE_CODE_TENSOR_MISMATCH, WIRE_TENSOR, "shape", text,
            "[%" PRIu64 ", %" PRIu64 "]", header->shape[0], header->shape[1]);
    }
    if (weights && !wire_str_equal(header->dtype, numbered->dtype)) {
        snprintf(text, sizeof text, "%s, as declared", numbered->dtype);
        return fault_set(fault, WIRE_CODE_TENSOR_MISMATCH, WIRE_TENSOR, "dtype", text, "%.*s",
            (int)header->dtype.len, header->dtype.ptr);
    }
    return 0;
}

/* The first loss of a sample counts: 1, else 0. */
static uint64_t count_lost(struct session *session, struct work_queue *queue, int64_t step)
{
    struct loss *loss;

    HASH_FIND_PTR(session->losses, &queue, loss);
    if (loss && loss->attempt == session->attempt && loss->step == step)
        return 0;
    if (!loss && (loss = calloc(1, sizeof *loss))) {
        loss->queue = queue;
        HASH_ADD_PTR(session->losses, queue, loss);
    }
    if (loss) {
        loss->attempt = session->attempt;
        loss->step = step;
    }
    session->run->dropped++;
    return 1;
}

static void lose(struct session *session, struct work_queue *queue, int64_t step)
{
    uint64_t lost = count_lost(session, queue, step);

    if (session->peer)
        ingest_count_dropped(session->peer, lost);
}

void samples_lose(struct item *item)
{
    struct item *other;

    lose(item->session, item->queue, item->task.step);
    DL_FOREACH (item->others, other)
        lose(other->session, item->queue, item->task.step);
}

static bool is_known(
    const struct numbered *numbered, const struct wire_tensor *header, int64_t step)
{
    return step <= numbered->last_step[header->kind] ||
           (header->kind == WIRE_WEIGHTS && gather_has(numbered->layer, step, &numbered->span));
}

int samples_begin(
    void *ctx, void *known, const struct wire_tensor *header, struct wire_fault *fault)
{
    struct session *session = known;
    struct numbered *numbered = find_number(session, header->layer);
    int64_t step = (int64_t)header->step;
    struct layer *layer;
    char text[64];

    (void)ctx;
    if (!numbered)
        return fault_set(fault, WIRE_CODE_LAYER_UNKNOWN, WIRE_TENSOR, "layer",
            "a layer that was declared", "%" PRIu32, header->layer);
    layer = numbered->layer;
    if (check_shape(numbered, header, fault) != 0)
        return -1;
    if (session->attempt != session->run->attempt)
        return INGEST_KNOWN; /* of an attempt that another rank has ended */
    layers_turn(layer, session->attempt);
    if (header->kind == WIRE_WEIGHTS &&
        layers_join(layer, &numbered->span, WIRE_TENSOR, fault) != 0)
        return -1;
    if (step < numbered->last_step[header->kind] && !session->resumed) {
        snprintf(text, sizeof text, "at least %" PRId64 ", or a rewind",
            numbered->last_step[header->kind]);
        return fault_set(
            fault, WIRE_CODE_STEP_BACKWARDS, WIRE_TENSOR, "step", text, "%" PRId64, step);
    }
    if (is_known(numbered, header, step))
        return INGEST_KNOWN;
    if (layer->queue->lost_step == step && !session->lossless &&
        (header->kind == WIRE_ACTIVATIONS || layer->last_step[WIRE_WEIGHTS] >= 0)) {
        lose(session, layer->queue, step);
        return INGEST_KNOWN;
    }
    numbered->begun_attempt = session->attempt;
    return 0;
}

/* Gives up one item that no worker has begun. A block without work stands in line no more. */
static void give_up(struct work_queue *queue, struct item *item)
{
    DL_DELETE(queue->items, item);
    if (--queue->samples == 0 && queue->ready) {
        DL_DELETE2(queue->run->runs->ready, queue, ready_prev, ready_next);
        queue->ready = false;
    }
    block_task_clear(&item->task);
    samples_done(item);
}

uint64_t samples_tensors(const struct item *item)
{
    const struct item *other;
    uint64_t count = item->session != NULL;

    DL_FOREACH (item->others, other)
        count++;
    return count;
}

static bool is_lossless(const struct item *item)
{
    const struct item *other;

    DL_FOREACH (item->others, other)
        if (other->session->lossless)
            return true;
    return item->session->lossless;
}

static bool is_of(const struct item *item, const struct session *session)
{
    const struct item *other;

    DL_FOREACH (item->others, other)
        if (other->session == session)
            return true;
    return item->session == session;
}

/* Whether the sample of that step, which waits, has the first weights of a layer. */
static bool is_first(const struct work_queue *queue, int64_t step)
{
    const struct item *item;

    DL_FOREACH (queue->items, item)
        if (item->first && item->task.step == step)
            return true;
    return false;
}

/* The samples below `step` that wait and that no worker has begun make room for it, but for what may be a w(0). */
static void supersede(struct work_queue *queue, int64_t step)
{
    struct stats *stats = queue->run->runs->options.stats;
    struct item *item, *next;

    DL_FOREACH_SAFE (queue->items, item, next) {
        if (!item->session || is_lossless(item) || item->task.step >= step ||
            item->task.step <= queue->begun_step || is_first(queue, item->task.step))
            continue;
        samples_lose(item);
        stats_add(&stats->dropped_superseded_total, samples_tensors(item));
        give_up(queue, item);
    }
}

static uint32_t ranks_live(const struct run *run)
{
    uint32_t count = 0;

    for (const struct session *s = run->sessions; s; s = s->hh.next)
        count += s->open && s->attempt == run->attempt;
    return count;
}

void samples_note_step(struct run *run, struct store_batch *batch, int64_t step)
{
    const struct runs_out *out = &run->runs->options.out;

    if (run->first_step < 0) {
        run->first_step = step;
        rows_put_attempt(batch, run);
        out->begins(out->ctx, run->id, step);
    }
    if (step > run->last_step)
        run->last_step = step;
    run->last_seen_at = runs_now();
    rows_put_run(batch, run);
}

static struct item *make_item(
    struct session *session, const struct layer *layer, const struct wire_tensor *header)
{
    struct item *item = calloc(1, sizeof *item);

    if (!item)
        return NULL;
    item->queue = layer->queue;
    item->session = session;
    item->sequence = ++session->sequence;
    item->task = (struct block_task){
        .kind = header->kind == WIRE_WEIGHTS ? BLOCK_WEIGHTS : BLOCK_ACTIVATIONS,
        .member = layer->member,
        .shape = {header->shape[0], header->shape[1]},
        .transposed = header->kind == WIRE_WEIGHTS && layer->transposed,
        .initial = header->initial,
        .step = (int64_t)header->step,
        .attempt = session->attempt,
        .ranks = ranks_live(session->run),
        .time = runs_now(),
    };
    snprintf(item->task.dtype, sizeof item->task.dtype, "%.*s", (int)header->dtype.len,
        header->dtype.ptr);
    return item;
}

void samples_tensor(void *ctx, void *known, const struct wire_tensor *header, struct tensor *tensor)
{
    struct runs *runs = ctx;
    struct session *session = known;
    struct numbered *numbered = find_number(session, header->layer);
    /* While its pieces came a rewind may have begun another attempt, to which it does not belong. */
    bool belongs = numbered->begun_attempt == session->run->attempt;
    struct item *item = belongs ? make_item(session, numbered->layer, header) : NULL;
    struct layer *layer = numbered->layer;

    if (!item) {
        tensor_free(tensor);
        lose(session, layer->queue, (int64_t)header->step);
        stats_add(belongs ? &runs->options.stats->dropped_budget_total
                          : &runs->options.stats->dropped_superseded_total,
            1);
        return;
    }
    numbered->last_step[header->kind] = item->task.step;
    if (header->kind == WIRE_WEIGHTS) {
        gather_shard(numbered, item, tensor);
        return;
    }
    if (item->task.step > layer->last_step[WIRE_ACTIVATIONS])
        layer->last_step[WIRE_ACTIVATIONS] = item->task.step;
    item->task.tensor = tensor;
    DL_APPEND2(session->undone, item, earlier, later);
    if (!gather_activations(layer, item))
        samples_enqueue(item);
}

void samples_enqueue(struct item *item)
{
    struct work_queue *queue = item->queue;

    if (!is_lossless(item))
        supersede(queue, item->task.step);
    work_add(queue, item);
    work_start(queue->run->runs);
}

static void over(struct item *item)
{
    struct session *session = item->session;

    if (session) {
        DL_DELETE2(session->undone, item, earlier, later);
        fences_check(session);
    }
    free(item);
}

void samples_done(struct item *item)
{
    struct item *other, *next;

    DL_FOREACH_SAFE (item->others, other, next)
        over(other);
    over(item);
}

/* What waits of the sample is not worth a worker's time without the tensor that is missing. */
uint64_t samples_lost(void *ctx, void *known, const struct wire_tensor *header, bool whole)
{
    struct session *session = known;
    struct numbered *numbered = find_number(session, header->layer);
    struct work_queue *queue = numbered ? numbered->layer->queue : NULL;
    int64_t step = (int64_t)header->step;
    struct item *item, *next;
    uint64_t lost;

    (void)ctx;
    if (!queue || !whole || session->lossless) {
        session->run->dropped++;
        return 1;
    }
    lost = count_lost(session, queue, step);
    queue->lost_step = step;
    DL_FOREACH_SAFE (queue->items, item, next) {
        if (item->task.step != step || step <= queue->begun_step || item->first ||
            !is_of(item, session))
            continue;
        samples_lose(item);
        give_up(queue, item);
    }
    gather_lose(queue, step);
    return lost;
}

void samples_flush(void *ctx, void *known, uint64_t token)
{
    struct session *session = known;
    struct fence *fence = calloc(1, sizeof *fence);

    (void)ctx;
    if (!fence)
        return; /* not answered: the client's flush times out */
    fence->token = token;
    fence->after = session->sequence;
    DL_APPEND(session->fences, fence);
    fences_check(session);
}

/* Work that the daemon gives a block by itself. */
static void own_work(struct work_queue *queue, enum block_task_kind kind)
{
    struct item *item = calloc(1, sizeof *item);

    if (!item)
        return;
    item->queue = queue;
    item->task.kind = kind;
    item->task.step = INT64_MAX;
    item->task.attempt = queue->run->attempt;
    item->task.time = runs_now();
    work_add(queue, item);
}

void samples_rest(struct run *run)
{
    struct work_queue *queue;

    DL_FOREACH (run->queues, queue)
        own_work(queue, BLOCK_REST);
    run->runs->trim_due = true;
    work_start(run->runs);
}

void samples_close_waiting(struct runs *runs)
{
    uint64_t now = uv_now(runs->options.loop);
    struct run *run, *next;
    struct work_queue *queue;

    HASH_ITER (by_id, runs->by_id, run, next) {
        if (strcmp(run->state, "running") != 0)
            continue;
        DL_FOREACH (run->queues, queue) {
            if (!queue->waiting || (double)(now - queue->waiting_since_ms) <
                                       1000 * runs->options.sample_deadline_seconds)
                continue;
            queue->waiting = false;
            own_work(queue, BLOCK_CLOSE);
        }
    }
    work_start(runs);
}
