/* app/cli/cmd_show.c - weightbench show MODEL: what it is, from headers alone. */
#include <inttypes.h>
#include <stdio.h>

#include "app/cli/cli.h"
#include "app/cli/out.h"
#include "app/core/str.h"

static const struct wb_option options[] = { WB_CLI_JSON, { 0 } };

struct census {
    uint64_t tensors[WB_DTYPE_COUNT], entries[WB_DTYPE_COUNT];
};

static struct census take_census(const struct wb_model *m)
{
    struct census c = { { 0 }, { 0 } };

    for (size_t i = 0; i < wb_model_count(m); i++) {
        struct wb_node *node = wb_model_entry(m, i)->node;

        c.tensors[wb_node_dtype(node)]++;
        c.entries[wb_node_dtype(node)] += wb_node_count(node);
    }
    return c;
}

/* What the tensors say wins: a config may promise more. */
static int layers(const struct wb_model *m)
{
    int there = wb_model_layers(m);

    return there > 0 ? there : wb_arch_dims(wb_model_arch(m))->layers;
}

static void add_known(cJSON *object, const char *key, int value)
{
    if (value > 0)
        cJSON_AddNumberToObject(object, key, value);
    else
        cJSON_AddNullToObject(object, key);
}

static bool print_json(const struct wb_model *m, struct wb_err *err)
{
    const struct wb_dims *dims = wb_arch_dims(wb_model_arch(m));
    struct census census = take_census(m);
    cJSON *object = cJSON_CreateObject(), *dtypes;

    cJSON_AddStringToObject(object, "family", wb_arch_family(wb_model_arch(m)));
    cJSON_AddNumberToObject(object, "parameters", (double)wb_model_parameters(m));
    cJSON_AddNumberToObject(object, "bytes", (double)wb_model_bytes(m));
    dtypes = cJSON_AddObjectToObject(object, "dtypes");
    for (int d = 0; d < WB_DTYPE_COUNT; d++)
        if (census.tensors[d] > 0)
            cJSON_AddNumberToObject(dtypes, wb_dtype_name((enum wb_dtype)d),
                                    (double)census.tensors[d]);
    add_known(object, "layers", layers(m));
    add_known(object, "heads", dims->heads);
    add_known(object, "kv_heads", dims->kv_heads);
    add_known(object, "hidden", dims->hidden);
    add_known(object, "vocab", dims->vocab);
    cJSON_AddNumberToObject(object, "tensors", (double)wb_model_count(m));
    return wb_cli_json_print(object, err);
}

static void row(struct wb_cli_table *t, const char *what, int value)
{
    if (value <= 0)
        return;
    wb_cli_table_cell(t, "%s", what);
    wb_cli_table_cell(t, "%d", value);
}

static void add_dims(struct wb_cli_table *t, const struct wb_model *m)
{
    const struct wb_dims *dims = wb_arch_dims(wb_model_arch(m));

    row(t, "layers", layers(m));
    row(t, "hidden", dims->hidden);
    row(t, "heads", dims->heads);
    row(t, "kv heads", dims->kv_heads);
    row(t, "head size", dims->head_dim);
    row(t, "inner", dims->intermediate);
    row(t, "experts", dims->experts);
    row(t, "vocabulary", dims->vocab);
    row(t, "context", dims->context);
}

static void add_dtypes(struct wb_cli_table *t, const struct wb_model *m)
{
    struct census census = take_census(m);
    char count[32];

    for (int d = 0; d < WB_DTYPE_COUNT; d++)
        if (census.tensors[d] > 0) {
            wb_cli_table_cell(t, "%s", wb_dtype_name((enum wb_dtype)d));
            wb_cli_table_cell(t, "%" PRIu64 " tensors, %s entries", census.tensors[d],
                              wb_format_count(count, sizeof count, (double)census.entries[d]));
        }
}

static void print_text(const struct wb_model *m)
{
    const struct wb_arch *arch = wb_model_arch(m);
    struct wb_cli_table t = { 0 };
    char count[32], bytes[32];
    size_t files = 0;

    for (size_t s = 0; s < wb_model_source_count(m); s++)
        files += wb_ckpt_file_count(wb_model_source(m, s));
    wb_cli_table_column(&t, "", false);
    wb_cli_table_column(&t, "", false);
    wb_cli_table_cell(&t, "family");
    wb_cli_table_cell(&t, "%s%s", wb_arch_family(arch),
                      wb_arch_known(arch) ? "" : " (roles are guessed)");
    wb_cli_table_cell(&t, "parameters");
    wb_cli_table_cell(&t, "%s (%" PRIu64 ")",
                      wb_format_count(count, sizeof count, (double)wb_model_parameters(m)),
                      wb_model_parameters(m));
    wb_cli_table_cell(&t, "size");
    wb_cli_table_cell(&t, "%s in %zu tensors, %zu file%s",
                      wb_format_bytes(bytes, sizeof bytes, (double)wb_model_bytes(m)),
                      wb_model_count(m), files, files == 1 ? "" : "s");
    add_dtypes(&t, m);
    add_dims(&t, m);
    if (wb_arch_dims(arch)->tied_embeddings) {
        wb_cli_table_cell(&t, "embeddings");
        wb_cli_table_cell(&t, "tied");
    }
    wb_cli_out(stdout, WB_CLI_TITLE, "%s\n", wb_model_path(m));
    wb_cli_table_print(&t, stdout, "  ");
    wb_cli_table_free(&t);
}

static int run_show(struct wb_cli *cli)
{
    struct wb_err err;
    struct wb_model *m = wb_cli_open(cli, cli->args.operand[0], &err);
    bool ok = m != NULL;

    if (ok && cli->json)
        ok = print_json(m, &err);
    else if (ok)
        print_text(m);
    wb_model_unref(m);
    return ok ? WB_EXIT_DONE : wb_cli_fail(&err);
}

const struct wb_cli_command wb_cmd_show = {
    .name = "show",
    .operands = "MODEL",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "family, parameters, size, dtypes, layers and heads of a model",
    .details = WB_CLI_MODEL_HELP,
    .option = options,
    .opens_models = true,
    .run = run_show,
};
