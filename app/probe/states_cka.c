/* app/probe/states_cka.c - linear CKA (inspect I2): of two arrays, and of all states of a pass.
 *
 * |Yc^T Xc|^2 / (|Xc^T Xc| |Yc^T Yc|) is <K, L> / (|K| |L|) with K = Xc Xc^T, L = Yc Yc^T: the one
 * for many rows, the other for many columns. */
#include <cblas.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/probe/gram.h"
#include "app/probe/states.h"
#include "app/probe/states_impl.h"
#include "app/tensor/kernels.h"

#define TILE 128       /* rows of a tile of Gram matrices */
#define WIDE_ROWS 512  /* rows that are summed at once */
#define WIDTH_MAX 5792 /* of sums of products: 256 MiB */

/* --- two arrays ------------------------------------------------------------------------------- */

static bool check_size(size_t n, size_t p, size_t q, struct wb_err *err)
{
    if (n < 2 || p == 0 || q == 0)
        return wb_fail(err, WB_EARG, "CKA of %zu rows of %zu and %zu columns", n, p, q);
    if (n > INT_MAX || p > INT_MAX || q > INT_MAX)
        return wb_fail(err, WB_ENOMEM, "CKA of %zu rows of %zu and %zu columns: too many", n, p, q);
    return true;
}

/* Columns without their means, less the first row before: NULL (WB_EARG) when that is all zeros. */
static double *centred(size_t n, size_t p, const float *x, struct wb_err *err)
{
    double *out = malloc(n * p * sizeof *out);
    bool constant = true;

    if (out == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for %zu rows of %zu columns", n, p);
        return NULL;
    }
    for (size_t j = 0; j < p; j++) {
        double sum = 0;

        for (size_t i = 0; i < n; i++) {
            out[i * p + j] = (double)x[i * p + j] - (double)x[j];
            constant = constant && out[i * p + j] == 0;
            sum += out[i * p + j];
        }
        for (size_t i = 0; i < n; i++)
            out[i * p + j] -= sum / (double)n;
    }
    if (!constant)
        return out;
    wb_fail(err, WB_EARG, "CKA of an array whose rows are all the same");
    free(out);
    return NULL;
}

/* out [p, q] = x^T y, or [n, n] = x x^T. */
static void columns_by_columns(size_t n, size_t p, const double *x, size_t q, const double *y,
                               double *out)
{
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)p, (int)q, (int)n, 1.0, x, (int)p, y,
                (int)q, 0.0, out, (int)q);
}

static void rows_by_rows(size_t n, size_t p, const double *x, double *out)
{
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)n, (int)p, 1.0, x, (int)p, x,
                (int)p, 0.0, out, (int)n);
}

static double inner(size_t n, const double *x, const double *y)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

static double cka_of(double xy, double xx, double yy)
{
    return fmax(0, fmin(1, xy / (sqrt(xx) * sqrt(yy))));
}

/* a and b: scratch. */
static double cka_centred(size_t n, size_t p, const double *x, size_t q, const double *y, double *a,
                          double *b)
{
    double xx, yy;

    if (n < p || n < q) {
        rows_by_rows(n, p, x, a);
        rows_by_rows(n, q, y, b);
        return cka_of(inner(n * n, a, b), inner(n * n, a, a), inner(n * n, b, b));
    }
    columns_by_columns(n, p, x, p, x, a);
    xx = inner(p * p, a, a);
    columns_by_columns(n, q, y, q, y, a);
    yy = inner(q * q, a, a);
    columns_by_columns(n, p, x, q, y, a);
    return cka_of(inner(p * q, a, a), xx, yy);
}

bool wb_cka(size_t n, size_t p, const float *x, size_t q, const float *y, double *out,
            struct wb_err *err)
{
    size_t wide = p > q ? p : q, side = n < p || n < q ? n : wide;
    double *xc = NULL, *yc = NULL, *a = NULL, *b = NULL;
    bool ok = check_size(n, p, q, err) && (xc = centred(n, p, x, err)) != NULL &&
              (yc = centred(n, q, y, err)) != NULL;

