/* tests/golden/test_goldens.c - every golden case of the merge plugins, through the whole engine.
 *
 * The files under tests/data/goldens come from independent reference code (see tests/data/README.md). A
 * case becomes checkpoints on disk and a pipeline; what that makes is compared within the file's own tolerance. */
#include "tests/golden/golden.h"

#define ENTRIES_MAX 10000

static struct pipe pipe_;

/* A golden file, the plugin that has to meet it, and what its parameters are called there. */
struct method {
    const char *file, *plugin, *fixed;
    struct {
        const char *from, *to;
    } rename[3];
};

static const struct method methods[] = {
    { "merge_linear", "linear", "", { { "weights", "weight" }, { "is_embedding", "" } } },
    { "merge_task_arithmetic", "task_arithmetic", "", { { "weights", "weight" } } },
    { "merge_ties_mergekit", "ties", "definition = \"mergekit\", ", { { "weights", "weight" } } },
    { "merge_ties_official", "ties", "definition = \"official\", ", { { NULL, NULL } } },
    { "merge_dare_linear", "dare_linear", "", { { "weights", "weight" } } },
    { "merge_dare_ties", "dare_ties", "", { { "weights", "weight" } } },
    { "merge_breadcrumbs",
      "breadcrumbs",
      "definition = \"mergekit\", ",
      { { "weights", "weight" } } },
    { "merge_breadcrumbs_official",
      "breadcrumbs",
      "definition = \"official\", ",
      { { NULL, NULL } } },
    { "merge_slerp", "slerp", "", { { NULL, NULL } } },
    { "merge_nuslerp",
      "nuslerp",
      "",
      { { "weights", "weight" },
        { "nuslerp_row_wise", "row_wise" },
        { "nuslerp_flatten", "flatten" } } },
    { "merge_multislerp", "multislerp", "", { { "weights", "weight" } } },
    { "merge_karcher", "karcher", "", { { NULL, NULL } } },
    { "merge_model_stock", "model_stock", "", { { NULL, NULL } } },
    { "merge_pcb", "pcb", "", { { NULL, NULL } } },
    { "merge_layer_swap",
      "layer_swap",
      "",
      { { "transition_weight_language", "weight" },
        { "non_layer_tensors", "non_layer" },
        { "num_layers", "" } } },
};

/* --- merges ------------------------------------------------------------------------------------ */

/* A tensor's name on disk: one that says what it is for, where the file's does not say enough. */
static const char *tensor_name(const struct golden *g, const char *name, char out[64])
{
    bool embedding =
        cJSON_IsTrue(cJSON_GetObjectItem(cJSON_GetObjectItem(g->item, "params"), "is_embedding"));
    bool layer = strncmp(name, "layers.", 7) == 0;

    snprintf(out, 64, "%s%s", embedding ? "model.embed_tokens.weight" : name,
             layer ? ".weight" : "");
    return out;
}

/* Write a tensor set as DIR/case-label and add `wb.open "…"` to text. */
static void add_model(const struct golden *g, const char *label, int i, const cJSON *set,
                      struct wb_str *text)
{
    struct pipe_writer w = { 0 };
    struct wb_str dir = { 0 };
    const cJSON *tensor;
    char name[64];

    wb_str_printf(&dir, "%s/%d-%s%d", pipe_.dir, g->number, label, i);
    cJSON_ArrayForEach(tensor, set)
        pipe_write_json(&w, tensor_name(g, tensor->string, name), tensor);
    assert_true(pipe_write(&w, dir.text, NULL));
    wb_str_printf(text, "wb.open \"%s\"", dir.text);
    wb_str_free(&dir);
}

static void add_params(const struct golden *g, struct wb_str *text)
{
    const cJSON *param;

    cJSON_ArrayForEach(param, cJSON_GetObjectItem(g->item, "params")) {
        const char *name = param->string;

        for (size_t i = 0; i < 3 && g->method->rename[i].from != NULL; i++)
            if (strcmp(g->method->rename[i].from, param->string) == 0)
                name = g->method->rename[i].to;
        if (strcmp(param->string, "is_embedding") == 0)
            wb_str_add(text, "vocab = \"submatrix\", ");
        if (name[0] == '\0')
            continue;
        wb_str_printf(text, "[\"%s\"] = ", name);
        pipe_lua(text, param);
        wb_str_add(text, ", ");
    }
}

