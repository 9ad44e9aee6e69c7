/* tests/golden/test_laws.c - what must hold for merges whatever the weights: copies, order, scale, scope,
 * rounding, and the same bytes for any threads, budget and kernels. */
#include "tests/golden/made.h"
#include "tests/unit/near.h"

#define NEAR 2e-6 /* a few float32 roundings of values up to about 3 */

static struct pipe pipe_;

static const struct made odd[] = {
    { "a.one", { 2, { 1, 1 } } },        { "b.row", { 2, { 1, 37 } } },
    { "c.column", { 2, { 23, 1 } } },    { "d.vector", { 1, { 19 } } },
    { "e.conv", { 4, { 5, 3, 2, 2 } } }, { "f.empty", { 2, { 0, 7 } } },
    { "g.matrix", { 2, { 33, 65 } } },
};

#define ODD odd, sizeof odd / sizeof odd[0]

static void make_family(const char *suffix, double scale, double shift, enum wb_dtype dtype)
{
    static const struct {
        const char *name;
        double size;
    } member[] = { { "base", 0 }, { "m1", 0.1 }, { "m2", 0.1 }, { "m3", 0.2 } };
    char name[32];

    for (size_t i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s%s", member[i].name, suffix);
        made_model(&pipe_, name, (struct recipe){ 7, 20 + i, member[i].size, scale, shift, dtype },
                   ODD);
    }
}

static void assert_same_bytes(const char *what, const struct wb_model *got,
                              const struct wb_model *want)
{
    uint8_t **a = golden_bytes(&pipe_, got, false), **b = golden_bytes(&pipe_, want, false);

    assert_int_equal(wb_model_count(got), wb_model_count(want));
    for (size_t i = 0; i < wb_model_count(got); i++) {
        struct wb_node *node = wb_model_entry(want, i)->node;
        uint64_t bits = wb_dtype_bits(wb_node_dtype(node));

        assert_int_equal(wb_node_dtype(wb_model_entry(got, i)->node), wb_node_dtype(node));
        if (!same_bits(wb_model_entry(want, i)->name, wb_node_count(node), bits / 8, a[i], b[i]))
            fail_msg("%s", what);
    }
    pipe_bytes_free(got, a);
    pipe_bytes_free(want, b);
}

/* got = want * scale + shift, within tolerance. */
static void assert_near_model(const char *what, const struct wb_model *got,
                              const struct wb_model *want, double scale, double shift,
                              double tolerance)
{
    uint8_t **a = golden_bytes(&pipe_, got, true), **b = golden_bytes(&pipe_, want, true);

    assert_int_equal(wb_model_count(got), wb_model_count(want));
    for (size_t i = 0; i < wb_model_count(got); i++) {
        float *x = (float *)(void *)a[i], *y = (float *)(void *)b[i];

        for (size_t k = 0; k < wb_node_count(wb_model_entry(want, i)->node); k++)
            if (!(fabs((double)x[k] - ((double)y[k] * scale + shift)) <= tolerance))
                fail_msg("%s: %s [%zu]: got %.9g, want %.9g", what, wb_model_entry(want, i)->name,
                         k, (double)x[k], (double)y[k] * scale + shift);
    }
    pipe_bytes_free(got, a);
    pipe_bytes_free(want, b);
}