    if (ok) {
        a = malloc(side * side * sizeof *a);
        b = malloc(side * side * sizeof *b);
        ok = (a != NULL && b != NULL) ||
             wb_fail(err, WB_ENOMEM, "no memory for two matrices of %zu columns", side);
    }
    if (ok)
        *out = cka_centred(n, p, xc, q, yc, a, b);
    free(xc);
    free(yc);
    free(a);
    free(b);
    return ok;
}

/* --- without bias ----------------------------------------------------------------------------- */

/* x x^T with a diagonal of zeros; owned, NULL without memory. */
static double *hollow_gram(size_t n, size_t p, const float *x, struct wb_err *err)
{
    double *wide = malloc(n * p * sizeof *wide), *out = malloc(n * n * sizeof *out);

    if (wide != NULL && out != NULL) {
        for (size_t i = 0; i < n * p; i++)
            wide[i] = (double)x[i];
        rows_by_rows(n, p, wide, out);
        for (size_t i = 0; i < n; i++)
            out[i * n + i] = 0;
    } else {
        wb_fail(err, WB_ENOMEM, "no memory for a Gram matrix of %zu rows", n);
        free(out);
        out = NULL;
    }
    free(wide);
    return out;
}

/* [tr(K L) + (1'K1)(1'L1) / ((n - 1)(n - 2)) - 2 / (n - 2) 1'K L 1] / (n (n - 3)) */
static double hsic1(size_t n, const double *k, const double *l)
{
    double m = (double)n, trace = inner(n * n, k, l), all_k = 0, all_l = 0, through = 0;

    for (size_t i = 0; i < n; i++) {
        double row_k = 0, row_l = 0;

        for (size_t j = 0; j < n; j++) {
            row_k += k[i * n + j];
            row_l += l[i * n + j];
        }
        all_k += row_k;
        all_l += row_l;
        through += row_k * row_l;
    }
    return (trace + all_k * all_l / ((m - 1) * (m - 2)) - 2 / (m - 2) * through) / (m * (m - 3));
}

static bool check_debiased(size_t n, size_t p, size_t q, struct wb_err *err)
{
    if (n < 4)
        return wb_fail(err, WB_EARG, "debiased CKA needs 4 rows, not %zu", n);
    return check_size(n, p, q, err);
}

bool wb_hsic1(size_t n, size_t p, const float *x, size_t q, const float *y, double *out,
              struct wb_err *err)
{
    double *k = NULL, *l = NULL;
    bool ok = check_debiased(n, p, q, err) && (k = hollow_gram(n, p, x, err)) != NULL &&
              (l = hollow_gram(n, q, y, err)) != NULL;

    if (ok)
        *out = hsic1(n, k, l);
    free(k);
    free(l);
    return ok;
}

bool wb_cka_debiased(size_t n, size_t p, const float *x, size_t q, const float *y, double *out,
                     struct wb_err *err)
{
    double *k = NULL, *l = NULL, xx, yy;
    bool ok = check_debiased(n, p, q, err) && (k = hollow_gram(n, p, x, err)) != NULL &&
              (l = hollow_gram(n, q, y, err)) != NULL;

    if (ok) {
        xx = hsic1(n, k, k);
        yy = hsic1(n, l, l);
        *out = hsic1(n, k, l) / sqrt(xx * yy);
        ok = (xx > 0 && yy > 0) || wb_fail(err, WB_EARG, "CKA of an array that does not vary");
    }
    free(k);
    free(l);
    return ok;
}

/* --- all states ------------------------------------------------------------------------------- */

bool wb_cka_rows_init(struct wb_cka_rows *c, size_t states, size_t hidden, size_t room,
                      struct wb_err *err)
{
    size_t width = states * hidden, floats;
    bool sums = room > width && width <= WIDTH_MAX;

