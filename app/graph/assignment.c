/* app/graph/assignment.c - maximum-weight assignment by shortest augmenting paths.
 *
 * After Jonker and Volgenant (1987). Costs are -weight in double. With potentials u (rows) and v
 * (columns) every reduced cost cost - u - v is >= 0, and 0 on the assigned pairs: that proves the
 * optimum. */
#include "app/graph/dense.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "app/graph/dense_impl.h"

#define NONE SIZE_MAX
#define IDENTITY_TOLERANCE 1e-12
#define CERTIFICATE_TOLERANCE 1e-6 /* of the largest magnitude: rounding of the potentials */

struct search {
    const struct wb_mat *weight;
    size_t n;
    double *u, *v;        /* potentials */
    size_t *column, *row; /* of row i, of column j; NONE = free */
    double *distance;     /* of each column from the row that is being added */
    size_t *from;         /* the row before the column on that path */
    size_t *scanned;      /* columns in the order they were reached */
    bool *reached;
    double *cost; /* one row of costs */
};

static bool search_init(struct search *s, const struct wb_mat *weight, struct wb_err *err)
{
    size_t n = weight->rows;

    *s = (struct search){ .weight = weight, .n = n };
    s->u = calloc(n, sizeof *s->u);
    s->v = calloc(n, sizeof *s->v);
    s->column = calloc(n, sizeof *s->column);
    s->row = calloc(n, sizeof *s->row);
    s->distance = calloc(n, sizeof *s->distance);
    s->from = calloc(n, sizeof *s->from);
    s->scanned = calloc(n, sizeof *s->scanned);
    s->reached = calloc(n, sizeof *s->reached);
    s->cost = calloc(n, sizeof *s->cost);
    if (s->u == NULL || s->v == NULL || s->column == NULL || s->row == NULL ||
        s->distance == NULL || s->from == NULL || s->scanned == NULL || s->reached == NULL ||
        s->cost == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for an assignment of %zu rows", n);
    for (size_t i = 0; i < n; i++)
        s->column[i] = s->row[i] = NONE;
    return true;
}

static void search_free(struct search *s)
{
    free(s->u);
    free(s->v);
    free(s->column);
    free(s->row);
    free(s->distance);
    free(s->from);
    free(s->scanned);
    free(s->reached);
    free(s->cost);
}

static void load_costs(struct search *s, size_t i)
{
    const float *f = (const float *)s->weight->data + i * s->n;
    const double *d = (const double *)s->weight->data + i * s->n;

    if (s->weight->dtype == WB_DTYPE_F32)
        for (size_t j = 0; j < s->n; j++)
            s->cost[j] = -(double)f[j];
    else
        for (size_t j = 0; j < s->n; j++)
            s->cost[j] = -d[j];
}

/* Distances over row i, which is `base` away; the nearest column not reached yet, the lowest of
 * equals. */
static size_t scan_row(struct search *s, size_t i, double base)
{
    double offset = base - s->u[i], nearest = INFINITY;
    size_t best = NONE;

    load_costs(s, i);
    for (size_t j = 0; j < s->n; j++) {
        double d = s->cost[j] - s->v[j] + offset;

        if (s->reached[j])
            continue;
        if (d < s->distance[j]) {
            s->distance[j] = d;
            s->from[j] = i;
        }
        if (s->distance[j] < nearest) {
            nearest = s->distance[j];
            best = j;
        }
    }
    return best;
}

/* Dijkstra from row `start` to the nearest free column, new potentials, then the path is turned
 * over. */
static void add_row(struct search *s, size_t start)
{
    size_t count = 0, i = start, j;
    double base = 0;

    for (size_t k = 0; k < s->n; k++) {
        s->distance[k] = INFINITY;
        s->reached[k] = false;
    }
    for (;;) {
        j = scan_row(s, i, base);
        base = s->distance[j];
        if (s->row[j] == NONE)
            break;
        s->reached[j] = true;
        s->scanned[count++] = j;
        i = s->row[j];
    }
    s->u[start] += base;
    for (size_t k = 0; k < count; k++) {
        double slack = base - s->distance[s->scanned[k]];

        s->u[s->row[s->scanned[k]]] += slack;
        s->v[s->scanned[k]] -= slack;
    }
    while (j != NONE) {
        size_t before;

        i = s->from[j];
        before = s->column[i];
        s->column[i] = j;
        s->row[j] = i;
        j = before;
    }
}

/* The most negative reduced cost, against the largest weight. */
static bool check_optimal(struct search *s, struct wb_err *err)
{
    double worst = 0, largest = 0;

    for (size_t i = 0; i < s->n; i++) {
        load_costs(s, i);
        for (size_t j = 0; j < s->n; j++) {
            worst = fmin(worst, s->cost[j] - s->u[i] - s->v[j]);
            largest = fmax(largest, fabs(s->cost[j]));
        }
    }
    if (worst < -CERTIFICATE_TOLERANCE * largest)
        return wb_fail(err, WB_ENUMERIC,
                       "assignment of %zu rows: reduced cost %g with weights up to %g", s->n, worst,
                       largest);
    return true;
}

static bool identity_wins(const struct search *s)
{
    double best = 0, identity = 0;

    for (size_t i = 0; i < s->n; i++) {
        best += get(s->weight, i * s->n + s->column[i]);
        identity += get(s->weight, i * s->n + i);
    }
    return identity >= best - IDENTITY_TOLERANCE * fabs(best);
}

static void store_columns(const struct search *s, struct wb_mat *column)
{
    bool identity = identity_wins(s);

    for (size_t i = 0; i < s->n; i++) {
        size_t j = identity ? i : s->column[i];

        set(column, i, (double)j);
    }
}

bool wb_dense_assignment(const struct wb_mat *weight, struct wb_mat *column, struct wb_err *err)
{
    size_t n = weight->rows;
    struct search s;
    bool ok;

    if (!wb_mat_check_shape(weight, weight, "weight", n, n, err) ||
        !wb_mat_check_shape(column, weight, "column", 1, n, err) ||
        !wb_mat_check_finite(weight, "weight", err))
        return false;
    if (n == 0)
        return true;
    ok = search_init(&s, weight, err);
    for (size_t i = 0; ok && i < s.n; i++)
        add_row(&s, i);
    ok = ok && check_optimal(&s, err);
    if (ok)
        store_columns(&s, column);
    search_free(&s);
    return ok;
}
