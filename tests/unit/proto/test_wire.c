/* The C codec beyond the vectors: the texts of faults, bounds of the scanner, and what the encoder
 * refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "proto/wire.h"
#include "proto/wire_decode.h"
#include "proto/wire_encode.h"
#include "proto/wire_scan.h"

static void decode_bad(const void *header, size_t size, struct wire_fault *fault)
{
    struct wire_message message;
    assert_int_equal(wire_decode(header, size, &message, fault), -1);
}

#define DECODE_BAD(literal, fault) decode_bad(literal, sizeof(literal) - 1, fault)

static void test_fault_names_what_was_wrong(void **state)
{
    struct wire_fault fault;

    DECODE_BAD("\x83\xA4type\xA7scalars\xA4step\xD0\xFF\xA6values\x80", &fault);
    assert_int_equal(fault.code, WIRE_CODE_BAD_FIELD);
    assert_string_equal(fault.field, "step");
    assert_string_equal(fault.value, "-1");
    assert_string_equal(fault.expected, "an integer from 0 to 9007199254740991");
    assert_string_equal(fault.about, "scalars");

    DECODE_BAD("\x82\xA4type\xA5hello\xA7version\x09", &fault);
    assert_int_equal(fault.code, WIRE_CODE_VERSION);
    assert_string_equal(fault.value, "9");
    assert_string_equal(fault.expected, "protocol version 1");

    DECODE_BAD("\x81\xA4type\xA3"
               "bye",
        &fault);
    assert_string_equal(fault.field, "dropped");
    assert_string_equal(fault.value, "(missing)");
    assert_string_equal(fault.about, "bye");

    DECODE_BAD("\x91\x01", &fault);
    assert_int_equal(fault.code, WIRE_CODE_BAD_HEADER);
    assert_string_equal(fault.value, "2 bytes");
    assert_string_equal(fault.about, "");
}

/* A rewind whose step is `size` bytes of MessagePack: how its fault shows them. */
static void assert_shown(const char *step, size_t size, const char *text)
{
    static const char head[] = "\x82\xA4type\xA6rewind\xA4step";
    char header[1024];
    struct wire_fault fault;

    assert_in_range(size, 1, sizeof(header) - sizeof(head));
    memcpy(header, head, sizeof(head) - 1);
    memcpy(header + sizeof(head) - 1, step, size);
    decode_bad(header, sizeof(head) - 1 + size, &fault);
    assert_string_equal(fault.field, "step");
    assert_string_equal(fault.value, text);
}

#define ASSERT_SHOWN(step, text) assert_shown(step, sizeof(step) - 1, text)

static void test_fault_shows_values(void **state)
{
    ASSERT_SHOWN("\xC0", "nil");
    ASSERT_SHOWN("\xC3", "true");
    ASSERT_SHOWN("\xCB\x3F\xE0\0\0\0\0\0\0", "0.5");
    ASSERT_SHOWN("\xCA\x7F\xC0\0\0", "nan");
    ASSERT_SHOWN("\xCF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", "18446744073709551615");
    ASSERT_SHOWN("\xD3\x80\0\0\0\0\0\0\0", "-9223372036854775808");
    ASSERT_SHOWN("\xC4\x03"
                 "abc",
        "3 bytes of binary");
    ASSERT_SHOWN("\x81\xA1x\x01", "a map of 1");
    ASSERT_SHOWN("\x93\x01\x90\xA1x", "[1, an array of 0, x]");
    ASSERT_SHOWN("\x95\x01\x01\x01\x01\x01", "an array of 5");
    ASSERT_SHOWN("\xA5"
                 "a\x1B[1\xFF",
        "a?[1?");
}

static void test_fault_cuts_values(void **state)
{
    char step[2 + 200] = "\xD9\xC8";
    char shown[129] = {0};

    memset(step + 2, 'y', 200);
    memset(shown, 'y', 128);
    assert_shown(step, sizeof(step), shown);

    memcpy(step + 2 + 127, "\xC3\xA9", 2); /* of a character that does not fit, nothing is left */
    shown[127] = '\0';
    assert_shown(step, sizeof(step), shown);
}

static void test_fault_about_a_long_type(void **state)
{
    struct wire_fault fault;
    DECODE_BAD("\x81\xA4type\xD9\x28"
               "0123456789012345678901234567890123456789",
        &fault);
    assert_int_equal(fault.code, WIRE_CODE_UNKNOWN_TYPE);
    assert_string_equal(fault.about, "0123456789012345678901234567890");
    assert_string_equal(fault.value, "0123456789012345678901234567890123456789");
}

static void test_scan_depth(void **state)
{
    assert_int_equal(wire_scan("\x80", 1), 0);
    assert_int_equal(wire_scan("\x81\xA1x\x91\x91\x90", 6), 0);
    assert_int_equal(wire_scan("\x81\xA1x\x91\x91\x91\x90", 7), -1);
    assert_int_equal(wire_scan("\x81\xA1x\x81\xA1x\x81\xA1x\x80", 10), 0);
    assert_int_equal(wire_scan("\x81\xA1x\x81\xA1x\x81\xA1x\x81\xA1x\x80", 13), -1);
}

