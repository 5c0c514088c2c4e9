/* Blocks: their members, and what each kind of task does; see block.h. */
#include "daemon/block/block.h"

#include <stdlib.h>

#include "daemon/block/activations.h"
#include "daemon/block/mlp.h"

struct block {
    struct block_options options;
    struct block_member *members; /* in the order in which they joined */
    int64_t mlp_id;               /* 0: it is no MLP block */
    int64_t measured_step;        /* newest step whose neurons are published; -1: none */
};

struct block *block_new(const struct block_options *options)
{
    struct block *block = calloc(1, sizeof *block);

    if (!block)
        return NULL;
    block->options = *options;
    block->measured_step = -1;
    return block;
}

static void add_member(struct block *block, struct block_task *task)
{
    struct block_member **end = &block->members;

    while (*end)
        end = &(*end)->next;
    *end = task->member;
    task->member = NULL;
    if (task->mlp_id)
        block->mlp_id = task->mlp_id;
}

static void settle_snapshot(struct block *block, struct snapshot *snapshot)
{
    snapshot_settle(snapshot, &block->options.weights.stats->kept_bytes, block->options.kept_bytes);
}

/* Kept matrices of earlier steps will not be complete any more. */
static void settle_older(struct block *block, int64_t step)
{
    for (struct block_member *member = block->members; member; member = member->next)
        if (member->kept.step < step)
            settle_snapshot(block, &member->kept);
}

static void settle_all(struct block *block, const struct mlp *mlp)
{
    settle_snapshot(block, &mlp->in->kept);
    settle_snapshot(block, &mlp->out->kept);
    if (mlp->gate)
        settle_snapshot(block, &mlp->gate->kept);
}

/* A member has kept a new snapshot: the neurons may be complete with it, or wait for others. */
static void measure_neurons(
    struct block *block, struct block_member *member, const struct place *place)
{
    struct place its = *place;
    struct mlp mlp;

    if (!block->mlp_id || !mlp_find(block->members, &mlp)) {
        settle_snapshot(block, &member->kept);
        return;
    }
    if (block->measured_step < place->step && mlp_is_complete(&mlp, place)) {
        its.layer = block->mlp_id;
        block->measured_step = place->step;
        mlp_measure(&mlp, &its);
        settle_all(block, &mlp);
    }
    if (!mlp_has(&mlp, member) || block->measured_step >= member->kept.step)
        settle_snapshot(block, &member->kept);
}

static enum dtype dtype_of(const struct block_task *task)
{
    enum dtype dtype = DTYPE_F32;

    dtype_parse(task->dtype, &dtype); /* the decoder lets no other name pass */
    return dtype;
}

static void run_weights(struct block *block, struct block_task *task, const struct place *place)
{
    struct block_member *member = task->member;
    struct snapshot taken = {
        .shards = task->shards,
        .dtype = dtype_of(task),
        .transposed = task->transposed,
        .step = task->step,
        .attempt = task->attempt,
    };

    task->shards = NULL;
    if (!weights_take(member, &taken, task->initial, &block->options.weights, place))
        return;
    settle_older(block, member->kept.step);
    measure_neurons(block, member, place);
}

static void run_activations(const struct block_task *task, const struct place *place)
{
    struct matrix_view tokens =
        matrix_view_rows(tensor_data(task->tensor), dtype_of(task), task->shape[0], task->shape[1]);

    activations_take(task->member, &tokens, task->ranks, place);
}

static void run_sample(struct block *block, struct block_task *task, struct place *place)
{
    place->layer = task->member->id;
    if (block_member_new_attempt(task->member, task->attempt))
        block->measured_step = -1;
    if (task->kind == BLOCK_WEIGHTS)
        run_weights(block, task, place);
    else
        run_activations(task, place);
}

static void close_all(struct block *block, const struct place *place)
{
    for (struct block_member *member = block->members; member; member = member->next) {
        struct place its = *place;

        its.layer = member->id;
        its.attempt = member->attempt;
        activations_close(member, &its);
    }
}

static void release_memory(struct block *block, const struct place *place)
{
    close_all(block, place);
    for (struct block_member *member = block->members; member; member = member->next) {
        snapshot_drop(&member->kept);
        baseline_unmap(&member->baseline, &block->options.weights.files);
    }
}

static bool is_waiting(const struct block *block)
{
    for (const struct block_member *member = block->members; member; member = member->next)
        if (member->tokens.alignment)
            return true;
    return false;
}

void block_run(struct block *block, struct block_task *task, struct findings *findings)
{
    struct place place = {findings, block->options.run, 0, task->step, task->attempt, task->time};

    switch (task->kind) {
    case BLOCK_JOIN: add_member(block, task); break;
    case BLOCK_WEIGHTS:
    case BLOCK_ACTIVATIONS: run_sample(block, task, &place); break;
    case BLOCK_CLOSE: close_all(block, &place); break;
    case BLOCK_RELEASE: release_memory(block, &place); break;
    }
    block_task_clear(task);
    findings->waiting = is_waiting(block);
}

void block_task_clear(struct block_task *task)
{
    if (task->kind == BLOCK_JOIN)
        block_member_free(task->member, NULL);
    shards_free(task->shards);
    tensor_free(task->tensor);
    task->member = NULL;
    task->shards = NULL;
    task->tensor = NULL;
}

void block_free(struct block *block)
{
    struct block_member *next;

    if (!block)
        return;
    for (struct block_member *member = block->members; member; member = next) {
        next = member->next;
        block_member_free(member, &block->options.weights.files);
    }
    free(block);
}
