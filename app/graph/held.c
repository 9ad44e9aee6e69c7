/* app/graph/held.c - the table of kept values, and arithmetic in double among the small ones. */
#include "app/graph/held.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/graph/held_dense.h"
#include "app/graph/node_impl.h"
#include "app/tensor/kernels.h"

static struct wb_held_slot *probe(const struct wb_held_table *table, struct wb_hash hash)
{
    size_t i = (size_t)hash.low & (table->size - 1);
    struct wb_held_slot *slot = &table->slot[i];

    while (slot->held != NULL &&
           (slot->low != hash.low || !wb_hash_equal(slot->held->node->hash, hash))) {
        i = (i + 1) & (table->size - 1);
        slot = &table->slot[i];
    }
    return slot;
}

struct wb_held *wb_held_find(const struct wb_held_table *table, const struct wb_node *node)
{
    return table->size == 0 ? NULL : probe(table, node->hash)->held;
}

static bool grow(struct wb_held_table *table)
{
    struct wb_held_table bigger = { .size = table->size == 0 ? 256 : table->size * 2 };

    bigger.slot = calloc(bigger.size, sizeof *bigger.slot);
    if (bigger.slot == NULL)
        return false;
    for (size_t i = 0; i < table->size; i++)
        if (table->slot[i].held != NULL)
            *probe(&bigger, table->slot[i].held->node->hash) = table->slot[i];
    free(table->slot);
    table->slot = bigger.slot;
    table->size = bigger.size;
    return true;
}

struct wb_held *wb_held_add(struct wb_held_table *table, struct wb_node *node)
{
    struct wb_held *held;

    if (2 * (table->count + 1) > table->size && !grow(table))
        return NULL;
    held = calloc(1, sizeof *held);
    if (held == NULL)
        return NULL;
    held->node = node;
    *probe(table, node->hash) = (struct wb_held_slot){ node->hash.low, held };
    table->count++;
    return held;
}

void wb_held_drop(struct wb_held *held)
{
    free(held->f64);
    free(held->f32);
    held->f64 = NULL;
    held->f32 = NULL;
    for (int i = 0; i < 3; i++) {
        free(held->part[i].data);
        held->part[i].data = NULL;
    }
}

void wb_held_table_free(struct wb_held_table *table)
{
    for (size_t i = 0; i < table->size; i++)
        if (table->slot[i].held != NULL) {
            wb_held_drop(table->slot[i].held);
            free(table->slot[i].held->dep);
            free(table->slot[i].held);
        }
    free(table->slot);
    *table = (struct wb_held_table){ 0 };
}

bool wb_held_is_local(const struct wb_node *node)
{
    switch ((enum wb_op)node->op) {
    case WB_OP_REDUCE:
        return node->in[0]->domain == WB_SMALL && node->in[node->n_in - 1]->domain == WB_SMALL;
    case WB_OP_HISTOGRAM:
    case WB_OP_GRAM:
    case WB_OP_SELECT:
    case WB_OP_SELECT_ROWS:
    case WB_OP_HOLD:
        return false;
    default:
        return true;
    }
}

uint64_t wb_held_bytes(const struct wb_node *node)
{
    uint64_t bytes = node->count * (node->domain == WB_SMALL ? sizeof(double) : sizeof(float));

    switch ((enum wb_op)node->op) {
    case WB_OP_SVD:
    case WB_OP_EIGH: /* a copy, both factors and LAPACK's workspace */
        return 6 * bytes;
    case WB_OP_QR:
    case WB_OP_SOLVE:
    case WB_OP_INVERSE:
    case WB_OP_LEAST_SQUARES:
    case WB_OP_ASSIGNMENT:
        return 3 * bytes;
    default:
        return bytes;
    }
}

/* Elementwise arithmetic in double. NaN behaves as in the kernels. */

static double unary(enum wb_unary op, double x)
{
    switch (op) {
    case WB_UNARY_neg:
        return -x;
    case WB_UNARY_abs:
        return fabs(x);
    case WB_UNARY_sign:
        return isnan(x) ? x : (double)(x > 0) - (double)(x < 0);
    case WB_UNARY_sqrt:
        return sqrt(x);
    case WB_UNARY_exp:
        return exp(x);
    case WB_UNARY_log:
        return log(x);
    case WB_UNARY_sin:
        return sin(x);
    case WB_UNARY_cos:
        return cos(x);
    case WB_UNARY_acos:
        return acos(x);
    case WB_UNARY_tanh:
        return tanh(x);
    case WB_UNARY_floor:
        return floor(x);
    case WB_UNARY_recip:
        return 1 / x;
    case WB_UNARY_is_finite:
        return isfinite(x) ? 1 : 0;
    case WB_UNARY_is_nan:
        return isnan(x) ? 1 : 0;
    case WB_UNARY_COUNT:
        break;
    }
    return NAN;
}

