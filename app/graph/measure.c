/* app/graph/measure.c - histograms and Gram matrices: made as nodes, gathered, finished.
 *
 * Bins are whole counts, so workers may add to them in any order. Products are summed chunk by
 * chunk within a span of tiles and then over the spans, in an order that the shape alone fixes. */
#include "app/graph/measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/graph/node_impl.h"

#define BINS_MAX ((uint64_t)1024)
#define OPERANDS_MAX ((size_t)512)
/* Below the smallest float32 there is nothing to count. */
#define SMALLEST 0x1p-149

/* Nodes. */

struct wb_node *wb_node_histogram(struct wb_node *a, struct wb_node *low, struct wb_node *high,
                                  uint64_t bins, bool log, struct wb_err *err)
{
    struct wb_shape shape = wb_shape_1d(bins + WB_BIN_EXTRAS);
    struct wb_node *node;

    if (bins == 0 || bins > BINS_MAX) {
        wb_fail(err, WB_EARG, "a histogram of %llu bins, not of 1 to %llu",
                (unsigned long long)bins, (unsigned long long)BINS_MAX);
        return NULL;
    }
    if (low->domain != WB_SMALL || high->domain != WB_SMALL || low->count != 1 ||
        high->count != 1) {
        wb_fail(err, WB_ESHAPE, "the range of a histogram is two numbers");
        return NULL;
    }
    if (!wb_node_check_computable(a, err))
        return NULL;
    node = wb_node_new(WB_OP_HISTOGRAM, WB_SMALL, WB_DTYPE_F32, &shape,
                       (struct wb_node *[]){ a, low, high }, 3, err);
    if (node == NULL)
        return NULL;
    node->u.index = bins;
    node->sub = log;
    return wb_node_seal(node, &bins, sizeof bins);
}

struct wb_node *wb_node_gram(struct wb_node *const *a, size_t n, struct wb_err *err)
{
    struct wb_shape shape = wb_shape_2d(n, n);
    char one[128], two[128];

    if (n == 0 || n > OPERANDS_MAX) {
        wb_fail(err, WB_EARG, "products of %zu tensors, not of 1 to %zu", n, OPERANDS_MAX);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        if (!wb_node_check_computable(a[i], err))
            return NULL;
        if (!wb_shape_equal(&a[i]->shape, &a[0]->shape)) {
            wb_fail(err, WB_ESHAPE, "shapes %s and %s do not fit",
                    wb_shape_format(&a[0]->shape, one, sizeof one),
                    wb_shape_format(&a[i]->shape, two, sizeof two));
            return NULL;
        }
    }
    return wb_node_seal_plain(wb_node_new(WB_OP_GRAM, WB_SMALL, WB_DTYPE_F32, &shape, a, n, err));
}

/* Drains. */

static size_t pairs(size_t n)
{
    return n * (n + 1) / 2;
}

static void set_range(struct wb_drain *d, const struct wb_node *n, double low, double high)
{
    if (n->sub) {
        low = log2(low >= SMALLEST ? low : SMALLEST);
        high = log2(high >= SMALLEST ? high : SMALLEST);
    }
    d->range[0] = low;
    d->range[1] = high;
    d->range[2] = high > low ? (double)n->u.index / (high - low) : 0;
}

struct wb_drain *wb_measure_drain(struct wb_held *held, const struct wb_held_table *table)
{
    const struct wb_node *n = held->node;
    struct wb_drain *d = calloc(1, sizeof *d);

    if (d == NULL)
        return NULL;
    d->kind = n->op == WB_OP_GRAM ? WB_DRAIN_GRAM : WB_DRAIN_BINS;
    d->in[0] = n->in[0];
    d->held = held;
    if (d->kind == WB_DRAIN_GRAM) {
        d->columns = calloc(WB_SPANS, sizeof *d->columns);
    } else {
        d->histogram = calloc((size_t)n->count, sizeof *d->histogram);
        set_range(d, n, wb_held_find(table, n->in[1])->f64[0],
                  wb_held_find(table, n->in[2])->f64[0]);
    }
    if (d->columns != NULL || d->histogram != NULL)
        return d;
    free(d);
    return NULL;
}

double *wb_measure_span(const struct wb_drain *d)
{
    size_t n = d->held->node->n_in;

    return calloc(pairs(n) + n * WB_CHUNK / 2, sizeof(double)); /* two floats are a double */
}

static size_t bin_of(const struct wb_drain *d, size_t bins, bool log, float x)
{
    double v, at;

    if (x == 0)
        return bins + WB_BIN_ZERO;
    if (isnan(x))
        return bins + WB_BIN_NAN;
    if (isinf(x))
        return bins + WB_BIN_INF;
    v = log ? log2(fabs((double)x)) : (double)x;
    if (v < d->range[0])
        return bins + WB_BIN_BELOW;
    if (v > d->range[1])
        return bins + WB_BIN_ABOVE;
    at = (v - d->range[0]) * d->range[2];
    return at < (double)bins ? (size_t)at : bins - 1; /* the last bin has its upper edge */
}

void wb_measure_bins(struct wb_drain *d, size_t n, const float *x)
{
    const struct wb_node *node = d->held->node;
    size_t bins = (size_t)node->u.index;
    uint16_t count[BINS_MAX + WB_BIN_EXTRAS] = { 0 }; /* of one chunk */

    for (size_t i = 0; i < n; i++)
        count[bin_of(d, bins, node->sub, x[i])]++;
    for (size_t b = 0; b < bins + WB_BIN_EXTRAS; b++)
        if (count[b] > 0)
            atomic_fetch_add_explicit(&d->histogram[b], count[b], memory_order_relaxed);
}

void wb_measure_gram(const struct wb_drain *d, struct wb_drain_state *s, size_t n, const float *x)
{
    const struct wb_kernels *k = wb_kernels();
    size_t operands = d->held->node->n_in, at = 0;
    float *chunk = (void *)(s->columns + pairs(operands));

    memcpy(chunk + s->count * WB_CHUNK, x, n * sizeof *x);
    if (++s->count < operands)
        return;
    s->count = 0;
    for (size_t i = 0; i < operands; i++)
        for (size_t j = 0; j <= i; j++) {
            double lanes[WB_LANES] = { 0 };

            k->dot(n, chunk + i * WB_CHUNK, chunk + j * WB_CHUNK, lanes);
            s->columns[at++] += wb_lanes_fold(lanes);
        }
}

static void finish_gram(struct wb_drain *d, double scale)
{
    size_t n = d->held->node->n_in, at = 0;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++, at++) {
            double total = 0;

            for (size_t s = 0; s < WB_SPANS; s++)
                total += d->columns[s] != NULL ? d->columns[s][at] : 0;
            d->held->f64[i * n + j] = d->held->f64[j * n + i] = total * scale;
        }
}

void wb_measure_finish(struct wb_drain *d, const struct wb_geometry *g)
{
    double scale = g->partial ? (double)g->count / (double)g->visited : 1;

    if (d->kind == WB_DRAIN_GRAM) {
        finish_gram(d, scale);
        return;
    }
    for (size_t i = 0; i < d->held->node->count; i++)
        d->held->f64[i] = (double)atomic_load(&d->histogram[i]) * scale;
}
