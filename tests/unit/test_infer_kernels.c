/* tests/unit/test_infer_kernels.c - products with weights and attention, against double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/pool.h"
#include "app/infer/attend.h"
#include "app/infer/linear.h"
#include "app/tensor/kernels.h"

static uint64_t seed = 1;

static double uniform(void) /* [-1, 1) */
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(int64_t)seed * 0x1p-63;
}

static float *random_floats(size_t n)
{
    float *x = malloc((n + 1) * sizeof *x);

    for (size_t i = 0; i < n; i++)
        x[i] = (float)uniform();
    return x;
}

/* --- products ---------------------------------------------------------------------------------- */

static const enum wb_dtype dtypes[] = { WB_DTYPE_F32,     WB_DTYPE_BF16,    WB_DTYPE_F16,
                                        WB_DTYPE_F8_E4M3, WB_DTYPE_F8_E5M2, WB_DTYPE_F64 };
#define DTYPES (sizeof dtypes / sizeof dtypes[0])
#define PRODUCTS 3

/* Weights in their dtype, unaligned, and as the doubles they stand for. */
struct layer {
    struct wb_weight weight;
    char *memory;
    double *value;
    float *bias;
};

static void layer_make(struct layer *l, enum wb_dtype dtype, size_t out, size_t in, bool transposed,
                       bool bias)
{
    size_t n = out * in, size = wb_dtype_bits(dtype) / 8;
    float *x = random_floats(n);

    *l =
        (struct layer){ .memory = malloc(n * size + 1), .value = malloc((n + 1) * sizeof(double)) };
    l->bias = bias ? random_floats(out) : NULL;
    wb_kernels()->narrow[dtype](n, x, l->memory + 1);
    wb_kernels()->widen[dtype](n, l->memory + 1, x);
    for (size_t i = 0; i < n; i++)
        l->value[i] = (double)x[i];
    l->weight = (struct wb_weight){ .data = l->memory + 1,
                                    .dtype = dtype,
                                    .out = out,
                                    .in = in,
                                    .transposed = transposed,
                                    .bias = l->bias };
    free(x);
}

static void layer_free(struct layer *l)
{
    free(l->memory);
    free(l->value);
    free(l->bias);
}

/* |float32 sum of `terms` products - exact| is at most (terms + 2) 2^-24 of the sum of magnitudes,
 * in whatever order it is formed. */
static void check_product(const struct layer *l, size_t rows, const float *x, size_t ldx,
                          const float *before, const float *y, size_t ldy, bool add)
{
    size_t in = l->weight.in, out = l->weight.out;

    for (size_t r = 0; r < rows; r++)
        for (size_t o = 0; o < ldy; o++) {
            double want = 0, magnitude = 0;

            if (o >= out) {
                assert_true(y[r * ldy + o] == before[r * ldy + o]);
                continue;
            }
            if (l->bias != NULL)
                want = (double)l->bias[o];
            if (add)
                want += (double)before[r * ldy + o];
            magnitude = fabs(want) + 1;
            for (size_t i = 0; i < in; i++) {
                double w = l->value[l->weight.transposed ? i * out + o : o * in + i];

                want += w * (double)x[r * ldx + i];
                magnitude += fabs(w * (double)x[r * ldx + i]);
            }
            assert_true(fabs((double)y[r * ldy + o] - want) <=
                        (double)(in + 2) * 0x1p-24 * magnitude);
        }
}

