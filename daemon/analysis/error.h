/* Why a function of this library refused. */
#ifndef FORESHOCK_ANALYSIS_ERROR_H
#define FORESHOCK_ANALYSIS_ERROR_H

/* Functions return 0 or one of these. After an error nothing has changed: no state, no result. */
enum analysis_error {
    ANALYSIS_SHAPE = -1,    /* matrices whose rows, columns or dtypes do not go together */
    ANALYSIS_MEMORY = -2,   /* an allocation failed */
    ANALYSIS_DIVERGED = -3, /* LAPACK's eigenvalue iteration did not converge */
};

#endif
