/* tests/bench/infer.c - the kernels of the forward pass against what the machine gives.
 *
 * infer [THREADS [PART]]: PART is linear, few, attend, rows or pool; all without. Products of many
 * rows beside bare sgemm of float32 weights, rows shared out between the threads; products of one
 * row beside reading the weights. One after the other, the best of ROUNDS counts. */
#include <cblas.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/core/pool.h"
#include "app/graph/dense.h"
#include "app/infer/attend.h"
#include "app/infer/linear.h"
#include "app/infer/rowwise.h"
#include "app/tensor/kernels.h"

#define ROUNDS 7

struct shape {
    const char *name;
    size_t out, in;
};

static const struct shape shapes[] = {
    { "1024 -> 1024", 1024, 1024 }, { "1024 -> 2816", 2816, 1024 },
    { "2816 -> 1024", 1024, 2816 }, { "2048 -> 2048", 2048, 2048 },
    { "2048 -> 5632", 5632, 2048 }, { "5632 -> 2048", 2048, 5632 },
    { "384 -> 384", 384, 384 },     { "384 -> 1536", 1536, 384 },
    { "1536 -> 384", 384, 1536 },   { "1024 -> 32000", 32000, 1024 },
};

static struct wb_pool *pool;

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double best_of(void (*run)(void *ctx), void *ctx)
{
    double best = 1e9;

    run(ctx);
    for (int i = 0; i < ROUNDS; i++) {
        double start = seconds();

        run(ctx);
        best = seconds() - start < best ? seconds() - start : best;
    }
    return best;
}

static void *block(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 63) & ~(size_t)63);

    if (p == NULL)
        exit(1);
    return p;
}

static float *floats(size_t n)
{
    float *x = block(n * sizeof *x);

    wb_kernels()->uniform(n, 7, 0, x);
    for (size_t i = 0; i < n; i++)
        x[i] -= 0.5f;
    return x;
}

static void *packed(size_t n, enum wb_dtype dtype)
{
    float *x = floats(n);
    void *p = block(n * wb_dtype_bits(dtype) / 8);

    wb_kernels()->narrow[dtype](n, x, p);
    free(x);
    return p;
}

/* --- products ---------------------------------------------------------------------------------- */

struct product {
    struct wb_linear_scratch *scratch;
    struct wb_weight weight;
    const float *x, *wide;
    float *y;
    size_t rows;
};

static void run_linear(void *ctx)
{
    struct product *p = ctx;
    const struct wb_linear linear = { .weight = &p->weight, .y = p->y, .ldy = p->weight.out };

    if (!wb_linear(p->scratch, p->x, p->rows, p->weight.in, &linear, 1, NULL))
        exit(1);
}

static void bare_task(void *ctx, size_t task, int worker)
{
    const struct product *p = ctx;
    size_t threads = (size_t)wb_pool_threads(pool), first = p->rows * task / threads;
    int rows = (int)(p->rows * (task + 1) / threads - first), in = (int)p->weight.in;

    (void)worker;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, (int)p->weight.out, in, 1.0f,
                p->x + first * p->weight.in, in, p->wide, in, 0.0f, p->y + first * p->weight.out,
                (int)p->weight.out);
}

static void run_bare(void *ctx)
{
    wb_pool_run(pool, (size_t)wb_pool_threads(pool), bare_task, ctx);
}

static void bench_linear(void)
{
    printf("%-16s %6s %10s %10s %10s   GFLOP/s\n", "linear", "rows", "bf16", "f32", "bare sgemm");
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        for (size_t rows = 2048; rows >= 512; rows /= 4) {
            size_t out = shapes[i].out, in = shapes[i].in;
            float *x = floats(rows * in), *y = block(rows * out * sizeof *y);
            float *wide = floats(in * out);
            void *narrow = packed(in * out, WB_DTYPE_BF16);
            struct product p = { .scratch = wb_linear_scratch_new(pool, NULL),
                                 .weight = { .out = out, .in = in },
                                 .x = x,
                                 .wide = wide,
                                 .y = y,
                                 .rows = rows };
            double flops = 2e-9 * (double)rows * (double)out * (double)in, t[3];

            p.weight.data = narrow;
            p.weight.dtype = WB_DTYPE_BF16;
            t[0] = best_of(run_linear, &p);
            p.weight.data = wide;
            p.weight.dtype = WB_DTYPE_F32;
            t[1] = best_of(run_linear, &p);
            t[2] = best_of(run_bare, &p);
            printf("%-16s %6zu %10.1f %10.1f %10.1f\n", shapes[i].name, rows, flops / t[0],
                   flops / t[1], flops / t[2]);
            fflush(stdout);
            wb_linear_scratch_free(p.scratch);
            free(x);
            free(y);
            free(wide);
            free(narrow);
        }
}