static double binary(enum wb_binary op, double x, double y)
{
    switch (op) {
    case WB_BINARY_add:
        return x + y;
    case WB_BINARY_sub:
        return x - y;
    case WB_BINARY_mul:
        return x * y;
    case WB_BINARY_div:
        return x / y;
    case WB_BINARY_min:
        return isnan(x) || isnan(y) ? NAN : x < y ? x : y;
    case WB_BINARY_max:
        return isnan(x) || isnan(y) ? NAN : x > y ? x : y;
    case WB_BINARY_pow:
        return pow(x, y);
    case WB_BINARY_gt:
        return x > y;
    case WB_BINARY_lt:
        return x < y;
    case WB_BINARY_ge:
        return x >= y;
    case WB_BINARY_le:
        return x <= y;
    case WB_BINARY_eq:
        return x == y;
    case WB_BINARY_ne:
        return x != y && !isnan(x) && !isnan(y);
    case WB_BINARY_COUNT:
        break;
    }
    return NAN;
}

static double lerp(double x, double y, double w)
{
    if (x == y)
        return x;
    return w < 0.5 ? fma(w, y - x, x) : fma(w - 1, y - x, y);
}

static double cast(enum wb_dtype dtype, double x)
{
    float f = (float)x;
    uint8_t raw[8];

    if (dtype == WB_DTYPE_F64)
        return x;
    wb_kernels()->narrow[dtype](1, &f, raw);
    wb_kernels()->widen[dtype](1, raw, &f);
    return (double)f;
}

/* Operands of an elementwise node: pointers to doubles with a stride of 0 for scalars. */
struct operand {
    const double *value;
    size_t stride;
};

static double element(const struct wb_node *n, const struct operand *in, size_t i)
{
    double x[3] = { 0 };

    for (size_t k = 0; k < n->n_in; k++)
        x[k] = in[k].value[i * in[k].stride];
    switch ((enum wb_op)n->op) {
    case WB_OP_UNARY:
        return unary((enum wb_unary)n->sub, x[0]);
    case WB_OP_BINARY:
        return binary((enum wb_binary)n->sub, x[0], x[1]);
    case WB_OP_WHERE:
        return x[0] != 0 ? x[1] : x[2];
    case WB_OP_LERP:
        return lerp(x[0], x[1], x[2]);
    case WB_OP_FMA:
        return fma(x[0], x[1], x[2]);
    case WB_OP_CLAMP:
        return x[0] < n->u.range.low    ? n->u.range.low
               : x[0] > n->u.range.high ? n->u.range.high
                                        : x[0];
    case WB_OP_NAN_TO:
        return isfinite(x[0]) ? x[0] : n->u.number;
    case WB_OP_CAST:
        return cast((enum wb_dtype)n->sub, x[0]);
    default:
        return x[0]; /* as */
    }
}

static bool compute_elementwise(const struct wb_held_table *table, struct wb_held *held,
                                struct wb_err *err)
{
    const struct wb_node *n = held->node;
    struct operand in[3] = { { NULL, 0 } };

    for (size_t k = 0; k < n->n_in; k++) {
        in[k].value = wb_held_find(table, n->in[k])->f64;
        in[k].stride = n->in[k]->shape.ndim == 0 ? 0 : 1;
    }
    for (size_t i = 0; i < n->count; i++) {
        held->f64[i] = element(n, in, i);
        if (n->op == WB_OP_GUARD && !isfinite(held->f64[i]))
            return wb_fail(err, WB_ENUMERIC, "%s: %s in model %s at flat index %zu",
                           n->u.guard.tensor, isnan(held->f64[i]) ? "NaN" : "infinity",
                           n->u.guard.model, i);
    }
    return true;
}

/* Reductions over small values, in double and in order. */

struct tally {
    double sum, abs, squares, dot, min, max, absmax, count;
};

static void tally_add(struct tally *t, double x, double y)
{
    t->sum += x;
    t->abs += fabs(x);
    t->squares += x * x;
    t->dot += x * y;
    t->min = isnan(x) || isnan(t->min) ? NAN : x < t->min ? x : t->min;
    t->max = isnan(x) || isnan(t->max) ? NAN : x > t->max ? x : t->max;
    t->absmax = isnan(x) || isnan(t->absmax) ? NAN : fabs(x) > t->absmax ? fabs(x) : t->absmax;
    t->count += x != 0;
}

static double tally_get(const struct tally *t, enum wb_reduce op)
{
    switch (op) {
    case WB_REDUCE_SUM:
        return t->sum;
    case WB_REDUCE_SUM_ABS:
        return t->abs;
    case WB_REDUCE_SUM_SQUARES:
        return t->squares;
    case WB_REDUCE_DOT:
        return t->dot;
    case WB_REDUCE_MIN:
        return t->min;
    case WB_REDUCE_MAX:
        return t->max;
    case WB_REDUCE_ABSMAX:
        return t->absmax;
    default:
        return t->count;
    }
}

static void small_stats(double *out, const double *x, uint64_t n)
{
    struct tally t = { .min = INFINITY, .max = -INFINITY };
    double nan = 0, inf = 0, zero = 0;

    for (uint64_t i = 0; i < n; i++) {
        nan += isnan(x[i]) ? 1 : 0;
        inf += isinf(x[i]) ? 1 : 0;
        zero += x[i] == 0;
        if (isfinite(x[i]))
            tally_add(&t, x[i], 0);
    }
    memcpy(out, (double[]){ (double)n, nan, inf, zero, t.sum, t.squares, t.min, t.max, t.absmax },
           9 * sizeof *out);
}

