/* One figure of all layers put together, step by step: what a single layer does by chance or by
 * nature, the half of all layers does not.
 *
 * Layers come to a step in any order among each other, each to its own in order of step, with a
 * value or without. A step is ready when every layer that came to an earlier one has come to this
 * one or a later one. A layer that falls TOGETHER_LAG values, or TOGETHER_LAG_STEPS, behind another is
 * no longer waited for until it has caught up; a value of a step that is past is left out. Owned by
 * the engine. */
#ifndef FORESHOCK_ALERTS_TOGETHER_H
#define FORESHOCK_ALERTS_TOGETHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOGETHER_LAG       16  /* values */
#define TOGETHER_LAG_STEPS 300 /* steps, and three values */
#define TOGETHER_TOP       4
#define TOGETHER_COMPANY   3 /* layers whose half says something about all of them */

struct together;

/* The values of one step. */
struct panel {
    int64_t step;
    double time;        /* the newest of them */
    size_t count, came; /* values; layers that came to the step, with one or without */
    size_t known;       /* layers that ever came */
    double median;      /* the lower one of an even number */
    double quarter;     /* reached by at least a quarter of the layers, and by two */
    double window;      /* steps that the values look back: the largest */
    double loss_level;  /* of the loss just before, as READING_LOSS_LEVEL (risk.h); 0: not known */
    struct {
        int64_t layer;
        double value;
    } top[TOGETHER_TOP]; /* the largest, in order; layer 0: fewer values */
    struct {
        int64_t layer;
        double value, limit, witness;
    } alone; /* of those that have a limit, the largest in shares of it; layer 0: none */
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

/* The next step that is ready, up to `until`, or beyond it once layers are that far ahead. False if
 * there is none. */
bool together_next(struct together *together, int64_t until, struct panel *panel);

#endif
