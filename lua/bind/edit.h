/* lua/bind/edit.h - changes of a pipeline's text that the screens make: a step put in, a knob's
 * default written back.
 *
 * Pure functions on text: nothing runs, comments and layout stay. */
#ifndef WB_LUA_EDIT_H
#define WB_LUA_EDIT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "app/core/err.h"
#include "lua/bind/vm.h"

/* Replace bytes [first, last) of the text by `text` (owned, wb_text_edit_free). */
struct wb_text_edit {
    size_t first, last;
    char *text;
    int line; /* of the changed text, where the cursor should go; from 1 */
};

/* Put a call of a method in front of the script's last return, so that the result flows through it:
 * `return EXPR` becomes `local name = EXPR`, and the step is returned. plugin: its entry in
 * wb_vm_plugins, whose parameters are filled in with defaults. A merge gets the model as its base
 * and models, to be completed: until then it changes nothing. WB_EARG: the text has no return to
 * put it before, or does not say what it returns. */
bool wb_edit_insert_step(const char *text, size_t n, const cJSON *plugin, struct wb_text_edit *out,
                         struct wb_err *err);
/* The value of a knob as the default in wb.knob("name", DEFAULT, …). WB_ENOTFOUND: no such call;
 * WB_EARG: its default is no plain number, boolean or string. */
bool wb_edit_knob(const char *text, size_t n, const struct wb_knob *knob, struct wb_text_edit *out,
                  struct wb_err *err);
void wb_text_edit_free(struct wb_text_edit *edit);

#endif
