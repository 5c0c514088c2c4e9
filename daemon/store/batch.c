/* Filling a batch. All its memory is taken from blocks that go with it. */
#include "daemon/store/batch.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

/* The first block is small, for the many batches of one figure; each later one as large as all
 * before it, up to a limit. */
#define BLOCK_BYTES_MIN ((size_t)1 << 10)
#define BLOCK_BYTES_MAX ((size_t)32 << 10)

struct batch_block {
    struct batch_block *next;
    size_t used, size;
    alignas(max_align_t) unsigned char bytes[];
};

struct store_batch *store_batch_new(void)
{
    struct store_batch *batch = calloc(1, sizeof *batch);
    if (batch)
        batch->tail = &batch->ops;
    return batch;
}

bool store_batch_is_empty(const struct store_batch *batch)
{
    return batch && !batch->failed && !batch->ops && !batch->on_commit;
}

void store_batch_free(struct store_batch *batch)
{
    if (!batch)
        return;
    for (struct op *op = batch->ops; op; op = op->next)
        if (op->type == OP_ALERT && op->alert)
            alert_row_json_free(&op->alert->json);
    while (batch->blocks) {
        struct batch_block *block = batch->blocks;
        batch->blocks = block->next;
        free(block);
    }
    free(batch);
}

static struct batch_block *block_add(struct store_batch *batch, size_t size)
{
    size_t room = batch->bytes > BLOCK_BYTES_MIN ? batch->bytes : BLOCK_BYTES_MIN;
    if (room > BLOCK_BYTES_MAX)
        room = BLOCK_BYTES_MAX;
    if (room < size)
        room = size;
    struct batch_block *block = malloc(sizeof *block + room);
    if (!block)
        return NULL;
    block->used = 0;
    block->size = room;
    block->next = batch->blocks;
    batch->blocks = block;
    batch->bytes += room;
    return block;
}

/* NULL when memory is short: the batch has then failed. */
static void *batch_alloc(struct store_batch *batch, size_t size)
{
    const size_t align = alignof(max_align_t);
    size = (size + align - 1) / align * align;
    if (!batch)
        return NULL;
    struct batch_block *block = batch->blocks;
    if (!block || block->size - block->used < size)
        block = block_add(batch, size);
    if (!block) {
        batch->failed = true;
        return NULL;
    }
    void *memory = block->bytes + block->used;
    block->used += size;
    return memory;
}

static void *copy_bytes(struct store_batch *batch, const void *data, size_t size)
{
    void *copy = batch_alloc(batch, size ? size : 1);
    if (copy && size)
        memcpy(copy, data, size);
    return copy;
}

static const char *batch_copy_text(struct store_batch *batch, const char *text)
{
    return copy_bytes(batch, text, strlen(text) + 1);
}

static const char *copy_text_or_null(struct store_batch *batch, const char *text)
{
    return text ? batch_copy_text(batch, text) : NULL;
}

static void set_urgent(struct store_batch *batch)
{
    if (batch)
        batch->urgent = true;
}

/* An operation at the end of the batch; a batch that failed hands out a spare that is part of
 * nothing. */
static struct op *op_add(struct store_batch *batch, enum op_type type, struct op *spare)
{
    struct op *op = batch_alloc(batch, sizeof *op);
    if (!op)
        op = spare;
    op->next = NULL;
    op->type = type;
    if (op != spare) {
        *batch->tail = op;
        batch->tail = &op->next;
    }
    return op;
}

void store_put_run(struct store_batch *batch, const struct store_run *run)
{
    struct op spare, *op = op_add(batch, OP_RUN, &spare);
    op->run = *run;
    op->run.key = batch_copy_text(batch, run->key);
    op->run.name = batch_copy_text(batch, run->name);
    op->run.tags = batch_copy_text(batch, run->tags);
}

void store_put_attempt(struct store_batch *batch, const struct store_attempt *attempt)
{
    struct op spare;
    op_add(batch, OP_ATTEMPT, &spare)->attempt = *attempt;
}

void store_put_session(struct store_batch *batch, const struct store_session *session)
{
    struct op spare, *op = op_add(batch, OP_SESSION, &spare);
    op->session = *session;
    op->session.key = batch_copy_text(batch, session->key);
    op->session.client = batch_copy_text(batch, session->client);
}

void store_put_layer(struct store_batch *batch, const struct store_layer *layer)
{
    struct op spare, *op = op_add(batch, OP_LAYER, &spare);
    op->layer = *layer;
    op->layer.name = batch_copy_text(batch, layer->name);
    op->layer.kind = batch_copy_text(batch, layer->kind);
    op->layer.role = batch_copy_text(batch, layer->role);
    op->layer.block = batch_copy_text(batch, layer->block);
    op->layer.dtype = batch_copy_text(batch, layer->dtype);
}

