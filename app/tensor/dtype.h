/* app/tensor/dtype.h - element types and shapes.
 *
 * The types are safetensors' own, in the order of its specification. Six of them can be computed
 * with (F64 F32 F16 BF16 F8_E4M3 F8_E5M2); tensors of all others pass through untouched. */
#ifndef WB_TENSOR_DTYPE_H
#define WB_TENSOR_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"

/* X(name, bits of one element, computable) */
/* clang-format off */
#define WB_DTYPES(X)                                                                              \
    X(BOOL, 8, false) X(F4, 4, false) X(F6_E2M3, 6, false) X(F6_E3M2, 6, false) X(U8, 8, false)    \
    X(I8, 8, false) X(F8_E5M2, 8, true) X(F8_E4M3, 8, true) X(F8_E8M0, 8, false)                   \
    X(F8_E4M3FNUZ, 8, false) X(F8_E5M2FNUZ, 8, false) X(I16, 16, false) X(U16, 16, false)          \
    X(F16, 16, true) X(BF16, 16, true) X(I32, 32, false) X(U32, 32, false) X(F32, 32, true)        \
    X(C64, 64, false) X(F64, 64, true) X(I64, 64, false) X(U64, 64, false)

/* clang-format on */

enum wb_dtype {
#define X(name, bits, computable) WB_DTYPE_##name,
    WB_DTYPES(X)
#undef X
        WB_DTYPE_COUNT
};

#define WB_DIMS_MAX 8

/* Row-major. A 0-d tensor has ndim 0 and one element. A dimension may be 0. */
struct wb_shape {
    int ndim;
    uint64_t dim[WB_DIMS_MAX];
};

const char *wb_dtype_name(enum wb_dtype dtype); /* "BF16" */
unsigned wb_dtype_bits(enum wb_dtype dtype);    /* of one element */
bool wb_dtype_computable(enum wb_dtype dtype);
/* "BF16", "bf16", "bfloat16", "float32", … */
bool wb_dtype_parse(const char *name, enum wb_dtype *dtype);
/* The torch_dtype of config.json: "bfloat16"; NULL for types torch has no name for. */
const char *wb_dtype_torch_name(enum wb_dtype dtype);

/* Product of the dimensions; false when it leaves 2^63. */
bool wb_shape_count(const struct wb_shape *shape, uint64_t *count);
/* Bytes of the elements packed; false when it overflows or does not fill whole bytes. */
bool wb_shape_bytes(const struct wb_shape *shape, enum wb_dtype dtype, uint64_t *bytes);
bool wb_shape_equal(const struct wb_shape *a, const struct wb_shape *b);
/* "[4096, 4096]" into out. */
const char *wb_shape_format(const struct wb_shape *shape, char *out, size_t size);

#endif
