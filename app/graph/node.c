/* app/graph/node.c - making nodes: life and identity, leaves, elementwise operations. */
#include "app/graph/node.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/graph/node_impl.h"

struct wb_node *wb_node_ref(struct wb_node *node)
{
    if (node != NULL)
        atomic_fetch_add_explicit(&node->refs, 1, memory_order_relaxed);
    return node;
}

static void free_payload(struct wb_node *node)
{
    switch ((enum wb_op)node->op) {
    case WB_OP_SOURCE:
        wb_ckpt_unref(node->u.source.ck);
        free(node->u.source.model);
        break;
    case WB_OP_CONSTANT:
        free(node->u.constant.value);
        break;
    case WB_OP_GUARD:
        free(node->u.guard.model);
        free(node->u.guard.tensor);
        break;
    case WB_OP_VIEW:
        free(node->u.view.row_idx);
        free(node->u.view.column_idx);
        break;
    default:
        break;
    }
}

void wb_node_unref(struct wb_node *node)
{
    if (node == NULL || atomic_fetch_sub_explicit(&node->refs, 1, memory_order_acq_rel) != 1)
        return;
    free_payload(node);
    for (size_t i = 0; i < node->n_in; i++)
        wb_node_unref(node->in[i]);
    free(node);
}

const struct wb_shape *wb_node_shape(const struct wb_node *node)
{
    return &node->shape;
}

uint64_t wb_node_count(const struct wb_node *node)
{
    return node->count;
}

enum wb_dtype wb_node_dtype(const struct wb_node *node)
{
    return node->dtype;
}

enum wb_domain wb_node_domain(const struct wb_node *node)
{
    return (enum wb_domain)node->domain;
}

struct wb_hash wb_node_hash(const struct wb_node *node)
{
    return node->hash;
}

const char *wb_node_source_name(const struct wb_node *node)
{
    while (node->op == WB_OP_AS || node->op == WB_OP_GUARD || node->op == WB_OP_VIEW ||
           node->op == WB_OP_CAST || node->op == WB_OP_HOLD)
        node = node->in[0];
    if (node->op != WB_OP_SOURCE)
        return NULL;
    return wb_ckpt_info(node->u.source.ck, node->u.source.tensor)->name;
}

bool wb_node_constant(const struct wb_node *node, double *value)
{
    if (node->op != WB_OP_CONSTANT || node->count != 1)
        return false;
    *value = node->u.constant.value[0];
    return true;
}

struct wb_node *wb_node_new(enum wb_op op, enum wb_domain domain, enum wb_dtype dtype,
                            const struct wb_shape *shape, struct wb_node *const *in, size_t n_in,
                            struct wb_err *err)
{
    struct wb_node *node;
    uint64_t count;
    unsigned depth = 0;

    if (!wb_shape_count(shape, &count)) {
        wb_fail(err, WB_ESHAPE, "a shape with more than 2^63 entries");
        return NULL;
    }
    for (size_t i = 0; i < n_in; i++)
        depth = in[i]->depth > depth ? in[i]->depth : depth;
    if (depth >= WB_DEPTH_MAX) {
        wb_fail(err, WB_EARG, "more than %d operations in a chain", WB_DEPTH_MAX);
        return NULL;
    }
    node = n_in < SIZE_MAX / 16 ? calloc(1, sizeof *node + n_in * sizeof *in) : NULL;
    if (node == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for a node");
        return NULL;
    }
    atomic_init(&node->refs, 1);
    node->op = (uint8_t)op;
    node->domain = (uint8_t)domain;
    node->dtype = dtype;
    node->shape = *shape;
    node->count = count;
    node->depth = depth + 1;
    node->n_in = n_in;
    for (size_t i = 0; i < n_in; i++)
        node->in[i] = wb_node_ref(in[i]);
    return node;
}

struct wb_node *wb_node_seal(struct wb_node *node, const void *extra, size_t n)
{
    struct {
        uint64_t head[4], dim[WB_DIMS_MAX];
        struct wb_hash part;
    } key;
    struct wb_hasher *hasher;

