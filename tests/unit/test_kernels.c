/* tests/unit/test_kernels.c - every table gives the bits of the scalar table. */
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

#define MAX 2100 /* beyond the tiles of some kernels */
#define PAD 24   /* room for the offsets, and canaries behind */
#define SIZE (MAX + PAD)
#define CANARY 0xA5

static size_t items; /* of the arrays, in use for the length at hand */

static float x[SIZE], y[SIZE], z[SIZE];

static void draw_inputs(int kind)
{
    for (size_t i = 0; i < items; i++) {
        x[i] = draw(kind);
        y[i] = (rng() & 7) == 0 ? x[i] : draw(kind);
        z[i] = draw(kind);
    }
}

/* Two outputs of one kernel, one from each table, with canaries all over. */
static struct pair {
    _Alignas(64) unsigned char got[SIZE * 8], want[SIZE * 8];
} out;

static void out_clear(void)
{
    memset(out.got, CANARY, items * 8);
    memset(out.want, CANARY, items * 8);
}

static void out_same(const char *what, size_t size)
{
    if (!same_bits(what, items * 8 / size, size, out.got, out.want))
        fail_msg("%s", what);
}

#define GOT ((void *)(out.got + shift))
#define WANT ((void *)(out.want + shift))

/* Call body for every other table t (against s, the scalar one), kind, length, and some offsets. */
struct twin {
    const struct wb_kernels *t, *s;
    size_t n, at; /* length; offset of the inputs in elements */
    size_t shift; /* offset of the output in bytes, a multiple of 4 */
    int kind;
};

static void each_twin(void (*check)(const struct twin *w))
{
    size_t count;
    const struct wb_kernels *const *all = wb_kernels_all(&count);

    for (size_t k = 1; k < count; k++)
        for (int kind = 0; kind < KINDS; kind++)
            for (size_t n = 0; n <= MAX; n += n < 300 ? 1 : 257) {
                struct twin w = { .t = all[k], .s = all[0], .n = n, .kind = kind };

                items = n + PAD;
                draw_inputs(kind);
                w.at = n % 5 == 0 ? 0 : 1 + rng() % 15;
                w.shift = n % 3 == 0 ? 0 : 4 * (rng() % 16);
                check(&w);
            }
}

static const char *label(const struct twin *w, const char *name, int op)
{
    static char text[100];

    snprintf(text, sizeof text, "%s %s(%d) n %zu offset %zu kind %d", w->t->name, name, op, w->n,
             w->at, w->kind);
    return text;
}

static void check_map(const struct twin *w)
{
    const float *a = x + w->at, *b = y + (w->at * 7) % 16, *c = z + (w->at * 3) % 16;
    size_t n = w->n, shift = w->shift;

#define MAP(name, op, member, ...)      \
    out_clear();                        \
    w->t->member(n, __VA_ARGS__, GOT);  \
    w->s->member(n, __VA_ARGS__, WANT); \
    out_same(label(w, name, op), 4)

    for (int op = 0; op < WB_UNARY_COUNT; op++) {
        MAP("unary", op, unary[op], a);
    }
    for (int op = 0; op < WB_BINARY_COUNT; op++) {
        MAP("binary", op, binary[op], a, b);
        MAP("vs", op, binary_vs[op], a, b[0]);
        MAP("sv", op, binary_sv[op], c[0], b);
    }
    MAP("fill", 0, fill, c[1]);
    MAP("fma_vv", 0, fma_vv, a, b, c);
    MAP("fma_vs", 0, fma_vs, a, b[2], c);
    MAP("where", 0, where, c, a, b);
    MAP("lerp", 0, lerp, a, b, 0.0f);
    MAP("lerp", 1, lerp, a, b, 1.0f);
    MAP("lerp", 2, lerp, a, b, 0.3f);
    MAP("lerp", 3, lerp, a, b, c[2]);
    MAP("clamp", 0, clamp, a, -0.01f, 0.02f);
    MAP("clamp", 1, clamp, a, b[0], c[0]);
    MAP("nan_to", 0, nan_to, a, 0.0f);
    MAP("nan_to", 1, nan_to, a, c[0]);
    MAP("uniform", 0, uniform, rng_state, w->at);
    MAP("bernoulli", 0, bernoulli, rng_state, w->at, 0.3);
    MAP("bernoulli", 1, bernoulli, rng_state, UINT64_MAX - 5, (double)c[0]);
    MAP("normal", 0, normal, rng_state, w->at);
    MAP("topmask_abs", 0, topmask_abs, a, wb_key_abs(a[0]), 100, 100 + n / 2);
    MAP("topmask_abs", 1, topmask_abs, a, wb_key_abs(0.25f), 100, 3);
    MAP("topmask_signed", 0, topmask_signed, a, wb_key_signed(a[0]), 0, UINT64_MAX);
    MAP("topmask_signed", 1, topmask_signed, a, wb_key_signed(-0.5f), 7, 7);
}

