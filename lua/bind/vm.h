/* lua/bind/vm.h - pipelines and plugins as the rest of the program sees them; exposes no lua.h.
 *
 * A VM is one sandboxed Lua state with `wb` in it. It belongs to one thread at a time.
 * Everything that Lua makes (models) is reference counted and outlives the VM. */
#ifndef WB_LUA_VM_H
#define WB_LUA_VM_H

#include <cjson/cJSON.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/arch/arch.h"
#include "app/core/err.h"
#include "app/graph/eval.h"
#include "app/graph/model.h"

struct wb_vm_options {
    bool trust;                /* full Lua libraries */
    uint64_t memory_bytes;     /* cap of the Lua heap; 0: 512 MiB */
    uint64_t instructions;     /* cap of one call, in VM instructions; 0: 2e9 */
    const atomic_bool *cancel; /* polled by the instruction hook; may be NULL */
    const struct wb_arch_set *families;
    const char *share_dir; /* where lua/wb and plugins/ are (wb_share_dir) */
    const char *const
        *plugin_dirs; /* NULL-terminated; NULL: share_dir/plugins and the user's (XDG_DATA_HOME) */
    void (*log)(void *ctx, const char *line); /* wb.log and warnings; may be NULL */
    void *log_ctx;
    const struct wb_eval *eval; /* how :value() evaluates; may be NULL */
};

struct wb_vm;

struct wb_vm *wb_vm_new(const struct wb_vm_options *options, struct wb_err *err);
void wb_vm_free(struct wb_vm *vm); /* NULL is fine */

/* The installed data directory: beside the program when it runs from its source tree, else
 * PREFIX/share/weightbench; WEIGHTBENCH_SHARE overrides. Static storage. */
const char *wb_share_dir(void);

enum wb_knob_kind { WB_KNOB_NUMBER, WB_KNOB_BOOL, WB_KNOB_TEXT };
struct wb_knob {
    const char *name, *doc;
    enum wb_knob_kind kind;
    double number, fallback, min, max,
        step; /* min > max: unbounded; step 0: none. BOOL: number is 0 or 1 */
    const char *text, *text_fallback;
    bool secret;               /* its value is kept out of the manifest */
    int line;                  /* of the script where it is declared; 0: not known */
    const char *const *choice; /* NULL-terminated, or NULL */
};

/* What running a pipeline script gives. Strings and knobs live until wb_pipeline_free. */
struct wb_pipeline {
    struct wb_model *model; /* owned reference */
    struct wb_knob *knob;
    size_t knobs;
    char *knobs_json; /* {"name": value} as used */
    char *text;       /* of the script */
    const char *const *
        problem; /* everything found wrong, also after a failure whose err holds the first of it only */
    size_t problems;
    void *priv;
};

/* Run a script. set[i] is "name=value"; a name that the script does not declare is an error
 * listing those it does. *out is filled as far as it came after a failure too (knobs, problems,
 * text): wb_pipeline_free in every case. */
bool wb_vm_pipeline(struct wb_vm *vm, const char *path, const char *const *set, size_t sets,
                    struct wb_pipeline *out, struct wb_err *err);
/* The same with the text given (an editor's buffer); `name` is what errors call it. */
bool wb_vm_pipeline_text(struct wb_vm *vm, const char *name, const char *text, size_t n,
                         const char *const *set, size_t sets, struct wb_pipeline *out,
                         struct wb_err *err);
void wb_pipeline_free(struct wb_pipeline *p);

/* All plugins as JSON:
 * [{"name","kind","doc","paper","file","params":{name:{default,min,max,choices,doc,per,type}}}],
 * sorted by kind and name, as "plugins" of an object; its "common" has the parameters that every method of a kind takes
 * ({"merge": {name: …}}), its "errors" the files that cannot be loaded ([{"file","error"}]). Owned. */
cJSON *wb_vm_plugins(struct wb_vm *vm, struct wb_err *err);
/* Read changed plugin files again; *changed says whether any was. */
bool wb_vm_reload(struct wb_vm *vm, bool *changed, struct wb_err *err);
/* Load one plugin file, check its table and run its `tests`. report: one line a test, owned
 * (free). */
bool wb_vm_check_plugin(struct wb_vm *vm, const char *path, char **report, size_t *passed,
                        size_t *failed, struct wb_err *err);

#endif
