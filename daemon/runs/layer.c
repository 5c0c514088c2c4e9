/* See layer.h. */
#include "daemon/runs/layer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/limits.h"
#include "daemon/runs/work_queue.h"
#include "proto/fault.h"

struct run_layer *run_layer_new(const struct store_layer *row)
{
    struct run_layer *layer = calloc(1, sizeof *layer);

    if (!layer)
        return NULL;
    layer->id = row->id;
    layer->name = strdup(row->name);
    layer->role = strdup(row->role);
    layer->block_name = strdup(row->block);
    if (!layer->name || !layer->role || !layer->block_name) {
        run_layer_free(layer);
        return NULL;
    }
    snprintf(layer->dtype, sizeof layer->dtype, "%s", row->dtype);
    layer->rows = row->rows;
    layer->cols = row->cols;
    layer->transposed = row->transposed;
    layer->last_step[0] = layer->last_step[1] = layer->incomplete_step = -1;
    return layer;
}

void run_layer_free(struct run_layer *layer)
{
    free(layer->name);
    free(layer->role);
    free(layer->block_name);
    free(layer->tracker);
    partition_clear(&layer->partition);
    free(layer);
}

void run_layer_new_attempt(struct run_layer *layer, uint32_t attempt)
{
    if (layer->attempt != attempt) {
        layer->attempt = attempt;
        layer->last_step[0] = layer->last_step[1] = layer->incomplete_step = -1;
        layer->whole_steps.count = 0;
        partition_clear(&layer->partition);
    }
    work_queue_new_attempt(layer->queue, attempt);
}

const char *run_layer_show_span(char text[64], const struct span *span)
{
    snprintf(text, 64, "%s [%" PRIu64 ", %" PRIu64 ")",
        wire_axis_name(span->cols ? WIRE_COLS : WIRE_ROWS), span->begin, span->end);
    return text;
}

int run_layer_join(struct run_layer *layer, const struct span *span, enum wire_type about,
    struct wire_fault *fault)
{
    char held[64], text[64], expected[160];
    struct span clash;

    run_layer_show_span(text, span);
    switch (partition_join(&layer->partition, span, &clash)) {
    case PARTITION_JOINED: return 0;
    case PARTITION_CLASH:
        snprintf(expected, sizeof expected, "%s, which another holds, or one beside it",
            run_layer_show_span(held, &clash));
        return fault_set(fault, WIRE_CODE_LAYER_CONFLICT, about, "shard", expected, "%s", text);
    case PARTITION_FULL: break;
    }
    snprintf(expected, sizeof expected, "at most %u shards of a layer, and memory", LIMIT_SHARDS);
    return fault_set(fault, WIRE_CODE_LIMIT, about, "shard", expected, "%s", text);
}
