/* A figure that made a detector find something, or that was worse since then. A plain value; NaN
 * where the rule has no such number. */
#ifndef FORESHOCK_DETECTORS_EVIDENCE_H
#define FORESHOCK_DETECTORS_EVIDENCE_H

#include <stdint.h>

#define EVIDENCE_MAX 4 /* pieces that one judgement gives */

struct evidence {
    int64_t layer;      /* 0: the run itself */
    const char *metric; /* static; the metric's name, or that of a figure derived from it
                           (sigma_growth.layer) */
    double value;
    double threshold;
    double baseline; /* what it is compared with */
    double window;   /* steps that it looks back; NaN: one sample */
    int64_t step;
};

#endif
