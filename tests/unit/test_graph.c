/* tests/unit/test_graph.c - evaluation against plain loops, for every domain and axis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/core/io.h"
#include "app/graph/eval.h"
#include "app/graph/node.h"
#include "app/tensor/kernels.h"

/* Sums of float32 products gathered in double, in another order than the plain loops. */
#define SUM_TOLERANCE 1e-12

/* One tensor a file, F32, in a directory of its own. */
struct fixture {
    char dir[64];
    struct wb_ckpt *ck;
    struct wb_node *node;
    struct wb_shape shape;
    float *value;
    size_t n;
};

static uint64_t mix(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

/* Values on a grid of 1/64 in (-4, 4): many ties. */
static void setup(struct fixture *f, struct wb_shape shape, uint64_t seed)
{
    struct wb_err err;
    char path[128], header[256] = { 0 }, dims[128] = "";
    uint64_t count, len;
    FILE *file;

    assert_true(wb_shape_count(&shape, &count));
    f->shape = shape;
    f->n = (size_t)count;
    f->value = malloc((f->n + 1) * sizeof *f->value);
    for (size_t i = 0; i < f->n; i++)
        f->value[i] = (float)((int)(mix(seed * 1000003 + i) % 511) - 255) / 64;
    strcpy(f->dir, "/tmp/wb-graph-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(path, sizeof path, "%s/model.safetensors", f->dir);
    for (int i = 0; i < shape.ndim; i++)
        snprintf(dims + strlen(dims), sizeof dims - strlen(dims), "%s%llu", i ? "," : "",
                 (unsigned long long)shape.dim[i]);
    snprintf(header + 8, sizeof header - 8,
             "{\"w\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[0,%zu]}}", dims, f->n * 4);
    len = strlen(header + 8);
    while (len % 8 != 0)
        header[8 + len++] = ' ';
    memcpy(header, &len, 8);
    file = fopen(path, "wb");
    assert_non_null(file);
    fwrite(header, 1, 8 + len, file);
    fwrite(f->value, 4, f->n, file);
    fclose(file);
    f->ck = wb_ckpt_open(f->dir, &err);
    if (f->ck == NULL)
        fail_msg("%s", err.msg);
    f->node = wb_node_source(f->ck, 0, "test", &err);
    assert_non_null(f->node);
}

static void teardown(struct fixture *f)
{
    struct wb_err err;

    wb_node_unref(f->node);
    wb_ckpt_unref(f->ck);
    free(f->value);
    wb_remove_tree(f->dir, &err);
}

static struct wb_shape shape2(uint64_t a, uint64_t b)
{
    return (struct wb_shape){ .ndim = 2, .dim = { a, b } };
}

static struct wb_shape shape1(uint64_t a)
{
    return (struct wb_shape){ .ndim = 1, .dim = { a } };
}

static double *values_with(struct wb_node *node, struct wb_eval how)
{
    double *out = calloc((size_t)wb_node_count(node) + 1, sizeof *out);
    struct wb_target target = { .node = node, .value = out };
    struct wb_err err = { .code = WB_OK };

    if (!wb_evaluate(&how, &target, 1, NULL, &err))
        fail_msg("%s", err.msg);
    return out;
}

static double *values(struct wb_node *node)
{
    return values_with(node, (struct wb_eval){ .threads = 2 });
}

static double number(struct wb_node *node)
{
    double *v = values(node), x = v[0];

    free(v);
    wb_node_unref(node);
    return x;
}

static void near(double got, double want)
{
    if (!(fabs(got - want) <= SUM_TOLERANCE * (1 + fabs(want))))
        fail_msg("got %.17g, want %.17g", got, want);
}

static const struct wb_shape *shapes(size_t *n)
{
    static struct wb_shape s[8];

    s[0] = shape1(1);
    s[1] = shape1(70001);
    s[2] = shape2(3, 5);
    s[3] = shape2(300, 1000);
    s[4] = shape2(70, 1500);
    s[5] = shape2(2, 70000);
    s[6] = (struct wb_shape){ .ndim = 3, .dim = { 40, 3, 17 } };
    s[7] = shape2(0, 4);
    *n = 8;
    return s;
}

static void test_elementwise(void **state)
{
    size_t n;
    const struct wb_shape *s = shapes(&n);

    (void)state;
    for (size_t k = 0; k < n; k++) {
        struct fixture a, b;
        struct wb_node *diff, *half, *scaled, *out;
        double *got;

        setup(&a, s[k], 1);
        setup(&b, s[k], 2);
        diff = wb_node_binary(WB_BINARY_sub, b.node, a.node, NULL);
        half = wb_node_scalar(0.5, NULL);
        scaled = wb_node_binary(WB_BINARY_mul, half, diff, NULL);
        out = wb_node_binary(WB_BINARY_add, a.node, scaled, NULL);
        got = values(out);
        for (size_t i = 0; i < a.n; i++)
            if ((float)got[i] != a.value[i] + 0.5f * (b.value[i] - a.value[i]))
                fail_msg("shape %zu entry %zu: %g", k, i, got[i]);
        free(got);
        wb_node_unref(out);
        wb_node_unref(scaled);
        wb_node_unref(half);
        wb_node_unref(diff);
        teardown(&a);
        teardown(&b);
    }
}

static void test_reductions(void **state)
{
    size_t n;
    const struct wb_shape *s = shapes(&n);

    (void)state;
    for (size_t k = 0; k + 1 < n; k++) {
        struct fixture a, b;
        double sum = 0, squares = 0, dot = 0, count = 0, least = INFINITY, most = 0;

        setup(&a, s[k], 3);
        setup(&b, s[k], 4);
        for (size_t i = 0; i < a.n; i++) {
            double x = (double)a.value[i], y = (double)b.value[i];

            sum += x;
            squares += x * x;
            dot += x * y;
            count += x != 0;
            least = x < least ? x : least;
            most = fabs(x) > most ? fabs(x) : most;
        }
        near(number(wb_node_reduce(WB_REDUCE_SUM, WB_AXIS_ALL, a.node, NULL, NULL)), sum);
        near(number(wb_node_reduce(WB_REDUCE_SUM_SQUARES, WB_AXIS_ALL, a.node, NULL, NULL)),
             squares);
        near(number(wb_node_reduce(WB_REDUCE_DOT, WB_AXIS_ALL, a.node, b.node, NULL)), dot);
        near(number(wb_node_reduce(WB_REDUCE_COUNT, WB_AXIS_ALL, a.node, NULL, NULL)), count);
        near(number(wb_node_reduce(WB_REDUCE_MIN, WB_AXIS_ALL, a.node, NULL, NULL)), least);
        near(number(wb_node_reduce(WB_REDUCE_ABSMAX, WB_AXIS_ALL, a.node, NULL, NULL)), most);
        teardown(&a);
        teardown(&b);
    }
}

static void test_rows_and_columns(void **state)
{
    size_t n;
    const struct wb_shape *s = shapes(&n);

    (void)state;
    for (size_t k = 2; k + 1 < n; k++) {
        struct fixture a;
        struct wb_node *row, *column, *spread, *minus;
        double *r, *c, *d;
        size_t rows, columns;

        setup(&a, s[k], 5);
        rows = (size_t)s[k].dim[0];
        columns = a.n / rows;
        row = wb_node_reduce(WB_REDUCE_SUM_ABS, WB_AXIS_ROW, a.node, NULL, NULL);
        column = wb_node_reduce(WB_REDUCE_SUM, WB_AXIS_COLUMN, a.node, NULL, NULL);
        spread = wb_node_per_row(row, &s[k], NULL);
        minus = wb_node_binary(WB_BINARY_sub, a.node, spread, NULL);
        r = values(row);
        c = values(column);
        d = values(minus);
        for (size_t i = 0; i < rows; i++) {
            double want = 0;

            for (size_t j = 0; j < columns; j++)
                want += (double)fabsf(a.value[i * columns + j]);
            near(r[i], want);
            near(d[i * columns], (double)(a.value[i * columns] - (float)want));
        }
        for (size_t j = 0; j < columns; j++) {
            double want = 0;

            for (size_t i = 0; i < rows; i++)
                want += (double)a.value[i * columns + j];
            near(c[j], want);
        }
        free(r);
        free(c);
        free(d);
        wb_node_unref(minus);
        wb_node_unref(spread);
        wb_node_unref(column);
        wb_node_unref(row);
        teardown(&a);
    }
}

/* What selection means, said plainly: order by key, ties by index. */
static const float *order_value;
static bool order_signed;

static int by_key_down(const void *pa, const void *pb)
{
    size_t a = *(const size_t *)pa, b = *(const size_t *)pb;
    float x = order_value[a], y = order_value[b];

    if (!order_signed) {
        x = fabsf(x);
        y = fabsf(y);
    }
    return x != y ? (x < y ? 1 : -1) : (a > b) - (a < b);
}

static void check_top(struct fixture *f, double k, bool by_value)
{
    struct wb_node *number_node = wb_node_scalar(k, NULL);
    struct wb_node *select = wb_node_select(&f->node, 1, number_node, by_value, NULL);
    struct wb_node *mask = wb_node_top(f->node, select, 0, NULL);
    size_t *order = malloc(f->n * sizeof *order);
    double *got = values(mask);
    size_t kept = 0;

    for (size_t i = 0; i < f->n; i++)
        order[i] = i;
    order_value = f->value;
    order_signed = by_value;
    qsort(order, f->n, sizeof *order, by_key_down);
    for (size_t i = 0; i < f->n; i++) {
        double want = (double)i < k;

        kept += (size_t)want;
        if (got[order[i]] != want)
            fail_msg("k %g: entry %zu of rank %zu", k, order[i], i);
    }
    assert_int_equal(kept, k < (double)f->n ? (size_t)k : f->n);
    free(order);
    free(got);
    wb_node_unref(mask);
    wb_node_unref(select);
    wb_node_unref(number_node);
}

static void test_select(void **state)
{
    static const double share[] = { 0, 1e-9, 0.001, 0.2, 0.5, 0.93, 1 };
    struct wb_shape s[] = { shape1(1), shape2(3, 7), shape2(300, 1000), shape1(400003) };

    (void)state;
    for (size_t k = 0; k < sizeof s / sizeof s[0]; k++) {
        struct fixture f;

        setup(&f, s[k], 6 + k);
        for (size_t i = 0; i < sizeof share / sizeof share[0]; i++) {
            check_top(&f, ceil(share[i] * (double)f.n), false);
            check_top(&f, ceil(share[i] * (double)f.n), true);
        }
        teardown(&f);
    }
}

static void test_select_among_many(void **state)
{
    struct fixture f[3];
    struct wb_node *in[3], *k = wb_node_scalar(120000, NULL), *select, *mask;
    struct wb_shape s[3] = { shape2(200, 300), shape1(290001), shape2(0, 5) };
    size_t total = 0, n = 0;

    (void)state;
    for (int i = 0; i < 3; i++) {
        setup(&f[i], s[i], 20 + (uint64_t)i);
        in[i] = f[i].node;
        total += f[i].n;
    }
    select = wb_node_select(in, 3, k, false, NULL);
    float *all = malloc(total * sizeof *all);
    size_t *order = malloc(total * sizeof *order);
    char *want = calloc(total, 1);

    for (int i = 0; i < 3; i++) {
        memcpy(all + n, f[i].value, f[i].n * sizeof *all);
        n += f[i].n;
    }
    for (size_t i = 0; i < total; i++)
        order[i] = i;
    order_value = all;
    order_signed = false;
    qsort(order, total, sizeof *order, by_key_down);
    for (size_t i = 0; i < 120000; i++)
        want[order[i]] = 1;
    n = 0;
    for (size_t i = 0; i < 3; i++) {
        double *got;

        mask = wb_node_top(f[i].node, select, i, NULL);
        got = values(mask);
        for (size_t j = 0; j < f[i].n; j++)
            if (got[j] != want[n + j])
                fail_msg("tensor %zu entry %zu", i, j);
        n += f[i].n;
        free(got);
        wb_node_unref(mask);
        teardown(&f[i]);
    }
    free(all);
    free(order);
    free(want);
    wb_node_unref(select);
    wb_node_unref(k);
}

/* Two selections in one pass must not share anything. */
static void test_select_twice_at_once(void **state)
{
    struct fixture a, b;
    struct wb_node *k = wb_node_scalar(1000, NULL), *sa, *sb, *ma, *mb, *sum;
    double *got, *alone[2];

    (void)state;
    setup(&a, shape2(300, 1000), 31);
    setup(&b, shape2(300, 1000), 32);
    sa = wb_node_select(&a.node, 1, k, false, NULL);
    sb = wb_node_select(&b.node, 1, k, false, NULL);
    ma = wb_node_top(a.node, sa, 0, NULL);
    mb = wb_node_top(b.node, sb, 0, NULL);
    sum = wb_node_binary(WB_BINARY_add, ma, mb, NULL);
    alone[0] = values(ma);
    alone[1] = values(mb);
    got = values(sum);
    for (size_t i = 0; i < a.n; i++)
        assert_true(got[i] == alone[0][i] + alone[1][i]);
    free(got);
    free(alone[0]);
    free(alone[1]);
    wb_node_unref(sum);
    wb_node_unref(ma);
    wb_node_unref(mb);
    wb_node_unref(sa);
    wb_node_unref(sb);
    wb_node_unref(k);
    teardown(&a);
    teardown(&b);
}

static void test_select_rows(void **state)
{
    struct fixture f;
    struct wb_node *k = wb_node_scalar(31, NULL), *select, *mask;
    double *got;

    (void)state;
    setup(&f, shape2(90, 1300), 30);
    select = wb_node_select_rows(f.node, k, false, NULL);
    mask = wb_node_top_rows(f.node, select, NULL);
    got = values(mask);
    for (size_t r = 0; r < 90; r++) {
        size_t order[1300];

        for (size_t i = 0; i < 1300; i++)
            order[i] = i;
        order_value = f.value + r * 1300;
        order_signed = false;
        qsort(order, 1300, sizeof order[0], by_key_down);
        for (size_t i = 0; i < 1300; i++)
            if (got[r * 1300 + order[i]] != (i < 31))
                fail_msg("row %zu column %zu", r, order[i]);
    }
    free(got);
    wb_node_unref(mask);
    wb_node_unref(select);
    wb_node_unref(k);
    teardown(&f);
}

static void test_views(void **state)
{
    struct fixture f;
    uint64_t rows[3] = { 7, 0, 7 }, columns[4] = { 1, 999, 3, 3 };
    struct wb_node *part, *picked, *both, *flat, *twice, *held, *turned;
    struct wb_shape line = shape1(300000);
    double *got;

    (void)state;
    setup(&f, shape2(300, 1000), 40);
    part = wb_node_rows(f.node, 10, 200, NULL);
    picked = wb_node_gather_rows(part, rows, 3, NULL);
    both = wb_node_gather_columns(picked, columns, 4, NULL);
    got = values(both);
    for (size_t r = 0; r < 3; r++)
        for (size_t c = 0; c < 4; c++)
            assert_true((float)got[r * 4 + c] == f.value[(10 + rows[r]) * 1000 + columns[c]]);
    free(got);
    flat = wb_node_reshape(f.node, &line, NULL);
    got = values(flat);
    for (size_t i = 0; i < f.n; i++)
        assert_true((float)got[i] == f.value[i]);
    free(got);
    twice = wb_node_binary(WB_BINARY_add, f.node, f.node, NULL); /* a stream: views hold it */
    held = wb_node_columns(twice, 5, 8, NULL);
    turned = wb_node_transpose(held, NULL);
    got = values(turned);
    for (size_t c = 0; c < 3; c++)
        for (size_t r = 0; r < 300; r++)
            assert_true((float)got[c * 300 + r] == 2 * f.value[r * 1000 + 5 + c]);
    free(got);
    wb_node_unref(turned);
    wb_node_unref(held);
    wb_node_unref(twice);
    wb_node_unref(flat);
    wb_node_unref(both);
    wb_node_unref(picked);
    wb_node_unref(part);
    teardown(&f);
}

static void test_dense(void **state)
{
    struct fixture a, b;
    struct wb_node *product, *out[3], *s, *us, *back, *spread;
    struct wb_shape shape = shape2(30, 20);
    double *got, *want;

    (void)state;
    setup(&a, shape2(30, 40), 50);
    setup(&b, shape2(40, 20), 51);
    product = wb_node_matmul(a.node, b.node, NULL);
    got = values(product);
    for (size_t r = 0; r < 30; r++)
        for (size_t c = 0; c < 20; c++) {
            double sum = 0;

            for (size_t i = 0; i < 40; i++)
                sum += (double)a.value[r * 40 + i] * (double)b.value[i * 20 + c];
            if (fabs(sum - got[r * 20 + c]) > 1e-5 * (1 + fabs(sum)))
                fail_msg("%g %g", sum, got[r * 20 + c]);
        }
    assert_true(wb_node_svd(product, 0, out, NULL));
    s = out[1];
    spread = wb_node_per_column(s, &shape, NULL);
    us = wb_node_binary(WB_BINARY_mul, out[0], spread, NULL);
    back = wb_node_matmul(us, out[2], NULL);
    want = values(back);
    for (size_t i = 0; i < 600; i++)
        if (fabs(got[i] - want[i]) > 1e-4)
            fail_msg("svd entry %zu: %g %g", i, got[i], want[i]);
    free(got);
    free(want);
    for (int i = 0; i < 3; i++)
        wb_node_unref(out[i]);
    wb_node_unref(back);
    wb_node_unref(us);
    wb_node_unref(spread);
    wb_node_unref(product);
    teardown(&a);
    teardown(&b);
}

/* A sink that keeps the bytes. */
struct bytes {
    uint8_t *at;
    size_t n;
    bool done;
    struct wb_hash hash;
};

static bool sink_put(void *ctx, size_t target, uint64_t first, const void *bytes, size_t n,
                     struct wb_err *err)
{
    struct bytes *b = (struct bytes *)ctx + target;

    (void)err;
    assert_true(first + n <= b->n);
    memcpy(b->at + first, bytes, n);
    return true;
}

static bool sink_done(void *ctx, size_t target, struct wb_hash hash, struct wb_err *err)
{
    struct bytes *b = (struct bytes *)ctx + target;

    (void)err;
    assert_false(b->done);
    b->done = true;
    b->hash = hash;
    return true;
}

/* Trim, normalise by a row norm, add noise: passes over passes. */
static struct wb_node *recipe(struct fixture *a, struct fixture *b)
{
    struct wb_node *d = wb_node_binary(WB_BINARY_sub, b->node, a->node, NULL);
    struct wb_node *k = wb_node_scalar((double)a->n * 0.3, NULL);
    struct wb_node *select = wb_node_select(&d, 1, k, false, NULL);
    struct wb_node *mask = wb_node_top(d, select, 0, NULL);
    struct wb_node *kept = wb_node_binary(WB_BINARY_mul, d, mask, NULL);
    struct wb_node *norm = wb_node_reduce(WB_REDUCE_SUM_SQUARES, WB_AXIS_ROW, kept, NULL, NULL);
    struct wb_node *root = wb_node_unary(WB_UNARY_sqrt, norm, NULL);
    struct wb_node *spread = wb_node_per_row(root, &a->shape, NULL);
    struct wb_node *noise = wb_node_bernoulli(&a->shape, 0.5, 42, 1, "w", NULL);
    struct wb_node *scaled = wb_node_binary(WB_BINARY_mul, kept, noise, NULL);
    struct wb_node *over = wb_node_binary(WB_BINARY_div, scaled, spread, NULL);
    struct wb_node *out = wb_node_binary(WB_BINARY_add, a->node, over, NULL);
    struct wb_node *all[] = { d, k, select, mask, kept, norm, root, spread, noise, scaled, over };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        wb_node_unref(all[i]);
    return out;
}

static void test_determinism(void **state)
{
    struct fixture a, b;
    struct wb_node *out;
    struct bytes first = { .n = 0 };
    static const int threads[] = { 1, 2, 4, 7 };
    size_t tables;
    const struct wb_kernels *const *table = wb_kernels_all(&tables), *best = wb_kernels();

    (void)state;
    setup(&a, shape2(500, 1111), 60);
    setup(&b, shape2(500, 1111), 61);
    out = recipe(&a, &b);
    for (size_t k = 0; k < tables; k++)
        for (size_t t = 0; t < 4; t++) {
            struct bytes got = { .n = a.n * 2 };
            struct wb_sink sink = { .ctx = &got, .put = sink_put, .done = sink_done };
            struct wb_eval how = { .threads = threads[t],
                                   .budget_bytes = t % 2 ? 1 << 20 : 1 << 30 };
            struct wb_target target = { .node = out, .write = true, .dtype = WB_DTYPE_BF16 };
            struct wb_err err;

            wb_kernels_use(table[k]);
            got.at = calloc(got.n, 1);
            if (!wb_evaluate(&how, &target, 1, &sink, &err))
                fail_msg("%s", err.msg);
            assert_true(got.done);
            assert_true(wb_hash_equal(got.hash, wb_hash_bytes(got.at, got.n)));
            if (first.at == NULL) {
                first = got;
                continue;
            }
            if (memcmp(first.at, got.at, got.n) != 0)
                fail_msg("table %s with %d threads differs", table[k]->name, threads[t]);
            free(got.at);
        }
    wb_kernels_use(best);
    free(first.at);
    wb_node_unref(out);
    teardown(&a);
    teardown(&b);
}

static void test_copy(void **state)
{
    struct fixture f;
    struct wb_node *part;
    struct wb_target target[2] = { { .write = true, .dtype = WB_DTYPE_F32 },
                                   { .write = true, .dtype = WB_DTYPE_F32, .group = 1 } };
    struct bytes got[2];
    struct wb_sink sink = { .ctx = got, .put = sink_put, .done = sink_done };
    struct wb_eval how = { .threads = 3 };
    struct wb_err err;

    (void)state;
    setup(&f, shape2(600, 1000), 70);
    part = wb_node_rows(f.node, 3, 403, NULL);
    target[0].node = f.node;
    target[1].node = part;
    got[0] = (struct bytes){ .at = calloc(f.n, 4), .n = f.n * 4 };
    got[1] = (struct bytes){ .at = calloc(400000, 4), .n = 1600000 };
    if (!wb_evaluate(&how, target, 2, &sink, &err))
        fail_msg("%s", err.msg);
    assert_memory_equal(got[0].at, f.value, f.n * 4);
    assert_memory_equal(got[1].at, f.value + 3000, 1600000);
    free(got[0].at);
    free(got[1].at);
    wb_node_unref(part);
    teardown(&f);
}

static void test_guard_names_the_place(void **state)
{
    struct fixture f;
    struct wb_node *log, *guard, *sum;
    struct wb_target target;
    double value;
    struct wb_err err;
    size_t first = SIZE_MAX, count = 0;
    char want[64];

    (void)state;
    setup(&f, shape2(300, 1000), 80);
    log = wb_node_unary(WB_UNARY_log, f.node, NULL);
    guard = wb_node_guard(log, "expert", "layers.0.q", NULL);
    sum = wb_node_reduce(WB_REDUCE_SUM, WB_AXIS_ALL, guard, NULL, NULL);
    for (size_t i = 0; i < f.n; i++)
        if (!(f.value[i] > 0)) {
            first = count++ == 0 ? i : first;
        }
    target = (struct wb_target){ .node = sum, .value = &value };
    assert_false(wb_evaluate(&(struct wb_eval){ .threads = 4 }, &target, 1, NULL, &err));
    assert_int_equal(err.code, WB_ENUMERIC);
    assert_non_null(strstr(err.msg, "layers.0.q"));
    assert_non_null(strstr(err.msg, "expert"));
    snprintf(want, sizeof want, "index %zu (%zu entries", first, count);
    assert_non_null(strstr(err.msg, want));
    wb_node_unref(sum);
    wb_node_unref(guard);
    wb_node_unref(log);
    teardown(&f);
}

static void poke(const struct fixture *f, size_t i, float value)
{
    char path[128];
    uint64_t header;
    FILE *file;

    snprintf(path, sizeof path, "%s/model.safetensors", f->dir);
    file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fread(&header, 8, 1, file), 1);
    fseek(file, (long)(8 + header + 4 * i), SEEK_SET);
    fwrite(&value, 4, 1, file);
    fclose(file);
}

/* (guard(b) - a) 4 + guard(a), written: what is not finite is found wherever it is; a sum that
 * overflows is none of the guards' business. */
static void test_guards_of_what_is_written(void **state)
{
    static const float value[] = { NAN, INFINITY, -INFINITY, 3e38f };
    static const enum wb_dtype dtype[] = { WB_DTYPE_BF16, WB_DTYPE_F32 };
    struct fixture f[2];
    struct wb_node *guard[2], *sub, *times, *out;
    struct wb_target target = { .write = true };

    (void)state;
    setup(&f[0], shape2(150, 1000), 81);
    setup(&f[1], shape2(150, 1000), 82);
    guard[0] = wb_node_guard(f[0].node, "base", "w", NULL);
    guard[1] = wb_node_guard(f[1].node, "expert", "w", NULL);
    sub = wb_node_binary(WB_BINARY_sub, guard[1], f[0].node, NULL);
    times = wb_node_scalar(4, NULL);
    target.node = out = wb_node_fma(sub, times, guard[0], NULL);
    assert_non_null(out);
    for (size_t i = 0; i < 16; i++) {
        size_t side = i % 2, at = i / 2 % 2 == 0 ? 3 : f[0].n - 1;
        struct bytes got = { .at = calloc(f[0].n, 4), .n = f[0].n * 4 };
        struct wb_sink sink = { .ctx = &got, .put = sink_put, .done = sink_done };
        struct wb_err err = { .code = WB_OK };
        char want[40];
        bool ok;

        target.dtype = dtype[i / 4 % 2];
        poke(&f[side], at, value[i / 4]);
        ok = wb_evaluate(&(struct wb_eval){ .threads = 2 }, &target, 1, &sink, &err);
        assert_true(ok == (isfinite(value[i / 4]) != 0));
        snprintf(want, sizeof want, "model %s at flat index %zu ", side == 0 ? "base" : "expert",
                 at);
        assert_true(ok || strstr(err.msg, want) != NULL);
        poke(&f[side], at, 1);
        free(got.at);
    }
    wb_node_unref(out);
    wb_node_unref(times);
    wb_node_unref(sub);
    for (int i = 0; i < 2; i++) {
        wb_node_unref(guard[i]);
        teardown(&f[i]);
    }
}

static void test_guard_of_a_number(void **state)
{
    struct wb_node *zero = wb_node_scalar(0, NULL),
                   *inf = wb_node_unary(WB_UNARY_recip, zero, NULL);
    struct wb_node *guard = wb_node_guard(inf, "expert", "scale", NULL);
    double value;
    struct wb_target target = { .node = guard, .value = &value };
    struct wb_err err;

    (void)state;
    assert_false(wb_evaluate(&(struct wb_eval){ .threads = 1 }, &target, 1, NULL, &err));
    assert_int_equal(err.code, WB_ENUMERIC);
    assert_non_null(strstr(err.msg, "scale: infinity in model expert"));
    wb_node_unref(guard);
    wb_node_unref(inf);
    wb_node_unref(zero);
}

static void test_sample(void **state)
{
    struct fixture f;
    struct wb_node *sum, *k, *select;
    struct wb_cache *cache = wb_cache_new(1 << 26);
    struct wb_eval how = { .threads = 2, .sample = true, .cache = cache };
    struct wb_cache_counts counts;
    double exact, *got;

    (void)state;
    setup(&f, shape2(3000, 1000), 90);
    sum = wb_node_reduce(WB_REDUCE_SUM_SQUARES, WB_AXIS_ALL, f.node, NULL, NULL);
    exact = number(wb_node_ref(sum));
    got = values_with(sum, how);
    assert_true(fabs(got[0] - exact) < 0.05 * exact && got[0] != exact);
    free(got);
    k = wb_node_scalar(600000, NULL);
    select = wb_node_select(&f.node, 1, k, false, NULL);
    got = values_with(select, how);
    assert_true(fabs(got[0] - 3.2) < 0.1); /* magnitudes are even in [0, 4) */
    free(got);
    counts = wb_cache_counts(cache);
    got = values_with(sum, how);
    assert_int_equal(wb_cache_counts(cache).hits, counts.hits + 1);
    assert_int_equal(wb_cache_counts(cache).misses, counts.misses);
    free(got);
    wb_cache_free(cache);
    wb_node_unref(select);
    wb_node_unref(k);
    wb_node_unref(sum);
    teardown(&f);
}

/* The mask of a selection on a sample has as many entries as the share says, whatever the cache
 * holds from another k; of ties too. */
static void test_selections_of_a_sample(void **state)
{
    struct fixture f;
    struct wb_cache *cache = wb_cache_new(1 << 26);
    struct wb_eval how = { .threads = 2, .sample = true, .cache = cache };
    const double total = 3000 * 992, visited = 33 * 992; /* so many rows */

    (void)state;
    setup(&f, shape2(3000, 992), 91);
    for (double share = 0; share <= 1; share += 0.0625) {
        struct wb_node *k = wb_node_scalar(share * total, NULL), *coarse, *count[2];

        coarse = wb_node_cast(f.node, WB_DTYPE_F8_E4M3, NULL); /* some hundred values */
        for (int ties = 0; ties < 2; ties++) {
            struct wb_node *in = ties ? coarse : f.node;
            struct wb_node *select = wb_node_select(&in, 1, k, false, NULL);
            struct wb_node *mask = wb_node_top(in, select, 0, NULL);
            double *got, *alone, *picked, *picked_alone;

            count[ties] = wb_node_reduce(WB_REDUCE_COUNT, WB_AXIS_ALL, mask, NULL, NULL);
            got = values_with(count[ties], how);
            alone = values_with(count[ties], (struct wb_eval){ .threads = 2, .sample = true });
            picked = values_with(select, how);
            picked_alone = values_with(select, (struct wb_eval){ .threads = 1, .sample = true });
            assert_true(got[0] == round(share * visited) * total / visited);
            assert_memory_equal(got, alone, sizeof *got);
            assert_memory_equal(picked, picked_alone, 3 * sizeof *picked);
            free(got);
            free(alone);
            free(picked);
            free(picked_alone);
            wb_node_unref(mask);
            wb_node_unref(select);
        }
        for (int ties = 0; ties < 2; ties++)
            wb_node_unref(count[ties]);
        wb_node_unref(coarse);
        wb_node_unref(k);
    }
    wb_cache_free(cache);
    teardown(&f);
}

/* Sums over a sample of short rows have the same bits alone and beside a sum of each row, which asks
 * for places. */
static void check_company(uint64_t width, enum wb_unary op)
{
    const struct wb_eval how = { .threads = 2, .sample = true };
    struct fixture f;
    struct wb_node *in, *all, *rows;
    struct wb_target target[2] = { { .node = NULL } };
    double alone[9], beside[9], *each = malloc(4000 * sizeof *each);

    setup(&f, shape2(4000, width), 92);
    in = wb_node_unary(op, f.node, NULL); /* off the grid, so that sums round */
    all = wb_node_reduce(WB_REDUCE_STATS, WB_AXIS_ALL, in, NULL, NULL);
    rows = wb_node_reduce(WB_REDUCE_SUM, WB_AXIS_ROW, in, NULL, NULL);
    target[0] = (struct wb_target){ .node = all, .value = beside };
    target[1] = (struct wb_target){ .node = rows, .value = each };
    assert_true(wb_evaluate(&how, target, 2, NULL, NULL));
    target[0].value = alone;
    assert_true(wb_evaluate(&how, target, 1, NULL, NULL));
    assert_memory_equal(alone, beside, sizeof alone);
    free(each);
    wb_node_unref(rows);
    wb_node_unref(all);
    wb_node_unref(in);
    teardown(&f);
}

static void test_samples_in_company(void **state)
{
    static const uint64_t width[] = { 18, 48, 50, 128, 136, 1000, 1040 };

    (void)state;
    for (size_t i = 0; i < sizeof width / sizeof width[0]; i++) {
        check_company(width[i], WB_UNARY_cos);
        check_company(width[i], WB_UNARY_sin);
        check_company(width[i], WB_UNARY_exp);
    }
}

static void test_cancel(void **state)
{
    struct fixture f;
    struct wb_node *sum;
    atomic_bool cancel = true;
    double value;
    struct wb_target target;
    struct wb_err err;

    (void)state;
    setup(&f, shape2(300, 1000), 100);
    sum = wb_node_reduce(WB_REDUCE_SUM, WB_AXIS_ALL, f.node, NULL, NULL);
    target = (struct wb_target){ .node = sum, .value = &value };
    assert_false(wb_evaluate(&(struct wb_eval){ .cancel = &cancel }, &target, 1, NULL, &err));
    assert_int_equal(err.code, WB_ECANCELLED);
    wb_node_unref(sum);
    teardown(&f);
}

static void test_small_arithmetic(void **state)
{
    double data[4] = { 4, 1, 1, 3 }, one[2] = { 1, 2 };
    struct wb_shape square = shape2(2, 2), column = shape2(2, 1);
    struct wb_node *a = wb_node_array(data, &square, NULL), *b = wb_node_array(one, &column, NULL);
    struct wb_node *x = wb_node_solve(a, b, NULL), *item = wb_node_item(x, 1, NULL);
    struct wb_node *packed = wb_node_pack((struct wb_node *[]){ item, item }, 2, &column, NULL);
    struct wb_node *product = wb_node_matmul(a, packed, NULL);
    double *got = values(product);

    (void)state;
    assert_int_equal(wb_node_domain(product), WB_SMALL);
    near(got[0], 5 * 7.0 / 11);
    near(got[1], 4 * 7.0 / 11);
    free(got);
    wb_node_unref(product);
    wb_node_unref(packed);
    wb_node_unref(item);
    wb_node_unref(x);
    wb_node_unref(b);
    wb_node_unref(a);
}

static void test_refusals(void **state)
{
    struct fixture a, b;
    struct wb_err err;

    (void)state;
    setup(&a, shape2(3, 4), 110);
    setup(&b, shape2(4, 3), 111);
    assert_null(wb_node_binary(WB_BINARY_add, a.node, b.node, &err));
    assert_int_equal(err.code, WB_ESHAPE);
    assert_non_null(strstr(err.msg, "[3, 4]"));
    assert_null(wb_node_rows(a.node, 2, 5, &err));
    assert_null(wb_node_matmul(a.node, a.node, &err));
    assert_null(wb_node_bernoulli(&a.shape, 1.5, 1, 0, "w", &err));
    teardown(&a);
    teardown(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elementwise),
        cmocka_unit_test(test_reductions),
        cmocka_unit_test(test_rows_and_columns),
        cmocka_unit_test(test_select),
        cmocka_unit_test(test_select_among_many),
        cmocka_unit_test(test_select_twice_at_once),
        cmocka_unit_test(test_select_rows),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_dense),
        cmocka_unit_test(test_determinism),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_guard_names_the_place),
        cmocka_unit_test(test_guards_of_what_is_written),
        cmocka_unit_test(test_guard_of_a_number),
        cmocka_unit_test(test_sample),
        cmocka_unit_test(test_selections_of_a_sample),
        cmocka_unit_test(test_samples_in_company),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_small_arithmetic),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
