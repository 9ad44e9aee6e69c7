/* tests/unit/test_run.c - runs of models made here: files, report, problems, resume, cancel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/core/io.h"
#include "app/core/json.h"
#include "app/job/run.h"
#include "app/store/manifest.h"
#include "app/store/writer.h"

#define LAYERS 40
#define ROWS 64
#define COLUMNS 96

static char root[150];
static struct wb_arch_set *families;

static const char config_text[] =
    "{\"architectures\":[\"TestForCausalLM\"],\"model_type\":\"test\",\"num_hidden_layers\":40,"
    "\"rope_theta\":10000.0,\"rms_norm_eps\":1e-05,\"big\":12345678901234567890,\"list\":[1.0,2,"
    "3e2],"
    "\"text_config\":{\"dtype\":\"float32\"},\"tie_word_embeddings\":true,\"torch_dtype\":"
    "\"float32\"}";

/* Paths below the directory of this program's run; a few at a time. */
static const char *at(const char *name)
{
    static char path[8][300];
    static int next;

    next = (next + 1) % 8;
    snprintf(path[next], sizeof path[next], "%s/%s", root, name);
    return path[next];
}

static void put_text(const char *path, const char *text)
{
    struct wb_err err;

    if (!wb_write_file(path, text, strlen(text), &err))
        fail_msg("%s", err.msg);
}

static char *get_text(const char *path, size_t *n)
{
    struct wb_err err;
    char *text = wb_read_file(path, (size_t)1 << 30, n, &err);

    if (text == NULL)
        fail_msg("%s", err.msg);
    return text;
}

/* A checkpoint of LAYERS matrices, an embedding and a head in float32, values from `seed`. */
static void make_checkpoint(const char *dir, unsigned seed, size_t rows)
{
    static char name[LAYERS + 2][64];
    struct wb_out_tensor tensor[LAYERS + 2];
    struct wb_writer_options options = {
        .dir = dir, .shard_bytes = WB_SHARD_BYTES_DEFAULT, .stem = "model", .force = true
    };
    float *value = malloc(rows * COLUMNS * sizeof *value);
    struct wb_writer *w;
    struct wb_err err;

    for (int i = 0; i < LAYERS + 2; i++) {
        if (i < LAYERS)
            snprintf(name[i], sizeof name[i], "model.layers.%d.w", i);
        else
            strcpy(name[i], i == LAYERS ? "embed.weight" : "head.weight");
        tensor[i] = (struct wb_out_tensor){ name[i], WB_DTYPE_F32, { 2, { rows, COLUMNS } } };
    }
    w = wb_writer_open(&options, tensor, LAYERS + 2, &err);
    if (w == NULL)
        fail_msg("%s", err.msg);
    for (size_t i = 0; i < LAYERS + 2; i++) {
        size_t bytes = rows * COLUMNS * sizeof *value;

        for (size_t k = 0; k < rows * COLUMNS; k++)
            value[k] =
                (float)((k * 2654435761u + (i == LAYERS + 1 ? LAYERS : i) * 40503u + seed * 977u) %
                        1000) /
                    1000 -
                0.5f;
        assert_true(wb_writer_put(w, i, 0, value, bytes, &err));
        assert_true(wb_writer_done(w, i, wb_hash_bytes(value, bytes), &err));
    }
    assert_true(wb_writer_add_file(w, "config.json", config_text, strlen(config_text), &err));
    assert_true(wb_writer_add_file(w, "tokenizer.json", "{}\n", 3, &err));
    assert_true(wb_writer_add_file(w, "README.md", "no\n", 3, &err));
    assert_true(wb_writer_add_file(w, "modeling_x.py", "pass\n", 5, &err));
    if (!wb_writer_finish(w, &err))
        fail_msg("%s", err.msg);
    wb_writer_close(w);
    free(value);
}

static struct wb_model *open_model(const char *dir)
{
    struct wb_err err;
    struct wb_model *m = wb_model_open(dir, families, &err);

