/* lua/bind/internal.h - what the files of lua/bind share: the VM's inside, and how Lua owns engine values.
 *
 * Everything that may raise a Lua error runs inside a protected call (wb_vm_protected), and nothing
 * that must be freed is reachable from a C local alone when it does. */
#ifndef WB_LUA_INTERNAL_H
#define WB_LUA_INTERNAL_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "app/core/arena.h"
#include "lua/bind/slabs.h"
#include "lua/bind/vm.h"

#define WB_LUA_TENSOR "wb.tensor"
#define WB_LUA_MODEL "wb.model"
#define WB_LUA_DRAFT "wb.draft"

#define WB_VM_HOOK_STEP 1000
#define WB_VM_VALUE_MAX ((uint64_t)1000000) /* entries that :value() gives at most */

/* Why the hook stopped the script. */
enum wb_trip { WB_TRIP_NONE, WB_TRIP_CANCEL, WB_TRIP_INSTRUCTIONS };

/* References of tensors, and the call they belong to (tensor.c). */
struct wb_vm_tensors {
    struct wb_node ***chunk;
    size_t chunks;
    uint64_t nodes, call;
};

struct wb_vm {
    lua_State *L;
    struct wb_vm_options opt; /* strings point into the arena */
    struct wb_arena arena;
    const char **plugin_dir; /* NULL-terminated, the share's first */
    char *work_dir;          /* at the start; read_text may read below it */

    struct wb_slabs slabs; /* small blocks of the Lua heap; its slabs and the large blocks count */
    uint64_t large_bytes, cap_bytes;
    uint64_t allocations,
        fail_after; /* fail_after > 0: growth fails from that allocation on (tests) */
    uint64_t spent, cap_instructions;
    struct wb_node ***chunk; /* references of the tensors made in this call (tensor.c) */
    size_t chunks;
    uint64_t nodes, call; /* how many; which call */
    uint64_t nodes_beside,
        cap_nodes; /* nodes that C made for notes; both live outside of the Lua heap */
    struct wb_vm_tensors console; /* of the console, while others are at work (console.c) */
    enum wb_trip trip;
    char trip_text[300];

    enum wb_code code; /* of the last engine error raised into Lua, and how its text began */
    char code_text[120];

    char **read_dir; /* directories of the models opened: real paths, owned */
    size_t read_dirs;
    char script[300]; /* "run.lua:7: ": stands in where a tail call has lost the line */
    int return_line;  /* the same as a number, 0: not known */
    char name[512];   /* tensor whose plugin function runs: keys random numbers; "" for none */
    struct wb_cache *figures; /* of probes (subject.c); NULL: none yet */
    struct {
        char text[256];
        unsigned char key[32];
        bool set;
    } master; /* the last scrypt result */
};

static inline struct wb_vm *wb_vm_of(lua_State *L)
{
    return *(struct wb_vm **)lua_getextraspace(L);
}

/* Call body(L) with arg as light userdata at index 1, inside a pcall. The stack is as before afterwards. */
bool wb_vm_protected(struct wb_vm *vm, lua_CFunction body, void *arg, struct wb_err *err);
/* Call the function below nargs arguments; on failure err says where, and the stack holds neither. */
bool wb_vm_call(struct wb_vm *vm, int nargs, int nresults, struct wb_err *err);
/* Drop the references of all tensors that Lua has. */
void wb_vm_release(struct wb_vm *vm);
/* Drop those that the console keeps in variables. */
void wb_vm_console_release(struct wb_vm *vm);
/* Begin a call of its own: full budgets, no trip, no tensors of the one before. */
void wb_vm_refill(struct wb_vm *vm);
/* Put function `name` of the Lua module `module` ("wb.pipeline") on the stack. May raise. */
void wb_vm_push_function(lua_State *L, const char *module, const char *name);

/* Raise err as a Lua error that starts with the script's file and line. Never returns. */
int wb_lua_raise(lua_State *L, const struct wb_err *err) __attribute__((noreturn));
/* The same with a text of our own. */
int wb_lua_fail(lua_State *L, enum wb_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), noreturn));
/* "file:line: " of the innermost function that is not part of lua/wb, or ""; on the stack. */
void wb_lua_where(lua_State *L);

/* Tensors. push gives an empty owner that the caller fills with an owned reference. */
struct wb_node **wb_lua_push_node(lua_State *L);
struct wb_node *wb_lua_check_node(lua_State *L, int arg);
struct wb_node *wb_lua_test_node(lua_State *L, int arg); /* NULL: not a tensor */
/* A list of tensors at arg into scratch memory on the Lua stack (one value pushed); borrowed nodes. */
struct wb_node **wb_lua_check_nodes(lua_State *L, int arg, size_t *n);
void wb_lua_check_shape(lua_State *L, int arg, struct wb_shape *shape);
void wb_lua_push_shape(lua_State *L, const struct wb_shape *shape);
/* Finish a constructor: the owner is on top and *out was filled, or err says why not. */
int wb_lua_made(lua_State *L, struct wb_node *const *out, const struct wb_err *err);
uint64_t wb_lua_check_whole(lua_State *L, int arg); /* a whole number from 0 on */

/* How Lua evaluates what it asks for now: as the program was told, and stopping when it stops. */
struct wb_eval wb_lua_eval(lua_State *L);

/* Models and drafts. */
struct wb_model **wb_lua_push_model(lua_State *L);
struct wb_model *wb_lua_check_model(lua_State *L, int arg);

/* JSON. push: objects and lists become tables, null is left out of objects. */
void wb_lua_push_json(lua_State *L, const cJSON *value);
/* The value at arg as JSON with sorted keys, into *slot (owned by the caller's userdata or struct). May raise after
 * *slot was set, so that its owner frees it. */
void wb_lua_to_json(lua_State *L, int arg, cJSON **slot);
/* Owners on the stack, for what C would otherwise lose to a Lua error: freed (free, cJSON_Delete) with them. */
cJSON **wb_lua_push_json_owner(lua_State *L);
char **wb_lua_push_text_owner(lua_State *L);

/* Fill the table at the top with the functions of one file. */
void wb_lua_open_tensor(lua_State *L);
void wb_lua_open_random(lua_State *L);
void wb_lua_open_reduce(lua_State *L);
void wb_lua_open_shape(lua_State *L);
void wb_lua_open_model(lua_State *L);
void wb_lua_open_draft(lua_State *L);
void wb_lua_open_core(lua_State *L);
void wb_lua_open_keys(lua_State *L);
void wb_lua_open_json(lua_State *L);
void wb_lua_open_files(lua_State *L);
void wb_lua_open_notes(lua_State *L);
void wb_lua_open_console(lua_State *L);
void wb_lua_open_probe(lua_State *L);
void wb_lua_open_score(lua_State *L);
void wb_lua_open_activations(lua_State *L);
void wb_lua_open_heads(lua_State *L);

/* May a script read this file? Real paths below the working directory, the data directories and the models opened. */
bool wb_vm_may_read(struct wb_vm *vm, const char *path, struct wb_err *err);
/* Let scripts read below dir. */
bool wb_vm_allow_read(struct wb_vm *vm, const char *dir, struct wb_err *err);

#endif
