/* tests/unit/test_heat.c - heatmaps in every tier, what is outside of the ramp, places, zoom. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/screen.h"
#include "views/heat.h"

enum { SIDE = 13, ROLES = 7 };

static const char *const role_name[ROLES] = { "q", "k", "v", "o", "gate", "up", "norm_attn" };

/* Alike near the diagonal, as layers are: 1 on it, falling to 0. */
static void fill_similarity(float *value, int n)
{
    for (int r = 0; r < n; r++)
        for (int c = 0; c < n; c++)
            value[r * n + c] = 1 - (float)abs(r - c) / (float)(n - 1);
}

static struct wb_heat similarity(float *value)
{
    fill_similarity(value, SIDE);
    value[2 * SIDE + 9] = wb_heat_missing();
    value[2 * SIDE + 10] = wb_heat_missing();
    value[3 * SIDE + 10] = wb_heat_missing();
    value[9 * SIDE + 1] = NAN;
    return (struct wb_heat){ .rows = SIDE,
                             .cols = SIDE,
                             .value = value,
                             .min = 0,
                             .max = 1,
                             .symmetric = true,
                             .quantity = "CKA",
                             .row = 7,
                             .col = 4 };
}

/* Signs of a delta, layer by role. */
static struct wb_heat roles(float *value)
{
    for (int r = 0; r < 6; r++)
        for (int c = 0; c < ROLES; c++)
            value[r * ROLES + c] = ((float)r - 2.5f) / 2.5f * (c % 2 == 0 ? 1 : -0.5f);
    return (struct wb_heat){ .rows = 6,
                             .cols = ROLES,
                             .value = value,
                             .min = -1,
                             .max = 1,
                             .diverging = true,
                             .stretch = true,
                             .col_axis = { .label = role_name, .names = true },
                             .row = 1,
                             .col = 4 };
}

static void draw_file(const char *name, const struct wb_heat *h, enum wb_tier tier, bool ascii,
                      int rows, int cols)
{
    struct screen s;

    screen_open(&s, rows, cols, tier, ascii);
    wb_heat_draw(&s.cv, h);
    screen_is_sound(&s);
    screen_is_file(&s, name);
    screen_close(&s);
}

static void test_tiers(void **state)
{
    float value[SIDE * SIDE];
    struct wb_heat h = similarity(value);

    (void)state;
    draw_file("heat-half", &h, WB_TIER_256, false, 10, 90);
    draw_file("heat-direct", &h, WB_TIER_DIRECT, false, 16, 90);
    draw_file("heat-256-ascii", &h, WB_TIER_256, true, 16, 90);
    draw_file("heat-16", &h, WB_TIER_16, false, 16, 90);
    draw_file("heat-mono", &h, WB_TIER_MONO, true, 16, 90);
}

static void test_few_pairs(void **state)
{
    float value[SIDE * SIDE];
    struct wb_heat h = similarity(value);
    struct screen s;

    (void)state;
    screen_open(&s, 16, 60, WB_TIER_256, false);
    s.theme.half_blocks = false;
    wb_heat_draw(&s.cv, &h);
    screen_is_file(&s, "heat-whole");
    screen_close(&s);
}

static void test_roles(void **state)
{
    float value[6 * ROLES];
    struct wb_heat h = roles(value);

    (void)state;
    draw_file("heat-roles", &h, WB_TIER_MONO, true, 14, 76);
    draw_file("heat-roles-narrow", &h, WB_TIER_MONO, true, 18, 24);
    draw_file("heat-roles-256", &h, WB_TIER_256, false, 8, 76);
    draw_file("heat-roles-16", &h, WB_TIER_16, false, 8, 50);
}

static void test_digits_written_out(void **state)
{
    float value[9] = { 0, 0.5f, 1, 0.25f, NAN, 0.75f, 0, 0, 0 };
    struct wb_heat h = {
        .rows = 3, .cols = 3, .value = value, .min = 0, .max = 1, .row = -1, .col = -1, .zoom = 2
    };
    struct screen s;

    (void)state;
    value[8] = wb_heat_missing();
    screen_open(&s, 5, 80, WB_TIER_MONO, true);
    wb_heat_draw(&s.cv, &h);
    screen_is(&s, "   0 1 2\n"
                  " 0 005599\n"
                  " 1 22NN77\n"
                  " 2 0000xx\n"
                  "0 [0123456789] 1  middle 0.5  range fixed  x not computed  N NaN  zoom 2\n");
    screen_close(&s);
}

