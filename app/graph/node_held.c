/* app/graph/node_held.c - making nodes whose values are kept: reductions, selections, views. */
#include <stdlib.h>
#include <string.h>

#include "app/graph/node.h"
#include "app/graph/node_impl.h"

static bool check_rows(const struct wb_node *a, struct wb_err *err)
{
    char text[128];

    if (a->shape.ndim < 2)
        return wb_fail(err, WB_ESHAPE, "a tensor of shape %s has no rows and columns",
                       wb_shape_format(&a->shape, text, sizeof text));
    if (wb_shape_columns(&a->shape) > WB_ROW_MAX)
        return wb_fail(err, WB_ESHAPE, "rows of %s entries are too long for operations on rows",
                       wb_shape_format(&a->shape, text, sizeof text));
    return true;
}

/* Reductions. */

struct wb_node *wb_node_reduce(enum wb_reduce op, enum wb_axis axis, struct wb_node *a,
                               struct wb_node *b, struct wb_err *err)
{
    bool pair = op == WB_REDUCE_DOT || op == WB_REDUCE_PAIR_STATS;
    bool stats = op == WB_REDUCE_STATS || op == WB_REDUCE_PAIR_STATS;
    struct wb_shape shape = { 0 };
    struct wb_node *node;
    char one[128], two[128];

    if (pair && b == NULL) {
        wb_fail(err, WB_EARG, "this reduction takes two tensors");
        return NULL;
    }
    if (!wb_node_check_computable(a, err) || (pair && !wb_node_check_computable(b, err)))
        return NULL;
    if (pair && !wb_shape_equal(&a->shape, &b->shape)) {
        wb_fail(err, WB_ESHAPE, "shapes %s and %s do not fit",
                wb_shape_format(&a->shape, one, sizeof one),
                wb_shape_format(&b->shape, two, sizeof two));
        return NULL;
    }
    if (stats)
        shape = wb_shape_1d(9);
    if (stats && axis != WB_AXIS_ALL) {
        wb_fail(err, WB_EARG, "statistics are of a whole tensor");
        return NULL;
    }
    if (axis != WB_AXIS_ALL) {
        if (!check_rows(a, err))
            return NULL;
        shape = wb_shape_1d(axis == WB_AXIS_ROW ? wb_shape_rows(&a->shape)
                                                : wb_shape_columns(&a->shape));
    }
    node = wb_node_new(WB_OP_REDUCE, WB_SMALL, WB_DTYPE_F32, &shape, (struct wb_node *[]){ a, b },
                       pair ? 2 : 1, err);
    if (node == NULL)
        return NULL;
    node->sub = (uint8_t)op;
    node->axis = (uint8_t)axis;
    return wb_node_seal(node, NULL, 0);
}

static bool check_scalar(const struct wb_node *k, const char *what, struct wb_err *err)
{
    return k->count == 1 || wb_fail(err, WB_ESHAPE, "%s is a number, not a tensor", what);
}

/* The number as a SMALL value; owned. */
static struct wb_node *small_scalar(struct wb_node *k, const char *what, struct wb_err *err)
{
    if (!check_scalar(k, what, err))
        return NULL;
    if (k->domain == WB_SMALL)
        return wb_node_ref(k);
    return wb_node_reduce(WB_REDUCE_SUM, WB_AXIS_ALL, k, NULL, err);
}

struct wb_node *wb_node_select(struct wb_node *const *a, size_t n, struct wb_node *k, bool by_value,
                               struct wb_err *err)
{
    struct wb_shape shape = wb_shape_1d(3);
    struct wb_node **in, *node = NULL, *small;
    uint64_t total = 0;

    if (n == 0) {
        wb_fail(err, WB_EARG, "a selection among no tensors");
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        if (!wb_node_check_computable(a[i], err))
            return NULL;
        else if (__builtin_add_overflow(total, a[i]->count, &total)) {
            wb_fail(err, WB_ESHAPE, "a selection among more than 2^64 entries");
            return NULL;
        }
    small = small_scalar(k, "the number of entries to select", err);
    in = small == NULL ? NULL : malloc((n + 1) * sizeof *in);
    if (in != NULL) {
        memcpy(in, a, n * sizeof *in);
        in[n] = small;
        node = wb_node_new(WB_OP_SELECT, WB_SMALL, WB_DTYPE_F32, &shape, in, n + 1, err);
        free(in);
    } else if (small != NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for a node");
    }
    wb_node_unref(small);
    if (node == NULL)
        return NULL;
    node->by_value = by_value;
    return wb_node_seal(node, NULL, 0);
}

struct wb_node *wb_node_select_rows(struct wb_node *a, struct wb_node *k, bool by_value,
                                    struct wb_err *err)
{
    struct wb_node *small, *node;
    struct wb_shape shape;

