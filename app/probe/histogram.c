/* app/probe/histogram.c - one evaluation for everything about a tensor's values; and a slice. */
#include "app/probe/histogram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Magnitudes below this share of the largest one lie under the bins of a logarithmic histogram. */
#define LOG_RANGE 0x1p-24
/* Order of WB_REDUCE_STATS. */
enum { COUNT, NAN_COUNT, INF_COUNT, ZERO, STATS = 9 };
enum { BELOW, ABOVE, EXTRAS = 5 };

/* What is asked, and where the answers go. */
struct request {
    struct wb_node *node, *finite; /* finite: what is not is 0 */
    const struct wb_histogram_ask *ask;
    struct wb_target target[8];
    size_t targets;
    double stats[STATS], absmax, bin[WB_HISTOGRAM_BINS_MAX + EXTRAS];
    double *row[2], *column[2]; /* entries that count, and entries that are not 0 */
    struct wb_err *err;
    bool failed;
};

/* node is moved. */
static void ask(struct request *r, struct wb_node *node, double *value)
{
    struct wb_target *target = &r->target[r->targets];

    if (node == NULL) {
        r->failed = true;
        return;
    }
    *target = (struct wb_target){ .node = node };
    target->value = value;
    r->targets++;
}

/* The range is given, or follows from the largest magnitude, which is worked out first. */
static struct wb_node *range_end(struct request *r, bool high)
{
    const struct wb_histogram_ask *a = r->ask;
    struct wb_node *absmax, *factor, *end = NULL;

    if (a->low != a->high)
        return wb_node_scalar(high ? a->high : a->low, r->err);
    absmax = wb_node_reduce(WB_REDUCE_ABSMAX, WB_AXIS_ALL, r->finite, NULL, r->err);
    factor = wb_node_scalar(high ? 1 : a->log ? LOG_RANGE : -1, r->err);
    if (absmax != NULL && factor != NULL)
        end = wb_node_binary(WB_BINARY_mul, absmax, factor, r->err);
    wb_node_unref(absmax);
    wb_node_unref(factor);
    return end;
}

static void ask_bins(struct request *r)
{
    struct wb_node *low = range_end(r, false), *high = range_end(r, true), *bins = NULL;

    if (low != NULL && high != NULL)
        bins = wb_node_histogram(r->node, low, high, r->ask->bins, r->ask->log, r->err);
    ask(r, bins, r->bin);
    wb_node_unref(low);
    wb_node_unref(high);
}

static uint64_t rows_of(const struct wb_node *node)
{
    const struct wb_shape *s = wb_node_shape(node);

    return s->ndim >= 2 ? s->dim[0] : 1;
}

static uint64_t columns_of(const struct wb_node *node)
{
    uint64_t rows = rows_of(node);

    return rows == 0 ? 0 : wb_node_count(node) / rows;
}

static bool wants_dead(const struct wb_eval *how, const struct request *r)
{
    return r->ask->dead && !how->sample && wb_node_shape(r->node)->ndim >= 2 &&
           wb_node_count(r->node) > 0;
}

static bool ask_dead(struct request *r)
{
    size_t rows = (size_t)rows_of(r->node), columns = (size_t)columns_of(r->node);

    for (int k = 0; k < 2; k++) {
        struct wb_node *of = k == 0 ? r->finite : r->node;

        r->row[k] = calloc(rows + 1, sizeof(double));
        r->column[k] = calloc(columns + 1, sizeof(double));
        if (r->row[k] == NULL || r->column[k] == NULL)
            return wb_fail(r->err, WB_ENOMEM, "no memory for %zu rows and %zu columns", rows,
                           columns);
        ask(r, wb_node_reduce(WB_REDUCE_COUNT, WB_AXIS_ROW, of, NULL, r->err), r->row[k]);
        ask(r, wb_node_reduce(WB_REDUCE_COUNT, WB_AXIS_COLUMN, of, NULL, r->err), r->column[k]);
    }
    return true;
}

