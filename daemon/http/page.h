/* Files embedded at build time (daemon/http/embed.py). */
#ifndef FORESHOCK_HTTP_PAGE_H
#define FORESHOCK_HTTP_PAGE_H

#include <stddef.h>

#include "daemon/http/request.h"

struct page_asset {
    const char *name, *content_type;
    const unsigned char *bytes;
    size_t size;
};

extern const struct page_asset page_assets[];
extern const size_t page_assets_count;

/* Routes' functions (api.h). */
int page_shell(struct request *request, struct reply *reply, struct problem *problem);
int page_file(struct request *request, struct reply *reply, struct problem *problem);
int page_openapi(struct request *request, struct reply *reply, struct problem *problem);

#endif
