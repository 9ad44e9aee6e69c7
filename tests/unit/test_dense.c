/* tests/unit/test_dense.c - decompositions put together again, small known cases, refusals,
 * assignment. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/graph/dense.h"
#include "tests/unit/near.h"

#define SIDE 48 /* the largest matrices here */
#define ROUNDS 40
/* Backward errors of LAPACK are a few n epsilon; entries are below 1, sums below SIDE. */
#define NEAR_F32 (100 * SIDE * 1.2e-7)
#define NEAR_F64 (100 * SIDE * 2.3e-16)

static uint64_t rng_state = 7;

static uint64_t rng(void)
{
    rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
    return rng_state >> 33;
}

struct mat {
    struct wb_mat m;
    _Alignas(64) unsigned char space[SIDE * SIDE * 8];
};

static struct wb_mat *mat(struct mat *s, enum wb_dtype dtype, size_t rows, size_t cols)
{
    assert_true(rows * cols <= SIDE * SIDE);
    memset(s->space, 0xFF, sizeof s->space); /* NaN: what is not written shows */
    s->m = (struct wb_mat){ .dtype = dtype, .rows = rows, .cols = cols, .data = s->space };
    return &s->m;
}

static double get(const struct wb_mat *a, size_t i, size_t j)
{
    size_t at = i * a->cols + j;

    return a->dtype == WB_DTYPE_F32 ? (double)((const float *)a->data)[at]
                                    : ((const double *)a->data)[at];
}

static void set(struct wb_mat *a, size_t i, size_t j, double value)
{
    size_t at = i * a->cols + j;

    if (a->dtype == WB_DTYPE_F32)
        ((float *)a->data)[at] = (float)value;
    else
        ((double *)a->data)[at] = value;
}

static struct wb_mat *mat_random(struct mat *s, enum wb_dtype dtype, size_t rows, size_t cols)
{
    struct wb_mat *m = mat(s, dtype, rows, cols);

    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            set(m, i, j, (double)rng() * 0x1p-30 - 1.0);
    return m;
}

static struct wb_mat *mat_of(struct mat *s, size_t rows, size_t cols, const double *values)
{
    struct wb_mat *m = mat(s, WB_DTYPE_F64, rows, cols);

    memcpy(m->data, values, rows * cols * sizeof *values);
    return m;
}

static double tolerance(const struct wb_mat *m)
{
    return m->dtype == WB_DTYPE_F32 ? NEAR_F32 : NEAR_F64;
}

/* Sum over k of a(i, k) b(k, j), either transposed on demand. */
static double product(const struct wb_mat *a, bool ta, const struct wb_mat *b, bool tb, size_t i,
                      size_t j)
{
    size_t n = ta ? a->rows : a->cols;
    double sum = 0;

    for (size_t k = 0; k < n; k++)
        sum += (ta ? get(a, k, i) : get(a, i, k)) * (tb ? get(b, j, k) : get(b, k, j));
    return sum;
}

static void assert_near(const struct wb_mat *like, double got, double want)
{
    assert_true(near_f64(1, &got, &want, tolerance(like)));
}

/* a^T a = 1 (columns), or a a^T = 1 (rows). */
static void assert_orthogonal(const struct wb_mat *a, bool columns)
{
    size_t n = columns ? a->cols : a->rows;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            assert_near(a, product(a, columns, a, !columns, i, j), i == j);
}

static struct mat sa, sb, sc, sd, se;

static void each_shape(void (*check)(enum wb_dtype dtype, size_t m, size_t n))
{
    for (int round = 0; round < ROUNDS; round++) {
        size_t m = 1 + rng() % SIDE, n = 1 + rng() % SIDE;

        check(round % 2 == 0 ? WB_DTYPE_F32 : WB_DTYPE_F64, m, n);
    }
    check(WB_DTYPE_F32, SIDE, SIDE);
    check(WB_DTYPE_F64, 1, 1);
}

static void check_matmul(enum wb_dtype dtype, size_t m, size_t n)
{
    size_t k = rng() % SIDE;
    const struct wb_mat *a = mat_random(&sa, dtype, m, k), *b = mat_random(&sb, dtype, k, n);
    struct wb_mat *c = mat(&sc, dtype, m, n);

    assert_true(wb_dense_matmul(a, b, c, NULL));
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            assert_near(c, get(c, i, j), product(a, false, b, false, i, j));
}

