/* tests/golden/test_steps.c - golden cases of the compress and protect plugins, as far as these go. */
#include "tests/golden/golden.h"

static struct pipe pipe_;

/* --- low-rank extraction ----------------------------------------------------------------------- */

#define Q_NAME "model.layers.0.self_attn.q_proj.weight"
#define LORA "base_model.model.model.layers.0.self_attn.q_proj.lora_"
#define LLAMA "{\"model_type\": \"llama\", \"num_hidden_layers\": 1}"

static void write_one(const struct golden *g, const char *label, const char *name,
                      const cJSON *value, const char *config, char dir[128])
{
    struct pipe_writer w = { 0 };

    snprintf(dir, 128, "%s/%d-%s", pipe_.dir, g->number, label);
    pipe_write_json(&w, name, value);
    assert_true(pipe_write(&w, dir, config));
}

static struct wb_model *extract(const char *base, const char *tuned, const char *params)
{
    struct wb_str text = { 0 };
    struct wb_model *m;

    wb_str_printf(
        &text, "return wb.compress(\"lora_extract\", wb.open \"%s\", {base = wb.open \"%s\", %s})",
        tuned, base, params);
    m = golden_run(&pipe_, text.text);
    wb_str_free(&text);
    return m;
}

static void check_adapter_config(const struct wb_model *m, const cJSON *expected)
{
    struct wb_err err = { 0 };
    const char *text = NULL, *name;
    cJSON *config;

    assert_int_equal(wb_model_file_count(m), 1);
    name = wb_model_file(m, 0, &text);
    assert_string_equal(name, "adapter_config.json");
    assert_string_equal(wb_model_stem(m), "adapter_model");
    config = wb_json_parse(text, strlen(text), &err);
    assert_non_null(config);
    assert_true(wb_json_number(config, "r", -1) == wb_json_number(expected, "rank", 0));
    assert_true(wb_json_number(config, "lora_alpha", -1) ==
                wb_json_number(expected, "lora_alpha", 0));
    cJSON_Delete(config);
}

static void test_extract_lora(void **state)
{
    const struct golden *g = *state;
    const cJSON *inputs = cJSON_GetObjectItem(g->item, "inputs"),
                *params = cJSON_GetObjectItem(g->item, "params");
    const cJSON *want = cJSON_GetObjectItem(g->item, "expected");
    struct wb_str text = { 0 };
    char base[128], tuned[128], args[128];
    struct pipe_data a, b;
    struct wb_model *m;
    float *product;

    write_one(g, "base", Q_NAME, cJSON_GetObjectItem(inputs, "base"), LLAMA, base);
    write_one(g, "tuned", Q_NAME, cJSON_GetObjectItem(inputs, "finetuned"), LLAMA, tuned);
    snprintf(args, sizeof args, "max_rank = %d, sv_epsilon = %.17g, distribute_scale = %s",
             (int)wb_json_number(params, "max_rank", 0), wb_json_number(params, "sv_epsilon", 0),
             wb_json_number(params, "distribute_scale", 0) != 0 ? "true" : "false");
    m = extract(base, tuned, args);
    check_adapter_config(m, want);
    golden_check_tensor(&pipe_, g->file, m, LORA "A.weight", cJSON_GetObjectItem(want, "A"));
    golden_check_tensor(&pipe_, g->file, m, LORA "B.weight", cJSON_GetObjectItem(want, "B"));
    assert_true(golden_near(g->file, "rel_err", 0,
                            pipe_note(&pipe_.how, m, Q_NAME, "relative_error"),
                            wb_json_number(want, "rel_err", 0)));
    a = golden_fetch(&pipe_, m, LORA "A.weight");
    b = golden_fetch(&pipe_, m, LORA "B.weight");
    product = calloc(b.shape.dim[0] * a.shape.dim[1], sizeof *product);
    assert_non_null(product);
    for (size_t i = 0; i < b.shape.dim[0] * a.shape.dim[1]; i++)
        for (size_t k = 0; k < a.shape.dim[0]; k++)
            product[i] += b.x[i / a.shape.dim[1] * b.shape.dim[1] + k] *
                          a.x[k * a.shape.dim[1] + i % a.shape.dim[1]];
    golden_check_array(g->file, "BA", product, b.shape.dim[0] * a.shape.dim[1],
                       cJSON_GetObjectItem(want, "BA"));
    free(product);
    free(a.x);
    free(b.x);
    wb_model_unref(m);

    m = extract(base, tuned, "energy = 0.95");
    a = golden_fetch(&pipe_, m, LORA "A.weight");
    assert_int_equal((int)a.shape.dim[0], (int)wb_json_number(want, "rank_at_energy_0.95", 0));
    free(a.x);
    wb_model_unref(m);

    wb_str_printf(&text,
                  "local b, t = wb.open \"%s\", wb.open \"%s\"\n"
                  "local u, s = (t:tensor \"" Q_NAME "\" - b:tensor \"" Q_NAME "\"):svd()\n"
                  "return b:with{[\"" Q_NAME "\"] = false, s = s}",
                  base, tuned);
    m = golden_run(&pipe_, text.text);
    golden_check_tensor(&pipe_, g->file, m, "s", cJSON_GetObjectItem(want, "singular_values"));
    wb_model_unref(m);
    wb_str_free(&text);
}

