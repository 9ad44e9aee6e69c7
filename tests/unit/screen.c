/* tests/unit/screen.c - comparing screens. */
#include "tests/unit/screen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void screen_open(struct screen *s, int rows, int cols, enum wb_tier tier, bool ascii)
{
    *s = (struct screen){ 0 };
    wb_theme_init(&s->theme, tier, ascii);
    assert_true(wb_surface_resize(&s->surface, rows, cols, NULL));
    s->cv = wb_canvas_of(&s->surface, &s->theme);
}

void screen_close(struct screen *s)
{
    wb_surface_free(&s->surface);
}

static char *dump(const struct screen *s, bool styles)
{
    struct wb_str out = { 0 };

    wb_surface_dump(&s->surface, &s->theme, styles, &out);
    assert_false(out.failed);
    return out.text;
}

void screen_is(const struct screen *s, const char *expected)
{
    char *text = dump(s, false);

    assert_string_equal(text, expected);
    free(text);
}

static char *read_all(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct wb_str text = { 0 };
    char block[4096];
    size_t n;

    if (f == NULL)
        fail_msg("%s is not there; write it with WB_GOLDEN=1 and read it", path);
    while ((n = fread(block, 1, sizeof block, f)) > 0)
        wb_str_add_n(&text, block, n);
    fclose(f);
    return text.text;
}

static void write_all(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

void screen_is_file(const struct screen *s, const char *name)
{
    const char *golden = getenv("WB_GOLDEN");
    char *text = dump(s, true), path[256];

    snprintf(path, sizeof path, "tests/data/screens/%s.txt", name);
    if (golden != NULL && golden[0] == '1') {
        write_all(path, text);
    } else {
        char *expected = read_all(path);

        if (strcmp(text, expected) != 0)
            print_error("%s:\n%s", path, text);
        assert_string_equal(text, expected);
        free(expected);
    }
    free(text);
}

void screen_is_sound(const struct screen *s)
{
    for (int r = 0; r < s->surface.rows; r++)
        for (int c = 0; c < s->surface.cols; c++) {
            const struct wb_cell *cell = &s->surface.cell[r * s->surface.cols + c];
            bool last = c + 1 == s->surface.cols;

            if (cell->ch == 0) {
                assert_true(c > 0 && wb_char_width(cell[-1].ch) == 2);
                continue;
            }
            assert_true(wb_char_width(cell->ch) > 0);
            assert_true(cell->style < WB_STYLE_COUNT);
            if (wb_char_width(cell->ch) == 2)
                assert_true(!last && cell[1].ch == 0);
            if (s->theme.ascii)
                assert_true(cell->ch < 127);
        }
}