static void check_svd(enum wb_dtype dtype, size_t m, size_t n)
{
    size_t r = m < n ? m : n, keep = 1 + rng() % r;
    const struct wb_mat *a = mat_random(&sa, dtype, m, n);
    struct wb_mat *u = mat(&sb, dtype, m, r), *s = mat(&sc, dtype, 1, r),
                  *vt = mat(&sd, dtype, r, n);
    static struct mat before, su, ss, svt;
    struct wb_mat *ku = mat(&su, dtype, m, keep), *ks = mat(&ss, dtype, 1, keep);
    struct wb_mat *kvt = mat(&svt, dtype, keep, n);

    before = sa;
    assert_true(wb_dense_svd(a, u, s, vt, NULL));
    assert_memory_equal(before.space, sa.space, sizeof sa.space);
    assert_orthogonal(u, true);
    assert_orthogonal(vt, false);
    for (size_t k = 0; k + 1 < r; k++)
        assert_true(get(s, 0, k) >= get(s, 0, k + 1));
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0;

            for (size_t k = 0; k < r; k++)
                sum += get(u, i, k) * get(s, 0, k) * get(vt, k, j);
            assert_near(a, sum, get(a, i, j));
        }
    for (size_t k = 0; k < r; k++) {
        double largest = 0;

        for (size_t i = 0; i < m; i++)
            largest = fabs(get(u, i, k)) > fabs(largest) ? get(u, i, k) : largest;
        assert_true(largest > 0);
    }
    assert_true(wb_dense_svd(a, ku, ks, kvt, NULL)); /* truncated: the leading part of the same */
    for (size_t k = 0; k < keep; k++) {
        assert_true(get(ks, 0, k) == get(s, 0, k));
        for (size_t i = 0; i < m; i++)
            assert_true(get(ku, i, k) == get(u, i, k));
        for (size_t j = 0; j < n; j++)
            assert_true(get(kvt, k, j) == get(vt, k, j));
    }
}

static void check_qr(enum wb_dtype dtype, size_t m, size_t n)
{
    size_t r = m < n ? m : n;
    const struct wb_mat *a = mat_random(&sa, dtype, m, n);
    struct wb_mat *q = mat(&sb, dtype, m, r), *rr = mat(&sc, dtype, r, n);

    assert_true(wb_dense_qr(a, q, rr, NULL));
    assert_orthogonal(q, true);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            assert_near(a, product(q, false, rr, false, i, j), get(a, i, j));
    for (size_t i = 0; i < r; i++) {
        assert_true(get(rr, i, i) >= 0);
        for (size_t j = 0; j < i; j++)
            assert_true(get(rr, i, j) == 0);
    }
}

static void check_eigh(enum wb_dtype dtype, size_t m, size_t n)
{
    struct wb_mat *a = mat_random(&sa, dtype, n, n);
    struct wb_mat *values = mat(&sb, dtype, 1, n), *vectors = mat(&sc, dtype, n, n);

    (void)m;
    assert_true(wb_dense_eigh(a, values, vectors, NULL));
    for (size_t i = 0; i < n; i++) /* the upper triangle was not read */
        for (size_t j = i + 1; j < n; j++)
            set(a, i, j, get(a, j, i));
    assert_orthogonal(vectors, true);
    for (size_t k = 0; k < n; k++) {
        assert_true(k == 0 || get(values, 0, k - 1) <= get(values, 0, k));
        for (size_t i = 0; i < n; i++)
            assert_near(a, product(a, false, vectors, false, i, k),
                        get(values, 0, k) * get(vectors, i, k));
    }
}

/* Diagonally dominant: well conditioned. */
static struct wb_mat *mat_dominant(struct mat *s, enum wb_dtype dtype, size_t n)
{
    struct wb_mat *m = mat_random(s, dtype, n, n);

    for (size_t i = 0; i < n; i++)
        set(m, i, (i * 7 + 3) % n,
            (double)n + 1); /* off the diagonal, so that rows are exchanged */
    for (size_t i = 0; i < n; i++)
        if (n % 7 == 0)
            set(m, i, i, 2.0 * (double)n + 1);
    return m;
}

