/* The functions behind the routes. Each fills the reply and returns 0, or returns -1 and a problem.
 * They run on HTTP threads; parameters were checked against the route's rules before. */
#ifndef FORESHOCK_HTTP_API_H
#define FORESHOCK_HTTP_API_H

#include "daemon/http/request.h"

int api_runs(struct request *request, struct reply *reply, struct problem *problem);
int api_run(struct request *request, struct reply *reply, struct problem *problem);
int api_run_delete(struct request *request, struct reply *reply, struct problem *problem);
int api_run_end(struct request *request, struct reply *reply, struct problem *problem);
int api_series(struct request *request, struct reply *reply, struct problem *problem);
int api_histogram(struct request *request, struct reply *reply, struct problem *problem);
int api_alerts(struct request *request, struct reply *reply, struct problem *problem);
int api_alert_ack(struct request *request, struct reply *reply, struct problem *problem);
int api_silences(struct request *request, struct reply *reply, struct problem *problem);
int api_silence_add(struct request *request, struct reply *reply, struct problem *problem);
int api_silence_end(struct request *request, struct reply *reply, struct problem *problem);

#endif
