/* app/graph/dense.c - LAPACK on row-major matrices.
 *
 * LAPACK is column-major, so it sees the transpose of what lies in memory. Instead of transposing,
 * each function asks for the decomposition of the transpose that has the wanted factors in it:
 * A = U S V^T is A^T = V S U^T, A = Q R is A^T = R^T Q^T (an LQ), and so on. */
#include "app/graph/dense.h"

#include <cblas.h>
#include <lapacke.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/graph/dense_impl.h"
#include "app/tensor/kernels.h"

/* --- start ------------------------------------------------------------------------------------ */

#if defined(__x86_64__)
static bool is_one_of(const char *core, const char *const *names)
{
    while (*names != NULL && strcmp(*names, core) != 0)
        names++;
    return *names != NULL;
}

/* OpenBLAS 0.3.21 goes by family and model numbers and takes what it does not know for something
 * older: AMD with AVX-512 for Haswell or Zen, Emerald Rapids for Prescott, which has SSE3 alone. */
static const char *better_core(void)
{
    static const char *const avx512[] = { "SkylakeX", "Cooperlake", "SapphireRapids", NULL };
    static const char *const avx2[] = { "Haswell", "Zen", NULL };
    const char *core = openblas_get_corename();

    if (is_one_of(core, avx512))
        return NULL;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return "SkylakeX";
    if (is_one_of(core, avx2))
        return NULL;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? "Haswell" : NULL;
}
#else
static const char *better_core(void)
{
    return NULL;
}
#endif

void wb_dense_start(char **argv)
{
    const char *core = getenv("OPENBLAS_CORETYPE") == NULL ? better_core() : NULL;
    bool alone = getenv("OPENBLAS_NUM_THREADS") != NULL;

    openblas_set_num_threads(1);
    if (argv == NULL || (core == NULL && alone))
        return;
    if ((core == NULL || setenv("OPENBLAS_CORETYPE", core, 1) == 0) &&
        (alone || setenv("OPENBLAS_NUM_THREADS", "1", 1) == 0))
        execv("/proc/self/exe", argv); /* the variables are read when the library loads */
    if (core != NULL)                  /* no such file: go on, slower */
        unsetenv("OPENBLAS_CORETYPE");
    if (!alone)
        unsetenv("OPENBLAS_NUM_THREADS");
}

const char *wb_dense_core(void)
{
    return openblas_get_corename();
}

/* --- what all of them need -------------------------------------------------------------------- */

bool wb_mat_new(struct wb_mat *m, enum wb_dtype dtype, size_t rows, size_t cols, struct wb_err *err)
{
    *m = (struct wb_mat){ .dtype = dtype, .rows = rows, .cols = cols };
    m->data = calloc(rows * cols == 0 ? 1 : rows * cols, item_size(m));
    if (m->data == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a %zu x %zu matrix", rows, cols);
    return true;
}

bool wb_mat_copy(struct wb_mat *m, const struct wb_mat *a, struct wb_err *err)
{
    if (!wb_mat_new(m, a->dtype, a->rows, a->cols, err))
        return false;
    memcpy(m->data, a->data, mat_bytes(a));
    return true;
}

bool wb_mat_check_shape(const struct wb_mat *m, const struct wb_mat *like, const char *name,
                        size_t rows, size_t cols, struct wb_err *err)
{
    if (m->dtype != WB_DTYPE_F32 && m->dtype != WB_DTYPE_F64)
        return wb_fail(err, WB_ESHAPE, "%s is %s: dense algebra takes F32 and F64", name,
                       wb_dtype_name(m->dtype));
    if (m->dtype != like->dtype)
        return wb_fail(err, WB_ESHAPE, "%s is %s where the other operand is %s", name,
                       wb_dtype_name(m->dtype), wb_dtype_name(like->dtype));
    if (m->rows != rows || m->cols != cols)
        return wb_fail(err, WB_ESHAPE, "%s is %zu x %zu, not %zu x %zu", name, m->rows, m->cols,
                       rows, cols);
    if (rows > INT_MAX || cols > INT_MAX)
        return wb_fail(err, WB_ESHAPE, "%s is %zu x %zu: too large for LAPACK", name, rows, cols);
    return true;
}

bool wb_mat_check_finite(const struct wb_mat *a, const char *name, struct wb_err *err)
{
    size_t n = a->rows * a->cols, i = 0;

    if (is_f32(a))
        i = wb_kernels()->first_nonfinite(n, a->data);
    else
        while (i < n && isfinite(((const double *)a->data)[i]))
            i++;
    if (i < n)
        return wb_fail(err, WB_ENUMERIC, "%s (%zu, %zu) is %g: all entries must be finite", name,
                       i / a->cols, i % a->cols, get(a, i));
    return true;
}

bool wb_lapack_check(lapack_int info, const char *routine, const char *positive, struct wb_err *err)
{
    if (info == 0)
        return true;
    if (info == LAPACK_WORK_MEMORY_ERROR || info == LAPACK_TRANSPOSE_MEMORY_ERROR)
        return wb_fail(err, WB_ENOMEM, "no memory for the workspace of %s", routine);
    if (info < 0)
        return wb_fail(err, WB_ESHAPE, "%s refuses its argument %d: the matrix is too large",
                       routine, -(int)info);
    return wb_fail(err, WB_ENUMERIC, "%s: %s (info %d)", routine, positive, (int)info);
}

/* --- products --------------------------------------------------------------------------------- */

bool wb_dense_matmul(const struct wb_mat *a, const struct wb_mat *b, struct wb_mat *c,
                     struct wb_err *err)
{
    int m = (int)a->rows, k = (int)a->cols, n = (int)b->cols;

    if (!wb_mat_check_shape(a, a, "a", a->rows, a->cols, err) ||
        !wb_mat_check_shape(b, a, "b", a->cols, b->cols, err) ||
        !wb_mat_check_shape(c, a, "c", a->rows, b->cols, err))
        return false;
    if (m == 0 || n == 0)
        return true;
    if (k == 0)
        memset(c->data, 0, mat_bytes(c));
    else if (is_f32(a))
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1.0f, a->data, k, b->data,
                    n, 0.0f, c->data, n);
    else
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1.0, a->data, k, b->data, n,
                    0.0, c->data, n);
    return true;
}

