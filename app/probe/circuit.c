/* app/probe/circuit.c - small matrices only. */
#include "app/probe/circuit.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>

#include "app/graph/dense.h"

void wb_circuit_products(size_t r, size_t s, size_t d, const double *a, const double *b,
                         double *out)
{
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)r, (int)s, (int)d, 1.0, a, (int)d, b,
                (int)d, 0.0, out, (int)s);
}

void wb_circuit_through(size_t r, size_t d, size_t n, const double *a, const double *m, double *out)
{
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)r, (int)n, (int)d, 1.0, a, (int)d,
                m, (int)n, 0.0, out, (int)n);
}

/* sum of a[i] b[i] */
static double inner(size_t n, const double *a, const double *b)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* sqrt that takes what rounding left below 0 for 0, and keeps NaN. */
static double root(double x)
{
    return x < 0 ? 0 : sqrt(x);
}

double wb_circuit_norm(size_t r, const double *aa, const double *bb)
{
    return root(inner(r * r, aa, bb)); /* tr(aa bb), both symmetric */
}

static void multiply(size_t r, const double *a, const double *b, double *out)
{
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)r, (int)r, (int)r, 1.0, a, (int)r,
                b, (int)r, 0.0, out, (int)r);
}

bool wb_circuit_spectral(size_t r, const double *aa, const double *bb, double *out,
                         struct wb_err *err)
{
    double *x = malloc((3 * r * r + r) * sizeof *x);
    struct wb_mat a = { WB_DTYPE_F64, r, r, x }, values = { WB_DTYPE_F64, 1, r, NULL },
                  vectors = { WB_DTYPE_F64, r, r, NULL };
    double *y, *z, *value;
    bool ok;

    if (x == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a matrix of %zu columns", r);
    vectors.data = y = x + r * r;
    z = y + r * r;
    values.data = value = z + r * r;
    cblas_dcopy((int)(r * r), aa, 1, x, 1);
    ok = wb_dense_eigh(&a, &values, &vectors, err);
    for (size_t i = 0; ok && i < r * r; i++) /* y = root of aa, times its eigenvectors */
        y[i] *= root(value[i % r]);
    if (ok) { /* y' bb y has the eigenvalues */
        multiply(r, bb, y, z);
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)r, (int)r, (int)r, 1.0, y, (int)r,
                    z, (int)r, 0.0, x, (int)r);
        ok = wb_dense_eigh(&a, &values, &vectors, err);
    }
    if (ok)
        *out = root(value[r - 1]);
    free(x);
    return ok;
}

double wb_circuit_symmetric(size_t r, const double *aa, const double *bb, const double *ba)
{
    double squares = inner(r * r, aa, bb), crossed = 0; /* |C|^2, tr(C C) = tr(ba ba) */

    for (size_t i = 0; i < r; i++)
        for (size_t j = 0; j < r; j++)
            crossed += ba[i * r + j] * ba[j * r + i];
    return (squares + crossed) / 2 / squares;
}

static bool all_finite(size_t n, const double *x)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

bool wb_circuit_copying(size_t r, double *m, double *out, struct wb_err *err)
{
    double *re = malloc(2 * r * sizeof *re), *im, sum = 0, size = 0;
    lapack_int info;

    if (re == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu eigenvalues", r);
    im = re + r;
    if (!all_finite(r * r, m)) {
        free(re);
        return wb_fail(err, WB_ENUMERIC, "eigenvalues of a matrix that is not finite");
    }
    info = LAPACKE_dgeev(LAPACK_COL_MAJOR, 'N', 'N', (lapack_int)r, m, (lapack_int)r, re, im, NULL,
                         1, NULL, 1); /* of the transpose: the same */
    for (size_t i = 0; info == 0 && i < r; i++) {
        sum += re[i];
        size += hypot(re[i], im[i]);
    }
    free(re);
    if (info != 0)
        return wb_fail(err, WB_ENUMERIC, "eigenvalues were not found (geev: %d)", (int)info);
    *out = size > 0 ? sum / size : (double)NAN;
    return true;
}

double wb_circuit_composed(size_t r, size_t s, const double *aa, const double *bc, const double *dd,
                           double *scratch)
{
    double *left = scratch, *right = scratch + r * s;

    /* tr(aa bc dd bc') */
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)r, (int)s, (int)r, 1.0, aa, (int)r,
                bc, (int)s, 0.0, left, (int)s);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)r, (int)s, (int)s, 1.0, bc, (int)s,
                dd, (int)s, 0.0, right, (int)s);
    return root(inner(r * s, left, right));
}

double wb_circuit_alike(size_t r, const double *aa, const double *ab, const double *bb)
{
    return inner(r * r, ab, ab) / (root(inner(r * r, aa, aa)) * root(inner(r * r, bb, bb)));
}
