/* One figure of all layers put together, step by step: what a single layer does by chance or by
 * nature, the half of all layers does not.
 *
 * Layers come to a step in any order among each other, each to its own in order of step, with a
 * value or without. A step is ready when every layer that came to an earlier one has come to this
 * one or a later one. A layer that falls TOGETHER_LAG values, or TOGETHER_LAG_STEPS, behind the others
 * is no longer waited for until it has caught up. Where a layer has no value at a step (a model that is
 * sampled block by block in turn, a sample that was lost, one that came too late) its newest one stands
 * for it for a while. Owned by the engine. */
#ifndef FORESHOCK_DETECTORS_CROSS_SECTION_H
#define FORESHOCK_DETECTORS_CROSS_SECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOGETHER_LAG       16  /* values */
#define TOGETHER_LAG_STEPS 300 /* steps, and values of three */
#define TOGETHER_STANDS    0.5 /* of the steps that it looked back: how old a value may be */
#define TOGETHER_KNOWN     2   /* times those steps: how long a layer may not have come */
#define TOGETHER_TOP       4
#define TOGETHER_COMPANY   3 /* layers whose half says something about all of them */

struct together;

/* The values that stand at one step; at least one is of it. */
struct panel {
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
    } top[TOGETHER_TOP]; /* the largest, in order; layer 0: fewer values */
    struct {
        int64_t layer;
        double value, limit, witness;
        double share_before; /* its value before, in shares of its limit then */
    } alone; /* of new values that have a limit, the largest in shares of it; layer 0: none */
    struct together *together;
};

struct together *together_new(void); /* NULL if memory is short */
void together_free(struct together *together);

/* A layer comes to a step. 0, or -1: memory is short. */
int together_come(struct together *together, int64_t layer, int64_t step);

/* Its value there, after it came; `window`, `limit` and `witness` as in struct judgement. */
struct together_value {
    double time, value, window;
    double limit, witness;
};
void together_put(
    struct together *together, int64_t layer, int64_t step, const struct together_value *value);

/* Of the panel that together_next just gave: how old the newest value of a layer is, in shares of the
 * steps that it looked back. 0: it is new; INFINITY: there is none. */
double panel_age(const struct panel *panel, int64_t layer);

/* A layer that comes no more: it is neither waited for nor counted. */
void together_forget(struct together *together, int64_t layer);

/* The next step that is ready, up to `until`, or beyond it once layers are that far ahead. False if
 * there is none. */
bool together_next(struct together *together, int64_t until, struct panel *panel);

#endif
