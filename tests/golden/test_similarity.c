/* tests/golden/test_similarity.c - weights against weights, by plain sums in double. */
#include "app/probe/similarity.h"
#include "tests/golden/made.h"

/* Sums of float32 products in double, in another order. */
#define SUM_TOLERANCE 1e-9
/* The golden's numbers become float32; a model plus a task vector is rounded once more. */
#define GOLDEN_TOLERANCE 1e-6
#define SAMPLE_TOLERANCE 0.03

static struct pipe pipe_;

static struct wb_model *opened(const char *path)
{
    struct wb_err err;
    struct wb_model *m = wb_model_open(path, pipe_.set, &err);

    if (m == NULL)
        fail_msg("%s", err.msg);
    return m;
}

static void near(const char *what, double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance * (1 + fabs(want))))
        fail_msg("%s: got %.17g, want %.17g", what, got, want);
}

static void layers(const struct wb_eval *how, const struct wb_model *m, const struct wb_model *base,
                   struct wb_pairwise *out)
{
    struct wb_err err;

    if (!wb_similarity_layers(how, m, base, NULL, out, &err))
        fail_msg("%s", err.msg);
}

static void models(const struct wb_eval *how, struct wb_model *const *m, size_t n,
                   const struct wb_model *base, struct wb_pairwise *out)
{
    struct wb_err err;

    if (!wb_similarity_models(how, m, n, base, NULL, out, &err))
        fail_msg("%s", err.msg);
}

static size_t role(const struct wb_pairwise *p, const char *name)
{
    for (size_t r = 0; r < p->roles; r++)
        if (strcmp(p->role[r], name) == 0)
            return r;
    fail_msg("no role %s", name);
    return 0;
}

static void test_golden(void **state)
{
    struct wb_err err;
    cJSON *file = wb_json_parse_file("tests/data/goldens/inspect_weight_similarity.json",
                                     (size_t)1 << 20, &err);
    const cJSON *one = cJSON_GetArrayItem(cJSON_GetObjectItem(file, "cases"), 0);
    const cJSON *in = cJSON_GetObjectItem(one, "inputs"),
                *want = cJSON_GetObjectItem(one, "expected");
    const cJSON *base = cJSON_GetObjectItem(in, "base");
    static const char *const tau[] = { "tau1", "tau2" };
    struct wb_model *m[4];
    struct wb_pairwise p;
    char path[200], name[16];

    (void)state;
    assert_non_null(base);
    for (int k = 0; k < 4; k++) { /* both task vectors, base and base + the first */
        struct pipe_writer w = { 0 };
        struct wb_shape shape = { 0 };
        double t[64], b[64];
        float x[64];
        size_t n = pipe_flatten(cJSON_GetObjectItem(in, tau[k == 1]), t, &shape, 0);

        pipe_flatten(base, b, NULL, 0);
        for (size_t i = 0; i < n; i++)
            x[i] = (float)(k < 2 ? t[i] : k == 2 ? b[i] : b[i] + t[i]);
        made_add(&w, "w", &shape, WB_DTYPE_F32, x);
        snprintf(name, sizeof name, "golden%d", k);
        made_write(&pipe_, &w, name, NULL);
        snprintf(path, sizeof path, "%s/%s", pipe_.dir, name);
        m[k] = opened(path);
    }
    models(&pipe_.how, m, 4, NULL, &p);
    near("cosine", wb_pairwise_get(&p, WB_PAIRWISE_COSINE, WB_ALL_ROLES, 0, 1),
         wb_json_number(want, "cosine", NAN), GOLDEN_TOLERANCE);
    near("relative update", wb_pairwise_get(&p, WB_PAIRWISE_RELATIVE_L2, WB_ALL_ROLES, 2, 3),
         wb_json_number(want, "relative_update_1", NAN), GOLDEN_TOLERANCE);
    wb_pairwise_free(&p);
    for (int k = 0; k < 4; k++)
        wb_model_unref(m[k]);
    cJSON_Delete(file);
}

/* Sums over all tensors of two models whose role is `only` (NULL: all). */
static void plain(const struct wb_model *a, const struct wb_model *b, const struct wb_model *base,
                  const char *only, double *cosine, double *relative)
{
    double xx = 0, yy = 0, xy = 0, dd = 0;

    for (size_t i = 0; i < wb_model_count(a); i++) {
        const struct wb_entry *e = wb_model_entry(a, i);
        struct pipe_data x, y, z = { 0 };

        if (only != NULL && strcmp(e->role.role, only) != 0)
            continue;
        x = golden_fetch(&pipe_, a, e->name);
        y = golden_fetch(&pipe_, b, e->name);
        if (base != NULL)
            z = golden_fetch(&pipe_, base, e->name);
        for (size_t k = 0; k < x.n; k++) {
            float u = x.x[k] - (base != NULL ? z.x[k] : 0),
                  v = y.x[k] - (base != NULL ? z.x[k] : 0);

            xx += (double)u * u;
            yy += (double)v * v;
            xy += (double)u * v;
            dd += ((double)u - v) * ((double)u - v);
        }
        free(x.x);
        free(y.x);
        free(z.x);
    }
    *cosine = xy / sqrt(xx * yy);
    *relative = sqrt(dd / xx);
}

