/* tests/unit/test_table.c - columns, scrolling, marks and the mouse of a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/screen.h"
#include "views/table.h"

static const struct wb_table_column columns[] = {
    { .title = "NAME", .width = 10, .flex = 1 },
    { .title = "ARCH", .width = 6, .priority = 2 },
    { .title = "PARAMS", .width = 7, .align = WB_ALIGN_RIGHT, .priority = 1 },
    { .title = "SIZE", .width = 6, .align = WB_ALIGN_RIGHT },
};

static void cell(void *user, size_t row, int column, struct wb_table_cell *c)
{
    (void)user;
    if (column == 0)
        snprintf(c->text, sizeof c->text, "model-%zu", row);
    else if (column == 1)
        c->longer = "llama";
    else
        snprintf(c->text, sizeof c->text, "%zu", row * (column == 2 ? 1000 : 7));
    if (row == 2)
        c->style = WB_STYLE_ERROR;
}

static bool marked(void *user, size_t row)
{
    (void)user;
    return row % 3 == 1;
}

static struct wb_table table(size_t rows)
{
    return (
        struct wb_table){ .column = columns, .columns = 4, .rows = rows, .cell = cell, .sort = -1 };
}

static void test_draw(void **state)
{
    struct wb_table t = table(4);
    struct screen s;

    (void)state;
    t.marked = marked;
    t.cursor = 2;
    t.sort = 2;
    t.reverse = true;
    screen_open(&s, 6, 50, WB_TIER_256, false);
    wb_table_draw(&t, &s.cv, true);
    screen_is_file(&s, "table");
    screen_close(&s);
}

static void test_narrow(void **state)
{
    struct wb_table t = table(3);
    struct screen s;

    (void)state;
    screen_open(&s, 4, 40, WB_TIER_MONO, true);
    wb_table_draw(&t, &s.cv, false);
    screen_is(&s, "  NAME           ARCH     PARAMS    SIZE\n"
                  "> model-0        llama         0       0\n"
                  "  model-1        llama      1000       7\n"
                  "  model-2        llama      2000      14\n");
    screen_close(&s);
    screen_open(&s, 4, 32, WB_TIER_MONO, true); /* ARCH goes first */
    wb_table_draw(&t, &s.cv, false);
    screen_is(&s, "  NAME            PARAMS    SIZE\n"
                  "> model-0              0       0\n"
                  "  model-1           1000       7\n"
                  "  model-2           2000      14\n");
    screen_close(&s);
    screen_open(&s, 4, 12, WB_TIER_MONO, true); /* what must stay is cut */
    wb_table_draw(&t, &s.cv, false);
    screen_is(&s, "  NAME\n"
                  "> model-0\n"
                  "  model-1\n"
                  "  model-2\n");
    screen_close(&s);
}

static void test_scroll(void **state)
{
    struct wb_table t = table(100);
    struct screen s;

    (void)state;
    screen_open(&s, 6, 30, WB_TIER_MONO, true);
    assert_true(wb_table_act(&t, WB_ACTION_DOWN, 50, 5));
    assert_int_equal(t.cursor, 50);
    assert_int_equal(t.top, 46);
    wb_table_draw(&t, &s.cv, true);
    screen_is(&s, "  NAME                  SIZE\n"
                  "  model-46               322 |\n"
                  "  model-47               329 |\n"
                  "  model-48               336 #\n"
                  "  model-49               343 |\n"
                  "> model-50               350 |\n");
    screen_close(&s);
}

static void test_act(void **state)
{
    struct wb_table t = table(100);

    (void)state;
    wb_table_act(&t, WB_ACTION_PAGE_DOWN, 1, 10);
    assert_int_equal(t.cursor, 9);
    assert_int_equal(t.top, 9);
    wb_table_act(&t, WB_ACTION_HALF_DOWN, 2, 10);
    assert_int_equal(t.cursor, 19);
    assert_int_equal(t.top, 19);
    wb_table_act(&t, WB_ACTION_UP, 3, 10);
    assert_int_equal(t.cursor, 16);
    assert_int_equal(t.top, 16);
    wb_table_act(&t, WB_ACTION_LAST, 1, 10);
    assert_int_equal(t.cursor, 99);
    assert_int_equal(t.top, 90);
    wb_table_act(&t, WB_ACTION_DOWN, 1, 10);
    assert_int_equal(t.cursor, 99);
    wb_table_act(&t, WB_ACTION_LAST, 42, 10);
    assert_int_equal(t.cursor, 41);
    wb_table_act(&t, WB_ACTION_FIRST, 0, 10);
    assert_int_equal(t.cursor, 0);
    assert_int_equal(t.top, 0);
    wb_table_act(&t, WB_ACTION_UP, 5, 10);
    assert_int_equal(t.cursor, 0);
    wb_table_act(&t, WB_ACTION_LAST, INT32_MAX, 10);
    assert_int_equal(t.cursor, 99);
    assert_false(wb_table_act(&t, WB_ACTION_OPEN, 1, 10));
}

/* However the window changes, the cursor is seen and the page is full. */
static void test_top(void **state)
{
    struct wb_table t = table(30);

    (void)state;
    srand(3);
    for (int i = 0; i < 20000; i++) {
        size_t page = 1 + (size_t)(rand() % 40), top;

        t.cursor = (size_t)(rand() % 30);
        t.top = (size_t)(rand() % 50);
        top = wb_table_top(&t, page);
        assert_true(top <= t.cursor && t.cursor < top + page);
        assert_true(top == 0 || top + page <= t.rows);
    }
    t.cursor = 12;
    t.top = 10;
    assert_int_equal(wb_table_top(&t, 5), 10); /* not moved without need */
    assert_int_equal(wb_table_top(&t, 2), 11);
    assert_int_equal(wb_table_top(&t, 0), 12);
}