    memset(&key, 0, sizeof key);
    key.head[0] = (uint64_t)node->op << 32 | (uint64_t)node->sub << 24 |
                  (uint64_t)node->axis << 16 | (uint64_t)node->domain << 8 |
                  (uint64_t)node->by_value;
    key.head[1] = (uint64_t)node->dtype << 8 | (uint64_t)node->shape.ndim;
    key.head[2] = node->n_in;
    key.head[3] = n;
    memcpy(key.dim, node->shape.dim, (size_t)node->shape.ndim * sizeof key.dim[0]);
    if (n > 0)
        key.part = wb_hash_bytes(extra, n);
    if (node->n_in <= 4) {
        unsigned char flat[sizeof key + 4 * sizeof(struct wb_hash)];
        size_t used = sizeof key;

        memcpy(flat, &key, sizeof key);
        for (size_t i = 0; i < node->n_in; i++, used += sizeof(struct wb_hash))
            memcpy(flat + used, &node->in[i]->hash, sizeof(struct wb_hash));
        node->hash = wb_hash_bytes(flat, used);
        return node;
    }
    hasher = wb_hasher_new();
    if (hasher == NULL) { /* an unsealed node could be taken for another */
        wb_node_unref(node);
        return NULL;
    }
    wb_hasher_add(hasher, &key, sizeof key);
    for (size_t i = 0; i < node->n_in; i++)
        wb_hasher_add(hasher, &node->in[i]->hash, sizeof(struct wb_hash));
    node->hash = wb_hasher_get(hasher);
    wb_hasher_free(hasher);
    return node;
}

/* Leaves. */

struct wb_node *wb_node_source(struct wb_ckpt *ck, size_t tensor, const char *model,
                               struct wb_err *err)
{
    const struct wb_tensor_info *info = wb_ckpt_info(ck, tensor);
    const struct wb_ckpt_file *file = wb_ckpt_file(ck, info->file);
    struct wb_node *node =
        wb_node_new(WB_OP_SOURCE, WB_STREAM, info->dtype, &info->shape, NULL, 0, err);
    struct {
        uint64_t device, inode, bytes, offset;
        int64_t mtime_ns;
        struct wb_hash header;
    } id = { file->device, file->inode, file->bytes, info->offset, file->mtime_ns, file->header };

    if (node == NULL)
        return NULL;
    node->u.source.ck = wb_ckpt_ref(ck);
    node->u.source.tensor = tensor;
    node->u.source.model = strdup(model);
    if (node->u.source.model == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for a node");
        wb_node_unref(node);
        return NULL;
    }
    return wb_node_seal(node, &id, sizeof id);
}

struct wb_node *wb_node_array(const double *value, const struct wb_shape *shape, struct wb_err *err)
{
    struct wb_node *node = wb_node_new(WB_OP_CONSTANT, WB_SMALL, WB_DTYPE_F32, shape, NULL, 0, err);
    size_t bytes;

    if (node == NULL)
        return NULL;
    if (__builtin_mul_overflow(node->count, sizeof *value, &bytes) ||
        (node->u.constant.value = malloc(bytes + 1)) == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for an array");
        wb_node_unref(node);
        return NULL;
    }
    memcpy(node->u.constant.value, value, bytes);
    return wb_node_seal(node, value, bytes);
}

struct wb_node *wb_node_scalar(double value, struct wb_err *err)
{
    return wb_node_array(&value, &(struct wb_shape){ 0 }, err);
}

struct wb_node *wb_node_fill(const struct wb_shape *shape, double value, struct wb_err *err)
{
    struct wb_node *node = wb_node_new(WB_OP_FILL, WB_STREAM, WB_DTYPE_F32, shape, NULL, 0, err);

    if (node == NULL)
        return NULL;
    node->u.number = value;
    return wb_node_seal(node, &value, sizeof value);
}

static struct wb_node *random_node(enum wb_op op, const struct wb_shape *shape, double p,
                                   uint64_t seed, uint64_t model, const char *name,
                                   struct wb_err *err)
{
    struct wb_node *node = wb_node_new(op, WB_STREAM, WB_DTYPE_F32, shape, NULL, 0, err);

    if (node == NULL)
        return NULL;
    node->u.random.stream = wb_random_stream(seed, model, name);
    node->u.random.p = p;
    return wb_node_seal(node, &node->u.random, sizeof node->u.random);
}