/* --- singular values -------------------------------------------------------------------------- */

static void copy_items(struct wb_mat *to, size_t i, const struct wb_mat *from, size_t j, size_t n)
{
    size_t size = item_size(to);

    memcpy((char *)to->data + i * size, (const char *)from->data + j * size, n * size);
}

/* Of a vector with elements `stride` apart: whether the largest magnitude, the first if there are
 * several, is negative. */
static bool mostly_negative(const struct wb_mat *m, size_t start, size_t n, size_t stride)
{
    double largest = 0;

    for (size_t i = 0; i < n; i++) {
        double v = get(m, start + i * stride);

        if (fabs(v) > fabs(largest))
            largest = v;
    }
    return largest < 0;
}

static void negate(struct wb_mat *m, size_t start, size_t n, size_t stride)
{
    for (size_t i = 0; i < n; i++)
        set(m, start + i * stride, -get(m, start + i * stride));
}

/* a^T (cols x rows in LAPACK's eyes) = v s u^T, into full economy factors. Destroys a. */
static lapack_int svd_divide(struct wb_mat *a, struct wb_mat *u, struct wb_mat *s,
                             struct wb_mat *vt)
{
    lapack_int m = (lapack_int)a->cols, n = (lapack_int)a->rows,
               r = (lapack_int)smaller(a->rows, a->cols);

    if (is_f32(a))
        return LAPACKE_sgesdd(LAPACK_COL_MAJOR, 'S', m, n, a->data, m, s->data, vt->data, m,
                              u->data, r);
    return LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'S', m, n, a->data, m, s->data, vt->data, m, u->data,
                          r);
}

static lapack_int svd_iterate(struct wb_mat *a, struct wb_mat *u, struct wb_mat *s,
                              struct wb_mat *vt, void *spare)
{
    lapack_int m = (lapack_int)a->cols, n = (lapack_int)a->rows,
               r = (lapack_int)smaller(a->rows, a->cols);

    if (is_f32(a))
        return LAPACKE_sgesvd(LAPACK_COL_MAJOR, 'S', 'S', m, n, a->data, m, s->data, vt->data, m,
                              u->data, r, spare);
    return LAPACKE_dgesvd(LAPACK_COL_MAJOR, 'S', 'S', m, n, a->data, m, s->data, vt->data, m,
                          u->data, r, spare);
}

static bool svd_full(const struct wb_mat *a, struct wb_mat *u, struct wb_mat *s, struct wb_mat *vt,
                     struct wb_err *err)
{
    struct wb_mat work, spare = { .data = NULL };
    bool ok = wb_mat_copy(&work, a, err) && wb_mat_new(&spare, a->dtype, 1, s->cols, err);
    lapack_int info;

    if (ok) {
        info = svd_divide(&work, u, s, vt);
        if (info > 0) {
            memcpy(work.data, a->data, mat_bytes(a));
            info = svd_iterate(&work, u, s, vt, spare.data);
        }
        ok = wb_lapack_check(info, "gesvd", "the singular values do not converge", err);
    }
    free(work.data);
    free(spare.data);
    return ok;
}

bool wb_dense_svd(const struct wb_mat *a, struct wb_mat *u, struct wb_mat *s, struct wb_mat *vt,
                  struct wb_err *err)
{
    size_t r = smaller(a->rows, a->cols), keep = s->cols;
    struct wb_mat fu = *u, fs = *s,
                  fvt = *vt; /* of full rank: the outputs themselves when keep == r */
    bool ok = true;

