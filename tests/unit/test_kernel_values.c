/* tests/unit/test_kernel_values.c - what the kernels compute is right: every code of the small
 * dtypes, known values, accuracy, random numbers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/tensor/kernels.h"
#include "tests/unit/draw.h"
#include "tests/unit/near.h"

/* --- dtypes: every code, every half-way case -------------------------------------------------- */

static const struct format {
    enum wb_dtype dtype;
    int width, mantissa, bias;
    uint32_t largest, overflow; /* codes: the largest number, and what lies above it */
} formats[] = {
    { WB_DTYPE_BF16, 16, 7, 127, 0x7F7F, 0x7F80 },
    { WB_DTYPE_F16, 16, 10, 15, 0x7BFF, 0x7C00 },
    { WB_DTYPE_F8_E5M2, 8, 2, 15, 0x7B, 0x7C },
    { WB_DTYPE_F8_E4M3, 8, 3, 7, 0x7E, 0x7F },
};

#define FORMATS (sizeof formats / sizeof formats[0])

static double code_value(const struct format *f, uint32_t code)
{
    uint32_t magnitude = code & ((1u << (f->width - 1)) - 1);
    int exponent = (int)(magnitude >> f->mantissa);
    double fraction = (double)(magnitude & ((1u << f->mantissa) - 1));
    double value =
        exponent == 0 ? ldexp(fraction, 1 - f->bias - f->mantissa)
                      : ldexp(fraction + ldexp(1.0, f->mantissa), exponent - f->bias - f->mantissa);

    return code >> (f->width - 1) != 0 ? -value : value;
}

static float widen_one(const struct wb_kernels *t, const struct format *f, uint32_t code)
{
    uint8_t packed[2] = { (uint8_t)code, (uint8_t)(code >> 8) };
    float value;

    t->widen[f->dtype](1, packed, &value);
    return value;
}

static uint32_t narrow_one(const struct wb_kernels *t, const struct format *f, float value)
{
    uint8_t packed[2] = { 0, 0 };

    t->narrow[f->dtype](1, &value, packed);
    return packed[0] | (uint32_t)packed[1] << 8;
}

static void test_codes(void **state)
{
    size_t count;
    const struct wb_kernels *scalar = wb_kernels_all(&count)[0];

    (void)state;
    for (size_t k = 0; k < FORMATS; k++) {
        const struct format *f = &formats[k];
        uint32_t sign = 1u << (f->width - 1);

        for (uint32_t code = 0; code <= f->largest; code++) {
            float value = (float)code_value(f, code), next, middle;

            assert_true(bits(widen_one(scalar, f, code)) == bits(value));
            assert_true(bits(widen_one(scalar, f, code | sign)) == bits(-value));
            assert_int_equal(narrow_one(scalar, f, value), code);
            assert_int_equal(narrow_one(scalar, f, -value), code | sign);
            next = (float)code_value(f, code + 1); /* beyond the largest: where the next would be */
            if (f->dtype == WB_DTYPE_BF16 &&
                code == f->largest) /* 2^128: the middle is in float32 */
                middle = from_bits(0x7F7F8000);
            else
                middle = value + (next - value) / 2;
            if (f->dtype == WB_DTYPE_F8_E4M3 && code == f->largest)
                middle = 464.0f;
            assert_int_equal(narrow_one(scalar, f, middle), code % 2 == 0 ? code : code + 1);
            assert_int_equal(narrow_one(scalar, f, nextafterf(middle, 0.0f)), code);
            assert_int_equal(narrow_one(scalar, f, nextafterf(middle, INFINITY)), code + 1);
            assert_int_equal(narrow_one(scalar, f, -nextafterf(middle, INFINITY)),
                             (code + 1) | sign);
        }
        assert_int_equal(narrow_one(scalar, f, INFINITY), f->overflow);
        assert_int_equal(narrow_one(scalar, f, -INFINITY), f->overflow | sign);
        assert_int_equal(narrow_one(scalar, f, 3e38f),
                         f->dtype == WB_DTYPE_BF16 ? 0x7F62 : f->overflow);
    }
}

