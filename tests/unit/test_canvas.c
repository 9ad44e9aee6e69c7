/* tests/unit/test_canvas.c - cells, clipping, and text of any origin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/screen.h"
#include "views/box.h"

static void test_clipping(void **state)
{
    struct screen s;
    struct wb_canvas sub;

    (void)state;
    screen_open(&s, 4, 10, WB_TIER_256, false);
    sub = wb_canvas_sub(&s.cv, 1, 2, 2, 5);
    wb_canvas_text(&sub, 0, -2, WB_STYLE_TEXT, "abcdefghijkl");
    wb_canvas_text(&sub, 1, 3, WB_STYLE_TEXT, "xyz");
    wb_canvas_text(&sub, 2, 0, WB_STYLE_TEXT, "below");
    wb_canvas_text(&sub, -1, 0, WB_STYLE_TEXT, "above");
    wb_canvas_fill(&sub, -5, 4, 100, 100, WB_STYLE_TEXT, '#');
    screen_is(&s, "\n"
                  "  cdef#\n"
                  "     x#\n"
                  "\n");
    screen_is_sound(&s);
    screen_close(&s);
}

static void test_sub(void **state)
{
    struct screen s;
    struct wb_canvas sub;

    (void)state;
    screen_open(&s, 5, 10, WB_TIER_MONO, true);
    sub = wb_canvas_sub(&s.cv, 3, 8, 10, 10);
    assert_int_equal(sub.rows, 2);
    assert_int_equal(sub.cols, 2);
    sub = wb_canvas_sub(&s.cv, -2, -3, 4, 5);
    assert_int_equal(sub.row, 0);
    assert_int_equal(sub.rows, 2);
    assert_int_equal(sub.cols, 2);
    sub = wb_canvas_sub(&s.cv, 9, 20, 4, 5);
    assert_int_equal(sub.rows, 0);
    assert_int_equal(sub.cols, 0);
    sub = wb_canvas_sub(&s.cv, INT32_MAX, INT32_MIN, INT32_MAX, INT32_MAX);
    assert_int_equal(sub.rows, 0);
    wb_canvas_text(&sub, 0, 0, WB_STYLE_TEXT, "nothing");
    wb_canvas_put(&s.cv, INT32_MAX, INT32_MAX, WB_STYLE_TEXT, 'x');
    wb_canvas_put(&s.cv, INT32_MIN, INT32_MIN, WB_STYLE_TEXT, 0x4E00);
    screen_is(&s, "\n\n\n\n\n");
    screen_close(&s);
}

static void test_columns_taken(void **state)
{
    struct screen s;

    (void)state;
    screen_open(&s, 1, 8, WB_TIER_16, false);
    assert_int_equal(wb_canvas_text(&s.cv, 0, 0, WB_STYLE_TEXT, "ab\u4e2d"), 4);
    assert_int_equal(wb_canvas_text(&s.cv, 0, 6, WB_STYLE_TEXT, "long"), 2);
    assert_int_equal(wb_canvas_text(&s.cv, 0, 9, WB_STYLE_TEXT, "out"), 0);
    assert_int_equal(wb_canvas_printf(&s.cv, 0, 0, WB_STYLE_TEXT, "%d%%", 41), 3);
    screen_is(&s, "41%   lo\n");
    screen_close(&s);
}

static void test_wide_at_edges(void **state)
{
    struct screen s;

    (void)state;
    screen_open(&s, 4, 5, WB_TIER_256, false);
    wb_canvas_text(&s.cv, 0, 0, WB_STYLE_TEXT, "\u6a21\u578b\u6a21"); /* two and a half fit */
    wb_canvas_text(&s.cv, 1, -1, WB_STYLE_TEXT, "\u6a21\u578b");
    wb_canvas_text(&s.cv, 2, 0, WB_STYLE_TEXT, "a\u6a21\u578b");
    wb_canvas_text(&s.cv, 2, 2, WB_STYLE_TEXT, "x"); /* onto a right half */
    wb_canvas_text(&s.cv, 3, 0, WB_STYLE_TEXT, "\u6a21\u578b");
    wb_canvas_text(&s.cv, 3, 1, WB_STYLE_TEXT, "\u6a21"); /* between two */
    screen_is(&s, "\u6a21\u578b>\n"
                  "<\u578b\n"
                  "a x\u578b\n"
                  " \u6a21\n");
    screen_is_sound(&s);
    screen_close(&s);
}