/* Copies of one model give its bytes back. */
static void test_copies(void **state)
{
    static const char *const text[] = {
        "return wb.merge('linear', {models = {M'%1$s', M'%1$s', M'%1$s'}, weight = {0.2, 0.5, "
        "0.9}})",
        "return wb.merge('linear', {models = {M'%1$s', M'%1$s', M'%1$s'}})",
        "return wb.merge('slerp', {base = M'%1$s', models = {M'%1$s'}, t = 0.3})",
        "return wb.merge('nuslerp', {models = {M'%1$s', M'%1$s'}, weight = {1, 2}})",
        "return wb.merge('nuslerp', {models = {M'%1$s', M'%1$s'}, weight = {1, 2}, arc = 'row'})",
        "return wb.merge('nuslerp', {models = {M'%1$s', M'%1$s'}, weight = {1, 2}, arc = "
        "'column'})",
        "return wb.merge('nuslerp', {base = M'%2$s', models = {M'%1$s', M'%1$s'}, weight = {1, "
        "2}})",
        "return wb.merge('multislerp', {models = {M'%1$s', M'%1$s', M'%1$s'}, weight = {0.2, 0.5, "
        "0.9}})",
        "return wb.merge('multislerp', {base = M'%2$s', models = {M'%1$s', M'%1$s', M'%1$s'}})",
        "return wb.merge('karcher', {models = {M'%1$s', M'%1$s', M'%1$s'}})",
        "return wb.merge('karcher', {models = {M'%1$s', M'%1$s'}})",
        "return wb.merge('model_stock', {base = M'%2$s', models = {M'%1$s', M'%1$s', M'%1$s'}})",
        "return wb.merge('model_stock', {base = M'%2$s', models = {M'%1$s', M'%1$s'}, filter_wise "
        "= true})",
        "return wb.merge('layer_swap', {models = {M'%1$s', M'%1$s'}, non_layer = 'average'})",
    };
    char filled[400];

    (void)state;
    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++)
        for (int bf16 = 0; bf16 < 2; bf16++) {
            const char *model = bf16 ? "m1.bf16" : "m1", *base = bf16 ? "base.bf16" : "base",
                       *from = text[i];
            size_t n = 0;
            struct wb_model *got, *want;

            for (; *from != '\0' && n + 1 < sizeof filled; from++)
                if (from[0] == '%')
                    n += (size_t)snprintf(filled + n, sizeof filled - n, "%s",
                                          from[1] == '1' ? model : base),
                        from += 3;
                else
                    filled[n++] = *from;
            filled[n] = '\0';
            got = made_run(&pipe_, filled);
            want = made_run_format(&pipe_, "return M'%s'", model);
            assert_same_bytes(filled, got, want);
            wb_model_unref(got);
            wb_model_unref(want);
        }
}

/* Where a rounding stays: task vectors added to the base again. */
static void test_copies_of_task_vectors(void **state)
{
    static const char *const text[] = {
        "return wb.merge('task_arithmetic', {base = M'base', models = {M'm1', M'm1', M'm1'}, "
        "lambda = 1 / 3})",
        "return wb.merge('task_arithmetic', {base = M'base', models = {M'm1', M'm1'}, normalize = "
        "true})",
        "return wb.merge('ties', {base = M'base', models = {M'm1', M'm1', M'm1'}})",
        "return wb.merge('ties', {base = M'base', models = {M'm1', M'm1'}, definition = "
        "'official', K = 100})",
        "return wb.merge('dare_linear', {base = M'base', models = {M'm1', M'm1'}, normalize = "
        "true})",
    };
    struct wb_model *want = made_run(&pipe_, "return M'm1'");

    (void)state;
    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++) {
        struct wb_model *got = made_run(&pipe_, text[i]);

        assert_near_model(text[i], got, want, 1, 0, NEAR);
        wb_model_unref(got);
    }
    wb_model_unref(want);
}

/* Methods on task vectors: order, neutrality, scale and shift hold for all of them. */
static const char *const delta_methods[] = {
    "'task_arithmetic', {lambda = 0.4, weight = {%s}, ",
    "'ties', {density = 0.3, weight = {%s}, ",
    "'ties', {density = 0.3, scope = 'model', rescale = false, weight = {%s}, ",
    "'ties', {definition = 'official', K = 30, --[[%s]] ",
    "'ties', {definition = 'official', K = 0.4, merge_func = 'dis-max', --[[%s]] ",
    "'breadcrumbs', {density = 0.6, gamma = 0.1, weight = {%s}, ",
    "'breadcrumbs', {density = 0.6, gamma = 0.1, vote = true, weight = {%s}, ",
    "'breadcrumbs', {definition = 'official', top_k_keep = 0.5, --[[%s]] ",
    "'model_stock', {--[[%s]] ",
    "'model_stock', {filter_wise = true, --[[%s]] ",
};

#define DELTA_METHODS (sizeof delta_methods / sizeof delta_methods[0])

static struct wb_model *run_delta(size_t method, const char *weight, const char *base,
                                  const char *models)
{
    char head[200];

    snprintf(head, sizeof head, "%s", delta_methods[method]);
    *strstr(head, "%s") = '\0';
    return made_run_format(&pipe_, "return wb.merge(%s%s%sbase = M'%s', models = {%s}})", head,
                           weight, strstr(delta_methods[method], "%s") + 2, base, models);
}