    if (m == NULL)
        fail_msg("%s", err.msg);
    return m;
}

/* (a + b) / 2 with a norm noted for each tensor and one figure for the model; rounds > 0 makes
 * it slow. */
static struct wb_model *make_mean(const char *dir_a, const char *dir_b, int rounds)
{
    struct wb_model *a = open_model(dir_a), *b = open_model(dir_b), *out;
    struct wb_err err;
    struct wb_node *half = wb_node_scalar(0.5, &err), *figure = wb_node_scalar(7, &err);

    out = wb_model_derive(a, &err);
    assert_true(wb_model_add_sources(out, b, &err));
    assert_true(wb_model_add_step(
        out, "{\"kind\":\"merge\",\"method\":\"mean\",\"params\":{\"x\":1}}", &err));
    for (size_t i = 0; i < wb_model_count(a); i++) {
        const struct wb_entry *e = wb_model_entry(a, i);
        struct wb_node *mean = wb_node_lerp(e->node, wb_model_find(b, e->name)->node, half, &err),
                       *sum;

        for (int r = 0; r < rounds; r++) {
            struct wb_node *up = wb_node_unary(WB_UNARY_exp, mean, &err);

            wb_node_unref(mean);
            mean = wb_node_unary(WB_UNARY_log, up, &err);
            wb_node_unref(up);
        }
        sum = wb_node_reduce(WB_REDUCE_SUM_SQUARES, WB_AXIS_ALL, mean, NULL, &err);
        assert_true(wb_model_set(out, e->name, mean, &err));
        assert_true(wb_model_add_note(out, e->name, "squares", sum, WB_TOTAL_SUM, 1, &err));
        wb_node_unref(mean);
        wb_node_unref(sum);
    }
    assert_true(wb_model_add_note(out, "", "figure", figure, WB_TOTAL_NONE, 0, &err));
    if (!wb_model_freeze(out, &err))
        fail_msg("%s", err.msg);
    wb_node_unref(half);
    wb_node_unref(figure);
    wb_model_unref(a);
    wb_model_unref(b);
    return out;
}

static void must_run(const struct wb_run *run, const struct wb_model *m,
                     struct wb_run_result *result)
{
    struct wb_err err;

    if (!wb_run_model(run, m, result, &err))
        fail_msg("%s", err.msg);
}

static void must_verify(const char *dir)
{
    struct wb_verify v;
    struct wb_err err;

    if (!wb_verify(dir, 2, &v, &err))
        fail_msg("%s", err.msg);
    for (size_t i = 0; i < v.count; i++)
        if (!v.file[i].ok)
            fail_msg("%s: %s", v.file[i].name, v.file[i].problem);
    assert_true(v.ok);
    wb_verify_free(&v);
}

static bool exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static cJSON *read_json(const char *path)
{
    struct wb_err err;
    cJSON *json = wb_json_parse_file(path, (size_t)1 << 28, &err);

    if (json == NULL)
        fail_msg("%s", err.msg);
    return json;
}

static void remove_dir(const char *path)
{
    struct wb_err err;

    if (!wb_remove_tree(path, &err))
        fail_msg("%s", err.msg);
}

