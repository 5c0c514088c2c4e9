/* See declaration.h. */
#include "daemon/runs/declaration.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/runs/layer.h"
#include "daemon/runs/registry.h"
#include "daemon/runs/rows.h"
#include "daemon/runs/run.h"
#include "daemon/runs/work_queue.h"
#include "proto/fault.h"

static int conflict(
    struct wire_fault *fault, const char *field, const char *expected, const char *value)
{
    return fault_set(fault, WIRE_CODE_LAYER_CONFLICT, WIRE_LAYER, field, expected, "%s", value);
}

/* in and gate are [ff, d], out is [d, ff]. */
static bool fits_member(
    const struct run_layer *member, const char *role, uint64_t rows, uint64_t cols)
{
    bool turned = (work_queue_role(member->role) == BLOCK_MLP_OUT) !=
                  (work_queue_role(role) == BLOCK_MLP_OUT);

    return turned ? member->rows == cols && member->cols == rows
                  : member->rows == rows && member->cols == cols;
}

static int check_block(struct run *run, const struct store_layer *row, struct wire_fault *fault)
{
    enum block_role role = work_queue_role(row->role);
    struct work_queue *queue = NULL;
    char text[160];

    if (*row->block)
        HASH_FIND(by_name, run->named, row->block, strlen(row->block), queue);
    if (!queue || role == BLOCK_LINEAR)
        return 0;
    if (queue->roles[role])
        return conflict(fault, "role", "one layer of this role in a block", row->role);
    for (int i = 0; i < BLOCK_ROLES; i++) {
        const struct run_layer *member = queue->roles[i];

        if (!member || fits_member(member, row->role, row->rows, row->cols))
            continue;
        snprintf(text, sizeof text,
            "[ff, d] for mlp.in and mlp.gate, [d, ff] for mlp.out; %s is [%" PRIu64 ", %" PRIu64
            "]",
            member->role, member->rows, member->cols);
        return fault_set(fault, WIRE_CODE_LAYER_CONFLICT, WIRE_LAYER, "shape", text,
            "[%" PRIu64 ", %" PRIu64 "]", row->rows, row->cols);
    }
    return 0;
}

static int check_same(
    const struct run_layer *layer, const struct store_layer *row, struct wire_fault *fault)
{
    char text[96];

    if (layer->rows != row->rows || layer->cols != row->cols) {
        snprintf(text, sizeof text, "[%" PRIu64 ", %" PRIu64 "], as declared before", layer->rows,
            layer->cols);
        return fault_set(fault, WIRE_CODE_LAYER_CONFLICT, WIRE_LAYER, "shape", text,
            "[%" PRIu64 ", %" PRIu64 "]", row->rows, row->cols);
    }
    if (strcmp(layer->role, row->role) != 0)
        return conflict(fault, "role", layer->role, row->role);
    /* The kept w(0) lies as it was sent, and is read as the weights are. */
    if (layer->transposed != row->transposed)
        return conflict(fault, "transposed", layer->transposed ? "true" : "false",
            row->transposed ? "true" : "false");
    return strcmp(layer->block_name, row->block) != 0
               ? conflict(fault, "block", layer->block_name, row->block)
               : 0;
}

/* Layers and MLP blocks share one sequence of ids. */
static struct run_layer *make_layer(
    struct run *run, struct work_queue *queue, struct store_layer *row, bool completes)
{
    struct registry *registry = run->registry;
    struct run_layer *layer;

    row->id = registry->next_layer;
    layer = run_add_layer(run, row);
    if (!layer)
        return NULL;
    if (work_queue_add_layer(queue, layer, completes ? row->id + 1 : 0, run->attempt.number) != 0) {
        run_remove_layer(run, layer);
        return NULL;
    }
    registry->next_layer += completes ? 2 : 1;
    return layer;
}

static struct run_layer *add_layer(struct run *run, struct store_layer *row)
{
    const struct runs_out *out = &run->registry->options->out;
    struct work_queue *queue = run_queue_for(run, row->block);
    bool completes = queue && work_queue_completes_mlp(queue, row->role);
    struct run_layer *layer = queue ? make_layer(run, queue, row, completes) : NULL;
    struct store_batch *batch;

    if (!layer)
        return NULL;
    batch = store_batch_new();
    rows_put_layer(batch, run, layer);
    out->layer(out->ctx, run->id, layer->id, layer->name, layer->role, layer->block_name);
    if (completes) {
        rows_put_block(batch, queue);
        out->layer(out->ctx, run->id, queue->id, queue->name, "", "");
    }
    layer->unsaved = !rows_publish(run, batch, NULL, 0);
    queue->unsaved |= completes && layer->unsaved;
    return layer;
}

/* A sender of the whole matrix holds all its rows. */
static struct span span_of(const struct wire_layer *wire)
{
    const struct wire_shard *shard = &wire->shard;

