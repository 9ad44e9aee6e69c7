/* tests/unit/test_theme.c - ramps rise, styles are there in every tier, colours parse. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "views/theme.h"

/* CIE lightness L*, 0 .. 100, of sRGB. */
static double lightness(int32_t colour)
{
    static const double weight[3] = { 0.2126, 0.7152, 0.0722 };
    uint32_t rgb = wb_colour_rgb(colour);
    double y = 0;

    for (int i = 0; i < 3; i++) {
        double v = (rgb >> (16 - 8 * i) & 255) / 255.0;

        y += weight[i] * (v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4));
    }
    return y > 216.0 / 24389 ? 116 * cbrt(y) - 16 : y * 24389 / 27;
}

static bool in_tier(int32_t colour, enum wb_tier tier)
{
    if (colour == WB_COLOUR_NONE)
        return true;
    switch (tier) {
    case WB_TIER_16:
        return colour >= 0 && colour < 16;
    case WB_TIER_256:
        return colour >= 0 && colour < 256;
    case WB_TIER_DIRECT:
        return colour >= WB_COLOUR_RGB && colour <= (WB_COLOUR_RGB | 0xFFFFFF);
    default:
        return false;
    }
}

static void ramp_rises(const struct wb_ramp *ramp, const struct wb_theme *theme, bool diverging)
{
    int middle = ramp->steps / 2;

    assert_true(ramp->steps >= 5 && ramp->steps <= 65);
    if (diverging)
        assert_int_equal(ramp->steps % 2, 1);
    for (int i = 0; i < ramp->steps; i++) {
        assert_true(in_tier(ramp->colour[i], theme->tier));
        assert_true(ramp->glyph[i] >= ' ');
        if (theme->ascii)
            assert_true(ramp->glyph[i] < 127);
        if (i == 0 || ramp->by_glyph)
            continue;
        if (!diverging || i <= middle)
            assert_true(lightness(ramp->colour[i]) > lightness(ramp->colour[i - 1]));
        else
            assert_true(lightness(ramp->colour[i]) < lightness(ramp->colour[i - 1]));
    }
    /* No two steps look alike. */
    for (int i = 0; i < ramp->steps; i++)
        for (int k = 0; k < i; k++)
            assert_true(ramp->colour[i] != ramp->colour[k] ||
                        (ramp->by_glyph && ramp->glyph[i] != ramp->glyph[k]));
}

static void test_ramps(void **state)
{
    (void)state;
    for (int tier = WB_TIER_MONO; tier <= WB_TIER_DIRECT; tier++)
        for (int ascii = 0; ascii < 2; ascii++) {
            struct wb_theme theme;

            wb_theme_init(&theme, (enum wb_tier)tier, ascii == 1);
            ramp_rises(&theme.sequential, &theme, false);
            ramp_rises(&theme.diverging, &theme, true);
            wb_theme_set_colormap(&theme, WB_COLORMAP_GREY);
            ramp_rises(&theme.sequential, &theme, false);
            assert_int_equal(theme.half_blocks, tier >= WB_TIER_256 && ascii == 0);
        }
}

/* The ramps that tui.md writes out. */
static void test_steps_of_tiers(void **state)
{
    static const int32_t viridis[] = { 17, 53, 24, 30, 36, 78, 155, 227 };
    struct wb_theme theme;

    (void)state;
    wb_theme_init(&theme, WB_TIER_256, false);
    assert_int_equal(theme.sequential.steps, 8);
    assert_memory_equal(theme.sequential.colour, viridis, sizeof viridis);
    assert_int_equal(theme.diverging.steps, 11);
    assert_int_equal(theme.diverging.colour[5], 231);
    wb_theme_set_colormap(&theme, WB_COLORMAP_GREY);
    assert_int_equal(theme.sequential.steps, 24);
    assert_int_equal(theme.sequential.colour[23], 255);
    wb_theme_init(&theme, WB_TIER_DIRECT, false);
    assert_int_equal(theme.sequential.steps, 64);
    assert_int_equal(theme.sequential.colour[0], WB_COLOUR_RGB | 0x440154);
    assert_int_equal(theme.sequential.colour[63], WB_COLOUR_RGB | 0xFDE725);
    assert_int_equal(theme.diverging.steps, 65);
    assert_int_equal(theme.diverging.colour[32], WB_COLOUR_RGB | 0xF7F7F7);
    wb_theme_init(&theme, WB_TIER_MONO, false);
    assert_int_equal(theme.sequential.glyph[9], '9');
    assert_int_equal(theme.diverging.glyph[0], '-');
    assert_int_equal(theme.diverging.glyph[4], '#');
}

