/* lua/bind/console.h - one line after another evaluated in an environment that stays. */
#ifndef WB_LUA_CONSOLE_H
#define WB_LUA_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/err.h"
#include "app/graph/model.h"
#include "lua/bind/vm.h"

/* A model of the workbench, seen as a global of this name if it is one, and as models["name"]. */
struct wb_console_model {
    const char *name;
    struct wb_model *model; /* borrowed for the call */
};

struct wb_console_input {
    const char *text; /* an expression or statements, NUL-terminated; "= x" is "x" */
    const struct wb_console_model *model;
    size_t models;
    struct wb_model *result; /* of the pipeline: the global `model`; NULL: none */
};

struct wb_console_output {
    bool
        incomplete; /* the text is the beginning of something: ask for another line and give both */
    char *text;     /* values, or error and traceback: lines parted by '\n'; owned */
};

/* Evaluate. print and wb.log go to the VM's log, as they happen. false with err after an error (its
 * traceback is in the output) and when cancelled. Tensors in variables stay until more than half of
 * the VM's share of them is used up: then they are closed, and the output says so. Free the output
 * in every case. */
bool wb_vm_console(struct wb_vm *vm, const struct wb_console_input *in,
                   struct wb_console_output *out, struct wb_err *err);
void wb_console_output_free(struct wb_console_output *out);

#endif
