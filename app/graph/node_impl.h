/* app/graph/node_impl.h - the inside of a node, for the files of app/graph alone. */
#ifndef WB_GRAPH_NODE_IMPL_H
#define WB_GRAPH_NODE_IMPL_H

#include <stdatomic.h>

#include "app/graph/node.h"

/* Longest chain of operations; keeps every recursive walk within the stack. */
#define WB_DEPTH_MAX 10000
/* A row longer than this is not kept whole in a tile: operations on rows refuse it. */
#define WB_ROW_MAX ((uint64_t)1 << 22)

enum wb_op {
    /* leaves */
    WB_OP_SOURCE,
    WB_OP_CONSTANT,
    WB_OP_FILL,
    WB_OP_UNIFORM,
    WB_OP_NORMAL,
    WB_OP_BERNOULLI,
    /* elementwise */
    WB_OP_UNARY,
    WB_OP_BINARY,
    WB_OP_WHERE,
    WB_OP_LERP,
    WB_OP_FMA,
    WB_OP_CLAMP,
    WB_OP_NAN_TO,
    WB_OP_CAST,
    WB_OP_AS,
    WB_OP_GUARD,
    WB_OP_PER_ROW,
    WB_OP_PER_COLUMN,
    WB_OP_TOP,
    WB_OP_TOP_ROWS,
    /* rows and columns of a source or of something held */
    WB_OP_VIEW,
    /* held, by streaming over the inputs */
    WB_OP_REDUCE,
    WB_OP_HISTOGRAM,
    WB_OP_GRAM,
    WB_OP_SELECT,
    WB_OP_SELECT_ROWS,
    WB_OP_HOLD,
    /* held, from what is held */
    WB_OP_ITEM,
    WB_OP_PACK,
    WB_OP_TRANSPOSE,
    WB_OP_CAT,
    WB_OP_GATHER_BY,
    WB_OP_MATMUL,
    WB_OP_SVD,
    WB_OP_QR,
    WB_OP_EIGH,
    WB_OP_INVERSE,
    WB_OP_SOLVE,
    WB_OP_LEAST_SQUARES,
    WB_OP_ASSIGNMENT,
    WB_OP_PART, /* result number `sub` of svd, qr, eigh */
};

/* Which rows and columns of the input a view shows; NULL idx: a range from first on. */
struct wb_view {
    uint64_t row_first, rows, column_first, columns;
    uint64_t *row_idx, *column_idx; /* owned by the node */
    bool whole;                     /* every entry in order: only the shape differs */
};

struct wb_node {
    _Atomic uint32_t refs;
    uint8_t op, sub, axis, domain;
    bool by_value; /* selection by signed value */
    enum wb_dtype dtype;
    struct wb_shape shape;
    uint64_t count;
    struct wb_hash hash;
    unsigned depth;
    union {
        struct {
            struct wb_ckpt *ck;
            size_t tensor;
            char *model;
        } source;
        struct {
            double *value;
        } constant;    /* count of them */
        double number; /* fill, nan_to, ridge */
        struct {
            double low, high;
        } range; /* clamp */
        struct {
            uint64_t stream;
            double p;
        } random;
        struct {
            char *model, *tensor;
        } guard;
        struct wb_view view;
        uint64_t index; /* item, position of top, rank, axis of cat and gather_by, bins */
    } u;
    size_t n_in;
    struct wb_node *in[];
};

/* Rows and columns of a shape: the first dimension, and the product of the rest; [n] and []
 * count as one row. Shapes with more than one dimension have rows in the sense of row
 * operations. */
static inline uint64_t wb_shape_rows(const struct wb_shape *s)
{
    return s->ndim >= 2 ? s->dim[0] : 1;
}

static inline uint64_t wb_shape_columns(const struct wb_shape *s)
{
    uint64_t n = 1;

    for (int i = s->ndim >= 2 ? 1 : 0; i < s->ndim; i++)
        n *= s->dim[i];
    return n;
}

static inline bool wb_node_is_elementwise(const struct wb_node *n)
{
    return n->op >= WB_OP_UNARY && n->op <= WB_OP_TOP_ROWS;
}

/* A new node with zeroed payload; inputs are referenced. NULL with err. */
struct wb_node *wb_node_new(enum wb_op op, enum wb_domain domain, enum wb_dtype dtype,
                            const struct wb_shape *shape, struct wb_node *const *in, size_t n_in,
                            struct wb_err *err);
/* Work out the hash from everything set so far plus `extra` bytes that stand for the payload.
 * Returns node. */
struct wb_node *wb_node_seal(struct wb_node *node, const void *extra, size_t n);

static inline struct wb_shape wb_shape_1d(uint64_t n)
{
    return (struct wb_shape){ .ndim = 1, .dim = { n } };
}

static inline struct wb_shape wb_shape_2d(uint64_t rows, uint64_t columns)
{
    return (struct wb_shape){ .ndim = 2, .dim = { rows, columns } };
}

/* Seal a node without a payload; NULL stays NULL. */
static inline struct wb_node *wb_node_seal_plain(struct wb_node *node)
{
    return node == NULL ? NULL : wb_node_seal(node, NULL, 0);
}

static inline bool wb_node_check_computable(const struct wb_node *a, struct wb_err *err)
{
    if (wb_dtype_computable(a->dtype))
        return true;
    return wb_fail(err, WB_ESHAPE,
                   "%s tensors pass through untouched; they cannot be computed with",
                   wb_dtype_name(a->dtype));
}

#endif
