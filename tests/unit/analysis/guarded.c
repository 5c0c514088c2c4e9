/* Buffers between forbidden pages. */
#include "tests/unit/analysis/guarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

struct guarded guarded_new(size_t size, size_t slack)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t open = (size + slack + page - 1) / page * page;
    size_t mapped = open + 2 * page;
    unsigned char *mapping =
        mmap(NULL, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(mapping != MAP_FAILED);
    assert_int_equal(mprotect(mapping + page, open, PROT_READ | PROT_WRITE), 0);
    struct guarded buffer = {mapping + page + open - size - slack, size, mapping, mapped};
    memset(buffer.data, 0xff, size);
    return buffer;
}

void guarded_seal(const struct guarded *buffer)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    assert_int_equal(mprotect(buffer->mapping + page, buffer->mapped - 2 * page, PROT_READ), 0);
}

void guarded_free(struct guarded *buffer)
{
    assert_int_equal(munmap(buffer->mapping, buffer->mapped), 0);
    *buffer = (struct guarded){0};
}
