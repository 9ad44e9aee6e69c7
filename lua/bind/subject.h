/* lua/bind/subject.h - a model and a text from a script, made ready to run; figures that are kept.
 *
 * What a probe gives follows from the model's hash, the text's bytes, the tokenizer and a few
 * numbers. That is its key, and under it figures stay in the VM and in the program's cache
 * (wb_eval.cache) if there is one: a pipeline that runs again because another knob was turned finds
 * them there, the console too. */
#ifndef WB_LUA_SUBJECT_H
#define WB_LUA_SUBJECT_H

#include "app/core/hash.h"
#include "app/graph/cache.h"
#include "app/infer/forward.h"
#include "app/infer/tokenizer.h"
#include "app/infer/windows.h"
#include "lua/bind/internal.h"

/* Owned by a Lua value, which closes what is open. Strings are borrowed from the options. */
struct wb_lua_subject {
    struct wb_model *model; /* borrowed from the Lua value */
    const char *stack, *path;
    bool read; /* the file at path is a text, which is read; else its time and size stand for it */
    size_t window, limit;
    struct wb_eval how;
    char *text; /* of the file, or the one given; NULL: none */
    size_t bytes;
    struct wb_tokenizer *tokenizer;
    struct wb_net *net;
    struct wb_windows windows;
    struct wb_hash known; /* of all the above but the threads */
};

/* From the model at index 1 and the table of options at 2: path (of a text), file (of something
 * else) or text (itself), or none of them; window, limit, stack. Whatever else is on the stack goes.
 * Reads the text, within the bounds of scripts. */
struct wb_lua_subject *wb_lua_push_subject(lua_State *L);
/* Each opens what it names once and what that needs; errors begin with the model. */
void wb_lua_need_net(lua_State *L, struct wb_lua_subject *s);
void wb_lua_need_tokenizer(lua_State *L, struct wb_lua_subject *s);
void wb_lua_need_windows(lua_State *L, struct wb_lua_subject *s);
/* Raise err with the model in front. */
int wb_lua_subject_raise(lua_State *L, const struct wb_lua_subject *s, struct wb_err *err);

/* Key of one kind of figures of a subject. */
struct wb_hash wb_lua_key(const struct wb_lua_subject *s, const char *kind, int64_t a, int64_t b);

/* Figures: bytes of our own, or the cache's. Owned by a Lua value; aligned for doubles. */
struct wb_lua_figures {
    const void *bytes;
    size_t n;
    void *own; /* bytes, while they are being filled in */
    struct wb_cached cached;
};
struct wb_lua_figures *wb_lua_push_figures(lua_State *L);
/* Is something of that key kept? Then f has it. */
bool wb_lua_recall(lua_State *L, struct wb_hash key, struct wb_lua_figures *f);
void *wb_lua_figures_room(lua_State *L, struct wb_lua_figures *f, size_t count, size_t size);
void wb_lua_keep(lua_State *L, struct wb_hash key, const void *bytes, size_t n);

/* Lists of numbers on the stack; NaN becomes Lua's NaN. */
void wb_lua_push_numbers(lua_State *L, const double *x, size_t n);
void wb_lua_push_matrix(lua_State *L, const double *x, size_t rows, size_t columns);

void wb_lua_open_subject(lua_State *L); /* metatables */

#endif
