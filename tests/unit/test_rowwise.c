/* tests/unit/test_rowwise.c - row kernels: all tables by memcmp, and figures against double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "app/infer/row_kernels.h"
#include "app/infer/rowwise.h"
#include "app/tensor/kernels.h"

#define N_MAX 300
#define ROWS 9

static uint64_t seed = 1;

static double uniform(void) /* [-1, 1) */
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(int64_t)seed * 0x1p-63;
}

/* Ordinary numbers, and now and then one that is not. */
static void fill(float *x, size_t n, bool special)
{
    static const float odd[] = { 0.0f,   -0.0f,     INFINITY,  -INFINITY, NAN,
                                 1e-40f, -3.4e38f,  88.8f,     -104.0f,   -90.0f,
                                 1e30f,  0x1p-126f, 3.4028e38f };

    for (size_t i = 0; i < n; i++) {
        x[i] = (float)(uniform() * 8);
        if (special && uniform() > 0.8)
            x[i] = odd[(size_t)(fabs(uniform()) * 13) % 13];
    }
}

/* --- the tables -------------------------------------------------------------------------------- */

/* Everything that the kernels of one table make of the same input. */
struct outcome {
    float act[WB_ACTS][N_MAX], gate[WB_ACTS][N_MAX], map[3][N_MAX], normed[3][N_MAX];
    float turned[2][N_MAX], added[N_MAX], scaled[N_MAX], capped[N_MAX], exponent[N_MAX];
    float axpy[N_MAX], dot[WB_LANES / 2];
    float max, exp_sum;
    double sum, squares, exp_sum_double;
};

static void run_table(const struct wb_row_kernels *k, size_t n, const float *x, const float *y,
                      const float *rows, struct outcome *o)
{
    memset(o, 0, sizeof *o);
    for (int a = 0; a < WB_ACTS; a++) {
        memcpy(o->act[a], x, n * sizeof *x);
        k->act[a](n, o->act[a]);
        memcpy(o->gate[a], x, n * sizeof *x);
        k->gate[a](n, o->gate[a], y);
    }
    k->exp(n, x, o->map[0]);
    k->tanh(n, x, o->map[1]);
    k->erf(n, x, o->map[2]);
    k->normed(n, x, 0.5f, 0.75f, NULL, 0.0f, NULL, o->normed[0]);
    k->normed(n, x, 0.5f, 0.75f, y, 1.0f, NULL, o->normed[1]);
    k->normed(n, x, 0.5f, 0.75f, y, 0.0f, x, o->normed[2]);
    memcpy(o->turned[0], x, n * sizeof *x);
    memcpy(o->turned[1], y, n * sizeof *x);
    k->turn(n, o->turned[0], o->turned[1], rows, rows + N_MAX);
    memcpy(o->added, x, n * sizeof *x);
    k->add(n, o->added, y);
    memcpy(o->scaled, x, n * sizeof *x);
    k->scale(n, o->scaled, 0.3f);
    memcpy(o->capped, x, n * sizeof *x);
    k->cap(n, o->capped, 30.0f);
    memcpy(o->exponent, x, n * sizeof *x);
    o->exp_sum = k->exp_sum(n, o->exponent, 2.0f);
    o->exp_sum_double = k->exp_sum_double(n, x, 2.0f);
    o->max = k->max(n, x);
    o->sum = k->sum(n, x);
    o->squares = k->sum_squares(n, x, 0.25);
    memcpy(o->axpy, y, n * sizeof *x);
    k->axpy(n, 0.7f, x, o->axpy);
    k->dot(n, x, rows, N_MAX, 1 + n % (WB_LANES / 2), o->dot, 1);
}

/* A NaN of an addition or product may have either operand's sign and payload: compilers choose. */
static void one_nan(void *memory, size_t bytes)
{
    float *x = memory;
    double d;
    char *at = (char *)memory + offsetof(struct outcome, sum);

    for (size_t i = 0; i < offsetof(struct outcome, sum) / sizeof *x; i++)
        x[i] = isnan(x[i]) ? NAN : x[i];
    for (; at < (char *)memory + bytes; at += sizeof d) {
        memcpy(&d, at, sizeof d);
        d = isnan(d) ? (double)NAN : d;
        memcpy(at, &d, sizeof d);
    }
}