struct wb_node *wb_node_uniform(const struct wb_shape *shape, uint64_t seed, uint64_t model,
                                const char *name, struct wb_err *err)
{
    return random_node(WB_OP_UNIFORM, shape, 0, seed, model, name, err);
}

struct wb_node *wb_node_normal(const struct wb_shape *shape, uint64_t seed, uint64_t model,
                               const char *name, struct wb_err *err)
{
    return random_node(WB_OP_NORMAL, shape, 0, seed, model, name, err);
}

struct wb_node *wb_node_bernoulli(const struct wb_shape *shape, double p, uint64_t seed,
                                  uint64_t model, const char *name, struct wb_err *err)
{
    if (!(p >= 0 && p <= 1)) {
        wb_fail(err, WB_EARG, "a probability of %g is outside [0, 1]", p);
        return NULL;
    }
    return random_node(WB_OP_BERNOULLI, shape, p, seed, model, name, err);
}

/* Elementwise. */

/* A 0-d tensor of a file is streamed like any other; as a scalar operand its value is needed
 * first. */
static struct wb_node *as_scalar(struct wb_node *a, struct wb_err *err)
{
    if (a->domain == WB_SMALL)
        return wb_node_ref(a);
    return wb_node_reduce(WB_REDUCE_SUM, WB_AXIS_ALL, a, NULL, err);
}

/* The type of a result: that of the operands where they agree, ignoring scalars; else the wider. */
static enum wb_dtype common_dtype(struct wb_node *const *in, size_t n, const struct wb_shape *shape)
{
    enum wb_dtype dtype = WB_DTYPE_COUNT;

    for (size_t i = 0; i < n; i++) {
        if (in[i]->domain == WB_SMALL || in[i]->op == WB_OP_FILL || in[i]->op == WB_OP_UNIFORM ||
            in[i]->op == WB_OP_NORMAL || in[i]->op == WB_OP_BERNOULLI ||
            !wb_shape_equal(&in[i]->shape, shape))
            continue;
        if (dtype == WB_DTYPE_COUNT || dtype == in[i]->dtype)
            dtype = in[i]->dtype;
        else if (dtype == WB_DTYPE_F64 || in[i]->dtype == WB_DTYPE_F64)
            dtype = WB_DTYPE_F64;
        else
            dtype = WB_DTYPE_F32;
    }
    return dtype == WB_DTYPE_COUNT ? WB_DTYPE_F32 : dtype;
}

/* Operands of one shape, or 0-d ones among them. Fills own[] with owned references (scalars made
 * SMALL), the shape and the domain of the result. */
static bool operands(struct wb_node *const *in, size_t n, struct wb_node **own,
                     struct wb_shape *shape, enum wb_domain *domain, struct wb_err *err)
{
    const struct wb_node *big = NULL;
    char one[128], two[128];

    for (size_t i = 0; i < n; i++) {
        if (!wb_node_check_computable(in[i], err))
            return false;
        if (in[i]->shape.ndim == 0)
            continue;
        if (big != NULL && !wb_shape_equal(&big->shape, &in[i]->shape))
            return wb_fail(err, WB_ESHAPE, "shapes %s and %s do not fit",
                           wb_shape_format(&big->shape, one, sizeof one),
                           wb_shape_format(&in[i]->shape, two, sizeof two));
        big = in[i];
    }
    *shape = (struct wb_shape){ 0 };
    if (big != NULL)
        *shape = big->shape;
    *domain = WB_SMALL;
    for (size_t i = 0; i < n; i++)
        if (in[i]->domain != WB_SMALL && (in[i]->shape.ndim > 0 || big == NULL))
            *domain = WB_STREAM;
    for (size_t i = 0; i < n; i++) {
        own[i] = in[i]->shape.ndim == 0 && big != NULL ? as_scalar(in[i], err) : wb_node_ref(in[i]);
        if (own[i] == NULL) {
            while (i-- > 0)
                wb_node_unref(own[i]);
            return false;
        }
    }
    return true;
}

