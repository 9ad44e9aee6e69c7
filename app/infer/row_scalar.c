/* app/infer/row_scalar.c - the definition of the row kernels, compiled without vectorisation. */
#if defined(__clang__)
#define LOOP_HINT _Pragma("clang loop vectorize(disable)")
#else
#define LOOP_HINT
#pragma GCC optimize("no-tree-vectorize")
#endif

#define EACH(i, n) LOOP_HINT for (size_t i = 0; (i) < (n); (i)++)

#define ROW_TABLE wb_row_scalar
#define ROW_NAME "scalar"
#include "app/infer/row_loops.h"
