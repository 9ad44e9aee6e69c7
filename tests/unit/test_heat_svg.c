/* tests/unit/test_heat_svg.c - heatmaps as pictures: well-formed, whatever the names, and small. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/xml.h"
#include "views/heat_svg.h"

/* Names from files cannot break the picture. */
static void test_hostile_svg(void **state)
{
    static const char *label[] = { "<b>\"&", "\033[1m\xff", "a'&amp;" };
    float value[9] = { 0, 1, 0.5f, NAN, 1, 0, 0, 0, 0 };
    struct wb_heat h = { .rows = 3,
                         .cols = 3,
                         .value = value,
                         .max = 1,
                         .row_axis = { .label = label },
                         .col_axis = { .label = label },
                         .quantity = "<&>" };
    struct wb_heat_picture p = {
        .heat = &h, .title = "<title>", .note = "\x01\"", .row_title = "&"
    };
    struct wb_str out = { 0 };

    (void)state;
    value[7] = wb_heat_missing();
    value[8] = wb_heat_blank();
    wb_heat_svg(&p, &out);
    assert_int_equal(check_xml(out.text, "rect"), 8 + 1 + 65);
    assert_non_null(strstr(out.text, ">N</text>"));
    assert_non_null(strstr(out.text, ">x</text>"));
    wb_str_free(&out);
}

/* A large map joins cells of one colour, and its file stays small. */
static void test_large_svg(void **state)
{
    enum { N = 300 };
    float *value = calloc((size_t)N * N, sizeof *value);
    struct wb_heat h = { .rows = N, .cols = N, .value = value, .max = 1 };
    struct wb_heat_picture p = { .heat = &h };
    struct wb_str out = { 0 };

    (void)state;
    assert_non_null(value);
    for (int i = 0; i < N; i++)
        value[i * N + i] = 1;
    wb_heat_svg(&p, &out);
    assert_int_equal(check_xml(out.text, "rect"), 3 * N - 2 + 1 + 65);
    wb_str_free(&out);
    free(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile_svg),
        cmocka_unit_test(test_large_svg),
    };

    return cmocka_run_group_tests_name("pictures of heatmaps", tests, NULL, NULL);
}
