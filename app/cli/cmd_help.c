/* app/cli/cmd_help.c - weightbench help [COMMAND] */
#include <stdio.h>

#include "app/cli/cli.h"
#include "app/cli/out.h"

static const struct wb_option options[] = {
    { .name = "list", .doc = "for shells: the commands, or the options of one, a line each" },
    { 0 },
};

static int list_commands(void)
{
    for (const struct wb_cli_command *const *c = wb_cli_commands; *c != NULL; c++)
        printf("%s\t%s\n", (*c)->name, (*c)->summary);
    return WB_EXIT_DONE;
}

static int run_help(struct wb_cli *cli)
{
    const char *name = cli->args.operands > 0 ? cli->args.operand[0] : NULL, *near;
    const struct wb_cli_command *command = name == NULL ? NULL : wb_cli_find(name);
    bool list = wb_args_has(&cli->args, "list");

    if (name == NULL && list)
        return list_commands();
    if (name == NULL) {
        wb_cli_overview(stdout);
        return WB_EXIT_DONE;
    }
    if (command == NULL) {
        near = wb_cli_suggest(name);
        wb_cli_say("there is no command '%s'%s%s%s", name, near != NULL ? "; did you mean '" : "",
                   near != NULL ? near : "", near != NULL ? "'?" : "");
        return WB_EXIT_USAGE;
    }
    if (list)
        wb_options_list(stdout, command);
    else
        wb_help_print(stdout, command);
    return WB_EXIT_DONE;
}

const struct wb_cli_command wb_cmd_help = {
    .name = "help",
    .operands = "[COMMAND]",
    .operands_max = 1,
    .summary = "this list, or all about one command",
    .option = options,
    .run = run_help,
};
