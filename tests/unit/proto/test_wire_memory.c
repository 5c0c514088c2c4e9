/* The C codec when memory is short: allocations are made to fail one by one (linked with --wrap).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/wire.h"
#include "proto/wire_decode.h"
#include "proto/wire_encode.h"

static int allocations_left; /* before one fails */

static bool fails(void)
{
    return allocations_left-- == 0;
}

msgpack_zone *__real_msgpack_zone_new(size_t size);
msgpack_zone *__wrap_msgpack_zone_new(size_t size);
void *__real_msgpack_zone_malloc_expand(msgpack_zone *zone, size_t size);
void *__wrap_msgpack_zone_malloc_expand(msgpack_zone *zone, size_t size);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);

msgpack_zone *__wrap_msgpack_zone_new(size_t size)
{
    return fails() ? NULL : __real_msgpack_zone_new(size);
}

void *__wrap_msgpack_zone_malloc_expand(msgpack_zone *zone, size_t size)
{
    return fails() ? NULL : __real_msgpack_zone_malloc_expand(zone, size);
}

/* Compilers turn a realloc of NULL into this. */
void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

/* A message with more elements than fit where the decoder's storage begins. */
static struct wire_message big_message(enum wire_type type)
{
    static struct wire_tag tags[WIRE_TAGS_MAX];
    static struct wire_scalar scalars[WIRE_SCALARS_MAX];
    static struct wire_str layers[WIRE_ALERT_LAYERS_MAX];
    static char names[WIRE_SCALARS_MAX][8];
    struct wire_message message = {.type = type};

    for (int i = 0; i < (int)WIRE_SCALARS_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "n%d", i);
        scalars[i] = (struct wire_scalar){wire_str(names[i]), i};
        if (i < (int)WIRE_TAGS_MAX)
            tags[i] = (struct wire_tag){wire_str(names[i]), wire_str("")};
        if (i < (int)WIRE_ALERT_LAYERS_MAX)
            layers[i] = wire_str(names[i]);
    }
    if (type == WIRE_SCALARS) {
        message.u.scalars = (struct wire_scalars){1, scalars, WIRE_SCALARS_MAX};
    } else if (type == WIRE_HELLO) {
        message.u.hello = (struct wire_hello){.version = 1,
            .run = wire_str("r"),
            .session = wire_str("s"),
            .world = 1,
            .tags = tags,
            .tags_count = WIRE_TAGS_MAX};
    } else {
        message.u.alert = (struct wire_alert){.severity = wire_str("warning"),
            .state = wire_str("firing"),
            .layers = layers,
            .layers_count = WIRE_ALERT_LAYERS_MAX};
    }
    return message;
}

static void check_decode(enum wire_type type)
{
    struct wire_message message = big_message(type), decoded;
    struct wire_fault fault;
    void *header;
    size_t size;
    int failures = 0;

    allocations_left = -1;
    assert_int_equal(wire_encode(&message, &header, &size), 0);
    for (;; failures++) {
        allocations_left = failures;
        if (wire_decode(header, size, &decoded, &fault) == 0)
            break;
        assert_int_equal(fault.code, WIRE_CODE_BUDGET);
    }
    assert_in_range(failures, 2, 100);
    assert_int_equal(decoded.type, type);
    wire_message_free(&decoded);
    free(header);
}

static void test_decode(void **state)
{
    check_decode(WIRE_SCALARS);
    check_decode(WIRE_HELLO);
    check_decode(WIRE_ALERT);
}

static void test_encode(void **state)
{
    struct wire_message message = big_message(WIRE_SCALARS);
    void *header = NULL;
    size_t size;

    allocations_left = 0;
    assert_int_equal(wire_encode(&message, &header, &size), -1);
    assert_null(header);
    allocations_left = -1;
    assert_int_equal(wire_encode(&message, &header, &size), 0);
    free(header);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_encode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
