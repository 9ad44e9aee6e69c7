/* tests/golden/test_zoo.c - merges, adapters and locks of really trained tiny models against independent figures.
 *
 * tests/data/zoo holds the models, tests/data/goldens/zoo the sum and norm of every tensor of a merge, from another
 * implementation. Permuted models are put through their own layers, in double. */
#include "app/job/run.h"
#include "app/tensor/kernels.h"
#include "tests/golden/golden.h"
#include "tests/unit/near.h"

#define ZOO "tests/data/zoo/"
#define RTOL_FIGURE 1e-5 /* float32 arithmetic in another order, over up to 200,000 entries */
#define OPEN(name) "wb.open \"" ZOO name "\""
#define EXPERTS \
    "base = " OPEN("base") ", models = {" OPEN("math") ", " OPEN("german") ", " OPEN("code") "}"
#define VIT_EXPERTS                                                                               \
    "models = {" OPEN("vit-digits") ", " OPEN("vit-rotated") ", " OPEN("vit-inverted") ", " OPEN( \
        "vit-parity") "}"
#define VIT                                     \
    "base = " OPEN("vit-base") ", " VIT_EXPERTS \
                               ", include = {\"vit.*\"}, on_missing = \"skip_model\""

static struct pipe pipe_;

struct figure {
    const char *file, *text;
};

static const struct figure figures[] = {
    { "merge_average", "return wb.merge(\"linear\", {models = {" OPEN("math") ", " OPEN(
                           "german") ", " OPEN("code") "}})" },
    { "merge_average_base_base-b",
      "return wb.merge(\"linear\", {models = {" OPEN("base") ", " OPEN("base-b") "}})" },
    { "merge_task_arithmetic_0.3",
      "return wb.merge(\"task_arithmetic\", {lambda = 0.3, " EXPERTS "})" },
    { "merge_task_arithmetic_0.4",
      "return wb.merge(\"task_arithmetic\", {lambda = 0.4, " EXPERTS "})" },
    { "merge_task_arithmetic_0.6",
      "return wb.merge(\"task_arithmetic\", {lambda = 0.6, " EXPERTS "})" },
    { "merge_task_arithmetic_0.8",
      "return wb.merge(\"task_arithmetic\", {lambda = 0.8, " EXPERTS "})" },
    { "merge_ties", "return wb.merge(\"ties\", {density = 0.2, " EXPERTS "})" },
    { "merge_slerp_math_german", "return wb.merge(\"slerp\", {t = 0.5, base = " OPEN(
                                     "math") ", models = {" OPEN("german") "}})" },
    { "merge_vit_base", "return " OPEN("vit-base") },
    { "merge_vit_average",
      "return wb.merge(\"linear\", {" VIT_EXPERTS ", include = {\"vit.*\"}})" },
    { "merge_vit_task_arithmetic_0.2",
      "return wb.merge(\"task_arithmetic\", {lambda = 0.2, " VIT "})" },
    { "merge_vit_task_arithmetic_0.3",
      "return wb.merge(\"task_arithmetic\", {lambda = 0.3, " VIT "})" },
    { "merge_vit_task_arithmetic_0.4",
      "return wb.merge(\"task_arithmetic\", {lambda = 0.4, " VIT "})" },
    { "merge_vit_task_arithmetic_0.5",
      "return wb.merge(\"task_arithmetic\", {lambda = 0.5, " VIT "})" },
    { "merge_vit_task_arithmetic_0.6",
      "return wb.merge(\"task_arithmetic\", {lambda = 0.6, " VIT "})" },
    { "merge_vit_ties", "return wb.merge(\"ties\", {density = 0.2, " VIT "})" },
};

/* --- merges by their figures ------------------------------------------------------------------- */

/* Kahan's sum: what the test adds must not be what it measures. */
static double exact_sum(const float *x, size_t n, bool squares)
{
    double sum = 0, lost = 0;

    for (size_t i = 0; i < n; i++) {
        double term = squares ? (double)x[i] * (double)x[i] : (double)x[i], y = term - lost,
               next = sum + y;

        lost = (next - sum) - y;
        sum = next;
    }
    return sum;
}

static bool figure_near(const char *tensor, const char *what, double got, double want)
{
    if (fabs(got - want) <= RTOL_FIGURE * fabs(want))
        return true;
    printf("%s: %s %.9g, want %.9g\n", tensor, what, got, want);
    return false;
}

