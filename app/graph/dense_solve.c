/* app/graph/dense_solve.c - inverses, systems of equations, least squares. */
#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/graph/dense.h"
#include "app/graph/dense_impl.h"

/* lu = the factors of the transpose of lu; singular when 1 / condition < epsilon of the dtype. */
static bool lu_factor(struct wb_mat *lu, lapack_int *pivots, struct wb_err *err)
{
    lapack_int n = (lapack_int)lu->rows, info;
    double norm, rcond = 0, epsilon = is_f32(lu) ? (double)FLT_EPSILON : DBL_EPSILON;
    float rcond_f32 = 0;

    if (is_f32(lu)) {
        norm = (double)LAPACKE_slange(LAPACK_COL_MAJOR, '1', n, n, lu->data, n);
        info = LAPACKE_sgetrf(LAPACK_COL_MAJOR, n, n, lu->data, n, pivots);
    } else {
        norm = LAPACKE_dlange(LAPACK_COL_MAJOR, '1', n, n, lu->data, n);
        info = LAPACKE_dgetrf(LAPACK_COL_MAJOR, n, n, lu->data, n, pivots);
    }
    if (!wb_lapack_check(info, "getrf", "the matrix is singular", err))
        return false;
    if (is_f32(lu)) {
        info = LAPACKE_sgecon(LAPACK_COL_MAJOR, '1', n, lu->data, n, (float)norm, &rcond_f32);
        rcond = (double)rcond_f32;
    } else {
        info = LAPACKE_dgecon(LAPACK_COL_MAJOR, '1', n, lu->data, n, norm, &rcond);
    }
    if (!wb_lapack_check(info, "gecon", "failed", err))
        return false;
    if (!(rcond >= epsilon))
        return wb_fail(err, WB_ENUMERIC,
                       "the matrix is singular to working precision: 1/condition %.3g below %.3g",
                       rcond, epsilon);
    return true;
}

