/* tests/unit/test_fused.c - every fused kernel gives the bits of the single kernels it stands
 * for, in every table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "app/tensor/kernels.h"

#define LONG 5000
#define MOST 600 /* beyond the blocks that kernels work in */
#define ODD 3    /* arrays start off their alignment */

struct data {
    uint16_t packed[MOST + ODD], other[MOST + ODD];
    float x[MOST + ODD], y[MOST + ODD], z[MOST + ODD];
};

static uint32_t draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Numbers on a coarse grid (ties, zeros of both signs), and now and then something special. */
static float number(uint32_t *state)
{
    static const float special[] = { 0, -0.0f, INFINITY, -INFINITY, NAN, 1e-42f, 3e38f, -1 };
    uint32_t r = draw(state);

    return r % 16 == 0 ? special[r / 16 % 8] : ((float)(r % 255) - 127) / 16;
}

static void make(struct data *d, uint32_t seed)
{
    for (size_t i = 0; i < MOST + ODD; i++) {
        float v = number(&seed), u = number(&seed);

        wb_kernels()->narrow[WB_DTYPE_BF16](1, &v, &d->packed[i]);
        wb_kernels()->narrow[WB_DTYPE_BF16](1, &u, &d->other[i]);
        d->x[i] = number(&seed);
        d->y[i] = number(&seed);
        d->z[i] = number(&seed);
    }
}

static void same(const float *got, const float *want, size_t n, const char *table, const char *what)
{
    if (memcmp(got, want, n * sizeof *got) != 0)
        fail_msg("%s of %s differs at length %zu", what, table, n);
}

static void check_length(const struct wb_kernels *k, const struct wb_kernels *one,
                         const struct data *d, size_t n, size_t odd)
{
    const float *x = d->x + odd, *y = d->y + odd, *z = d->z + odd;
    const uint16_t *p = d->packed + odd;
    uint32_t at = wb_key_abs(1.5f), signed_at = wb_key_signed(1.5f);
    float wide[MOST], a[MOST], want[MOST], got[MOST];

    one->widen[WB_DTYPE_BF16](n, p, wide);
    one->binary[WB_BINARY_sub](n, wide, x, a);
    k->widen_sub[WB_DTYPE_BF16](n, p, x, got);
    same(got, a, n, k->name, "widen_sub");
    one->fma_vs(n, a, 0.3f, z, want);
    k->widen_sub_fma[WB_DTYPE_BF16](n, p, x, 0.3f, z, got);
    same(got, want, n, k->name, "widen_sub_fma");
    one->binary[WB_BINARY_sub](n, x, wide, a);
    k->sub_widen[WB_DTYPE_BF16](n, x, p, got);
    same(got, a, n, k->name, "sub_widen");
    one->fma_vs(n, a, -0.3f, z, want);
    k->sub_widen_fma[WB_DTYPE_BF16](n, x, p, -0.3f, z, got);
    same(got, want, n, k->name, "sub_widen_fma");
    for (int i = 0; i < 4; i++) {
        static const float low[] = { 0, -0.0f, 1, NAN };

        one->binary[WB_BINARY_mul](n, x, y, a);
        one->binary_vs[WB_BINARY_max](n, a, low[i], want);
        k->mul_max(n, x, y, low[i], got);
        same(got, want, n, k->name, "mul_max");
    }
    one->binary_vs[WB_BINARY_gt](n, x, 0, a);
    one->binary[WB_BINARY_add](n, z, a, want);
    k->add_gt(n, z, x, 0, got);
    same(got, want, n, k->name, "add_gt");
    one->topmask_abs(n, x, at, 1000, 1000 + n / 2, a);
    one->binary[WB_BINARY_mul](n, x, a, want);
    k->topkeep_abs(n, x, at, 1000, 1000 + n / 2, got);
    same(got, want, n, k->name, "topkeep_abs");
    one->binary[WB_BINARY_sub](n, wide, y, a);
    one->topkeep_abs(n, a, at, 1000, 1000 + n / 2, want);
    k->widen_sub_topkeep[WB_DTYPE_BF16](n, p, y, at, 1000, 1000 + n / 2, got);
    same(got, want, n, k->name, "widen_sub_topkeep");
    one->topmask_signed(n, x, signed_at, 1000, 1000 + n / 2, a);
    one->binary[WB_BINARY_mul](n, x, a, want);
    k->topkeep_signed(n, x, signed_at, 1000, 1000 + n / 2, got);
    same(got, want, n, k->name, "topkeep_signed");
}

