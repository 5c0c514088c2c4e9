/* One tensor from its pieces: what goes on where the last ended, what does not, and what is skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/ingest/assembly.h"

#define BYTES 24000u /* [60, 100] of float32 */

static _Atomic uint64_t account;

static struct wire_tensor header_at(uint64_t offset)
{
    return (struct wire_tensor){.tensor = 7,
        .kind = WIRE_WEIGHTS,
        .layer = 1,
        .step = 10,
        .dtype = wire_str("float32"),
        .shape = {60, 100},
        .offset = offset,
        .total = BYTES};
}

/* Adds `size` bytes of `value`, as a frame of ZeroMQ's. */
static void add(struct assembly *assembly, size_t size, unsigned char value)
{
    zmq_msg_t payload;

    zmq_msg_init_size(&payload, size);
    memset(zmq_msg_data(&payload), value, size);
    assert_int_equal(assembly_add(assembly, &payload), 0);
    zmq_msg_close(&payload);
}

static void start(struct assembly *assembly)
{
    struct wire_tensor header = header_at(0);

    assembly_start(assembly, &header, tensor_new(BYTES, &account));
}

static void test_pieces_make_the_tensor(void **state)
{
    struct assembly assembly = {0};
    const unsigned char *data;
    struct tensor *tensor;

    (void)state;
    start(&assembly);
    add(&assembly, 4000, 1); /* is copied out of ZeroMQ's arena */
    assert_null(assembly_finish(&assembly));
    add(&assembly, 20000, 2); /* is kept as it is */
    tensor = assembly_finish(&assembly);
    assert_non_null(tensor);
    assert_int_equal(assembly.state, ASSEMBLY_IDLE);
    data = tensor_data(tensor);
    assert_int_equal(data[3999], 1);
    assert_int_equal(data[4000], 2);
    assert_int_equal(data[BYTES - 1], 2);
    assert_int_equal(account, BYTES);
    tensor_free(tensor);
    assert_int_equal(account, 0);
}

static void test_the_total_is_what_shape_and_dtype_make(void **state)
{
    struct wire_tensor header = header_at(0);
    struct wire_fault fault;

    (void)state;
    assert_int_equal(assembly_check_total(&header, BYTES, &fault), 0);
    assert_int_equal(assembly_check_total(&header, BYTES - 1, &fault), -1);
    assert_int_equal(fault.code, WIRE_CODE_TENSOR_TOO_LARGE);
    header.total++;
    assert_int_equal(assembly_check_total(&header, UINT64_MAX, &fault), -1);
    assert_int_equal(fault.code, WIRE_CODE_TENSOR_MISMATCH);
    header.shape[0] = header.shape[1] = UINT64_MAX / 2;
    assert_int_equal(assembly_check_total(&header, UINT64_MAX, &fault), -1);
}

static void assert_refused(const struct assembly *assembly, const struct wire_tensor *header,
    size_t size, const char *field)
{
    struct wire_fault fault;

    assert_int_equal(assembly_check_piece(assembly, header, size, &fault), -1);
    assert_int_equal(fault.code, WIRE_CODE_TENSOR_MISMATCH);
    assert_string_equal(fault.field, field);
}

static void test_a_piece_goes_on_where_the_last_ended(void **state)
{
    struct assembly assembly = {0};
    struct wire_tensor header = header_at(4000);
    struct wire_fault fault;

    (void)state;
    start(&assembly);
    add(&assembly, 4000, 1);
    assert_int_equal(assembly_check_piece(&assembly, &header, 20000, &fault), 0);
    assert_refused(&assembly, &header, 20001, "payload");
    assert_refused(&assembly, &header, 0, "payload");
    header.offset = 8000;
    assert_refused(&assembly, &header, 100, "offset");
    header = header_at(4000);
    header.step++;
    assert_refused(&assembly, &header, 100, "offset");
    header = header_at(4000);
    header.dtype = wire_str("bfloat16");
    assert_refused(&assembly, &header, 100, "offset");
    assembly_reset(&assembly);
    assert_int_equal(account, 0);
}

static void test_what_is_given_up_is_skipped(void **state)
{
    struct assembly assembly = {0};
    struct wire_tensor header = header_at(8000);

    (void)state;
    start(&assembly);
    assert_false(assembly_skips(&assembly, &header));
    assembly_skip(&assembly, assembly.header.tensor);
    assert_int_equal(account, 0);
    assert_true(assembly_skips(&assembly, &header));
    header.tensor++;
    assert_false(assembly_skips(&assembly, &header));
    start(&assembly); /* another one begins */
    assert_int_equal(assembly.state, ASSEMBLY_RECEIVING);
    assembly_reset(&assembly);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_make_the_tensor),
        cmocka_unit_test(test_the_total_is_what_shape_and_dtype_make),
        cmocka_unit_test(test_a_piece_goes_on_where_the_last_ended),
        cmocka_unit_test(test_what_is_given_up_is_skipped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
