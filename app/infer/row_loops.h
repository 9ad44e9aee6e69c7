/* app/infer/row_loops.h - the table ROW_TABLE, called ROW_NAME, in plain C for the compiler to
 * vectorise; included last by each row_*.c. EACH as in kernel_map.h. */
#include "app/infer/row_element.h"
#include "app/infer/row_kernels.h"

/* --- element by element ----------------------------------------------------------------------- */

#define ACT(name)                                                   \
    static void row_##name(size_t n, float *x)                      \
    {                                                               \
        EACH(i, n)                                                  \
        x[i] = act_##name(x[i]);                                    \
    }                                                               \
    static void gate_##name(size_t n, float *gate, const float *up) \
    {                                                               \
        EACH(i, n)                                                  \
        gate[i] = act_##name(gate[i]) * up[i];                      \
    }

ACT(silu)
ACT(gelu)
ACT(gelu_tanh)
ACT(quick_gelu)
ACT(relu)

#define MAP(name)                                                \
    static void map_##name(size_t n, const float *x, float *out) \
    {                                                            \
        EACH(i, n)                                               \
        out[i] = name##_float(x[i]);                             \
    }

MAP(exp)
MAP(tanh)
MAP(erf)

static void normed(size_t n, const float *x, float mean, float factor, const float *weight,
                   float more, const float *bias, float *out)
{
    EACH(i, n)
    out[i] = (x[i] - mean) * factor;
    if (weight != NULL) {
        EACH(i, n)
        out[i] *= weight[i] + more;
    }
    if (bias != NULL) {
        EACH(i, n)
        out[i] += bias[i];
    }
}

static void turn(size_t n, float *a, float *b, const float *cosine, const float *sine)
{
    EACH(i, n)
    {
        float u = a[i], v = b[i];

        a[i] = u * cosine[i] - v * sine[i];
        b[i] = v * cosine[i] + u * sine[i];
    }
}

static void add(size_t n, float *x, const float *y)
{
    EACH(i, n)
    x[i] += y[i];
}

static void scale(size_t n, float *x, float factor)
{
    EACH(i, n)
    x[i] *= factor;
}

static void cap_to(size_t n, float *x, float cap)
{
    EACH(i, n)
    x[i] = cap * tanh_float(x[i] / cap);
}

static void axpy(size_t n, float a, const float *x, float *y)
{
    EACH(i, n)
    y[i] += a * x[i];
}

/* --- sums -------------------------------------------------------------------------------------- */

