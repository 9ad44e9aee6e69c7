/* app/cli/cmd_eval.c - weightbench eval MODEL: how good it is on a text, on tasks, on images. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "app/cli/cli.h"
#include "app/cli/out.h"
#include "app/cli/script.h"
#include "app/cli/subject.h"
#include "app/cli/ticker.h"
#include "app/core/json.h"
#include "app/infer/score.h"

static const struct wb_option options[] = {
    { .name = "text",
      .kind = WB_OPTION_FILE,
      .value = "FILE",
      .doc = "a UTF-8 text: likelihood of its tokens, perplexity" },
    { .name = "tasks",
      .kind = WB_OPTION_FILE,
      .value = "FILE",
      .doc = "{\"prompt\": ..., \"answer\": ...} a line: share answered exactly" },
    { .name = "images",
      .kind = WB_OPTION_FILE,
      .value = "FILE",
      .doc = "safetensors with images [n,c,h,w] and labels [n]: accuracy" },
    WB_CLI_WINDOW,
    { .name = "limit",
      .kind = WB_OPTION_NUMBER,
      .value = "N",
      .min = 1,
      .max = 1e9,
      .whole = true,
      .doc = "only the first N windows, tasks or images" },
    WB_CLI_SET,
    WB_CLI_TRUST,
    WB_CLI_THREADS,
    WB_CLI_MEMORY,
    WB_CLI_JSON,
    { 0 },
};

static const struct {
    const char *option, *unit;
} kinds[] = {
    [WB_SCORE_TEXT] = { "text", "tokens" },
    [WB_SCORE_TASKS] = { "tasks", "tasks" },
    [WB_SCORE_IMAGES] = { "images", "images" },
};
#define KINDS 3

static bool pick_kind(const struct wb_args *args, struct wb_score_how *how, struct wb_err *err)
{
    int found = 0;

    for (int k = 0; k < KINDS; k++)
        if (wb_args_has(args, kinds[k].option)) {
            how->kind = (enum wb_score_kind)k;
            how->path = wb_args_text(args, kinds[k].option, NULL);
            found++;
        }
    if (found != 1)
        return wb_fail(err, WB_EARG, "eval: needs one of --text, --tasks and --images");
    if (how->kind != WB_SCORE_TEXT && wb_args_has(args, "window"))
        return wb_fail(err, WB_EARG, "eval: --window is for --text");
    return true;
}

static bool show(void *ctx, uint64_t done, uint64_t total)
{
    wb_cli_ticker_show(ctx, done, total);
    return true;
}

/* Output */

static double get(const cJSON *scores, const char *key)
{
    return wb_json_number(scores, key, NAN);
}

static void print_with_error(struct wb_cli_table *t, const cJSON *scores, const char *key,
                             const char *error, int decimals)
{
    double e = get(scores, error);

    wb_cli_table_cell(t, "%s", key);
    if (isfinite(e))
        wb_cli_table_cell(t, "%.*f +- %.*f", decimals, get(scores, key), decimals, e);
    else
        wb_cli_table_fixed(t, get(scores, key), decimals);
}

static void print_count(struct wb_cli_table *t, const cJSON *scores, const char *key)
{
    wb_cli_table_cell(t, "%s", key);
    wb_cli_table_cell(t, "%.0f", get(scores, key));
}

static void print_windows(struct wb_cli_table *t, const cJSON *scores)
{
    double bos = get(scores, "bos");

    wb_cli_table_cell(t, "windows");
    if (isfinite(bos))
        wb_cli_table_cell(t, "%.0f of %.0f tokens, each behind token %.0f", get(scores, "windows"),
                          get(scores, "window"), bos);
    else
        wb_cli_table_cell(t, "%.0f of %.0f tokens, the first of each not predicted",
                          get(scores, "windows"), get(scores, "window"));
}

static void print_scores(const cJSON *scores, enum wb_score_kind kind)
{
    struct wb_cli_table t = { 0 };

    wb_cli_table_column(&t, "", false);
    wb_cli_table_column(&t, "", false);
    if (kind == WB_SCORE_TEXT) {
        print_count(&t, scores, "tokens");
        print_with_error(&t, scores, "nll", "nll_error", 6);
        wb_cli_table_cell(&t, "perplexity");
        wb_cli_table_number(&t, get(scores, "perplexity"), 6);
        print_windows(&t, scores);
    } else {
        print_count(&t, scores, "items");
        print_with_error(&t, scores, kind == WB_SCORE_TASKS ? "exact_match" : "accuracy",
                         kind == WB_SCORE_TASKS ? "exact_match_error" : "accuracy_error", 4);
    }
    if (kind == WB_SCORE_TASKS) {
        wb_cli_table_cell(&t, "answer_nll");
        wb_cli_table_fixed(&t, get(scores, "answer_nll"), 6);
    }
    wb_cli_table_print(&t, stdout, "");
    wb_cli_table_free(&t);
}

/* The command */

static int run_eval(struct wb_cli *cli)
{
    struct wb_score_how how = { .eval = wb_cli_eval(cli),
                                .window = (size_t)wb_args_number(&cli->args, "window", 0),
                                .limit = (size_t)wb_args_number(&cli->args, "limit", 0),
                                .report = show };
    struct wb_cli_ticker ticker;
    struct wb_model *model;
    struct wb_err err;
    cJSON *scores = NULL;
    bool ok = true;

    if (!wb_cli_check_sets(&cli->args, &err) || !pick_kind(&cli->args, &how, &err))
        return wb_cli_misuse(cli->command, &err);
    how.ctx = &ticker;
    wb_cli_ticker_start(&ticker, kinds[how.kind].unit);
    model = wb_cli_open_any(cli, cli->args.operand[0], &err);
    if (model != NULL)
        scores = wb_score_model(model, &how, &err);
    wb_cli_ticker_stop(&ticker);
    wb_model_unref(model);
    if (scores == NULL)
        return wb_cli_fail(&err);
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(scores, "nonfinite")))
        wb_cli_say_warning("%s: the model gives values that are not finite; there is no figure",
                           cli->args.operand[0]);
    if (cli->json) {
        ok = wb_cli_json_print(scores, &err);
    } else {
        print_scores(scores, how.kind);
        cJSON_Delete(scores);
    }
    return ok ? WB_EXIT_DONE : wb_cli_fail(&err);
}

const struct wb_cli_command wb_cmd_eval = {
    .name = "eval",
    .operands = "MODEL",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "quality on a text, tasks or images",
    .details =
        "MODEL may be a pipeline (a .lua file): its model is scored as a run would write it, "
        "and nothing is\n"
        "written. Texts are cut into windows that do not overlap, each behind the "
        "beginning-of-text token\n"
        "where the model has one. Tasks are decoded greedily up to the first newline or end "
        "token.",
    .option = options,
    .opens_models = true,
    .cancels = true,
    .run = run_eval,
};