static void test_order_of_models(void **state)
{
    (void)state;
    for (size_t i = 0; i < DELTA_METHODS; i++) {
        struct wb_model *a = run_delta(i, "0.5, 1, 0.7", "base", "M'm1', M'm2', M'm3'");
        struct wb_model *b = run_delta(i, "0.7, 0.5, 1", "base", "M'm3', M'm1', M'm2'");

        assert_near_model(delta_methods[i], a, b, 1, 0, NEAR);
        wb_model_unref(a);
        wb_model_unref(b);
    }
    static const char *const pair[][2] = {
        { "'linear', {weight = {1, 2, 3}, models = {M'm1', M'm2', M'm3'}}",
          "'linear', {weight = {3, 1, 2}, models = {M'm3', M'm1', M'm2'}}" },
        { "'multislerp', {weight = {1, 2, 3}, models = {M'm1', M'm2', M'm3'}}",
          "'multislerp', {weight = {3, 1, 2}, models = {M'm3', M'm1', M'm2'}}" },
        { "'karcher', {models = {M'm1', M'm2', M'm3'}}",
          "'karcher', {models = {M'm3', M'm1', M'm2'}}" },
        { "'pcb', {base = M'base', lambdas = {1, 2, 3}, models = {M'm1', M'm2', M'm3'}}",
          "'pcb', {base = M'base', lambdas = {3, 1, 2}, models = {M'm3', M'm1', M'm2'}}" },
        { "'slerp', {base = M'm1', models = {M'm2'}, t = 0.3}",
          "'slerp', {base = M'm2', models = {M'm1'}, t = 0.7}" },
        { "'nuslerp', {models = {M'm1', M'm2'}, weight = {1, 3}}",
          "'nuslerp', {models = {M'm2', M'm1'}, weight = {3, 1}}" },
    };
    for (size_t i = 0; i < sizeof pair / sizeof pair[0]; i++) {
        struct wb_model *a = made_run_format(&pipe_, "return wb.merge(%s)", pair[i][0]),
                        *b = made_run_format(&pipe_, "return wb.merge(%s)", pair[i][1]);

        assert_near_model(pair[i][0], a, b, 1, 0, NEAR);
        wb_model_unref(a);
        wb_model_unref(b);
    }
}

/* A model equal to the base changes nothing, byte for byte. */
static void test_neutral_model(void **state)
{
    (void)state;
    for (size_t i = 0; i < 8; i++) { /* not model_stock: its cosines are 0 */
        struct wb_model *a = run_delta(i, "1, 1, 1", "base", "M'm1', M'base', M'm2'");
        struct wb_model *b = run_delta(i, "1, 1", "base", "M'm1', M'm2'");

        assert_same_bytes(delta_methods[i], a, b);
        wb_model_unref(a);
        wb_model_unref(b);
    }
    struct wb_model *a = made_run(
        &pipe_, "return wb.merge('model_stock', {base = M'base', models = {M'm1', M'base'}})");
    struct wb_model *b = made_run(&pipe_, "return M'base'");

    assert_same_bytes("model_stock with the base: the base", a, b);
    wb_model_unref(a);
    wb_model_unref(b);
}

static void test_scale_and_shift(void **state)
{
    (void)state;
    for (size_t i = 0; i < DELTA_METHODS; i++) {
        struct wb_model *a = run_delta(i, "1, 0.5, 0.7", "base", "M'm1', M'm2', M'm3'");
        struct wb_model *twice =
            run_delta(i, "1, 0.5, 0.7", "base.twice", "M'm1.twice', M'm2.twice', M'm3.twice'");

        assert_near_model(delta_methods[i], twice, a, 2, 0, NEAR);
        wb_model_unref(twice);
        if (i < 1 ||
            i >= 8) { /* the changed low bits of a shift reorder magnitudes that nearly tie */
            struct wb_model *moved =
                run_delta(i, "1, 0.5, 0.7", "base.moved", "M'm1.moved', M'm2.moved', M'm3.moved'");

            assert_near_model(delta_methods[i], moved, a, 1, 1, NEAR);
            wb_model_unref(moved);
        }
        wb_model_unref(a);
    }
}

