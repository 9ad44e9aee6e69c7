/* tests/bench/kernels.c - speed of every kernel in every table, arrays in the first-level cache.
 *
 * kernels [ELEMENTS [NAME]]: elements per nanosecond, one column a table; NAME picks the kernels
 * whose name contains it. The bytes an element moves (read and written) stand behind the name. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/tensor/kernels.h"

#define ELEMENTS 2048
#define ELEMENTS_MAX (1 << 22)
#define SECONDS 0.01 /* a sample; the best of SAMPLES counts */
#define SAMPLES 5

struct data {
    const struct wb_kernels *t;
    size_t n;
    float *x, *y, *z, *out;
    void *packed;
    double *acc;
    uint32_t *list;
    struct wb_bracket_counts counts;
    enum wb_dtype dtype;
    int op;
};

struct bench {
    const char *name;
    double bytes; /* of an element, read and written */
    void (*run)(struct data *d);
    enum wb_dtype dtype;
    int op;
};

static volatile uint64_t sink;

static void widen(struct data *d)
{
    d->t->widen[d->dtype](d->n, d->packed, d->out);
}

static void narrow(struct data *d)
{
    d->t->narrow[d->dtype](d->n, d->x, d->packed);
}

static void unary(struct data *d)
{
    d->t->unary[d->op](d->n, d->x, d->out);
}

static void binary(struct data *d)
{
    d->t->binary[d->op](d->n, d->x, d->y, d->out);
}

static void binary_vs(struct data *d)
{
    d->t->binary_vs[d->op](d->n, d->x, 0.37f, d->out);
}

static void fma_vv(struct data *d)
{
    d->t->fma_vv(d->n, d->x, d->y, d->z, d->out);
}

static void fma_vs(struct data *d)
{
    d->t->fma_vs(d->n, d->x, 0.37f, d->z, d->out);
}

static void where(struct data *d)
{
    d->t->where(d->n, d->x, d->y, d->z, d->out);
}

static void lerp(struct data *d)
{
    d->t->lerp(d->n, d->x, d->y, 0.37f, d->out);
}

static void clamp(struct data *d)
{
    d->t->clamp(d->n, d->x, -0.01f, 0.01f, d->out);
}

static void nan_to(struct data *d)
{
    d->t->nan_to(d->n, d->x, 0.0f, d->out);
}

static void fill(struct data *d)
{
    d->t->fill(d->n, 1.0f, d->out);
}

static void uniform(struct data *d)
{
    d->t->uniform(d->n, 42, 0, d->out);
}

static void bernoulli(struct data *d)
{
    d->t->bernoulli(d->n, 42, 0, 0.1, d->out);
}

static void normal(struct data *d)
{
    d->t->normal(d->n, 42, 0, d->out);
}

static void sum(struct data *d)
{
    d->t->sum(d->n, d->x, d->acc);
}

static void sum_abs(struct data *d)
{
    d->t->sum_abs(d->n, d->x, d->acc);
}

static void sum_squares(struct data *d)
{
    d->t->sum_squares(d->n, d->x, d->acc);
}

static void dot(struct data *d)
{
    d->t->dot(d->n, d->x, d->y, d->acc);
}

static void run_max(struct data *d)
{
    float running = -INFINITY;

    d->t->max(d->n, d->x, &running);
    sink += running > 0;
}

static void run_absmax(struct data *d)
{
    float running = 0;

    d->t->absmax(d->n, d->x, &running);
    sink += running > 0;
}

static void count_nonzero(struct data *d)
{
    sink += d->t->count_nonzero(d->n, d->x);
}

static void first_nonfinite(struct data *d)
{
    sink += d->t->first_nonfinite(d->n, d->x);
}

static void column_sum(struct data *d)
{
    d->t->column_sum(d->n, d->x, d->acc);
}

static void column_dot(struct data *d)
{
    d->t->column_dot(d->n, d->x, d->y, d->acc);
}

static void stats(struct data *d)
{
    struct wb_stats s;
    double lanes[2][WB_LANES];

    wb_stats_start(&s, lanes);
    d->t->stats(d->n, d->x, &s, lanes);
    sink += s.zero;
}

