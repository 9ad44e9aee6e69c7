/* lua/bind/complete.h - what could stand at the cursor of a Lua text, and names of models and
 * files.
 *
 * The names come from a snapshot that a VM gives once (again after a reload); completing itself
 * needs no VM and never waits. */
#ifndef WB_LUA_COMPLETE_H
#define WB_LUA_COMPLETE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "app/core/arena.h"
#include "app/core/err.h"
#include "lua/bind/vm.h"

/* {"wb": [{"name","signature","doc"}], "model": […], "tensor": […], "plugins": […], "common": {…},
 * "errors": […]}: the last three as wb_vm_plugins gives them. Owned (cJSON_Delete); may be shared
 * by threads that only read it. */
cJSON *wb_vm_complete_data(struct wb_vm *vm, struct wb_err *err);

struct wb_completion_item {
    const char *text;   /* what stands there when it is taken */
    const char *detail; /* a signature, a default with its range, a kind; or "" */
    const char *doc;    /* a sentence, or "" */
};

struct wb_completion {
    size_t first, last; /* bytes of the text that a candidate replaces */
    struct wb_completion_item *item;
    size_t items;
    struct wb_arena arena;
};

/* What fits at byte `cursor` of a script: names behind "wb.", "m:", in wb.merge("…"), parameters
 * within the table of a step, names of models and paths in wb.open "…", knobs, local names. data
 * may be NULL (nothing known yet). No candidate is no error. Free with wb_completion_free, on
 * failure too. */
bool wb_complete_lua(const cJSON *data, const char *text, size_t n, size_t cursor,
                     struct wb_completion *out, struct wb_err *err);
/* What MODEL or a path could go on with: entries of the directory typed so far (directories end in
 * '/'), and for models the names in the hub cache. Reads directories: of a slow disk not for the UI
 * thread. */
bool wb_complete_model(const char *typed, struct wb_completion *out, struct wb_err *err);
bool wb_complete_path(const char *typed, struct wb_completion *out, struct wb_err *err);
void wb_completion_free(struct wb_completion *c);

#endif