/* All codes and their NaN through every table, in one array each; round trips. */
static void test_code_tables(void **state)
{
    static uint8_t codes[65536 * 2], back[65536 * 2], want_back[65536 * 2];
    static float got[65536], want[65536];
    size_t count;
    const struct wb_kernels *const *all = wb_kernels_all(&count);

    (void)state;
    for (size_t k = 0; k < FORMATS; k++) {
        const struct format *f = &formats[k];
        size_t n = (size_t)1 << f->width, size = (size_t)f->width / 8;

        for (size_t i = 0; i < n; i++) {
            codes[i * size] = (uint8_t)i;
            if (size == 2)
                codes[i * 2 + 1] = (uint8_t)(i >> 8);
        }
        all[0]->widen[f->dtype](n, codes, want);
        all[0]->narrow[f->dtype](n, want, want_back);
        for (size_t i = 0; i < n; i++)
            if (!isnan(want[i]))
                assert_memory_equal(want_back + i * size, codes + i * size, size);
            else
                assert_true(isnan(widen_one(
                    all[0], f,
                    want_back[i * size] | (size == 2 ? (uint32_t)want_back[i * 2 + 1] << 8 : 0))));
        for (size_t t = 1; t < count; t++) {
            all[t]->widen[f->dtype](n, codes, got);
            assert_true(same_bits("widen", n, 4, got, want));
            all[t]->narrow[f->dtype](n, want, back);
            assert_true(same_bits("narrow", n, size, back, want_back));
        }
    }
}

/* Around every half-way case, and random bits: 2^22 float32 values through every table. */
static void test_narrow_tables(void **state)
{
    static float value[4096];
    static uint8_t got[4096 * 2], want[4096 * 2];
    size_t count;
    const struct wb_kernels *const *all = wb_kernels_all(&count);

    (void)state;
    for (int round = 0; round < 1024; round++)
        for (size_t k = 0; k < FORMATS; k++) {
            const struct format *f = &formats[k];

            for (size_t i = 0; i < 4096; i++) {
                uint64_t r = rng();
                uint32_t half =
                    bits(widen_one(all[0], f, (uint32_t)r & 0xFFFF)) + (1u << (22 - f->mantissa));

                value[i] =
                    from_bits(r >> 62 == 0 ? (uint32_t)r : half + (uint32_t)(r >> 32) % 3 - 1);
            }
            all[0]->narrow[f->dtype](4096, value, want);
            for (size_t t = 1; t < count; t++) {
                all[t]->narrow[f->dtype](4096, value, got);
                assert_true(same_bits("narrow", 4096, (size_t)f->width / 8, got, want));
            }
        }
}

static void test_nan_codes(void **state)
{
    size_t count;
    const struct wb_kernels *s = wb_kernels_all(&count)[0];
    float nan = from_bits(0xFF812345), half;
    double wide;

    (void)state;
    assert_int_equal(narrow_one(s, &formats[0], nan), 0xFFC1);
    assert_int_equal(narrow_one(s, &formats[1], nan), 0xFE09);
    assert_int_equal(narrow_one(s, &formats[2], nan), 0xFE);
    assert_int_equal(narrow_one(s, &formats[3], nan), 0xFF);
    assert_int_equal(bits(widen_one(s, &formats[0], 0xFF81)), 0xFF810000);
    assert_int_equal(bits(widen_one(s, &formats[1], 0x7C01)), 0x7FC02000);
    assert_int_equal(bits(widen_one(s, &formats[2], 0x7D)), 0x7FE00000);
    assert_int_equal(bits(widen_one(s, &formats[3], 0xFF)), 0xFFC00000);
    s->narrow[WB_DTYPE_F64](1, &nan, &wide);
    s->widen[WB_DTYPE_F64](1, &wide, &half);
    assert_int_equal(bits(half), 0xFFC12345);
}

/* --- what the functions mean ------------------------------------------------------------------ */

static float unary(enum wb_unary op, float a)
{
    float r;

    wb_kernels()->unary[op](1, &a, &r);
    return r;
}

static float binary(enum wb_binary op, float a, float b)
{
    float r;

    wb_kernels()->binary[op](1, &a, &b, &r);
    return r;
}