/* Three products of one x; 1, 2 and 5 threads give the same bits. */
static void check_linear(size_t rows, size_t in, const size_t *out, enum wb_dtype dtype,
                         bool transposed, bool bias, bool add)
{
    static const int threads[] = { 1, 2, 5 };
    size_t ldx = in + 3;
    float *x = random_floats(rows * ldx), *before[PRODUCTS], *y[PRODUCTS], *first[PRODUCTS];
    struct layer layer[PRODUCTS];
    struct wb_linear product[PRODUCTS];

    for (int p = 0; p < PRODUCTS; p++) {
        size_t n = rows * (out[p] + 2);

        layer_make(&layer[p], dtype, out[p], in, transposed, bias && p != 1);
        before[p] = random_floats(n);
        first[p] = random_floats(n);
        y[p] = random_floats(n);
        product[p] = (struct wb_linear){
            .weight = &layer[p].weight, .y = y[p], .ldy = out[p] + 2, .add = add && p != 2
        };
    }
    for (int t = 0; t < 3; t++) {
        struct wb_pool *pool = wb_pool_new(threads[t], NULL);
        struct wb_linear_scratch *scratch = wb_linear_scratch_new(pool, NULL);

        for (int p = 0; p < PRODUCTS; p++)
            memcpy(y[p], before[p], rows * (out[p] + 2) * sizeof(float));
        assert_true(wb_linear(scratch, x, rows, ldx, product, PRODUCTS, NULL));
        for (int p = 0; p < PRODUCTS; p++) {
            size_t bytes = rows * (out[p] + 2) * sizeof(float);

            if (t == 0)
                memcpy(first[p], y[p], bytes);
            assert_memory_equal(y[p], first[p], bytes);
        }
        wb_linear_scratch_free(scratch);
        wb_pool_free(pool);
    }
    for (int p = 0; p < PRODUCTS; p++) {
        check_product(&layer[p], rows, x, ldx, before[p], y[p], out[p] + 2, product[p].add);
        layer_free(&layer[p]);
        free(before[p]);
        free(first[p]);
        free(y[p]);
    }
    free(x);
}

static void test_linear(void **state)
{
    static const size_t rows[] = { 1, 2, 3, 8, 9, 33 };
    int round = 0;

    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++)
        for (size_t d = 0; d < DTYPES; d++)
            for (int transposed = 0; transposed < 2; transposed++, round++) {
                size_t out[] = { 1 + (size_t)round * 7 % 80, 65, 3 };

                check_linear(rows[r], 1 + (size_t)round * 13 % 90, out, dtypes[d], transposed != 0,
                             round % 3 != 0, round % 2 != 0);
            }
}

/* Beyond one tile of every kind. */
static void test_linear_large(void **state)
{
    (void)state;
    check_linear(1, 9001, (const size_t[]){ 3, 1, 2 }, WB_DTYPE_BF16, false, true, false);
    check_linear(5, 301, (const size_t[]){ 700, 64, 129 }, WB_DTYPE_BF16, true, true, true);
    check_linear(5, 301, (const size_t[]){ 700, 64, 129 }, WB_DTYPE_F16, false, true, true);
    check_linear(530, 40, (const size_t[]){ 600, 17, 256 }, WB_DTYPE_BF16, false, true, true);
    check_linear(530, 40, (const size_t[]){ 600, 17, 256 }, WB_DTYPE_F32, true, true, false);
    check_linear(20, 700, (const size_t[]){ 260, 5, 1 }, WB_DTYPE_F8_E4M3, false, false, true);
}

/* Aligned float32 weights are used where they lie. */
static void test_linear_plain(void **state)
{
    enum { ROWS = 40, IN = 30, OUT = 21 };
    float *x = random_floats(ROWS * IN), *w = random_floats(IN * OUT), y[ROWS * OUT];
    struct wb_pool *pool = wb_pool_new(2, NULL);
    struct wb_linear_scratch *scratch = wb_linear_scratch_new(pool, NULL);

    (void)state;
    for (size_t rows = 2; rows <= ROWS; rows += ROWS - 2)
        for (int transposed = 0; transposed < 2; transposed++) {
            const struct wb_weight weight = { .data = w,
                                              .dtype = WB_DTYPE_F32,
                                              .out = OUT,
                                              .in = IN,
                                              .transposed = transposed != 0 };
            const struct wb_linear product = { .weight = &weight, .y = y, .ldy = OUT };

            assert_true(wb_linear(scratch, x, rows, IN, &product, 1, NULL));
            for (size_t r = 0; r < rows; r++)
                for (size_t o = 0; o < OUT; o++) {
                    double want = 0;

                    for (size_t i = 0; i < IN; i++)
                        want += (double)w[transposed ? i * OUT + o : o * IN + i] *
                                (double)x[r * IN + i];
                    assert_true(fabs((double)y[r * OUT + o] - want) < 32 * 0x1p-24 * IN);
                }
        }
    wb_linear_scratch_free(scratch);
    wb_linear_scratch_free(NULL);
    wb_pool_free(pool);
    free(x);
    free(w);
}

