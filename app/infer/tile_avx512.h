/* app/infer/tile_avx512.h - tiles of 8 rows and 32 outputs: 16 accumulators, two vectors of
 * weights, and x broadcast from where it lies.
 *
 * 8 rows of x fit into one set of the first-level cache even when they lie 4 KiB apart, so x needs
 * no packing; a panel comes from the second-level cache at 16 bytes a cycle. */
#ifndef WB_INFER_TILE_AVX512_H
#define WB_INFER_TILE_AVX512_H

#include "app/infer/row_kernels.h"

/* r[i] becomes column i of the 16 rows. */
static inline void transpose16(__m512 r[16])
{
    __m512 t[16];

    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int h = 0; h < 2; h++) {
            __m512d a = _mm512_castps_pd(t[i + h]), b = _mm512_castps_pd(t[i + h + 2]);

            r[i + 2 * h] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
            r[i + 2 * h + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
        }
    /* quarters of r[4 q + c] are columns c, 4 + c, 8 + c, 12 + c of rows 4 q .. 4 q + 3 */
    for (int c = 0; c < 4; c++) {
        t[c] = _mm512_shuffle_f32x4(r[c], r[4 + c], 0x88);
        t[4 + c] = _mm512_shuffle_f32x4(r[c], r[4 + c], 0xDD);
        t[8 + c] = _mm512_shuffle_f32x4(r[8 + c], r[12 + c], 0x88);
        t[12 + c] = _mm512_shuffle_f32x4(r[8 + c], r[12 + c], 0xDD);
    }
    for (int c = 0; c < 4; c++) {
        r[c] = _mm512_shuffle_f32x4(t[c], t[8 + c], 0x88);
        r[4 + c] = _mm512_shuffle_f32x4(t[4 + c], t[12 + c], 0x88);
        r[8 + c] = _mm512_shuffle_f32x4(t[c], t[8 + c], 0xDD);
        r[12 + c] = _mm512_shuffle_f32x4(t[4 + c], t[12 + c], 0xDD);
    }
}

static inline __mmask16 first_lanes(size_t n)
{
    return (__mmask16)(n >= 16 ? 0xFFFFu : (1u << n) - 1);
}

static void tile_pack(size_t outs, size_t deep, const float *w, size_t ldw, float *panel)
{
    for (size_t i = 0; i < deep; i += 16)
        for (size_t half = 0; half < WB_PANEL; half += 16) {
            __mmask16 mask = first_lanes(deep - i);
            __m512 r[16];

            for (size_t o = 0; o < 16; o++)
                r[o] = half + o < outs ? _mm512_maskz_loadu_ps(mask, w + (half + o) * ldw + i)
                                       : _mm512_setzero_ps();
            transpose16(r);
            for (size_t j = 0; j < 16 && i + j < deep; j++)
                _mm512_store_ps(panel + (i + j) * WB_PANEL + half, r[j]);
        }
}

static void tile_multiply(const struct wb_tile *t)
{
    __m512 sum[WB_TILE_ROWS][2];
    const float *x[WB_TILE_ROWS], *panel = t->panel;
    __mmask16 mask[2] = { first_lanes(t->outs), first_lanes(t->outs < 16 ? 0 : t->outs - 16) };

    for (size_t r = 0; r < WB_TILE_ROWS; r++) {
        x[r] = t->x + (r < t->rows ? r : t->rows - 1) * t->ldx; /* beyond: not stored */
        sum[r][0] = sum[r][1] = _mm512_setzero_ps();
    }
    for (size_t i = 0; i < t->deep; i++, panel += WB_PANEL) {
        __m512 w0 = _mm512_load_ps(panel), w1 = _mm512_load_ps(panel + 16);

        for (int r = 0; r < WB_TILE_ROWS; r++) {
            __m512 v = _mm512_set1_ps(x[r][i]);

            sum[r][0] = _mm512_fmadd_ps(v, w0, sum[r][0]);
            sum[r][1] = _mm512_fmadd_ps(v, w1, sum[r][1]);
        }
    }
    for (size_t r = 0; r < t->rows; r++)
        for (int h = 0; h < 2; h++) {
            float *y = t->y + r * t->ldy + 16 * h;
            __m512 v = sum[r][h];

            if (t->bias != NULL)
                v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(mask[h], t->bias + 16 * h));
            if (t->add)
                v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(mask[h], y));
            _mm512_mask_storeu_ps(y, mask[h], v);
        }
}

#endif
