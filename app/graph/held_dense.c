/* app/graph/held_dense.c - operands of dense nodes made matrices, results put where they are
 * held. */
#include "app/graph/held_dense.h"

#include <stdlib.h>
#include <string.h>

#include "app/graph/node_impl.h"

static size_t element_bytes(enum wb_dtype dtype)
{
    return dtype == WB_DTYPE_F64 ? sizeof(double) : sizeof(float);
}

static bool mat_new(struct wb_mat *m, enum wb_dtype dtype, uint64_t rows, uint64_t columns,
                    struct wb_err *err)
{
    size_t bytes;

    *m = (struct wb_mat){ .dtype = dtype, .rows = (size_t)rows, .cols = (size_t)columns };
    if (__builtin_mul_overflow(rows * element_bytes(dtype), columns, &bytes) ||
        bytes > SIZE_MAX - 64)
        return wb_fail(err, WB_ENOMEM, "a matrix of %llu x %llu", (unsigned long long)rows,
                       (unsigned long long)columns);
    bytes = (bytes + 64) & ~(size_t)63;
    m->data = aligned_alloc(64, bytes);
    if (m->data == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a matrix of %llu x %llu (%zu bytes)",
                       (unsigned long long)rows, (unsigned long long)columns, bytes);
    return true;
}

static void convert(void *to, enum wb_dtype to_type, const void *from, enum wb_dtype from_type,
                    size_t n)
{
    if (to_type == from_type)
        memcpy(to, from, n * element_bytes(to_type));
    else if (to_type == WB_DTYPE_F64)
        for (size_t i = 0; i < n; i++)
            ((double *)to)[i] = (double)((const float *)from)[i];
    else
        for (size_t i = 0; i < n; i++)
            ((float *)to)[i] = (float)((const double *)from)[i];
}

static uint64_t dim(const struct wb_node *n, int i)
{
    return i < n->shape.ndim ? n->shape.dim[i] : 1;
}

/* A copy of a held operand in the dtype of the computation. */
static bool mat_of(const struct wb_held_table *table, const struct wb_node *n, enum wb_dtype dtype,
                   struct wb_mat *m, struct wb_err *err)
{
    const struct wb_held *held = wb_held_find(table, n);

    if (!mat_new(m, dtype, dim(n, 0), dim(n, 1), err))
        return false;
    if (n->domain == WB_SMALL)
        convert(m->data, dtype, held->f64, WB_DTYPE_F64, (size_t)n->count);
    else
        convert(m->data, dtype, held->f32, WB_DTYPE_F32, (size_t)n->count);
    return true;
}

/* Keep a result where its node's domain says; takes m's memory. */
static bool keep(struct wb_held *held, struct wb_mat *m, struct wb_err *err)
{
    enum wb_dtype want = held->node->domain == WB_SMALL ? WB_DTYPE_F64 : WB_DTYPE_F32;
    struct wb_mat stored;

    if (m->dtype != want) {
        if (!mat_new(&stored, want, m->rows, m->cols, err))
            return false;
        convert(stored.data, want, m->data, m->dtype, m->rows * m->cols);
        free(m->data);
        *m = stored;
    }
    if (want == WB_DTYPE_F64) {
        free(held->f64);
        held->f64 = m->data;
    } else {
        held->f32 = m->data;
    }
    m->data = NULL;
    return true;
}

static enum wb_dtype compute_dtype(const struct wb_node *n)
{
    uint64_t total = 0;
    bool small = true;

    for (size_t i = 0; i < n->n_in; i++) {
        total += n->in[i]->count;
        small = small && n->in[i]->domain == WB_SMALL;
    }
    return small || total <= WB_DENSE_F64_MAX ? WB_DTYPE_F64 : WB_DTYPE_F32;
}

static bool one_result(const struct wb_held_table *table, struct wb_held *held, struct wb_err *err)
{
    const struct wb_node *n = held->node;
    enum wb_dtype dtype = compute_dtype(n);
    struct wb_mat a = { .data = NULL }, b = { .data = NULL }, c = { .data = NULL };
    uint64_t rows = n->op == WB_OP_ASSIGNMENT ? 1 : dim(n, 0);
    uint64_t columns = n->op == WB_OP_ASSIGNMENT ? dim(n, 0) : dim(n, 1);
    bool ok = mat_of(table, n->in[0], dtype, &a, err) &&
              (n->n_in < 2 || mat_of(table, n->in[1], dtype, &b, err)) &&
              mat_new(&c, dtype, rows, columns, err);

    if (ok && n->op == WB_OP_MATMUL)
        ok = wb_dense_matmul(&a, &b, &c, err);
    else if (ok && n->op == WB_OP_INVERSE)
        ok = wb_dense_inverse(&a, &c, err);
    else if (ok && n->op == WB_OP_SOLVE)
        ok = wb_dense_solve(&a, &b, &c, err);
    else if (ok && n->op == WB_OP_LEAST_SQUARES)
        ok = wb_dense_least_squares(&a, &b, n->u.number, &c, err);
    else if (ok)
        ok = wb_dense_assignment(&a, &c, err);
    ok = ok && keep(held, &c, err);
    free(a.data);
    free(b.data);
    free(c.data);
    return ok;
}

