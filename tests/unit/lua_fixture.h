/* tests/unit/lua_fixture.h - a VM on the source tree, small models in a temporary directory, scripts as strings. */
#ifndef WB_TESTS_LUA_FIXTURE_H
#define WB_TESTS_LUA_FIXTURE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "lua/bind/vm.h"

struct lua_fixture {
    char dir[64];    /* everything that is made lies here */
    char log[16384]; /* lines of wb.log and print */
    struct wb_arch_set *set;
    struct wb_vm *vm;
    atomic_bool cancel;
    struct wb_vm_options options;
    const char *plugin_dirs[3];
    char own_plugins[80];
    struct wb_pipeline out; /* of the last run */
    struct wb_err err;
};

/* Ready with `options` as they are set; NULL-terminated plugin directories: the tree's and one in dir. */
void lua_fixture_open(struct lua_fixture *f);
void lua_fixture_restart(struct lua_fixture *f); /* a new VM after a change of f->options */
void lua_fixture_close(struct lua_fixture *f);

/* A model directory dir/name: config.json (or NULL) and float32 tensors. spec: "name:rows,columns=v,v,v;…"; values repeat. */
void lua_fixture_model(struct lua_fixture *f, const char *name, const char *config,
                       const char *spec);
void lua_fixture_file(struct lua_fixture *f, const char *name, const char *text);

/* Run a script whose text is given; $D in it becomes the directory. The result is in f->out and f->err. */
bool lua_fixture_run(struct lua_fixture *f, const char *text, const char *set);
/* Run `print(wb.json(EXPRESSION))` and give the line; NULL after an error. */
const char *lua_fixture_value(struct lua_fixture *f, const char *expression);
/* Numbers of tensor `name` of the last model, as many as there are. */
void lua_fixture_tensor(struct lua_fixture *f, const char *name, double *value, size_t n);

/* Fails with the text when the last error does not say what. */
void lua_fixture_says(const struct lua_fixture *f, const char *what);

#endif
