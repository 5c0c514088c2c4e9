/* One figure of all layers put together, step by step: what a single layer does by chance or by
 * nature, the half of all layers does not.
 *
 * Layers come to a step in any order among each other, each to its own in order of step, with a
 * value or without. A step is ready when every layer that came to an earlier one has come to this
 * one or a later one. A layer that falls CROSS_SECTION_LAG values, or CROSS_SECTION_LAG_STEPS, behind the others
 * is no longer waited for until it has caught up. Where a layer has no value at a step (a model that is
 * sampled block by block in turn, a sample that was lost, one that came too late) its newest one stands
 * for it for a while. Owned by the engine. */
#ifndef FORESHOCK_DETECTORS_CROSS_SECTION_H
#define FORESHOCK_DETECTORS_CROSS_SECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CROSS_SECTION_LAG       16  /* values */
#define CROSS_SECTION_LAG_STEPS 300 /* steps, and values of three */
#define CROSS_SECTION_STANDS    0.5 /* of the steps that it looked back: how old a value may be */
#define CROSS_SECTION_TOP       4
#define CROSS_SECTION_QUORUM    2 /* layers whose half says something about all of them */

struct cross_sections;

/* The values that stand at one step; at least one is of it. */
struct cross_section {
    int64_t step;
    double time; /* the newest of them */
    size_t count;
    double median;     /* the lower one of an even number */
    double quarter;    /* reached by at least a quarter of the layers, and by two */
    double window;     /* steps that the values look back: the largest */
    double loss_level; /* of the loss just before, as READING_LOSS_LEVEL (risk.h); 0: not known */
    struct {
        int64_t layer;
        double value;
    } top[CROSS_SECTION_TOP]; /* the largest, in order; layer 0: fewer values */
};

struct cross_sections *cross_sections_new(void); /* NULL if memory is short */
void cross_sections_free(struct cross_sections *sections);

/* A layer arrives at a step. 0, or -1: memory is short. */
int cross_sections_arrive(struct cross_sections *sections, int64_t layer, int64_t step);

/* Its value there, after it arrived; `window`: the steps that it looks back. */
struct cross_sections_value {
    double time, value, window;
};
void cross_sections_put(struct cross_sections *sections, int64_t layer, int64_t step,
    const struct cross_sections_value *value);

/* A layer that comes no more: it is neither waited for nor counted. */
void cross_sections_forget(struct cross_sections *sections, int64_t layer);

/* The next step that is ready, up to `until`, or beyond it once layers are that far ahead. False if
 * there is none. */
bool cross_sections_next(
    struct cross_sections *sections, int64_t until, struct cross_section *section);

#endif