static void pair_stats(struct data *d)
{
    struct wb_pair_stats s;
    double lanes[4][WB_LANES];

    wb_pair_stats_start(&s, lanes);
    d->t->pair_stats(d->n, d->x, d->y, &s, lanes);
    sink += s.same_sign;
}

/* As diff does it. */
static void pair_stats_bf16(struct data *d)
{
    struct wb_pair_stats s;
    double lanes[4][WB_LANES];

    wb_pair_stats_start(&s, lanes);
    d->t->pair_stats_packed[WB_DTYPE_BF16](d->n, d->packed, (const char *)d->packed + 2 * d->n, &s,
                                           lanes);
    sink += s.same_sign;
}

/* About 1 element in 100 inside, as after a sample. */
static void bracket_abs(struct data *d)
{
    sink +=
        d->t->bracket_abs(d->n, d->x, wb_key_abs(0.01f), wb_key_abs(0.0103f), &d->counts, d->list);
}

static void bracket_signed(struct data *d)
{
    sink += d->t->bracket_signed(d->n, d->x, wb_key_signed(0.01f), wb_key_signed(0.0106f),
                                 &d->counts, d->list);
}

/* Every element inside: the worst case, and the gathering of a small tile. */
static void bracket_all(struct data *d)
{
    sink += d->t->bracket_abs(d->n, d->x, 0, UINT32_MAX, &d->counts, d->list);
}

static void topmask_abs(struct data *d)
{
    d->t->topmask_abs(d->n, d->x, wb_key_abs(0.01f), 0, d->n / 2, d->out);
}

static void topmask_signed(struct data *d)
{
    d->t->topmask_signed(d->n, d->x, wb_key_signed(0.01f), 0, d->n / 2, d->out);
}

