/* tests/golden/test_score_zoo.c - scores of really trained tiny models against independent figures.
 *
 * tests/data/goldens/zoo/golden.json holds what a second implementation measured on the stored files: likelihoods
 * within windows of 127 tokens, exact answers, accuracies; of models, of adapters, and of merges that were never
 * rounded. */
#include "app/infer/score.h"
#include "tests/golden/made.h"
#include "tests/golden/widened.h"

#define ZOO "tests/data/zoo/"
#define EVAL ZOO "eval/"
#define NLL_NEAR 1e-4 /* float32 sums in another order, over 8 layers */
#define WINDOW 127
#define OPEN(name) "wb.open \"" ZOO name "\""
#define EXPERTS \
    "base = " OPEN("base") ", models = {" OPEN("math") ", " OPEN("german") ", " OPEN("code") "}"
#define VIT_EXPERTS                                                                      \
    "base = " OPEN("vit-base") ", models = {" OPEN("vit-digits") ", " OPEN(              \
        "vit-rotated") ", " OPEN("vit-inverted") ", " OPEN("vit-parity") "}, include = " \
                                                                         "{\"vit.*\"}, " \
                                                                         "on_missing = " \
                                                                         "\"skip_model\""

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW true
#else
#define SLOW false
#endif

static struct pipe pipe_;
static cJSON *golden;

static const cJSON *get(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    if (item == NULL)
        fail_msg("no '%s' in the goldens", key);
    return item;
}

static bool near(const char *model, const char *what, double got, double want, double tolerance)
{
    if (fabs(got - want) <= tolerance)
        return true;
    printf("%s: %s is %.9g, want %.9g\n", model, what, got, want);
    return false;
}

/* One score; counts what is wrong. */
static int check(struct wb_net *net, const struct wb_tokenizer *t, const char *model,
                 const cJSON *metric)
{
    const char *name = metric->string, *end = strstr(name, "_nll");
    struct wb_text_score score;
    struct wb_windows windows;
    struct wb_err err = { 0 };
    char path[200];
    bool ok;

    snprintf(path, sizeof path, EVAL "%.*s.txt", (int)(end - name), name);
    ok = wb_windows_read(t, wb_net_spec(net), path, WINDOW, 0, &windows, &err) &&
         wb_score_text(net, &windows, NULL, NULL, &score, &err);
    if (!ok)
        printf("%s: %s: %s\n", model, name, err.msg);
    ok = ok && near(model, name, score.nll, metric->valuedouble, NLL_NEAR) && !score.nonfinite;
    wb_windows_free(&windows);
    return !ok;
}

static int check_tasks(struct wb_net *net, const struct wb_tokenizer *t, const char *model,
                       const cJSON *metrics)
{
    struct wb_task_set set;
    struct wb_task_score score;
    struct wb_err err = { 0 };
    int wrong;

    if (!wb_task_set_read(EVAL "math.jsonl", 0, &set, &err) ||
        !wb_score_tasks(net, t, &set, NULL, NULL, NULL, &score, &err)) {
        printf("%s: tasks: %s\n", model, err.msg);
        return 1;
    }
    wb_task_set_free(&set);
    assert_int_equal(score.items, 200);
    wrong = !near(model, "math_exact", score.exact_match, get(metrics, "math_exact")->valuedouble,
                  1e-12);
    return wrong + !near(model, "math_answer_nll", score.answer_nll,
                         get(metrics, "math_answer_nll")->valuedouble, NLL_NEAR);
}

/* texts: how many of the four; the sanitizers make do with one. */
static int check_model(struct wb_model *model, const char *name, const cJSON *metrics)
{
    struct wb_err err = { 0 };
    struct wb_net *net = wb_net_open(model, NULL, &pipe_.how, &err);
    struct wb_tokenizer *t = net == NULL ? NULL : wb_tokenizer_open(wb_model_side_dir(model), &err);
    const cJSON *metric;
    int wrong = 0, texts = 0;

    if (t == NULL)
        fail_msg("%s: %s", name, err.msg);
    cJSON_ArrayForEach(metric, metrics)
        if (strncmp(metric->string, "math", 4) != 0 && !(SLOW && texts++ > 0))
            wrong += check(net, t, name, metric);
    wrong += check_tasks(net, t, name, metrics);
    wb_tokenizer_free(t);
    wb_net_close(net);
    return wrong;
}

static void test_models(void **state)
{
    const cJSON *item;
    int wrong = 0, models = 0;

    (void)state;
    cJSON_ArrayForEach(item, get(golden, "llama")) {
        bool lora = strncmp(item->string, "lora", 4) == 0;
        struct wb_err err = { 0 };
        struct wb_model *model;
        char path[200];

        snprintf(path, sizeof path, ZOO "%s%s", lora ? "base+" ZOO : "", item->string);
        model = wb_model_open(path, pipe_.set, &err);
        if (model == NULL)
            fail_msg("%s: %s", path, err.msg);
        if (lora) /* the reference does not round what an adapter makes */
            model = widened(model);
        wrong += check_model(model, item->string, get(item, "metrics"));
        wb_model_unref(model);
        models++;
    }
    assert_int_equal(models, 11);
    assert_int_equal(wrong, 0);
}

