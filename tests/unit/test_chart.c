/* tests/unit/test_chart.c - sparklines, bars, histograms, numbers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/screen.h"
#include "views/chart.h"
#include "views/number.h"

static const char *spark(const float *value, size_t n, float min, float max, int width, bool ascii)
{
    static char out[256];

    return wb_spark_text(out, sizeof out,
                         &(struct wb_spark){ .value = value, .n = n, .min = min, .max = max },
                         width, ascii);
}

static void test_spark(void **state)
{
    const float rise[] = { 0, 1, 2, 3, 4, 5, 6, 7 }, gap[] = { 1, NAN, 0.5f, INFINITY, -INFINITY };
    const float flat[] = { 3, 3 }, zero[] = { 0, 0 };

    (void)state;
    assert_string_equal(spark(rise, 8, 0, 7, 8, false),
                        "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588");
    assert_string_equal(spark(rise, 8, 0, 8, 8, true), ".:-=+*#%");
    assert_string_equal(spark(gap, 5, 0, 1, 5, true), "@ +@.");
    assert_string_equal(spark(flat, 2, 0, 0, 9, true), "@@"); /* from 0 up to 3 */
    assert_string_equal(spark(zero, 2, 0, 0, 9, true), "..");
    assert_string_equal(spark(rise, 8, 0, 7, 4, false), "\u2582\u2584\u2586\u2588"); /* pairs */
    assert_string_equal(spark(rise, 8, 0, 7, 0, false), "");
    assert_string_equal(spark(rise, 0, 0, 7, 4, false), "");
}

static void test_spark_range(void **state)
{
    const float v[] = { 2, NAN, 5 }, low[] = { -1, 4 }, none[] = { NAN, INFINITY };
    struct wb_spark s = { .value = v, .n = 3 };
    float min, max;

    (void)state;
    assert_true(wb_spark_range(&s, &min, &max));
    assert_true(min == 0 && max == 5);
    s.from_min = true;
    assert_true(wb_spark_range(&s, &min, &max));
    assert_true(min == 2 && max == 5);
    s = (struct wb_spark){ .value = low, .n = 2 };
    assert_true(wb_spark_range(&s, &min, &max));
    assert_true(min == -1 && max == 4);
    s = (struct wb_spark){ .value = none, .n = 2 };
    assert_false(wb_spark_range(&s, &min, &max));
}

/* A buffer that is too small holds whole characters. */
static void test_spark_small_buffer(void **state)
{
    const float v[] = { 1, 1, 1 };
    char out[8];

    (void)state;
    wb_spark_text(out, sizeof out, &(struct wb_spark){ .value = v, .n = 3 }, 3, false);
    assert_string_equal(out, "\u2588\u2588");
}

static void test_bars(void **state)
{
    struct screen s;

    (void)state;
    screen_open(&s, 8, 12, WB_TIER_256, false);
    wb_bar_draw(&s.cv, 0, 0, 4, WB_STYLE_BAR, 0.5);
    wb_bar_draw(&s.cv, 1, 0, 4, WB_STYLE_BAR, 0.40625); /* 13 of 32 eighths */
    wb_bar_draw(&s.cv, 2, 0, 4, WB_STYLE_BAR, 1e-9);
    wb_bar_draw(&s.cv, 3, 0, 4, WB_STYLE_BAR, 7);
    wb_bar_draw(&s.cv, 4, 0, 4, WB_STYLE_BAR, (double)NAN);
    wb_slider_draw(&s.cv, 5, 0, 12, WB_STYLE_BAR, 0.3);
    wb_slider_draw(&s.cv, 6, 0, 2, WB_STYLE_BAR, 0.3);
    wb_slider_draw(&s.cv, 7, 0, 1, WB_STYLE_BAR, 0.3);
    screen_is(&s, "\u2588\u2588\n"
                  "\u2588\u258B\n"
                  "\u258F\n"
                  "\u2588\u2588\u2588\u2588\n"
                  "\n"
                  "[###.......]\n"
                  "[]\n"
                  "\n");
    screen_is_sound(&s);
    screen_close(&s);
}

static void test_bars_ascii(void **state)
{
    struct screen s;

    (void)state;
    screen_open(&s, 5, 20, WB_TIER_MONO, true);
    wb_bar_draw(&s.cv, 0, 0, 10, WB_STYLE_BAR, 0.52);
    wb_bar_draw(&s.cv, 1, 0, 10, WB_STYLE_BAR, 0.001);
    wb_progress_draw(&s.cv, 2, 0, 20, 0.412);
    wb_progress_draw(&s.cv, 3, 0, 20, (double)NAN);
    wb_progress_draw(&s.cv, 4, 0, 20, 1.2);
    screen_is(&s, "#####\n"
                  "#\n"
                  "[#####......]  41.2%\n"
                  "[...........]     --\n"
                  "[###########]   100%\n");
    screen_close(&s);
}

/* A click sets what is then drawn up to the place of the click. */
static void test_slider_at(void **state)
{
    (void)state;
    assert_true(wb_slider_at(12, 0) == 0);
    assert_true(wb_slider_at(12, 3) == 0.3);
    assert_true(wb_slider_at(12, 10) == 1);
    assert_true(wb_slider_at(12, 11) == 1);
    assert_true(wb_slider_at(12, -4) == 0);
    assert_true(wb_slider_at(2, 1) == 0);
}

