/* Why a function of this library refused. */
#ifndef FORESHOCK_ANALYSIS_ERROR_H
#define FORESHOCK_ANALYSIS_ERROR_H

/* Functions return 0 or one of these. After an error the object is as it was, and what was to be filled
 * holds nothing. */
enum analysis_error {
    ANALYSIS_SHAPE = -1,    /* matrices whose rows or columns do not go together */
    ANALYSIS_MEMORY = -2,   /* an allocation failed */
    ANALYSIS_DIVERGED = -3, /* LAPACK's eigenvalue iteration did not converge */
};

#endif