static void check_bracket(const struct wb_kernels *k, const struct wb_kernels *one,
                          const struct data *d, size_t n, size_t odd)
{
    static const float bound[][2] = { { 1, 2 }, { 1.5f, 1.5f }, { 0, INFINITY },
                                      { 0, 0 }, { 1, NAN },     { NAN, NAN } };
    float wide[MOST], a[MOST];
    uint32_t got[MOST], want[MOST];

    one->widen[WB_DTYPE_BF16](n, d->packed + odd, wide);
    one->binary[WB_BINARY_sub](n, wide, d->y + odd, a);
    for (int i = 0; i < 6; i++) {
        uint32_t low = wb_key_abs(bound[i][0]), high = wb_key_abs(bound[i][1]);
        struct wb_bracket_counts c = { 1, 2, 3 }, e = { 1, 2, 3 };
        size_t used =
            k->widen_sub_bracket[WB_DTYPE_BF16](n, d->packed + odd, d->y + odd, low, high, &c, got);

        assert_int_equal(used, one->bracket_abs(n, a, low, high, &e, want));
        assert_memory_equal(&c, &e, sizeof c);
        assert_memory_equal(got, want, used * sizeof *got);
    }
}

static void check_pairs(const struct wb_kernels *k, const struct wb_kernels *one, const uint16_t *x,
                        const uint16_t *y, size_t n)
{
    double lanes[3][4][WB_LANES];
    struct wb_pair_stats got, want, wide;
    float a[LONG], b[LONG];

    one->widen[WB_DTYPE_BF16](n, x, a);
    one->widen[WB_DTYPE_BF16](n, y, b);
    memset(&got, 0, sizeof got);
    memset(&want, 0, sizeof want);
    wb_pair_stats_start(&got, lanes[0]);
    wb_pair_stats_start(&want, lanes[1]);
    memset(&wide, 0, sizeof wide);
    wb_pair_stats_start(&wide, lanes[2]);
    k->pair_stats(n, a, b, &wide, lanes[2]);
    k->pair_stats_packed[WB_DTYPE_BF16](n, x, y, &got, lanes[0]);
    one->pair_stats(n, a, b, &want, lanes[1]);
    assert_memory_equal(lanes[0], lanes[1], sizeof lanes[0]);
    assert_memory_equal(lanes[2], lanes[1], sizeof lanes[0]);
    wb_pair_stats_finish(&wide, lanes[2]);
    wb_pair_stats_finish(&got, lanes[0]);
    wb_pair_stats_finish(&want, lanes[1]);
    assert_memory_equal(&got, &want, sizeof got);
    assert_memory_equal(&wide, &want, sizeof got);
}

/* Special values are rare enough for whole blocks without one, and common enough for others. */
static void test_packed_equals_widened(void **state)
{
    size_t tables;
    const struct wb_kernels *const *table = wb_kernels_all(&tables);
    static struct data d;

    (void)state;
    for (uint32_t seed = 1; seed <= 8; seed++) {
        make(&d, seed);
        for (size_t i = 0; seed > 2 && i < MOST + ODD; i++) {
            d.packed[i] = (uint16_t)((d.packed[i] & 0x7F80) == 0x7F80 ? 0x8000 : d.packed[i]);
            d.other[i] = (uint16_t)((d.other[i] & 0x7F80) == 0x7F80 ? 0 : d.other[i]);
        }
        for (size_t t = 0; t < tables; t++)
            for (size_t n = 0; n <= MOST; n++) {
                check_bracket(table[t], table[0], &d, n, seed % 2 ? 0 : ODD);
                check_pairs(table[t], table[0], d.packed + seed % 2 * ODD, d.other + seed % 2 * ODD,
                            n);
            }
    }
}

