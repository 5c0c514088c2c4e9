/* Members made, turned and freed; see member.h. */
#include "daemon/block/member.h"

#include <stdlib.h>

struct block_member *block_member_new(const struct block_member_options *options)
{
    struct block_member *member = calloc(1, sizeof *member);

    if (!member)
        return NULL;
    member->id = options->id;
    member->role = options->role;
    member->rows = options->rows;
    member->cols = options->cols;
    member->tracker = options->tracker;
    member->tracker_size = options->tracker_size;
    member->tracker_stale = options->tracker_stale;
    member->weights_step = member->closed_step = member->kept.step = -1;
    if (options->baseline) {
        member->baseline.present = true;
        member->baseline.row = *options->baseline;
    }
    return member;
}

void block_member_free(struct block_member *member, const struct baseline_files *files)
{
    if (!member)
        return;
    spectrum_free(member->spectrum);
    free(member->tracker);
    alignment_free(member->tokens.alignment);
    snapshot_drop(&member->kept);
    baseline_unmap(&member->baseline, files);
    free(member);
}

bool block_member_new_attempt(struct block_member *member, uint32_t attempt)
{
    if (member->attempt == attempt)
        return false;
    member->attempt = attempt;
    member->weights_step = member->closed_step = -1;
    snapshot_drop(&member->kept);
    alignment_free(member->tokens.alignment);
    member->tokens.alignment = NULL;
    return true;
}
