/* Tensors on their way to a strand: which may come, which wait, which the newer ones drive out. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/fault.h"
#include "daemon/runs/state.h"

static struct numbered *find_number(struct session *session, uint32_t n)
{
    struct numbered *numbered;

    HASH_FIND(hh, session->numbers, &n, sizeof n, numbered);
    return numbered;
}

static int check_shape(
    const struct layer *layer, const struct wire_tensor *header, struct wire_fault *fault)
{
    bool weights = header->kind == WIRE_WEIGHTS;
    char text[128];

    if (header->shape[1] != layer->cols || (weights && header->shape[0] != layer->rows)) {
        if (weights)
            snprintf(text, sizeof text, "[%" PRIu64 ", %" PRIu64 "], as declared", layer->rows,
                layer->cols);
        else
            snprintf(
                text, sizeof text, "[tokens, %" PRIu64 "], as the layer was declared", layer->cols);
        return fault_set(fault, WIRE_CODE_TENSOR_MISMATCH, WIRE_TENSOR, "shape", text,
            "[%" PRIu64 ", %" PRIu64 "]", header->shape[0], header->shape[1]);
    }
    if (weights && !wire_str_equal(header->dtype, layer->dtype)) {
        snprintf(text, sizeof text, "%s, as declared", layer->dtype);
        return fault_set(fault, WIRE_CODE_TENSOR_MISMATCH, WIRE_TENSOR, "dtype", text, "%.*s",
            (int)header->dtype.len, header->dtype.ptr);
    }
    return 0;
}

/* Steps of the layer and its block count within the newest attempt. */
static void turn_attempt(struct layer *layer, uint32_t attempt)
{
    struct block *block = layer->block;

    if (layer->attempt != attempt) {
        layer->attempt = attempt;
        layer->last_step[0] = layer->last_step[1] = -1;
    }
    if (block->attempt != attempt) {
        block->attempt = attempt;
        block->begun_step = block->lost_step = -1;
    }
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
    if (check_shape(layer, header, fault) != 0)
        return -1;
    if (session->attempt != session->run->attempt)
        return INGEST_KNOWN; /* of an attempt that another rank has ended */
    turn_attempt(layer, session->attempt);
    if (step < numbered->last_step[header->kind] && !session->resumed) {
        snprintf(text, sizeof text, "at least %" PRId64 ", or a rewind",
            numbered->last_step[header->kind]);
        return fault_set(
            fault, WIRE_CODE_STEP_BACKWARDS, WIRE_TENSOR, "step", text, "%" PRId64, step);
    }
    if (step <= numbered->last_step[header->kind] ||
        (header->kind == WIRE_WEIGHTS && step <= layer->last_step[WIRE_WEIGHTS]))
        return INGEST_KNOWN;
    if (layer->block->lost_step == step && !session->lossless)
        return INGEST_KNOWN;
    numbered->begun_attempt = session->attempt;
    return 0;
}

/* Gives up one item that no worker has begun. A block without work stands in line no more. */
static void give_up(struct block *block, struct item *item)
{
    DL_DELETE(block->queue, item);
    if (!block->queue && block->ready) {
        DL_DELETE2(block->run->runs->ready, block, ready_prev, ready_next);
        block->ready = false;
    }
    tensor_free(item->work.tensor);
    if (item->session) {
        DL_DELETE2(item->session->undone, item, earlier, later);
        fences_check(item->session);
    }
    free(item);
}

static uint64_t count_lost(struct session *session, uint64_t samples)
{
    session->run->dropped += samples;
    return samples;
}

