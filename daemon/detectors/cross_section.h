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
#define CROSS_SECTION_KNOWN     2   /* times those steps: how long a layer may not have come */
#define CROSS_SECTION_TOP       4
#define CROSS_SECTION_QUORUM    3 /* layers whose half says something about all of them */

struct cross_sections;

/* The values that stand at one step; at least one is of it. */
struct cross_section {
    int64_t step;
    double time;         /* the newest of them */
    size_t count, known; /* values; layers that come, with one or without */
    double median;       /* the lower one of an even number */
    double quarter;      /* reached by at least a quarter of the layers, and by two */
    double window;       /* steps that the values look back: the largest */
    double loss_level;   /* of the loss just before, as READING_LOSS_LEVEL (risk.h); 0: not known */
    struct {
        int64_t layer;
        double value;
    } top[CROSS_SECTION_TOP]; /* the largest, in order; layer 0: fewer values */
    struct {
        int64_t layer;
        double value, limit, confirmation;
        double share_before; /* its value before, in shares of its limit then */
    } alone; /* of new values that have a limit, the largest in shares of it; layer 0: none */
    struct cross_sections *together;
};

struct cross_sections *cross_sections_new(void); /* NULL if memory is short */
void cross_sections_free(struct cross_sections *together);

/* A layer comes to a step. 0, or -1: memory is short. */
int cross_sections_arrive(struct cross_sections *together, int64_t layer, int64_t step);

/* Its value there, after it came; `window`, `limit` and `confirmation` as in struct judgement. */
struct cross_sections_value {
    double time, value, window;
    double limit, confirmation;
};
void cross_sections_put(struct cross_sections *together, int64_t layer, int64_t step,
    const struct cross_sections_value *value);

/* Of the section that cross_sections_next just gave: how old the newest value of a layer is, in shares of the
 * steps that it looked back. 0: it is new; INFINITY: there is none. */
double cross_section_age(const struct cross_section *section, int64_t layer);

/* A layer that comes no more: it is neither waited for nor counted. */
void cross_sections_forget(struct cross_sections *together, int64_t layer);

/* The next step that is ready, up to `until`, or beyond it once layers are that far ahead. False if
 * there is none. */
bool cross_sections_next(
    struct cross_sections *together, int64_t until, struct cross_section *section);

#endif