/* A family whose head is tied to its embedding where the config says so. */
static int setup(void **state)
{
    static const char *const types[] = { "test", NULL }, *const prefixes[] = { "", NULL },
                             *const seen[] = { NULL };
    static const struct wb_family_pattern pattern[] = {
        { .name = "embed.weight", .role = "embed", .kind = "embed", .stack = "" },
        { .name = "head.weight", .role = "lm_head", .kind = "lm_head", .stack = "" },
        { .name = "model.layers.{n}.w", .role = "up", .kind = "linear", .stack = "" },
    };
    struct wb_family family = { .name = "test",
                                .doc = "",
                                .model_types = types,
                                .prefixes = prefixes,
                                .seen = seen,
                                .pattern = pattern,
                                .patterns = 3,
                                .key_layers = "num_hidden_layers",
                                .key_tied = "tie_word_embeddings" };
    struct wb_err err;

    (void)state;
    snprintf(root, sizeof root, "%s/wb-test-run-XXXXXX",
             getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(root));
    families = wb_arch_set_new();
    if (!wb_arch_set_add(families, &family, &err))
        fail_msg("%s", err.msg);
    make_checkpoint(at("a"), 1, ROWS);
    make_checkpoint(at("b"), 2, ROWS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    wb_arch_set_free(families);
    remove_dir(root);
    return 0;
}

/* Files */

static void test_copy(void **state)
{
    struct wb_model *a = open_model(at("a"));
    struct wb_run run = { .out = at("copy"),
                          .script_name = "some/where/p.lua",
                          .script_text = "-- script\n",
                          .knobs_json = "{\"k\":0.3}" };
    struct wb_run_result r;
    size_t n, m;
    char *x, *y;
    cJSON *manifest;

    (void)state;
    must_run(&run, a, &r);
    assert_int_equal(r.tensors, LAYERS + 2);
    assert_int_equal(r.resumed, 0);
    assert_true(r.bytes_in >= r.parameters * 4 && r.bytes_out > r.parameters * 4);
    assert_true(r.peak_rss_bytes > 0 && r.seconds > 0);
    assert_non_null(strstr(r.files_json, "\"tokenizer.json\":3"));
    x = get_text(at("a/model.safetensors"), &n);
    y = get_text(at("copy/model.safetensors"), &m);
    assert_true(n == m && memcmp(x, y, n) == 0);
    free(x);
    free(y);
    must_verify(at("copy"));
    assert_false(exists(at("copy/README.md")));
    assert_false(exists(at("copy/modeling_x.py")));
    x = get_text(at("copy/p.lua"), NULL);
    assert_string_equal(x, "-- script\n");
    free(x);
    manifest = read_json(at("copy/weightbench.json"));
    assert_string_equal(wb_json_text(manifest, "script", ""), "p.lua");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(manifest, "sources")), 1);
    assert_true(wb_json_number(cJSON_GetObjectItem(manifest, "knobs"), "k", 0) == 0.3);
    assert_string_equal(wb_json_text(manifest, "weightbench", ""), WB_VERSION);
    cJSON_Delete(manifest);
    wb_run_result_free(&r);
    wb_model_unref(a);
}

/* A path may hold any byte; the manifest is UTF-8 all the same. */
static void test_path_bytes(void **state)
{
    struct wb_run run = { .out = at("caf\xC3\xA9") };
    struct wb_model *m;
    struct wb_run_result r;

    (void)state;
    make_checkpoint(at("caf\xE9 \xED\xA0\x80"), 1, 4);
    m = open_model(at("caf\xE9 \xED\xA0\x80"));
    must_run(&run, m, &r);
    must_verify(run.out);
    wb_run_result_free(&r);
    wb_model_unref(m);
}

/* What did not change in config.json keeps its spelling. */
static void test_config_numbers(void **state)
{
    char *text = get_text(at("copy/config.json"), NULL);

    (void)state;
    assert_non_null(strstr(text, "\"rope_theta\": 10000.0,"));
    assert_non_null(strstr(text, "\"rms_norm_eps\": 1e-05,"));
    assert_non_null(strstr(text, "\"big\": 12345678901234567890,"));
    assert_non_null(strstr(text, "1.0,\n    2,\n    3e2\n"));
    assert_non_null(strstr(text, "\"torch_dtype\": \"float32\""));
    assert_non_null(strstr(text, "\"tie_word_embeddings\": true"));
    free(text);
}

