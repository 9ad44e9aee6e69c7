/* app/cli/cmd_similarity.c - weightbench similarity: weights of two models by layer and role; with
 * --text states of one (cmd_similarity_states.c). */
#include <stdio.h>
#include <string.h>

#include "app/cli/cli.h"
#include "app/cli/out.h"
#include "app/cli/script.h"
#include "app/cli/subject.h"
#include "app/probe/csv.h"
#include "app/probe/delta.h"

static const char *const metrics[] = { "cosine", "relative_l2", "sign", "cka", "angular", NULL };

static const struct wb_option options[] = {
    { .name = "metric",
      .kind = WB_OPTION_CHOICE,
      .value = "METRIC",
      .choice = metrics,
      .doc = "of weights cosine (default), relative_l2 or sign; of states cka (default), cosine or "
             "angular" },
    { .name = "base",
      .kind = WB_OPTION_FILE,
      .value = "MODEL",
      .doc = "compare what A and B changed in this model instead of A and B themselves" },
    { .name = "text",
      .kind = WB_OPTION_FILE,
      .value = "FILE",
      .doc = "states of one model while it reads a UTF-8 text, instead of weights of two" },
    WB_CLI_IMAGES,
    WB_CLI_WINDOW,
    WB_CLI_LIMIT,
    { .name = "rows",
      .kind = WB_OPTION_NUMBER,
      .value = "N",
      .min = 0,
      .max = 1e9,
      .whole = true,
      .doc = "positions that CKA takes, evenly spread (default 2048; 0: all)" },
    WB_CLI_STACK,
    WB_CLI_SET,
    WB_CLI_TRUST,
    WB_CLI_MATCH,
    WB_CLI_CSV,
    WB_CLI_THREADS,
    WB_CLI_MEMORY,
    WB_CLI_JSON,
    { 0 },
};

static const char *row_name(char *out, size_t size, const struct wb_delta_layer *row)
{
    if (row->layer >= 0)
        return wb_cli_layer(out, size, row->stack, row->layer);
    snprintf(out, size, "non-layer");
    return out;
}

static bool print_json(const struct wb_delta_grid *g, enum wb_delta_metric metric,
                       struct wb_err *err)
{
    cJSON *object = cJSON_CreateObject(), *rows, *columns, *matrix;
    char name[40];

    cJSON_AddStringToObject(object, "metric", metrics[metric]);
    rows = cJSON_AddArrayToObject(object, "rows");
    columns = cJSON_AddArrayToObject(object, "columns");
    matrix = cJSON_AddArrayToObject(object, "matrix");
    for (size_t c = 0; c < g->columns; c++)
        wb_cli_json_text(columns, NULL, g->column[c]);
    for (size_t r = 0; r < g->rows; r++) {
        cJSON *line = cJSON_CreateArray();

        cJSON_AddItemToArray(matrix, line);
        wb_cli_json_text(rows, NULL, row_name(name, sizeof name, &g->row[r]));
        for (size_t c = 0; c < g->columns; c++)
            wb_cli_json_number(line, NULL, wb_delta_get(&g->cell[r * g->columns + c], metric));
    }
    return wb_cli_json_print(object, err);
}

static bool print_csv(const struct wb_delta_grid *g, enum wb_delta_metric metric,
                      struct wb_err *err)
{
    struct wb_str text = { 0 };
    char name[40];
    bool ok;

    wb_csv_text(&text, true, "layer");
    for (size_t c = 0; c < g->columns; c++)
        wb_csv_text(&text, false, g->column[c]);
    wb_csv_end(&text);
    for (size_t r = 0; r < g->rows; r++) {
        wb_csv_text(&text, true, row_name(name, sizeof name, &g->row[r]));
        for (size_t c = 0; c < g->columns; c++)
            wb_csv_number(&text, false, wb_delta_get(&g->cell[r * g->columns + c], metric));
        wb_csv_end(&text);
    }
    ok = !text.failed || wb_fail(err, WB_ENOMEM, "no memory for %zu lines", g->rows);
    if (ok)
        fputs(text.text, stdout);
    wb_str_free(&text);
    return ok;
}

/* Columns side by side as long as they fit; the rest below. */
#define COLUMNS_AT_ONCE 16

static void print_part(const struct wb_delta_grid *g, enum wb_delta_metric metric, size_t from,
                       size_t to)
{
    struct wb_cli_table t = { 0 };
    char name[40];

    wb_cli_table_column(&t, "layer", true);
    for (size_t c = from; c < to; c++)
        wb_cli_table_column(&t, g->column[c], true);
    for (size_t r = 0; r < g->rows; r++) {
        wb_cli_table_cell(&t, "%s", row_name(name, sizeof name, &g->row[r]));
        for (size_t c = from; c < to; c++)
            wb_cli_table_fixed(&t, wb_delta_get(&g->cell[r * g->columns + c], metric), 4);
    }
    wb_cli_table_print(&t, stdout, "");
    wb_cli_table_free(&t);
}

