/* app/probe/heads_row.c - statistics of attention weights: of a row, of a matrix (inspect I4). */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "app/probe/heads.h"
#include "app/tensor/kernels.h"

#define PIECE 512 /* weights at a time, a multiple of WB_LANES */

static double sum(size_t n, const float *x)
{
    double lanes[WB_LANES] = { 0 };

    wb_kernels()->sum(n, x, lanes);
    return wb_lanes_fold(lanes);
}

/* -sum of x ln x; 0 ln 0 is 0. */
static double entropy(size_t n, const float *x)
{
    const struct wb_kernels *k = wb_kernels();
    double lanes[WB_LANES] = { 0 };
    float log_x[PIECE];

    for (size_t i = 0; i < n; i += PIECE) {
        size_t m = n - i < PIECE ? n - i : PIECE;

        k->binary_vs[WB_BINARY_max](m, x + i, FLT_MIN, log_x);
        k->unary[WB_UNARY_log](m, log_x, log_x);
        k->dot(m, x + i, log_x, lanes);
    }
    return -wb_lanes_fold(lanes);
}

/* sum of x[j] |p - first - j| */
static double distance(size_t n, const float *x, size_t p, size_t first)
{
    double lanes[WB_LANES] = { 0 };
    float apart[PIECE];

    for (size_t i = 0; i < n; i += PIECE) {
        size_t m = n - i < PIECE ? n - i : PIECE;

        for (size_t j = 0; j < m; j++)
            apart[j] = fabsf((float)((double)p - (double)(first + i + j)));
        wb_kernels()->dot(m, x + i, apart, lanes);
    }
    return wb_lanes_fold(lanes);
}

/* Of weights first .. end - 1, those at from .. to - 1. */
static double mass_between(const float *weight, size_t first, size_t end, size_t from, size_t to)
{
    from = from > first ? from : first;
    to = to < end ? to : end;
    return from < to ? sum(to - from, weight + from) : 0;
}

struct wb_head_row wb_head_row_of(const float *weight, size_t p, size_t first, size_t end,
                                  size_t local)
{
    float most = -INFINITY;
    size_t seen = end - first;

    wb_kernels()->max(seen, weight + first, &most);
    return (struct wb_head_row){
        .entropy = fmax(0, entropy(seen, weight + first)) + 0 * (double)most, /* NaN stays */
        .max = (double)most,
        .distance = distance(seen, weight + first, p, first),
        .local = mass_between(weight, first, end, p > local ? p - local : 0, p + local + 1),
        .sink = mass_between(weight, first, end, 0, 1),
        .sink4 = mass_between(weight, first, end, 0, 4),
        .previous = p > 0 ? mass_between(weight, first, end, p - 1, p) : 0,
        .self = mass_between(weight, first, end, p, p + 1),
    };
}

double wb_head_positional(const float *weight, size_t n, bool causal)
{
    double total = 0, squares = 0, between = 0, entries = 0;
    size_t diagonals = causal ? n : 2 * n - 1;

    for (size_t d = 0; d < diagonals; d++) { /* keys d in front of the query; then behind */
        size_t first = d < n ? d : 0, rows = d < n ? n - d : n - (d - n + 1);
        double on = 0;

        for (size_t i = first; i < first + rows; i++) {
            double w = (double)weight[i * n + (d < n ? i - d : i + (d - n + 1))];

            on += w;
            squares += w * w;
        }
        total += on;
        between += on * on / (double)rows;
        entries += (double)rows;
    }
    between -= total * total / entries;
    squares -= total * total / entries;
    return squares > 1e-12 * total ? sqrt(fmax(0, fmin(1, between / squares))) : (double)NAN;
}

/* --- sets of keys ----------------------------------------------------------------------------- */

/* Is weight i below weight j, of equals the later one? */
static bool below(const float *weight, int32_t i, int32_t j)
{
    float a = weight[i], b = weight[j];

    return a < b || (a == b && i > j);
}

/* The lowest goes to the top of a heap of n. */
static void sift(const float *weight, int32_t *heap, size_t n, size_t at)
{
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        int32_t swap;

        if (child + 1 < n && below(weight, heap[child + 1], heap[child]))
            child++;
        if (!below(weight, heap[child], heap[at]))
            return;
        swap = heap[at];
        heap[at] = heap[child];
        heap[child] = swap;
    }
}

static int ascending(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

    return (x > y) - (x < y);
}

size_t wb_head_top(const float *weight, size_t n, size_t k, int32_t *out)
{
    size_t count = 0;

    for (size_t i = 0; i < n && k > 0; i++) {
        if (isnan(weight[i]))
            continue;
        if (count < k) {
            out[count++] = (int32_t)i;
            for (size_t at = count; count == k && at-- > 0;)
                sift(weight, out, k, at);
        } else if (below(weight, out[0], (int32_t)i)) {
            out[0] = (int32_t)i;
            sift(weight, out, k, 0);
        }
    }
    qsort(out, count, sizeof *out, ascending);
    return count;
}

double wb_head_overlap(const int32_t *a, const int32_t *b, size_t k)
{
    size_t both = 0;

    for (size_t i = 0, j = 0; i < k && j < k;) {
        both += a[i] == b[j];
        if (a[i] < b[j])
            i++;
        else if (a[i] > b[j])
            j++;
        else
            i++, j++;
    }
    return (double)both / (double)k;
}

double wb_head_mass(const float *weight, const int32_t *set, size_t k)
{
    double mass = 0;

    for (size_t i = 0; i < k; i++)
        mass += (double)weight[set[i]];
    return mass;
}