static void test_values(void **state)
{
    float nan = from_bits(0xFFA00001);

    (void)state;
    assert_int_equal(bits(unary(WB_UNARY_neg, nan)), 0x7FA00001);
    assert_int_equal(bits(unary(WB_UNARY_abs, nan)), 0x7FA00001);
    assert_int_equal(bits(unary(WB_UNARY_floor, nan)), 0x7FC00000);
    assert_int_equal(bits(unary(WB_UNARY_sqrt, -1.0f)), 0x7FC00000);
    assert_int_equal(bits(binary(WB_BINARY_sub, INFINITY, INFINITY)), 0x7FC00000);
    assert_int_equal(bits(unary(WB_UNARY_sign, -0.0f)), 0);
    assert_true(unary(WB_UNARY_sign, -3e-45f) == -1.0f);
    assert_int_equal(bits(unary(WB_UNARY_recip, -0.0f)), 0xFF800000);
    assert_int_equal(bits(binary(WB_BINARY_min, 0.0f, -0.0f)), 0x80000000);
    assert_int_equal(bits(binary(WB_BINARY_min, -0.0f, 0.0f)), 0x80000000);
    assert_int_equal(bits(binary(WB_BINARY_max, -0.0f, 0.0f)), 0);
    assert_true(isnan(binary(WB_BINARY_min, nan, 1.0f)) && isnan(binary(WB_BINARY_max, 1.0f, nan)));
    for (int op = WB_BINARY_gt; op <= WB_BINARY_ne; op++)
        assert_int_equal(bits(binary((enum wb_binary)op, nan, 1.0f)), 0);
    assert_true(binary(WB_BINARY_pow, 2.0f, -1.5f) == (float)pow(2.0, -1.5));
    assert_true(unary(WB_UNARY_is_finite, INFINITY) == 0.0f &&
                unary(WB_UNARY_is_finite, 1.0f) == 1.0f);
    assert_true(unary(WB_UNARY_is_nan, INFINITY) == 0.0f && unary(WB_UNARY_is_nan, nan) == 1.0f);
    assert_int_equal(bits(unary(WB_UNARY_tanh, -0.0f)), 0x80000000);
    assert_true(unary(WB_UNARY_exp, -INFINITY) == 0.0f &&
                unary(WB_UNARY_exp, INFINITY) == INFINITY);
    assert_true(unary(WB_UNARY_exp, 0.0f) == 1.0f && unary(WB_UNARY_log, 1.0f) == 0.0f);
    assert_true(unary(WB_UNARY_log, 0.0f) == -INFINITY &&
                unary(WB_UNARY_log, INFINITY) == INFINITY);
    assert_int_equal(bits(unary(WB_UNARY_log, -1.0f)), 0x7FC00000);
    assert_true(unary(WB_UNARY_tanh, INFINITY) == 1.0f && unary(WB_UNARY_tanh, -INFINITY) == -1.0f);
}

/* Errors of 1e-14 in double change the rounding to float32 about once in 10^6 arguments; the other
 * neighbour is right then within that error. */
static void test_transcendental(void **state)
{
    static const struct {
        enum wb_unary op;
        double (*f)(double);
    } functions[] = { { WB_UNARY_exp, exp }, { WB_UNARY_log, log }, { WB_UNARY_tanh, tanh } };
    static float in[4096], got[4096];
    int differ = 0;

    (void)state;
    for (int round = 0; round < 256; round++)
        for (size_t k = 0; k < 3; k++) {
            for (size_t i = 0; i < 4096; i++)
                in[i] = round % 2 == 0 ? from_bits((uint32_t)rng())
                                       : (float)ldexp((double)(int32_t)rng(), round % 40 - 52);
            wb_kernels()->unary[functions[k].op](4096, in, got);
            for (size_t i = 0; i < 4096; i++) {
                float want = (float)functions[k].f((double)in[i]);

                if (isnan(want) ? isnan(got[i]) : got[i] == want)
                    continue;
                differ++;
                assert_true(nextafterf(got[i], want) == want);
            }
        }
    assert_in_range(differ, 0, 8);
}