static void test_tables(void **state)
{
    static float x[N_MAX + 1], y[N_MAX + 1], rows[N_MAX * WB_LANES / 2];
    static struct outcome want, got;
    const struct wb_kernels *chosen = wb_kernels();
    size_t count;
    const struct wb_kernels *const *all = wb_kernels_all(&count);

    (void)state;
    for (size_t n = 0; n <= N_MAX; n++) {
        size_t odd = n % 2; /* alignment */

        fill(x, N_MAX + 1, n % 3 == 2);
        fill(y, N_MAX + 1, n % 3 == 2);
        fill(rows, sizeof rows / sizeof rows[0], n % 3 == 2);
        if (n == N_MAX)
            odd = 0;
        run_table(&wb_row_scalar, n, x + odd, y + odd, rows, &want);
        one_nan(&want, sizeof want);
        for (size_t t = 0; t < count; t++) {
            wb_kernels_use(all[t]);
            assert_string_equal(wb_row_kernels()->name, all[t]->name);
            run_table(wb_row_kernels(), n, x + odd, y + odd, rows, &got);
            one_nan(&got, sizeof got);
            assert_memory_equal(&got, &want, sizeof want);
        }
    }
    wb_kernels_use(chosen);
}

/* --- functions --------------------------------------------------------------------------------- */

/* In units of the last place of the true value as a float32. */
static double ulps(float got, double want)
{
    double unit = fabs(want) < 0x1p-126 ? 0x1p-149 : ldexp(1.0, ilogb(want) - 23);

    return fabs((double)got - want) / unit;
}

static void check_function(void (*map)(size_t, const float *, float *), double (*want)(double),
                           double low, double high)
{
    enum { POINTS = 60000 };
    static float x[POINTS], y[POINTS];

    for (int i = 0; i < POINTS; i++) {
        x[i] = (float)(low + (high - low) * i / POINTS);
        if (i % 4 == 0) /* small ones too */
            x[i] = (float)ldexp((double)x[i], -(i / 4 % 30));
    }
    map(POINTS, x, y);
    for (int i = 0; i < POINTS; i++)
        assert_true(ulps(y[i], want((double)x[i])) <= 2.0);
}

static void test_functions(void **state)
{
    const struct wb_row_kernels *k = wb_row_kernels();
    const float x[] = { 0.0f, -0.0f, INFINITY, -INFINITY, NAN, 89.0f, -200.0f };
    float y[7];

    (void)state;
    check_function(k->exp, exp, -103.9, 88.7);
    check_function(k->tanh, tanh, -10, 10);
    check_function(k->erf, erf, -5, 5);
    k->exp(7, x, y);
    assert_true(y[0] == 1 && y[1] == 1 && isinf(y[2]) && y[3] == 0 && isnan(y[4]));
    assert_true(isinf(y[5]) && y[6] == 0);
    k->tanh(7, x, y);
    assert_true(y[0] == 0 && signbit(y[1]) && y[2] == 1 && y[3] == -1 && isnan(y[4]));
    k->erf(7, x, y);
    assert_true(y[0] == 0 && signbit(y[1]) && y[2] == 1 && y[3] == -1 && isnan(y[4]));
}