static void check_solve(enum wb_dtype dtype, size_t m, size_t n)
{
    size_t k = 1 + m % 5;
    const struct wb_mat *a = mat_dominant(&sa, dtype, n), *b = mat_random(&sb, dtype, n, k);
    struct wb_mat *x = mat(&sc, dtype, n, k), *inverse = mat(&sd, dtype, n, n);

    assert_true(wb_dense_solve(a, b, x, NULL));
    assert_true(wb_dense_inverse(a, inverse, NULL));
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < k; j++)
            assert_near(a, product(a, false, x, false, i, j), get(b, i, j));
        for (size_t j = 0; j < n; j++)
            assert_near(a, product(a, false, inverse, false, i, j), i == j);
    }
}

static void check_least_squares(enum wb_dtype dtype, size_t m, size_t n)
{
    size_t k = 1 + n % 4;
    const struct wb_mat *a = mat_random(&sa, dtype, m, n), *b = mat_random(&sb, dtype, m, k);
    struct wb_mat *x = mat(&sc, dtype, n, k), *small = mat(&sd, dtype, n, k),
                  *left = mat(&se, dtype, m, k);
    const double ridge = 0.5, far = 1e4; /* conditions of square random matrices reach 1e4 */

    /* normal equations: a^T (a x - b) + ridge x = 0 */
    assert_true(wb_dense_least_squares(a, b, ridge, x, NULL));
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < k; j++)
            set(left, i, j, product(a, false, x, false, i, j) - get(b, i, j));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < k; j++)
            assert_near(a, product(a, true, left, false, i, j) + ridge * get(x, i, j), 0);
    /* without: the limit of small ridges, which is the solution of least norm */
    if (dtype == WB_DTYPE_F32 || (m < n ? n - m : m - n) < 3)
        return;
    assert_true(wb_dense_least_squares(a, b, 0, x, NULL));
    assert_true(wb_dense_least_squares(a, b, 1e-9, small, NULL));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < k; j++)
            assert_true(fabs(get(x, i, j) - get(small, i, j)) < 1e-9 * far);
}