static void test_ramp_step(void **state)
{
    struct wb_theme theme;

    (void)state;
    wb_theme_init(&theme, WB_TIER_MONO, true);
    assert_int_equal(wb_ramp_step(&theme.sequential, 0, 0, 1), 0);
    assert_int_equal(wb_ramp_step(&theme.sequential, 0.5f, 0, 1), 5);
    assert_int_equal(wb_ramp_step(&theme.sequential, 1, 0, 1), 9);
    assert_int_equal(wb_ramp_step(&theme.sequential, -INFINITY, 0, 1), 0);
    assert_int_equal(wb_ramp_step(&theme.sequential, INFINITY, 0, 1), 9);
    assert_int_equal(wb_ramp_step(&theme.sequential, 3e38f, -3e38f, 3e38f), 9);
    assert_int_equal(wb_ramp_step(&theme.sequential, NAN, 0, 1), -1);
    assert_int_equal(wb_ramp_step(&theme.sequential, 1, 1, 1), -1);
    assert_int_equal(wb_ramp_step(&theme.sequential, 1, 2, 1), -1);
    assert_int_equal(wb_ramp_step(&theme.sequential, 1, NAN, 1), -1);
    assert_int_equal(wb_ramp_step(&theme.diverging, 0, -1, 1), 2);
}

static bool same_look(const struct wb_look *a, const struct wb_look *b)
{
    return a->fg == b->fg && a->bg == b->bg && a->attrs == b->attrs;
}

static void test_styles(void **state)
{
    (void)state;
    for (int tier = WB_TIER_MONO; tier <= WB_TIER_DIRECT; tier++) {
        struct wb_theme theme;

        memset(&theme, 0x55, sizeof theme);
        wb_theme_init(&theme, (enum wb_tier)tier, false);
        for (int i = 0; i < WB_STYLE_COUNT; i++) {
            const struct wb_look *look = &theme.look[i];

            assert_true(in_tier(look->fg, theme.tier) && in_tier(look->bg, theme.tier));
            assert_true(look->attrs <= 15);
            if (tier != WB_TIER_MONO && i != WB_STYLE_TEXT && i != WB_STYLE_TAB)
                assert_false(same_look(look, &theme.look[WB_STYLE_TEXT]));
        }
        /* What has to be told apart without colour. */
        assert_false(same_look(&theme.look[WB_STYLE_CURSOR], &theme.look[WB_STYLE_CURSOR_DIM]));
        assert_false(same_look(&theme.look[WB_STYLE_CURSOR], &theme.look[WB_STYLE_TEXT]));
        assert_false(same_look(&theme.look[WB_STYLE_TITLE], &theme.look[WB_STYLE_TITLE_DIM]));
        assert_false(same_look(&theme.look[WB_STYLE_TAB], &theme.look[WB_STYLE_TAB_ACTIVE]));
    }
}

static void test_letters_and_names_differ(void **state)
{
    (void)state;
    for (int i = 0; i < WB_STYLE_COUNT; i++)
        for (int k = 0; k < i; k++) {
            assert_int_not_equal(wb_style_letter((enum wb_style)i),
                                 wb_style_letter((enum wb_style)k));
            assert_string_not_equal(wb_style_name((enum wb_style)i),
                                    wb_style_name((enum wb_style)k));
        }
}