static void test_lerp(void **state)
{
    float a[64], b[64], r[64];

    (void)state;
    for (int i = 0; i < 64; i++) {
        a[i] = draw(FINITE) * 0.25f;
        b[i] = draw(FINITE) * 0.25f;
    }
    wb_kernels()->lerp(64, a, b, 0.0f, r);
    assert_true(same_bits("w = 0", 64, 4, r, a));
    wb_kernels()->lerp(64, a, b, 1.0f, r);
    assert_true(same_bits("w = 1", 64, 4, r, b));
    wb_kernels()->lerp(64, a, a, 0.37f, r);
    assert_true(same_bits("a, a", 64, 4, r, a));
    wb_kernels()->lerp(1, &(float){ 2.0f }, &(float){ 4.0f }, 0.75f, r);
    assert_true(r[0] == 3.5f);
}

static void test_stats(void **state)
{
    const float v[] = { 1.0f, -0.0f, NAN, -3.0f, INFINITY, 2.0f, 0.0f };
    const float u[] = { 2.0f, 0.0f, 1.0f, -1.0f, 1.0f, -2.0f, 5.0f };
    struct wb_stats s, total;
    struct wb_pair_stats p;
    double lanes[4][WB_LANES];

    (void)state;
    wb_stats_start(&s, lanes);
    assert_true(s.min == INFINITY && s.max == -INFINITY && s.absmax == 0.0f);
    wb_kernels()->stats(7, v, &s, lanes);
    wb_stats_finish(&s, lanes);
    assert_int_equal(s.count, 7);
    assert_int_equal(s.nan, 1);
    assert_int_equal(s.inf, 1);
    assert_int_equal(s.zero, 2);
    assert_true(s.sum == 0.0 && s.sum_squares == 14.0);
    assert_true(s.min == -3.0f && s.max == INFINITY && s.absmax == INFINITY);
    wb_stats_start(&total, lanes);
    wb_stats_add(&total, &s);
    wb_stats_add(&total, &s);
    assert_true(total.count == 14 && total.sum_squares == 28.0 && total.min == -3.0f);

    wb_pair_stats_start(&p, lanes);
    wb_kernels()->pair_stats(7, v, u, &p, lanes);
    wb_pair_stats_finish(&p, lanes);
    assert_int_equal(p.count, 7);
    assert_int_equal(p.skipped, 2);
    assert_int_equal(p.same_sign, 3); /* 1 2, -0 0, -3 -1 */
    assert_int_equal(p.unequal, 4);
    assert_true(p.xx == 14.0 && p.yy == 4.0 + 1.0 + 4.0 + 25.0 && p.xy == 2.0 + 3.0 - 4.0);
    assert_true(p.dd == 1.0 + 4.0 + 16.0 + 25.0 && p.max_abs == 5.0f);
}

static void test_selection(void **state)
{
    const float v[] = { 0.5f, -1.0f, 2.0f, -0.0f, 1.0f, -3.0f, 1.5f };
    struct wb_bracket_counts c = { 0, 0, 0 };
    uint32_t list[7];
    float mask[7];
    const float want[] = { 0, 1, 1, 0, 0, 1, 1 };

    (void)state;
    assert_int_equal(wb_kernels()->bracket_abs(7, v, wb_key_abs(1.0f), wb_key_abs(2.0f), &c, list),
                     1);
    assert_true(wb_key_abs_value(list[0]) == 1.5f);
    assert_true(c.above == 1 && c.at_high == 1 && c.at_low == 2);
    memset(&c, 0, sizeof c);
    assert_int_equal(
        wb_kernels()->bracket_signed(7, v, wb_key_signed(-2.0f), wb_key_signed(1.0f), &c, list), 3);
    assert_true(wb_key_signed_value(list[1]) == -1.0f && wb_key_signed_value(list[2]) == 0.0f);
    assert_true(c.above == 2 && c.at_high == 1 && c.at_low == 0);
    wb_kernels()->topmask_abs(7, v, wb_key_abs(1.0f), 10, 12,
                              mask); /* of the ties -1 and 1, the first */
    assert_memory_equal(mask, want, sizeof mask);
    assert_true(wb_key_signed(-0.0f) == wb_key_signed(0.0f));
    assert_true(wb_key_signed(-INFINITY) < wb_key_signed(-1.0f));
}