static void test_dtype(void **state)
{
    struct wb_model *a = open_model(at("a"));
    struct wb_run run = { .out = at("bf16"),
                          .has_dtype = true,
                          .dtype = WB_DTYPE_BF16,
                          .sha256 = true,
                          .shard_bytes = 100000 };
    struct wb_run_result r;
    cJSON *config;
    struct wb_model *out;

    (void)state;
    must_run(&run, a, &r);
    wb_run_result_free(&r);
    config = read_json(at("bf16/config.json"));
    assert_string_equal(wb_json_text(config, "torch_dtype", ""), "bfloat16");
    assert_string_equal(wb_json_text(cJSON_GetObjectItem(config, "text_config"), "dtype", ""),
                        "bfloat16");
    cJSON_Delete(config);
    out = open_model(at("bf16"));
    assert_int_equal(wb_node_dtype(wb_model_entry(out, 0)->node), WB_DTYPE_BF16);
    assert_true(wb_ckpt_file_count(wb_model_source(out, 0)) > 2);
    wb_model_unref(out);
    must_verify(at("bf16")); /* several shards and their index */
    wb_model_unref(a);
}

static void test_one_file(void **state)
{
    struct wb_model *a = open_model(at("a"));
    struct wb_run run = { .out = at("one.safetensors"), .shard_bytes = 100000 };
    struct wb_run_result r;
    size_t n, m;
    char *x, *y;

    (void)state;
    must_run(&run, a, &r);
    x = get_text(at("a/model.safetensors"), &n);
    y = get_text(at("one.safetensors"), &m);
    assert_true(n == m && memcmp(x, y, n) == 0);
    free(x);
    free(y);
    assert_non_null(strstr(r.files_json, "one.safetensors"));
    wb_run_result_free(&r);
    wb_model_unref(a);
}

static void test_custom_code(void **state)
{
    struct wb_model *a;
    struct wb_run run = { .out = at("coded") };
    struct wb_run_result r;
    bool said = false;

    (void)state;
    make_checkpoint(at("code"), 3, 4);
    put_text(at("code/config.json"),
             "{\"model_type\":\"test\",\"auto_map\":{\"AutoModel\":\"modeling_x.X\"}}");
    a = open_model(at("code"));
    must_run(&run, a, &r);
    assert_true(exists(at("coded/modeling_x.py")));
    for (size_t i = 0; i < r.warnings; i++)
        said = said || strstr(r.warning[i], "auto_map") != NULL;
    assert_true(said);
    wb_run_result_free(&r);
    wb_model_unref(a);
}

/* A head that differs from its embedding cannot stay tied. */
static void test_untied(void **state)
{
    struct wb_model *a = open_model(at("a")), *m;
    struct wb_run run = { .out = at("untied") };
    struct wb_run_result r;
    struct wb_err err;
    struct wb_node *neg;
    cJSON *config;

    (void)state;
    assert_non_null(wb_model_find(a, "head.weight")->role.tied_to);
    m = wb_model_derive(a, &err);
    neg = wb_node_unary(WB_UNARY_neg, wb_model_find(a, "head.weight")->node, &err);
    assert_true(wb_model_set(m, "head.weight", neg, &err) && wb_model_freeze(m, &err));
    must_run(&run, m, &r);
    config = read_json(at("untied/config.json"));
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(config, "tie_word_embeddings")));
    cJSON_Delete(config);
    wb_run_result_free(&r);
    wb_node_unref(neg);
    wb_model_unref(m);
    wb_model_unref(a);
}

static void test_model_files(void **state)
{
    struct wb_model *a = open_model(at("a")), *m;
    struct wb_run run = { .out = at("adapter") };
    struct wb_run_result r;
    struct wb_err err;

    (void)state;
    m = wb_model_derive(a, &err);
    assert_true(wb_model_set_stem(m, "adapter_model", &err));
    assert_true(wb_model_add_file(m, "adapter_config.json", "{\"r\":8}", &err));
    assert_true(wb_model_freeze(m, &err));
    must_run(&run, m, &r);
    assert_true(exists(at("adapter/adapter_model.safetensors")) &&
                exists(at("adapter/adapter_config.json")));
    assert_false(exists(at("adapter/config.json")));
    must_verify(at("adapter"));
    wb_run_result_free(&r);
    wb_model_unref(m);
    wb_model_unref(a);
}