/* Chains of the single kernels, for every number of operands. */
static void check_many(const struct wb_kernels *k, const struct wb_kernels *one,
                       const struct data *d, size_t n, size_t odd)
{
    static const float low[] = { 0.5f, 0, -0.5f };
    const float *x[WB_MANY], *y = d->y + odd;
    float a[MOST], sum[MOST], above[MOST], got[MOST], got2[MOST];
    size_t many = 1 + n % WB_MANY;

    for (size_t j = 0; j < many; j++) /* overlapping stretches of one array */
        x[j] = d->x + odd + (MOST - n) / WB_MANY * j;
    memcpy(sum, x[0], n * sizeof *sum);
    for (size_t j = 1; j < many; j++)
        one->binary[WB_BINARY_add](n, sum, x[j], sum);
    k->sum_of(n, many, x, got);
    if (many > 1) /* one is no sum: a NaN in it may be made quiet */
        same(got, sum, n, k->name, "sum_of");
    for (size_t i = 0; i < sizeof low / sizeof low[0]; i++) {
        for (size_t j = 0; j < many; j++) {
            one->mul_max(n, x[j], y, low[i], a);
            if (j == 0)
                memcpy(sum, a, n * sizeof *sum);
            else
                one->binary[WB_BINARY_add](n, sum, a, sum);
            one->binary_vs[WB_BINARY_gt](n, a, 1, a);
            if (j == 0)
                memcpy(above, a, n * sizeof *above);
            else
                one->binary[WB_BINARY_add](n, above, a, above);
        }
        k->tally(n, many, x, y, low[i], 1, got, got2);
        same(got, sum, n, k->name, "tally, sums");
        same(got2, above, n, k->name, "tally, counts");
    }
}

static void check_scalars(const struct wb_kernels *k, const struct wb_kernels *one,
                          const struct data *d, size_t n, size_t odd)
{
    static const enum wb_binary compare[] = { WB_BINARY_gt, WB_BINARY_lt, WB_BINARY_ge,
                                              WB_BINARY_le, WB_BINARY_eq, WB_BINARY_ne };
    static const float low[] = { 1, 0, -0.0f, NAN };
    const float *x = d->x + odd, *y = d->y + odd, *z = d->z + odd;
    float a[MOST], b[MOST], minus[MOST], want[MOST], got[MOST];
    uint16_t packed[2][MOST];

    one->fill(n, -1, minus);
    for (size_t i = 0; i < sizeof compare / sizeof compare[0]; i++) {
        one->binary_vs[compare[i]](n, x, 1.5f, a);
        one->fma_vs(n, a, 2, minus, want);
        k->step[compare[i]](n, x, 1.5f, 1, -1, got);
        same(got, want, n, k->name, "step");
    }
    for (size_t i = 0; i < sizeof low / sizeof low[0]; i++) {
        one->binary[WB_BINARY_mul](n, x, y, a);
        one->binary_vs[WB_BINARY_max](n, z, low[i], b);
        one->binary[WB_BINARY_div](n, a, b, want);
        k->mul_div_max(n, x, y, z, low[i], got);
        same(got, want, n, k->name, "mul_div_max");
    }
    one->fma_vs(n, x, 0.3f, z, a);
    one->narrow[WB_DTYPE_BF16](n, a, packed[0]);
    k->fma_narrow[WB_DTYPE_BF16](n, x, 0.3f, z, packed[1]);
    assert_memory_equal(packed[0], packed[1], 2 * n);
    one->widen_sub_fma[WB_DTYPE_BF16](n, d->packed + odd, y, 0.3f, z, a);
    one->narrow[WB_DTYPE_BF16](n, a, packed[0]);
    k->widen_sub_fma_narrow[WB_DTYPE_BF16](n, d->packed + odd, y, 0.3f, z, packed[1]);
    assert_memory_equal(packed[0], packed[1], 2 * n);
    one->sub_widen_fma[WB_DTYPE_BF16](n, x, d->packed + odd, -0.3f, z, a);
    one->narrow[WB_DTYPE_BF16](n, a, packed[0]);
    k->sub_widen_fma_narrow[WB_DTYPE_BF16](n, x, d->packed + odd, -0.3f, z, packed[1]);
    assert_memory_equal(packed[0], packed[1], 2 * n);
}