static void test_models(void **state)
{
    struct wb_model *base = opened("tests/data/zoo/base");
    struct wb_model *m[] = { opened("tests/data/zoo/math"), opened("tests/data/zoo/german"),
                             golden_run(&pipe_, "return wb.merge('linear', {models = {wb.open "
                                                "'tests/data/zoo/math', wb.open "
                                                "'tests/data/zoo/code'}})") };
    struct wb_pairwise p;
    double cosine, relative;

    (void)state;
    for (int with = 0; with < 2; with++) {
        models(&pipe_.how, m, 3, with ? base : NULL, &p);
        assert_int_equal(p.items, 3);
        assert_int_equal(p.alone, 0);
        for (size_t i = 0; i < 3; i++)
            for (size_t j = 0; j < 3; j++) {
                plain(m[i], m[j], with ? base : NULL, NULL, &cosine, &relative);
                near("cosine", wb_pairwise_get(&p, WB_PAIRWISE_COSINE, WB_ALL_ROLES, i, j), cosine,
                     SUM_TOLERANCE);
                near("relative", wb_pairwise_get(&p, WB_PAIRWISE_RELATIVE_L2, WB_ALL_ROLES, i, j),
                     relative, SUM_TOLERANCE);
            }
        plain(m[0], m[1], with ? base : NULL, "q", &cosine, &relative);
        near("cosine of q", wb_pairwise_get(&p, WB_PAIRWISE_COSINE, role(&p, "q"), 0, 1), cosine,
             SUM_TOLERANCE);
        assert_true(wb_pairwise_get(&p, WB_PAIRWISE_RELATIVE_L2, WB_ALL_ROLES, 1, 1) == 0);
        assert_true(wb_pairwise_get(&p, WB_PAIRWISE_COSINE, WB_ALL_ROLES, 1, 1) == 1);
        wb_pairwise_free(&p);
    }
    for (int k = 0; k < 3; k++)
        wb_model_unref(m[k]);
    wb_model_unref(base);
}

/* Products of the tensors of two layers, of one role or all. */
static double plain_layers(const struct wb_model *m, int i, int j, const char *only)
{
    double xx = 0, yy = 0, xy = 0;

    for (size_t t = 0; t < wb_model_count(m); t++) {
        const struct wb_entry *e = wb_model_entry(m, t);
        struct pipe_data x, y;
        char name[200];

        if (e->role.layer != i || (only != NULL && strcmp(e->role.role, only) != 0))
            continue;
        assert_true(wb_arch_rename_layer(wb_model_arch(m), e->name, j, name, sizeof name));
        x = golden_fetch(&pipe_, m, e->name);
        y = golden_fetch(&pipe_, m, name);
        for (size_t k = 0; k < x.n; k++) {
            xx += (double)x.x[k] * x.x[k];
            yy += (double)y.x[k] * y.x[k];
            xy += (double)x.x[k] * y.x[k];
        }
        free(x.x);
        free(y.x);
    }
    return xy / sqrt(xx * yy);
}

static void test_layers(void **state)
{
    static const char *const only[] = { NULL, "q", "down", "attn_norm" };
    struct wb_model *m = opened("tests/data/zoo/base");
    struct wb_eval one = { .threads = 1, .budget_bytes = 1 << 20 }, seven = { .threads = 7 };
    struct wb_pairwise p, q;

    (void)state;
    layers(&one, m, NULL, &p);
    layers(&seven, m, NULL, &q);
    assert_int_equal(p.items, 8);
    assert_int_equal(p.roles, 9);
    assert_memory_equal(p.dot, q.dot, 9 * 64 * sizeof(double)); /* whatever the threads */
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < 8; i += 3)
            for (int j = 0; j < 8; j++) {
                size_t r = only[k] == NULL ? WB_ALL_ROLES : role(&p, only[k]);
                double got = wb_pairwise_get(&p, WB_PAIRWISE_COSINE, r, (size_t)i, (size_t)j);

                assert_int_equal(p.item[i].layer, i);
                near("cosine", got, plain_layers(m, i, j, only[k]), SUM_TOLERANCE);
                assert_true(got ==
                            wb_pairwise_get(&p, WB_PAIRWISE_COSINE, r, (size_t)j, (size_t)i));
            }
    wb_pairwise_free(&p);
    wb_pairwise_free(&q);
    layers(&one, m, m, &p); /* nothing was changed: no direction */
    assert_true(isnan(wb_pairwise_get(&p, WB_PAIRWISE_COSINE, WB_ALL_ROLES, 0, 1)));
    wb_pairwise_free(&p);
    wb_model_unref(m);
}

