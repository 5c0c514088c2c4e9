/* Lists that grow by one element at a time. */
#ifndef FORESHOCK_HTTP_GROW_H
#define FORESHOCK_HTTP_GROW_H

#include <stdint.h>
#include <stdlib.h>

/* A list of `count` elements with room for one more (its room doubles at powers of two): perhaps
 * moved. NULL without memory; the old one then stays as it was. */
static inline void *grow(void *list, size_t count, size_t size)
{
    if ((count & (count - 1)) != 0)
        return list;
    if (count > SIZE_MAX / 2 / size)
        return NULL;
    return realloc(list, (count ? count * 2 : 1) * size);
}

#endif