static bool decompose(const struct wb_held_table *table, struct wb_held *held, struct wb_err *err)
{
    const struct wb_node *n = held->node;
    enum wb_dtype dtype = compute_dtype(n);
    uint64_t rows = dim(n->in[0], 0), columns = dim(n->in[0], 1);
    uint64_t least = rows < columns ? rows : columns,
             rank = n->op == WB_OP_SVD ? n->u.index : least;
    struct wb_mat a = { .data = NULL }, *part = held->part;
    bool ok = mat_of(table, n->in[0], dtype, &a, err);

    if (ok && n->op == WB_OP_SVD)
        ok = mat_new(&part[0], dtype, rows, rank, err) && mat_new(&part[1], dtype, 1, rank, err) &&
             mat_new(&part[2], dtype, rank, columns, err) &&
             wb_dense_svd(&a, &part[0], &part[1], &part[2], err);
    else if (ok && n->op == WB_OP_QR)
        ok = mat_new(&part[0], dtype, rows, least, err) &&
             mat_new(&part[1], dtype, least, columns, err) &&
             wb_dense_qr(&a, &part[0], &part[1], err);
    else if (ok)
        ok = mat_new(&part[0], dtype, 1, rows, err) && mat_new(&part[1], dtype, rows, rows, err) &&
             wb_dense_eigh(&a, &part[0], &part[1], err);
    free(a.data);
    return ok;
}

/* Moving values about: the storage type is that of the node; operands may be small or buffers. */
static double get(const struct wb_held *held, uint64_t i)
{
    return held->f64 != NULL ? held->f64[i] : (double)held->f32[i];
}

static void put(struct wb_held *held, uint64_t i, double value)
{
    if (held->node->domain == WB_SMALL)
        held->f64[i] = value;
    else
        held->f32[i] = (float)value;
}

static void transpose(struct wb_held *held, const struct wb_held *from)
{
    uint64_t rows = held->node->shape.dim[0], columns = held->node->shape.dim[1];

    for (uint64_t r0 = 0; r0 < rows; r0 += 16)
        for (uint64_t c0 = 0; c0 < columns; c0 += 16)
            for (uint64_t r = r0; r < rows && r < r0 + 16; r++)
                for (uint64_t c = c0; c < columns && c < c0 + 16; c++)
                    put(held, r * columns + c, get(from, c * rows + r));
}

static void cat(const struct wb_held_table *table, struct wb_held *held)
{
    const struct wb_node *n = held->node;
    uint64_t columns = n->u.index == 0 ? n->count : wb_shape_columns(&n->shape), at = 0;
    uint64_t rows = n->u.index == 0 ? 1 : n->shape.dim[0];

    if (n->shape.ndim == 1) {
        rows = 1;
        columns = n->count;
    }
    for (size_t i = 0; i < n->n_in; i++) {
        const struct wb_held *part = wb_held_find(table, n->in[i]);
        uint64_t wide = rows == 0 ? 0 : n->in[i]->count / rows;

        for (uint64_t r = 0; r < rows; r++)
            for (uint64_t c = 0; c < wide; c++)
                put(held, r * columns + at + c, get(part, r * wide + c));
        at += wide;
    }
}

static bool gather_by(const struct wb_held_table *table, struct wb_held *held, struct wb_err *err)
{
    const struct wb_node *n = held->node;
    const struct wb_held *from = wb_held_find(table, n->in[0]);
    const double *idx = wb_held_find(table, n->in[1])->f64;
    uint64_t rows = n->shape.dim[0], columns = n->shape.dim[1], limit = n->in[0]->shape.dim[n->sub];
    uint64_t width = n->in[0]->shape.dim[1];

    for (uint64_t i = 0; i < n->in[1]->count; i++)
        if (!(idx[i] >= 0 && idx[i] < (double)limit))
            return wb_fail(err, WB_ESHAPE, "gathering %s %g of %llu",
                           n->sub == 0 ? "row" : "column", idx[i], (unsigned long long)limit);
    for (uint64_t r = 0; r < rows; r++)
        for (uint64_t c = 0; c < columns; c++)
            put(held, r * columns + c,
                n->sub == 0 ? get(from, (uint64_t)idx[r] * width + c)
                            : get(from, r * width + (uint64_t)idx[c]));
    return true;
}

static bool room_for_buffer(struct wb_held *held, struct wb_err *err)
{
    struct wb_mat m;

    if (held->node->domain == WB_SMALL)
        return true; /* the caller made it */
    if (!mat_new(&m, WB_DTYPE_F32, held->node->count, 1, err))
        return false;
    held->f32 = m.data;
    return true;
}

/* A PART takes its matrix from the decomposition it belongs to. */
static bool take_part(const struct wb_held_table *table, struct wb_held *held, struct wb_err *err)
{
    struct wb_held *whole = wb_held_find(table, held->node->in[0]);

    return keep(held, &whole->part[held->node->sub], err);
}

bool wb_held_dense(const struct wb_held_table *table, struct wb_held *held, struct wb_err *err)
{
    switch ((enum wb_op)held->node->op) {
    case WB_OP_SVD:
    case WB_OP_QR:
    case WB_OP_EIGH:
        return decompose(table, held, err);
    case WB_OP_PART:
        return take_part(table, held, err);
    case WB_OP_TRANSPOSE:
        if (!room_for_buffer(held, err))
            return false;
        transpose(held, wb_held_find(table, held->node->in[0]));
        return true;
    case WB_OP_CAT:
        if (!room_for_buffer(held, err))
            return false;
        cat(table, held);
        return true;
    case WB_OP_GATHER_BY:
        return room_for_buffer(held, err) && gather_by(table, held, err);
    default:
        return one_result(table, held, err);
    }
}