static void test_set(void **state)
{
    struct wb_theme theme;
    struct wb_look before;
    struct wb_err err;

    (void)state;
    wb_theme_init(&theme, WB_TIER_256, false);
    assert_true(wb_theme_set(&theme, "error", "bold red on blue", &err));
    assert_true(same_look(&theme.look[WB_STYLE_ERROR], &(struct wb_look){ 1, 4, WB_ATTR_BOLD }));
    assert_true(wb_theme_set(&theme, "error", " 208  Reverse ", &err));
    assert_true(same_look(&theme.look[WB_STYLE_ERROR],
                          &(struct wb_look){ 208, WB_COLOUR_NONE, WB_ATTR_REVERSE }));
    assert_true(wb_theme_set(&theme, "match", "on #ff8700", &err));
    assert_int_equal(theme.look[WB_STYLE_MATCH].bg, 208); /* exactly in the cube */
    assert_true(wb_theme_set(&theme, "match", "default", &err));
    assert_true(same_look(&theme.look[WB_STYLE_MATCH], &theme.look[WB_STYLE_TEXT]));
    before = theme.look[WB_STYLE_BAR];
    assert_false(wb_theme_set(&theme, "bar", "bold rde", &err));
    assert_int_equal(err.code, WB_EARG);
    assert_non_null(strstr(err.msg, "rde"));
    assert_true(same_look(&before, &theme.look[WB_STYLE_BAR]));
    assert_false(wb_theme_set(&theme, "baz", "bold", &err));
    assert_non_null(strstr(err.msg, "baz"));
    assert_false(wb_theme_set(&theme, "bar", "#12345g", &err));
    assert_false(wb_theme_set(&theme, "bar", "256", &err));
    assert_false(wb_theme_set(&theme, "bar", "-1", &err));
    assert_false(wb_theme_set(&theme, "bar", "99999999999999999999", &err));
    assert_false(wb_theme_set(&theme, "bar", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &err));
    wb_theme_init(&theme, WB_TIER_MONO, false);
    assert_true(wb_theme_set(&theme, "error", "bold red on blue", &err));
    assert_true(same_look(&theme.look[WB_STYLE_ERROR],
                          &(struct wb_look){ WB_COLOUR_NONE, WB_COLOUR_NONE, WB_ATTR_BOLD }));
}

static void test_colours(void **state)
{
    int32_t colour;

    (void)state;
    assert_int_equal(wb_colour_rgb(196), 0xFF0000);
    assert_int_equal(wb_colour_rgb(231), 0xFFFFFF);
    assert_int_equal(wb_colour_rgb(232), 0x080808);
    assert_int_equal(wb_colour_rgb(255), 0xEEEEEE);
    assert_int_equal(wb_colour_rgb(67), 0x5F87AF);
    for (int32_t c = 16; c < 256; c++) { /* equal ones of the cube and the greys may swap */
        int32_t back = wb_colour_reduce(WB_COLOUR_RGB | (int32_t)wb_colour_rgb(c), WB_TIER_256);

        assert_int_equal(wb_colour_rgb(back), wb_colour_rgb(c));
    }
    assert_int_equal(wb_colour_reduce(196, WB_TIER_16), 9);
    assert_int_equal(wb_colour_reduce(196, WB_TIER_DIRECT), WB_COLOUR_RGB | 0xFF0000);
    assert_int_equal(wb_colour_reduce(3, WB_TIER_MONO), WB_COLOUR_NONE);
    assert_true(wb_colour_parse("Bright-Cyan", &colour, NULL));
    assert_int_equal(colour, 14);
    assert_int_equal(wb_colour_contrast(WB_COLOUR_RGB | 0xFDE725), WB_COLOUR_RGB);
    assert_int_equal(wb_colour_contrast(17), 231);
}

static void test_tiers(void **state)
{
    enum wb_tier tier;

    (void)state;
    for (int t = WB_TIER_MONO; t <= WB_TIER_DIRECT; t++) {
        assert_true(wb_tier_parse(wb_tier_name((enum wb_tier)t), &tier));
        assert_int_equal(tier, t);
    }
    assert_false(wb_tier_parse("never", &tier));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ramps),
        cmocka_unit_test(test_steps_of_tiers),
        cmocka_unit_test(test_ramp_step),
        cmocka_unit_test(test_styles),
        cmocka_unit_test(test_letters_and_names_differ),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_colours),
        cmocka_unit_test(test_tiers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