#define SHAPES(name)                      \
    static void test_##name(void **state) \
    {                                     \
        (void)state;                      \
        each_shape(check_##name);         \
    }

SHAPES(matmul)
SHAPES(svd)
SHAPES(qr)
SHAPES(eigh)
SHAPES(solve)
SHAPES(least_squares)

static void test_known(void **state)
{
    const double rank_one[] = { 3, 0, -4, 0, 0, 0 }, symmetric[] = { 2, 99, 1, 2 },
                 column[] = { -3, -4 };
    const double tall[] = { 1, 1, 1, 2, 1, 3 }, right[] = { 6, 0, 0 };
    struct wb_mat *u = mat(&sb, WB_DTYPE_F64, 3, 2), *s = mat(&sc, WB_DTYPE_F64, 1, 2);
    struct wb_mat *vt = mat(&sd, WB_DTYPE_F64, 2, 2), *x;

    (void)state;
    assert_true(wb_dense_svd(mat_of(&sa, 3, 2, rank_one), u, s, vt, NULL));
    assert_near(s, get(s, 0, 0), 5);
    assert_near(s, get(s, 0, 1), 0);
    assert_near(u, get(u, 0, 0), -0.6); /* the larger entry, of the second row, is positive */
    assert_near(u, get(u, 1, 0), 0.8);
    assert_near(vt, get(vt, 0, 0), -1);

    u = mat(&sb, WB_DTYPE_F64, 1, 2);
    vt = mat(&sc, WB_DTYPE_F64, 2, 2);
    assert_true(wb_dense_eigh(mat_of(&sa, 2, 2, symmetric), u, vt, NULL));
    assert_near(u, get(u, 0, 0), 1);
    assert_near(u, get(u, 0, 1), 3);
    assert_near(vt, fabs(get(vt, 0, 0)), sqrt(0.5));

    u = mat(&sb, WB_DTYPE_F64, 2, 1);
    s = mat(&sc, WB_DTYPE_F64, 1, 1);
    assert_true(wb_dense_qr(mat_of(&sa, 2, 1, column), u, s, NULL));
    assert_near(s, get(s, 0, 0), 5);
    assert_near(u, get(u, 1, 0), -0.8);

    x = mat(&sc, WB_DTYPE_F64, 2, 1);
    assert_true(
        wb_dense_least_squares(mat_of(&sa, 3, 2, tall), mat_of(&sb, 3, 1, right), 0, x, NULL));
    assert_near(x, get(x, 0, 0), 8);
    assert_near(x, get(x, 1, 0), -3);
}

static void assert_refused(bool ok, const struct wb_err *err, enum wb_code code)
{
    assert_false(ok);
    assert_int_equal(err->code, code);
    assert_true(strlen(err->msg) > 10);
}

static void test_singular(void **state)
{
    const double zero[] = { 1, 2, 2, 4 }, nearly[] = { 1, 1, 1, 1 + 3e-16 },
                 tiny[] = { 1, 1, 1, 1 + 5e-16 };
    const double right[] = { 1, 2 };
    struct wb_mat *x = mat(&sc, WB_DTYPE_F64, 2, 2), *y = mat(&sd, WB_DTYPE_F64, 2, 1);
    const struct wb_mat *b = mat_of(&sb, 2, 1, right);
    struct wb_err err;

    (void)state;
    assert_refused(wb_dense_inverse(mat_of(&sa, 2, 2, zero), x, &err), &err, WB_ENUMERIC);
    assert_refused(wb_dense_inverse(mat_of(&sa, 2, 2, nearly), x, &err), &err, WB_ENUMERIC);
    assert_refused(wb_dense_inverse(mat_of(&sa, 2, 2, tiny), x, &err), &err, WB_ENUMERIC);
    assert_refused(wb_dense_solve(mat_of(&sa, 2, 2, zero), b, y, &err), &err, WB_ENUMERIC);
    assert_true(
        wb_dense_least_squares(mat_of(&sa, 2, 2, zero), b, 0, y, &err)); /* the least of many */
    assert_near(y, get(y, 0, 0), 0.2);
    assert_near(y, get(y, 1, 0), 0.4);
    assert_true(wb_dense_least_squares(mat_of(&sa, 2, 2, zero), b, 1e-6, y, &err));
    assert_refused(wb_dense_least_squares(mat_of(&sa, 2, 2, zero), b, -1, y, &err), &err, WB_EARG);
    assert_refused(wb_dense_least_squares(mat_of(&sa, 2, 2, zero), b, (double)NAN, y, &err), &err,
                   WB_EARG);
}

static void test_nonfinite(void **state)
{
    const double bad[] = { 1, 0, 0, (double)INFINITY };
    struct wb_mat *s = mat(&sb, WB_DTYPE_F64, 1, 2), *x = mat(&sc, WB_DTYPE_F64, 2, 2);
    struct wb_mat *y = mat(&sd, WB_DTYPE_F64, 2, 2), *f;
    const struct wb_mat *a = mat_of(&sa, 2, 2, bad);
    struct wb_err err;

    (void)state;
    assert_refused(wb_dense_svd(a, x, s, y, &err), &err, WB_ENUMERIC);
    assert_non_null(strstr(err.msg, "(1, 1) is inf"));
    assert_refused(wb_dense_qr(a, x, y, &err), &err, WB_ENUMERIC);
    assert_refused(wb_dense_eigh(a, s, x, &err), &err, WB_ENUMERIC);
    assert_refused(wb_dense_inverse(a, x, &err), &err, WB_ENUMERIC);
    assert_refused(wb_dense_solve(a, a, x, &err), &err, WB_ENUMERIC);
    assert_refused(wb_dense_least_squares(a, a, 0, x, &err), &err, WB_ENUMERIC);
    assert_refused(wb_dense_assignment(a, s, &err), &err, WB_ENUMERIC);
    f = mat_random(&sa, WB_DTYPE_F32, 2, 2);
    set(f, 0, 1, (double)NAN);
    assert_refused(wb_dense_inverse(f, mat(&sb, WB_DTYPE_F32, 2, 2), &err), &err, WB_ENUMERIC);
}

static void test_shapes(void **state)
{
    struct wb_mat *a = mat_random(&sa, WB_DTYPE_F64, 2, 3),
                  *b = mat_random(&sb, WB_DTYPE_F32, 3, 2);
    struct wb_mat *c = mat(&sc, WB_DTYPE_F64, 2, 2), *empty;
    struct wb_err err;

    (void)state;
    assert_refused(wb_dense_matmul(a, b, c, &err), &err, WB_ESHAPE);
    assert_refused(wb_dense_matmul(a, a, c, &err), &err, WB_ESHAPE);
    assert_refused(wb_dense_inverse(a, c, &err), &err, WB_ESHAPE);
    a->dtype = WB_DTYPE_BF16;
    assert_refused(wb_dense_inverse(a, a, &err), &err, WB_ESHAPE);
    empty = mat(&sa, WB_DTYPE_F64, 0, 3);
    assert_true(
        wb_dense_qr(empty, mat(&sb, WB_DTYPE_F64, 0, 0), mat(&sd, WB_DTYPE_F64, 0, 3), &err));
    assert_true(wb_dense_least_squares(empty, mat(&sb, WB_DTYPE_F64, 0, 1), 0,
                                       mat(&sd, WB_DTYPE_F64, 3, 1), &err));
    assert_true(get(&sd.m, 2, 0) == 0);
    assert_true(
        wb_dense_matmul(mat(&sa, WB_DTYPE_F64, 2, 0), mat(&sb, WB_DTYPE_F64, 0, 2), c, &err));
    assert_true(get(c, 1, 1) == 0);
}

/* --- assignment ------------------------------------------------------------------------------ */

static double best_total(const struct wb_mat *w, size_t i, unsigned used)
{
    double best = -(double)INFINITY;

    if (i == w->rows)
        return 0;
    for (size_t j = 0; j < w->cols; j++)
        if ((used >> j & 1) == 0)
            best = fmax(best, get(w, i, j) + best_total(w, i + 1, used | 1u << j));
    return best;
}

static double assigned_total(const struct wb_mat *w, const struct wb_mat *column)
{
    uint64_t used = 0;
    double total = 0;

    for (size_t i = 0; i < w->rows; i++) {
        size_t j = (size_t)get(column, 0, i);

        assert_true(j < w->cols && (used >> j & 1) == 0);
        used |= 1ull << j;
        total += get(w, i, j);
    }
    return total;
}

static void test_assignment(void **state)
{
    (void)state;
    for (int round = 0; round < 400; round++) {
        size_t n = 1 + (size_t)round % 7;
        struct wb_mat *w = mat_random(&sa, round % 3 == 0 ? WB_DTYPE_F32 : WB_DTYPE_F64, n, n),
                      *column;

        if (round % 2 == 0) /* many ties */
            for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < n; j++)
                    set(w, i, j, (double)(rng() % 3));
        column = mat(&sb, w->dtype, 1, n);
        assert_true(wb_dense_assignment(w, column, NULL));
        assert_near(w, assigned_total(w, column), best_total(w, 0, 0));
    }
}