/* Layers that lack a tensor or have it in another shape; NaN; a sample of large ones. */
static void test_odd_layers(void **state)
{
    static const struct made tensor[] = {
        { "model.layers.0.self_attn.q_proj.weight", { 2, { 800, 300 } } },
        { "model.layers.1.self_attn.q_proj.weight", { 2, { 800, 300 } } },
        { "model.layers.2.self_attn.q_proj.weight", { 2, { 800, 300 } } },
        { "model.layers.0.mlp.up_proj.weight", { 2, { 40, 30 } } },
        { "model.layers.1.mlp.up_proj.weight", { 2, { 50, 30 } } },
        { "model.layers.2.mlp.up_proj.weight", { 2, { 40, 30 } } },
        { "model.layers.0.mlp.down_proj.weight", { 2, { 30, 40 } } },
        { "model.layers.1.mlp.down_proj.weight", { 2, { 30, 40 } } },
        { "model.layers.2.mlp.gate_proj.weight", { 2, { 30, 40 } } },
    };
    struct pipe_writer w = { 0 };
    struct wb_eval sampled = { .threads = 2, .sample = true }, how = { .threads = 2 };
    atomic_bool cancel = true;
    struct wb_pairwise p, s;
    struct wb_model *m;
    struct wb_err err;
    char path[200];

    (void)state;
    for (size_t i = 0; i < 9; i++) {
        struct recipe r = { i % 3 == 2 ? 5 : 6, i + 1, 0.7, 1, 0, WB_DTYPE_F32 };
        size_t n = (size_t)(tensor[i].shape.dim[0] * tensor[i].shape.dim[1]);
        float *x = made_values(&r, n, i / 3);

        if (i == 6)
            x[7] = NAN;
        made_add(&w, tensor[i].name, &tensor[i].shape, WB_DTYPE_F32, x);
        free(x);
    }
    made_write(&pipe_, &w, "layers", NULL);
    snprintf(path, sizeof path, "%s/layers", pipe_.dir);
    m = opened(path);
    layers(&how, m, NULL, &p);
    assert_int_equal(p.items, 3);
    assert_int_equal(p.alone, 2); /* gate, and up of layer 1 */
    near("q", wb_pairwise_get(&p, WB_PAIRWISE_COSINE, role(&p, "q"), 0, 1),
         plain_layers(m, 0, 1, "q"), SUM_TOLERANCE);
    assert_true(isnan(wb_pairwise_get(&p, WB_PAIRWISE_COSINE, role(&p, "up"), 0, 1)));
    near("up", wb_pairwise_get(&p, WB_PAIRWISE_COSINE, role(&p, "up"), 0, 2),
         plain_layers(m, 0, 2, "up"), SUM_TOLERANCE);
    assert_true(isnan(wb_pairwise_get(&p, WB_PAIRWISE_COSINE, role(&p, "down"), 0, 1)));
    assert_true(isnan(wb_pairwise_get(&p, WB_PAIRWISE_COSINE, WB_ALL_ROLES, 0, 1)));
    near("all of 1 and 2", wb_pairwise_get(&p, WB_PAIRWISE_COSINE, WB_ALL_ROLES, 1, 2),
         plain_layers(m, 1, 2, "q"), SUM_TOLERANCE); /* q is all they share */
    layers(&sampled, m, NULL, &s);
    near("sampled", wb_pairwise_get(&s, WB_PAIRWISE_COSINE, role(&s, "q"), 0, 1),
         wb_pairwise_get(&p, WB_PAIRWISE_COSINE, role(&p, "q"), 0, 1), SAMPLE_TOLERANCE);
    near("sampled norm", sqrt(s.norm[(role(&s, "q") * 3) * 3]),
         sqrt(p.norm[(role(&p, "q") * 3) * 3]), SAMPLE_TOLERANCE);
    how.cancel = &cancel;
    wb_pairwise_free(&s);
    assert_false(wb_similarity_layers(&how, m, NULL, NULL, &s, &err));
    assert_int_equal(err.code, WB_ECANCELLED);
    wb_pairwise_free(&p);
    wb_model_unref(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_odd_layers),
    };
    int failed;

    if (!pipe_open(&pipe_))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    pipe_close(&pipe_);
    return failed;
}
