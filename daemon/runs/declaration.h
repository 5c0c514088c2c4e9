/* A session declares a layer: a new one, or the same again. A block becomes an MLP block by the layers in it. */
#ifndef FORESHOCK_RUNS_DECLARATION_H
#define FORESHOCK_RUNS_DECLARATION_H

#include "daemon/runs/session.h"
#include "proto/wire.h"

/* 0, or -1 and the fault. Loop thread. */
int declaration_take(
    struct session *session, const struct wire_layer *wire, struct wire_fault *fault);

#endif