static void test_extremes(void **state)
{
    float running = INFINITY;
    const float zeros[] = { -0.0f, 0.0f }, bad[] = { 1.0f, NAN };

    (void)state;
    wb_kernels()->min(2, zeros, &running);
    assert_int_equal(bits(running), 0);
    wb_kernels()->min(2, bad, &running);
    assert_int_equal(bits(running), 0x7FC00000);
    wb_kernels()->min(2, zeros, &running);
    assert_int_equal(bits(running), 0x7FC00000);
    assert_int_equal(wb_kernels()->first_nonfinite(2, bad), 1);
    assert_int_equal(wb_kernels()->count_nonzero(2, bad), 2);
}

/* --- random numbers -------------------------------------------------------------------------- */

#define DRAWS 1000000

static void test_random(void **state)
{
    static float v[DRAWS], u[DRAWS];
    const struct wb_kernels *k = wb_kernels();
    uint64_t stream = wb_random_stream(42, 0, "model.layers.0.mlp.up_proj.weight");
    double sum = 0, squares = 0, kept = 0, cross = 0;

    (void)state;
    /* splitmix64(0) = E220A8397B1DCDAF, FNV-1a of "" = CBF29CE484222325 */
    assert_true(wb_random_stream(0xCBF29CE484222325u, 0, "") == 0xE220A8397B1DCDAFu);
    assert_true(wb_random_stream(0xAF63DC4C8601EC8Cu ^ 3ull << 48, 3, "a") == 0xE220A8397B1DCDAFu);
    k->uniform(1, 0, 0, v);
    assert_true(v[0] == (float)(0xE220A8397B1DCDAFu >> 40) * 0x1p-24f);

    k->uniform(DRAWS, stream, 0, v);
    k->uniform(DRAWS, wb_random_stream(42, 1, "model.layers.0.mlp.up_proj.weight"), 0, u);
    for (size_t i = 0; i < DRAWS; i++) {
        sum += (double)v[i];
        squares += (double)v[i] * (double)v[i];
        cross += ((double)v[i] - 0.5) * ((double)u[i] - 0.5);
    }
    /* four standard deviations of the means */
    assert_true(fabs(sum / DRAWS - 0.5) < 4 * sqrt(1.0 / 12 / DRAWS));
    assert_true(fabs(squares / DRAWS - 1.0 / 3) < 4 * sqrt(4.0 / 45 / DRAWS));
    assert_true(fabs(cross / DRAWS) < 4 * sqrt(1.0 / 144 / DRAWS));

    k->bernoulli(DRAWS, stream, 0, 0.1, v);
    for (size_t i = 0; i < DRAWS; i++)
        kept += (double)v[i];
    assert_true(fabs(kept / DRAWS - 0.1) < 4 * sqrt(0.1 * 0.9 / DRAWS));
    k->bernoulli(100, stream, 1000, 0.1, u);
    assert_memory_equal(u, v + 1000, 100 * sizeof *u);
    k->bernoulli(100, stream, 0, 1.0, u);
    for (int i = 0; i < 100; i++)
        assert_true(u[i] == 1.0f);
    k->bernoulli(100, stream, 0, 0.0, u);
    for (int i = 0; i < 100; i++)
        assert_true(u[i] == 0.0f);

    sum = squares = 0;
    k->normal(DRAWS, stream, 0, v);
    for (size_t i = 0; i < DRAWS; i++) {
        sum += (double)v[i];
        squares += (double)v[i] * (double)v[i];
    }
    assert_true(fabs(sum / DRAWS) < 4 * sqrt(1.0 / DRAWS));
    assert_true(fabs(squares / DRAWS - 1.0) < 4 * sqrt(2.0 / DRAWS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes),         cmocka_unit_test(test_code_tables),
        cmocka_unit_test(test_narrow_tables), cmocka_unit_test(test_nan_codes),
        cmocka_unit_test(test_values),        cmocka_unit_test(test_transcendental),
        cmocka_unit_test(test_lerp),          cmocka_unit_test(test_stats),
        cmocka_unit_test(test_selection),     cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
