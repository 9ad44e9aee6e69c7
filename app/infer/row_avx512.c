/* app/infer/row_avx512.c - the row kernels for AVX-512 F, BW, DQ, VL. */
#include "app/infer/row_kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <math.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(                                                           \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,popcnt"))), \
    apply_to = function)
#else
#pragma GCC optimize("O3", "no-math-errno", "no-trapping-math")
#pragma GCC target( \
    "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,popcnt,prefer-vector-width=512")
#endif

#include "app/infer/tile_avx512.h"
#include "app/tensor/kernel_loop.h"

#define HAVE_TILES
#define VECTOR 16
#define LOAD_F16(p) _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(p)))

#define ROW_TABLE wb_row_avx512
#define ROW_NAME "avx512"
#include "app/infer/row_loops.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif

#else

const struct wb_row_kernels wb_row_avx512 = { .name = NULL };

#endif
