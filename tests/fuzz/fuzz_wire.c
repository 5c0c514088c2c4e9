/* Fuzzes the wire codec: whatever decodes must encode to bytes that decode and encode to
 * themselves. */
#include "proto/names.h"
#include "proto/wire_decode.h"
#include "proto/wire_encode.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "proto/wire.h"

static void encode(const struct wire_message *message, void **out, size_t *size)
{
    if (wire_encode(message, out, size) < 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_message message, again;
    struct wire_fault fault;
    void *first, *second;
    size_t first_size, second_size;

    if (wire_decode(data, size, &message, &fault) < 0) {
        if (fault.code == WIRE_CODE_NONE || !names_valid_utf8(wire_str(fault.value)))
            abort();
        return 0;
    }
    encode(&message, &first, &first_size);
    wire_message_free(&message);

    if (wire_decode(first, first_size, &again, &fault) < 0)
        abort();
    encode(&again, &second, &second_size);
    wire_message_free(&again);

    if (first_size != second_size || memcmp(first, second, first_size) != 0)
        abort();
    free(first);
    free(second);
    return 0;
}
