/* views/lua_text.h - what an editor wants to know of Lua in a document: states of lines, matching
 * brackets, indentation, and what could be completed at a place. */
#ifndef WB_VIEWS_LUA_TEXT_H
#define WB_VIEWS_LUA_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "views/document.h"

#define WB_LUA_INDENT 2       /* columns a level */
#define WB_LUA_FAR_LINES 4096 /* brackets and calls are looked for that far */

/* The lexer's state at the start of each line. After an edit only the lines it touched are lexed,
 * and those below as far as their state differs. Zero-initialised is empty. */
struct wb_lua_states {
    unsigned *state; /* owned */
    size_t n, cap;
    size_t known; /* lines whose state is right */
    size_t stale,
        kept;     /* when that of `stale` or a later line proves right, so are all to `kept` */
    size_t lexed; /* lines lexed so far, for tests */
};

void wb_lua_states_free(struct wb_lua_states *s);
/* Tell of an edit. */
void wb_lua_states_change(struct wb_lua_states *s, const struct wb_document_change *change);
/* The state at the start of a line; WB_LUA_START when memory is out. */
unsigned wb_lua_states_at(struct wb_lua_states *s, const struct wb_document *d, size_t line);

/* The bracket that belongs to the one at pos (or, failing that, the one just before it): *open
 * and *close are their positions. Those in strings and comments do not count. */
bool wb_lua_match(struct wb_lua_states *s, const struct wb_document *d, struct wb_pos pos,
                  struct wb_pos *open, struct wb_pos *close);
/* The innermost bracket or block word that is open at a position. */
bool wb_lua_enclosing(struct wb_lua_states *s, const struct wb_document *d, struct wb_pos pos,
                      struct wb_pos *open);
/* Columns that a line should be indented by, from the lines above and a closing word or bracket at
 * its start. */
size_t wb_lua_indentation(struct wb_lua_states *s, const struct wb_document *d, size_t line);
/* The line begins with a word or bracket that closes a block: end, else, elseif, until, ) ] }. */
bool wb_lua_is_closing(struct wb_lua_states *s, const struct wb_document *d, size_t line);

/* What stands at a place, for completion. */
enum wb_lua_where {
    WB_LUA_AT_NOTHING,   /* in a comment, a number, a string of no known call */
    WB_LUA_AT_NAME,      /* a variable or keyword */
    WB_LUA_AT_WB,        /* after `wb.` */
    WB_LUA_AT_FIELD,     /* after `NAME.`; owner tells which */
    WB_LUA_AT_METHOD,    /* after `:` */
    WB_LUA_AT_PATH,      /* in the string of wb.open, wb.read_text, `text =` and the like */
    WB_LUA_AT_STRATEGY,  /* in the first string of wb.merge, protect, compress, inspect: call */
    WB_LUA_AT_PARAMETER, /* a key in the table of such a call: call, strategy */
    WB_LUA_AT_VALUE,     /* a string that is the value of such a key: call, strategy, key */
};
struct wb_lua_place {
    enum wb_lua_where where;
    struct wb_range word; /* from its start to the cursor: what a completion replaces */
    char call[32];        /* "merge", "open"; empty when there is none */
    char strategy[64];    /* "ties"; empty when it is not written as a string */
    char key[64];         /* of AT_VALUE and, for `text = "`, AT_PATH */
    char owner[64];       /* of AT_FIELD and AT_METHOD, when it is a plain name */
};

void wb_lua_place_find(struct wb_lua_states *s, const struct wb_document *d, struct wb_pos pos,
                       struct wb_lua_place *place);

#endif
