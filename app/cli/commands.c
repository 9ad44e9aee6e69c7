/* app/cli/commands.c - from the command line to a command, and from errors to exit codes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/cli/cli.h"
#include "app/cli/out.h"
#include "app/core/io.h"
#include "app/core/nearest.h"
#include "app/graph/dense.h"
#include "app/job/run.h"
#include "app/tensor/kernels.h"

const struct wb_cli_command *const wb_cli_commands[] = {
    &wb_cmd_workbench,
    &wb_cmd_show,
    &wb_cmd_tensors,
    &wb_cmd_diff,
    &wb_cmd_similarity,
    &wb_cmd_run,
    &wb_cmd_plugins,
    &wb_cmd_verify,
    &wb_cmd_heads,
    &wb_cmd_eval,
    &wb_cmd_generate,
    &wb_cmd_help,
    NULL,
};

/* Commands by name */

const struct wb_cli_command *wb_cli_find(const char *name)
{
    for (const struct wb_cli_command *const *c = wb_cli_commands; *c != NULL; c++)
        if (strcmp((*c)->name, name) == 0)
            return *c;
    return NULL;
}

const char *wb_cli_suggest(const char *name)
{
    struct wb_nearest near = { .word = name };

    for (const struct wb_cli_command *const *c = wb_cli_commands; *c != NULL; c++)
        wb_nearest_try(&near, (*c)->name);
    return near.best;
}

void wb_cli_overview(FILE *out)
{
    fputs("usage: weightbench [OPTION]... [MODEL|PIPELINE]...\n"
          "       weightbench COMMAND [OPTION]... [ARGUMENT]...\n\n"
          "Look inside transformer checkpoints, merge, protect and compress them: on screens, or "
          "with\none of the commands.\n\n",
          out);
    for (const struct wb_cli_command *const *c = wb_cli_commands; *c != NULL; c++)
        fprintf(out, "  %-11s %-10s %s\n", (*c)->name, (*c)->operands, (*c)->summary);
    fputs("\n'weightbench help COMMAND' tells all of one; --version tells the "
          "version.\n" WB_CLI_MODEL_HELP "\n"
          "Exit code: 0 done, 1 failed, 2 wrong usage, 130 cancelled.\n",
          out);
}

void wb_cli_version(FILE *out)
{
    fprintf(out, "weightbench %s\nkernels %s\nblas OpenBLAS %s\n", WB_VERSION, wb_kernels()->name,
            wb_dense_core());
}

/* What commands share */

int wb_cli_fail(const struct wb_err *err)
{
    wb_cli_say_error(err);
    return err->code == WB_ECANCELLED ? WB_EXIT_CANCELLED : WB_EXIT_FAILED;
}

int wb_cli_misuse(const struct wb_cli_command *command, const struct wb_err *err)
{
    wb_cli_say_error(err);
    wb_usage_print(stderr, command);
    return WB_EXIT_USAGE;
}

struct wb_model *wb_cli_open(const struct wb_cli *cli, const char *model, struct wb_err *err)
{
    struct wb_model *m = wb_model_open(model, cli->families, err);

    for (size_t i = 0; m != NULL && i < wb_model_warning_count(m); i++)
        wb_cli_say_warning("%s: %s", model, wb_model_warning(m, i));
    return m;
}

struct wb_eval wb_cli_eval(const struct wb_cli *cli)
{
    return (struct wb_eval){
        .threads = wb_args_count(&cli->args, "threads", 0),
        .budget_bytes = wb_args_bytes(&cli->args, "memory", 0),
        .cancel = cli->cancel,
    };
}

const char *wb_cli_layer(char *out, size_t size, const char *stack, int layer)
{
    if (layer < 0)
        snprintf(out, size, "none");
    else
        snprintf(out, size, "%s%s%d", stack, stack[0] != '\0' ? "." : "", layer);
    return out;
}

/* Dispatch */

static int run_command(const struct wb_cli_command *command, int argc, char **argv,
                       const struct wb_cli_host *host)
{
    struct wb_cli cli = { .command = command, .cancel = host->cancel };
    struct wb_err err;
    int code;

    if (!wb_args_parse(&cli.args, command, argc, argv, &err)) {
        code = wb_cli_misuse(command, &err);
    } else if (cli.args.help) {
        wb_help_print(stdout, command);
        code = WB_EXIT_DONE;
    } else if (command->opens_models && (cli.families = host->open_families(&err)) == NULL) {
        code = wb_cli_fail(&err);
    } else {
        cli.json = wb_args_has(&cli.args, "json");
        atomic_store(host->polled, command->cancels);
        code = command->run(&cli);
        atomic_store(host->polled, false);
    }
    wb_args_free(&cli.args);
    return code;
}

/* A first word that is no command: a model or a pipeline for the screens, or a mistake. */
static bool may_be_opened(const char *word)
{
    return word[0] == '-' || wb_is_dir(word) || wb_is_file(word) || strchr(word, '/') != NULL ||
           strchr(word, '.') != NULL;
}

static int no_command(const char *word)
{
    const char *near = wb_cli_suggest(word);

    wb_cli_say("there is no command '%s'%s%s%s", word, near != NULL ? "; did you mean '" : "",
               near != NULL ? near : "", near != NULL ? "'?" : "");
    fputs("usage: weightbench COMMAND [OPTION]... [ARGUMENT]...; 'weightbench help' lists the "
          "commands\n",
          stderr);
    return WB_EXIT_USAGE;
}

static int dispatch(int argc, char **argv, const struct wb_cli_host *host)
{
    const char *word = argc > 1 ? argv[1] : NULL;
    const struct wb_cli_command *command = word == NULL ? NULL : wb_cli_find(word);

    if (command != NULL)
        return run_command(command, argc - 2, argv + 2, host);
    if (word != NULL && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)) {
        wb_cli_overview(stdout);
        return WB_EXIT_DONE;
    }
    if (word != NULL && (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)) {
        wb_cli_version(stdout);
        return WB_EXIT_DONE;
    }
    if (word != NULL && !may_be_opened(word))
        return no_command(word);
    return run_command(&wb_cmd_workbench, argc - 1, argv + 1, host);
}

int wb_cli_main(int argc, char **argv, const struct wb_cli_host *host)
{
    int code = dispatch(argc, argv, host);

    /* A reader that has seen enough (EPIPE) is no failure; a full disk behind stdout is. */
    errno = 0;
    if ((fflush(stdout) != 0 || ferror(stdout)) && errno != EPIPE && errno != 0 &&
        code == WB_EXIT_DONE) {
        wb_cli_say("writing the results: %s", strerror(errno));
        code = WB_EXIT_FAILED;
    }
    return code;
}
