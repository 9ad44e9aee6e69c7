/* tests/golden/test_zoo.c - merges and adapters of really trained tiny models against independent figures.
 *
 * tests/data/zoo holds the models, tests/data/goldens/zoo the sum and norm of every tensor of a merge, from another
 * implementation. */
#include "app/job/run.h"
#include "tests/golden/made.h"
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
    cJSON_ArrayForEach(cosine, cJSON_GetObjectItem(file, "cosine"))
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

/* Take the difference of `tuned` from `base` (Lua expressions) with params, write it, apply it to base again. */
static struct wb_model *extract_and_apply(const char *base, const char *tuned, const char *params,
                                          struct wb_model **adapter)
{
    struct wb_run run = { .force = true, .report = WB_REPORT_NONE };
    struct wb_run_result result = { 0 };
    struct wb_str text = { 0 };
    struct wb_err err = { 0 };
    struct wb_model *again;
    char out[128];

    snprintf(out, sizeof out, "%s/extracted", pipe_.dir);
    run.out = out;
    wb_str_printf(&text,
                  "local function open(path, lora) return wb.open(path, {lora = lora}) end\n"
                  "return wb.compress(\"lora_extract\", %s, {base = %s, %s})",
                  tuned, base, params);
    *adapter = golden_run(&pipe_, text.text);
    if (!wb_run_model(&run, *adapter, &result, &err))
        fail_msg("%s", err.msg);
    wb_run_result_free(&result);
    wb_str_free(&text);
    wb_str_printf(&text,
                  "local function open(path) return wb.open(path, {lora = \"%s\"}) end\nreturn %s",
                  out, base);
    again = golden_run(&pipe_, text.text);
    wb_str_free(&text);
    return again;
}

static void check_extracted(const char *base, const char *tuned, const char *params)
{
    struct wb_model *adapter, *again = extract_and_apply(base, tuned, params, &adapter), *want;
    struct wb_str text = { 0 };

    wb_str_printf(
        &text, "local function open(path, lora) return wb.open(path, {lora = lora}) end\nreturn %s",
        tuned);
    want = golden_run(&pipe_, text.text);
    for (size_t i = 0; i < wb_model_count(want); i++) {
        const char *name = wb_model_entry(want, i)->name;
        struct pipe_data x = golden_fetch(&pipe_, want, name),
                         got = golden_fetch(&pipe_, again, name);

        if (strcmp(wb_model_entry(want, i)->role.kind, "bias") != 0) /* those are left out */
            if (!near_f32(x.n, got.x, x.x, 1e-5))
                fail_msg("%s", name);
        free(x.x);
        free(got.x);
    }
    wb_model_unref(adapter);
    wb_model_unref(again);
    wb_model_unref(want);
    wb_str_free(&text);
}

/* An adapter of full rank gives the fine-tuned model again, and so does one of the rank of the adapter that
 * made it; weights stored [in, out] too. */
static void test_extract_and_apply(void **state)
{
    char base[128], tuned[128];

    (void)state;
    check_extracted("open \"" ZOO "base\"", "open(\"" ZOO "base\", \"" ZOO "lora-math\")",
                    "max_rank = 8");
    check_extracted("open \"" ZOO "base\"", "open \"" ZOO "math\"", "max_rank = 128");
    check_extracted("open \"" ZOO "base\"", "open \"" ZOO "math\"",
                    "embed_lora = true, distribute_scale = false");
    made_family(&pipe_, "gpt2", "gpt2", (struct recipe){ 1, 2, 0, 1, 0, WB_DTYPE_F32 });
    made_family(&pipe_, "gpt2-tuned", "gpt2", (struct recipe){ 1, 2, 0.1, 1, 0, WB_DTYPE_F32 });
    snprintf(base, sizeof base, "open \"%s/gpt2\"", pipe_.dir);
    snprintf(tuned, sizeof tuned, "open \"%s/gpt2-tuned\"", pipe_.dir);
    check_extracted(base, tuned, "max_rank = 128");
}

/* Ranks by energy differ from module to module; what is lost is what the report says. */
static void test_extract_energy(void **state)
{
    struct wb_model *adapter, *again, *base, *math;
    const char *name = "model.layers.3.mlp.up_proj.weight";
    struct pipe_data x, y, b;
    double lost = 0, all = 0, reported;

    (void)state;
    again =
        extract_and_apply("open \"" ZOO "base\"", "open \"" ZOO "math\"", "energy = 0.9", &adapter);
    base = golden_run(&pipe_, "return " OPEN("base"));
    math = golden_run(&pipe_, "return " OPEN("math"));
    x = golden_fetch(&pipe_, math, name);
    y = golden_fetch(&pipe_, again, name);
    b = golden_fetch(&pipe_, base, name);
    for (size_t i = 0; i < x.n; i++) {
        lost += ((double)x.x[i] - (double)y.x[i]) * ((double)x.x[i] - (double)y.x[i]);
        all += ((double)x.x[i] - (double)b.x[i]) * ((double)x.x[i] - (double)b.x[i]);
    }
    reported = pipe_note(&pipe_.how, adapter, name, "relative_error");
    assert_true(fabs(sqrt(lost / all) - reported) < 1e-5);
    assert_true(reported <= sqrt(0.1) && reported > sqrt(0.08));
    free(x.x);
    free(y.x);
    free(b.x);
    wb_model_unref(adapter);
    wb_model_unref(again);
    wb_model_unref(base);
    wb_model_unref(math);
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
    struct CMUnitTest tests[FIGURES + SAME + 3];
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
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_extract_energy);
    if (!pipe_open(&pipe_))
        return 1;
    failed = _cmocka_run_group_tests("zoo", tests, n, NULL, NULL);
    pipe_close(&pipe_);
    return failed;
}