/* Methods whose statistics run over the whole model do not care how it is cut into tensors; those per tensor do. */
static void test_splitting(void **state)
{
    static const struct made whole[] = { { "w", { 2, { 32, 24 } } } };
    static const char *const text[] = {
        "return wb.merge('ties', {definition = 'official', K = 20, base = M'%1$s0', models = "
        "{M'%1$s1', M'%1$s2'}})",
        "return wb.merge('ties', {density = 0.2, scope = 'model', base = M'%1$s0', models = "
        "{M'%1$s1', M'%1$s2'}})",
        "return wb.merge('pcb', {ratio = 0.3, base = M'%1$s0', models = {M'%1$s1', M'%1$s2'}})",
        "return wb.merge('pcb', {variant = 'vision', clamp = 0.01, base = M'%1$s0', models = "
        "{M'%1$s1', M'%1$s2'}})",
        "return wb.merge('task_arithmetic', {base = M'%1$s0', models = {M'%1$s1', M'%1$s2'}})",
        "return wb.merge('ties', {density = 0.2, base = M'%1$s0', models = {M'%1$s1', M'%1$s2'}})",
    };

    (void)state;
    for (uint64_t i = 0; i < 3; i++) {
        struct recipe r = { 3, 40 + i, i > 0 ? 0.1 * (double)i : 0, 1, 0, WB_DTYPE_F32 };
        struct wb_shape part[] = { { 2, { 5, 24 } }, { 2, { 27, 24 } } };
        struct pipe_writer w = { 0 };
        float *x = made_values(&r, 768, 0);
        char name[16];

        snprintf(name, sizeof name, "whole%d", (int)i);
        made_model(&pipe_, name, r, whole, 1);
        snprintf(name, sizeof name, "parts%d", (int)i);
        made_add(&w, "w0", &part[0], WB_DTYPE_F32, x);
        made_add(&w, "w1", &part[1], WB_DTYPE_F32, x + 120);
        made_write(&pipe_, &w, name, NULL);
        free(x);
    }
    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++) {
        struct wb_model *m[2];
        uint8_t **a, **b;
        char filled[300];

        for (int side = 0; side < 2; side++) {
            size_t n = 0;

            for (const char *from = text[i]; *from != '\0'; from++)
                if (from[0] == '%')
                    n += (size_t)snprintf(filled + n, sizeof filled - n, "%s",
                                          side ? "parts" : "whole"),
                        from += 3;
                else
                    filled[n++] = *from;
            filled[n] = '\0';
            m[side] = made_run(&pipe_, filled);
        }
        a = golden_bytes(&pipe_, m[0], true);
        b = golden_bytes(&pipe_, m[1], true);
        assert_true((memcmp(a[0], b[0], 480) == 0 && memcmp(a[0] + 480, b[1], 648 * 4) == 0) ==
                    (i < 5));
        pipe_bytes_free(m[0], a);
        pipe_bytes_free(m[1], b);
        wb_model_unref(m[0]);
        wb_model_unref(m[1]);
    }
}

/* bf16 in, bf16 out: the float32 result rounded once. */
static void test_rounded_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < DELTA_METHODS; i++) {
        struct wb_model *m =
            run_delta(i, "1, 0.5, 0.7", "base.bf16", "M'm1.bf16', M'm2.bf16', M'm3.bf16'");
        uint8_t **narrow = golden_bytes(&pipe_, m, false), **wide = golden_bytes(&pipe_, m, true);

        for (size_t k = 0; k < wb_model_count(m); k++) {
            size_t n = wb_node_count(wb_model_entry(m, k)->node);
            uint16_t *rounded = calloc(n + 1, sizeof *rounded);

            assert_non_null(rounded);
            assert_int_equal(wb_node_dtype(wb_model_entry(m, k)->node), WB_DTYPE_BF16);
            wb_kernels()->narrow[WB_DTYPE_BF16](n, (const float *)(const void *)wide[k], rounded);
            assert_true(same_bits(wb_model_entry(m, k)->name, n, 2, narrow[k], rounded));
            free(rounded);
        }
        pipe_bytes_free(m, narrow);
        pipe_bytes_free(m, wide);
        wb_model_unref(m);
    }
}

