/* tests/unit/test_dtype.c - names, sizes and shapes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "app/tensor/dtype.h"

static void test_names(void **state)
{
    static const struct {
        const char *name;
        enum wb_dtype dtype;
    } known[] = {
        { "BF16", WB_DTYPE_BF16 },         { "bf16", WB_DTYPE_BF16 },
        { "bfloat16", WB_DTYPE_BF16 },     { "float32", WB_DTYPE_F32 },
        { "torch.float16", WB_DTYPE_F16 }, { "half", WB_DTYPE_F16 },
        { "F8_E4M3", WB_DTYPE_F8_E4M3 },   { "float8_e4m3fn", WB_DTYPE_F8_E4M3 },
        { "double", WB_DTYPE_F64 },        { "int64", WB_DTYPE_I64 },
        { "bool", WB_DTYPE_BOOL },
    };
    enum wb_dtype dtype;

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert_true(wb_dtype_parse(known[i].name, &dtype));
        assert_int_equal(dtype, known[i].dtype);
    }
    assert_false(wb_dtype_parse("", &dtype));
    assert_false(wb_dtype_parse("float33", &dtype));
    for (int i = 0; i < WB_DTYPE_COUNT; i++) {
        const char *torch = wb_dtype_torch_name((enum wb_dtype)i);

        assert_true(wb_dtype_parse(wb_dtype_name((enum wb_dtype)i), &dtype));
        assert_int_equal(dtype, i);
        if (torch == NULL)
            continue;
        assert_true(wb_dtype_parse(torch, &dtype));
        assert_int_equal(dtype, i);
    }
    assert_string_equal(wb_dtype_torch_name(WB_DTYPE_BF16), "bfloat16");
    assert_null(wb_dtype_torch_name(WB_DTYPE_F6_E2M3));
}

static void test_sizes(void **state)
{
    int computable = 0;

    (void)state;
    assert_int_equal(wb_dtype_bits(WB_DTYPE_F4), 4);
    assert_int_equal(wb_dtype_bits(WB_DTYPE_F6_E3M2), 6);
    assert_int_equal(wb_dtype_bits(WB_DTYPE_C64), 64);
    for (int i = 0; i < WB_DTYPE_COUNT; i++)
        computable += wb_dtype_computable((enum wb_dtype)i);
    assert_int_equal(computable, 6);
}

static void test_shapes(void **state)
{
    const struct wb_shape scalar = { .ndim = 0 }, matrix = { .ndim = 2, .dim = { 3, 5 } };
    const struct wb_shape empty = { .ndim = 3, .dim = { UINT64_MAX, 0, UINT64_MAX } };
    const struct wb_shape huge = { .ndim = 2, .dim = { 1ull << 32, 1ull << 32 } };
    const struct wb_shape edge = { .ndim = 2, .dim = { 1ull << 32, 1ull << 31 } };
    const struct wb_shape large = { .ndim = 1, .dim = { 1ull << 61 } };
    uint64_t n;

    (void)state;
    assert_true(wb_shape_count(&scalar, &n) && n == 1);
    assert_true(wb_shape_count(&matrix, &n) && n == 15);
    assert_true(wb_shape_count(&empty, &n) && n == 0);
    assert_false(wb_shape_count(&huge, &n));
    assert_false(wb_shape_count(&edge, &n));
    assert_true(wb_shape_bytes(&matrix, WB_DTYPE_BF16, &n) && n == 30);
    assert_false(wb_shape_bytes(&matrix, WB_DTYPE_F4, &n)); /* 7.5 bytes */
    assert_true(wb_shape_bytes(&empty, WB_DTYPE_F64, &n) && n == 0);
    assert_true(wb_shape_count(&large, &n));
    assert_false(wb_shape_bytes(&large, WB_DTYPE_F64, &n));
    assert_true(wb_shape_equal(&matrix, &matrix));
    assert_false(wb_shape_equal(&matrix, &scalar));
    assert_false(wb_shape_equal(&large, &(struct wb_shape){ .ndim = 1, .dim = { 2 } }));
}

static void test_shape_text(void **state)
{
    const struct wb_shape scalar = { .ndim = 0 }, matrix = { .ndim = 2, .dim = { 4096, 1 } };
    char text[64], small[6];

    (void)state;
    assert_string_equal(wb_shape_format(&matrix, text, sizeof text), "[4096, 1]");
    assert_string_equal(wb_shape_format(&scalar, text, sizeof text), "[]");
    assert_string_equal(wb_shape_format(&matrix, small, sizeof small), "[4096");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_shape_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
