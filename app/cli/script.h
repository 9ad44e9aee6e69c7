/* app/cli/script.h - models that a pipeline script makes, for the commands that take one. */
#ifndef WB_CLI_SCRIPT_H
#define WB_CLI_SCRIPT_H

#include <stdbool.h>

#include "app/cli/cli.h"
#include "lua/bind/vm.h"

#define WB_CLI_SET                                                                    \
    {                                                                                 \
        .name = "set", .kind = WB_OPTION_TEXT, .repeat = true, .value = "KNOB=VALUE", \
        .doc = "turn a knob that the pipeline declares"                               \
    }
#define WB_CLI_TRUST                                                                      \
    {                                                                                     \
        .name = "trust", .doc = "give the script all of Lua: files, processes, libraries" \
    }

/* Is every --set KNOB=VALUE? Wrong usage otherwise. */
bool wb_cli_check_sets(const struct wb_args *args, struct wb_err *err);
/* Run the script at `path` with --set and --trust. *out is filled as wb_vm_pipeline does. */
bool wb_cli_script(const struct wb_cli *cli, const char *path, struct wb_pipeline *out,
                   struct wb_err *err);

bool wb_cli_is_script(const char *operand); /* ends in .lua */
/* Open MODEL, or run PIPELINE.lua for an unwritten one. Owned; NULL with err. */
struct wb_model *wb_cli_open_any(const struct wb_cli *cli, const char *operand, struct wb_err *err);

#endif
