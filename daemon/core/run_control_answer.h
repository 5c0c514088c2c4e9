/* What becomes of a request to end or to delete a run: the runs' answer, which the API translates. */
#ifndef FORESHOCK_CORE_RUN_CONTROL_ANSWER_H
#define FORESHOCK_CORE_RUN_CONTROL_ANSWER_H

enum run_control_answer {
    RUN_CONTROL_DONE,
    RUN_CONTROL_RUNNING, /* a process of the run is still there */
    RUN_CONTROL_BUSY,    /* its last samples are still being worked on: ask again */
    RUN_CONTROL_UNKNOWN,
    RUN_CONTROL_FAILED /* the store does not take it, or the loop does not answer */
};

#endif
