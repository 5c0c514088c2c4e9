/* GET /api/v1/events: a stream of server-sent events, from the hub (events.h) to one client. */
#ifndef FORESHOCK_HTTP_STREAM_H
#define FORESHOCK_HTTP_STREAM_H

#include "daemon/http/request.h"

/* Answers the request itself: the response lasts until the client leaves. HTTP threads. */
enum MHD_Result stream_respond(struct request *request);

#endif