    *c = (struct wb_cka_rows){ .states = states, .hidden = hidden, .width = width, .room = room };
    if (__builtin_mul_overflow(room, width, &floats) || floats > SIZE_MAX / sizeof(double))
        return wb_fail(err, WB_ENOMEM, "states of %zu positions are too many", room);
    c->first = malloc(width * sizeof *c->first);
    if (sums) {
        c->product = calloc(width * width, sizeof *c->product);
        c->sum = calloc(width, sizeof *c->sum);
        c->wide = malloc(WIDE_ROWS * width * sizeof *c->wide);
    } else {
        c->kept = malloc((floats + 1) * sizeof *c->kept);
    }
    if (c->first != NULL &&
        (sums ? c->product != NULL && c->sum != NULL && c->wide != NULL : c->kept != NULL))
        return true;
    wb_cka_rows_free(c);
    return wb_fail(err, WB_ENOMEM, "no memory for the states of %zu positions", room);
}

void wb_cka_rows_free(struct wb_cka_rows *c)
{
    free(c->first);
    free(c->kept);
    free(c->product);
    free(c->sum);
    free(c->wide);
    *c = (struct wb_cka_rows){ 0 };
}

static void sum_waiting(struct wb_cka_rows *c, struct wb_pool *pool)
{
    for (size_t i = 0; i < c->waiting * c->width; i++)
        c->sum[i % c->width] += c->wide[i];
    if (c->waiting > 0)
        wb_gram_add(pool, c->wide, c->waiting, c->width, c->product);
    c->waiting = 0;
}

void wb_cka_rows_add(struct wb_cka_rows *c, struct wb_pool *pool, const float *x, size_t stride)
{
    double *wide = c->kept == NULL ? c->wide + c->waiting * c->width : NULL;

    for (size_t s = 0; c->rows == 0 && s < c->states; s++)
        memcpy(c->first + s * c->hidden, x + s * stride, c->hidden * sizeof *x);
    for (size_t s = 0; c->kept != NULL && s < c->states; s++)
        memcpy(c->kept + c->rows * c->width + s * c->hidden, x + s * stride, c->hidden * sizeof *x);
    for (size_t i = 0; wide != NULL && i < c->width; i++)
        wide[i] = (double)x[i / c->hidden * stride + i % c->hidden] - (double)c->first[i];
    c->rows++;
    if (wide != NULL && ++c->waiting == WIDE_ROWS)
        sum_waiting(c, pool);
}

/* Squared norms of Xs^T Xt of the centred states, from the sums. */
static void products_of_sums(const struct wb_cka_rows *c, double *out)
{
    size_t rows = c->rows - c->waiting;

    for (size_t s = 0; s < c->states; s++)
        for (size_t t = s; t < c->states; t++) {
            double squares = 0;

            for (size_t i = 0; i < c->hidden; i++)
                for (size_t j = 0; j < c->hidden; j++) {
                    size_t a = s * c->hidden + i, b = t * c->hidden + j;
                    double xy = c->product[a <= b ? a * c->width + b : b * c->width + a] -
                                c->sum[a] / (double)rows * c->sum[b];

                    squares += xy * xy;
                }
            out[s * c->states + t] = squares;
        }
}

/* One pair of tiles of rows: the Gram tiles of all states, and their inner products. */
struct tiles {
    const struct wb_cka_rows *c;
    const double *mean; /* [width], of rows less the first */
    size_t count;       /* tiles of rows */
    double *scratch;    /* of each worker */
    size_t scratch_size;
    double *part; /* [tasks, states, states] */
};

static size_t tile_rows(const struct tiles *t, size_t tile)
{
    size_t left = t->c->rows - tile * TILE;

    return left < TILE ? left : TILE;
}

static void centre_tile(const struct tiles *t, size_t tile, size_t state, double *out)
{
    const struct wb_cka_rows *c = t->c;
    const float *first = c->first + state * c->hidden;
    const double *mean = t->mean + state * c->hidden;

    for (size_t r = 0; r < tile_rows(t, tile); r++) {
        const float *x = c->kept + (tile * TILE + r) * c->width + state * c->hidden;

        for (size_t i = 0; i < c->hidden; i++)
            out[r * c->hidden + i] = (double)x[i] - (double)first[i] - mean[i];
    }
}