static void test_blocks(void **state)
{
    enum { N = 40 };
    static float value[N * N];
    struct wb_heat h = {
        .rows = N, .cols = N, .value = value, .min = 0, .max = 1, .row = 20, .col = 20
    };
    struct wb_heat_layout l;
    struct wb_theme theme;

    (void)state;
    fill_similarity(value, N);
    draw_file("heat-blocks", &h, WB_TIER_MONO, true, 16, 70);
    wb_theme_init(&theme, WB_TIER_MONO, true);
    wb_heat_layout(&h, &theme, 16, 70, &l);
    assert_int_equal(l.block, 3);
    assert_int_equal(l.unit_rows, 14);
    h.zoom = 1; /* on request it scrolls instead */
    draw_file("heat-scrolled", &h, WB_TIER_MONO, true, 16, 60);
    h.rows = 30;
    draw_file("heat-corner", &h, WB_TIER_MONO, true, 16, 24);
}

static void test_means(void **state)
{
    float value[9] = { 1, 2, NAN, 3, 4, 5, 6, 7, 0 };
    struct wb_heat h = { .rows = 3, .cols = 3, .value = value, .min = 0, .max = 9 };
    struct wb_heat_layout l = { .block = 2 };

    (void)state;
    value[8] = wb_heat_missing();
    assert_true(wb_heat_unit(&h, &l, 0, 0) == 2.5f);
    assert_true(isnan(wb_heat_unit(&h, &l, 0, 1)));
    assert_false(wb_heat_is_missing(wb_heat_unit(&h, &l, 0, 1)));
    assert_true(wb_heat_unit(&h, &l, 1, 0) == 6.5f);
    assert_true(wb_heat_is_missing(wb_heat_unit(&h, &l, 1, 1)));
    value[0] = wb_heat_missing();
    assert_true(wb_heat_unit(&h, &l, 0, 0) == 3);
    value[3] = value[4] = wb_heat_blank();
    assert_true(wb_heat_unit(&h, &l, 0, 0) == 2);
    value[1] = wb_heat_blank();
    assert_true(wb_heat_is_missing(wb_heat_unit(&h, &l, 0, 0))); /* one may come yet */
    value[0] = wb_heat_blank();
    assert_true(wb_heat_is_blank(wb_heat_unit(&h, &l, 0, 0)));
    assert_false(wb_heat_is_missing(wb_heat_blank()) || wb_heat_is_blank(wb_heat_missing()));
}

static void range(const struct wb_heat *h, float min, float max)
{
    struct wb_theme theme;
    struct wb_heat_layout l;

    wb_theme_init(&theme, WB_TIER_MONO, true);
    wb_heat_layout(h, &theme, 10, 40, &l);
    assert_true(l.min == min && l.max == max);
}

static void test_ranges(void **state)
{
    float value[4] = { -0.25f, NAN, 0.5f, INFINITY };
    struct wb_heat h = { .rows = 2, .cols = 2, .value = value, .min = -1, .max = 2 };
    struct wb_heat_layout l;
    struct wb_theme theme;

    (void)state;
    range(&h, -1, 2);
    h.automatic = true;
    range(&h, -0.25f, 0.5f);
    h.diverging = true; /* as far down as up */
    range(&h, -0.5f, 0.5f);
    h.diverging = false;
    value[0] = value[2] = 0.5f; /* one value still has a colour */
    wb_theme_init(&theme, WB_TIER_MONO, true);
    wb_heat_layout(&h, &theme, 10, 40, &l);
    assert_true(l.min == 0.5f && l.max > 0.5f);
    value[0] = 3;
    value[3] = -7;
    value[1] = 0.25f;
    h.self = true; /* the diagonal does not count */
    h.diverging = false;
    range(&h, 0.25f, 0.5f);
    h.self = false;
    value[1] = NAN;
    value[0] = value[2] = value[3] = wb_heat_missing(); /* nothing yet: the quantity's own */
    range(&h, -1, 2);
}

static void test_text(void **state)
{
    float value[3] = { 0.62134f, NAN, 0 };
    struct wb_heat h = { .rows = 1, .cols = 3, .value = value };
    char out[32];

    (void)state;
    value[2] = wb_heat_blank();
    assert_string_equal(wb_heat_text(&h, 0, 2, out, sizeof out), "--");
    value[2] = wb_heat_missing();
    assert_string_equal(wb_heat_text(&h, 0, 0, out, sizeof out), "0.6213");
    assert_string_equal(wb_heat_text(&h, 0, 1, out, sizeof out), "NaN");
    assert_string_equal(wb_heat_text(&h, 0, 2, out, sizeof out), "not computed");
    assert_string_equal(wb_heat_text(&h, 1, 0, out, sizeof out), "");
    assert_string_equal(wb_heat_text(&h, 0, -1, out, sizeof out), "");
}

