/* app/cli/cmd_tensors.c - weightbench tensors MODEL: one line a tensor, figures with --stats. */
#include <stdio.h>
#include <stdlib.h>

#include "app/cli/cli.h"
#include "app/cli/out.h"
#include "app/core/str.h"
#include "app/probe/weights.h"

static const struct wb_option options[] = {
    { .name = "stats",
      .doc = "read the weights: mean, std, absmax, l2, sparsity (zeros), NaN and infinities" },
    WB_CLI_MATCH,
    WB_CLI_THREADS,
    WB_CLI_MEMORY,
    WB_CLI_JSON,
    { 0 },
};

/* The tensors that are listed. */
struct listing {
    const struct wb_entry **entry;
    size_t count;
    struct wb_weight_stats *stats; /* NULL without --stats */
};

static bool pick(const struct wb_model *m, const char *match, struct listing *l, struct wb_err *err)
{
    l->entry = calloc(wb_model_count(m) + 1, sizeof *l->entry);
    if (l->entry == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu tensors", wb_model_count(m));
    for (size_t i = 0; i < wb_model_count(m); i++)
        if (match == NULL || wb_glob(match, wb_model_entry(m, i)->name))
            l->entry[l->count++] = wb_model_entry(m, i);
    if (l->count == 0 && match != NULL)
        return wb_fail(err, WB_ENOTFOUND, "%s: none of %zu tensors matches '%s'", wb_model_path(m),
                       wb_model_count(m), match);
    return true;
}

static bool read_stats(const struct wb_cli *cli, struct listing *l, struct wb_err *err)
{
    struct wb_eval how = wb_cli_eval(cli);

    l->stats = calloc(l->count + 1, sizeof *l->stats);
    if (l->stats == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu tensors", l->count);
    return wb_weights_stats(&how, l->entry, l->count, l->stats, err);
}

static uint64_t bytes_of(const struct wb_entry *e)
{
    uint64_t bytes = 0;

    wb_shape_bytes(wb_node_shape(e->node), wb_node_dtype(e->node), &bytes);
    return bytes;
}

static void add_json(cJSON *array, const struct wb_entry *e, const struct wb_weight_stats *s)
{
    const struct wb_shape *shape = wb_node_shape(e->node);
    cJSON *object = cJSON_CreateObject(), *dims;

    cJSON_AddItemToArray(array, object);
    cJSON_AddStringToObject(object, "name", e->name);
    cJSON_AddStringToObject(object, "role", e->role.role);
    if (e->role.layer >= 0)
        cJSON_AddNumberToObject(object, "layer", e->role.layer);
    else
        cJSON_AddNullToObject(object, "layer");
    cJSON_AddStringToObject(object, "dtype", wb_dtype_name(wb_node_dtype(e->node)));
    dims = cJSON_AddArrayToObject(object, "shape");
    for (int d = 0; d < shape->ndim; d++)
        cJSON_AddItemToArray(dims, cJSON_CreateNumber((double)shape->dim[d]));
    cJSON_AddNumberToObject(object, "bytes", (double)bytes_of(e));
    if (s == NULL)
        return;
    wb_cli_json_number(object, "mean", s->mean);
    wb_cli_json_number(object, "std", s->std);
    wb_cli_json_number(object, "absmax", s->absmax);
    wb_cli_json_number(object, "l2", s->l2);
    wb_cli_json_number(object, "sparsity", s->sparsity);
    wb_cli_json_number(object, "nan", s->nan);
    wb_cli_json_number(object, "inf", s->inf);
}

static bool print_json(const struct listing *l, struct wb_err *err)
{
    cJSON *object = cJSON_CreateObject(), *array = cJSON_AddArrayToObject(object, "tensors");

    for (size_t i = 0; i < l->count; i++)
        add_json(array, l->entry[i], l->stats == NULL ? NULL : &l->stats[i]);
    return wb_cli_json_print(object, err);
}

static void add_columns(struct wb_cli_table *t, bool stats)
{
    static const char *const figures[] = { "mean", "std", "absmax", "l2", "zeros", "nan", "inf" };

    wb_cli_table_column(t, "name", false);
    wb_cli_table_column(t, "role", false);
    wb_cli_table_column(t, "layer", true);
    wb_cli_table_column(t, "dtype", false);
    wb_cli_table_column(t, "shape", false);
    wb_cli_table_column(t, "size", true);
    for (size_t i = 0; stats && i < sizeof figures / sizeof figures[0]; i++)
        wb_cli_table_column(t, figures[i], true);
}

static void add_row(struct wb_cli_table *t, const struct wb_entry *e,
                    const struct wb_weight_stats *s)
{
    char shape[128], bytes[32], layer[32];

    wb_cli_table_cell(t, "%s", e->name);
    wb_cli_table_cell(t, "%s", e->role.role);
    wb_cli_layer(layer, sizeof layer, e->role.stack, e->role.layer);
    wb_cli_table_cell(t, "%s", e->role.layer < 0 ? "-" : layer);
    wb_cli_table_cell(t, "%s", wb_dtype_name(wb_node_dtype(e->node)));
    wb_cli_table_cell(t, "%s", wb_shape_format(wb_node_shape(e->node), shape, sizeof shape));
    wb_cli_table_cell(t, "%s", wb_format_bytes(bytes, sizeof bytes, (double)bytes_of(e)));
    if (s == NULL)
        return;
    wb_cli_table_number(t, s->mean, 3);
    wb_cli_table_number(t, s->std, 4);
    wb_cli_table_number(t, s->absmax, 4);
    wb_cli_table_number(t, s->l2, 5);
    wb_cli_table_number(t, s->sparsity, 3);
    wb_cli_table_number(t, s->nan, 15);
    wb_cli_table_number(t, s->inf, 15);
}

static void print_text(const struct listing *l)
{
    struct wb_cli_table t = { 0 };

    add_columns(&t, l->stats != NULL);
    for (size_t i = 0; i < l->count; i++)
        add_row(&t, l->entry[i], l->stats == NULL ? NULL : &l->stats[i]);
    wb_cli_table_print(&t, stdout, "");
    wb_cli_table_free(&t);
}

static int run_tensors(struct wb_cli *cli)
{
    struct wb_err err;
    struct listing l = { 0 };
    struct wb_model *m = wb_cli_open(cli, cli->args.operand[0], &err);
    bool ok = m != NULL && pick(m, wb_args_text(&cli->args, "match", NULL), &l, &err);

    if (ok && wb_args_has(&cli->args, "stats"))
        ok = read_stats(cli, &l, &err);
    if (ok && cli->json)
        ok = print_json(&l, &err);
    else if (ok)
        print_text(&l);
    free(l.entry);
    free(l.stats);
    wb_model_unref(m);
    return ok ? WB_EXIT_DONE : wb_cli_fail(&err);
}

const struct wb_cli_command wb_cmd_tensors = {
    .name = "tensors",
    .operands = "MODEL",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "one line a tensor: name, role, layer, dtype, shape, size",
    .details = WB_CLI_MODEL_HELP,
    .option = options,
    .opens_models = true,
    .cancels = true,
    .run = run_tensors,
};