    if (!wb_mat_check_shape(a, a, "a", a->rows, a->cols, err) ||
        !wb_mat_check_shape(s, a, "s", 1, smaller(keep, r), err) ||
        !wb_mat_check_shape(u, a, "u", a->rows, keep, err) ||
        !wb_mat_check_shape(vt, a, "vt", keep, a->cols, err) || !wb_mat_check_finite(a, "a", err))
        return false;
    if (keep == 0)
        return true;
    if (keep < r) {
        fu.data = fs.data = fvt.data = NULL;
        ok = wb_mat_new(&fu, a->dtype, a->rows, r, err) && wb_mat_new(&fs, a->dtype, 1, r, err) &&
             wb_mat_new(&fvt, a->dtype, r, a->cols, err);
    }
    ok = ok && svd_full(a, &fu, &fs, &fvt, err);
    if (ok && keep < r) {
        for (size_t i = 0; i < a->rows; i++)
            copy_items(u, i * keep, &fu, i * r, keep);
        copy_items(s, 0, &fs, 0, keep);
        copy_items(vt, 0, &fvt, 0, keep * a->cols);
    }
    for (size_t j = 0; ok && j < keep; j++)
        if (mostly_negative(u, j, u->rows, keep)) {
            negate(u, j, u->rows, keep);
            negate(vt, j * vt->cols, vt->cols, 1);
        }
    if (keep < r) {
        free(fu.data);
        free(fs.data);
        free(fvt.data);
    }
    return ok;
}

/* --- QR --------------------------------------------------------------------------------------- */

/* a^T = l q: l below the diagonal of LAPACK's view is r above that of ours. */
static bool lq_factor(struct wb_mat *a, void *tau, struct wb_err *err)
{
    lapack_int m = (lapack_int)a->cols, n = (lapack_int)a->rows;
    lapack_int info = is_f32(a) ? LAPACKE_sgelqf(LAPACK_COL_MAJOR, m, n, a->data, m, tau)
                                : LAPACKE_dgelqf(LAPACK_COL_MAJOR, m, n, a->data, m, tau);

    return wb_lapack_check(info, "gelqf", "failed", err);
}

static bool lq_expand(struct wb_mat *q, void *tau, struct wb_err *err)
{
    lapack_int r = (lapack_int)q->cols, n = (lapack_int)q->rows;
    lapack_int info = is_f32(q) ? LAPACKE_sorglq(LAPACK_COL_MAJOR, r, n, r, q->data, r, tau)
                                : LAPACKE_dorglq(LAPACK_COL_MAJOR, r, n, r, q->data, r, tau);

    return wb_lapack_check(info, "orglq", "failed", err);
}

bool wb_dense_qr(const struct wb_mat *a, struct wb_mat *q, struct wb_mat *rr, struct wb_err *err)
{
    size_t m = a->rows, n = a->cols, r = smaller(m, n);
    struct wb_mat tau, *work = m >= n ? q : rr; /* the output of a's own shape */
    bool ok;

    if (!wb_mat_check_shape(a, a, "a", m, n, err) || !wb_mat_check_shape(q, a, "q", m, r, err) ||
        !wb_mat_check_shape(rr, a, "r", r, n, err) || !wb_mat_check_finite(a, "a", err))
        return false;
    if (r == 0)
        return true;
    if (!wb_mat_new(&tau, a->dtype, 1, r, err))
        return false;
    memcpy(work->data, a->data, mat_bytes(a));
    ok = lq_factor(work, tau.data, err);
    if (ok) {
        for (size_t i = 0; work == q && i < r; i++)
            copy_items(rr, i * n, q, i * n, n);
        for (size_t i = 0; work == rr && i < m; i++)
            copy_items(q, i * r, rr, i * n, r);
        for (size_t i = 0; i < r; i++)
            memset((char *)rr->data + i * n * item_size(rr), 0, i * item_size(rr));
        ok = lq_expand(q, tau.data, err);
    }
    for (size_t i = 0; ok && i < r; i++)
        if (get(rr, i * n + i) < 0) {
            negate(rr, i * n + i, n - i, 1);
            negate(q, i, m, r);
        }
    free(tau.data);
    return ok;
}

/* --- symmetric eigenvalues -------------------------------------------------------------------- */

bool wb_dense_eigh(const struct wb_mat *a, struct wb_mat *values, struct wb_mat *vectors,
                   struct wb_err *err)
{
    size_t n = a->rows;
    lapack_int order = (lapack_int)n, info;

    if (!wb_mat_check_shape(a, a, "a", n, n, err) ||
        !wb_mat_check_shape(values, a, "values", 1, n, err) ||
        !wb_mat_check_shape(vectors, a, "vectors", n, n, err) || !wb_mat_check_finite(a, "a", err))
        return false;
    if (n == 0)
        return true;
    memcpy(vectors->data, a->data, mat_bytes(a));
    info =
        is_f32(a)
            ? LAPACKE_ssyevd(LAPACK_COL_MAJOR, 'V', 'U', order, vectors->data, order, values->data)
            : LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'U', order, vectors->data, order, values->data);
    if (!wb_lapack_check(info, "syevd", "the eigenvalues do not converge", err))
        return false;
    for (size_t i = 0; i < n; i++) /* the vectors are rows of our view */
        if (mostly_negative(vectors, i * n, n, 1))
            negate(vectors, i * n, n, 1);
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++) {
            double upper = get(vectors, i * n + j);

            set(vectors, i * n + j, get(vectors, j * n + i));
            set(vectors, j * n + i, upper);
        }
    return true;
}
