/* app/graph/dense.h - dense linear algebra on whole matrices (OpenBLAS and LAPACK), as pure
 * functions.
 *
 * Matrices are row-major, all operands of one call have the same dtype (F32 or F64), outputs are
 * the caller's and already have the right shape. Inputs are never changed. BLAS runs on the
 * calling thread alone (wb_dense_start), so results do not depend on how many threads call. */
#ifndef WB_GRAPH_DENSE_H
#define WB_GRAPH_DENSE_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/err.h"
#include "app/tensor/dtype.h"

struct wb_mat {
    enum wb_dtype dtype; /* WB_DTYPE_F32 or WB_DTYPE_F64 */
    size_t rows, cols;
    void *data; /* rows * cols elements */
};

/* Once at the start of the program: BLAS to one thread. On a processor that OpenBLAS 0.3.21 takes
 * for an older one (it has AVX-512 and its core type has not, or AVX2 likewise), sets
 * OPENBLAS_CORETYPE; has OPENBLAS_NUM_THREADS be 1, or threads that will never work are made as the
 * library loads, and look for work at first; and starts the program again with argv. Values that the
 * user set are respected. Returns when nothing needs to be done, or argv is NULL. */
void wb_dense_start(char **argv);
/* OpenBLAS' name of the core it computes for ("SkylakeX"): bits of dense results hold per core
 * type. */
const char *wb_dense_core(void);

/* c = a b. */
bool wb_dense_matmul(const struct wb_mat *a, const struct wb_mat *b, struct wb_mat *c,
                     struct wb_err *err);
/* Economy SVD of a (m, n), r = min(m, n) or fewer: u (m, r), s (1, r) descending, vt (r, n), a ~
 * u diag(s) vt. Signs are fixed: the entry of largest magnitude in each column of u is positive
 * (first such entry). LAPACK gesdd, with gesvd when gesdd does not converge. WB_ENUMERIC when
 * neither does or an entry is not finite. */
bool wb_dense_svd(const struct wb_mat *a, struct wb_mat *u, struct wb_mat *s, struct wb_mat *vt,
                  struct wb_err *err);
/* a (m, n) with r = min(m, n): q (m, r), upper triangular rr (r, n); diagonal of rr >= 0. */
bool wb_dense_qr(const struct wb_mat *a, struct wb_mat *q, struct wb_mat *rr, struct wb_err *err);
/* Symmetric a (n, n) (lower triangle read): values (1, n) ascending, vectors (n, n) in columns,
 * sign fixed as in svd. */
bool wb_dense_eigh(const struct wb_mat *a, struct wb_mat *values, struct wb_mat *vectors,
                   struct wb_err *err);
/* WB_ENUMERIC naming the rule when a is singular to working precision. */
bool wb_dense_inverse(const struct wb_mat *a, struct wb_mat *out, struct wb_err *err);
/* x with a x = b; a (n, n), b and x (n, m). */
bool wb_dense_solve(const struct wb_mat *a, const struct wb_mat *b, struct wb_mat *x,
                    struct wb_err *err);
/* x minimising |a x - b|^2 + ridge |x|^2: a (m, n), b (m, k), x (n, k). ridge 0: minimum-norm
 * solution by gelsd; ridge > 0: Cholesky of the normal equations in double. */
bool wb_dense_least_squares(const struct wb_mat *a, const struct wb_mat *b, double ridge,
                            struct wb_mat *x, struct wb_err *err);
/* Maximum-weight assignment of the square matrix weight (n, n): column[i] is the column of row
 * i. Jonker-Volgenant shortest augmenting paths on -weight in double, rows in order, ties to the
 * lowest column; the identity wins when it is optimal within 1e-12 relative (merge.md 18.3).
 * column is a (1, n) matrix. */
bool wb_dense_assignment(const struct wb_mat *weight, struct wb_mat *column, struct wb_err *err);

#endif