static void list_dead(struct wb_dead *dead, uint64_t n, double *const value[2])
{
    for (uint64_t i = 0; i < n; i++) {
        if (value[0][i] != 0)
            continue;
        if (dead->listed < WB_HISTOGRAM_DEAD_MAX)
            dead->first[dead->listed++] = i;
        dead->count++;
        dead->strange += value[1][i] != 0;
    }
}

static void fill(const struct wb_eval *how, const struct request *r, struct wb_histogram *out)
{
    const struct wb_histogram_ask *a = r->ask;
    const double *extra = r->bin + a->bins;

    *out = (struct wb_histogram){
        .bins = a->bins,
        .low = a->low != a->high ? a->low : r->absmax * (a->log ? LOG_RANGE : -1),
        .high = a->low != a->high ? a->high : r->absmax,
        .below = extra[BELOW],
        .above = extra[ABOVE],
        .zero = r->stats[ZERO],
        .nan = r->stats[NAN_COUNT],
        .inf = r->stats[INF_COUNT],
        .count = r->stats[COUNT],
        .stats = wb_weight_figures(r->stats),
        .sampled = how->sample,
    };
    memcpy(out->bin, r->bin, a->bins * sizeof *out->bin);
    if (r->row[0] != NULL && r->row[1] != NULL && r->column[0] != NULL && r->column[1] != NULL) {
        out->has_dead = true;
        list_dead(&out->row, rows_of(r->node), r->row);
        list_dead(&out->column, columns_of(r->node), r->column);
    }
}

static bool check(const struct wb_histogram_ask *a, struct wb_err *err)
{
    if (a->bins < 1 || a->bins > WB_HISTOGRAM_BINS_MAX)
        return wb_fail(err, WB_EARG, "%zu bins, not 1 to %d", a->bins, WB_HISTOGRAM_BINS_MAX);
    if (a->low == a->high)
        return true;
    if (!(a->low < a->high) || !isfinite(a->low) || !isfinite(a->high) || (a->log && a->low <= 0))
        return wb_fail(err, WB_EARG, "a histogram from %g to %g%s", a->low, a->high,
                       a->log ? " on a logarithmic scale" : "");
    return true;
}

bool wb_histogram_compute(const struct wb_eval *how, struct wb_node *node,
                          const struct wb_histogram_ask *ask_for, struct wb_histogram *out,
                          struct wb_err *err)
{
    struct request r = { .node = node, .ask = ask_for, .err = err };
    bool ok = check(ask_for, err) && (r.finite = wb_node_nan_to(node, 0, err)) != NULL;

    if (ok) {
        ask(&r, wb_node_reduce(WB_REDUCE_STATS, WB_AXIS_ALL, node, NULL, err), r.stats);
        ask(&r, wb_node_reduce(WB_REDUCE_ABSMAX, WB_AXIS_ALL, r.finite, NULL, err), &r.absmax);
        ask_bins(&r);
        ok = !wants_dead(how, &r) || ask_dead(&r);
    }
    ok = ok && !r.failed && wb_evaluate(how, r.target, r.targets, NULL, err);
    if (ok)
        fill(how, &r, out);
    for (size_t i = 0; i < r.targets; i++)
        wb_node_unref(r.target[i].node);
    for (int k = 0; k < 2; k++) {
        free(r.row[k]);
        free(r.column[k]);
    }
    wb_node_unref(r.finite);
    return ok;
}

double wb_histogram_edge(const struct wb_histogram *h, bool log, size_t i)
{
    double at = (double)i / (double)h->bins;

    if (log)
        return h->low <= 0 ? h->high : h->low * pow(h->high / h->low, at);
    return h->low + (h->high - h->low) * at;
}

/* Slices. */

