/* app/tensor/kernel_neon.c - the portable text for AArch64, where Advanced SIMD is always there. */
#include "app/tensor/kernel_tables.h"

#if defined(__aarch64__)

#if !defined(__clang__)
#pragma GCC optimize("O3", "no-math-errno", "no-trapping-math")
#endif

#include "app/tensor/kernel_loop.h"
#include "app/tensor/kernel_portable.h"

#define KERNEL_TABLE wb_kernels_neon
#define KERNEL_NAME "neon"
#include "app/tensor/kernel_table.h"

#else

const struct wb_kernels wb_kernels_neon = { .name = NULL };

#endif