/* --- pruning, dropping layers ------------------------------------------------------------------ */

#define UP_NAME "model.layers.0.mlp.up_proj.weight"

static struct wb_model *prune(const char *dir, const char *params)
{
    struct wb_str text = { 0 };
    struct wb_model *m;

    wb_str_printf(&text, "return wb.compress(\"prune\", wb.open \"%s\", {%s})", dir, params);
    m = golden_run(&pipe_, text.text);
    wb_str_free(&text);
    return m;
}

/* The magnitude parts of the file; Wanda and SparseGPT need activations. */
static void test_prune(void **state)
{
    const struct golden *g = *state;
    const cJSON *w = cJSON_GetObjectItem(cJSON_GetObjectItem(g->item, "inputs"), "W");
    const cJSON *want = cJSON_GetObjectItem(g->item, "expected");
    double x[64], mask[64], largest = 0;
    size_t n = pipe_flatten(w, NULL, NULL, 0), pruned = 0;
    struct pipe_data got;
    struct wb_model *m;
    char dir[128];

    assert_true(n <= 64);
    pipe_flatten(w, x, NULL, 0);
    write_one(g, "model", UP_NAME, w, LLAMA, dir);
    m = prune(dir, "n = 2, m = 4");
    golden_check_tensor(&pipe_, g->file, m, UP_NAME, cJSON_GetObjectItem(want, "magnitude_24_W"));
    got = golden_fetch(&pipe_, m, UP_NAME);
    pipe_flatten(cJSON_GetObjectItem(want, "magnitude_24_prune_mask"), mask, NULL, 0);
    for (size_t i = 0; i < n; i++)
        assert_true((got.x[i] == 0) == (mask[i] == 1));
    free(got.x);
    wb_model_unref(m);

    m = prune(dir, "sparsity = 0.5, rule = \"official\"");
    got = golden_fetch(&pipe_, m, UP_NAME);
    pipe_flatten(cJSON_GetObjectItem(want, "magnitude_50_prune_mask_official_le"), mask, NULL, 0);
    for (size_t i = 0; i < n; i++) {
        assert_true((double)got.x[i] == (mask[i] == 1 ? 0 : (double)(float)x[i]));
        if (got.x[i] == 0) {
            pruned++;
            largest = fmax(largest, fabs(x[i]));
        }
    }
    assert_int_equal((int)pruned, (int)wb_json_number(want, "magnitude_50_pruned_count", 0));
    assert_true(golden_near(g->file, "threshold", 0, largest,
                            wb_json_number(want, "magnitude_50_threshold", 0)));
    free(got.x);
    wb_model_unref(m);

    m = prune(
        dir, "sparsity = 0.5"); /* the tool's own rule: exactly floor(n / 2), one fewer than that */
    assert_true(pipe_note(&pipe_.how, m, UP_NAME, "sparsity") == 0.5);
    wb_model_unref(m);
    m = prune(dir, "sparsity = 0.5, scope = \"row\"");
    got = golden_fetch(&pipe_, m, UP_NAME);
    for (size_t r = 0; r < 3; r++) {
        size_t zeros = 0;

        for (size_t c = 0; c < 8; c++)
            zeros += got.x[8 * r + c] == 0;
        assert_int_equal(zeros, 4);
    }
    free(got.x);
    wb_model_unref(m);
}