static void test_linear_refused(void **state)
{
    const struct wb_weight weight = { .data = "", .dtype = WB_DTYPE_I8, .out = 1, .in = 1 };
    float x = 1, y = 7;
    const struct wb_linear product = { .weight = &weight, .y = &y, .ldy = 1 };
    struct wb_pool *pool = wb_pool_new(1, NULL);
    struct wb_linear_scratch *scratch = wb_linear_scratch_new(pool, NULL);
    struct wb_err err;

    (void)state;
    assert_false(wb_linear(scratch, &x, 1, 1, &product, 1, &err));
    assert_int_equal(err.code, WB_ESHAPE);
    assert_non_null(strstr(err.msg, "I8"));
    assert_true(wb_linear(scratch, &x, 0, 1, NULL, 0, NULL));
    assert_true(y == 7);
    wb_linear_scratch_free(scratch);
    wb_pool_free(pool);
}

/* --- attention --------------------------------------------------------------------------------- */

#define SEQUENCES 2

struct shape {
    int heads, kv_heads, dim;
    size_t queries[SEQUENCES], keys[SEQUENCES];
    bool causal;
    int window;
    float cap;
    bool gate, see;
};

struct inputs {
    float *q, *k, *v, *out;
    double *weight; /* [heads, queries, keys] of the reference */
    float *seen;    /* the same as the callback had it */
    size_t next;    /* query of head 0 that the callback expects */
};

struct seeing {
    const struct shape *shape;
    struct inputs *in;
    atomic_int wrong;
};

static void see(void *ctx, const struct wb_attend_tile *t)
{
    struct seeing *s = ctx;
    struct inputs *in = &s->in[t->sequence];
    size_t queries = s->shape->queries[t->sequence], keys = s->shape->keys[t->sequence];

    if (t->keys != keys || t->rows > WB_ATTEND_TILE || t->first + t->rows > queries ||
        t->position != keys - queries + t->first || (t->head == 0 && t->first != in->next)) {
        atomic_fetch_add(&s->wrong, 1);
        return;
    }
    if (t->head == 0)
        in->next = t->first + t->rows;
    for (size_t r = 0; r < t->rows; r++)
        memcpy(in->seen + ((size_t)t->head * queries + t->first + r) * keys,
               t->weight + r * t->stride, keys * sizeof(float));
}

/* Weights of one query by the definition. */
static void reference(const struct shape *s, const struct inputs *in, size_t keys, size_t queries,
                      int head, size_t query, double *weight)
{
    size_t position = keys - queries + query, kv = (size_t)(head / (s->heads / s->kv_heads));
    size_t dim = (size_t)s->dim, q_row = (size_t)s->heads * dim + 1;
    size_t k_row = (size_t)s->kv_heads * dim + 2;
    double sum = 0;

    for (size_t j = 0; j < keys; j++) {
        double score = 0;

        for (size_t d = 0; d < dim; d++)
            score += (double)in->q[query * q_row + (size_t)head * dim + d] *
                     (double)in->k[j * k_row + kv * dim + d];
        score *= 3; /* scale */
        if (s->cap > 0)
            score = (double)s->cap * tanh(score / (double)s->cap);
        weight[j] = exp(score);
        if ((s->causal && j > position) || (s->window > 0 && j + (size_t)s->window <= position))
            weight[j] = 0;
        sum += weight[j];
    }
    for (size_t j = 0; j < keys; j++)
        weight[j] = sum > 0 ? weight[j] / sum : 0;
}