/* The injected draws: one model each, with a tensor "w". */
static void add_draws(const struct golden *g, struct wb_str *text)
{
    const cJSON *draws = cJSON_GetObjectItem(cJSON_GetObjectItem(g->item, "inputs"), "uniform"),
                *draw;
    int i = 0;

    if (draws == NULL)
        return;
    wb_str_add(text, "uniform = {");
    cJSON_ArrayForEach(draw, draws) {
        cJSON *set = cJSON_CreateObject();

        cJSON_AddItemReferenceToObject(set, "w", (cJSON *)(uintptr_t)draw);
        add_model(g, "uniform", i++, set, text);
        wb_str_add(text, ", ");
        cJSON_Delete(set);
    }
    wb_str_add(text, "}, ");
}

static void merge_text(const struct golden *g, const char *more, struct wb_str *text)
{
    const cJSON *inputs = cJSON_GetObjectItem(g->item, "inputs"), *model;
    const cJSON *base = cJSON_GetObjectItem(inputs, "base");
    int i = 0;

    wb_str_printf(text, "return wb.merge(\"%s\", {", g->method->plugin);
    if (base != NULL) {
        wb_str_add(text, "base = ");
        add_model(g, "base", 0, base, text);
        wb_str_add(text, ", ");
    }
    wb_str_add(text, "models = {");
    cJSON_ArrayForEach(model, cJSON_GetObjectItem(inputs, "models")) {
        add_model(g, "model", i++, model, text);
        wb_str_add(text, ", ");
    }
    if (cJSON_HasObjectItem(inputs, "language")) {
        add_model(g, "language", 0, cJSON_GetObjectItem(inputs, "language"), text);
        wb_str_add(text, ", ");
        add_model(g, "task", 0, cJSON_GetObjectItem(inputs, "task"), text);
    }
    wb_str_printf(text, "}, %s", g->method->fixed);
    add_params(g, text);
    add_draws(g, text);
    wb_str_printf(text, "%s})", more);
}

/* `scale` of pcb: the scores of every model, over all its entries in the order of names. */
static void check_scores(const struct golden *g, const cJSON *want)
{
    const cJSON *row;
    int number = 1;

    cJSON_ArrayForEach(row, want) {
        struct wb_str text = { 0 };
        char more[32];
        float all[ENTRIES_MAX];
        size_t n = 0;
        struct wb_model *m;
        const cJSON *tensor;

        snprintf(more, sizeof more, "scores = %d", number++);
        merge_text(g, more, &text);
        m = golden_run(&pipe_, text.text);
        cJSON_ArrayForEach(tensor,
                           cJSON_GetObjectItem(cJSON_GetObjectItem(g->item, "inputs"), "base")) {
            struct pipe_data data = golden_fetch(&pipe_, m, tensor->string);

            assert_true(n + data.n <= ENTRIES_MAX);
            memcpy(all + n, data.x, data.n * sizeof *all);
            n += data.n;
            free(data.x);
        }
        golden_check_array(g->file, "scale", all, n, row);
        wb_model_unref(m);
        wb_str_free(&text);
    }
}

static void test_merge(void **state)
{
    const struct golden *g = *state;
    struct wb_str text = { 0 };
    struct wb_model *m;
    const cJSON *want;
    char name[64];

    merge_text(g, "", &text);
    m = golden_run(&pipe_, text.text);
    cJSON_ArrayForEach(want, cJSON_GetObjectItem(g->item, "expected")) {
        if (strcmp(want->string, "scale") == 0)
            check_scores(g, want);
        else
            golden_check_tensor(&pipe_, g->file, m, tensor_name(g, want->string, name), want);
    }
    wb_model_unref(m);
    wb_str_free(&text);
}

static struct golden_list list;

int main(void)
{
    int failed;

    if (!pipe_open(&pipe_))
        return 1;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        golden_add(&list, methods[i].file, &methods[i], test_merge);
    failed = golden_run_all(&list, "merge goldens");
    pipe_close(&pipe_);
    return failed;
}
