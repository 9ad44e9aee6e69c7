/* app/graph/node_dense.c - making nodes of dense algebra: whole matrices in, held results out. */
#include <stdlib.h>

#include "app/graph/node.h"
#include "app/graph/node_impl.h"

static bool check_matrix(const struct wb_node *a, struct wb_err *err)
{
    char text[128];

    if (a->shape.ndim == 2)
        return wb_node_check_computable(a, err);
    return wb_fail(err, WB_ESHAPE, "a tensor of shape %s is not a matrix",
                   wb_shape_format(&a->shape, text, sizeof text));
}

/* A dense node over held operands; SMALL when all of them are. */
static struct wb_node *dense(enum wb_op op, const struct wb_shape *shape, struct wb_node *const *a,
                             size_t n, struct wb_err *err)
{
    struct wb_node **held = calloc(n + 1, sizeof *held), *node = NULL;
    enum wb_domain domain = WB_SMALL;
    size_t made = 0;

    if (held == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for a node");
        return NULL;
    }
    while (made < n && (held[made] = wb_node_hold(a[made], err)) != NULL) {
        if (held[made]->domain != WB_SMALL)
            domain = WB_BUFFER;
        made++;
    }
    if (made == n)
        node = wb_node_new(op, domain, WB_DTYPE_F32, shape, held, n, err);
    while (made > 0)
        wb_node_unref(held[--made]);
    free(held);
    return node;
}

struct wb_node *wb_node_transpose(struct wb_node *a, struct wb_err *err)
{
    struct wb_node *node;
    struct wb_shape shape;

    if (!check_matrix(a, err))
        return NULL;
    if (a->op == WB_OP_TRANSPOSE)
        return wb_node_ref(a->in[0]);
    shape = wb_shape_2d(a->shape.dim[1], a->shape.dim[0]);
    node = dense(WB_OP_TRANSPOSE, &shape, &a, 1, err);
    if (node != NULL)
        node->dtype = a->dtype;
    return wb_node_seal_plain(node);
}

struct wb_node *wb_node_cat(struct wb_node *const *a, size_t n, int axis, struct wb_err *err)
{
    struct wb_shape shape;
    struct wb_node *node;
    char one[128], two[128];

    if (n == 0 || axis < 0 || axis > 1 || a[0]->shape.ndim < axis + 1) {
        wb_fail(err, WB_ESHAPE, "cat takes tensors that have axis %d (0 or 1)", axis);
        return NULL;
    }
    shape = a[0]->shape;
    for (size_t i = 0; i < n; i++) {
        struct wb_shape other = a[i]->shape;

        if (!wb_node_check_computable(a[i], err))
            return NULL;
        other.dim[axis] = a[0]->shape.dim[axis];
        if (!wb_shape_equal(&other, &a[0]->shape)) {
            wb_fail(err, WB_ESHAPE, "cat over axis %d of shapes %s and %s", axis,
                    wb_shape_format(&a[0]->shape, one, sizeof one),
                    wb_shape_format(&a[i]->shape, two, sizeof two));
            return NULL;
        }
        if (i > 0)
            shape.dim[axis] += a[i]->shape.dim[axis];
    }
    node = dense(WB_OP_CAT, &shape, a, n, err);
    if (node == NULL)
        return NULL;
    node->dtype = a[0]->dtype;
    node->u.index = (uint64_t)axis;
    return wb_node_seal(node, &node->u.index, sizeof node->u.index);
}

struct wb_node *wb_node_matmul(struct wb_node *a, struct wb_node *b, struct wb_err *err)
{
    struct wb_shape shape;
    char one[128], two[128];

    if (!check_matrix(a, err) || !check_matrix(b, err))
        return NULL;
    if (a->shape.dim[1] != b->shape.dim[0]) {
        wb_fail(err, WB_ESHAPE, "the product of %s and %s",
                wb_shape_format(&a->shape, one, sizeof one),
                wb_shape_format(&b->shape, two, sizeof two));
        return NULL;
    }
    shape = wb_shape_2d(a->shape.dim[0], b->shape.dim[1]);
    return wb_node_seal_plain(dense(WB_OP_MATMUL, &shape, (struct wb_node *[]){ a, b }, 2, err));
}

/* Result number i of a decomposition. */
static struct wb_node *part(struct wb_node *whole, int i, const struct wb_shape *shape, bool small,
                            struct wb_err *err)
{
    enum wb_domain domain = small ? WB_SMALL : (enum wb_domain)whole->domain;
    struct wb_node *node = wb_node_new(WB_OP_PART, domain, WB_DTYPE_F32, shape, &whole, 1, err);

    if (node != NULL)
        node->sub = (uint8_t)i;
    return wb_node_seal_plain(node);
}

/* All parts or none. */
static bool finish_parts(struct wb_node **out, int n)
{
    bool ok = true;

    for (int i = 0; i < n; i++)
        ok = ok && out[i] != NULL;
    for (int i = 0; i < n && !ok; i++) {
        wb_node_unref(out[i]);
        out[i] = NULL;
    }
    return ok;
}

