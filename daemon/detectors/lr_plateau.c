/* The highest learning rate that stood; see lr_plateau.h. */
#include "daemon/detectors/lr_plateau.h"

#include <math.h>

#define STANDS_SHARE 0.7 /* of all steps */
#define STANDS_STEPS 100.0

void lr_plateau_put(struct lr_plateau *plateau, double t, double lr)
{
    if (lr > plateau->highest) {
        plateau->highest = lr;
        plateau->highest_t = t;
    } else if (t - plateau->highest_t >= fmax(STANDS_STEPS, STANDS_SHARE * t)) {
        plateau->rate = plateau->highest;
    }
}