/* What drop_layers covers of this file: deleting the span that starts behind the best state. Layer i holds i. */
static void test_layers(void **state)
{
    const struct golden *g = *state;
    const cJSON *best = cJSON_GetObjectItem(cJSON_GetObjectItem(g->item, "expected"), "best_start"),
                *start;
    int layers =
        cJSON_GetArraySize(cJSON_GetObjectItem(cJSON_GetObjectItem(g->item, "inputs"), "H"));
    struct wb_shape shape = { .ndim = 2, .dim = { 1, 1 } };
    struct pipe_writer w = { 0 };
    char dir[128], name[64], config[128];

    snprintf(dir, sizeof dir, "%s/%d-layers", pipe_.dir, g->number);
    for (int i = 0; i < layers; i++) {
        float x = (float)i;

        snprintf(name, sizeof name, "model.layers.%d.mlp.up_proj.weight", i);
        pipe_write_add(&w, name, &shape, "F32", &x, sizeof x);
    }
    snprintf(config, sizeof config, "{\"model_type\": \"llama\", \"num_hidden_layers\": %d}",
             layers);
    assert_true(pipe_write(&w, dir, config));
    cJSON_ArrayForEach(start, best) {
        int n = atoi(start->string), first = start->valueint + 1, next = 0;
        struct wb_str text = { 0 };
        struct wb_model *m;

        wb_str_printf(&text, "return wb.compress(\"drop_layers\", wb.open \"%s\", {layers = {",
                      dir);
        for (int i = first + n - 1; i >= first; i--) /* any order */
            wb_str_printf(&text, "%d, ", i);
        wb_str_add(&text, "}})");
        m = golden_run(&pipe_, text.text);
        assert_int_equal(wb_model_layers(m), layers - n);
        assert_true(wb_json_number(wb_model_config(m), "num_hidden_layers", 0) == layers - n);
        for (int i = 0; i < layers - n; i++, next++) {
            struct pipe_data data;

            next += next == first ? n : 0;
            snprintf(name, sizeof name, "model.layers.%d.mlp.up_proj.weight", i);
            data = golden_fetch(&pipe_, m, name);
            assert_true(data.x[0] == (float)next);
            free(data.x);
        }
        wb_model_unref(m);
        wb_str_free(&text);
    }
}

/* --- protect ----------------------------------------------------------------------------------- */

/* rows * s[row] and columns / s[column] of a flat matrix, in place. */
static void scale_rows(double *x, size_t rows, size_t columns, const double *s)
{
    for (size_t i = 0; i < rows * columns; i++)
        x[i] *= s[i / columns];
}

static void scale_columns(double *x, size_t rows, size_t columns, const double *s)
{
    for (size_t i = 0; i < rows * columns; i++)
        x[i] /= s[i % columns];
}

/* The file scales neurons before it permutes them; permuting is what the plugin does, so the test scales. */
static void test_mlp_symmetry(void **state)
{
    static const struct {
        const char *key, *gated, *plain;
    } part[] = {
        { "gate", "model.layers.0.mlp.gate_proj.weight", "" },
        { "up", UP_NAME, "" },
        { "down", "model.layers.0.mlp.down_proj.weight", "" },
        { "fc1", "", "model.decoder.layers.0.fc1.weight" },
        { "b1", "", "model.decoder.layers.0.fc1.bias" },
        { "fc2", "", "model.decoder.layers.0.fc2.weight" },
        { "b2", "", "model.decoder.layers.0.fc2.bias" },
    };
    const struct golden *g = *state;
    const cJSON *inputs = cJSON_GetObjectItem(g->item, "inputs"),
                *want = cJSON_GetObjectItem(g->item, "expected");
    const char *act = wb_json_text(cJSON_GetObjectItem(g->item, "params"), "activation", "");
    bool gated = strcmp(act, "silu-gated") == 0, scaled = strcmp(act, "gelu-erf") != 0;
    struct wb_str text = { 0 }, order = { 0 };
    struct pipe_writer w = { 0 };
    struct wb_model *m;
    double s[16];
    char dir[128];

    assert_int_equal(pipe_flatten(cJSON_GetObjectItem(inputs, "scale"), s, NULL, 0), 7);
    for (size_t i = 0; i < sizeof part / sizeof part[0]; i++) {
        const char *name = gated ? part[i].gated : part[i].plain, *key = part[i].key;
        const cJSON *value = cJSON_GetObjectItem(inputs, key);
        struct wb_shape shape = { 0 };
        double x[64];
        float f[64];
        size_t n;

        if (name[0] == '\0')
            continue;
        n = pipe_flatten(value, x, &shape, 0);
        if (scaled && (strcmp(key, "up") == 0 || strcmp(key, "fc1") == 0 || strcmp(key, "b1") == 0))
            scale_rows(x, 7, n / 7, s);
        if (scaled && (strcmp(key, "down") == 0 || strcmp(key, "fc2") == 0))
            scale_columns(x, n / 7, 7, s);
        for (size_t k = 0; k < n; k++)
            f[k] = (float)x[k];
        pipe_write_add(&w, name, &shape, "F32", f, n * sizeof *f);
    }
    snprintf(dir, sizeof dir, "%s/%d-mlp", pipe_.dir, g->number);
    assert_true(
        pipe_write(&w, dir, gated ? LLAMA : "{\"model_type\": \"opt\", \"num_hidden_layers\": 1}"));
    pipe_lua(&order, cJSON_GetObjectItem(inputs, "perm"));
    wb_str_printf(&text,
                  "return wb.protect(\"permute\", wb.open \"%s\", {key = \"k\", heads = false, "
                  "permutation = %s})",
                  dir, order.text);
    m = golden_run(&pipe_, text.text);
    for (size_t i = 0; i < sizeof part / sizeof part[0]; i++) {
        const char *name = gated ? part[i].gated : part[i].plain;

        if (name[0] != '\0')
            golden_check_tensor(&pipe_, g->file, m, name, cJSON_GetObjectItem(want, part[i].key));
    }
    wb_model_unref(m);
    wb_str_free(&text);
    wb_str_free(&order);
}