static void test_figure(void **state)
{
    const struct figure *f = *state;
    struct wb_err err = { 0 };
    struct wb_str path = { 0 };
    struct wb_model *m = golden_run(&pipe_, f->text);
    uint8_t **bytes = pipe_bytes(&pipe_.how, m, true, &err);
    const cJSON *want, *cosine;
    size_t found = 0, expected;
    cJSON *file;

    wb_str_printf(&path, "tests/data/goldens/zoo/%s.json", f->file);
    file = wb_json_parse_file(path.text, (size_t)1 << 20, &err);
    if (bytes == NULL || file == NULL)
        printf("%s\n", err.msg);
    assert_non_null(bytes);
    assert_non_null(file);
    expected = (size_t)cJSON_GetArraySize(cJSON_GetObjectItem(file, "tensors"));
    for (size_t i = 0; i < wb_model_count(m); i++) {
        const struct wb_entry *e = wb_model_entry(m, i);
        const float *x = (const float *)(const void *)bytes[i];
        size_t n = wb_node_count(e->node);

        want = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItem(file, "tensors"), e->name);
        if (want == NULL)
            continue;
        found++;
        assert_true(
            figure_near(e->name, "sum", exact_sum(x, n, false), wb_json_number(want, "sum", NAN)));
        assert_true(figure_near(e->name, "l2", sqrt(exact_sum(x, n, true)),
                                wb_json_number(want, "l2", NAN)));
    }
    assert_int_equal(found, expected);
    cJSON_ArrayForEach (cosine, cJSON_GetObjectItem(file, "cosine"))
        assert_true(figure_near(cosine->string, "cosine",
                                pipe_note(&pipe_.how, m, cosine->string, "cosine"),
                                cosine->valuedouble));
    pipe_bytes_free(m, bytes);
    wb_model_unref(m);
    cJSON_Delete(file);
    wb_str_free(&path);
}

/* --- adapters ---------------------------------------------------------------------------------- */

/* W + (alpha / r) B A of every adapted tensor, worked out here in double. */
static void check_adapter(const char *dir, double scale)
{
    struct wb_str text = { 0 };
    struct wb_model *base, *merged, *adapter;
    size_t adapted = 0;

    wb_str_printf(&text, "return wb.open(\"" ZOO "base\", {lora = \"%s\"})", dir);
    base = golden_run(&pipe_, "return " OPEN("base"));
    merged = golden_run(&pipe_, text.text);
    wb_str_free(&text);
    wb_str_printf(&text, "return wb.open \"%s/adapter_model.safetensors\"", dir);
    adapter = golden_run(&pipe_, text.text);
    for (size_t i = 0; i < wb_model_count(base); i++) {
        const char *name = wb_model_entry(base, i)->name;
        struct pipe_data w = golden_fetch(&pipe_, base, name),
                         got = golden_fetch(&pipe_, merged, name), a = { 0 }, b = { 0 };
        size_t stem = strlen(name) - strlen(".weight");
        char factor[300];

        snprintf(factor, sizeof factor, "base_model.model.%.*s.lora_A.weight", (int)stem, name);
        if (wb_model_find(adapter, factor) != NULL) {
            adapted++;
            a = golden_fetch(&pipe_, adapter, factor);
            snprintf(factor, sizeof factor, "base_model.model.%.*s.lora_B.weight", (int)stem, name);
            b = golden_fetch(&pipe_, adapter, factor);
        }
        for (size_t e = 0; e < w.n; e++) {
            size_t columns = w.shape.dim[w.shape.ndim - 1], rank = a.x != NULL ? a.shape.dim[0] : 0;
            double sum = 0;

            for (size_t k = 0; k < rank; k++)
                sum += (double)b.x[e / columns * rank + k] * (double)a.x[k * columns + e % columns];
            assert_true(fabs((double)got.x[e] - ((double)w.x[e] + scale * sum)) <= 1e-6);
        }
        free(w.x);
        free(got.x);
        free(a.x);
        free(b.x);
    }
    assert_int_equal(adapted, 56); /* 7 in each of 8 layers */
    wb_model_unref(base);
    wb_model_unref(merged);
    wb_model_unref(adapter);
    wb_str_free(&text);
}

static void test_adapters(void **state)
{
    (void)state;
    check_adapter(ZOO "lora-math", 2);
    check_adapter(ZOO "lora-code", 2);
}

