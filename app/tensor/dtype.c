/* app/tensor/dtype.c - names and sizes of element types, arithmetic on shapes. */
#include "app/tensor/dtype.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct dtype_row {
    const char *name;
    unsigned bits;
    bool computable;
} dtype_rows[WB_DTYPE_COUNT] = {
#define X(name, bits, computable) { #name, bits, computable },
    WB_DTYPES(X)
#undef X
};

/* torch's names; the first of a type is the one written. */
static const struct torch_row {
    const char *name;
    enum wb_dtype dtype;
} torch_rows[] = {
    { "bool", WB_DTYPE_BOOL },
    { "uint8", WB_DTYPE_U8 },
    { "int8", WB_DTYPE_I8 },
    { "float8_e5m2", WB_DTYPE_F8_E5M2 },
    { "float8_e4m3fn", WB_DTYPE_F8_E4M3 },
    { "float8_e4m3", WB_DTYPE_F8_E4M3 },
    { "float8_e8m0fnu", WB_DTYPE_F8_E8M0 },
    { "float8_e4m3fnuz", WB_DTYPE_F8_E4M3FNUZ },
    { "float8_e5m2fnuz", WB_DTYPE_F8_E5M2FNUZ },
    { "float4_e2m1fn_x2", WB_DTYPE_F4 },
    { "int16", WB_DTYPE_I16 },
    { "short", WB_DTYPE_I16 },
    { "uint16", WB_DTYPE_U16 },
    { "float16", WB_DTYPE_F16 },
    { "half", WB_DTYPE_F16 },
    { "fp16", WB_DTYPE_F16 },
    { "bfloat16", WB_DTYPE_BF16 },
    { "int32", WB_DTYPE_I32 },
    { "int", WB_DTYPE_I32 },
    { "uint32", WB_DTYPE_U32 },
    { "float32", WB_DTYPE_F32 },
    { "float", WB_DTYPE_F32 },
    { "fp32", WB_DTYPE_F32 },
    { "complex64", WB_DTYPE_C64 },
    { "float64", WB_DTYPE_F64 },
    { "double", WB_DTYPE_F64 },
    { "fp64", WB_DTYPE_F64 },
    { "int64", WB_DTYPE_I64 },
    { "long", WB_DTYPE_I64 },
    { "uint64", WB_DTYPE_U64 },
};

#define TORCH_ROWS (sizeof torch_rows / sizeof torch_rows[0])

const char *wb_dtype_name(enum wb_dtype dtype)
{
    return dtype_rows[dtype].name;
}

unsigned wb_dtype_bits(enum wb_dtype dtype)
{
    return dtype_rows[dtype].bits;
}

bool wb_dtype_computable(enum wb_dtype dtype)
{
    return dtype_rows[dtype].computable;
}

bool wb_dtype_parse(const char *name, enum wb_dtype *dtype)
{
    if (strncasecmp(name, "torch.", 6) == 0)
        name += 6;
    for (int i = 0; i < WB_DTYPE_COUNT; i++)
        if (strcasecmp(dtype_rows[i].name, name) == 0) {
            *dtype = (enum wb_dtype)i;
            return true;
        }
    for (size_t i = 0; i < TORCH_ROWS; i++)
        if (strcasecmp(torch_rows[i].name, name) == 0) {
            *dtype = torch_rows[i].dtype;
            return true;
        }
    return false;
}

const char *wb_dtype_torch_name(enum wb_dtype dtype)
{
    for (size_t i = 0; i < TORCH_ROWS; i++)
        if (torch_rows[i].dtype == dtype)
            return torch_rows[i].name;
    return NULL;
}

/* A dimension of 0 makes the tensor empty whatever the others are. */
bool wb_shape_count(const struct wb_shape *shape, uint64_t *count)
{
    uint64_t product = 1;
    bool fits = true;

    for (int i = 0; i < shape->ndim; i++) {
        if (shape->dim[i] == 0) {
            *count = 0;
            return true;
        }
        fits = fits && !__builtin_mul_overflow(product, shape->dim[i], &product);
    }
    if (!fits || product > INT64_MAX)
        return false;
    *count = product;
    return true;
}

bool wb_shape_bytes(const struct wb_shape *shape, enum wb_dtype dtype, uint64_t *bytes)
{
    uint64_t bits;

    if (!wb_shape_count(shape, &bits) ||
        __builtin_mul_overflow(bits, (uint64_t)wb_dtype_bits(dtype), &bits) || bits % 8 != 0)
        return false;
    *bytes = bits / 8;
    return true;
}

bool wb_shape_equal(const struct wb_shape *a, const struct wb_shape *b)
{
    if (a->ndim != b->ndim)
        return false;
    for (int i = 0; i < a->ndim; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

const char *wb_shape_format(const struct wb_shape *shape, char *out, size_t size)
{
    size_t used = 0;

    if (size == 0)
        return out;
    snprintf(out, size, "[");
    for (int i = 0; i < shape->ndim; i++) {
        used = strlen(out);
        snprintf(out + used, size - used, "%s%" PRIu64, i == 0 ? "" : ", ", shape->dim[i]);
    }
    used = strlen(out);
    snprintf(out + used, size - used, "]");
    return out;
}
