/* app/probe/circuit.h - products of two thin matrices, by matrices of their thin side (inspect I6).
 *
 * A circuit is a' b for a, b [r, d] with r much below d: QK = Wq' Wk, OV = Wo Wv (a = Wo'). It has
 * rank r, so everything about it is in the r x r matrices a a', b b' and b a'; d x d is never
 * formed. All arrays are float64, row-major. */
#ifndef WB_PROBE_CIRCUIT_H
#define WB_PROBE_CIRCUIT_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/err.h"

/* out [r, s] = a b' of a [r, d], b [s, d] */
void wb_circuit_products(size_t r, size_t s, size_t d, const double *a, const double *b,
                         double *out);
/* out [r, n] = a m of a [r, d], m [d, n] */
void wb_circuit_through(size_t r, size_t d, size_t n, const double *a, const double *m,
                        double *out);
/* Frobenius norm of a' b from aa = a a', bb = b b'. */
double wb_circuit_norm(size_t r, const double *aa, const double *bb);
/* Its largest singular value: root of the largest eigenvalue of aa^(1/2) bb aa^(1/2). WB_ENUMERIC
 * when an entry is not finite. */
bool wb_circuit_spectral(size_t r, const double *aa, const double *bb, double *out,
                         struct wb_err *err);
/* |(C + C') / 2|^2 / |C|^2 of C = a' b, in [0, 1]; ba = b a'. */
double wb_circuit_symmetric(size_t r, const double *aa, const double *bb, const double *ba);
/* sum Re(l) / sum |l| over the eigenvalues l of the square matrix m [r, r], which is overwritten;
 * NaN when all are 0. Of a' b: m = b a'. Of u C e' between vocabularies: m = b (e' u) a'. */
bool wb_circuit_copying(size_t r, double *m, double *out, struct wb_err *err);
/* Norm of (a' b)(c' d) from aa = a a' [r, r], bc = b c' [r, s], dd = d d' [s, s]. scratch: 2 r s. */
double wb_circuit_composed(size_t r, size_t s, const double *aa, const double *bc, const double *dd,
                           double *scratch);
/* How alike the row spaces are: |a b'|^2 / (|a a'| |b b'|). */
double wb_circuit_alike(size_t r, const double *aa, const double *ab, const double *bb);

#endif