/* An adapter that was taken out of a merge with one of its rank gives the merge again. */
static void test_extract_and_apply(void **state)
{
    struct wb_run run = { .report = WB_REPORT_NONE };
    struct wb_run_result result = { 0 };
    struct wb_model *m, *again, *whole;
    struct wb_err err = { 0 };
    char out[128];
    struct wb_str text = { 0 };

    (void)state;
    snprintf(out, sizeof out, "%s/extracted", pipe_.dir);
    run.out = out;
    m = golden_run(
        &pipe_,
        "local base = " OPEN(
            "base") "\nlocal tuned = wb.open(\"" ZOO "base\", {lora = \"" ZOO "lora-math\"})\n"
                    "return wb.compress(\"lora_extract\", tuned, {base = base, max_rank = 8})");
    if (!wb_run_model(&run, m, &result, &err))
        fail_msg("%s", err.msg);
    wb_run_result_free(&result);
    wb_model_unref(m);
    wb_str_printf(&text, "return wb.open(\"" ZOO "base\", {lora = \"%s\"})", out);
    again = golden_run(&pipe_, text.text);
    whole = golden_run(&pipe_, "return wb.open(\"" ZOO "base\", {lora = \"" ZOO "lora-math\"})");
    for (size_t i = 0; i < wb_model_count(whole); i++) {
        const char *name = wb_model_entry(whole, i)->name;
        struct pipe_data want = golden_fetch(&pipe_, whole, name),
                         got = golden_fetch(&pipe_, again, name);

        assert_true(near_f32(want.n, got.x, want.x, 1e-5));
        free(want.x);
        free(got.x);
    }
    wb_model_unref(again);
    wb_model_unref(whole);
    wb_str_free(&text);
}

/* --- permuted models compute the same ---------------------------------------------------------- */

#define TOKENS 5

/* y (tokens, out) = x (tokens, in) W^T + b; b may be NULL. */
static void linear(const struct pipe_data *w, const struct pipe_data *b, const double *x, double *y)
{
    size_t out = w->shape.dim[0], in = w->shape.dim[1];

    for (size_t t = 0; t < TOKENS; t++)
        for (size_t r = 0; r < out; r++) {
            double sum = b != NULL && b->x != NULL ? (double)b->x[r] : 0;

            for (size_t c = 0; c < in; c++)
                sum += (double)w->x[r * in + c] * x[t * in + c];
            y[t * out + r] = sum;
        }
}

/* Causal attention with grouped heads. Without positions: the order of heads matters no more with them. */
static void attention(const double *q, const double *k, const double *v, size_t heads,
                      size_t kv_heads, size_t width, double *y)
{
    for (size_t t = 0; t < TOKENS; t++)
        for (size_t h = 0; h < heads; h++) {
            size_t g = h / (heads / kv_heads);
            double score[TOKENS], total = 0;

            for (size_t s = 0; s <= t; s++) {
                double dot = 0;

                for (size_t i = 0; i < width; i++)
                    dot += q[(t * heads + h) * width + i] * k[(s * kv_heads + g) * width + i];
                score[s] = exp(dot / sqrt((double)width));
                total += score[s];
            }
            for (size_t i = 0; i < width; i++) {
                double sum = 0;

                for (size_t s = 0; s <= t; s++)
                    sum += score[s] / total * v[(s * kv_heads + g) * width + i];
                y[(t * heads + h) * width + i] = sum;
            }
        }
}

struct layer {
    struct pipe_data q, k, v, o, gate, up, down, qb, kb, vb, ob, upb, downb;
};

static void optional(const struct wb_model *m, const char *format, int i, struct pipe_data *out)
{
    char name[128];

    snprintf(name, sizeof name, "%s%d.%s",
             format[0] == 'v' ? "vit.encoder.layer." : "model.layers.", i, format + 1);
    *out = (struct pipe_data){ 0 };
    if (wb_model_find(m, name) != NULL)
        *out = golden_fetch(&pipe_, m, name);
}

static void read_layer(const struct wb_model *m, int i, struct layer *l)
{
    bool vit = strcmp(wb_arch_family(wb_model_arch(m)), "vit") == 0;

    optional(m, vit ? "vattention.attention.query.weight" : "lself_attn.q_proj.weight", i, &l->q);
    optional(m, vit ? "vattention.attention.key.weight" : "lself_attn.k_proj.weight", i, &l->k);
    optional(m, vit ? "vattention.attention.value.weight" : "lself_attn.v_proj.weight", i, &l->v);
    optional(m, vit ? "vattention.output.dense.weight" : "lself_attn.o_proj.weight", i, &l->o);
    optional(m, vit ? "vnone" : "lmlp.gate_proj.weight", i, &l->gate);
    optional(m, vit ? "vintermediate.dense.weight" : "lmlp.up_proj.weight", i, &l->up);
    optional(m, vit ? "voutput.dense.weight" : "lmlp.down_proj.weight", i, &l->down);
    optional(m, vit ? "vattention.attention.query.bias" : "lnone", i, &l->qb);
    optional(m, vit ? "vattention.attention.key.bias" : "lnone", i, &l->kb);
    optional(m, vit ? "vattention.attention.value.bias" : "lnone", i, &l->vb);
    optional(m, vit ? "vattention.output.dense.bias" : "lnone", i, &l->ob);
    optional(m, vit ? "vintermediate.dense.bias" : "lnone", i, &l->upb);
    optional(m, vit ? "voutput.dense.bias" : "lnone", i, &l->downb);
}