static void small_pair_stats(double *out, const double *x, const double *y, uint64_t n)
{
    double s[9] = { (double)n };

    for (uint64_t i = 0; i < n; i++) {
        double d = y[i] - x[i];

        if (!isfinite(x[i]) || !isfinite(y[i])) {
            s[1]++;
            continue;
        }
        s[2] += (x[i] > 0) - (x[i] < 0) == (y[i] > 0) - (y[i] < 0);
        s[3] += x[i] != y[i];
        s[4] += x[i] * x[i];
        s[5] += y[i] * y[i];
        s[6] += x[i] * y[i];
        s[7] += d * d;
        s[8] = fabs(d) > s[8] ? fabs(d) : s[8];
    }
    memcpy(out, s, sizeof s);
}

static void compute_reduce(const struct wb_held_table *table, struct wb_held *held)
{
    const struct wb_node *n = held->node, *a = n->in[0];
    const double *x = wb_held_find(table, a)->f64,
                 *y = wb_held_find(table, n->in[n->n_in - 1])->f64;
    uint64_t rows = wb_shape_rows(&a->shape), columns = wb_shape_columns(&a->shape);
    uint64_t inner, outer, step, stride;

    if (n->sub == WB_REDUCE_STATS) {
        small_stats(held->f64, x, a->count);
        return;
    }
    if (n->sub == WB_REDUCE_PAIR_STATS) {
        small_pair_stats(held->f64, x, y, a->count);
        return;
    }
    outer = n->axis == WB_AXIS_ALL ? 1 : n->axis == WB_AXIS_ROW ? rows : columns;
    inner = n->axis == WB_AXIS_ALL ? a->count : n->axis == WB_AXIS_ROW ? columns : rows;
    stride = n->axis == WB_AXIS_COLUMN ? columns : 1; /* between entries of one result */
    step = n->axis == WB_AXIS_ROW ? columns : 1;      /* between results */
    for (uint64_t o = 0; o < outer; o++) {
        struct tally t = { .min = INFINITY, .max = -INFINITY };

        for (uint64_t i = 0; i < inner; i++)
            tally_add(&t, x[o * step + i * stride], y[o * step + i * stride]);
        held->f64[o] = tally_get(&t, (enum wb_reduce)n->sub);
    }
}

static void compute_view(const struct wb_held_table *table, struct wb_held *held)
{
    const struct wb_view *v = &held->node->u.view;
    const struct wb_node *in = held->node->in[0];
    const double *x = wb_held_find(table, in)->f64;
    uint64_t columns = wb_shape_columns(&in->shape), out = 0;

    if (v->whole) {
        memcpy(held->f64, x, (size_t)in->count * sizeof *x);
        return;
    }
    for (uint64_t r = 0; r < v->rows; r++)
        for (uint64_t c = 0; c < v->columns; c++) {
            uint64_t row = v->row_idx == NULL ? v->row_first + r : v->row_idx[r];
            uint64_t column = v->column_idx == NULL ? v->column_first + c : v->column_idx[c];

            held->f64[out++] = x[row * columns + column];
        }
}

static void compute_pack(const struct wb_held_table *table, struct wb_held *held)
{
    for (size_t i = 0; i < held->node->n_in; i++)
        held->f64[i] = wb_held_find(table, held->node->in[i])->f64[0];
}

/* Whatever rests on an unknown value is unknown. */
static bool mark_unknown(struct wb_held *held)
{
    for (size_t i = 0; i < held->deps; i++)
        held->unknown = held->unknown || held->dep[i]->unknown;
    for (size_t i = 0; held->unknown && held->f64 != NULL && i < held->node->count; i++)
        held->f64[i] = NAN;
    return held->unknown;
}

bool wb_held_compute(const struct wb_held_table *table, struct wb_held *held, struct wb_err *err)
{
    const struct wb_node *n = held->node;

    if (n->domain == WB_SMALL) {
        held->f64 = calloc((size_t)n->count + 1, sizeof *held->f64);
        if (held->f64 == NULL)
            return wb_fail(err, WB_ENOMEM, "no memory for %llu values",
                           (unsigned long long)n->count);
    }
    held->ready = true;
    if (mark_unknown(held))
        return true;
    if (n->op == WB_OP_CONSTANT)
        memcpy(held->f64, n->u.constant.value, (size_t)n->count * sizeof *held->f64);
    else if (wb_node_is_elementwise(n))
        return compute_elementwise(table, held, err);
    else if (n->op == WB_OP_REDUCE)
        compute_reduce(table, held);
    else if (n->op == WB_OP_VIEW)
        compute_view(table, held);
    else if (n->op == WB_OP_PACK)
        compute_pack(table, held);
    else if (n->op == WB_OP_ITEM)
        held->f64[0] = wb_held_find(table, n->in[0])->f64[n->u.index];
    else
        return wb_held_dense(table, held, err);
    return true;
}