static void print_text(const struct wb_delta_grid *g, enum wb_delta_metric metric)
{
    for (size_t from = 0; from < g->columns; from += COLUMNS_AT_ONCE) {
        if (from > 0)
            fputc('\n', stdout);
        print_part(g, metric, from,
                   from + COLUMNS_AT_ONCE < g->columns ? from + COLUMNS_AT_ONCE : g->columns);
    }
}

static void warn_unpaired(const struct wb_delta_list *list)
{
    if (list->only_as + list->only_bs > 0)
        wb_cli_say_warning("%zu tensors are only in A and %zu only in B", list->only_as,
                           list->only_bs);
    if (list->mismatches > 0)
        wb_cli_say_warning("%zu tensors have different shapes", list->mismatches);
}

static bool compare(const struct wb_cli *cli, enum wb_delta_metric metric, struct wb_err *err)
{
    const char *base_name = wb_args_text(&cli->args, "base", NULL);
    struct wb_eval how = wb_cli_eval(cli);
    struct wb_delta_list list = { 0 };
    struct wb_delta_grid grid;
    struct wb_model *base = NULL, *b = NULL, *a = wb_cli_open(cli, cli->args.operand[0], err);
    bool ok = a != NULL && (b = wb_cli_open(cli, cli->args.operand[1], err)) != NULL;

    if (ok && base_name != NULL)
        ok = (base = wb_cli_open(cli, base_name, err)) != NULL;
    ok = ok &&
         wb_delta_compare(&how, a, b, base, wb_args_text(&cli->args, "match", NULL), &list, err) &&
         wb_delta_grid(&list, &grid, err);
    if (ok)
        warn_unpaired(&list);
    if (ok && grid.rows == 0)
        ok = wb_fail(err, WB_ESHAPE, "%s and %s have no tensor in common that can be compared",
                     cli->args.operand[0], cli->args.operand[1]);
    if (ok && cli->json)
        ok = print_json(&grid, metric, err);
    else if (ok && wb_args_has(&cli->args, "csv"))
        ok = print_csv(&grid, metric, err);
    else if (ok)
        print_text(&grid, metric);
    wb_delta_free(&list);
    wb_model_unref(a);
    wb_model_unref(b);
    wb_model_unref(base);
    return ok;
}

/* Options that only make sense for states, or only for weights. */
static bool check_options(const struct wb_args *args, bool states, struct wb_err *err)
{
    static const char *const of_states[] = { "window", "limit", "rows", "stack", "set", "trust" };
    static const char *const of_weights[] = { "base", "match" };

    for (size_t i = 0; !states && i < sizeof of_states / sizeof of_states[0]; i++)
        if (wb_args_has(args, of_states[i]))
            return wb_fail(err, WB_EARG, "--%s is of states and needs --text or --images",
                           of_states[i]);
    for (size_t i = 0; states && i < sizeof of_weights / sizeof of_weights[0]; i++)
        if (wb_args_has(args, of_weights[i]))
            return wb_fail(err, WB_EARG, "--%s is of the weights of two models, without --text",
                           of_weights[i]);
    if (states && args->operands > 1)
        return wb_fail(err, WB_EARG, "similarity: states are of one model at a time");
    if (!states && args->operands < 2)
        return wb_fail(err, WB_EARG, "similarity: needs two models, or one and --text");
    return wb_cli_check_sets(args, err);
}

static int run_similarity(struct wb_cli *cli)
{
    const char *name = wb_args_text(&cli->args, "metric", metrics[0]);
    bool states = wb_args_has(&cli->args, "text") || wb_args_has(&cli->args, "images");
    int metric = 0;
    struct wb_err err;

    if (!check_options(&cli->args, states, &err))
        return wb_cli_misuse(cli->command, &err);
    if (states)
        return wb_cli_similarity_states(cli);
    while (strcmp(metrics[metric], name) != 0)
        metric++;
    if (metric > WB_DELTA_SIGN) {
        wb_fail(&err, WB_EARG, "--metric %s is of states and needs --text or --images", name);
        return wb_cli_misuse(cli->command, &err);
    }
    return compare(cli, (enum wb_delta_metric)metric, &err) ? WB_EXIT_DONE : wb_cli_fail(&err);
}

const struct wb_cli_command wb_cmd_similarity = {
    .name = "similarity",
    .operands = "A B|MODEL",
    .operands_min = 1,
    .operands_max = 2,
    .summary = "how alike the weights of two models are, or the states of one",
    .details =
        "Of weights, tensors of one role in one layer are taken as one vector. A '-' is a cell "
        "that has no\n"
        "tensor in both, or only zeros. With --text it is the states of one model along its "
        "depth, and how\n"
        "much each block changes them; MODEL may be a pipeline (a .lua file) "
        "then.\n" WB_CLI_MODEL_HELP,
    .option = options,
    .opens_models = true,
    .cancels = true,
    .run = run_similarity,
};