bool wb_node_svd(struct wb_node *a, uint64_t rank, struct wb_node *out[3], struct wb_err *err)
{
    struct wb_node *whole;
    struct wb_shape u, s, vt;
    uint64_t m, n, r;

    if (!check_matrix(a, err))
        return false;
    m = a->shape.dim[0];
    n = a->shape.dim[1];
    r = m < n ? m : n;
    r = rank > 0 && rank < r ? rank : r;
    u = wb_shape_2d(m, r);
    s = wb_shape_1d(r);
    vt = wb_shape_2d(r, n);
    whole = dense(WB_OP_SVD, &a->shape, &a, 1, err);
    if (whole == NULL)
        return false;
    whole->u.index = r;
    whole = wb_node_seal(whole, &r, sizeof r);
    out[0] = part(whole, 0, &u, false, err);
    out[1] = part(whole, 1, &s, true, err);
    out[2] = part(whole, 2, &vt, false, err);
    wb_node_unref(whole);
    return finish_parts(out, 3);
}

bool wb_node_qr(struct wb_node *a, struct wb_node *out[2], struct wb_err *err)
{
    struct wb_node *whole;
    struct wb_shape q, r;
    uint64_t least;

    if (!check_matrix(a, err))
        return false;
    least = a->shape.dim[0] < a->shape.dim[1] ? a->shape.dim[0] : a->shape.dim[1];
    q = wb_shape_2d(a->shape.dim[0], least);
    r = wb_shape_2d(least, a->shape.dim[1]);
    whole = wb_node_seal_plain(dense(WB_OP_QR, &a->shape, &a, 1, err));
    if (whole == NULL)
        return false;
    out[0] = part(whole, 0, &q, false, err);
    out[1] = part(whole, 1, &r, false, err);
    wb_node_unref(whole);
    return finish_parts(out, 2);
}

static bool check_square(const struct wb_node *a, struct wb_err *err)
{
    char text[128];

    if (!check_matrix(a, err))
        return false;
    return a->shape.dim[0] == a->shape.dim[1] ||
           wb_fail(err, WB_ESHAPE, "a matrix of shape %s is not square",
                   wb_shape_format(&a->shape, text, sizeof text));
}

bool wb_node_eigh(struct wb_node *a, struct wb_node *out[2], struct wb_err *err)
{
    struct wb_node *whole;
    struct wb_shape values;

    if (!check_square(a, err))
        return false;
    values = wb_shape_1d(a->shape.dim[0]);
    whole = wb_node_seal_plain(dense(WB_OP_EIGH, &a->shape, &a, 1, err));
    if (whole == NULL)
        return false;
    out[0] = part(whole, 0, &values, true, err);
    out[1] = part(whole, 1, &a->shape, false, err);
    wb_node_unref(whole);
    return finish_parts(out, 2);
}

struct wb_node *wb_node_inverse(struct wb_node *a, struct wb_err *err)
{
    if (!check_square(a, err))
        return NULL;
    return wb_node_seal_plain(dense(WB_OP_INVERSE, &a->shape, &a, 1, err));
}

struct wb_node *wb_node_solve(struct wb_node *a, struct wb_node *b, struct wb_err *err)
{
    if (!check_square(a, err) || !check_matrix(b, err))
        return NULL;
    if (a->shape.dim[0] != b->shape.dim[0]) {
        wb_fail(err, WB_ESHAPE, "the right-hand side has %llu rows, the matrix %llu",
                (unsigned long long)b->shape.dim[0], (unsigned long long)a->shape.dim[0]);
        return NULL;
    }
    return wb_node_seal_plain(dense(WB_OP_SOLVE, &b->shape, (struct wb_node *[]){ a, b }, 2, err));
}

struct wb_node *wb_node_least_squares(struct wb_node *a, struct wb_node *b, double ridge,
                                      struct wb_err *err)
{
    struct wb_shape shape;
    struct wb_node *node;

    if (!check_matrix(a, err) || !check_matrix(b, err))
        return NULL;
    if (a->shape.dim[0] != b->shape.dim[0] || !(ridge >= 0)) {
        wb_fail(err, ridge >= 0 ? WB_ESHAPE : WB_EARG,
                ridge >= 0 ? "least squares of matrices with different numbers of rows"
                           : "the ridge of least squares is negative");
        return NULL;
    }
    shape = wb_shape_2d(a->shape.dim[1], b->shape.dim[1]);
    node = dense(WB_OP_LEAST_SQUARES, &shape, (struct wb_node *[]){ a, b }, 2, err);
    if (node == NULL)
        return NULL;
    node->u.number = ridge;
    return wb_node_seal(node, &ridge, sizeof ridge);
}

struct wb_node *wb_node_assignment(struct wb_node *weight, struct wb_err *err)
{
    struct wb_shape shape;
    struct wb_node *node;

    if (!check_square(weight, err))
        return NULL;
    shape = wb_shape_1d(weight->shape.dim[0]);
    node = dense(WB_OP_ASSIGNMENT, &shape, &weight, 1, err);
    if (node == NULL)
        return NULL;
    node->domain = WB_SMALL;
    return wb_node_seal(node, NULL, 0);
}