static const struct bench benches[] = {
#define CONVERSIONS(name, size)                                \
    { "widen " #name, (size) + 4, widen, WB_DTYPE_##name, 0 }, \
        { "narrow " #name, (size) + 4, narrow, WB_DTYPE_##name, 0 },
    CONVERSIONS(BF16, 2) CONVERSIONS(F16, 2) CONVERSIONS(F32, 4) CONVERSIONS(F64, 8)
        CONVERSIONS(F8_E4M3, 1) CONVERSIONS(F8_E5M2, 1)
#define X(name) { #name, 8, unary, WB_DTYPE_F32, WB_UNARY_##name },
            WB_UNARY_OPS(X)
#undef X
#define X(name) { #name, 12, binary, WB_DTYPE_F32, WB_BINARY_##name },
                WB_BINARY_OPS(X)
#undef X
#define X(name) { #name " scalar", 8, binary_vs, WB_DTYPE_F32, WB_BINARY_##name },
                    WB_BINARY_OPS(X)
#undef X
                        { "fill", 4, fill, WB_DTYPE_F32, 0 },
    { "fma", 16, fma_vv, WB_DTYPE_F32, 0 },
    { "fma scalar", 12, fma_vs, WB_DTYPE_F32, 0 },
    { "where", 16, where, WB_DTYPE_F32, 0 },
    { "lerp", 12, lerp, WB_DTYPE_F32, 0 },
    { "clamp", 8, clamp, WB_DTYPE_F32, 0 },
    { "nan_to", 8, nan_to, WB_DTYPE_F32, 0 },
    { "uniform", 4, uniform, WB_DTYPE_F32, 0 },
    { "bernoulli", 4, bernoulli, WB_DTYPE_F32, 0 },
    { "normal", 4, normal, WB_DTYPE_F32, 0 },
    { "sum", 4, sum, WB_DTYPE_F32, 0 },
    { "sum_abs", 4, sum_abs, WB_DTYPE_F32, 0 },
    { "sum_squares", 4, sum_squares, WB_DTYPE_F32, 0 },
    { "dot", 8, dot, WB_DTYPE_F32, 0 },
    { "max of row", 4, run_max, WB_DTYPE_F32, 0 },
    { "absmax of row", 4, run_absmax, WB_DTYPE_F32, 0 },
    { "count_nonzero", 4, count_nonzero, WB_DTYPE_F32, 0 },
    { "first_nonfinite", 4, first_nonfinite, WB_DTYPE_F32, 0 },
    { "column_sum", 20, column_sum, WB_DTYPE_F32, 0 },
    { "column_dot", 24, column_dot, WB_DTYPE_F32, 0 },
    { "stats", 4, stats, WB_DTYPE_F32, 0 },
    { "pair_stats", 8, pair_stats, WB_DTYPE_F32, 0 },
    { "pair_stats bf16", 4, pair_stats_bf16, WB_DTYPE_F32, 0 },
    { "bracket_abs", 4, bracket_abs, WB_DTYPE_F32, 0 },
    { "bracket_signed", 4, bracket_signed, WB_DTYPE_F32, 0 },
    { "bracket_abs all", 8, bracket_all, WB_DTYPE_F32, 0 },
    { "topmask_abs", 8, topmask_abs, WB_DTYPE_F32, 0 },
    { "topmask_signed", 8, topmask_signed, WB_DTYPE_F32, 0 },
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Elements per nanosecond. */
static double measure(const struct bench *b, struct data *d)
{
    double best = 0;
    size_t repeat = 1;

    d->dtype = b->dtype;
    d->op = b->op;
    for (int sample = 0; sample < SAMPLES;) {
        double start = now(), taken;

        for (size_t i = 0; i < repeat; i++)
            b->run(d);
        taken = now() - start;
        if (taken < SECONDS) {
            repeat *= 2;
            continue;
        }
        best = fmax(best, (double)repeat * (double)d->n / taken * 1e-9);
        sample++;
    }
    return best;
}

/* What weights look like: a bell around 0. */
static void fill_weights(struct data *d)
{
    const struct wb_kernels *k = wb_kernels();

    k->normal(d->n, 1, 0, d->x);
    k->normal(d->n, 2, 0, d->y);
    k->normal(d->n, 3, 0, d->z);
    for (size_t i = 0; i < d->n; i++) {
        d->x[i] *= 0.02f;
        d->y[i] *= 0.02f;
        d->z[i] *= 0.02f;
    }
    k->narrow[WB_DTYPE_BF16](d->n, d->x, d->packed);
    k->narrow[WB_DTYPE_BF16](d->n, d->y, (char *)d->packed + 2 * d->n);
    memset(d->acc, 0, d->n * sizeof *d->acc);
}

static void *aligned(size_t n, size_t size)
{
    void *p = aligned_alloc(64, (n * size + 63) / 64 * 64 + 64);

    if (p == NULL)
        abort();
    return p;
}

int main(int argc, char **argv)
{
    size_t count, n = argc > 1 ? strtoul(argv[1], NULL, 10) : ELEMENTS;
    const char *only = argc > 2 ? argv[2] : "";
    const struct wb_kernels *const *all = wb_kernels_all(&count);
    struct data d = { .n = n };

    if (n == 0 || n > ELEMENTS_MAX) {
        fprintf(stderr, "usage: kernels [ELEMENTS [NAME]], at most %d elements\n", ELEMENTS_MAX);
        return 2;
    }
    d.x = aligned(n, 4);
    d.y = aligned(n, 4);
    d.z = aligned(n, 4);
    d.out = aligned(n, 4);
    d.packed = aligned(n, 8);
    d.acc = aligned(n < WB_LANES ? WB_LANES : n, 8);
    d.list = aligned(n, 4);
    printf("%-20s%6s", "elements/ns (GB/s)", "bytes");
    for (size_t t = 0; t < count; t++)
        printf("%16s", all[t]->name);
    printf("\n");
    for (size_t b = 0; b < sizeof benches / sizeof benches[0]; b++) {
        if (strstr(benches[b].name, only) == NULL)
            continue;
        printf("%-20s%6.0f", benches[b].name, benches[b].bytes);
        for (size_t t = 0; t < count; t++) {
            double speed;

            d.t = all[t];
            fill_weights(&d);
            speed = measure(&benches[b], &d);
            printf("%8.2f %6.1f ", speed, speed * benches[b].bytes);
        }
        printf("\n");
    }
    free(d.x);
    free(d.y);
    free(d.z);
    free(d.out);
    free(d.packed);
    free(d.acc);
    free(d.list);
    return 0;
}
