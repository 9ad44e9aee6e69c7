/* tests/tui/test_vt.c - the tests' own terminal, where it could make a screen look right that is
 * not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <string.h>

#include "tests/tui/vt.h"

/* A screen of 4 x 10 after these bytes, fed whole and one by one. */
static void expect_on(const char *bytes, const char *want)
{
    for (int pieces = 0; pieces < 2; pieces++) {
        struct wb_str got = { 0 };
        struct vt vt;

        vt_init(&vt, 4, 10);
        for (size_t i = 0; pieces && i < strlen(bytes); i++)
            assert_true(vt_feed(&vt, bytes + i, 1));
        if (!pieces)
            assert_true(vt_feed(&vt, bytes, strlen(bytes)));
        vt_dump(&vt, &got);
        assert_string_equal(got.text, want);
        wb_str_free(&got);
        vt_free(&vt);
    }
}

static void test_moves(void **state)
{
    (void)state;
    expect_on("a\033[2;3Hb\033[4Gc\033[4dd", "a\n  bc\n\n    d\n");
    expect_on("\033[99;99Hz\033[A\033[3Dy\033[1Bx", "\n\n      y\n       x z\n");
    expect_on("0123456789a\r\nb", "0123456789\na\nb\n\n"); /* wraps when the next one comes */
    expect_on("\033[?7l0123456789a\033[?7h", "012345678a\n\n\n\n");
    expect_on("1\r\n2\r\n3\r\n4\r\n5", "2\n3\n4\n5\n");
    expect_on("a\tb\033[Zc", "a       c\n\n\n\n");
}

static void test_erasing_and_shifting(void **state)
{
    (void)state;
    expect_on("abcdef\033[1;3H\033[K", "ab\n\n\n\n");
    expect_on("abcdef\033[1;3H\033[1K", "   def\n\n\n\n");
    expect_on("abcdef\033[1;3H\033[2X", "ab  ef\n\n\n\n");
    expect_on("abcdef\033[1;3H\033[2P", "abef\n\n\n\n");
    expect_on("abcdefghij\033[1;3H\033[2@", "ab  cdefgh\n\n\n\n");
    expect_on("abc\033[1;2H\033[4hx\033[4l", "axbc\n\n\n\n");
    expect_on("1\r\n2\r\n3\r\n4\033[2;1H\033[L", "1\n\n2\n3\n");
    expect_on("1\r\n2\r\n3\r\n4\033[2;1H\033[M", "1\n3\n4\n\n");
    expect_on("1\r\n2\r\n3\r\n4\033[2;3r\033[3;1H\n", "1\n3\n\n4\n");
    expect_on("a\033[4b", "aaaaa\n\n\n\n");
    expect_on("a\r\nb\r\nc\033[2;1H\033[J", "a\n\n\n\n");
}

/* Half of a wide character is never left behind. */
static void test_wide(void **state)
{
    (void)state;
    expect_on("a\xe6\xbc\xa2z\033[1;2Hx", "ax z\n\n\n\n");
    expect_on("a\xe6\xbc\xa2z\033[1;3Hx", "a xz\n\n\n\n");
    expect_on("a\xe6\xbc\xa2z\033[1;3H\033[K", "a\n\n\n\n");
    expect_on("012345678\xe6\xbc\xa2", "012345678\n\xe6\xbc\xa2\n\n\n");
}

static void test_alternate_screen(void **state)
{
    (void)state;
    expect_on("shell\033[?1049h\033[2;1Hwork\033[?1049l$", "shell$\n\n\n\n");
    expect_on("shell\033[?1049h\033[2;1Hwork", "\nwork\n\n\n");
}

static void test_colours(void **state)
{
    static const char bytes[] = "\033[1;31;48;5;200ma\033[39mb\033[0mc\033[38:2::1:2:3md\033[93m";
    struct vt vt;

    (void)state;
    vt_init(&vt, 2, 10);
    assert_true(vt_feed(&vt, bytes, strlen(bytes)));
    assert_int_equal(vt_at(&vt, 0, 0)->fg, 1);
    assert_int_equal(vt_at(&vt, 0, 0)->bg, 200);
    assert_int_equal(vt_at(&vt, 0, 0)->attrs, VT_BOLD);
    assert_int_equal(vt_at(&vt, 0, 1)->fg, VT_DEFAULT);
    assert_int_equal(vt_at(&vt, 0, 1)->bg, 200);
    assert_int_equal(vt_at(&vt, 0, 2)->bg, VT_DEFAULT);
    assert_int_equal(vt_at(&vt, 0, 2)->attrs, 0);
    assert_int_equal(vt_at(&vt, 0, 3)->fg, VT_RGB | 0x010203);
    assert_int_equal(vt.pen.fg, 11);
    vt_free(&vt);
}

static void test_unknown(void **state)
{
    static const char *const bytes[] = { "\033[5y",  "\033[?9999h", "\033Q",     "\033]0;title\a",
                                         "\033[58m", "\001",        "\xff",      "\033[>1c",
                                         "\033(X",   "\033[20h",    "\033[1;2 q" };

    (void)state;
    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
        struct vt vt;

        vt_init(&vt, 4, 10);
        if (vt_feed(&vt, bytes[i], strlen(bytes[i])))
            fail_msg("number %zu is taken for something known", i);
        assert_true(vt.unknown[0] != '\0');
        assert_false(vt_feed(&vt, "a", 1));
        vt_free(&vt);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moves),   cmocka_unit_test(test_erasing_and_shifting),
        cmocka_unit_test(test_wide),    cmocka_unit_test(test_alternate_screen),
        cmocka_unit_test(test_colours), cmocka_unit_test(test_unknown),
    };

    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