/* A hidden permutation, found; where the identity is as good, it is taken. */
static void test_assignment_permutation(void **state)
{
    size_t hidden[SIDE];
    struct wb_mat *w = mat_random(&sa, WB_DTYPE_F64, SIDE, SIDE),
                  *column = mat(&sb, WB_DTYPE_F64, 1, SIDE);

    (void)state;
    for (size_t i = 0; i < SIDE; i++)
        hidden[i] = i;
    for (size_t i = SIDE - 1; i > 0; i--) {
        size_t j = rng() % (i + 1), swap = hidden[i];

        hidden[i] = hidden[j];
        hidden[j] = swap;
    }
    for (size_t i = 0; i < SIDE; i++)
        set(w, i, hidden[i], 3);
    assert_true(wb_dense_assignment(w, column, NULL));
    for (size_t i = 0; i < SIDE; i++)
        assert_true(get(column, 0, i) == (double)hidden[i]);

    for (size_t i = 0; i < SIDE; i++) /* rank one: all permutations of equal rows are as good */
        for (size_t j = 0; j < SIDE; j++)
            set(w, i, j, sin((double)j));
    assert_true(wb_dense_assignment(w, column, NULL));
    for (size_t i = 0; i < SIDE; i++)
        assert_true(get(column, 0, i) == (double)i);
}

static void test_start(void **state)
{
    (void)state;
    setenv("OPENBLAS_CORETYPE", "Haswell", 0); /* set: no restart, whatever processor this is */
    wb_dense_start((char *[]){ NULL });
    assert_true(strlen(wb_dense_core()) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_matmul),
        cmocka_unit_test(test_svd),
        cmocka_unit_test(test_qr),
        cmocka_unit_test(test_eigh),
        cmocka_unit_test(test_solve),
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_least_squares),
        cmocka_unit_test(test_singular),
        cmocka_unit_test(test_nonfinite),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_assignment),
        cmocka_unit_test(test_assignment_permutation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
