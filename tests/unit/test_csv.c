/* tests/unit/test_csv.c - CSV as RFC 4180 has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "app/probe/csv.h"

static void test_fields(void **state)
{
    struct wb_str s = { 0 };

    (void)state;
    wb_csv_text(&s, true, "plain words");
    wb_csv_text(&s, false, "a,b");
    wb_csv_text(&s, false, "say \"no\"");
    wb_csv_text(&s, false, "two\nlines");
    wb_csv_text(&s, false, "");
    wb_csv_end(&s);
    wb_csv_number(&s, true, 0.1);
    wb_csv_number(&s, false, -1.0 / 3);
    wb_csv_number(&s, false, NAN);
    wb_csv_number(&s, false, 1e300);
    wb_csv_number(&s, false, INFINITY);
    wb_csv_end(&s);
    assert_string_equal(s.text, "plain words,\"a,b\",\"say \"\"no\"\"\",\"two\nlines\",\r\n"
                                "0.1,-0.333333333,,1e+300,inf\r\n");
    wb_str_free(&s);
}

static void test_grid(void **state)
{
    static const char *const row[] = { "0", "non-layer" }, *const column[] = { "q", "k,v" };
    static const double value[] = { 1, NAN, 0.5, -0.25 };
    struct wb_str s = { 0 };

    (void)state;
    wb_csv_grid(&s, "layer", row, 2, column, 2, value);
    assert_string_equal(s.text, "layer,q,\"k,v\"\r\n0,1,\r\nnon-layer,0.5,-0.25\r\n");
    wb_str_free(&s);
    wb_csv_grid(&s, "", row, 0, column, 0, value);
    assert_string_equal(s.text, "\r\n");
    wb_str_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_grid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
