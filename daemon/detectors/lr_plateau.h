/* The plateau of a learning rate: the highest one that was not exceeded for most of the steps. A plain
 * value: all zero is one that has seen nothing. */
#ifndef FORESHOCK_DETECTORS_LR_PLATEAU_H
#define FORESHOCK_DETECTORS_LR_PLATEAU_H

struct lr_plateau {
    double rate; /* of the plateau, from before the rise in progress; 0: there is none yet */
    double highest, highest_t;
};

/* Takes the learning rate of a step, finite and >= 0; t, in steps since the attempt began,
 * increases. */
void lr_plateau_put(struct lr_plateau *plateau, double t, double lr);

#endif