/* The samples below `step` that wait and that no worker has begun make room for it. */
static void supersede(struct block *block, int64_t step)
{
    struct stats *stats = block->run->runs->options.stats;
    struct item *item, *next;
    int64_t counted = -1;

    DL_FOREACH_SAFE(block->queue, item, next)
    {
        struct session *session = item->session;

        if (!session || session->lossless || item->work.step >= step ||
            item->work.step <= block->begun_step)
            continue;
        if (item->work.step != counted && session->peer)
            ingest_count_dropped(session->peer, count_lost(session, 1));
        counted = item->work.step;
        stats_add(&stats->dropped_superseded_total, 1);
        give_up(block, item);
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

static struct item *make_item(struct session *session, struct layer *layer,
    const struct wire_tensor *header, struct tensor *tensor)
{
    struct item *item = calloc(1, sizeof *item);

    if (!item)
        return NULL;
    item->block = layer->block;
    item->session = session;
    item->sequence = ++session->sequence;
    item->work = (struct strand_item){
        .kind = header->kind == WIRE_WEIGHTS ? STRAND_WEIGHTS : STRAND_ACTIVATIONS,
        .layer = layer->place,
        .tensor = tensor,
        .shape = {header->shape[0], header->shape[1]},
        .transposed = header->kind == WIRE_WEIGHTS && layer->transposed,
        .initial = header->initial,
        .step = (int64_t)header->step,
        .attempt = session->attempt,
        .ranks = ranks_live(session->run),
        .time = runs_now(),
    };
    snprintf(item->work.dtype, sizeof item->work.dtype, "%.*s", (int)header->dtype.len,
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
    struct item *item = belongs ? make_item(session, numbered->layer, header, tensor) : NULL;
    int64_t step = (int64_t)header->step;

    if (!item) {
        tensor_free(tensor);
        ingest_count_dropped(session->peer, count_lost(session, 1));
        stats_add(belongs ? &runs->options.stats->dropped_budget_total
                          : &runs->options.stats->dropped_superseded_total,
            1);
        return;
    }
    numbered->last_step[header->kind] = step;
    if (step > numbered->layer->last_step[header->kind])
        numbered->layer->last_step[header->kind] = step;
    if (!session->lossless)
        supersede(item->block, step);
    DL_APPEND2(session->undone, item, earlier, later);
    work_add(item->block, item);
    work_start(runs);
}

/* What waits of the sample is not worth a worker's time without the tensor that is missing. */
uint64_t samples_lost(void *ctx, void *known, const struct wire_tensor *header, bool whole)
{
    struct session *session = known;
    struct numbered *numbered = find_number(session, header->layer);
    struct block *block = numbered ? numbered->layer->block : NULL;
    int64_t step = (int64_t)header->step;
    struct item *item, *next;

    (void)ctx;
    if (!block || !whole || session->lossless)
        return count_lost(session, 1);
    if (block->lost_step == step)
        return 0;
    block->lost_step = step;
    DL_FOREACH_SAFE(block->queue, item, next)
    if (item->session == session && item->work.step == step && step > block->begun_step)
        give_up(block, item);
    return count_lost(session, 1);
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

/* Work that the daemon gives a strand by itself. */
static void own_work(struct block *block, enum strand_kind kind)
{
    struct item *item = calloc(1, sizeof *item);

    if (!item)
        return;
    item->block = block;
    item->work.kind = kind;
    item->work.step = INT64_MAX;
    item->work.attempt = block->run->attempt;
    item->work.time = runs_now();
    work_add(block, item);
}

void samples_rest(struct run *run)
{
    struct block *block;

    DL_FOREACH(run->blocks, block)
    own_work(block, STRAND_REST);
    run->runs->trim_due = true;
    work_start(run->runs);
}

void samples_close_waiting(struct runs *runs)
{
    uint64_t now = uv_now(runs->options.loop);
    struct run *run, *next;
    struct block *block;

    HASH_ITER(by_id, runs->by_id, run, next)
    {
        if (strcmp(run->state, "running") != 0)
            continue;
        DL_FOREACH(run->blocks, block)
        {
            if (!block->waiting || (double)(now - block->waiting_since_ms) <
                                       1000 * runs->options.sample_deadline_seconds)
                continue;
            block->waiting = false;
            own_work(block, STRAND_CLOSE);
        }
    }
    work_start(runs);
}