/* In place: out is x, then y. */
static void check_in_place(const struct twin *w)
{
    const float *a = x + w->at;
    size_t n = w->n, shift = w->shift;

    for (int op = 0; op < WB_BINARY_COUNT; op++) {
        out_clear();
        memcpy(GOT, a, n * 4);
        w->t->binary[op](n, GOT, y, GOT);
        w->s->binary[op](n, a, y, WANT);
        out_same(label(w, "binary in place", op), 4);
        out_clear();
        memcpy(GOT, a, n * 4);
        w->t->binary[op](n, y, GOT, GOT);
        w->s->binary[op](n, y, a, WANT);
        out_same(label(w, "binary into y", op), 4);
    }
    for (int op = 0; op < WB_UNARY_COUNT; op++) {
        out_clear();
        memcpy(GOT, a, n * 4);
        w->t->unary[op](n, GOT, GOT);
        w->s->unary[op](n, a, WANT);
        out_same(label(w, "unary in place", op), 4);
    }
    out_clear();
    memcpy(GOT, a, n * 4);
    w->t->lerp(n, GOT, y, 0.25f, GOT);
    w->s->lerp(n, a, y, 0.25f, WANT);
    out_same(label(w, "lerp in place", 0), 4);
}

static void check_lanes(const struct twin *w)
{
    const float *a = x + w->at, *b = y + (w->at * 7) % 16;
    size_t n = w->n, shift = 0;

#define LANES(name, count, member, ...)                                                \
    out_clear();                                                                       \
    for (int l = 0; l < (count); l++)                                                  \
        ((double *)GOT)[l] = ((double *)WANT)[l] = w->n % 2 == 0 ? 0.0 : (double)z[l]; \
    w->t->member(n, __VA_ARGS__, GOT);                                                 \
    w->s->member(n, __VA_ARGS__, WANT);                                                \
    out_same(label(w, name, 0), 8)

    LANES("sum", WB_LANES, sum, a);
    LANES("sum_abs", WB_LANES, sum_abs, a);
    LANES("sum_squares", WB_LANES, sum_squares, a);
    LANES("dot", WB_LANES, dot, a, b);
    LANES("column_sum", (int)items, column_sum, a);
    LANES("column_sum_squares", (int)items, column_sum_squares, a);
    LANES("column_sum_abs", (int)items, column_sum_abs, a);
    LANES("column_dot", (int)items, column_dot, a, b);

#define RUNNING(name, member, start)        \
    out_clear();                            \
    *(float *)GOT = *(float *)WANT = start; \
    w->t->member(n, a, GOT);                \
    w->s->member(n, a, WANT);               \
    out_same(label(w, name, 0), 4)

    RUNNING("min", min, INFINITY);
    RUNNING("max", max, -INFINITY);
    RUNNING("absmax", absmax, 0.0f);
    RUNNING("min", min, z[0]);
    RUNNING("max", max, z[0]);
    RUNNING("absmax", absmax, z[0]);
    assert_int_equal(w->t->count_nonzero(n, a), w->s->count_nonzero(n, a));
    assert_int_equal(w->t->first_nonfinite(n, a), w->s->first_nonfinite(n, a));
}

static void check_stats(const struct twin *w)
{
    struct wb_stats got, want;
    struct wb_pair_stats pair_got, pair_want;
    double lanes_got[4][WB_LANES], lanes_want[4][WB_LANES];
    const float *a = x + w->at, *b = y + (w->at * 7) % 16;
    size_t cut = w->n / 2 / WB_LANES * WB_LANES;

    memset(&got, 0, sizeof got);
    memset(&want, 0, sizeof want);
    wb_stats_start(&got, lanes_got);
    wb_stats_start(&want, lanes_want);
    w->t->stats(cut, a, &got, lanes_got);
    w->t->stats(w->n - cut, a + cut, &got, lanes_got);
    w->s->stats(w->n, a, &want, lanes_want);
    assert_true(same_bits(label(w, "stats lanes", 0), 32, 8, lanes_got, lanes_want));
    wb_stats_finish(&got, lanes_got);
    wb_stats_finish(&want, lanes_want);
    assert_true(same_bits(label(w, "stats", 0), sizeof got / 4 - 1, 4, &got, &want));

    memset(&pair_got, 0, sizeof pair_got);
    memset(&pair_want, 0, sizeof pair_want);
    wb_pair_stats_start(&pair_got, lanes_got);
    wb_pair_stats_start(&pair_want, lanes_want);
    w->t->pair_stats(cut, a, b, &pair_got, lanes_got);
    w->t->pair_stats(w->n - cut, a + cut, b + cut, &pair_got, lanes_got);
    w->s->pair_stats(w->n, a, b, &pair_want, lanes_want);
    assert_true(same_bits(label(w, "pair lanes", 0), 64, 8, lanes_got, lanes_want));
    wb_pair_stats_finish(&pair_got, lanes_got);
    wb_pair_stats_finish(&pair_want, lanes_want);
    assert_true(
        same_bits(label(w, "pair stats", 0), sizeof pair_got / 4 - 1, 4, &pair_got, &pair_want));
}