/* An elementwise node, not yet sealed. */
static struct wb_node *elementwise(enum wb_op op, int sub, struct wb_node *const *in, size_t n,
                                   struct wb_err *err)
{
    struct wb_node *own[3], *node;
    struct wb_shape shape;
    enum wb_domain domain = WB_STREAM;

    if (!operands(in, n, own, &shape, &domain, err))
        return NULL;
    node = wb_node_new(op, domain, common_dtype(own, n, &shape), &shape, own, n, err);
    for (size_t i = 0; i < n; i++)
        wb_node_unref(own[i]);
    if (node != NULL)
        node->sub = (uint8_t)sub;
    return node;
}

struct wb_node *wb_node_unary(enum wb_unary op, struct wb_node *a, struct wb_err *err)
{
    return wb_node_seal_plain(elementwise(WB_OP_UNARY, (int)op, &a, 1, err));
}

struct wb_node *wb_node_binary(enum wb_binary op, struct wb_node *a, struct wb_node *b,
                               struct wb_err *err)
{
    return wb_node_seal_plain(
        elementwise(WB_OP_BINARY, (int)op, (struct wb_node *[]){ a, b }, 2, err));
}

struct wb_node *wb_node_where(struct wb_node *mask, struct wb_node *a, struct wb_node *b,
                              struct wb_err *err)
{
    struct wb_node *node = elementwise(WB_OP_WHERE, 0, (struct wb_node *[]){ mask, a, b }, 3, err);

    if (node != NULL &&
        node->domain == WB_STREAM) /* the mask's type says nothing about the values */
        node->dtype = common_dtype(node->in + 1, 2, &node->shape);
    return wb_node_seal_plain(node);
}

struct wb_node *wb_node_lerp(struct wb_node *a, struct wb_node *b, struct wb_node *w,
                             struct wb_err *err)
{
    if (w->shape.ndim != 0) {
        wb_fail(err, WB_ESHAPE, "lerp takes a number as its weight");
        return NULL;
    }
    return wb_node_seal_plain(elementwise(WB_OP_LERP, 0, (struct wb_node *[]){ a, b, w }, 3, err));
}

struct wb_node *wb_node_fma(struct wb_node *a, struct wb_node *s, struct wb_node *c,
                            struct wb_err *err)
{
    if (s->shape.ndim != 0) {
        wb_fail(err, WB_ESHAPE, "fma takes a number as its factor");
        return NULL;
    }
    return wb_node_seal_plain(elementwise(WB_OP_FMA, 0, (struct wb_node *[]){ a, s, c }, 3, err));
}

struct wb_node *wb_node_clamp(struct wb_node *a, double low, double high, struct wb_err *err)
{
    struct wb_node *node;

    if (!(low <= high)) {
        wb_fail(err, WB_EARG, "clamp to [%g, %g]: the low end is above the high one", low, high);
        return NULL;
    }
    node = elementwise(WB_OP_CLAMP, 0, &a, 1, err);
    if (node == NULL)
        return NULL;
    node->u.range.low = low;
    node->u.range.high = high;
    return wb_node_seal(node, &node->u.range, sizeof node->u.range);
}

struct wb_node *wb_node_nan_to(struct wb_node *a, double value, struct wb_err *err)
{
    struct wb_node *node = elementwise(WB_OP_NAN_TO, 0, &a, 1, err);

    if (node == NULL)
        return NULL;
    node->u.number = value;
    return wb_node_seal(node, &value, sizeof value);
}

struct wb_node *wb_node_cast(struct wb_node *a, enum wb_dtype dtype, struct wb_err *err)
{
    struct wb_node *node;

    if (!wb_dtype_computable(dtype)) {
        wb_fail(err, WB_EARG, "cannot cast to %s", wb_dtype_name(dtype));
        return NULL;
    }
    if (a->dtype == dtype && a->op == WB_OP_SOURCE)
        return wb_node_ref(a);
    node = elementwise(WB_OP_CAST, (int)dtype, &a, 1, err);
    if (node == NULL)
        return NULL;
    node->dtype = dtype;
    return wb_node_seal(node, NULL, 0);
}

struct wb_node *wb_node_as(struct wb_node *a, enum wb_dtype dtype, struct wb_err *err)
{
    struct wb_node *node;