/* --- few rows ---------------------------------------------------------------------------------- */

struct stream {
    const uint64_t *data;
    size_t words;
};

static volatile uint64_t sink;

__attribute__((optimize("O3"))) static void stream_task(void *ctx, size_t task, int worker)
{
    const struct stream *s = ctx;
    size_t pieces = 4 * (size_t)wb_pool_threads(pool), first = s->words * task / pieces;
    size_t end = s->words * (task + 1) / pieces;
    uint64_t sum[32] = { 0 };

    (void)worker;
    for (size_t i = first; i + 32 <= end; i += 32)
        for (size_t l = 0; l < 32; l++)
            sum[l] |= s->data[i + l];
    for (size_t l = 1; l < 32; l++)
        sum[0] |= sum[l];
    sink = sum[0];
}

static void run_stream(void *ctx)
{
    wb_pool_run(pool, 4 * (size_t)wb_pool_threads(pool), stream_task, ctx);
}

/* Weights far larger than the caches, as a whole model's are. */
static void bench_few(void)
{
    static const enum wb_dtype dtypes[] = { WB_DTYPE_BF16, WB_DTYPE_F16, WB_DTYPE_F32,
                                            WB_DTYPE_F8_E4M3 };
    const size_t bytes = (size_t)1 << 29, in = 2048;
    void *data = packed(bytes / 2, WB_DTYPE_BF16);
    struct stream stream = { data, bytes / sizeof(uint64_t) };
    double t = best_of(run_stream, &stream);
    float *x = floats(WB_LINEAR_FEW * in);

    printf("%-16s %10.2f GB/s\n", "reading", 1e-9 * (double)bytes / t);
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++)
        for (size_t rows = 1; rows <= WB_LINEAR_FEW; rows *= 2)
            for (int transposed = 0; transposed < 2; transposed++) {
                size_t out = bytes / in / (wb_dtype_bits(dtypes[i]) / 8);
                float *y = block(rows * out * sizeof *y);
                struct product p = { .scratch = wb_linear_scratch_new(pool, NULL),
                                     .weight = { .data = data,
                                                 .dtype = dtypes[i],
                                                 .out = out,
                                                 .in = in,
                                                 .transposed = transposed != 0 },
                                     .x = x,
                                     .y = y,
                                     .rows = rows };

                if (transposed != 0 && rows != 1)
                    continue;
                t = best_of(run_linear, &p);
                printf("%-10s %-5s %zu rows %8.2f GB/s\n", wb_dtype_name(dtypes[i]),
                       transposed ? "trans" : "", rows, 1e-9 * (double)bytes / t);
                fflush(stdout);
                wb_linear_scratch_free(p.scratch);
                free(y);
            }
    free(data);
    free(x);
}

/* --- attention --------------------------------------------------------------------------------- */

struct attention {
    struct wb_attend_scratch *scratch;
    struct wb_attend_how how;
    struct wb_attend *sequence;
    size_t sequences;
};

static void run_attend(void *ctx)
{
    struct attention *a = ctx;

    if (!wb_attend(a->scratch, &a->how, a->sequence, a->sequences, NULL))
        exit(1);
}

static void bench_attention(const char *name, size_t sequences, size_t queries, size_t keys,
                            int heads, int kv_heads, int dim, bool causal)
{
    size_t width = (size_t)(heads * dim), kv = (size_t)(kv_heads * dim);
    float *q = floats(sequences * queries * width), *k = floats(sequences * keys * kv);
    float *v = floats(sequences * keys * kv), *out = floats(sequences * queries * width);
    struct attention a = { .scratch = wb_attend_scratch_new(pool, NULL),
                           .how = { .heads = heads,
                                    .kv_heads = kv_heads,
                                    .head_dim = dim,
                                    .scale = 0.1f,
                                    .causal = causal },
                           .sequence = calloc(sequences, sizeof *a.sequence),
                           .sequences = sequences };
    double t, pairs = (double)sequences * (double)queries * (double)keys;

    for (size_t i = 0; i < sequences; i++)
        a.sequence[i] = (struct wb_attend){ .q = q + i * queries * width,
                                            .k = k + i * keys * kv,
                                            .v = v + i * keys * kv,
                                            .q_row = width,
                                            .q_head = (size_t)dim,
                                            .k_row = kv,
                                            .k_head = (size_t)dim,
                                            .v_row = kv,
                                            .v_head = (size_t)dim,
                                            .out = out + i * queries * width,
                                            .out_row = width,
                                            .queries = queries,
                                            .keys = keys };
    t = best_of(run_attend, &a);
    printf("%-40s %8.3f ms %8.1f GFLOP/s of all pairs %8.2f GB/s of keys and values\n", name,
           1e3 * t, 4e-9 * pairs * (double)width / t, 8e-9 * (double)(sequences * keys * kv) / t);
    fflush(stdout);
    wb_attend_scratch_free(a.scratch);
    free(a.sequence);
    free(q);
    free(k);
    free(v);
    free(out);
}