void store_put_figure(struct store_batch *batch, const struct figure *figure)
{
    struct op spare, *op = op_add(batch, OP_FIGURE, &spare);
    op->figure = batch_alloc(batch, sizeof *op->figure);
    if (op->figure)
        *op->figure = (struct op_figure){.figure = *figure};
}

void store_put_histogram(struct store_batch *batch, const struct histogram *histogram)
{
    struct op spare, *op = op_add(batch, OP_HISTOGRAM, &spare);
    op->histogram = copy_bytes(batch, histogram, sizeof *histogram);
}

void store_put_alert(struct store_batch *batch, const struct alert_record *record)
{
    struct op spare, *op = op_add(batch, OP_ALERT, &spare);
    op->alert = batch_alloc(batch, sizeof *op->alert);
    if (op->alert)
        *op->alert = (struct op_alert){.record = *record};
    set_urgent(batch);
}

void store_put_alert_end(struct store_batch *batch, int64_t alert, double time)
{
    struct op spare, *op = op_add(batch, OP_ALERT_END, &spare);
    op->alert_end = (struct op_alert_end){.alert = alert, .time = time};
    set_urgent(batch);
}

void store_put_baseline(struct store_batch *batch, const struct baseline_row *baseline)
{
    struct op spare, *op = op_add(batch, OP_BASELINE, &spare);
    op->baseline = (struct op_baseline){.row = *baseline};
}

void store_put_tracker(struct store_batch *batch, const struct store_tracker *tracker)
{
    struct op spare, *op = op_add(batch, OP_TRACKER, &spare);
    op->tracker = *tracker;
    op->tracker.state = copy_bytes(batch, tracker->state, tracker->size);
}

void store_put_delete_run(struct store_batch *batch, int64_t run)
{
    struct op spare;
    op_add(batch, OP_DELETE_RUN, &spare)->delete_run = run;
}

void store_put_ack(struct store_batch *batch, int64_t alert, double time)
{
    struct op spare;
    op_add(batch, OP_ACK, &spare)->ack = (struct op_ack){.alert = alert, .time = time};
}

void store_put_silence(struct store_batch *batch, const struct store_silence *silence)
{
    struct op spare, *op = op_add(batch, OP_SILENCE, &spare);
    op->silence = *silence;
    op->silence.run = batch_copy_text(batch, silence->run);
    op->silence.rule = copy_text_or_null(batch, silence->rule);
    op->silence.layer = copy_text_or_null(batch, silence->layer);
    op->silence.reason = batch_copy_text(batch, silence->reason);
    op->silence.created_by = batch_copy_text(batch, silence->created_by);
    set_urgent(batch);
}

void store_put_end_silence(struct store_batch *batch, int64_t silence)
{
    struct op spare;
    op_add(batch, OP_END_SILENCE, &spare)->end_silence = silence;
    set_urgent(batch);
}

void store_put_expire_silences(struct store_batch *batch, double now)
{
    struct op spare;
    op_add(batch, OP_EXPIRE_SILENCES, &spare)->expire_silences = now;
    set_urgent(batch);
}

void store_put_notifiers(
    struct store_batch *batch, const struct store_notifier *list, size_t count, double now)
{
    struct op spare, *op = op_add(batch, OP_NOTIFIERS, &spare);
    struct store_notifier *copies = copy_bytes(batch, list, count * sizeof *list);
    op->notifiers = (struct op_notifiers){copies, count, now};
    for (size_t i = 0; copies && i < count; i++) {
        copies[i].name = batch_copy_text(batch, list[i].name);
        copies[i].kind = batch_copy_text(batch, list[i].kind);
        copies[i].rules = batch_copy_text(batch, list[i].rules);
    }
    set_urgent(batch);
}

void store_put_delivery(struct store_batch *batch, const struct store_delivery *delivery)
{
    struct op spare, *op = op_add(batch, OP_DELIVERY, &spare);
    op->delivery = *delivery;
    op->delivery.notifier = batch_copy_text(batch, delivery->notifier);
    op->delivery.event = batch_copy_text(batch, delivery->event);
    op->delivery.alert = batch_copy_text(batch, delivery->alert);
    set_urgent(batch);
}

void store_on_commit(struct store_batch *batch, void (*done)(void *ctx, bool ok), void *ctx)
{
    batch->urgent = true;
    batch->on_commit = done;
    batch->on_commit_ctx = ctx;
}
