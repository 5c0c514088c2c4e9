/* Queues answers with the headers that all of them carry. */
#ifndef FORESHOCK_HTTP_RESPOND_H
#define FORESHOCK_HTTP_RESPOND_H

#include "daemon/http/request.h"

/* Takes the reply's text. */
enum MHD_Result respond_text(struct request *request, struct reply *reply);

/* `allow`: the methods for a 405, NULL or "" otherwise. */
enum MHD_Result respond_problem(
    struct request *request, const struct problem *problem, const char *allow);

/* Adds the common headers, queues, and gives up the caller's hold on the response. */
enum MHD_Result respond_with(struct request *request, unsigned status, const char *content_type,
    struct MHD_Response *response);

#endif