static void test_hostile_text(void **state)
{
    struct screen s;

    (void)state;
    screen_open(&s, 7, 20, WB_TIER_256, false);
    wb_canvas_text(&s.cv, 0, 0, WB_STYLE_TEXT, "a\033[31mb\tc\nd\x7f");
    wb_canvas_text(&s.cv, 1, 0, WB_STYLE_TEXT, "e\u0301\u200b\u202ex"); /* marks, zero width, RTL */
    wb_canvas_text(&s.cv, 2, 0, WB_STYLE_TEXT, "\xff\xfe|\xc0\xaf|\xe4\xb8");
    wb_canvas_text(&s.cv, 3, 0, WB_STYLE_TEXT, "\xed\xa0\x80|\xf4\x90\x80\x80|\xf0\x8f\xbf\xbf");
    wb_canvas_text(&s.cv, 4, 0, WB_STYLE_TEXT, "\xc2\x85|\u2028|\xef\xbf\xbe|\u00e9");
    wb_canvas_text(&s.cv, 5, 0, WB_STYLE_TEXT, "\xf0\x9f\x98\x80|"); /* U+1F600 */
    wb_canvas_text(&s.cv, 6, 0, WB_STYLE_TEXT, "");
    screen_is(&s, "a?[31mb?c?d?\n"
                  "ex\n"
                  "\?\?|\?\?|\?\?\n"
                  "\?\?\?|\?\?\?\?|\?\?\?\?\n"
                  "?|?|?|\u00e9\n"
                  "\xf0\x9f\x98\x80|\n"
                  "\n");
    screen_is_sound(&s);
    screen_close(&s);
}

static void test_ascii(void **state)
{
    struct screen s;

    (void)state;
    screen_open(&s, 4, 12, WB_TIER_16, true);
    wb_canvas_text(&s.cv, 0, 0, WB_STYLE_TEXT, "\u6a21x\u00e9\u2026");
    wb_canvas_hline(&s.cv, 1, 0, 5);
    wb_canvas_vline(&s.cv, 1, 6, 2);
    wb_canvas_put(&s.cv, 1, 5, WB_STYLE_BORDER, 0x253C);
    wb_canvas_text(&s.cv, 2, 0, WB_STYLE_TEXT, "\u2581\u2584\u2588");
    wb_canvas_text(&s.cv, 3, 11, WB_STYLE_TEXT, "\u6a21");
    screen_is(&s, "\?\?x?.\n"
                  "-----+|\n"
                  ".=#   |\n"
                  "           ?\n");
    screen_is_sound(&s);
    screen_close(&s);
}

static const char *fitted(const char *text, int width, bool ascii)
{
    static char out[256];

    return wb_text_fit(out, sizeof out, text, width, ascii);
}

static void test_cut_in_the_middle(void **state)
{
    char small[8];

    (void)state;
    assert_string_equal(fitted("model.layers.7.self_attn.q_proj.weight", 21, false),
                        "model...q_proj.weight");
    assert_string_equal(fitted("short", 5, false), "short");
    assert_string_equal(fitted("abcdefghijkl", 8, true), "a...ijkl");
    assert_string_equal(fitted("abcdefghijkl", 6, false), "a\u2026ijkl");
    assert_string_equal(fitted("abcdefghijkl", 6, true), "a.ijkl");
    assert_string_equal(fitted("abcdefghijkl", 1, true), ".");
    assert_string_equal(fitted("abc", 0, true), "");
    assert_string_equal(fitted("abc", -3, true), "");
    assert_string_equal(fitted("\u6a21\u578b\u6a21\u578b", 6, false), "\u2026\u6a21\u578b");
    assert_string_equal(fitted("\u6a21", 2, true), "??");
    /* A buffer that is too small cuts between characters. */
    assert_string_equal(wb_text_fit(small, 5, "\u6a21\u578b\u6a21", 6, false), "\u6a21");
}

static void test_fit(void **state)
{
    struct screen s;

    (void)state;
    screen_open(&s, 3, 14, WB_TIER_256, false);
    wb_canvas_fill(&s.cv, 0, 0, 3, 14, WB_STYLE_TEXT, '~');
    wb_canvas_fit(&s.cv, 0, 1, 8, WB_ALIGN_RIGHT, WB_STYLE_TEXT, "12.5");
    wb_canvas_fit(&s.cv, 1, 1, 8, WB_ALIGN_LEFT, WB_STYLE_TEXT, "abcdefghijklmn");
    wb_canvas_fit(&s.cv, 2, 1, -2, WB_ALIGN_LEFT, WB_STYLE_TEXT, "abc");
    screen_is(&s, "~    12.5~~~~~\n"
                  "~a...klmn~~~~~\n"
                  "~~~~~~~~~~~~~~\n");
    screen_close(&s);
}

