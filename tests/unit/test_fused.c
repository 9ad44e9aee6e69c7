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

#define MOST 300
#define ODD 3 /* arrays start off their alignment */

struct data {
    uint16_t packed[MOST + ODD];
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
        float v = number(&seed);

        wb_kernels()->narrow[WB_DTYPE_BF16](1, &v, &d->packed[i]);
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

static void test_fused_equals_single(void **state)
{
    size_t tables;
    const struct wb_kernels *const *table = wb_kernels_all(&tables);
    static struct data d;

    (void)state;
    for (uint32_t seed = 1; seed <= 8; seed++) {
        make(&d, seed);
        for (size_t t = 0; t < tables; t++)
            for (size_t n = 0; n <= MOST; n++)
                check_length(table[t], table[0], &d, n, seed % 2 ? 0 : ODD);
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
        cmocka_unit_test(test_finite),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
