/* app/infer/rowwise.c - rows handed to the kernels of this processor. */
#include "app/infer/rowwise.h"

#include <math.h>
#include <string.h>

#include "app/infer/row_kernels.h"

const struct wb_row_kernels *wb_row_kernels(void)
{
    static const struct wb_row_kernels *const tables[] = { &wb_row_avx512, &wb_row_avx2,
                                                           &wb_row_neon };
    const char *name = wb_kernels()->name;

    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        if (tables[i]->name != NULL && strcmp(tables[i]->name, name) == 0)
            return tables[i];
    return &wb_row_scalar;
}

/* --- norms ------------------------------------------------------------------------------------- */

static void norm_row(const struct wb_row_kernels *k, enum wb_norm norm, size_t n, const float *x,
                     const float *weight, const float *bias, double eps, float *out)
{
    double mean = norm == WB_NORM_LAYER ? k->sum(n, x) / (double)n : 0.0;
    double variance = k->sum_squares(n, x, mean) / (double)n;

    k->normed(n, x, (float)mean, (float)(1.0 / sqrt(variance + eps)), weight,
              norm == WB_NORM_RMS_PLUS_ONE ? 1.0f : 0.0f, norm == WB_NORM_LAYER ? bias : NULL, out);
}

void wb_norm_rows(enum wb_norm norm, size_t n, size_t width, const float *x, size_t ldx,
                  const float *weight, const float *bias, double eps, float *out, size_t ldo)
{
    const struct wb_row_kernels *k = wb_row_kernels();

    for (size_t i = 0; width > 0 && i < n; i++)
        norm_row(k, norm, width, x + i * ldx, weight, bias, eps, out + i * ldo);
}

void wb_norm_heads(enum wb_norm norm, size_t n, int heads, int head_dim, float *x, size_t row,
                   size_t head, const float *weight, const float *bias, double eps)
{
    const struct wb_row_kernels *k = wb_row_kernels();

    for (size_t i = 0; i < n; i++)
        for (int h = 0; h < heads; h++) {
            float *v = x + i * row + (size_t)h * head;

            norm_row(k, norm, (size_t)head_dim, v, weight, bias, eps, v);
        }
}

/* --- activations, positions -------------------------------------------------------------------- */

void wb_act_rows(enum wb_act act, size_t n, size_t width, float *x, size_t ldx)
{
    void (*row)(size_t, float *) = wb_row_kernels()->act[act];

    for (size_t i = 0; i < n; i++)
        row(width, x + i * ldx);
}

void wb_gate_rows(enum wb_act act, size_t n, size_t width, float *gate, size_t ldg, const float *up,
                  size_t ldu)
{
    void (*row)(size_t, float *, const float *) = wb_row_kernels()->gate[act];

    for (size_t i = 0; i < n; i++)
        row(width, gate + i * ldg, up + i * ldu);
}

void wb_rope_rows(size_t n, int heads, int dims, float *x, size_t row, size_t head,
                  const float *cosine, const float *sine)
{
    const struct wb_row_kernels *k = wb_row_kernels();
    size_t half = (size_t)dims / 2;

    for (size_t i = 0; i < n; i++)
        for (int h = 0; h < heads; h++) {
            float *v = x + i * row + (size_t)h * head;

            k->turn(half, v, v + half, cosine + i * half, sine + i * half);
        }
}

void wb_add_rows(size_t n, size_t width, float *x, size_t ldx, const float *y, size_t ldy)
{
    const struct wb_row_kernels *k = wb_row_kernels();

    for (size_t i = 0; i < n; i++)
        k->add(width, x + i * ldx, y + i * ldy);
}

void wb_cap(size_t n, float *x, float cap)
{
    wb_row_kernels()->cap(n, x, cap);
}

/* --- distributions ----------------------------------------------------------------------------- */

void wb_softmax(size_t n, float *x)
{
    const struct wb_row_kernels *k = wb_row_kernels();
    float max = k->max(n, x), sum;

    if (max == -INFINITY) /* all are that, or NaN, which stays */
        max = 0.0f;
    sum = k->exp_sum(n, x, max);
    if (sum != 0.0f)
        k->scale(n, x, 1.0f / sum);
}

double wb_log_sum_exp(size_t n, const float *x)
{
    const struct wb_row_kernels *k = wb_row_kernels();
    float max = k->max(n, x);

    if (max == INFINITY || max == -INFINITY) /* x - max would be NaN */
        return isnan(k->exp_sum_double(n, x, 0.0f)) ? (double)NAN : (double)max;
    return (double)max + log(k->exp_sum_double(n, x, max));
}

size_t wb_argmax(size_t n, const float *x)
{
    float max = wb_row_kernels()->max(n, x);
    size_t i = 0;

    while (i < n && !(x[i] == max))
        i++;
    return i;
}
