/* app/cli/later.c - commands that the contract names and this version does not have. */
#include "app/cli/cli.h"

static const struct wb_option none[] = { { 0 } };

const struct wb_cli_command wb_cmd_heads = {
    .name = "heads",
    .operands = "MODEL",
    .summary = "attention heads on a text",
    .option = none,
    .later = true,
};
