/* app/infer/row_avx2.c - the row kernels for AVX2. */
#include "app/infer/row_kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <math.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,bmi2,popcnt"))), \
                             apply_to = function)
#else
#pragma GCC optimize("O3", "no-math-errno", "no-trapping-math")
#pragma GCC target("avx2,fma,f16c,bmi2,popcnt")
#endif

#include "app/tensor/kernel_loop.h"

#define VECTOR 8
#define LOAD_F16(p) _mm256_cvtph_ps(_mm_loadu_si128((const void *)(p)))

#define ROW_TABLE wb_row_avx2
#define ROW_NAME "avx2"
#include "app/infer/row_loops.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif

#else

const struct wb_row_kernels wb_row_avx2 = { .name = NULL };

#endif