/* The stream and its numbers, as scripts print them. */
static void test_key_derivation(void **state)
{
    const struct golden *g = *state;
    const cJSON *inputs = cJSON_GetObjectItem(g->item, "inputs"),
                *want = cJSON_GetObjectItem(g->item, "expected");
    double log_kappa = log(wb_json_number(inputs, "kappa_max", 0)), u[8], value[4];
    int pairs = (int)wb_json_number(inputs, "head_dim", 0) / 2;
    struct wb_str text = { 0 };
    char base[128], *line;

    write_one(g, "key", "w", cJSON_GetObjectItem(want, "uniforms"), NULL, base);
    wb_str_printf(&text, "local k = wb.master_key \"%s\"\n",
                  wb_json_text(inputs, "master_key_hex", ""));
    wb_str_printf(&text, "local label = \"%s\"\n", wb_json_text(want, "label", ""));
    wb_str_printf(&text,
                  "wb.log((wb.key_bytes(k, label, %zu):gsub(\".\", function(c) return "
                  "(\"%%02x\"):format(c:byte()) end)))\n",
                  strlen(wb_json_text(want, "stream_hex", "")) / 2);
    wb_str_printf(
        &text, "for _, u in ipairs(wb.key_uniforms(k, label, %d)) do wb.log(\"%%.17g\", u) end\n",
        2 * pairs);
    wb_str_printf(&text, "return wb.open \"%s\"", base);
    wb_model_unref(golden_run(&pipe_, text.text));
    wb_str_free(&text);
    line = pipe_.log.text;
    assert_non_null(line);
    assert_memory_equal(line, wb_json_text(want, "stream_hex", "?"),
                        strlen(wb_json_text(want, "stream_hex", "?")));
    for (int i = 0; i < 2 * pairs; i++) {
        line = strchr(line, '\n') + 1;
        u[i] = strtod(line, NULL);
        assert_true(
            golden_near(g->file, "uniform", (size_t)i, u[i],
                        cJSON_GetArrayItem(cJSON_GetObjectItem(want, "uniforms"), i)->valuedouble));
    }
    for (int i = 0; i < pairs; i++) { /* the rotation that a pair of numbers stands for */
        static const char *const key[] = { "lambda", "theta", "a", "b" };

        value[0] = exp((2 * u[2 * i] - 1) * log_kappa / 2);
        value[1] = 2 * acos(-1) / 3 * (1 + u[2 * i + 1]);
        value[2] = value[0] * cos(value[1]);
        value[3] = value[0] * sin(value[1]);
        for (int k = 0; k < 4; k++)
            assert_true(
                golden_near(g->file, key[k], (size_t)i, value[k],
                            cJSON_GetArrayItem(cJSON_GetObjectItem(want, key[k]), i)->valuedouble));
    }
}

static struct golden_list list;

int main(void)
{
    int failed;

    if (!pipe_open(&pipe_))
        return 1;
    golden_add(&list, "compress_extract_lora", NULL, test_extract_lora);
    golden_add(&list, "compress_prune", NULL, test_prune);
    golden_add(&list, "compress_layers", NULL, test_layers);
    golden_add(&list, "protect_mlp_symmetry", NULL, test_mlp_symmetry);
    golden_add(&list, "protect_key_derivation", NULL, test_key_derivation);
    failed = golden_run_all(&list, "compress and protect goldens");
    pipe_close(&pipe_);
    return failed;
}