/* Nothing stands in a blank cell, whatever shares its line, and the legend is silent about it. */
static void test_blank(void **state)
{
    float value[8] = { 0, 1, 0, 1, 1, 0, 0, 0 };
    struct wb_heat h = {
        .rows = 4, .cols = 2, .value = value, .min = 0, .max = 1, .row = 0, .col = 0, .zoom = 1
    };
    struct screen s;
    const struct wb_cell *cell;

    (void)state;
    value[4] = value[6] = value[1] = wb_heat_blank();
    value[7] = wb_heat_missing();
    screen_open(&s, 4, 80, WB_TIER_256, false);
    wb_heat_draw(&s.cv, &h);
    cell = s.surface.cell + 80 + 3; /* first line of the map */
    assert_int_equal(cell[1].ch, 0x2584);
    assert_true(cell[1].bg == WB_COLOUR_NONE);
    assert_int_equal(cell[80].ch, ' ');
    assert_true(cell[80].fg == WB_COLOUR_NONE && cell[80].bg == WB_COLOUR_NONE);
    assert_int_equal(cell[81].ch, 0x2580);
    screen_close(&s);
    value[7] = 1;
    screen_open(&s, 6, 60, WB_TIER_MONO, true);
    wb_heat_draw(&s.cv, &h);
    screen_is(&s, "   0\n>0 0\n 1 09\n 2  0\n 3  9\n"
                  "0 [0123456789] 1  middle 0.5  range fixed  zoom 1\n");
    screen_close(&s);
}

/* A click finds the cell whose colour stands there: each cell has a value of its own. */
static void test_at(void **state)
{
    float value[SIDE * SIDE];
    struct wb_heat h = similarity(value);
    struct wb_theme theme;

    (void)state;
    for (int tier = WB_TIER_MONO; tier <= WB_TIER_DIRECT; tier++)
        for (int zoom = 0; zoom < 6; zoom++) {
            struct wb_heat_layout l;
            int found = 0, last = -1, row, col;

            h.zoom = zoom;
            wb_theme_init(&theme, (enum wb_tier)tier, false);
            wb_heat_layout(&h, &theme, 20, 60, &l);
            assert_false(wb_heat_at(&h, &l, 0, 0, &row, &col));
            for (int r = 0; r < 20; r++)
                for (int c = 0; c < 60; c++)
                    if (wb_heat_at(&h, &l, r, c, &row, &col)) {
                        assert_int_equal(row, l.top + 2 * (r - l.map_row) / l.halves);
                        assert_int_equal(col, l.left + (c - l.map_col) / l.width);
                        found += row * SIDE + col != last;
                        last = row * SIDE + col;
                    }
            assert_true(found >= (l.halves == 1 ? l.shown_rows / 2 : l.shown_rows) * l.shown_cols);
        }
}

static void test_move(void **state)
{
    float value[SIDE * SIDE];
    struct wb_heat h = similarity(value);
    struct wb_theme theme;

    (void)state;
    wb_theme_init(&theme, WB_TIER_256, false);
    assert_true(wb_heat_act(&h, WB_ACTION_DOWN, 3, &theme, 12, 40));
    assert_true(wb_heat_act(&h, WB_ACTION_LEFT, 1, &theme, 12, 40));
    assert_int_equal(h.row, 10);
    assert_int_equal(h.col, 3);
    wb_heat_act(&h, WB_ACTION_LEFT, 99, &theme, 12, 40);
    wb_heat_act(&h, WB_ACTION_LAST, 1, &theme, 12, 40);
    assert_int_equal(h.row, SIDE - 1);
    assert_int_equal(h.col, 0);
    wb_heat_act(&h, WB_ACTION_DOWN, INT32_MAX, &theme, 12, 40);
    assert_int_equal(h.row, SIDE - 1);
    wb_heat_act(&h, WB_ACTION_FIRST, 1, &theme, 12, 40);
    assert_int_equal(h.row, 0);
    assert_true(wb_heat_mouse(&h, (struct wb_mouse){ WB_MOUSE_WHEEL_DOWN, 0, 0 }, &theme, 12, 40));
    assert_int_equal(h.row, 1);
    assert_true(wb_heat_mouse(&h, (struct wb_mouse){ WB_MOUSE_PRESS, 1, 6 }, &theme, 12, 40));
    assert_int_equal(h.row, 0);
    assert_int_equal(h.col, 2);
    assert_false(wb_heat_mouse(&h, (struct wb_mouse){ WB_MOUSE_PRESS, 11, 6 }, &theme, 12, 40));
    assert_false(wb_heat_act(&h, WB_ACTION_OPEN, 1, &theme, 12, 40));
    assert_true(wb_heat_act(&h, WB_ACTION_RANGE, 1, &theme, 12, 40));
    assert_true(h.automatic);
}