static void test_fused_equals_single(void **state)
{
    size_t tables;
    const struct wb_kernels *const *table = wb_kernels_all(&tables);
    static struct data d;

    (void)state;
    for (uint32_t seed = 1; seed <= 8; seed++) {
        make(&d, seed);
        for (size_t t = 0; t < tables; t++)
            for (size_t n = 0; n <= MOST; n++) {
                check_length(table[t], table[0], &d, n, seed % 2 ? 0 : ODD);
                check_many(table[t], table[0], &d, n, seed % 2 ? 0 : ODD);
                check_scalars(table[t], table[0], &d, n, seed % 2 ? 0 : ODD);
            }
    }
}

/* Longer than the tiles of any table, all finite but for one place, in turn in every part. */
static void test_long_pairs(void **state)
{
    static const float odd_one[] = { 1, NAN, -INFINITY, 3e38f, -0.0f, 1e-42f };
    size_t tables, where[] = { 0, 17, 1023, 1024, 2047, 4095, 4096, LONG - 1 };
    const struct wb_kernels *const *table = wb_kernels_all(&tables);
    static uint16_t x[LONG + 1], y[LONG + 1];
    static float a[LONG], b[LONG];

    (void)state;
    for (size_t i = 0; i < sizeof where / sizeof where[0] * 6; i++) {
        uint32_t seed = 77 + (uint32_t)i;

        for (size_t k = 0; k < LONG; k++) {
            a[k] = ((float)(draw(&seed) % 4001) - 2000) / 1024;
            b[k] = draw(&seed) % 4 == 0 ? a[k] : ((float)(draw(&seed) % 257) - 128) / 4096;
        }
        (i % 2 == 0 ? a : b)[where[i / 6]] = odd_one[i % 6];
        (i % 2 == 0 ? b : a)[where[i / 6]] = -3e38f;
        table[0]->narrow[WB_DTYPE_BF16](LONG, a, x + i % 2);
        table[0]->narrow[WB_DTYPE_BF16](LONG, b, y + i % 2);
        for (size_t t = 0; t < tables; t++) {
            check_pairs(table[t], table[0], x + i % 2, y + i % 2, LONG - i % 7);
            check_pairs(table[t], table[0], x + i % 2, y + i % 2, 1500 + i % 40);
        }
    }
}

static void test_finite(void **state)
{
    static const enum wb_dtype dtype[] = { WB_DTYPE_BF16, WB_DTYPE_F16, WB_DTYPE_F32 };
    static const float bad[] = { NAN, -NAN, INFINITY, -INFINITY };
    size_t tables;
    const struct wb_kernels *const *table = wb_kernels_all(&tables);
    float x[MOST];
    unsigned char raw[4 * MOST + 1];

    (void)state;
    for (size_t t = 0; t < tables; t++)
        for (size_t k = 0; k < 3; k++)
            for (size_t n = 1; n <= MOST; n += 7)
                for (size_t at = 0; at < n; at += 5) {
                    for (size_t i = 0; i < n; i++)
                        x[i] = i % 2 ? -60000 : 1e-8f;
                    table[0]->narrow[dtype[k]](n, x, raw + 1);
                    assert_true(table[t]->finite[dtype[k]](n, raw + 1));
                    x[at] = bad[(n + at) % 4];
                    table[0]->narrow[dtype[k]](n, x, raw + 1);
                    assert_false(table[t]->finite[dtype[k]](n, raw + 1));
                }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fused_equals_single),
        cmocka_unit_test(test_long_pairs),
        cmocka_unit_test(test_packed_equals_widened),
        cmocka_unit_test(test_finite),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
