/* Characters, and what is none; texts that were cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/utf8.h"

static void test_characters(void **state)
{
    static const struct {
        const char *text;
        size_t length;
        uint32_t character;
    } cases[] = {
        {"a", 1, 'a'}, {"\x7f", 1, 0x7F}, {"\xc2\x80", 2, 0x80}, {"\xdf\xbf", 2, 0x7FF},
        {"\xe0\xa0\x80", 3, 0x800}, {"\xed\x9f\xbf", 3, 0xD7FF}, {"\xee\x80\x80", 3, 0xE000},
        {"\xf0\x90\x80\x80", 4, 0x10000}, {"\xf4\x8f\xbf\xbf", 4, 0x10FFFF},
        {"\x80", 0, 0},             /* begins none */
        {"\xc1\xbf", 0, 0},         /* overlong */
        {"\xe0\x9f\xbf", 0, 0},     /* overlong */
        {"\xf0\x8f\xbf\xbf", 0, 0}, /* overlong */
        {"\xed\xa0\x80", 0, 0},     /* a surrogate */
        {"\xf4\x90\x80\x80", 0, 0}, /* above the last */
        {"\xf8\x88\x80\x80", 0, 0}, /* five bytes */
        {"\xc3(", 0, 0},            /* does not go on */
        {"\xe2\x82", 0, 0},         /* ends within */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t character = 0;

        assert_int_equal(
            utf8_next(cases[i].text, strlen(cases[i].text), &character), cases[i].length);
        assert_int_equal(character, cases[i].character);
    }
}

static void test_a_cut_text_ends_with_a_whole_character(void **state)
{
    (void)state;
    assert_int_equal(utf8_whole("", 0), 0);
    assert_int_equal(utf8_whole("abc", 3), 3);
    for (size_t size = 1; size <= 10; size++) /* a, two bytes, three, four */
        assert_int_equal(utf8_whole("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", size), size == 10  ? 10
                                                                                    : size >= 6 ? 6
                                                                                    : size >= 3
                                                                                        ? 3
                                                                                        : 1);
    assert_int_equal(utf8_whole("\x80\x80", 2), 2); /* is none: nothing to mend */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_a_cut_text_ends_with_a_whole_character),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
