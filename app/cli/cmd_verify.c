/* app/cli/cmd_verify.c - weightbench verify OUT: files against their manifest. */
#include <stdio.h>

#include "app/cli/cli.h"
#include "app/cli/out.h"
#include "app/core/parallel.h"
#include "app/store/manifest.h"

static const struct wb_option options[] = { WB_CLI_THREADS, WB_CLI_JSON, { 0 } };

static bool print_json(const struct wb_verify *v, struct wb_err *err)
{
    cJSON *object = cJSON_CreateObject(), *files;

    cJSON_AddBoolToObject(object, "ok", v->ok);
    files = cJSON_AddArrayToObject(object, "files");
    for (size_t i = 0; i < v->count; i++) {
        cJSON *file = cJSON_CreateObject();

        cJSON_AddItemToArray(files, file);
        cJSON_AddStringToObject(file, "name", v->file[i].name);
        cJSON_AddBoolToObject(file, "ok", v->file[i].ok);
        wb_cli_json_text(file, "problem", v->file[i].ok ? NULL : v->file[i].problem);
    }
    return wb_cli_json_print(object, err);
}

static void print_text(const struct wb_verify *v)
{
    struct wb_cli_table t = { 0 };

    wb_cli_table_column(&t, "file", false);
    wb_cli_table_column(&t, "state", false);
    for (size_t i = 0; i < v->count; i++) {
        wb_cli_table_cell(&t, "%s", v->file[i].name);
        wb_cli_table_cell(&t, "%s", v->file[i].ok ? "ok" : v->file[i].problem);
    }
    wb_cli_table_print(&t, stdout, "");
    wb_cli_table_free(&t);
}

static int run_verify(struct wb_cli *cli)
{
    struct wb_verify v = { 0 };
    struct wb_err err;
    bool good, ok = wb_verify(cli->args.operand[0],
                              wb_args_count(&cli->args, "threads", wb_cpu_count()), &v, &err);

    if (ok && cli->json)
        ok = print_json(&v, &err);
    else if (ok)
        print_text(&v);
    good = v.ok;
    wb_verify_free(&v);
    if (!ok)
        return wb_cli_fail(&err);
    if (!good)
        wb_cli_say("%s is not what its manifest says", cli->args.operand[0]);
    return good ? WB_EXIT_DONE : WB_EXIT_FAILED;
}

const struct wb_cli_command wb_cmd_verify = {
    .name = "verify",
    .operands = "OUT",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "an output's files against its manifest",
    .option = options,
    .run = run_verify,
    .details = "Checks every file's size, every tensor's XXH3-128, and SHA-256 where the manifest "
               "has one.",
};