/* Reports */

static double total_of(const struct wb_run_result *r, const char *key, bool *sampled)
{
    cJSON *steps = cJSON_Parse(r->report_json), *report;
    double value;

    report = cJSON_GetObjectItem(cJSON_GetArrayItem(steps, 0), "report");
    *sampled = cJSON_IsTrue(cJSON_GetObjectItem(report, "sampled"));
    value = wb_json_number(cJSON_GetObjectItem(report, "total"), key, NAN);
    cJSON_Delete(steps);
    return value;
}

static void test_reports(void **state)
{
    struct wb_model *m = make_mean(at("a"), at("b"), 0);
    struct wb_run run = { .out = at("exact"), .report = WB_REPORT_EXACT };
    struct wb_run_result r;
    double exact, sample;
    bool sampled;
    cJSON *manifest;

    (void)state;
    must_run(&run, m, &r);
    exact = total_of(&r, "squares", &sampled);
    assert_false(sampled);
    assert_true(exact > 0 && total_of(&r, "figure", &sampled) == 7);
    wb_run_result_free(&r);
    manifest = read_json(at("exact/weightbench.json"));
    assert_string_equal(
        wb_json_text(cJSON_GetArrayItem(cJSON_GetObjectItem(manifest, "steps"), 0), "method", ""),
        "mean");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(manifest, "sources")), 2);
    cJSON_Delete(manifest);
    run.out = at("sample");
    run.report = WB_REPORT_SAMPLE;
    must_run(&run, m, &r);
    sample = total_of(&r, "squares", &sampled);
    assert_true(sampled &&
                fabs(sample / exact - 1) < 0.2); /* an estimate, of values that are spread evenly */
    wb_run_result_free(&r);
    run.out = at("none");
    run.report = WB_REPORT_NONE;
    must_run(&run, m, &r);
    assert_null(strstr(r.report_json, "report"));
    wb_run_result_free(&r);
    wb_model_unref(m);
}

/* Problems */

static bool has_problem(const struct wb_plan *plan, const char *text)
{
    for (size_t i = 0; i < plan->problems; i++)
        if (plan->problem[i].error && strstr(plan->problem[i].text, text) != NULL)
            return true;
    return false;
}

static struct wb_plan plan_of(const struct wb_run *run, const struct wb_model *m)
{
    struct wb_plan plan;
    struct wb_err err;

    if (!wb_run_plan(run, m, &plan, &err))
        fail_msg("%s", err.msg);
    return plan;
}

static void test_problems(void **state)
{
    struct wb_model *a = open_model(at("a")), *m;
    struct wb_run run = { .out = at("copy"), .has_dtype = true, .dtype = WB_DTYPE_I32 };
    struct wb_run_result r;
    struct wb_plan plan;
    struct wb_err err;

    (void)state;
    plan = plan_of(&run, a); /* two at once */
    assert_true(plan.errors == 2 && has_problem(&plan, "I32") && has_problem(&plan, "exists"));
    wb_plan_free(&plan);
    assert_false(wb_run_model(&run, a, &r, &err));
    assert_non_null(strstr(err.msg, "2 problems"));
    run = (struct wb_run){ .out = at("a"), .force = true };
    plan = plan_of(&run, a);
    assert_true(has_problem(&plan, "source"));
    wb_plan_free(&plan);
    run.out = root; /* holds the source */
    plan = plan_of(&run, a);
    assert_true(has_problem(&plan, "source"));
    wb_plan_free(&plan);
    run = (struct wb_run){ .out = NULL };
    plan = plan_of(&run, a);
    assert_true(plan.errors == 0 && plan.shards == 1 && plan.tensors == LAYERS + 2 &&
                plan.cost.jobs > 0);
    assert_true(plan.cost.bytes_written == (LAYERS + 2) * ROWS * COLUMNS * 4);
    wb_plan_free(&plan);
    m = wb_model_derive(a, &err);
    assert_true(wb_model_clear(m) && wb_model_freeze(m, &err));
    plan = plan_of(&run, m);
    assert_true(has_problem(&plan, "no tensors"));
    wb_plan_free(&plan);
    wb_model_unref(m);
    wb_model_unref(a);
}

