/* app/cli/cmd_workbench.c - weightbench [MODEL|PIPELINE]...: the screens. */
#include <stdio.h>
#include <string.h>

#include "app/cli/cli.h"
#include "app/cli/out.h"
#include "app/core/str.h"
#include "lua/bind/vm.h"
#include "views/workbench.h"

static const char *const colors[] = { "auto", "never", "16", "256", "direct", NULL };
static const char *const colormaps[] = { "viridis", "grey", NULL };

static const struct wb_option options[] = {
    { .name = "color",
      .kind = WB_OPTION_CHOICE,
      .value = "WHEN",
      .choice = colors,
      .doc = "how many colours to use (default: as the terminal says; NO_COLOR is obeyed)" },
    { .name = "colormap",
      .kind = WB_OPTION_CHOICE,
      .value = "MAP",
      .choice = colormaps,
      .doc = "colours of heatmaps" },
    { .name = "ascii", .doc = "no characters beyond ASCII" },
    { .name = "no-mouse", .doc = "leave the mouse to the terminal" },
    { .name = "no-behaviour", .doc = "the preview asks the pipeline's model nothing" },
    { .name = "no-session", .doc = "neither restore nor keep the session and the histories" },
    { .name = "no-config", .doc = "do not read the config file" },
    { .name = "read-only", .doc = "write nothing: no run, no save, no export" },
    { .name = "trust",
      .doc = "scripts and plugins may do everything: read, write, start programs" },
    WB_CLI_THREADS,
    WB_CLI_MEMORY,
    { .name = "script",
      .kind = WB_OPTION_FILE,
      .value = "FILE",
      .doc = "without a terminal: play the steps in FILE and print what they ask for" },
    { .name = "size",
      .kind = WB_OPTION_TEXT,
      .value = "COLSxROWS",
      .doc = "of the screen of --script (default 100x30)" },
    { 0 },
};

static bool parse_size(const char *text, int *rows, int *cols, struct wb_err *err)
{
    return (wb_parse_pair(text, 'x', 1000, cols, rows) && *rows > 0 && *cols > 0) ||
           wb_fail(err, WB_EARG, "--size is COLSxROWS, like 100x30, not '%s'", text);
}

static int run_workbench(struct wb_cli *cli)
{
    const struct wb_args *args = &cli->args;
    const char *color = wb_args_text(args, "color", NULL);
    struct wb_workbench_options o = {
        .families = cli->families,
        .share_dir = wb_share_dir(),
        .open = args->operand,
        .opens = args->operands,
        .color = color == NULL || strcmp(color, "auto") == 0 ? NULL : color,
        .colormap = wb_args_text(args, "colormap", NULL),
        .ascii = wb_args_has(args, "ascii"),
        .no_mouse = wb_args_has(args, "no-mouse"),
        .no_behaviour = wb_args_has(args, "no-behaviour"),
        .no_session = wb_args_has(args, "no-session"),
        .no_config = wb_args_has(args, "no-config"),
        .read_only = wb_args_has(args, "read-only"),
        .trust = wb_args_has(args, "trust"),
        .threads = wb_args_count(args, "threads", 0),
        .memory_bytes = wb_args_bytes(args, "memory", 0),
        .script = wb_args_text(args, "script", NULL),
    };
    struct wb_err err;

    if (!parse_size(wb_args_text(args, "size", "100x30"), &o.rows, &o.cols, &err))
        return wb_cli_misuse(cli->command, &err);
    if (wb_workbench_run(&o, &err))
        return WB_EXIT_DONE;
    wb_cli_say_error(&err);
    return err.code == WB_EARG ? WB_EXIT_USAGE : WB_EXIT_FAILED;
}

const struct wb_cli_command wb_cmd_workbench = {
    .name = "workbench",
    .operands = "[MODEL|PIPELINE]...",
    .operands_max = 1000,
    .summary = "the screens; the word 'workbench' may be left out",
    .details =
        "Opens models and a pipeline (a file that ends in .lua) on the screens; without any, "
        "what was\nopen when you last left. ? on a screen lists its keys. Keys, colours and "
        "options come from\n$XDG_CONFIG_HOME/weightbench/config.lua.\n" WB_CLI_MODEL_HELP,
    .option = options,
    .opens_models = true,
    .run = run_workbench,
};
