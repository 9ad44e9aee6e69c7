/* lua/bind/lex.h - Lua text as tokens: enough to find calls, strings and blocks in a text that may
 * be unfinished. */
#ifndef WB_LUA_LEX_H
#define WB_LUA_LEX_H

#include <stdbool.h>
#include <stddef.h>

enum wb_token_kind {
    WB_TOKEN_END,
    WB_TOKEN_NAME,
    WB_TOKEN_KEYWORD,
    WB_TOKEN_NUMBER,
    WB_TOKEN_STRING,
    WB_TOKEN_COMMENT,
    WB_TOKEN_OTHER, /* operators and brackets, as long as Lua makes them; a byte that is none */
};

struct wb_token {
    enum wb_token_kind kind;
    size_t first, last; /* bytes [first, last) */
    int line;           /* of the first byte, from 1 */
    bool unfinished; /* a string or comment that the text ends within (a short string: the line) */
};

struct wb_lex {
    const char *text;
    size_t n, at;
    int line;
};

void wb_lex_init(struct wb_lex *lex, const char *text, size_t n);
/* The next token, comments too; WB_TOKEN_END again and again at the end. */
struct wb_token wb_lex_next(struct wb_lex *lex);
/* All but comments, owned (free); the end is the last of *n. NULL without memory. */
struct wb_token *wb_lex_all(const char *text, size_t n, size_t *count);
/* Is the token this text? */
bool wb_token_is(const char *text, const struct wb_token *t, const char *word);
/* What a string token holds (of an unfinished one, as far as it goes); owned (free), NULL without
 * memory. Escapes that are wrong stay as they are. */
char *wb_token_string(const char *text, const struct wb_token *t, size_t *n);

#endif
