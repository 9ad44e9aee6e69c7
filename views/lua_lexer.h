/* views/lua_lexer.h - Lua 5.4 for colouring: tokens line by line; never fails, whatever stands
 * there. */
#ifndef WB_VIEWS_LUA_LEXER_H
#define WB_VIEWS_LUA_LEXER_H

#include <stdbool.h>
#include <stddef.h>

#include "views/theme.h"

enum wb_lua_kind {
    WB_LUA_SPACE,
    WB_LUA_KEYWORD,
    WB_LUA_STRING,
    WB_LUA_NUMBER,
    WB_LUA_COMMENT,
    WB_LUA_NAME,
    WB_LUA_GLOBAL, /* wb, a global of Lua's own, or a field of one of its libraries */
    WB_LUA_OPERATOR,
    WB_LUA_GARBAGE,
};

struct wb_lua_token {
    enum wb_lua_kind kind;
    size_t from, len; /* bytes in the line */
};

/* Walks one line. The state is what a line inherits from the one above: WB_LUA_START is plain
 * code, any other value is inside of a string or a comment; states compare by value. */
#define WB_LUA_START 0u
struct wb_lua_lexer {
    const char *line; /* borrowed */
    size_t len, at;
    unsigned state; /* after the last token: that of the next line */
    int after;      /* private: what stood before, for fields of libraries */
};

void wb_lua_lexer_init(struct wb_lua_lexer *lx, const char *line, size_t len, unsigned state);
/* The next token; the tokens of a line follow each other without a gap. False at its end. */
bool wb_lua_lexer_next(struct wb_lua_lexer *lx, struct wb_lua_token *token);
/* The state of the line below. */
unsigned wb_lua_lex_line(const char *line, size_t len, unsigned state);
/* WB_LUA_STRING or WB_LUA_COMMENT for a state inside of one, else WB_LUA_SPACE. */
enum wb_lua_kind wb_lua_state_kind(unsigned state);
enum wb_style wb_lua_style(enum wb_lua_kind kind);
/* Is the token that text, e.g. "then" or "{"? */
bool wb_lua_token_is(const char *line, struct wb_lua_token token, const char *text);

#endif
