/* tests/unit/near.h - comparing arrays, within a tolerance or bit for bit. */
#ifndef WB_TEST_NEAR_H
#define WB_TEST_NEAR_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* |got - want| <= tolerance * max(1, |want|) for all n; NaN is near nothing. */
static inline bool near_f64(size_t n, const double *got, const double *want, double tolerance)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) <= tolerance * fmax(1.0, fabs(want[i])))) {
            printf("[%zu]: got %.17g, want %.17g, tolerance %g\n", i, got[i], want[i], tolerance);
            return false;
        }
    return true;
}

static inline bool near_f32(size_t n, const float *got, const float *want, double tolerance)
{
    for (size_t i = 0; i < n; i++) {
        double a = (double)got[i], b = (double)want[i];

        if (!(fabs(a - b) <= tolerance * fmax(1.0, fabs(b)))) {
            printf("[%zu]: got %.9g, want %.9g, tolerance %g\n", i, a, b, tolerance);
            return false;
        }
    }
    return true;
}

/* n elements of `size` bytes; `what` says where. */
static inline bool same_bits(const char *what, size_t n, size_t size, const void *got,
                             const void *want)
{
    const unsigned char *a = got, *b = want;

    for (size_t i = 0; i < n; i++) {
        if (memcmp(a + i * size, b + i * size, size) == 0)
            continue;
        printf("%s [%zu of %zu]: got ", what, i, n);
        for (size_t k = size; k-- > 0;)
            printf("%02x", a[i * size + k]);
        printf(", want ");
        for (size_t k = size; k-- > 0;)
            printf("%02x", b[i * size + k]);
        printf("\n");
        return false;
    }
    return true;
}

#endif
