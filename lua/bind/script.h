/* lua/bind/script.h - what one run of a pipeline script tells: its model, its steps, what it
 * opened, and everything found wrong, each with the line of the script it belongs to. */
#ifndef WB_LUA_SCRIPT_H
#define WB_LUA_SCRIPT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "app/core/arena.h"
#include "app/core/err.h"
#include "app/graph/model.h"
#include "lua/bind/vm.h"

/* Lines count from 1; 0: not known. Strings live until wb_script_free. */

/* Something wrong, or worth knowing. */
struct wb_finding {
    bool error;
    int line;
    const char *tensor; /* or "" */
    const char *text;
};

/* What an opened model is to the model the script returns, as the steps tell. */
enum wb_opened_role { WB_OPENED_BASE, WB_OPENED_PARENT, WB_OPENED_OTHER };

struct wb_opened {
    struct wb_model *model; /* owned by the script's result; take a reference to keep it */
    const char *path;       /* as the script wrote it */
    const char *name;       /* short, no two alike: "math" */
    enum wb_opened_role role;
    int parent; /* its number among the parents, from 1; 0: it is none */
    int line;
};

/* A step in the order the script took them. */
struct wb_script_step {
    const char *kind, *method; /* "merge", "ties" */
    int line;
    bool done;           /* false: the script failed in it, and the rest below is empty */
    const cJSON *params; /* an object: as given in the script */
    const cJSON *values; /* an object: every parameter that is the same everywhere, defaults too */
    const cJSON *resolved;      /* an object: the others, by role and layer; NULL without any */
    struct wb_model *model;     /* what it made; owned by the script's result */
    const struct wb_note *note; /* figures of its report, borrowed from the model */
    size_t notes;
    const char *const *warning;
    size_t warnings;
};

struct wb_script {
    bool ok;
    struct wb_err err; /* when not ok */
    int err_line;
    struct wb_pipeline pipeline; /* model (NULL when not ok), knobs, text */
    struct wb_script_step *step;
    size_t steps;
    struct wb_opened *opened;
    size_t openeds;
    struct wb_finding *finding; /* errors first, then warnings; the error itself is among them */
    size_t findings;
    double seconds;
    struct wb_arena arena;
    cJSON *json; /* what params, values and resolved point into */
};

/* Run the text of a script; `name` is what its errors call it, and where relative paths are looked
 * for too. Always fills *out, also after a failure; free with wb_script_free. Gives out->ok. */
bool wb_script_run(struct wb_vm *vm, const char *name, const char *text, size_t n,
                   const char *const *set, size_t sets, struct wb_script *out);
void wb_script_free(struct wb_script *s);
/* The line that a message of Lua's or ours names for this script, the first one; 0: none. */
int wb_script_line(const char *message, const char *name);

#endif