static void test_widths(void **state)
{
    (void)state;
    assert_int_equal(wb_char_width('a'), 1);
    assert_int_equal(wb_char_width(0xE9), 1);
    assert_int_equal(wb_char_width(0x301), 0);
    assert_int_equal(wb_char_width(0x1100), 2);
    assert_int_equal(wb_char_width(0x1161), 0);
    assert_int_equal(wb_char_width(0xAC00), 2);
    assert_int_equal(wb_char_width(0xFF21), 2);
    assert_int_equal(wb_char_width(0xFF71), 1);
    assert_int_equal(wb_char_width(0x1F600), 2);
    assert_int_equal(wb_char_width(0x20000), 2);
    assert_int_equal(wb_char_width(0x2580), 1);
    assert_int_equal(wb_char_width(0xFE0F), 0);
    assert_int_equal(wb_char_width(0x1B), -1);
    assert_int_equal(wb_char_width(0x9B), -1);
    assert_int_equal(wb_char_width(0xD800), -1);
    assert_int_equal(wb_char_width(0x110000), -1);
    assert_int_equal(wb_text_width("a\u6a21e\u0301\xff"), 5);
}

/* Every character comes back from its UTF-8. */
static void test_encoding(void **state)
{
    (void)state;
    for (uint32_t ch = 1; ch < 0x110000; ch++) {
        char bytes[5];
        const char *at = bytes;
        int width;

        if (wb_char_width(ch) <= 0)
            continue;
        wb_char_encode(ch, bytes);
        assert_int_equal(wb_text_next(&at, &width), ch);
        assert_int_equal(width, wb_char_width(ch));
        assert_int_equal(*at, '\0');
    }
}

static void test_restyle(void **state)
{
    struct screen s;
    struct wb_str out = { 0 };

    (void)state;
    screen_open(&s, 2, 6, WB_TIER_256, false);
    wb_canvas_text(&s.cv, 0, 0, WB_STYLE_ERROR, "ab");
    wb_canvas_put_coloured(&s.cv, 0, 2, s.theme.sequential.colour[3], s.theme.sequential.colour[7],
                           0, 0x2580);
    wb_canvas_put_coloured(&s.cv, 0, 3, 9, WB_COLOUR_NONE, 0, '*');
    wb_canvas_add_attrs(&s.cv, 0, 1, 1, WB_ATTR_BOLD);
    wb_canvas_restyle(&s.cv, 1, 1, -1, WB_STYLE_CURSOR);
    wb_surface_dump(&s.surface, &s.theme, true, &out);
    assert_string_equal(out.text, "ab\u2580*\n"
                                  "\n"
                                  "-- styles\n"
                                  "e!\n"
                                  ".CCCCC\n"
                                  "-- levels\n"
                                  "  3~\n"
                                  "  7~\n"
                                  "\n"
                                  "\n");
    wb_canvas_restyle(&s.cv, 0, 2, 2, WB_STYLE_TEXT);
    assert_int_equal(s.surface.cell[2].fg, WB_COLOUR_NONE);
    assert_int_equal(s.surface.cell[2].ch, 0x2580);
    wb_str_free(&out);
    screen_close(&s);
}

static void test_cursor(void **state)
{
    struct screen s;
    struct wb_canvas sub;

    (void)state;
    screen_open(&s, 5, 10, WB_TIER_MONO, false);
    assert_int_equal(s.surface.cursor_row, -1);
    sub = wb_canvas_sub(&s.cv, 2, 3, 2, 4);
    wb_canvas_cursor(&sub, 5, 0);
    assert_int_equal(s.surface.cursor_row, -1);
    wb_canvas_cursor(&sub, 1, 2);
    assert_int_equal(s.surface.cursor_row, 3);
    assert_int_equal(s.surface.cursor_col, 5);
    screen_close(&s);
}