static void free_layer(struct layer *l)
{
    struct pipe_data *all[] = { &l->q,  &l->k,  &l->v,  &l->o,  &l->gate, &l->up,   &l->down,
                                &l->qb, &l->kb, &l->vb, &l->ob, &l->upb,  &l->downb };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]->x);
}

/* Attention and feed-forward of one layer on the same inputs x (tokens, d); y (2, tokens, d). */
static void run_layer(const struct layer *l, const struct wb_dims *dims, const double *x, double *y)
{
    static double q[TOKENS * 512], k[TOKENS * 512], v[TOKENS * 512], mixed[TOKENS * 512];
    size_t d = l->q.shape.dim[1], width = (size_t)dims->head_dim;

    linear(&l->q, &l->qb, x, q);
    linear(&l->k, &l->kb, x, k);
    linear(&l->v, &l->vb, x, v);
    attention(q, k, v, (size_t)dims->heads, (size_t)dims->kv_heads, width, mixed);
    linear(&l->o, &l->ob, mixed, y);
    linear(&l->up, &l->upb, x, q);
    if (l->gate.x != NULL)
        linear(&l->gate, NULL, x, k);
    for (size_t i = 0; i < TOKENS * l->up.shape.dim[0]; i++)
        q[i] = l->gate.x != NULL ? k[i] / (1 + exp(-k[i])) * q[i]
                                 : q[i] * 0.5 * (1 + erf(q[i] / sqrt(2)));
    linear(&l->down, &l->downb, q, y + TOKENS * d);
}

static void check_permuted(const char *model)
{
    struct wb_str text = { 0 };
    struct wb_model *plain, *locked, *back;
    uint8_t **before, **after, **restored;
    const struct wb_dims *dims;
    static double x[TOKENS * 128], y[2 * TOKENS * 128], z[2 * TOKENS * 128];
    struct wb_err err = { 0 };
    size_t moved = 0;
    uint64_t state = 1;

    wb_str_printf(&text, "return wb.open \"" ZOO "%s\"", model);
    plain = golden_run(&pipe_, text.text);
    wb_str_free(&text);
    wb_str_printf(
        &text, "return wb.protect(\"permute\", wb.open \"" ZOO "%s\", {key = \"correct horse\"})",
        model);
    locked = golden_run(&pipe_, text.text);
    wb_str_free(&text);
    wb_str_printf(&text,
                  "local m = wb.protect(\"permute\", wb.open \"" ZOO
                  "%s\", {key = \"correct horse\"})\n"
                  "return wb.protect(\"permute\", m, {unlock = true, key = \"correct horse\"})",
                  model);
    back = golden_run(&pipe_, text.text);
    dims = wb_arch_dims(wb_model_arch(plain));
    for (int i = 0; i < dims->layers; i++) {
        struct layer a, b;

        read_layer(plain, i, &a);
        read_layer(locked, i, &b);
        for (size_t e = 0; e < TOKENS * a.q.shape.dim[1]; e++)
            x[e] = golden_noise(&state);
        run_layer(&a, dims, x, y);
        run_layer(&b, dims, x, z);
        assert_true(near_f64(2 * TOKENS * a.q.shape.dim[1], z, y, 1e-12));
        free_layer(&a);
        free_layer(&b);
    }
    before = pipe_bytes(&pipe_.how, plain, false, &err);
    after = pipe_bytes(&pipe_.how, locked, false, &err);
    restored = pipe_bytes(&pipe_.how, back, false, &err);
    assert_true(before != NULL && after != NULL && restored != NULL);
    assert_int_equal(wb_model_count(plain), wb_model_count(back));
    for (size_t i = 0; i < wb_model_count(plain); i++) {
        struct wb_node *node = wb_model_entry(plain, i)->node;
        uint64_t size = 0;

        assert_true(wb_shape_bytes(wb_node_shape(node), wb_node_dtype(node), &size));
        assert_string_equal(wb_model_entry(plain, i)->name, wb_model_entry(back, i)->name);
        assert_int_equal(wb_node_dtype(node), wb_node_dtype(wb_model_entry(back, i)->node));
        assert_memory_equal(before[i], restored[i], size);
        moved += memcmp(before[i], after[i], size) != 0;
    }
    assert_true(moved >=
                3 * (size_t)dims->layers); /* every feed-forward, and most attention groups */
    pipe_bytes_free(plain, before);
    pipe_bytes_free(locked, after);
    pipe_bytes_free(back, restored);
    wb_model_unref(plain);
    wb_model_unref(locked);
    wb_model_unref(back);
    wb_str_free(&text);
}

