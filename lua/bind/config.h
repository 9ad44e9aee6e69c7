/* lua/bind/config.h - the user's config file of the workbench: theme, keys, options, commands at
 * the start.
 *
 * A Lua file in a sandbox without wb, that returns a table:
 *
 *     return {
 *       theme = {error = "bold red"},
 *       keys = {all = {["C-g"] = "run", x = false}, tensors = {o = "sort"}},
 *       options = {colormap = "grey", mouse = false, memory = "4GiB"},
 *       startup = {"set mouse off"},
 *       eval = {"texts/english.txt", "texts/sums.jsonl"},
 *     }
 */
#ifndef WB_LUA_CONFIG_H
#define WB_LUA_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/arena.h"
#include "app/core/err.h"

/* Strings live until wb_config_free. */
struct wb_config_style {
    const char *style, *look;
};
struct wb_config_key {
    const char *view;   /* or "all" */
    const char *key;    /* "C-g" */
    const char *action; /* NULL: the key does nothing */
};

enum wb_config_flag { WB_CONFIG_UNSET = -1, WB_CONFIG_OFF, WB_CONFIG_ON };

struct wb_config {
    const char *path;              /* of the file; NULL: there was none */
    struct wb_config_style *style; /* sorted */
    size_t styles;
    struct wb_config_key *key; /* sorted by view and key */
    size_t keys;
    const char *color;    /* "auto", "never", "16", "256", "direct"; NULL: not set */
    const char *colormap; /* "viridis", "grey"; NULL: not set */
    enum wb_config_flag ascii, mouse, session, preview, behaviour;
    int threads;           /* 0: not set */
    uint64_t memory_bytes; /* 0: not set */
    uint64_t cache_bytes;  /* of results that the previews keep; 0: not set */
    const char *const *startup;
    size_t startups;
    const char *const *eval; /* files that models are asked unless others are chosen */
    size_t evals;
    struct wb_arena arena;
};

/* Names that exist, for errors that say which were meant; each list NULL-terminated, NULL: not
 * checked. */
struct wb_config_names {
    const char *const *style, *const *view, *const *action;
};

/* Where the file is looked for: $XDG_CONFIG_HOME/weightbench/config.lua, else ~/.config/…; into
 * out, false: nowhere. */
bool wb_config_path(char *out, size_t size);
/* Read a file; one that is not there gives an empty config. The error names the file, and the line
 * or the key. *out is valid (and empty) after a failure; free in every case. */
bool wb_config_read(const char *path, const struct wb_config_names *names, struct wb_config *out,
                    struct wb_err *err);
void wb_config_free(struct wb_config *c);

#endif