/* float32 scores of up to 3 dim in magnitude: an error of a few 1e-7 of that in the exponent. */
static double tolerance(const struct shape *s)
{
    return 1e-6 * (4 + 3.0 * sqrt((double)s->dim));
}

static void check_sequence(const struct shape *s, const struct inputs *in, size_t i,
                           const float *gate)
{
    size_t keys = s->keys[i], queries = s->queries[i], dim = (size_t)s->dim;
    size_t v_row = (size_t)s->kv_heads * dim + 3, out_row = (size_t)s->heads * dim + 4;
    double *weight = malloc(keys * sizeof *weight);

    for (int h = 0; h < s->heads; h++)
        for (size_t q = 0; q < queries; q++) {
            size_t kv = (size_t)(h / (s->heads / s->kv_heads));

            reference(s, in, keys, queries, h, q, weight);
            for (size_t j = 0; s->see && j < keys; j++) {
                float seen = in->seen[((size_t)h * queries + q) * keys + j];

                assert_true(fabs((double)seen - weight[j]) <= tolerance(s));
                assert_true(weight[j] != 0 || seen == 0);
            }
            for (size_t d = 0; d < dim; d++) {
                double want = 0, got = (double)in->out[q * out_row + (size_t)h * dim + d];

                for (size_t j = 0; j < keys; j++)
                    want += weight[j] * (double)in->v[j * v_row + kv * dim + d];
                want *= s->gate ? (double)gate[h] : 1;
                assert_true(fabs(got - want) <= tolerance(s));
            }
        }
    free(weight);
}

static void check_attend(const struct shape *s)
{
    static const int threads[] = { 1, 2, 5 };
    size_t dim = (size_t)s->dim, heads = (size_t)s->heads, kv = (size_t)s->kv_heads;
    size_t out_row = heads * dim + 4;
    struct inputs in[SEQUENCES];
    struct wb_attend sequence[SEQUENCES];
    struct seeing seeing = { .shape = s, .in = in };
    float gate[] = { 0.5f, 0, 1, -2, 1, 1, 1, 3 }, *first[SEQUENCES];
    struct wb_attend_how how = { .heads = s->heads,
                                 .kv_heads = s->kv_heads,
                                 .head_dim = s->dim,
                                 .scale = 3,
                                 .cap = s->cap,
                                 .causal = s->causal,
                                 .window = s->window,
                                 .head_gate = s->gate ? gate : NULL,
                                 .see = s->see ? see : NULL,
                                 .ctx = &seeing };

    for (size_t i = 0; i < SEQUENCES; i++) {
        size_t queries = s->queries[i], keys = s->keys[i];

        in[i] = (struct inputs){ .q = random_floats(queries * (heads * dim + 1)),
                                 .k = random_floats(keys * (kv * dim + 2)),
                                 .v = random_floats(keys * (kv * dim + 3)),
                                 .out = random_floats(queries * out_row),
                                 .seen = random_floats(heads * queries * keys) };
        first[i] = random_floats(queries * out_row);
        sequence[i] = (struct wb_attend){ .q = in[i].q,
                                          .k = in[i].k,
                                          .v = in[i].v,
                                          .q_row = heads * dim + 1,
                                          .q_head = dim,
                                          .k_row = kv * dim + 2,
                                          .k_head = dim,
                                          .v_row = kv * dim + 3,
                                          .v_head = dim,
                                          .out = in[i].out,
                                          .out_row = out_row,
                                          .queries = queries,
                                          .keys = keys };
    }
    for (int t = 0; t < 3; t++) {
        struct wb_pool *pool = wb_pool_new(threads[t], NULL);
        struct wb_attend_scratch *scratch = wb_attend_scratch_new(pool, NULL);

        in[0].next = in[1].next = 0;
        assert_true(wb_attend(scratch, &how, sequence, SEQUENCES, NULL));
        assert_int_equal(atomic_load(&seeing.wrong), 0);
        for (size_t i = 0; i < SEQUENCES; i++) {
            size_t bytes = s->queries[i] * out_row * sizeof(float);

            if (t == 0)
                memcpy(first[i], in[i].out, bytes);
            assert_memory_equal(first[i], in[i].out, bytes);
        }
        wb_attend_scratch_free(scratch);
        wb_pool_free(pool);
    }
    for (size_t i = 0; i < SEQUENCES; i++) {
        check_sequence(s, &in[i], i, gate);
        free(in[i].q);
        free(in[i].k);
        free(in[i].v);
        free(in[i].out);
        free(in[i].seen);
        free(first[i]);
    }
}