static void test_permuted_llama(void **state)
{
    (void)state;
    check_permuted("math");
}

static void test_permuted_vit(void **state)
{
    (void)state;
    check_permuted("vit-digits");
}

static void test_permute_wrong_key(void **state)
{
    struct wb_err err;

    (void)state;
    assert_null(
        pipe_run(&pipe_,
                 "local m = wb.protect(\"permute\", " OPEN(
                     "math") ", {key = \"one\"})\n"
                             "return wb.protect(\"permute\", m, {unlock = true, key = \"two\"})",
                 &err));
    assert_non_null(strstr(err.msg, "another key"));
}

/* --- the same bytes whatever the machine does -------------------------------------------------- */

static const char *const deterministic[] = {
    "return wb.merge(\"ties\", {density = 0.2, " EXPERTS "})",
    "return wb.merge(\"ties\", {definition = \"official\", K = 20, " EXPERTS "})",
    "return wb.merge(\"dare_ties\", {density = 0.3, " EXPERTS "})",
    "return wb.merge(\"breadcrumbs\", {density = 0.6, gamma = 0.05, " EXPERTS "})",
    "return wb.merge(\"pcb\", {" EXPERTS "})",
    "return wb.merge(\"karcher\", {models = {" OPEN("math") ", " OPEN("german") ", " OPEN(
        "code") "}})",
    "return wb.merge(\"model_stock\", {" EXPERTS "})",
};

static void test_deterministic(void **state)
{
    static const int threads[] = { 1, 2, 4, 7 };
    struct wb_model *m = golden_run(&pipe_, *(const char *const *)*state);
    const struct wb_kernels *best = wb_kernels(), *const * all;
    char first[65] = "", digest[65];
    struct wb_err err = { 0 };
    size_t tables;

    all = wb_kernels_all(&tables);
    for (size_t i = 0; i < 8 + tables; i++) { /* threads and budgets, then every table */
        struct wb_eval how = { .threads = i < 8 ? threads[i / 2] : 2,
                               .budget_bytes =
                                   i % 2 == 0 ? (uint64_t)64 << 20 : (uint64_t)4 << 30 };

        wb_kernels_use(i < 8 ? best : all[i - 8]);
        if (!pipe_digest(&how, m, digest, &err))
            fail_msg("%s", err.msg);
        if (first[0] == '\0')
            memcpy(first, digest, sizeof first);
        if (strcmp(first, digest) != 0)
            fail_msg("%s kernels, %d threads, budget %llu", wb_kernels()->name, how.threads,
                     (unsigned long long)how.budget_bytes);
    }
    wb_kernels_use(best);
    wb_model_unref(m);
}

int main(void)
{
    enum {
        FIGURES = sizeof figures / sizeof figures[0],
        SAME = sizeof deterministic / sizeof deterministic[0]
    };
    struct CMUnitTest tests[FIGURES + SAME + 5];
    static char names[SAME][64];
    size_t n = 0;
    int failed;

    for (size_t i = 0; i < FIGURES; i++)
        tests[n++] = (struct CMUnitTest){ figures[i].file, test_figure, NULL, NULL,
                                          (void *)(uintptr_t)&figures[i] };
    for (size_t i = 0; i < SAME; i++) {
        snprintf(names[i], sizeof names[i], "same bytes: %.40s",
                 deterministic[i] + strlen("return wb.merge("));
        tests[n++] = (struct CMUnitTest){ names[i], test_deterministic, NULL, NULL,
                                          (void *)(uintptr_t)&deterministic[i] };
    }
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_adapters);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_extract_and_apply);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_permuted_llama);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_permuted_vit);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_permute_wrong_key);
    if (!pipe_open(&pipe_))
        return 1;
    failed = _cmocka_run_group_tests("zoo", tests, n, NULL, NULL);
    pipe_close(&pipe_);
    return failed;
}