    if (!wb_node_check_computable(a, err) || !check_rows(a, err))
        return NULL;
    small = small_scalar(k, "the number of entries to select", err);
    if (small == NULL)
        return NULL;
    shape = wb_shape_2d(wb_shape_rows(&a->shape), 2);
    node = wb_node_new(WB_OP_SELECT_ROWS, WB_SMALL, WB_DTYPE_F32, &shape,
                       (struct wb_node *[]){ a, small }, 2, err);
    wb_node_unref(small);
    if (node == NULL)
        return NULL;
    node->by_value = by_value;
    return wb_node_seal(node, NULL, 0);
}

/* SMALL arrays. */

struct wb_node *wb_node_item(struct wb_node *a, uint64_t i, struct wb_err *err)
{
    struct wb_node *node;

    if (a->domain != WB_SMALL || i >= a->count) {
        wb_fail(err, WB_EARG,
                a->domain != WB_SMALL ? "items can be taken of reductions and small arrays"
                                      : "there is no item %llu",
                (unsigned long long)i);
        return NULL;
    }
    node = wb_node_new(WB_OP_ITEM, WB_SMALL, WB_DTYPE_F32, &(struct wb_shape){ 0 }, &a, 1, err);
    if (node == NULL)
        return NULL;
    node->u.index = i;
    return wb_node_seal(node, &i, sizeof i);
}

struct wb_node *wb_node_pack(struct wb_node *const *a, size_t n, const struct wb_shape *shape,
                             struct wb_err *err)
{
    struct wb_node **own = calloc(n + 1, sizeof *own), *node = NULL;
    uint64_t count;
    size_t made = 0;

    if (own == NULL)
        wb_fail(err, WB_ENOMEM, "no memory for a node");
    else if (!wb_shape_count(shape, &count) || count != n)
        wb_fail(err, WB_ESHAPE, "%zu numbers do not fill the shape", n);
    else {
        while (made < n &&
               (own[made] = small_scalar(a[made], "an entry of the array", err)) != NULL)
            made++;
        if (made == n)
            node = wb_node_new(WB_OP_PACK, WB_SMALL, WB_DTYPE_F32, shape, own, n, err);
    }
    while (made > 0)
        wb_node_unref(own[--made]);
    free(own);
    return wb_node_seal_plain(node);
}

/* Views. */

struct wb_node *wb_node_hold(struct wb_node *a, struct wb_err *err)
{
    if (a->domain != WB_STREAM)
        return wb_node_ref(a);
    if (!wb_node_check_computable(a, err))
        return NULL;
    return wb_node_seal_plain(wb_node_new(WB_OP_HOLD, WB_BUFFER, a->dtype, &a->shape, &a, 1, err));
}

static uint64_t *copy_indices(const uint64_t *idx, const uint64_t *through, uint64_t first,
                              uint64_t n)
{
    uint64_t *copy = malloc((size_t)(n + 1) * sizeof *copy);

    for (uint64_t i = 0; copy != NULL && i < n; i++) {
        uint64_t at = idx == NULL ? i + first : idx[i];

        copy[i] = through == NULL ? at : through[at];
    }
    return copy;
}

/* One axis of a view composed with that of an inner one: inner shows `inner_first + i` or
 * inner_idx[i]. */
static bool compose(uint64_t *first, uint64_t **out, const uint64_t *idx, uint64_t range_first,
                    uint64_t n, uint64_t inner_first, const uint64_t *inner_idx)
{
    if (idx == NULL && inner_idx == NULL) {
        *first = inner_first + range_first;
        return true;
    }
    *first = 0;
    *out = copy_indices(idx, inner_idx, range_first, n);
    if (*out != NULL && inner_idx == NULL && inner_first > 0)
        for (uint64_t i = 0; i < n; i++)
            (*out)[i] += inner_first;
    return *out != NULL;
}

struct wanted_view {
    uint64_t row_first, rows, column_first, columns;
    const uint64_t *row_idx, *column_idx;
    bool whole;
    struct wb_shape shape;
};

static bool same_rows(const struct wb_shape *a, const struct wb_shape *b)
{
    return wb_shape_rows(a) == wb_shape_rows(b) && wb_shape_columns(a) == wb_shape_columns(b);
}

/* The view w of base, which is a source or held; inner is a view of base to go through, or NULL. */
static struct wb_node *make_view(struct wb_node *base, const struct wb_view *inner,
                                 const struct wanted_view *w, struct wb_err *err)
{
    enum wb_domain domain = base->domain == WB_SMALL ? WB_SMALL : WB_STREAM;
    struct wb_node *node = wb_node_new(WB_OP_VIEW, domain, base->dtype, &w->shape, &base, 1, err);
    struct wb_view *v;
    struct {
        uint64_t row_first, column_first, whole;
        struct wb_hash rows, columns;
    } key = { 0 };

    if (node == NULL)
        return NULL;
    v = &node->u.view;
    v->rows = w->rows;
    v->columns = w->columns;
    v->whole = w->whole && (inner == NULL || inner->whole);
    if (!compose(&v->row_first, &v->row_idx, w->row_idx, w->row_first, w->rows,
                 inner == NULL ? 0 : inner->row_first, inner == NULL ? NULL : inner->row_idx) ||
        !compose(&v->column_first, &v->column_idx, w->column_idx, w->column_first, w->columns,
                 inner == NULL ? 0 : inner->column_first,
                 inner == NULL ? NULL : inner->column_idx)) {
        wb_fail(err, WB_ENOMEM, "no memory for a view");
        wb_node_unref(node);
        return NULL;
    }
    key.row_first = v->row_first;
    key.column_first = v->column_first;
    key.whole = v->whole;
    if (v->row_idx != NULL)
        key.rows = wb_hash_bytes(v->row_idx, (size_t)v->rows * sizeof *v->row_idx);
    if (v->column_idx != NULL)
        key.columns = wb_hash_bytes(v->column_idx, (size_t)v->columns * sizeof *v->column_idx);
    return wb_node_seal(node, &key, sizeof key);
}

/* A view of any node: through casts and guards, composed with views, on a held copy of what
 * streams. */
static struct wb_node *view_of(struct wb_node *a, const struct wanted_view *w, struct wb_err *err)
{
    struct wb_node *inner, *base, *out;