static void test_disk_full(void **state)
{
    struct wb_model *a = open_model(at("a")), *m;
    struct wb_run run = { .out = at("huge") };
    struct wb_shape shape = { 2, { (uint64_t)1 << 30, (uint64_t)1 << 20 } };
    struct wb_run_result r;
    struct wb_plan plan;
    struct wb_err err;
    struct wb_node *huge = wb_node_fill(&shape, 0, &err);

    (void)state;
    m = wb_model_derive(a, &err);
    assert_true(wb_model_set(m, "huge", huge, &err) && wb_model_freeze(m, &err));
    plan = plan_of(&run, m);
    assert_true(has_problem(&plan, "too full"));
    wb_plan_free(&plan);
    assert_false(wb_run_model(&run, m, &r, &err));
    assert_false(exists(at("huge")) || exists(at(".huge.part")));
    wb_node_unref(huge);
    wb_model_unref(m);
    wb_model_unref(a);
}

static void test_force(void **state)
{
    struct wb_model *a = open_model(at("a"));
    struct wb_run run = { .out = at("copy") };
    struct wb_run_result r;
    struct wb_err err;

    (void)state;
    assert_false(wb_run_model(&run, a, &r, &err));
    assert_int_equal(err.code, WB_EARG);
    run.force = true;
    must_run(&run, a, &r);
    wb_run_result_free(&r);
    must_verify(at("copy"));
    wb_model_unref(a);
}

/* A value that must not be there stops the run, and nothing is left. */
static void test_failure_leaves_nothing(void **state)
{
    struct wb_model *a = open_model(at("a")), *m;
    struct wb_run run = { .out = at("failed") };
    const struct wb_entry *last = wb_model_entry(a, LAYERS);
    struct wb_run_result r;
    struct wb_err err;
    struct wb_node *root_of = wb_node_unary(WB_UNARY_sqrt, last->node, &err), *guard;

    (void)state;
    guard = wb_node_guard(root_of, "a", last->name, &err); /* square roots of negative numbers */
    m = wb_model_derive(a, &err);
    assert_true(wb_model_set(m, last->name, guard, &err) && wb_model_freeze(m, &err));
    assert_false(wb_run_model(&run, m, &r, &err));
    assert_int_equal(err.code, WB_ENUMERIC);
    assert_false(exists(at("failed")) || exists(at(".failed.part")));
    wb_node_unref(root_of);
    wb_node_unref(guard);
    wb_model_unref(m);
    wb_model_unref(a);
}

/* Cancel and resume */

struct watcher {
    struct wb_progress *progress;
    atomic_bool *cancel; /* NULL: kill the process */
    uint64_t jobs;
};

static void *watch(void *arg)
{
    struct watcher *w = arg;

    while (atomic_load(&w->progress->jobs_done) < w->jobs)
        usleep(200);
    if (w->cancel != NULL)
        atomic_store(w->cancel, true);
    else
        kill(getpid(), SIGKILL);
    return NULL;
}

static void test_cancel(void **state)
{
    struct wb_progress progress = { 0 };
    atomic_bool cancel = false;
    struct watcher w = { &progress, &cancel, 3 };
    struct wb_model *m = make_mean(at("a"), at("b"), 300);
    struct wb_run run = { .out = at("cancelled"),
                          .eval = { .progress = &progress, .cancel = &cancel, .threads = 2 } };
    struct wb_run_result r;
    struct wb_err err;
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, watch, &w), 0);
    assert_false(wb_run_model(&run, m, &r, &err));
    pthread_join(thread, NULL);
    assert_int_equal(err.code, WB_ECANCELLED);
    assert_false(exists(at("cancelled")) || exists(at(".cancelled.part")));
    wb_model_unref(m);
}