static void test_zoom(void **state)
{
    float value[SIDE * SIDE];
    struct wb_heat h = similarity(value);
    struct wb_theme theme;
    struct wb_heat_layout l;
    int seen[32], n = 0;

    (void)state;
    wb_theme_init(&theme, WB_TIER_256, false);
    wb_heat_layout(&h, &theme, 16, 70, &l);
    assert_int_equal(l.zoom, 2); /* 14 lines for 13 rows */
    wb_heat_act(&h, WB_ACTION_ZOOM_IN, 1, &theme, 16, 70);
    assert_int_equal(h.zoom, 3);
    wb_heat_act(&h, WB_ACTION_ZOOM_OUT, 1, &theme, 16, 70);
    assert_int_equal(h.zoom, 0); /* what fits best is chosen anew in another window */
    wb_heat_act(&h, WB_ACTION_ZOOM_OUT, 2, &theme, 16, 70);
    assert_int_equal(h.zoom, -2);
    wb_heat_act(&h, WB_ACTION_ZOOM_OUT, 99, &theme, 16, 70);
    wb_heat_layout(&h, &theme, 16, 70, &l);
    assert_true(l.unit_rows >= 2);
    /* All the way in, every step another picture; the last stays. */
    for (; n < 32; n++) {
        wb_heat_layout(&h, &theme, 16, 70, &l);
        seen[n] = l.block > 1 ? -l.block : l.zoom;
        if (n > 0 && seen[n] == seen[n - 1])
            break;
        if (n > 0)
            assert_true(seen[n] > seen[n - 1]);
        wb_heat_act(&h, WB_ACTION_ZOOM_IN, 1, &theme, 16, 70);
    }
    assert_int_equal(seen[n], 8);
}

/* The cursor is always among the cells shown, and drawing keeps inside, whatever the size. */
static void test_sizes(void **state)
{
    static float value[60 * 60];
    struct screen s;

    (void)state;
    srand(5);
    screen_open(&s, 24, 80, WB_TIER_256, false);
    for (int i = 0; i < 4000; i++) {
        struct wb_heat h = { .rows = rand() % 60,
                             .cols = rand() % 60,
                             .value = value,
                             .max = 1,
                             .diverging = rand() % 2,
                             .stretch = rand() % 2,
                             .row_axis.first = rand() % 9,
                             .top = rand() % 70,
                             .left = rand() % 70,
                             .zoom = rand() % 20 - 8 };
        struct wb_canvas sub = wb_canvas_sub(&s.cv, 0, 0, rand() % 25, rand() % 81);
        struct wb_heat_layout l;

        if (h.cols <= ROLES && rand() % 2 == 0)
            h.col_axis = (struct wb_heat_axis){ .label = role_name, .names = true };
        h.row = h.rows == 0 ? -1 : rand() % (h.rows + 1) - 1;
        h.col = h.cols == 0 ? -1 : rand() % (h.cols + 1) - 1;
        for (int k = 0; k < h.rows * h.cols; k++)
            value[k] = rand() % 9 == 0   ? NAN
                       : rand() % 9 == 0 ? wb_heat_missing()
                                         : (float)rand() / (float)RAND_MAX * 2 - 0.5f;
        wb_theme_init(&s.theme, (enum wb_tier)(i % 4), rand() % 2 == 0);
        wb_canvas_clear(&s.cv);
        wb_heat_draw(&sub, &h);
        screen_is_sound(&s);
        wb_heat_layout(&h, &s.theme, sub.rows, sub.cols, &l);
        if (h.row >= 0)
            assert_true(h.row / l.block >= l.top && h.row / l.block < l.top + l.shown_rows);
        if (h.col >= 0)
            assert_true(h.col / l.block >= l.left && h.col / l.block < l.left + l.shown_cols);
        wb_heat_act(&h, (enum wb_action)(1 + rand() % (WB_ACTION_COUNT - 1)), rand() % 4, &s.theme,
                    sub.rows, sub.cols);
    }
    screen_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiers),  cmocka_unit_test(test_few_pairs),
        cmocka_unit_test(test_roles),  cmocka_unit_test(test_digits_written_out),
        cmocka_unit_test(test_blocks), cmocka_unit_test(test_means),
        cmocka_unit_test(test_ranges), cmocka_unit_test(test_text),
        cmocka_unit_test(test_blank),  cmocka_unit_test(test_at),
        cmocka_unit_test(test_move),   cmocka_unit_test(test_zoom),
        cmocka_unit_test(test_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