static bool pivots_new(lapack_int **pivots, size_t n, struct wb_err *err)
{
    *pivots = calloc(n, sizeof **pivots);
    if (*pivots == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu pivots", n);
    return true;
}

bool wb_dense_inverse(const struct wb_mat *a, struct wb_mat *out, struct wb_err *err)
{
    size_t n = a->rows;
    lapack_int order = (lapack_int)n, info;
    lapack_int *pivots;
    bool ok;

    if (!wb_mat_check_shape(a, a, "a", n, n, err) ||
        !wb_mat_check_shape(out, a, "out", n, n, err) || !wb_mat_check_finite(a, "a", err))
        return false;
    if (n == 0)
        return true;
    if (!pivots_new(&pivots, n, err))
        return false;
    memcpy(out->data, a->data, mat_bytes(a));
    ok = lu_factor(out, pivots, err);
    if (ok) {
        info = is_f32(a) ? LAPACKE_sgetri(LAPACK_COL_MAJOR, order, out->data, order, pivots)
                         : LAPACKE_dgetri(LAPACK_COL_MAJOR, order, out->data, order, pivots);
        ok = wb_lapack_check(info, "getri", "the matrix is singular", err);
    }
    free(pivots);
    return ok;
}

/* x = t^-1 x for a triangle t (n, n) of our view. */
static void triangle_solve(const struct wb_mat *t, struct wb_mat *x, CBLAS_UPLO part,
                           CBLAS_TRANSPOSE trans, CBLAS_DIAG diagonal)
{
    int n = (int)t->rows, m = (int)x->cols;

    if (is_f32(t))
        cblas_strsm(CblasRowMajor, CblasLeft, part, trans, diagonal, n, m, 1.0f, t->data, n,
                    x->data, m);
    else
        cblas_dtrsm(CblasRowMajor, CblasLeft, part, trans, diagonal, n, m, 1.0, t->data, n, x->data,
                    m);
}

static void swap_rows(struct wb_mat *x, size_t i, size_t j)
{
    for (size_t c = 0; i != j && c < x->cols; c++) {
        double v = get(x, i * x->cols + c);

        set(x, i * x->cols + c, get(x, j * x->cols + c));
        set(x, j * x->cols + c, v);
    }
}

/* LAPACK finds a^T = P L U, so a = U^T L^T P^T: in our view a lower triangle, then a unit upper
 * one, and the row exchanges backwards. b need not be transposed. */
bool wb_dense_solve(const struct wb_mat *a, const struct wb_mat *b, struct wb_mat *x,
                    struct wb_err *err)
{
    size_t n = a->rows;
    struct wb_mat lu = { .data = NULL };
    lapack_int *pivots;
    bool ok;

    if (!wb_mat_check_shape(a, a, "a", n, n, err) ||
        !wb_mat_check_shape(b, a, "b", n, b->cols, err) ||
        !wb_mat_check_shape(x, a, "x", n, b->cols, err) || !wb_mat_check_finite(a, "a", err) ||
        !wb_mat_check_finite(b, "b", err))
        return false;
    if (n == 0)
        return true;
    ok = pivots_new(&pivots, n, err) && wb_mat_copy(&lu, a, err) && lu_factor(&lu, pivots, err);
    if (ok && x->cols > 0) {
        memcpy(x->data, b->data, mat_bytes(b));
        triangle_solve(&lu, x, CblasLower, CblasNoTrans, CblasNonUnit);
        triangle_solve(&lu, x, CblasUpper, CblasNoTrans, CblasUnit);
        for (size_t i = n; i-- > 0;)
            swap_rows(x, i, (size_t)pivots[i] - 1);
    }
    free(pivots);
    free(lu.data);
    return ok;
}

/* to (cols, rows) = transpose of from; the leading dimension of `to` may be larger. Any dtypes. */
static void transpose(const struct wb_mat *from, struct wb_mat *to, size_t to_stride)
{
    for (size_t i = 0; i < from->rows; i++)
        for (size_t j = 0; j < from->cols; j++)
            set(to, j * to_stride + i, get(from, i * from->cols + j));
}

/* Singular values below max(m, n) epsilon of the largest count as zero. */
static bool minimum_norm(const struct wb_mat *a, const struct wb_mat *b, struct wb_mat *x,
                         struct wb_err *err)
{
    size_t m = a->rows, n = a->cols, k = b->cols, longer = m > n ? m : n;
    double epsilon = (double)longer * (is_f32(a) ? (double)FLT_EPSILON : DBL_EPSILON);
    struct wb_mat at = { .data = NULL }, bt = { .data = NULL }, s = { .data = NULL };
    lapack_int rank, info;
    bool ok = wb_mat_new(&at, a->dtype, n, m, err) && wb_mat_new(&bt, a->dtype, k, longer, err) &&
              wb_mat_new(&s, a->dtype, 1, smaller(m, n), err);

    if (ok) {
        transpose(a, &at, m);
        transpose(b, &bt, longer);
        if (is_f32(a))
            info = LAPACKE_sgelsd(LAPACK_COL_MAJOR, (lapack_int)m, (lapack_int)n, (lapack_int)k,
                                  at.data, (lapack_int)m, bt.data, (lapack_int)longer, s.data,
                                  (float)epsilon, &rank);
        else
            info = LAPACKE_dgelsd(LAPACK_COL_MAJOR, (lapack_int)m, (lapack_int)n, (lapack_int)k,
                                  at.data, (lapack_int)m, bt.data, (lapack_int)longer, s.data,
                                  epsilon, &rank);
        ok = wb_lapack_check(info, "gelsd", "the singular values do not converge", err);
    }
    for (size_t j = 0; ok && j < k; j++)
        for (size_t i = 0; i < n; i++)
            set(x, i * k + j, get(&bt, j * longer + i));
    free(at.data);
    free(bt.data);
    free(s.data);
    return ok;
}

static bool to_double(struct wb_mat *m, const struct wb_mat *a, struct wb_err *err)
{
    if (!wb_mat_new(m, WB_DTYPE_F64, a->rows, a->cols, err))
        return false;
    for (size_t i = 0; i < a->rows * a->cols; i++)
        set(m, i, get(a, i));
    return true;
}

/* (a^T a + ridge) x = a^T b, in double. */
static bool ridge_solve(const struct wb_mat *a, const struct wb_mat *b, double ridge,
                        struct wb_mat *x, struct wb_err *err)
{
    int m = (int)a->rows, n = (int)a->cols, k = (int)b->cols;
    struct wb_mat da = { .data = NULL }, db = { .data = NULL }, gram = { .data = NULL },
                  dx = { .data = NULL };
    bool ok = to_double(&da, a, err) && to_double(&db, b, err) &&
              wb_mat_new(&gram, WB_DTYPE_F64, a->cols, a->cols, err) &&
              wb_mat_new(&dx, WB_DTYPE_F64, a->cols, b->cols, err);

    if (ok) {
        cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, n, m, 1.0, da.data, n, 0.0, gram.data,
                    n);
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n, k, m, 1.0, da.data, n, db.data, k,
                    0.0, dx.data, k);
        for (size_t i = 0; i < a->cols; i++)
            set(&gram, i * a->cols + i, get(&gram, i * a->cols + i) + ridge);
        ok = wb_lapack_check(LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'U', n, gram.data, n), "potrf",
                             "a^T a + ridge is not positive definite: the ridge is too small", err);
    }
    if (ok) {
        triangle_solve(&gram, &dx, CblasLower, CblasNoTrans, CblasNonUnit);
        triangle_solve(&gram, &dx, CblasLower, CblasTrans, CblasNonUnit);
        for (size_t i = 0; i < a->cols * b->cols; i++)
            set(x, i, get(&dx, i));
    }
    free(da.data);
    free(db.data);
    free(gram.data);
    free(dx.data);
    return ok;
}

bool wb_dense_least_squares(const struct wb_mat *a, const struct wb_mat *b, double ridge,
                            struct wb_mat *x, struct wb_err *err)
{
    if (!wb_mat_check_shape(a, a, "a", a->rows, a->cols, err) ||
        !wb_mat_check_shape(b, a, "b", a->rows, b->cols, err) ||
        !wb_mat_check_shape(x, a, "x", a->cols, b->cols, err) ||
        !wb_mat_check_finite(a, "a", err) || !wb_mat_check_finite(b, "b", err))
        return false;
    if (!(ridge >= 0) || !isfinite(ridge))
        return wb_fail(err, WB_EARG, "ridge %g: must be finite and not negative", ridge);
    if (a->cols == 0 || b->cols == 0)
        return true;
    if (a->rows == 0) {
        memset(x->data, 0, mat_bytes(x));
        return true;
    }
    return ridge > 0 ? ridge_solve(a, b, ridge, x, err) : minimum_norm(a, b, x, err);
}
