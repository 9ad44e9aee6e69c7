/* tests/unit/test_complete.c - the completion popup: filter, order, choice, the menu drawn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/draw.h"
#include "views/complete.h"

static void fill(struct wb_complete *c)
{
    assert_true(wb_complete_add(c, "merge", "function", "Merge models by a method."));
    assert_true(wb_complete_add(c, "open", "function", "A model from its path."));
    assert_true(wb_complete_add(c, "Memory", NULL, NULL));
    assert_true(wb_complete_add(c, "normal", "random", NULL));
    assert_true(wb_complete_add(c, "mean", "reduce", "The mean of all elements."));
    assert_true(wb_complete_add(c, "mean", "reduce", "added twice"));
}

static void check_shown(const struct wb_complete *c, const char *want)
{
    char got[200] = "";

    for (size_t i = 0; i < c->n_shown; i++)
        strcat(strcat(got, i == 0 ? "" : " "), c->all[c->shown[i]].text);
    assert_string_equal(got, want);
}

static void test_filter(void **state)
{
    struct wb_complete c = { 0 };

    (void)state;
    fill(&c);
    wb_complete_filter(&c, "", 0, true);
    check_shown(&c, "Memory mean merge normal open");
    wb_complete_filter(&c, "me", 2, true);
    check_shown(&c, "mean merge Memory");
    assert_true(c.open);
    wb_complete_filter(&c, "nm", 2, true);
    check_shown(&c, "normal");
    assert_true(c.open);
    wb_complete_filter(&c, "normal", 6, true);
    assert_false(c.open); /* it stands there already */
    wb_complete_filter(&c, "x", 1, true);
    assert_false(c.open);
    assert_null(wb_complete_selected(&c));
    wb_complete_filter(&c, "m", 1, true);
    assert_int_equal(wb_complete_common(&c, "m", 1), 2);
    wb_complete_filter(&c, "rm", 2, true);
    assert_int_equal(wb_complete_common(&c, "rm", 2), 2);
    wb_complete_free(&c);
}

static enum wb_complete_result press(struct wb_complete *c, const char *name)
{
    struct wb_key key;

    assert_true(wb_key_parse(name, &key, NULL));
    return wb_complete_key(c, key);
}

static void test_keys(void **state)
{
    struct wb_complete c = { 0 };

    (void)state;
    assert_int_equal(press(&c, "Tab"), WB_COMPLETE_UNUSED);
    fill(&c);
    wb_complete_filter(&c, "m", 1, true);
    assert_int_equal(press(&c, "Down"), WB_COMPLETE_USED);
    assert_string_equal(wb_complete_selected(&c)->text, "merge");
    assert_int_equal(press(&c, "C-p"), WB_COMPLETE_USED);
    assert_int_equal(press(&c, "Up"), WB_COMPLETE_USED); /* round */
    assert_string_equal(wb_complete_selected(&c)->text, "normal");
    assert_int_equal(press(&c, "PgUp"), WB_COMPLETE_USED);
    assert_string_equal(wb_complete_selected(&c)->text, "mean");
    assert_int_equal(press(&c, "x"), WB_COMPLETE_UNUSED);
    assert_int_equal(press(&c, "Enter"), WB_COMPLETE_ACCEPTED);
    assert_false(c.open);
    assert_string_equal(wb_complete_selected(&c)->text, "mean");
    wb_complete_filter(&c, "m", 1, false); /* nothing chosen: Enter is another's */
    assert_int_equal(press(&c, "Enter"), WB_COMPLETE_UNUSED);
    assert_int_equal(press(&c, "Down"), WB_COMPLETE_USED);
    assert_string_equal(wb_complete_selected(&c)->text, "mean");
    assert_int_equal(press(&c, "Esc"), WB_COMPLETE_DISMISSED);
    assert_int_equal(press(&c, "Esc"), WB_COMPLETE_UNUSED);
    wb_complete_free(&c);
}

static void check_drawn(const struct wb_complete *c, int rows, int cols, int row, int col,
                        bool below, const char *want)
{
    struct wb_surface s = { 0 };
    struct wb_theme theme;
    struct wb_canvas cv;
    struct wb_str out = { 0 };

    wb_theme_init(&theme, WB_TIER_MONO, true);
    assert_true(wb_surface_resize(&s, rows, cols, NULL));
    cv = wb_canvas_of(&s, &theme);
    wb_complete_draw(c, &cv, row, col, below);
    wb_surface_dump(&s, &theme, false, &out);
    assert_string_equal(out.text, want);
    wb_str_free(&out);
    wb_surface_free(&s);
}

static void test_menu(void **state)
{
    struct wb_complete c = { 0 };

    (void)state;
    fill(&c);
    check_drawn(&c, 3, 20, 0, 0, true, "\n\n\n");
    wb_complete_filter(&c, "me", 2, true);
    press(&c, "Down");
    check_drawn(&c, 7, 50, 1, 2, true,
                "\n\n"
                "   mean                  reduce\n"
                "  >merge                 function\n"
                "   Memory\n"
                "   Merge models by a method. 2/3\n"
                "\n");
    check_drawn(&c, 5, 30, 4, 25, false, /* no room at the right */
                " mean                reduce\n"
                ">merge               function\n"
                " Memory\n"
                " Merge ...s by a method. 2/3\n"
                "\n");
    wb_complete_free(&c);
}

/* Any size, place and number of candidates stays inside and does no harm. */
static void test_menu_any_size(void **state)
{
    struct wb_complete c = { 0 };
    struct wb_theme theme;
    char name[40];

    (void)state;
    for (int i = 0; i < WB_COMPLETE_MAX + 5; i++) {
        snprintf(name, sizeof name, "model.layers.%d.q", i);
        assert_int_equal(wb_complete_add(&c, name, "tensor", "\xE6\xBC\xA2 \xFF"),
                         i < WB_COMPLETE_MAX);
    }
    wb_theme_init(&theme, WB_TIER_256, false);
    wb_complete_filter(&c, "q", 1, true);
    assert_int_equal(c.n_shown, WB_COMPLETE_MAX);
    for (int i = 0; i < 2000; i++) {
        struct wb_surface s = { 0 };
        struct wb_canvas cv;

        assert_true(wb_surface_resize(&s, (int)(rng() % 12), (int)(rng() % 40), NULL));
        cv = wb_canvas_of(&s, &theme);
        press(&c, rng() % 2 ? "PgDn" : "Up");
        wb_complete_draw(&c, &cv, (int)(rng() % 12), (int)(rng() % 40), rng() % 2);
        wb_surface_free(&s);
    }
    wb_complete_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_menu),
        cmocka_unit_test(test_menu_any_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