static void test_scan_counts(void **state)
{
    assert_int_equal(wire_scan("\xDE\0\1\xA1x\xC0", 6), 0);
    assert_int_equal(wire_scan("\xDE\0\2\xA1x\xC0", 6), -1);
    assert_int_equal(wire_scan("\xDF\xFF\xFF\xFF\xFF\xA1x\xC0", 8), -1);
    assert_int_equal(wire_scan("\x81\xA1x\xDC\xFF\xFF\xC0", 7), -1);
    assert_int_equal(wire_scan("\x81\xA1x\xC6\xFF\xFF\xFF\xFF\xC0", 9), -1);
    assert_int_equal(wire_scan("", 0), -1);
}

static void test_scan_size(void **state)
{
    /* {"x": "yyy..."} in a str32 */
    size_t size = WIRE_HEADER_MAX;
    char *header = malloc(size + 1);
    assert_non_null(header);
    memset(header, 'y', size + 1);
    memcpy(header, "\x81\xA1x\xDB\0\0\xFF\xF8", 8);
    assert_int_equal(wire_scan(header, size), 0);
    header[7] = '\xF9';
    assert_int_equal(wire_scan(header, size + 1), -1);
    free(header);
}

/* Not one lead byte but those of the table announces what it should: each with nothing behind it
 * and with enough. */
static void test_scan_lead_bytes(void **state)
{
    static const int size_of[] = {
        1, -1, 1, 1, 2, 3, 5, -1, -1, -1, 5, 9, 2, 3, 5, 9, 2, 3, 5, 9, /* 0xC0 to 0xD3 */
        -1, -1, -1, -1, -1, 2, 3, 5, 3, 5, 3, 5, /* to 0xDF; empty strings, maps, arrays */
    };
    for (int lead = 0xC0; lead <= 0xDF; lead++) {
        uint8_t header[16] = {0x81, 0xA1, 'x', (uint8_t)lead};
        for (int size = 1; size <= 9; size++)
            assert_int_equal(
                wire_scan(header, 3 + (size_t)size), size == size_of[lead - 0xC0] ? 0 : -1);
    }
}

static void test_encode_refuses_above_the_limit(void **state)
{
    char *summary = malloc(WIRE_HEADER_MAX);
    assert_non_null(summary);
    memset(summary, 'x', WIRE_HEADER_MAX);
    struct wire_message message = {.type = WIRE_ALERT};
    message.u.alert.summary = (struct wire_str){summary, WIRE_HEADER_MAX};
    void *out = NULL;
    size_t size;
    assert_int_equal(wire_encode(&message, &out, &size), -1);
    assert_null(out);

    message.u.alert.summary.len = WIRE_HEADER_MAX - 200;
    message.u.alert.severity = wire_str("warning");
    message.u.alert.state = wire_str("firing");
    assert_int_equal(wire_encode(&message, &out, &size), 0);
    assert_in_range(size, WIRE_HEADER_MAX - 200, WIRE_HEADER_MAX);
    free(out);
    free(summary);
}

static void test_encode_spelled_out(void **state)
{
    struct wire_message message = {.type = WIRE_PULSE, .u.dropped = 300};
    void *out;
    size_t size;
    assert_int_equal(wire_encode(&message, &out, &size), 0);
    assert_int_equal(size, 23);
    assert_memory_equal(out,
        "\x82\xA4type\xA5pulse\xA7"
        "dropped\xCD\x01\x2C",
        23);
    free(out);
}

static void test_message_names(void **state)
{
    assert_string_equal(wire_type_name(WIRE_HELLO), "hello");
    assert_string_equal(wire_type_name(WIRE_CLOSING), "closing");
    assert_string_equal(wire_type_name(WIRE_TYPE_COUNT), "unknown");
    assert_string_equal(wire_code_name(WIRE_CODE_NONE), "none");
    assert_string_equal(wire_code_name(WIRE_CODE_BAD_HEADER), "bad_header");
    assert_string_equal(wire_code_name(WIRE_CODE_BASELINE_DAMAGED), "baseline_damaged");
    assert_string_equal(wire_code_name(WIRE_CODE_COUNT), "unknown");
    assert_true(wire_str_equal(wire_str("a"), "a"));
    assert_false(wire_str_equal(wire_str("a"), "ab"));
    assert_false(wire_str_equal(wire_str(NULL), ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fault_names_what_was_wrong),
        cmocka_unit_test(test_fault_shows_values),
        cmocka_unit_test(test_fault_cuts_values),
        cmocka_unit_test(test_fault_about_a_long_type),
        cmocka_unit_test(test_scan_depth),
        cmocka_unit_test(test_scan_counts),
        cmocka_unit_test(test_scan_size),
        cmocka_unit_test(test_scan_lead_bytes),
        cmocka_unit_test(test_encode_refuses_above_the_limit),
        cmocka_unit_test(test_encode_spelled_out),
        cmocka_unit_test(test_message_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