/* Task k is the pair (a, b), b <= a, in order. */
static void pair_of(size_t k, size_t *a, size_t *b)
{
    for (*a = 0; k > *a; k -= ++*a)
        ;
    *b = k;
}

static void tile_task(void *ctx, size_t task, int worker)
{
    struct tiles *t = ctx;
    size_t d = t->c->hidden, states = t->c->states, a, b, cells;
    double *x = t->scratch + (size_t)worker * t->scratch_size, *y = x + TILE * d,
           *gram = y + TILE * d;

    pair_of(task, &a, &b);
    cells = tile_rows(t, a) * tile_rows(t, b);
    for (size_t s = 0; s < states; s++) {
        centre_tile(t, a, s, x);
        if (b != a)
            centre_tile(t, b, s, y);
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)tile_rows(t, a),
                    (int)tile_rows(t, b), (int)d, 1.0, x, (int)d, b != a ? y : x, (int)d, 0.0,
                    gram + s * cells, (int)tile_rows(t, b));
    }
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, (int)states, (int)cells,
                b != a ? 2.0 : 1.0, gram, (int)cells, 0.0, t->part + task * states * states,
                (int)states);
}

static void mean_of_kept(const struct wb_cka_rows *c, double *mean)
{
    memset(mean, 0, c->width * sizeof *mean);
    for (size_t r = 0; r < c->rows; r++)
        for (size_t i = 0; i < c->width; i++)
            mean[i] += (double)c->kept[r * c->width + i] - (double)c->first[i];
    for (size_t i = 0; i < c->width; i++)
        mean[i] /= (double)c->rows;
}

static bool products_of_rows(const struct wb_cka_rows *c, struct wb_pool *pool, double *out,
                             struct wb_err *err)
{
    size_t square = c->states * c->states, count = (c->rows + TILE - 1) / TILE;
    size_t tasks = count * (count + 1) / 2, threads = (size_t)wb_pool_threads(pool);
    double *mean = malloc(c->width * sizeof *mean);
    struct tiles t = { .c = c, .mean = mean, .count = count };
    bool ok;

    t.scratch_size = 2 * TILE * c->hidden + c->states * TILE * TILE;
    t.scratch = malloc(threads * t.scratch_size * sizeof *t.scratch);
    t.part = calloc(tasks * square, sizeof *t.part);
    ok = (mean != NULL && t.scratch != NULL && t.part != NULL) ||
         wb_fail(err, WB_ENOMEM, "no memory for Gram matrices of %zu rows", c->rows);
    if (ok) {
        mean_of_kept(c, mean);
        wb_pool_run(pool, tasks, tile_task, &t);
        memset(out, 0, square * sizeof *out);
        for (size_t k = 0; k < tasks; k++)
            for (size_t i = 0; i < square; i++)
                out[i] += t.part[k * square + i];
    }
    free(mean);
    free(t.scratch);
    free(t.part);
    return ok;
}

/* Products to CKA, upper triangle to both. */
static void products_to_cka(size_t states, double *m)
{
    for (size_t s = 0; s < states; s++)
        for (size_t t = s + 1; t < states; t++) {
            double xx = m[s * states + s], yy = m[t * states + t];

            m[s * states + t] = m[t * states + s] =
                xx > 0 && yy > 0 ? cka_of(m[s * states + t], xx, yy) : (double)NAN;
        }
    for (size_t s = 0; s < states; s++)
        m[s * states + s] = m[s * states + s] > 0 ? 1 : (double)NAN;
}

bool wb_cka_rows_get(struct wb_cka_rows *c, struct wb_pool *pool, bool last, double *out,
                     struct wb_err *err)
{
    if (last && c->kept == NULL)
        sum_waiting(c, pool);
    if (c->rows - c->waiting < 2) {
        for (size_t i = 0; i < c->states * c->states; i++)
            out[i] = (double)NAN;
        return true;
    }
    if (c->kept == NULL)
        products_of_sums(c, out);
    else if (!products_of_rows(c, pool, out, err))
        return false;
    products_to_cka(c->states, out);
    return true;
}