    if (a->dtype == dtype)
        return wb_node_ref(a);
    if (!wb_dtype_computable(dtype)) {
        wb_fail(err, WB_EARG, "cannot write computed values as %s", wb_dtype_name(dtype));
        return NULL;
    }
    node = elementwise(WB_OP_AS, (int)dtype, &a, 1, err);
    if (node == NULL)
        return NULL;
    node->dtype = dtype;
    return wb_node_seal(node, NULL, 0);
}

struct wb_node *wb_node_guard(struct wb_node *a, const char *model, const char *tensor,
                              struct wb_err *err)
{
    struct wb_node *node;

    node = elementwise(WB_OP_GUARD, 0, &a, 1, err);
    if (node == NULL)
        return NULL;
    node->u.guard.model = strdup(model);
    node->u.guard.tensor = strdup(tensor);
    if (node->u.guard.model == NULL || node->u.guard.tensor == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for a node");
        wb_node_unref(node);
        return NULL;
    }
    return wb_node_seal(node, NULL, 0);
}

static struct wb_node *broadcast(enum wb_op op, struct wb_node *v, const struct wb_shape *shape,
                                 struct wb_err *err)
{
    bool row = op == WB_OP_PER_ROW;
    uint64_t want;
    struct wb_node *held, *node;
    char text[128];

    if (shape->ndim < 2) {
        wb_fail(err, WB_ESHAPE, "a tensor of shape %s has no rows and columns",
                wb_shape_format(shape, text, sizeof text));
        return NULL;
    }
    want = row ? wb_shape_rows(shape) : wb_shape_columns(shape);
    if (!wb_node_check_computable(v, err))
        return NULL;
    if (v->count != want) {
        wb_fail(err, WB_ESHAPE, "%llu values for the %llu %s of a tensor of shape %s",
                (unsigned long long)v->count, (unsigned long long)want, row ? "rows" : "columns",
                wb_shape_format(shape, text, sizeof text));
        return NULL;
    }
    held = v->domain == WB_STREAM ? wb_node_hold(v, err) : wb_node_ref(v);
    if (held == NULL)
        return NULL;
    node = wb_node_new(op, WB_STREAM, WB_DTYPE_F32, shape, &held, 1, err);
    wb_node_unref(held);
    return wb_node_seal_plain(node);
}

struct wb_node *wb_node_per_row(struct wb_node *v, const struct wb_shape *shape, struct wb_err *err)
{
    return broadcast(WB_OP_PER_ROW, v, shape, err);
}

struct wb_node *wb_node_per_column(struct wb_node *v, const struct wb_shape *shape,
                                   struct wb_err *err)
{
    return broadcast(WB_OP_PER_COLUMN, v, shape, err);
}

static struct wb_node *top(enum wb_op op, struct wb_node *a, struct wb_node *select,
                           size_t position, struct wb_err *err)
{
    struct wb_node *node;

    if (!wb_node_check_computable(a, err))
        return NULL;
    node = wb_node_new(op, WB_STREAM, WB_DTYPE_F32, &a->shape, (struct wb_node *[]){ a, select }, 2,
                       err);
    if (node == NULL)
        return NULL;
    node->by_value = select->by_value;
    node->u.index = position;
    return wb_node_seal(node, &node->u.index, sizeof node->u.index);
}

struct wb_node *wb_node_top(struct wb_node *a, struct wb_node *select, size_t position,
                            struct wb_err *err)
{
    if (select->op != WB_OP_SELECT || position >= select->n_in - 1) {
        wb_fail(err, WB_EARG, "a mask needs the selection that its tensor took part in");
        return NULL;
    }
    return top(WB_OP_TOP, a, select, position, err);
}

struct wb_node *wb_node_top_rows(struct wb_node *a, struct wb_node *select, struct wb_err *err)
{
    if (select->op != WB_OP_SELECT_ROWS || select->shape.dim[0] != wb_shape_rows(&a->shape)) {
        wb_fail(err, WB_EARG, "a row mask needs the selection that its tensor took part in");
        return NULL;
    }
    return top(WB_OP_TOP_ROWS, a, select, 0, err);
}