    if (!wire->has_shard || shard->end - shard->begin == wire->shape[shard->axis])
        return (struct span){false, 0, wire->shape[0]};
    return (struct span){shard->axis == WIRE_COLS, shard->begin, shard->end};
}

/* What may differ from one declaration to the next. */
static void renew_layer(struct run *run, struct run_layer *layer, const struct store_layer *row)
{
    struct store_batch *batch;

    if (strcmp(layer->dtype, row->dtype) == 0)
        return;
    snprintf(layer->dtype, sizeof layer->dtype, "%s", row->dtype);
    batch = store_batch_new();
    rows_put_layer(batch, run, layer);
    layer->unsaved |= !rows_publish(run, batch, NULL, 0);
}

static int number_layer(
    struct session *session, const struct wire_layer *wire, struct run_layer *layer)
{
    uint32_t n = wire->layer;
    struct numbered_layer *numbered;

    numbered = session_number(session, n);
    if (!numbered) {
        numbered = calloc(1, sizeof *numbered);
        if (!numbered)
            return -1;
        numbered->number = n;
        numbered->layer = layer;
        numbered->span = span_of(wire);
        HASH_ADD(hh, session->numbers, number, sizeof numbered->number, numbered);
        numbered->last_step[0] = numbered->last_step[1] = -1;
        if (session->resumed && layer->attempt == session->attempt)
            memcpy(numbered->last_step, layer->last_step, sizeof numbered->last_step);
    }
    /* Everything else is as before: check_number and join_layer made sure. */
    snprintf(numbered->dtype, sizeof numbered->dtype, "%s", layer->dtype);
    return 0;
}

/* Within a session a number names one shard of one layer: tensors in transit rely on it. */
static int check_number(
    struct session *session, uint32_t n, const char *name, struct wire_fault *fault)
{
    struct numbered_layer *numbered;

    HASH_FIND(hh, session->numbers, &n, sizeof n, numbered);
    if (!numbered || strcmp(numbered->layer->name, name) == 0)
        return 0;
    return fault_set(fault, WIRE_CODE_LAYER_CONFLICT, WIRE_LAYER, "layer",
        "a number of its own; this one is another layer's", "%" PRIu32, n);
}

/* A session of an older attempt joins the senders of the newest one with its first tensor there. */
static int join_layer(struct session *session, struct run_layer *layer,
    const struct wire_layer *wire, struct wire_fault *fault)
{
    struct span span = span_of(wire);
    struct numbered_layer *numbered;
    char held[64], text[64];

    HASH_FIND(hh, session->numbers, &wire->layer, sizeof wire->layer, numbered);
    if (numbered && !span_equal(&numbered->span, &span))
        return fault_set(fault, WIRE_CODE_LAYER_CONFLICT, WIRE_LAYER, "shard",
            run_layer_show_span(held, &numbered->span), "%s", run_layer_show_span(text, &span));
    if (session->attempt != session->run->attempt.number)
        return 0;
    run_layer_new_attempt(layer, session->attempt);
    return run_layer_join(layer, &span, WIRE_LAYER, fault);
}

static int no_memory(struct wire_fault *fault, const char *name)
{
    return fault_set(
        fault, WIRE_CODE_LIMIT, WIRE_LAYER, "name", "memory for one more layer", "%s", name);
}

int declaration_take(
    struct session *session, const struct wire_layer *wire, struct wire_fault *fault)
{
    struct run *run = session->run;
    char name[WIRE_NAME_MAX + 1], block[WIRE_NAME_MAX + 1], role[16], dtype[16];
    struct store_layer row = {
        .run = run->id, .name = name, .block = block, .role = role, .dtype = dtype};
    struct run_layer *layer;

    snprintf(name, sizeof name, "%.*s", (int)wire->name.len, wire->name.ptr);
    snprintf(
        block, sizeof block, "%.*s", (int)wire->block.len, wire->block.ptr ? wire->block.ptr : "");
    snprintf(role, sizeof role, "%.*s", (int)wire->role.len, wire->role.ptr);
    snprintf(dtype, sizeof dtype, "%.*s", (int)wire->dtype.len, wire->dtype.ptr);
    row.rows = wire->shape[0];
    row.cols = wire->shape[1];
    row.transposed = wire->transposed;
    HASH_FIND(by_name, run->layers, name, strlen(name), layer);
    if (check_number(session, wire->layer, name, fault) != 0 ||
        (layer ? check_same(layer, &row, fault) : check_block(run, &row, fault)) != 0)
        return -1;
    if (!layer && HASH_CNT(by_name, run->layers) >= run->registry->options->layers_max)
        return fault_set(fault, WIRE_CODE_LIMIT, WIRE_LAYER, "name",
            "fewer layers (limits.layers_per_run)", "%s", name);
    if (!layer && !(layer = add_layer(run, &row)))
        return no_memory(fault, name);
    if (join_layer(session, layer, wire, fault) != 0)
        return -1;
    renew_layer(run, layer, &row);
    return number_layer(session, wire, layer) != 0 ? no_memory(fault, name) : 0;
}
