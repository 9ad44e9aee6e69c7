/* app/infer/row_dots.h - products of packed weights with few rows, VECTOR lanes a register.
 *
 * The same 16 lanes and the same fold as `dot` of row_loops.h has; weights are widened in registers.
 * Two rows of weights at a time share the loads of x, four when there is but one row of x: that
 * many streams memory serves at once. LOAD_F16(p) gives VECTOR halves as floats. */
#ifndef WB_INFER_ROW_DOTS_H
#define WB_INFER_ROW_DOTS_H

#include "app/infer/row_element.h"
#include "app/infer/row_kernels.h"

#define REGS (WB_LANES / VECTOR)

typedef float vector __attribute__((vector_size(4 * VECTOR), aligned(4), may_alias));
typedef float vector_packed __attribute__((vector_size(4 * VECTOR), aligned(1), may_alias));
typedef uint32_t vector_bits __attribute__((vector_size(4 * VECTOR), aligned(4), may_alias));
typedef uint16_t vector_half __attribute__((vector_size(2 * VECTOR), aligned(1), may_alias));

static inline vector load_f32(const char *w, size_t i)
{
    return *(const vector_packed *)(const void *)(w + 4 * i);
}

static inline vector load_bf16(const char *w, size_t i)
{
    vector_half h = *(const vector_half *)(const void *)(w + 2 * i);

    return (vector)(__builtin_convertvector(h, vector_bits) << 16);
}

#ifdef LOAD_F16
static inline vector load_f16(const char *w, size_t i)
{
    return LOAD_F16(w + 2 * i);
}
#endif

static inline float lane_f32(const char *w, size_t i)
{
    float v;

    memcpy(&v, w + 4 * i, sizeof v);
    return v;
}

static inline float lane_bf16(const char *w, size_t i)
{
    return decode_bf16(load16(w, i));
}

static inline float lane_f16(const char *w, size_t i)
{
    return decode_f16(load16(w, i));
}

/* y[o ldy + r] for `outs` rows of weights, ldw bytes apart, and `rows` of x, both constants. */
#define DOTS_OF(type)                                                                         \
    static inline __attribute__((always_inline)) void dots_of_##type(                         \
        size_t n, const char *w, size_t ldw, const int outs, const float *x, size_t ldx,      \
        const int rows, float *y)                                                             \
    {                                                                                         \
        vector sum[4][WB_LANES / 2][REGS];                                                    \
        size_t i = 0;                                                                         \
                                                                                              \
        for (int o = 0; o < outs; o++)                                                        \
            for (int r = 0; r < rows; r++)                                                    \
                for (int g = 0; g < REGS; g++)                                                \
                    sum[o][r][g] = (vector){ 0 };                                             \
        for (; n - i >= WB_LANES; i += WB_LANES)                                              \
            for (int g = 0; g < REGS; g++) {                                                  \
                size_t at = i + (size_t)g * VECTOR;                                           \
                vector v[4];                                                                  \
                                                                                              \
                for (int o = 0; o < outs; o++)                                                \
                    v[o] = load_##type(w + (size_t)o * ldw, at);                              \
                for (int r = 0; r < rows; r++) {                                              \
                    vector u = *(const vector *)(const void *)(x + (size_t)r * ldx + at);     \
                                                                                              \
                    for (int o = 0; o < outs; o++)                                            \
                        sum[o][r][g] += v[o] * u;                                             \
                }                                                                             \
            }                                                                                 \
        for (int o = 0; o < outs; o++)                                                        \
            for (int r = 0; r < rows; r++) {                                                  \
                float lane[WB_LANES];                                                         \
                                                                                              \
                memcpy(lane, sum[o][r], sizeof lane);                                         \
                for (size_t l = 0; i + l < n; l++)                                            \
                    lane[l] +=                                                                \
                        lane_##type(w + (size_t)o * ldw, i + l) * x[(size_t)r * ldx + i + l]; \
                y[o * (WB_LANES / 2) + r] = fold_floats(lane);                                \
            }                                                                                 \
    }                                                                                         \
                                                                                              \
    static void dots_##type(size_t n, const void *w, size_t ldw, const float *x, size_t ldx,  \
                            size_t rows, float *y)                                            \
    {                                                                                         \
        const char *p = w;                                                                    \
                                                                                              \
        if (rows == 1) {                                                                      \
            dots_of_##type(n, p, ldw, 4, x, ldx, 1, y);                                       \
            return;                                                                           \
        }                                                                                     \
        for (int o = 0; o < 4; o += 2, p += 2 * ldw, y += 2 * (WB_LANES / 2))                 \
            switch (rows) {                                                                   \
            case 2:                                                                           \
                dots_of_##type(n, p, ldw, 2, x, ldx, 2, y);                                   \
                break;                                                                        \
            case 3:                                                                           \
                dots_of_##type(n, p, ldw, 2, x, ldx, 3, y);                                   \
                break;                                                                        \
            case 4:                                                                           \
                dots_of_##type(n, p, ldw, 2, x, ldx, 4, y);                                   \
                break;                                                                        \
            case 5:                                                                           \
                dots_of_##type(n, p, ldw, 2, x, ldx, 5, y);                                   \
                break;                                                                        \
            case 6:                                                                           \
                dots_of_##type(n, p, ldw, 2, x, ldx, 6, y);                                   \
                break;                                                                        \
            case 7:                                                                           \
                dots_of_##type(n, p, ldw, 2, x, ldx, 7, y);                                   \
                break;                                                                        \
            default:                                                                          \
                dots_of_##type(n, p, ldw, 2, x, ldx, 8, y);                                   \
            }                                                                                 \
    }

DOTS_OF(f32)
DOTS_OF(bf16)
#ifdef LOAD_F16
DOTS_OF(f16)
#endif

#endif
