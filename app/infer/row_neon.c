/* app/infer/row_neon.c - the row kernels for AArch64, where Advanced SIMD is always there. */
#include "app/infer/row_kernels.h"

#if defined(__aarch64__)

#if !defined(__clang__)
#pragma GCC optimize("O3", "no-math-errno", "no-trapping-math")
#endif

#include "app/tensor/kernel_loop.h"

#define VECTOR 4

#define ROW_TABLE wb_row_neon
#define ROW_NAME "neon"
#include "app/infer/row_loops.h"

#else

const struct wb_row_kernels wb_row_neon = { .name = NULL };

#endif