    if (a->op == WB_OP_AS || a->op == WB_OP_GUARD) {
        inner = view_of(a->in[0], w, err);
        if (inner == NULL)
            return NULL;
        out = a->op == WB_OP_AS ? wb_node_as(inner, a->dtype, err)
                                : wb_node_guard(inner, a->u.guard.model, a->u.guard.tensor, err);
        wb_node_unref(inner);
        return out;
    }
    if (a->op == WB_OP_SOURCE || a->domain == WB_SMALL)
        return make_view(a, NULL, w, err);
    /* A view that kept rows and columns composes; one that changed the shape is whole and must
     * keep both. */
    if (a->op == WB_OP_VIEW && (!a->u.view.whole || same_rows(&a->shape, &a->in[0]->shape)))
        return make_view(a->in[0], &a->u.view, w, err);
    base = wb_node_hold(a, err);
    if (base == NULL)
        return NULL;
    out = make_view(base, NULL, w, err);
    wb_node_unref(base);
    return out;
}

/* The shape with other numbers of rows, and of columns where that changed (then it becomes 2-d). */
static struct wb_shape picked_shape(const struct wb_shape *s, uint64_t rows, uint64_t columns)
{
    struct wb_shape shape = *s;

    if (columns != wb_shape_columns(s))
        return wb_shape_2d(rows, columns);
    shape.dim[0] = rows;
    return shape;
}

/* 1-d tensors are picked from as one column of rows. */
static bool start_view(struct wb_node *a, struct wanted_view *w, struct wb_err *err)
{
    if (a->shape.ndim == 0)
        return wb_fail(err, WB_ESHAPE, "a number has no rows and columns");
    *w = (struct wanted_view){ .rows = wb_shape_rows(&a->shape),
                               .columns = wb_shape_columns(&a->shape) };
    return true;
}

static struct wb_node *pick(struct wb_node *a, bool rows, uint64_t first, const uint64_t *idx,
                            uint64_t n, struct wb_err *err)
{
    struct wanted_view w;
    bool flat = a->shape.ndim == 1;
    uint64_t limit;

    if (!start_view(a, &w, err))
        return NULL;
    limit = flat ? a->shape.dim[0] : rows ? w.rows : w.columns;
    for (uint64_t i = 0; idx != NULL && i < n; i++)
        if (idx[i] >= limit) {
            wb_fail(err, WB_ESHAPE, "%s %llu of %llu", rows ? "row" : "column",
                    (unsigned long long)idx[i], (unsigned long long)limit);
            return NULL;
        }
    if (idx == NULL && (first > limit || n > limit - first)) {
        wb_fail(err, WB_ESHAPE, "%s [%llu, %llu) of %llu", rows ? "rows" : "columns",
                (unsigned long long)first, (unsigned long long)first + (unsigned long long)n,
                (unsigned long long)limit);
        return NULL;
    }
    if (rows && !flat) {
        w.row_first = first;
        w.row_idx = idx;
        w.rows = n;
    } else {
        w.column_first = first;
        w.column_idx = idx;
        w.columns = n;
    }
    w.shape = flat ? wb_shape_1d(n) : picked_shape(&a->shape, w.rows, w.columns);
    return view_of(a, &w, err);
}

struct wb_node *wb_node_rows(struct wb_node *a, uint64_t first, uint64_t last, struct wb_err *err)
{
    return pick(a, true, first, NULL, last < first ? 0 : last - first, err);
}

struct wb_node *wb_node_columns(struct wb_node *a, uint64_t first, uint64_t last,
                                struct wb_err *err)
{
    return pick(a, false, first, NULL, last < first ? 0 : last - first, err);
}

struct wb_node *wb_node_gather_rows(struct wb_node *a, const uint64_t *idx, size_t n,
                                    struct wb_err *err)
{
    return pick(a, true, 0, idx, n, err);
}

struct wb_node *wb_node_gather_columns(struct wb_node *a, const uint64_t *idx, size_t n,
                                       struct wb_err *err)
{
    return pick(a, false, 0, idx, n, err);
}

static struct wb_node *gather_by(struct wb_node *a, struct wb_node *idx, bool rows,
                                 struct wb_err *err)
{
    struct wb_shape shape = a->shape;
    struct wb_node *held, *node;

