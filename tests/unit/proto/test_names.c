/* The forms of names and texts, each at its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "proto/names.h"

/* `count` times `c`, in a buffer that lives until the next call. */
static struct wire_str repeated(char c, size_t count)
{
    static char buffer[512];
    assert_in_range(count, 0, sizeof(buffer));
    memset(buffer, c, count);
    return (struct wire_str){buffer, count};
}

#define BYTES(literal) ((struct wire_str){literal, sizeof(literal) - 1})

static void test_run(void **state)
{
    assert_true(names_valid_run(BYTES("1.a_b:c-D")));
    assert_true(names_valid_run(BYTES("Z")));
    assert_true(names_valid_run(repeated('r', WIRE_RUN_MAX)));
    assert_false(names_valid_run(repeated('r', WIRE_RUN_MAX + 1)));
    assert_false(names_valid_run(BYTES("")));
    assert_false(names_valid_run(wire_str(NULL)));
    assert_false(names_valid_run(BYTES(".a")));
    assert_false(names_valid_run(BYTES("a/b")));
    assert_false(names_valid_run(BYTES("a\0b")));
    assert_false(names_valid_run(BYTES("a\n")));
    assert_false(names_valid_run(BYTES("\xC3\xA9")));
}

static void test_session(void **state)
{
    assert_true(names_valid_session(repeated('s', WIRE_SESSION_MAX)));
    assert_false(names_valid_session(repeated('s', WIRE_SESSION_MAX + 1)));
    assert_false(names_valid_session(BYTES("-s")));
}

static void test_name(void **state)
{
    assert_true(names_valid_name(BYTES("transformer.h.0.mlp/c_fc.weight")));
    assert_true(names_valid_name(BYTES("...")));
    assert_true(names_valid_name(BYTES("a/..b/c")));
    assert_true(names_valid_name(BYTES("\xE7\xA0\x94 \xF0\x9F\x98\x80")));
    assert_true(names_valid_name(BYTES("a\xC2\xA0"))); /* U+00A0 is the first after the controls */
    assert_true(names_valid_name(repeated('n', WIRE_NAME_MAX)));
    assert_false(names_valid_name(repeated('n', WIRE_NAME_MAX + 1)));
    assert_false(names_valid_name(BYTES("")));
    assert_false(names_valid_name(BYTES(".")));
    assert_false(names_valid_name(BYTES("..")));
    assert_false(names_valid_name(BYTES("../a")));
    assert_false(names_valid_name(BYTES("a/../b")));
    assert_false(names_valid_name(BYTES("a/.")));
    assert_false(names_valid_name(BYTES("/a")));
    assert_false(names_valid_name(BYTES("a//b")));
    assert_false(names_valid_name(BYTES("a/")));
    assert_false(names_valid_name(BYTES("a\nb")));
    assert_false(names_valid_name(BYTES("a\0b")));
    assert_false(names_valid_name(BYTES("a\x7F")));
    assert_false(names_valid_name(BYTES("a\xC2\x9F")));
    assert_false(names_valid_name(BYTES("a\xFF")));
}

static void test_scalar_name(void **state)
{
    assert_true(names_valid_scalar_name(BYTES("train/loss.1-a_b")));
    assert_true(names_valid_scalar_name(BYTES("gated.x")));
    assert_true(names_valid_scalar_name(BYTES("weights")));
    assert_true(names_valid_scalar_name(repeated('x', WIRE_SCALAR_NAME_MAX)));
    assert_false(names_valid_scalar_name(repeated('x', WIRE_SCALAR_NAME_MAX + 1)));
    assert_false(names_valid_scalar_name(BYTES("")));
    assert_false(names_valid_scalar_name(BYTES("1a")));
    assert_false(names_valid_scalar_name(BYTES("a b")));
    assert_false(names_valid_scalar_name(BYTES("a:b")));
    assert_false(names_valid_scalar_name(BYTES("spectral.x")));
    assert_false(names_valid_scalar_name(BYTES("sa.")));
    assert_false(names_valid_scalar_name(BYTES("activation.x")));
}

static void test_utf8(void **state)
{
    assert_true(names_valid_utf8(BYTES("")));
    assert_true(names_valid_utf8(BYTES("a\0\n\x7F")));
    assert_true(names_valid_utf8(
        BYTES("\xC2\x80\xE0\xA0\x80\xF0\x90\x80\x80"))); /* smallest of each length */
    assert_true(names_valid_utf8(BYTES("\xDF\xBF\xEF\xBF\xBF\xF4\x8F\xBF\xBF"))); /* largest */
    assert_false(names_valid_utf8(BYTES("\x80")));
    assert_false(names_valid_utf8(BYTES("\xC1\xBF")));
    assert_false(names_valid_utf8(BYTES("\xE0\x9F\xBF")));
    assert_false(names_valid_utf8(BYTES("\xF0\x8F\xBF\xBF")));
    assert_false(names_valid_utf8(BYTES("\xED\xA0\x80")));
    assert_false(names_valid_utf8(BYTES("\xF4\x90\x80\x80")));
    assert_false(names_valid_utf8(BYTES("\xF8\x88\x80\x80\x80")));
    assert_false(names_valid_utf8(BYTES("a\xE2\x82")));
    assert_false(names_valid_utf8(BYTES("\xE2\x82z")));
}

static void test_dtype(void **state)
{
    assert_int_equal(names_dtype_size(BYTES("float64")), 8);
    assert_int_equal(names_dtype_size(BYTES("float32")), 4);
    assert_int_equal(names_dtype_size(BYTES("bfloat16")), 2);
    assert_int_equal(names_dtype_size(BYTES("float16")), 2);
    assert_int_equal(names_dtype_size(BYTES("float8_e4m3fn")), 1);
    assert_int_equal(names_dtype_size(BYTES("float8_e5m2")), 1);
    assert_int_equal(names_dtype_size(BYTES("float")), 0);
    assert_int_equal(names_dtype_size(wire_str(NULL)), 0);
}

static void test_clean(void **state)
{
    char out[8];

    assert_int_equal(names_clean(out, sizeof(out), BYTES("a\nb\0c\xFF")), 6);
    assert_string_equal(out, "a?b?c?");
    assert_int_equal(names_clean(out, sizeof(out), BYTES("a\xC2\x85z")), 3);
    assert_string_equal(out, "a?z");
    assert_int_equal(
        names_clean(out, sizeof(out), BYTES("abcde\xE2\x82\xAC")), 5); /* not half a character */
    assert_string_equal(out, "abcde");
    assert_int_equal(names_clean(out, sizeof(out), BYTES("abcdefgh")), 7);
    assert_string_equal(out, "abcdefg");
    assert_int_equal(names_clean(out, 1, BYTES("a")), 0);
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run),
        cmocka_unit_test(test_session),
        cmocka_unit_test(test_name),
        cmocka_unit_test(test_scalar_name),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_dtype),
        cmocka_unit_test(test_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