/* Models that were never written, in float32 as the goldens were measured. */
static void test_merges(void **state)
{
    static const struct {
        const char *name, *text;
    } merges[] = {
        { "average", "return wb.merge(\"linear\", {models = {" OPEN("math") ", " OPEN(
                         "german") ", " OPEN("code") "}, out_dtype = \"F32\"})" },
        { "task_arithmetic_0.4", "return wb.merge(\"task_arithmetic\", {lambda = 0.4, " EXPERTS
                                 ", out_dtype = \"F32\"})" },
        { "ties", "return wb.merge(\"ties\", {density = 0.2, " EXPERTS ", out_dtype = \"F32\"})" },
        { "slerp_math_german",
          "return wb.merge(\"slerp\", {t = 0.5, base = " OPEN("math") ", models = {" OPEN(
              "german") "}, out_dtype = \"F32\"})" },
        { "average_base_base-b", "return wb.merge(\"linear\", {models = {" OPEN("base") ", " OPEN(
                                     "base-b") "}, out_dtype = \"F32\"})" },
    };
    int wrong = 0;

    (void)state;
    for (size_t i = 0; i < sizeof merges / sizeof merges[0] && !(SLOW && i > 0); i++) {
        struct wb_err err;
        struct wb_model *model = pipe_run(&pipe_, merges[i].text, &err);

        if (model == NULL)
            fail_msg("%s: %s", merges[i].name, err.msg);
        wrong += check_model(model, merges[i].name, get(get(golden, "merges"), merges[i].name));
        wb_model_unref(model);
    }
    assert_int_equal(wrong, 0);
}

/* Images */

static int check_images(struct wb_model *model, const char *name, const char *task, double want)
{
    struct wb_err err = { 0 };
    struct wb_net *net = wb_net_open(model, NULL, &pipe_.how, &err);
    struct wb_image_score score = { .accuracy = NAN };
    struct wb_image_set set;
    char path[200];

    snprintf(path, sizeof path, EVAL "vit-%s.safetensors", task);
    if (net == NULL || !wb_image_set_read(path, 0, &set, &err))
        fail_msg("%s: %s", name, err.msg);
    if (!wb_score_images(net, &set, NULL, NULL, &score, &err))
        fail_msg("%s: %s", name, err.msg);
    wb_image_set_free(&set);
    wb_net_close(net);
    assert_int_equal(score.items, 450);
    return !near(name, task, score.accuracy, want, 1e-7); /* the goldens are float32 */
}

static void test_vision(void **state)
{
    const cJSON *item;
    int wrong = 0, models = 0;

    (void)state;
    cJSON_ArrayForEach(item, get(golden, "vit")) {
        struct wb_err err = { 0 };
        struct wb_model *model;
        char path[200];

        snprintf(path, sizeof path, ZOO "%s", item->string);
        model = wb_model_open(path, pipe_.set, &err);
        if (model == NULL)
            fail_msg("%s: %s", path, err.msg);
        wrong += check_images(model, item->string, get(item, "task")->valuestring,
                              get(item, "test_accuracy")->valuedouble);
        wb_model_unref(model);
        models++;
    }
    assert_int_equal(models, 5);
    assert_int_equal(wrong, 0);
}

/* One encoder under every task's own head: the encoder's tensors replaced in each. */
static void check_encoder(const char *name, const char *encoder, const cJSON *accuracies,
                          int *wrong)
{
    const cJSON *want;

    cJSON_ArrayForEach(want, accuracies) {
        struct wb_model *model;
        struct wb_err err;
        struct wb_str text = { 0 };

        wb_str_printf(&text,
                      "local encoder = %s\n"
                      "return wb.open(\"" ZOO "vit-%s\"):map(function(t, info)\n"
                      "  return info.name:sub(1, 4) == 'vit.' and encoder:tensor(info.name) or t\n"
                      "end)\n",
                      encoder, want->string);
        model = pipe_run(&pipe_, text.text, &err);
        if (model == NULL)
            fail_msg("%s: %s", name, err.msg);
        *wrong += check_images(model, name, want->string, want->valuedouble);
        wb_model_unref(model);
        wb_str_free(&text);
    }
}

static void test_encoders(void **state)
{
    static const struct {
        const char *name, *encoder;
    } merges[] = {
        { "base", OPEN("vit-base") },
        { "task_arithmetic_0.4", "wb.merge(\"task_arithmetic\", {lambda = 0.4, " VIT_EXPERTS "})" },
        { "ties", "wb.merge(\"ties\", {density = 0.2, " VIT_EXPERTS "})" },
    };
    const cJSON *item;
    int wrong = 0;

    (void)state;
    for (size_t i = 0; i < sizeof merges / sizeof merges[0]; i++)
        check_encoder(merges[i].name, merges[i].encoder,
                      get(get(golden, "vit_merges"), merges[i].name), &wrong);
    cJSON_ArrayForEach(item, get(golden, "vit_individual")) {
        char open[200];

        snprintf(open, sizeof open, "wb.open \"" ZOO "%s\"", item->string);
        check_encoder(item->string, open, item, &wrong);
    }
    assert_int_equal(wrong, 0);
}

static int setup(void **state)
{
    struct wb_err err;

    (void)state;
    golden = wb_json_parse_file("tests/data/goldens/zoo/golden.json", (size_t)1 << 26, &err);
    return golden != NULL && pipe_open(&pipe_) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    cJSON_Delete(golden);
    pipe_close(&pipe_);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_merges),
        cmocka_unit_test(test_vision),
        cmocka_unit_test(test_encoders),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