    if (idx->domain != WB_SMALL || a->shape.ndim != 2) {
        wb_fail(err, WB_ESHAPE, "gathering by computed indices takes a matrix and a small array");
        return NULL;
    }
    shape.dim[rows ? 0 : 1] = idx->count;
    held = wb_node_hold(a, err);
    if (held == NULL)
        return NULL;
    node = wb_node_new(WB_OP_GATHER_BY, (enum wb_domain)held->domain, a->dtype, &shape,
                       (struct wb_node *[]){ held, idx }, 2, err);
    wb_node_unref(held);
    if (node != NULL)
        node->sub = rows ? 0 : 1;
    return wb_node_seal_plain(node);
}

struct wb_node *wb_node_gather_rows_by(struct wb_node *a, struct wb_node *idx, struct wb_err *err)
{
    return gather_by(a, idx, true, err);
}

struct wb_node *wb_node_gather_columns_by(struct wb_node *a, struct wb_node *idx,
                                          struct wb_err *err)
{
    return gather_by(a, idx, false, err);
}

struct wb_node *wb_node_reshape(struct wb_node *a, const struct wb_shape *shape, struct wb_err *err)
{
    struct wanted_view w = { .whole = true, .shape = *shape };
    struct wb_node *held, *out;
    uint64_t count;
    char one[128], two[128];

    if (!wb_shape_count(shape, &count) || count != a->count) {
        wb_fail(err, WB_ESHAPE, "a tensor of shape %s cannot be reshaped to %s",
                wb_shape_format(&a->shape, one, sizeof one),
                wb_shape_format(shape, two, sizeof two));
        return NULL;
    }
    if (wb_shape_equal(shape, &a->shape))
        return wb_node_ref(a);
    w.rows = wb_shape_rows(shape);
    w.columns = wb_shape_columns(shape);
    if (a->op != WB_OP_VIEW || a->domain != WB_STREAM)
        return view_of(a, &w, err);
    if (a->u.view.whole) /* only the shape differed: start over */
        return wb_node_reshape(a->in[0], shape, err);
    held = wb_node_hold(a, err);
    out = held == NULL ? NULL : make_view(held, NULL, &w, err);
    wb_node_unref(held);
    return out;
}