static void test_attend(void **state)
{
    static const struct shape shapes[] = {
        { 2, 2, 8, { 7, 1 }, { 7, 1 }, .causal = true },
        { 4, 2, 16, { 130, 5 }, { 130, 9 }, .causal = true, .see = true },
        { 4, 1, 12, { 140, 33 }, { 300, 33 }, .causal = true, .window = 20, .see = true },
        { 4, 1, 12, { 140, 257 }, { 140, 257 }, .causal = true, .window = 1 },
        { 3, 3, 9, { 50, 129 }, { 50, 129 }, .see = true },
        { 2, 1, 8, { 20, 20 }, { 20, 20 }, .window = 5, .see = true },
        { 8, 2, 64, { 1, 1 }, { 513, 3 }, .causal = true },
        { 8, 2, 63, { 1, 1 }, { 513, 40 }, .causal = true, .see = true, .gate = true },
        { 8, 8, 32, { 1, 2 }, { 700, 700 }, .causal = true, .window = 100, .cap = 5 },
        { 4, 4, 24, { 100, 3 }, { 100, 50 }, .causal = true, .cap = 2, .gate = true, .see = true },
        { 6, 2, 33, { 1, 4 }, { 2100, 2100 }, .causal = true, .cap = 50, .gate = true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        check_attend(&shapes[i]);
}

/* A NaN in a key makes NaN what sees it, and nothing else. */
static void check_nan(size_t queries, size_t keys)
{
    enum { DIM = 16, HEADS = 2 };
    float *q = random_floats(queries * DIM * HEADS), *k = random_floats(keys * DIM);
    float *v = random_floats(keys * DIM), *out = random_floats(queries * DIM * HEADS);
    const struct wb_attend_how how = {
        .heads = HEADS, .kv_heads = 1, .head_dim = DIM, .scale = 1, .causal = true, .window = 8
    };
    const struct wb_attend sequence = { .q = q,
                                        .k = k,
                                        .v = v,
                                        .q_row = DIM * HEADS,
                                        .q_head = DIM,
                                        .k_row = DIM,
                                        .v_row = DIM,
                                        .out = out,
                                        .out_row = DIM * HEADS,
                                        .queries = queries,
                                        .keys = keys };
    struct wb_pool *pool = wb_pool_new(2, NULL);
    struct wb_attend_scratch *scratch = wb_attend_scratch_new(pool, NULL);
    size_t bad = keys - queries + queries / 2;

    k[bad * DIM + 3] = NAN;
    assert_true(wb_attend(scratch, &how, &sequence, 1, NULL));
    for (size_t i = 0; i < queries; i++) {
        size_t position = keys - queries + i;
        bool sees = position >= bad && position < bad + 8;

        for (size_t j = 0; j < (size_t)DIM * HEADS; j++)
            assert_int_equal(isnan(out[i * DIM * HEADS + j]) != 0, sees);
    }
    wb_attend_scratch_free(scratch);
    wb_pool_free(pool);
    free(q);
    free(k);
    free(v);
    free(out);
}

static void test_attend_nan(void **state)
{
    (void)state;
    check_nan(50, 60);
    check_nan(200, 200);
    check_nan(1, 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),       cmocka_unit_test(test_linear_large),
        cmocka_unit_test(test_linear_plain), cmocka_unit_test(test_linear_refused),
        cmocka_unit_test(test_attend),       cmocka_unit_test(test_attend_nan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