static bool check_slice(const struct wb_node *node, const struct wb_slice *s, struct wb_err *err)
{
    uint64_t rows = rows_of(node), columns = columns_of(node), entries;

    if (s->row_first > s->row_last || s->row_last > rows || s->column_first > s->column_last ||
        s->column_last > columns)
        return wb_fail(err, WB_ESHAPE,
                       "rows [%llu, %llu) and columns [%llu, %llu) of a tensor of %llu by %llu",
                       (unsigned long long)s->row_first, (unsigned long long)s->row_last,
                       (unsigned long long)s->column_first, (unsigned long long)s->column_last,
                       (unsigned long long)rows, (unsigned long long)columns);
    if (__builtin_mul_overflow(s->row_last - s->row_first, s->column_last - s->column_first,
                               &entries) ||
        entries > WB_SLICE_MAX)
        return wb_fail(err, WB_EARG, "a slice of more than %d entries", WB_SLICE_MAX);
    return true;
}

/* Rows and columns of the tensor as two dimensions. */
static struct wb_node *view_of(struct wb_node *node, const struct wb_slice *s, struct wb_err *err)
{
    struct wb_shape flat = { .ndim = 2, .dim = { rows_of(node), columns_of(node) } };
    struct wb_node *table = wb_node_reshape(node, &flat, err), *rows = NULL, *out = NULL;

    if (table != NULL)
        rows = wb_node_rows(table, s->row_first, s->row_last, err);
    if (rows != NULL)
        out = wb_node_columns(rows, s->column_first, s->column_last, err);
    wb_node_unref(table);
    wb_node_unref(rows);
    return out;
}

/* Of a stream: the entries that fall into the slice, out of all that comes by. */
struct picker {
    struct wb_slice slice;
    uint64_t columns;
    double *value;
};

static void pick(const struct picker *p, uint64_t at, size_t n, const float *x)
{
    uint64_t width = p->slice.column_last - p->slice.column_first;

    for (size_t i = 0; i < n;) {
        uint64_t row = (at + i) / p->columns, column = (at + i) % p->columns;
        uint64_t left = p->columns - column;

        if (row >= p->slice.row_first && row < p->slice.row_last)
            for (uint64_t c = column; c < column + left && i + (c - column) < n; c++)
                if (c >= p->slice.column_first && c < p->slice.column_last)
                    p->value[(row - p->slice.row_first) * width + c - p->slice.column_first] =
                        (double)x[i + (c - column)];
        i += left < n - i ? (size_t)left : n - i;
    }
}

/* Blocks of one target never overlap, so workers write to places of their own. */
static bool picker_put(void *ctx, size_t target, uint64_t first, const void *bytes, size_t n,
                       struct wb_err *err)
{
    (void)target, (void)err;
    pick(ctx, first / sizeof(float), n / sizeof(float), bytes);
    return true;
}

static bool picker_done(void *ctx, size_t target, struct wb_hash hash, struct wb_err *err)
{
    (void)ctx, (void)target, (void)hash, (void)err;
    return true;
}

bool wb_slice_values(const struct wb_eval *how, struct wb_node *node, const struct wb_slice *slice,
                     double *value, struct wb_err *err)
{
    struct picker p = { .slice = *slice, .columns = columns_of(node), .value = value };
    struct wb_sink sink = { .ctx = &p, .put = picker_put, .done = picker_done };
    struct wb_target target = { .node = node, .write = true, .dtype = WB_DTYPE_F32 };
    struct wb_eval all = *how;
    struct wb_node *view;
    bool ok;

    all.sample = false;
    if (!wb_dtype_computable(wb_node_dtype(node)))
        return wb_fail(err, WB_ESHAPE, "values of %s tensors cannot be shown",
                       wb_dtype_name(wb_node_dtype(node)));
    if (!check_slice(node, slice, err))
        return false;
    if (slice->row_first == slice->row_last || slice->column_first == slice->column_last)
        return true;
    if (wb_node_source_name(node) == NULL || wb_node_domain(node) != WB_STREAM)
        return wb_evaluate(&all, &target, 1, &sink, err);
    view = view_of(node, slice, err);
    if (view == NULL)
        return false;
    target = (struct wb_target){ .node = view };
    target.value = value;
    ok = wb_evaluate(&all, &target, 1, NULL, err);
    wb_node_unref(view);
    return ok;
}
