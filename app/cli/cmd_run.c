/* app/cli/cmd_run.c - weightbench run PIPELINE -o OUT: build the model in Lua, then write it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/cli/cli.h"
#include "app/cli/out.h"
#include "app/cli/progress.h"
#include "app/cli/run_text.h"
#include "app/cli/script.h"
#include "app/job/run.h"

static const char *const reports[] = { "sample", "exact", "none", NULL };

static const struct wb_option options[] = {
    { .name = "output",
      .letter = 'o',
      .kind = WB_OPTION_FILE,
      .value = "OUT",
      .doc = "directory to write, or a .safetensors file; it appears whole or not at all" },
    WB_CLI_SET,
    { .name = "dtype",
      .kind = WB_OPTION_DTYPE,
      .value = "DTYPE",
      .doc = "write every floating tensor as this (default: as the pipeline says)" },
    { .name = "shard-size",
      .kind = WB_OPTION_BYTES,
      .value = "SIZE",
      .doc = "largest shard (default 5GB)" },
    WB_CLI_THREADS,
    WB_CLI_MEMORY,
    { .name = "resume", .doc = "take up what an interrupted run of the same pipeline left" },
    { .name = "force", .doc = "replace an output that exists" },
    { .name = "dry-run", .doc = "write nothing: show the plan and every problem" },
    { .name = "sha256", .doc = "SHA-256 of sources and files in the manifest; costs a pass" },
    { .name = "report",
      .kind = WB_OPTION_CHOICE,
      .value = "HOW",
      .choice = reports,
      .doc = "the steps' figures: sample (default), exact (reads more) or none" },
    WB_CLI_TRUST,
    WB_CLI_JSON,
    { 0 },
};

static enum wb_report report_of(const struct wb_args *args)
{
    const char *name = wb_args_text(args, "report", reports[0]);
    int r = 0;

    while (r < WB_REPORT_NONE && strcmp(reports[r], name) != 0)
        r++;
    return (enum wb_report)r;
}

static struct wb_run run_of(const struct wb_cli *cli, const struct wb_pipeline *p)
{
    const struct wb_args *args = &cli->args;
    struct wb_run run = {
        .out = wb_args_text(args, "output", NULL),
        .force = wb_args_has(args, "force"),
        .resume = wb_args_has(args, "resume"),
        .sha256 = wb_args_has(args, "sha256"),
        .shard_bytes = wb_args_bytes(args, "shard-size", 0),
        .report = report_of(args),
        .script_name = args->operand[0],
        .script_text = p->text,
        .knobs_json = p->knobs_json,
        .eval = wb_cli_eval(cli),
    };

    run.has_dtype = wb_args_dtype(args, "dtype", &run.dtype);
    return run;
}

/* The two ways to end */

static bool dry_run(const struct wb_cli *cli, const struct wb_pipeline *p, bool *clean,
                    struct wb_err *err)
{
    struct wb_run run = run_of(cli, p);
    struct wb_plan plan;
    bool ok = wb_run_plan(&run, p->model, &plan, err);

    if (!ok)
        return false;
    *clean = plan.errors == 0;
    if (cli->json)
        ok = wb_cli_plan_json(&plan, err);
    else
        wb_cli_plan_text(&plan, run.out);
    wb_plan_free(&plan);
    return ok;
}

static bool real_run(const struct wb_cli *cli, const struct wb_pipeline *p, struct wb_err *err)
{
    struct wb_run run = run_of(cli, p);
    struct wb_cli_progress progress;
    struct wb_run_result result;
    bool ok;

    wb_cli_progress_start(&progress, cli->cancel);
    run.eval.progress = &progress.engine;
    ok = wb_run_model(&run, p->model, &result, err);
    wb_cli_progress_stop(&progress);
    if (!ok)
        return false;
    for (size_t i = 0; i < result.warnings; i++)
        wb_cli_say_warning("%s", result.warning[i]);
    if (cli->json)
        ok = wb_cli_result_json(&result, err);
    else
        wb_cli_result_text(&result, run.out);
    wb_run_result_free(&result);
    return ok;
}

/* A script that fails: in a dry run everything it found wrong is a problem of the plan. */
static int failed_script(const struct wb_cli *cli, const struct wb_pipeline *p,
                         const struct wb_err *why)
{
    struct wb_problem *problem = calloc(p->problems + 1, sizeof *problem);
    struct wb_plan plan = { .problem = problem, .problems = p->problems };
    struct wb_err err;

    if (!wb_args_has(&cli->args, "dry-run") || why->code == WB_ECANCELLED || problem == NULL) {
        free(problem);
        return wb_cli_fail(why);
    }
    for (size_t i = 0; i < p->problems; i++)
        problem[i] = (struct wb_problem){ .error = true, .tensor = "", .text = p->problem[i] };
    if (p->problems == 0)
        problem[plan.problems++] =
            (struct wb_problem){ .error = true, .tensor = "", .text = why->msg };
    plan.errors = plan.problems;
    if (!cli->json)
        wb_cli_problems_text(&plan);
    else if (!wb_cli_plan_json(&plan, &err))
        wb_cli_say_error(&err);
    free(problem);
    return WB_EXIT_FAILED;
}

static int finish(const struct wb_cli *cli, const struct wb_pipeline *p)
{
    bool clean = true;
    struct wb_err err;

    if (wb_args_has(&cli->args, "dry-run") ? !dry_run(cli, p, &clean, &err)
                                           : !real_run(cli, p, &err))
        return wb_cli_fail(&err);
    return clean ? WB_EXIT_DONE : WB_EXIT_FAILED;
}

/* The contract names CONFIG.yml beside PIPELINE.lua. */
static bool is_config(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot != NULL && (strcmp(dot, ".yml") == 0 || strcmp(dot, ".yaml") == 0);
}

static int run_run(struct wb_cli *cli)
{
    bool dry = wb_args_has(&cli->args, "dry-run");
    const char *path = cli->args.operand[0];
    struct wb_pipeline p = { 0 };
    struct wb_err err;
    int code;

    if (!wb_cli_check_sets(&cli->args, &err))
        return wb_cli_misuse(cli->command, &err);
    if (!dry && !wb_args_has(&cli->args, "output")) {
        wb_fail(&err, WB_EARG, "run: needs -o OUT, the output to write (or --dry-run)");
        return wb_cli_misuse(cli->command, &err);
    }
    if (is_config(path)) {
        wb_cli_say("mergekit configurations are not in this version yet; write a pipeline in Lua");
        return WB_EXIT_USAGE;
    }
    code = wb_cli_script(cli, path, &p, &err) ? finish(cli, &p) : failed_script(cli, &p, &err);
    wb_pipeline_free(&p);
    return code;
}

const struct wb_cli_command wb_cmd_run = {
    .name = "run",
    .operands = "PIPELINE",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "run a pipeline (a Lua script) and write its model",
    .details = "The output directory holds the shards, config.json, tokenizer files, the script "
               "and a manifest\n"
               "(weightbench.json) that 'weightbench verify' checks. Ctrl-C stops and leaves "
               "nothing; a second\n"
               "Ctrl-C stops at once and leaves what is written for --resume.",
    .option = options,
    .opens_models = true,
    .cancels = true,
    .run = run_run,
};