static void test_panes(void **state)
{
    struct screen s;
    struct wb_canvas left, right, inner, top, bottom;

    (void)state;
    screen_open(&s, 4, 24, WB_TIER_256, false);
    wb_pane_split(&s.cv, 14, &left, &right);
    inner = wb_pane_begin(&left, "models", true);
    wb_pane_note(&left, "models", "2/4");
    wb_canvas_text(&inner, 0, 0, WB_STYLE_TEXT, "tiny-base and more");
    wb_pane_begin(&right, "a long title", false);
    wb_pane_note(&right, "a long title", "1/1");
    wb_pane_stack(&inner, 1, &top, &bottom);
    wb_canvas_text(&bottom, 0, 0, WB_STYLE_TEXT, "below");
    screen_is_file(&s, "panes");
    wb_pane_split(&s.cv, 30, &left, &right);
    assert_int_equal(right.cols, 0);
    assert_int_equal(left.cols, 24);
    screen_close(&s);
}

/* Bytes of every kind at places in and around windows of every size. */
static void test_random_bytes(void **state)
{
    struct screen s;
    char text[64];

    (void)state;
    srand(7);
    for (int round = 0; round < 20000; round++) {
        int n = rand() % (int)sizeof text, row = rand() % 12 - 2, col = rand() % 40 - 10;
        struct wb_canvas sub;

        if (round % 1000 == 0) {
            if (round > 0)
                screen_close(&s);
            screen_open(&s, 8, 1 + rand() % 30, (enum wb_tier)(rand() % 4), rand() % 2 == 0);
        }
        for (int i = 0; i < n; i++)
            text[i] = (char)(rand() % 3 == 0 ? rand() : rand() % 2 ? 0xE4 + rand() % 6 : 0x80);
        text[n == 0 ? 0 : n - 1] = '\0';
        sub = wb_canvas_sub(&s.cv, rand() % 4, rand() % 12, rand() % 6, rand() % 20);
        wb_canvas_text(round % 2 == 0 ? &s.cv : &sub, row, col, WB_STYLE_TEXT, text);
        wb_canvas_fit(&sub, row, col, rand() % 20, WB_ALIGN_RIGHT, WB_STYLE_MARK, text);
        wb_canvas_put(&sub, row, col, WB_STYLE_TEXT, (uint32_t)rand());
        screen_is_sound(&s);
    }
    screen_close(&s);
}

static void test_svg(void **state)
{
    struct screen s;
    struct wb_str out = { 0 };

    (void)state;
    screen_open(&s, 2, 12, WB_TIER_256, false);
    wb_canvas_text(&s.cv, 0, 0, WB_STYLE_ERROR, "a<b> & c");
    wb_canvas_put_coloured(&s.cv, 1, 0, WB_COLOUR_RGB | 0x123456, WB_COLOUR_RGB | 0x654321, 0,
                           0x2580);
    wb_surface_svg(&s.surface, &s.theme, "<t\033>", &out);
    assert_non_null(strstr(out.text, "<title>&lt;t?&gt;</title>"));
    assert_non_null(strstr(out.text, ">a&lt;b&gt;</text>"));
    assert_non_null(strstr(out.text, ">&amp;</text>"));
    assert_non_null(strstr(out.text, "fill=\"#123456\""));
    assert_non_null(strstr(out.text, "fill=\"#654321\""));
    assert_string_equal(out.text + out.len - 7, "</svg>\n");
    wb_str_free(&out);
    screen_close(&s);
}

static void test_resize(void **state)
{
    struct wb_surface s = { 0 };
    struct wb_err err;

    (void)state;
    assert_true(wb_surface_resize(&s, 0, 0, &err));
    assert_false(wb_surface_resize(&s, -1, 4, &err));
    assert_int_equal(err.code, WB_EARG);
    assert_true(wb_surface_resize(&s, 3, 3, &err));
    assert_int_equal(s.cell[8].ch, ' ');
    wb_surface_free(&s);
    assert_null(s.cell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clipping),
        cmocka_unit_test(test_sub),
        cmocka_unit_test(test_columns_taken),
        cmocka_unit_test(test_wide_at_edges),
        cmocka_unit_test(test_hostile_text),
        cmocka_unit_test(test_ascii),
        cmocka_unit_test(test_cut_in_the_middle),
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_widths),
        cmocka_unit_test(test_encoding),
        cmocka_unit_test(test_restyle),
        cmocka_unit_test(test_cursor),
        cmocka_unit_test(test_panes),
        cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_svg),
        cmocka_unit_test(test_resize),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
