/* app/cli/cli.h - the commands, and what all of them share. */
#ifndef WB_CLI_CLI_H
#define WB_CLI_CLI_H

#include <stdatomic.h>
#include <stdbool.h>

#include "app/arch/arch.h"
#include "app/cli/options.h"
#include "app/core/err.h"
#include "app/graph/eval.h"
#include "app/graph/model.h"

enum wb_exit { WB_EXIT_DONE = 0, WB_EXIT_FAILED = 1, WB_EXIT_USAGE = 2, WB_EXIT_CANCELLED = 130 };

/* A command that runs. */
struct wb_cli {
    const struct wb_cli_command *command;
    struct wb_args args;
    const struct wb_arch_set *families; /* of commands that open models */
    const atomic_bool *cancel;
    bool json;
};

/* All commands in the order of the help, NULL-terminated. */
extern const struct wb_cli_command *const wb_cli_commands[];
extern const struct wb_cli_command wb_cmd_workbench, wb_cmd_show, wb_cmd_tensors, wb_cmd_diff,
    wb_cmd_similarity, wb_cmd_run, wb_cmd_plugins, wb_cmd_verify, wb_cmd_help, wb_cmd_eval,
    wb_cmd_generate, wb_cmd_heads;

/* What the program around the commands provides. */
struct wb_cli_host {
    const atomic_bool *cancel; /* set by the first signal */
    /* Set while a command runs that looks at cancel; without, a signal ends the program. */
    atomic_bool *polled;
    /* The model families, for a command that opens models; borrowed, NULL with err on failure. */
    const struct wb_arch_set *(*open_families)(struct wb_err *err);
};

/* Run what the command line asks for; gives the exit code. */
int wb_cli_main(int argc, char **argv, const struct wb_cli_host *host);

const struct wb_cli_command *wb_cli_find(const char *name); /* NULL: none of that name */
/* The command nearest to name, or NULL. */
const char *wb_cli_suggest(const char *name);
void wb_cli_overview(FILE *out);
void wb_cli_version(FILE *out);

/* Say why it failed and give the exit code for it. */
int wb_cli_fail(const struct wb_err *err);
/* Wrong usage: the reason and the usage line on stderr. */
int wb_cli_misuse(const struct wb_cli_command *command, const struct wb_err *err);
/* Open the model of an operand, its warnings on stderr; NULL with err. */
struct wb_model *wb_cli_open(const struct wb_cli *cli, const char *model, struct wb_err *err);
/* --threads, --memory and the cancel flag. */
struct wb_eval wb_cli_eval(const struct wb_cli *cli);
/* "3", "decoder.3", "none" for a layer of -1. */
const char *wb_cli_layer(char *out, size_t size, const char *stack, int layer);

/* Options that several commands have. */
#define WB_CLI_JSON                                                        \
    {                                                                      \
        .name = "json", .doc = "one JSON object on stdout instead of text" \
    }
#define WB_CLI_THREADS                                            \
    {                                                             \
        .name = "threads", .kind = WB_OPTION_COUNT, .value = "N", \
        .doc = "worker threads (default: one for each processor)" \
    }
#define WB_CLI_MEMORY                                                \
    {                                                                \
        .name = "memory", .kind = WB_OPTION_BYTES, .value = "SIZE",  \
        .doc = "working memory beyond the page cache (default 1GiB)" \
    }
#define WB_CLI_MATCH                                                              \
    {                                                                             \
        .name = "match", .kind = WB_OPTION_TEXT, .value = "GLOB",                 \
        .doc = "only tensors whose name matches: * ? [a-z] {a,b}; * crosses dots" \
    }
#define WB_CLI_MODEL_HELP                                                               \
    "A model is a directory, a .safetensors file, org/name in the local Hugging Face\n" \
    "cache, or MODEL+ADAPTER (a PEFT LoRA applied)."

#endif