static double want_act(enum wb_act act, double x)
{
    switch (act) {
    case WB_ACT_SILU:
        return x / (1 + exp(-x));
    case WB_ACT_GELU:
        return x * 0.5 * erfc(-x * sqrt(0.5));
    case WB_ACT_GELU_TANH:
        return 0.5 * x * (1 + tanh(sqrt(2 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case WB_ACT_QUICK_GELU:
        return x / (1 + exp(-1.702 * x));
    case WB_ACT_RELU:
        return x > 0 ? x : 0;
    }
    return (double)NAN;
}

static void test_activations(void **state)
{
    enum { WIDTH = 2001, STRIDE = WIDTH + 3 };
    static float x[2 * STRIDE], up[2 * WIDTH], gate[2 * STRIDE];

    (void)state;
    for (int a = 0; a < WB_ACTS; a++) {
        for (size_t i = 0; i < 2 * STRIDE; i++)
            gate[i] = x[i] = (float)i / 100 - 20;
        fill(up, 2 * WIDTH, false);
        wb_act_rows((enum wb_act)a, 2, WIDTH, x, STRIDE);
        for (size_t i = 0; i < 2 * STRIDE; i++) {
            double v = (double)gate[i], want = i % STRIDE < WIDTH ? want_act((enum wb_act)a, v) : v;

            /* 1 + erf and 1 + tanh are formed in float32: an error of half an ulp of 1, times x */
            assert_true(fabs((double)x[i] - want) <= 3e-7 * fabs(v));
        }
        wb_gate_rows((enum wb_act)a, 2, WIDTH, gate, STRIDE, up, WIDTH);
        for (size_t i = 0; i < WIDTH; i++) {
            assert_true(gate[i] == x[i] * up[i]);
            assert_true(gate[STRIDE + i] == x[STRIDE + i] * up[WIDTH + i]);
        }
    }
}

/* --- rows -------------------------------------------------------------------------------------- */

static void test_norms(void **state)
{
    enum { LDX = N_MAX + 2, LDO = N_MAX + 5 };
    static float x[ROWS * LDX], out[ROWS * LDO], weight[N_MAX], bias[N_MAX];
    static const enum wb_norm norms[] = { WB_NORM_RMS, WB_NORM_RMS_PLUS_ONE, WB_NORM_LAYER };

    (void)state;
    fill(x, ROWS * LDX, false);
    fill(weight, N_MAX, false);
    fill(bias, N_MAX, false);
    for (size_t width = 1; width <= N_MAX; width += width < 40 ? 1 : 37)
        for (int i = 0; i < 3; i++) {
            bool layer = norms[i] == WB_NORM_LAYER;

            wb_norm_rows(norms[i], ROWS, width, x, LDX, width % 5 == 0 ? NULL : weight,
                         width % 3 == 0 ? NULL : bias, 1e-5, out, LDO);
            for (size_t r = 0; r < ROWS; r++) {
                double mean = 0, variance = 0;

                for (size_t j = 0; layer && j < width; j++)
                    mean += (double)x[r * LDX + j] / (double)width;
                for (size_t j = 0; j < width; j++)
                    variance += pow((double)x[r * LDX + j] - mean, 2) / (double)width;
                for (size_t j = 0; j < width; j++) {
                    double w = width % 5 == 0 ? 1 : (double)weight[j];
                    double b = layer && width % 3 != 0 ? (double)bias[j] : 0, want;

                    w += width % 5 != 0 && norms[i] == WB_NORM_RMS_PLUS_ONE ? 1 : 0;
                    want = ((double)x[r * LDX + j] - mean) / sqrt(variance + 1e-5) * w + b;
                    /* five roundings of values of at most 8 / sqrt(eps) * 9 for width 1 */
                    assert_true(fabs((double)out[r * LDO + j] - want) <=
                                4e-7 * (fabs(want) + fabs(b) + 8 * fabs(w)));
                }
            }
        }
}

/* In place, heads apart from one another: the same bits as rows. */
static void test_norm_heads(void **state)
{
    enum { HEADS = 3, DIM = 20, HEAD = 24, ROW = HEADS * HEAD + 1 };
    static float x[ROWS * ROW], before[ROWS * ROW], weight[DIM], want[DIM];

    (void)state;
    fill(x, ROWS * ROW, false);
    fill(weight, DIM, false);
    memcpy(before, x, sizeof x);
    wb_norm_heads(WB_NORM_RMS, ROWS, HEADS, DIM, x, ROW, HEAD, weight, NULL, 1e-6);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t h = 0; h < HEADS; h++) {
            size_t at = r * ROW + h * HEAD;

            wb_norm_rows(WB_NORM_RMS, 1, DIM, before + at, DIM, weight, NULL, 1e-6, want, DIM);
            assert_memory_equal(x + at, want, sizeof want);
            assert_memory_equal(x + at + DIM, before + at + DIM, (HEAD - DIM) * sizeof *x);
        }
}

static void test_rope(void **state)
{
    enum { HEADS = 3, DIM = 20, TURNED = 12, ROW = HEADS * DIM + 1 };
    static float x[ROWS * ROW], before[ROWS * ROW], cosine[ROWS * TURNED / 2],
        sine[ROWS * TURNED / 2];

    (void)state;
    fill(x, ROWS * ROW, false);
    fill(cosine, ROWS * TURNED / 2, false);
    fill(sine, ROWS * TURNED / 2, false);
    memcpy(before, x, sizeof x);
    wb_rope_rows(ROWS, HEADS, TURNED, x, ROW, DIM, cosine, sine);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t h = 0; h < HEADS; h++)
            for (size_t j = 0; j < DIM; j++) {
                const float *v = before + r * ROW + h * DIM;
                size_t half = TURNED / 2, angle = r * half + j % half;
                double c = (double)cosine[angle], s = (double)sine[angle], want = (double)v[j];

                if (j < half)
                    want = (double)v[j] * c - (double)v[j + half] * s;
                else if (j < TURNED)
                    want = (double)v[j] * c + (double)v[j - half] * s;
                /* three roundings of values of at most 128 */
                assert_true(fabs((double)x[r * ROW + h * DIM + j] - want) <= 128 * 0x1p-23);
            }
}

static void test_softmax(void **state)
{
    float x[N_MAX], y[N_MAX];

    (void)state;
    for (size_t n = 1; n <= N_MAX; n++) {
        double sum = 0, max = -INFINITY;

        fill(x, n, false);
        if (n % 3 == 0)
            x[n / 2] = -INFINITY;
        memcpy(y, x, sizeof x);
        wb_softmax(n, y);
        for (size_t i = 0; i < n; i++)
            max = fmax(max, (double)x[i]);
        for (size_t i = 0; i < n; i++)
            sum += exp((double)x[i] - max);
        for (size_t i = 0; i < n; i++) {
            double want = exp((double)x[i] - max) / sum;

            /* x - max is rounded at up to 16: half of 2^-20, and some units for exp and the sum */
            assert_true(fabs((double)y[i] - want) <= 2e-6 * want);
        }
        assert_true(fabs(wb_log_sum_exp(n, x) - (max + log(sum))) <= 5e-7);
    }
    for (int i = 0; i < 20; i++)
        x[i] = -INFINITY;
    wb_softmax(20, x);
    for (int i = 0; i < 20; i++)
        assert_true(x[i] == 0);
    x[7] = NAN;
    wb_softmax(20, x);
    for (int i = 0; i < 20; i++)
        assert_true(isnan(x[i]));
    wb_softmax(0, x);
}

static void test_log_sum_exp(void **state)
{
    const float inf[] = { 1, INFINITY, -INFINITY }, low[] = { -INFINITY, -INFINITY };
    const float nan[] = { 1, NAN, INFINITY }, large[] = { 3e38f, 1 };

    (void)state;
    assert_true(wb_log_sum_exp(3, inf) == (double)INFINITY);
    assert_true(wb_log_sum_exp(2, low) == -(double)INFINITY);
    assert_true(wb_log_sum_exp(0, low) == -(double)INFINITY);
    assert_true(isnan(wb_log_sum_exp(3, nan)) && isnan(wb_log_sum_exp(2, nan)));
    assert_true(wb_log_sum_exp(2, large) == (double)3e38f);
}

static void test_argmax(void **state)
{
    float x[N_MAX];

    (void)state;
    for (size_t n = 1; n <= N_MAX; n++) {
        size_t at = n * 7 % n, second;

        fill(x, n, false);
        second = at + (n - at) / 2;
        x[at] = x[second] = 9;
        assert_int_equal(wb_argmax(n, x), at);
        if (n > 2) {
            x[n - 1 - at] = NAN;
            assert_int_equal(wb_argmax(n, x), x[at] == 9 ? at : second);
        }
    }
    for (size_t i = 0; i < N_MAX; i++)
        x[i] = NAN;
    assert_int_equal(wb_argmax(N_MAX, x), N_MAX);
    x[200] = -INFINITY;
    assert_int_equal(wb_argmax(N_MAX, x), 200);
    assert_int_equal(wb_argmax(0, x), 0);
}

static void test_cap_add(void **state)
{
    float x[N_MAX], y[N_MAX];

    (void)state;
    for (size_t i = 0; i < N_MAX; i++)
        x[i] = (float)i - 150;
    memcpy(y, x, sizeof x);
    wb_cap(N_MAX, x, 30.0f);
    for (size_t i = 0; i < N_MAX; i++)
        assert_true(ulps(x[i], 30 * tanh((double)y[i] / 30)) <= 4); /* division and product too */
    wb_add_rows(3, 50, x, 100, y, 60);
    for (size_t i = 0; i < N_MAX; i++) {
        size_t r = i / 100, c = i % 100;
        float capped = (float)i - 150;

        wb_cap(1, &capped, 30.0f);
        assert_true(x[i] == (c < 50 ? capped + y[r * 60 + c] : capped));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),      cmocka_unit_test(test_functions),
        cmocka_unit_test(test_activations), cmocka_unit_test(test_norms),
        cmocka_unit_test(test_norm_heads),  cmocka_unit_test(test_rope),
        cmocka_unit_test(test_softmax),     cmocka_unit_test(test_log_sum_exp),
        cmocka_unit_test(test_argmax),      cmocka_unit_test(test_cap_add),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