/* The share DARE keeps lies within 4 sigma, another seed draws another mask, and rescaling keeps the mean. */
static void test_dare_draws(void **state)
{
    static const struct made big[] = { { "w", { 2, { 400, 500 } } } };
    const double n = 200000, density = 0.3;
    struct wb_model *m, *other, *again;
    double share;

    (void)state;
    made_model(&pipe_, "big0", (struct recipe){ 1, 1, 0, 0, 0, WB_DTYPE_F32 }, big, 1); /* zeros */
    made_model(&pipe_, "big1", (struct recipe){ 1, 2, 1, 1, 2, WB_DTYPE_F32 }, big, 1);
    m = made_run(&pipe_,
                 "return wb.merge('dare_linear', {base = M'big0', models = {M'big1', M'big1'}, "
                 "density = 0.3})");
    share = pipe_note(&pipe_.how, m, "w", "kept_share.1");
    assert_true(fabs(share - density) <= 4 * sqrt(density * (1 - density) / n));
    again = made_run(&pipe_, "return wb.merge('dare_linear', {base = M'big0', models = {M'big1', "
                             "M'big1'}, density = 0.3, seed = 42})");
    assert_same_bytes("the default seed is 42", again, m);
    other = made_run(&pipe_, "return wb.merge('dare_linear', {base = M'big0', models = {M'big1', "
                             "M'big1'}, density = 0.3, seed = 43})");
    assert_true(pipe_note(&pipe_.how, other, "w", "kept_share.1") != share);
    wb_model_unref(other);
    /* two models have masks of their own: what is left of d - d */
    other = made_run(&pipe_, "return wb.merge('dare_linear', {base = M'big0', models = {M'big1', "
                             "M'big1'}, density = 0.3, "
                             "weight = {1, -1}})");
    assert_true(pipe_note(&pipe_.how, other, "w", "merged_delta_norm") > 100);
    wb_model_unref(m);
    wb_model_unref(again);
    wb_model_unref(other);
}

/* The same bytes for any threads, budget and kernels, with tensors of several tiles. */
static void test_many_tiles(void **state)
{
    static const struct made tiles[] = { { "a", { 2, { 700, 1001 } } },
                                         { "b", { 2, { 3, 100003 } } },
                                         { "c", { 1, { 987654 } } } };
    static const char *const method[] = {
        "'ties', {density = 0.2, base = M'tiles0', ",
        "'ties', {definition = 'official', base = M'tiles0', ",
        "'dare_ties', {density = 0.3, rescale = 'l1', base = M'tiles0', ",
        "'breadcrumbs', {density = 0.6, gamma = 0.05, base = M'tiles0', ",
        "'pcb', {base = M'tiles0', ",
        "'karcher', {",
        "'model_stock', {base = M'tiles0', ",
        "'model_stock', {filter_wise = true, base = M'tiles0', ",
    };
    const struct wb_kernels *best = wb_kernels(), *const * all;
    size_t tables;

    (void)state;
    all = wb_kernels_all(&tables);
    for (uint64_t i = 0; i < 4; i++) {
        char name[16];

        snprintf(name, sizeof name, "tiles%d", (int)i);
        made_model(&pipe_, name,
                   (struct recipe){ 9, 60 + i, i > 0 ? 0.05 * (double)i : 0, 1, 0, WB_DTYPE_BF16 },
                   tiles, 3);
    }
    for (size_t i = 0; i < sizeof method / sizeof method[0]; i++) {
        struct wb_model *m = made_run_format(
            &pipe_, "return wb.merge(%smodels = {M'tiles1', M'tiles2', M'tiles3'}})", method[i]);
        static const int threads[] = { 1, 2, 4, 7 };
        char first[65] = "", digest[65];
        struct wb_err err = { 0 };

        for (size_t t = 0; t < 4 + tables;
             t++) { /* threads and budgets with the best kernels, then every table */
            struct wb_eval how = { .threads = t < 4 ? threads[t] : 2,
                                   .budget_bytes =
                                       t % 2 == 0 ? (uint64_t)64 << 20 : (uint64_t)4 << 30 };

            wb_kernels_use(t < 4 ? best : all[t - 4]);
            if (!pipe_digest(&how, m, digest, &err))
                fail_msg("%s", err.msg);
            if (first[0] == '\0')
                memcpy(first, digest, sizeof first);
            if (strcmp(first, digest) != 0)
                fail_msg("%s differs with %d threads, %s kernels", method[i], how.threads,
                         wb_kernels()->name);
        }
        wb_kernels_use(best);
        wb_model_unref(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copies),          cmocka_unit_test(test_copies_of_task_vectors),
        cmocka_unit_test(test_order_of_models), cmocka_unit_test(test_neutral_model),
        cmocka_unit_test(test_scale_and_shift), cmocka_unit_test(test_splitting),
        cmocka_unit_test(test_rounded_once),    cmocka_unit_test(test_dare_draws),
        cmocka_unit_test(test_many_tiles),
    };
    int failed;

    if (!pipe_open(&pipe_))
        return 1;
    make_family("", 1, 0, WB_DTYPE_F32);
    make_family(".twice", 2, 0, WB_DTYPE_F32);
    make_family(".moved", 1, 1, WB_DTYPE_F32);
    make_family(".bf16", 1, 0, WB_DTYPE_BF16);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    pipe_close(&pipe_);
    return failed;
}