static void bracket_twin(const struct twin *w, const float *a, uint32_t low, uint32_t high,
                         bool is_signed)
{
    struct wb_bracket_counts got = { 1, 2, 3 }, want = { 1, 2, 3 };
    size_t used_got, used_want;

    if (low > high) {
        uint32_t swap = low;

        low = high;
        high = swap;
    }
    out_clear();
    if (is_signed) {
        used_got = w->t->bracket_signed(w->n, a, low, high, &got, (uint32_t *)(void *)out.got);
        used_want = w->s->bracket_signed(w->n, a, low, high, &want, (uint32_t *)(void *)out.want);
    } else {
        used_got = w->t->bracket_abs(w->n, a, low, high, &got, (uint32_t *)(void *)out.got);
        used_want = w->s->bracket_abs(w->n, a, low, high, &want, (uint32_t *)(void *)out.want);
    }
    assert_int_equal(used_got, used_want);
    assert_memory_equal(&got, &want, sizeof got);
    assert_true(same_bits(label(w, "bracket", is_signed), used_got, 4, out.got, out.want));
    for (size_t i = w->n * 4; i < items * 8; i++) /* room for n is all a kernel may use */
        assert_int_equal(out.got[i], CANARY);
}

static void check_bracket(const struct twin *w)
{
    const float *a = x + w->at;

    bracket_twin(w, a, wb_key_abs(a[1]), wb_key_abs(a[0]), false);
    bracket_twin(w, a, wb_key_abs(a[0]), wb_key_abs(a[0]), false);
    bracket_twin(w, a, wb_key_abs(0.25f), wb_key_abs(0.75f), false);
    bracket_twin(w, a, 0, UINT32_MAX, false);
    bracket_twin(w, a, UINT32_MAX, UINT32_MAX, false);
    bracket_twin(w, a, wb_key_signed(a[1]), wb_key_signed(a[0]), true);
    bracket_twin(w, a, wb_key_signed(a[0]), wb_key_signed(a[0]), true);
    bracket_twin(w, a, wb_key_signed(-0.5f), wb_key_signed(0.5f), true);
    bracket_twin(w, a, 0, UINT32_MAX, true);
    bracket_twin(w, a, 0, 0, true);
}

static void check_convert(const struct twin *w)
{
    for (int d = 0; d < WB_DTYPE_COUNT; d++) {
        size_t size = wb_dtype_bits((enum wb_dtype)d) / 8;
        static unsigned char packed[SIZE * 8];

        assert_true((w->s->widen[d] != NULL) == wb_dtype_computable((enum wb_dtype)d));
        assert_true((w->s->narrow[d] != NULL) == wb_dtype_computable((enum wb_dtype)d));
        if (w->s->widen[d] == NULL)
            continue;
        out_clear();
        w->t->narrow[d](w->n, x + w->at, out.got + w->at); /* any alignment */
        w->s->narrow[d](w->n, x + w->at, out.want + w->at);
        out_same(label(w, "narrow", d), 1);
        for (size_t i = 0; i < items * 8; i++)
            packed[i] = (unsigned char)rng();
        assert_true(w->n * size + w->at < items * 8);
        out_clear();
        w->t->widen[d](w->n, packed + w->at, (float *)(void *)(out.got + w->shift));
        w->s->widen[d](w->n, packed + w->at, (float *)(void *)(out.want + w->shift));
        out_same(label(w, "widen", d), 4);
    }
}

static void test_twins_map(void **state)
{
    (void)state;
    each_twin(check_map);
}

static void test_twins_in_place(void **state)
{
    (void)state;
    each_twin(check_in_place);
}

static void test_twins_lanes(void **state)
{
    (void)state;
    each_twin(check_lanes);
}

static void test_twins_stats(void **state)
{
    (void)state;
    each_twin(check_stats);
}

static void test_twins_bracket(void **state)
{
    (void)state;
    each_twin(check_bracket);
}

static void test_twins_convert(void **state)
{
    (void)state;
    each_twin(check_convert);
}

/* --- choosing -------------------------------------------------------------------------------- */

static void test_choice(void **state)
{
    size_t count;
    const struct wb_kernels *const *all = wb_kernels_all(&count);

    (void)state;
    assert_true(count >= 1);
    assert_string_equal(all[0]->name, "scalar");
    setenv("WB_KERNELS", "scalar", 1);
    assert_null(wb_kernels_forced_error());
    setenv("WB_KERNELS", "sse9", 1);
    assert_non_null(wb_kernels_forced_error());
    unsetenv("WB_KERNELS");
    assert_null(wb_kernels_forced_error());
    wb_kernels_use(all[0]);
    assert_ptr_equal(wb_kernels(), all[0]);
    wb_kernels_use(all[count - 1]);
    assert_ptr_equal(wb_kernels(), all[count - 1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twins_map),     cmocka_unit_test(test_twins_in_place),
        cmocka_unit_test(test_twins_lanes),   cmocka_unit_test(test_twins_stats),
        cmocka_unit_test(test_twins_bracket), cmocka_unit_test(test_twins_convert),
        cmocka_unit_test(test_choice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