static void test_histogram(void **state)
{
    const uint64_t count[] = { 1, 120, 181204, 2630911, 180977, 90, 0 };
    struct wb_histogram_chart h = { .count = count, .bins = 7, .min = -0.07, .max = 0.07 };
    struct screen s;

    (void)state;
    screen_open(&s, 8, 50, WB_TIER_MONO, true);
    wb_histogram_draw(&s.cv, &h);
    screen_is(&s, "-0.06000 |#                                      1\n"
                  "-0.04000 |#                                    120\n"
                  "-0.02000 |##                               181,204\n"
                  "       0 |#############################  2,630,911\n"
                  " 0.02000 |##                               180,977\n"
                  " 0.04000 |#                                     90\n"
                  " 0.06000 |                                       0\n"
                  "bars linear\n");
    screen_close(&s);
}

static void test_histogram_file(void **state)
{
    const uint64_t count[] = { 1, 120, 181204, 2630911, 180977, 90, 0 };
    struct wb_histogram_chart h = { .count = count, .bins = 7, .min = -0.07, .max = 0.07 };
    struct screen s;

    (void)state;
    screen_open(&s, 8, 50, WB_TIER_256, false);
    h.log = true;
    h.below = 12;
    h.nan = 3456;
    wb_histogram_draw(&s.cv, &h);
    screen_is_sound(&s);
    screen_is_file(&s, "histogram");
    screen_close(&s);
}

/* Joined bins add up; a small window draws without falling over. */
static void test_histogram_small(void **state)
{
    const uint64_t count[] = { 1, 2, 3, 4, 5 };
    struct wb_histogram_chart h = { .count = count, .bins = 5, .min = 0, .max = 5 };
    struct screen s;

    (void)state;
    screen_open(&s, 4, 20, WB_TIER_MONO, true);
    wb_histogram_draw(&s.cv, &h);
    screen_is(&s, "1.000 |####        3\n"
                  "3.000 |##########  7\n"
                  "4.500 |#######     5\n"
                  "bars linear\n");
    for (int rows = 0; rows < 5; rows++)
        for (int cols = 0; cols < 20; cols++) {
            struct wb_canvas sub = wb_canvas_sub(&s.cv, 0, 0, rows, cols);

            wb_histogram_draw(&sub, &h);
        }
    h.bins = 0;
    wb_histogram_draw(&s.cv, &h);
    screen_is_sound(&s);
    screen_close(&s);
}

static const char *number(double v)
{
    static char out[32];

    return wb_number(out, sizeof out, v);
}

static void test_numbers(void **state)
{
    static const struct {
        double value;
        const char *text;
    } known[] = {
        { 0.62134, "0.6213" },
        { 12.5, "12.50" },
        { 1391, "1391" },
        { 123456, "123456" },
        { 1234567, "1.235e+06" },
        { 1234.56, "1235" },
        { 12345.6, "12346" },
        { 123456.7, "1.235e+05" },
        { -1.2e-5, "-1.200e-05" },
        { 0.0213, "0.02130" },
        { 9.99996, "10.00" },
        { 0, "0" },
        { -0.0, "0" },
        { 1, "1.000" },
        { (double)NAN, "NaN" },
        { (double)INFINITY, "inf" },
        { -(double)INFINITY, "-inf" },
        { 1e300, "1.000e+300" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert_string_equal(number(known[i].value), known[i].text);
        assert_true(strlen(known[i].text) <= WB_NUMBER_WIDTH);
    }
}

static void test_changes(void **state)
{
    char out[32];

    (void)state;
    assert_string_equal(wb_number_change(out, sizeof out, 0.54, 0.62), "+.08");
    assert_string_equal(wb_number_change(out, sizeof out, 0.49, 0.48), "-.01");
    assert_string_equal(wb_number_change(out, sizeof out, 1, 2.2), "+1.2");
    assert_string_equal(wb_number_change(out, sizeof out, 10, 20), "+10");
    assert_string_equal(wb_number_change(out, sizeof out, 10, 20.5), "+10");
    assert_string_equal(wb_number_change(out, sizeof out, 3, 3), "=");
    assert_string_equal(wb_number_change(out, sizeof out, (double)NAN, 3), "");
    assert_string_equal(wb_number_change(out, sizeof out, 0, 3.4e-5), "+3.4e-05");
    assert_string_equal(wb_number_percent(out, sizeof out, 0.41234), "41.2%");
    assert_string_equal(wb_number_percent(out, sizeof out, 0.0002), "0.02%");
    assert_string_equal(wb_number_percent(out, sizeof out, 0), "0%");
    assert_string_equal(wb_number_percent(out, sizeof out, 1), "100%");
    assert_string_equal(wb_number_percent(out, sizeof out, (double)NAN), "NaN");
    assert_string_equal(wb_number_grouped(out, sizeof out, 2630911), "2,630,911");
    assert_string_equal(wb_number_grouped(out, sizeof out, 999), "999");
    assert_string_equal(wb_number_grouped(out, sizeof out, 1000), "1,000");
    assert_string_equal(wb_number_grouped(out, sizeof out, UINT64_MAX),
                        "18,446,744,073,709,551,615");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spark),
        cmocka_unit_test(test_spark_range),
        cmocka_unit_test(test_spark_small_buffer),
        cmocka_unit_test(test_bars),
        cmocka_unit_test(test_bars_ascii),
        cmocka_unit_test(test_slider_at),
        cmocka_unit_test(test_histogram),
        cmocka_unit_test(test_histogram_file),
        cmocka_unit_test(test_histogram_small),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
