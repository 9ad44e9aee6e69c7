/* app/tensor/kernel_scalar.c - the definition of every kernel, compiled without vectorisation.
 *
 * The same text as in the other tables, but the compiler is told to leave it a loop over elements,
 * so that a vectoriser's mistake would show as a difference between tables. */
#include "app/tensor/kernel_tables.h"

#if defined(__clang__)
#define LOOP_HINT _Pragma("clang loop vectorize(disable)")
#else
#define LOOP_HINT
#pragma GCC optimize("no-tree-vectorize")
#endif

#define EACH(i, n) LOOP_HINT for (size_t i = 0; (i) < (n); (i)++)
#define CALL_EACH EACH

#include "app/tensor/kernel_portable.h"

#define KERNEL_TABLE wb_kernels_scalar
#define KERNEL_NAME "scalar"
#include "app/tensor/kernel_table.h"
