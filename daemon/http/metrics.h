/* GET /metrics: the newest figures of the runs that run, and the daemon's own counters, as Prometheus text. */
#ifndef FORESHOCK_HTTP_METRICS_H
#define FORESHOCK_HTTP_METRICS_H

#include "daemon/http/request.h"

/* A route's function (api.h). */
int metrics_text(struct request *request, struct reply *reply, struct problem *problem);

#endif