static void test_rows_removed(void **state)
{
    struct wb_table t = table(30);
    struct screen s;

    (void)state;
    t.cursor = 29;
    wb_table_set_rows(&t, 3);
    assert_int_equal(t.cursor, 2);
    wb_table_set_rows(&t, 0);
    assert_int_equal(t.cursor, 0);
    t.empty = "no models; o opens one";
    screen_open(&s, 3, 40, WB_TIER_MONO, true);
    wb_table_draw(&t, &s.cv, true);
    screen_is(&s, "  NAME           ARCH     PARAMS    SIZE\n"
                  "  no models; o opens one\n"
                  "\n");
    wb_table_act(&t, WB_ACTION_DOWN, 1, 2);
    wb_table_act(&t, WB_ACTION_PAGE_UP, 1, 2);
    assert_int_equal(t.cursor, 0);
    screen_close(&s);
}

static enum wb_table_hit mouse(struct wb_table *t, enum wb_mouse_kind kind, int row, int col)
{
    return wb_table_mouse(t, (struct wb_mouse){ kind, row, col }, 6, 40);
}

static void test_mouse(void **state)
{
    struct wb_table t = table(100);

    (void)state;
    t.sort = -1;
    assert_int_equal(mouse(&t, WB_MOUSE_PRESS, 3, 5), WB_TABLE_SELECTED);
    assert_int_equal(t.cursor, 2);
    assert_int_equal(mouse(&t, WB_MOUSE_DOUBLE, 4, 5), WB_TABLE_OPENED);
    assert_int_equal(t.cursor, 3);
    assert_int_equal(mouse(&t, WB_MOUSE_PRESS, 0, 2), WB_TABLE_SORTED);
    assert_int_equal(t.sort, 0);
    assert_false(t.reverse);
    mouse(&t, WB_MOUSE_PRESS, 0, 2);
    assert_true(t.reverse);
    mouse(&t, WB_MOUSE_PRESS, 0, 37);
    assert_int_equal(t.sort, 3);
    assert_false(t.reverse);
    assert_int_equal(mouse(&t, WB_MOUSE_PRESS, 0, 0), WB_TABLE_NOTHING);
    assert_int_equal(mouse(&t, WB_MOUSE_WHEEL_DOWN, 2, 5), WB_TABLE_SCROLLED);
    assert_int_equal(t.top, 3);
    assert_int_equal(t.cursor, 3);
    mouse(&t, WB_MOUSE_WHEEL_DOWN, 2, 5);
    assert_int_equal(t.cursor, 6); /* taken along */
    mouse(&t, WB_MOUSE_WHEEL_UP, 2, 5);
    assert_int_equal(t.top, 3);
    assert_int_equal(mouse(&t, WB_MOUSE_PRESS, 5, 39), WB_TABLE_SCROLLED); /* end of the bar */
    assert_int_equal(t.cursor, 99);
    assert_int_equal(mouse(&t, WB_MOUSE_PRESS, 9, 1), WB_TABLE_NOTHING);
    t = table(2);
    assert_int_equal(mouse(&t, WB_MOUSE_PRESS, 4, 5), WB_TABLE_NOTHING);
    assert_int_equal(mouse(&t, WB_MOUSE_WHEEL_DOWN, 1, 5), WB_TABLE_NOTHING);
}

static void test_sort_keys(void **state)
{
    struct wb_table t = table(2);

    (void)state;
    assert_true(wb_table_sort_act(&t, WB_ACTION_SORT));
    assert_int_equal(t.sort, 0);
    assert_true(wb_table_sort_act(&t, WB_ACTION_SORT_REVERSE));
    assert_true(t.reverse);
    for (int i = 0; i < 4; i++)
        wb_table_sort_act(&t, WB_ACTION_SORT);
    assert_int_equal(t.sort, 0);
    assert_false(t.reverse);
    assert_false(wb_table_sort_act(&t, WB_ACTION_MARK));
}

/* Any size, any place: nothing is written outside, nothing is divided by zero. */
static void test_sizes(void **state)
{
    struct screen s;

    (void)state;
    screen_open(&s, 12, 60, WB_TIER_16, false);
    for (int rows = 0; rows < 12; rows++)
        for (int cols = 0; cols < 60; cols++) {
            struct wb_canvas sub = wb_canvas_sub(&s.cv, 0, 0, rows, cols);
            struct wb_table t = table((size_t)(rows * cols % 23));

            t.marked = cols % 2 == 0 ? marked : NULL;
            t.no_header = cols % 3 == 0;
            wb_table_draw(&t, &sub, true);
            wb_table_mouse(&t, (struct wb_mouse){ WB_MOUSE_PRESS, rows - 1, cols - 1 }, rows, cols);
            wb_table_draw(&t, &sub, false);
        }
    screen_is_sound(&s);
    screen_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_draw),   cmocka_unit_test(test_narrow),
        cmocka_unit_test(test_scroll), cmocka_unit_test(test_act),
        cmocka_unit_test(test_top),    cmocka_unit_test(test_rows_removed),
        cmocka_unit_test(test_mouse),  cmocka_unit_test(test_sort_keys),
        cmocka_unit_test(test_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