static void bench_attend(void)
{
    bench_attention("16 x 128, 16 heads of 64, causal", 16, 128, 128, 16, 16, 64, true);
    bench_attention("16 x 128, 16 heads of 64, 4 kv, causal", 16, 128, 128, 16, 4, 64, true);
    bench_attention("16 x 128, 12 heads of 32", 16, 128, 128, 12, 12, 32, false);
    bench_attention("64 x 32, 12 heads of 32", 64, 32, 32, 12, 12, 32, false);
    bench_attention("1 x 2047, 16 heads of 64, causal", 1, 2047, 2047, 16, 16, 64, true);
    bench_attention("1 query of 2048, 16 heads of 64", 1, 1, 2048, 16, 16, 64, true);
    bench_attention("1 query of 2048, 16 heads of 64, 4 kv", 1, 1, 2048, 16, 4, 64, true);
    bench_attention("1 query of 128, 16 heads of 64, 4 kv", 1, 1, 128, 16, 4, 64, true);
}

/* --- rows, threads ----------------------------------------------------------------------------- */

struct rows {
    size_t n, width;
    float *x, *y, *weight;
    int what;
};

static void run_rows(void *ctx)
{
    struct rows *r = ctx;

    switch (r->what) {
    case 0:
        wb_norm_rows(WB_NORM_RMS, r->n, r->width, r->x, r->width, r->weight, NULL, 1e-5, r->y,
                     r->width);
        break;
    case 1:
        wb_norm_rows(WB_NORM_LAYER, r->n, r->width, r->x, r->width, r->weight, r->weight, 1e-5,
                     r->y, r->width);
        break;
    case 2:
        memcpy(r->y, r->x, r->n * r->width * sizeof(float));
        for (size_t i = 0; i < r->n; i++)
            wb_softmax(r->width, r->y + i * r->width);
        break;
    case 3:
        for (size_t i = 0; i < r->n; i++)
            r->y[i] = (float)wb_log_sum_exp(r->width, r->x + i * r->width);
        break;
    case 4:
        wb_rope_rows(r->n, (int)(r->width / 64), 64, r->x, r->width, 64, r->weight, r->weight);
        break;
    case 5:
        for (size_t i = 0; i < r->n; i++)
            r->y[i] = (float)wb_argmax(r->width, r->x + i * r->width);
        break;
    default:
        memcpy(r->y, r->x, r->n * r->width * sizeof(float));
        wb_gate_rows((enum wb_act)(r->what - 6), r->n, r->width, r->y, r->width, r->x, r->width);
    }
}

static void bench_rows(void)
{
    static const char *const names[] = { "rms norm",        "layer norm", "copy and softmax",
                                         "log sum exp",     "rope",       "argmax",
                                         "gate silu",       "gate gelu",  "gate gelu tanh",
                                         "gate quick gelu", "gate relu" };
    struct rows r = { .n = 64, .width = 1024 };

    r.x = floats(r.n * r.width);
    r.y = floats(r.n * r.width);
    r.weight = floats(r.n * r.width);
    for (r.what = 0; r.what < (int)(sizeof names / sizeof names[0]); r.what++)
        printf("%-16s %8.2f elements/ns\n", names[r.what],
               1e-9 * (double)(r.n * r.width) / best_of(run_rows, &r));
    free(r.x);
    free(r.y);
    free(r.weight);
}

static void nothing(void *ctx, size_t task, int worker)
{
    (void)ctx;
    (void)task;
    (void)worker;
}

static void run_pool(void *ctx)
{
    (void)ctx;
    for (int i = 0; i < 1000; i++)
        wb_pool_run(pool, 8, nothing, NULL);
}

static void bench_pool(void)
{
    printf("%-16s %8.2f us\n", "empty run", 1e3 * best_of(run_pool, NULL));
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } parts[] = { { "linear", bench_linear },
                  { "few", bench_few },
                  { "attend", bench_attend },
                  { "rows", bench_rows },
                  { "pool", bench_pool } };

    wb_dense_start(argv);
    pool = wb_pool_new(argc > 1 ? atoi(argv[1]) : 2, NULL);
    if (pool == NULL)
        return 1;
    printf("%d threads, kernels %s, OpenBLAS %s\n", wb_pool_threads(pool), wb_kernels()->name,
           wb_dense_core());
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (argc < 3 || strcmp(argv[2], parts[i].name) == 0)
            parts[i].run();
    wb_pool_free(pool);
    return 0;
}