static float fold_floats(float *lane)
{
    for (int half = WB_LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            lane[i] += lane[i + half];
    return lane[0];
}

static double sum(size_t n, const float *x)
{
    double lane[WB_LANES] = { 0 };
    size_t i = 0;

    for (; n - i >= WB_LANES; i += WB_LANES)
        for (size_t l = 0; l < WB_LANES; l++)
            lane[l] += (double)x[i + l];
    for (size_t l = 0; i + l < n; l++)
        lane[l] += (double)x[i + l];
    return wb_lanes_fold(lane);
}

static double sum_squares(size_t n, const float *x, double mean)
{
    double lane[WB_LANES] = { 0 };
    size_t i = 0;

    for (; n - i >= WB_LANES; i += WB_LANES)
        for (size_t l = 0; l < WB_LANES; l++)
            lane[l] += ((double)x[i + l] - mean) * ((double)x[i + l] - mean);
    for (size_t l = 0; i + l < n; l++)
        lane[l] += ((double)x[i + l] - mean) * ((double)x[i + l] - mean);
    return wb_lanes_fold(lane);
}

static float max_of(size_t n, const float *x)
{
    float lane[WB_LANES], most = -INFINITY;
    size_t i = 0;

    for (size_t l = 0; l < WB_LANES; l++)
        lane[l] = -INFINITY;
    for (; n - i >= WB_LANES; i += WB_LANES)
        for (size_t l = 0; l < WB_LANES; l++)
            lane[l] = x[i + l] > lane[l] ? x[i + l] : lane[l];
    for (size_t l = 0; i + l < n; l++)
        lane[l] = x[i + l] > lane[l] ? x[i + l] : lane[l];
    for (size_t l = 0; l < WB_LANES; l++)
        most = lane[l] > most ? lane[l] : most;
    return most;
}

static float exp_sum(size_t n, float *x, float max)
{
    float lane[WB_LANES] = { 0 };
    size_t i = 0;

    EACH(j, n)
    x[j] = exp_float(x[j] - max);
    for (; n - i >= WB_LANES; i += WB_LANES)
        for (size_t l = 0; l < WB_LANES; l++)
            lane[l] += x[i + l];
    for (size_t l = 0; i + l < n; l++)
        lane[l] += x[i + l];
    return fold_floats(lane);
}

#define PIECE 256 /* a multiple of WB_LANES */

static double exp_sum_double(size_t n, const float *x, float max)
{
    double lane[WB_LANES] = { 0 };
    float e[PIECE];

    for (size_t first = 0; first < n; first += PIECE) {
        size_t len = n - first < PIECE ? n - first : PIECE, i = 0;

        EACH(j, len)
        e[j] = exp_float(x[first + j] - max);
        for (; len - i >= WB_LANES; i += WB_LANES)
            for (size_t l = 0; l < WB_LANES; l++)
                lane[l] += (double)e[i + l];
        for (size_t l = 0; i + l < len; l++)
            lane[l] += (double)e[i + l];
    }
    return wb_lanes_fold(lane);
}

/* --- products ---------------------------------------------------------------------------------- */

static float dot_one(size_t n, const float *w, const float *x)
{
    float lane[WB_LANES] = { 0 };
    size_t i = 0;

    for (; n - i >= WB_LANES; i += WB_LANES)
        for (size_t l = 0; l < WB_LANES; l++)
            lane[l] += w[i + l] * x[i + l];
    for (size_t l = 0; i + l < n; l++)
        lane[l] += w[i + l] * x[i + l];
    return fold_floats(lane);
}

static void dot(size_t n, const float *w, const float *x, size_t ldx, size_t rows, float *y,
                size_t ldy)
{
    for (size_t r = 0; r < rows; r++)
        y[r * ldy] = dot_one(n, w, x + r * ldx);
}

#ifdef VECTOR
#include "app/infer/row_dots.h"
#endif

const struct wb_row_kernels ROW_TABLE = {
    .name = ROW_NAME,
    .act = { [WB_ACT_SILU] = row_silu,
             [WB_ACT_GELU] = row_gelu,
             [WB_ACT_GELU_TANH] = row_gelu_tanh,
             [WB_ACT_QUICK_GELU] = row_quick_gelu,
             [WB_ACT_RELU] = row_relu },
    .gate = { [WB_ACT_SILU] = gate_silu,
              [WB_ACT_GELU] = gate_gelu,
              [WB_ACT_GELU_TANH] = gate_gelu_tanh,
              [WB_ACT_QUICK_GELU] = gate_quick_gelu,
              [WB_ACT_RELU] = gate_relu },
    .exp = map_exp,
    .tanh = map_tanh,
    .erf = map_erf,
    .sum = sum,
    .sum_squares = sum_squares,
    .normed = normed,
    .turn = turn,
    .add = add,
    .scale = scale,
    .cap = cap_to,
    .max = max_of,
    .exp_sum = exp_sum,
    .exp_sum_double = exp_sum_double,
    .dot = dot,
    .axpy = axpy,
#ifdef VECTOR
    .dots = { [WB_DTYPE_F32] = dots_f32,
              [WB_DTYPE_BF16] = dots_bf16,
#ifdef LOAD_F16
              [WB_DTYPE_F16] = dots_f16,
#endif
    },
#endif
#ifdef HAVE_TILES
    .pack = tile_pack,
    .tile = tile_multiply,
#endif
};