/* kill -9 after a third of the jobs; in a child, whose model is its own. */
static void run_and_kill(const char *out)
{
    struct wb_progress progress = { 0 };
    struct watcher w = { &progress, NULL, LAYERS / 3 };
    struct wb_run run = { .out = out,
                          .shard_bytes = 300000,
                          .eval = { .progress = &progress, .threads = 1 } };
    struct wb_model *m = make_mean(at("a"), at("b"), 400);
    struct wb_run_result r;
    pthread_t thread;

    if (pthread_create(&thread, NULL, watch, &w) == 0)
        wb_run_model(&run, m, &r, NULL);
    _exit(0); /* too fast: the parent sees that it was not killed */
}

static void same_shards(const char *x, const char *y)
{
    struct wb_model *m = open_model(x);
    const struct wb_ckpt *ck = wb_model_source(m, 0);
    char a[600], b[600];

    assert_true(wb_ckpt_file_count(ck) > 1);
    for (size_t i = 0; i < wb_ckpt_file_count(ck); i++) {
        size_t n, k;
        char *p, *q;

        snprintf(a, sizeof a, "%s/%s", x, wb_ckpt_file(ck, i)->name);
        snprintf(b, sizeof b, "%s/%s", y, wb_ckpt_file(ck, i)->name);
        p = get_text(a, &n);
        q = get_text(b, &k);
        assert_true(n == k && memcmp(p, q, n) == 0);
        free(p);
        free(q);
    }
    wb_model_unref(m);
}

static void test_resume(void **state)
{
    struct wb_run run = { .out = at("whole"), .shard_bytes = 300000, .eval = { .threads = 7 } };
    struct wb_model *m = make_mean(at("a"), at("b"), 400), *other;
    struct wb_run_result r;
    struct wb_err err;
    int status;
    pid_t child;

    (void)state;
    must_run(&run, m, &r);
    wb_run_result_free(&r);
    fflush(stdout);
    child = fork();
    if (child == 0)
        run_and_kill(at("resumed"));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_true(exists(at(".resumed.part")) && !exists(at("resumed")));
    run.out = at("resumed");
    run.resume = true;
    other = make_mean(at("b"), at("b"), 400); /* another pipeline must not take it up */
    assert_false(wb_run_model(&run, other, &r, &err));
    assert_int_equal(err.code, WB_EARG);
    wb_model_unref(other);
    must_run(&run, m, &r);
    assert_true(r.resumed > 0 && r.resumed < r.tensors);
    wb_run_result_free(&r);
    same_shards(at("whole"), at("resumed"));
    must_verify(at("resumed"));
    assert_false(exists(at(".resumed.part")));
    wb_model_unref(m);
}

/* One thread or many, a small budget or a large one: the same bytes. */
static void test_threads(void **state)
{
    struct wb_model *m = make_mean(at("a"), at("b"), 1);
    struct wb_run run = { .out = at("t1"),
                          .shard_bytes = 300000,
                          .eval = { .threads = 1, .budget_bytes = 8 << 20 } };
    struct wb_run_result r;

    (void)state;
    must_run(&run, m, &r);
    wb_run_result_free(&r);
    run.out = at("t7");
    run.eval = (struct wb_eval){ .threads = 7 };
    must_run(&run, m, &r);
    wb_run_result_free(&r);
    same_shards(at("t1"), at("t7"));
    wb_model_unref(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_path_bytes),
        cmocka_unit_test(test_config_numbers),
        cmocka_unit_test(test_dtype),
        cmocka_unit_test(test_one_file),
        cmocka_unit_test(test_custom_code),
        cmocka_unit_test(test_untied),
        cmocka_unit_test(test_model_files),
        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_force),
        cmocka_unit_test(test_failure_leaves_nothing),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
