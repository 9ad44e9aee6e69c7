/* views/lua_lexer.c - tokens of a line of Lua 5.4 (manual, section 3.1).
 *
 * A state is 0 in plain code, a quote character in a string that goes on after a line end (with
 * SKIP while `\z` skips blanks), or LONG or LONG_COMMENT with the level of a long bracket. */
#include "views/lua_lexer.h"

#include <ctype.h>
#include <string.h>

#define SKIP 0x100u
#define LONG 0x200u
#define LONG_COMMENT 0x400u
#define LEVEL_SHIFT 16
#define LEVEL_MAX 0xFFFFu

enum { AFTER_NOTHING, AFTER_LIBRARY, AFTER_LIBRARY_DOT, AFTER_DOT };

static const char *const keywords[] = {
    "and",      "break",  "do",   "else", "elseif", "end",   "false", "for",
    "function", "goto",   "if",   "in",   "local",  "nil",   "not",   "or",
    "repeat",   "return", "then", "true", "until",  "while",
};
static const char *const libraries[] = {
    "wb", "math", "string", "table", "utf8", "os", "coroutine"
};
static const char *const globals[] = {
    "_ENV",   "_G",           "_VERSION", "assert",   "error",  "getmetatable", "ipairs", "next",
    "pairs",  "pcall",        "print",    "rawequal", "rawget", "rawlen",       "rawset", "require",
    "select", "setmetatable", "tonumber", "tostring", "type",   "xpcall",       "load",
};

#define AMONG(list, text, len) among(list, sizeof(list) / sizeof *(list), text, len)

static bool among(const char *const *list, size_t n, const char *text, size_t len)
{
    for (size_t i = 0; i < n; i++)
        if (list[i][0] == text[0] && strncmp(list[i], text, len) == 0 && list[i][len] == '\0')
            return true;
    return false;
}

void wb_lua_lexer_init(struct wb_lua_lexer *lx, const char *line, size_t len, unsigned state)
{
    *lx = (struct wb_lua_lexer){ .line = line, .len = len, .state = state };
}

static int peek(const struct wb_lua_lexer *lx, size_t ahead)
{
    return lx->at + ahead < lx->len ? (unsigned char)lx->line[lx->at + ahead] : -1;
}

static bool is_name(int c)
{
    return c >= 0 && (isalnum(c) || c == '_') && c < 0x80;
}

/* The level of the long bracket that opens `ahead` bytes on, or -1. */
static long long_level(const struct wb_lua_lexer *lx, size_t ahead)
{
    size_t i = ahead + 1;

    if (peek(lx, ahead) != '[')
        return -1;
    while (peek(lx, i) == '=')
        i++;
    return peek(lx, i) == '[' && i - ahead - 1 <= LEVEL_MAX ? (long)(i - ahead - 1) : -1;
}

/* Up to and with the closing long bracket, else to the end of the line. */
static void lex_long(struct wb_lua_lexer *lx)
{
    size_t level = lx->state >> LEVEL_SHIFT;

    for (; lx->at < lx->len; lx->at++) {
        size_t i = 1;

        if (lx->line[lx->at] != ']')
            continue;
        while (i <= level && peek(lx, i) == '=')
            i++;
        if (i == level + 1 && peek(lx, i) == ']') {
            lx->at += i + 1;
            lx->state = WB_LUA_START;
            return;
        }
    }
}

/* The rest of a quoted string. It ends at the line's end, but for a backslash there and \z. */
static void lex_quoted(struct wb_lua_lexer *lx)
{
    int quote = (int)(lx->state & 0xFF);

    if (lx->state & SKIP) {
        while (lx->at < lx->len && isspace(peek(lx, 0)))
            lx->at++;
        if (lx->at == lx->len)
            return;
        lx->state &= ~SKIP;
    }
    while (lx->at < lx->len) {
        int c = peek(lx, 0);

        lx->at++;
        if (c == quote) {
            lx->state = WB_LUA_START;
            return;
        }
        if (c != '\\')
            continue;
        if (lx->at == lx->len)
            return; /* the line end is escaped */
        c = peek(lx, 0);
        lx->at++;
        while (c == 'z' && lx->at < lx->len && isspace(peek(lx, 0)))
            lx->at++;
        if (c == 'z' && lx->at == lx->len) {
            lx->state |= SKIP;
            return;
        }
    }
    lx->state = WB_LUA_START;
}

static enum wb_lua_kind lex_comment(struct wb_lua_lexer *lx)
{
    long level = long_level(lx, 2);

    if (level < 0) {
        lx->at = lx->len;
        return WB_LUA_COMMENT;
    }
    lx->at += 4 + (size_t)level;
    lx->state = LONG_COMMENT | (unsigned)level << LEVEL_SHIFT;
    lex_long(lx);
    return WB_LUA_COMMENT;
}

/* As the manual has it: digits and letters, dots, and a sign behind an exponent. */
static enum wb_lua_kind lex_number(struct wb_lua_lexer *lx)
{
    bool hex = peek(lx, 0) == '0' && (peek(lx, 1) | 0x20) == 'x', good = true;

    lx->at += hex ? 2 : 0;
    while (is_name(peek(lx, 0)) || peek(lx, 0) == '.') {
        int c = peek(lx, 0) | 0x20;
        bool exponent = hex ? c == 'p' : c == 'e';

        good = good && (exponent || (hex ? isxdigit(c) : isdigit(c)) || peek(lx, 0) == '.');
        lx->at++;
        if (exponent && (peek(lx, 0) == '+' || peek(lx, 0) == '-'))
            lx->at++;
    }
    return good ? WB_LUA_NUMBER : WB_LUA_GARBAGE;
}

static enum wb_lua_kind lex_name(struct wb_lua_lexer *lx)
{
    const char *text = lx->line + lx->at;
    int after = lx->after;
    size_t n = 0;

    while (is_name(peek(lx, n)))
        n++;
    lx->at += n;
    lx->after = AFTER_NOTHING;
    if (AMONG(keywords, text, n))
        return WB_LUA_KEYWORD;
    if (after == AFTER_DOT)
        return WB_LUA_NAME;
    if (after == AFTER_LIBRARY_DOT)
        return WB_LUA_GLOBAL;
    if (AMONG(libraries, text, n)) {
        lx->after = AFTER_LIBRARY;
        return WB_LUA_GLOBAL;
    }
    return AMONG(globals, text, n) ? WB_LUA_GLOBAL : WB_LUA_NAME;
}

static enum wb_lua_kind lex_operator(struct wb_lua_lexer *lx)
{
    static const char *const longer[] = { "...", "..", "==", "~=", "<=",
                                          ">=",  "//", "::", "<<", ">>" };
    int c = peek(lx, 0);
    size_t n = 1;

    for (size_t i = 0; n == 1 && i < sizeof longer / sizeof *longer; i++)
        if (longer[i][0] == c && longer[i][1] == peek(lx, 1) &&
            (longer[i][2] == '\0' || longer[i][2] == peek(lx, 2)))
            n = strlen(longer[i]);
    lx->at += n;
    if (n == 1 && (c == '.' || c == ':'))
        lx->after = lx->after == AFTER_LIBRARY && c == '.' ? AFTER_LIBRARY_DOT : AFTER_DOT;
    else
        lx->after = AFTER_NOTHING;
    return c >= 0 && c < 0x80 && c != '\0' && strchr("+-*/%^#&~|<>=(){}[];:,.", c) != NULL
               ? WB_LUA_OPERATOR
               : WB_LUA_GARBAGE;
}

static enum wb_lua_kind lex_code(struct wb_lua_lexer *lx)
{
    int c = peek(lx, 0), after = lx->after;

    if (isspace(c)) { /* what stood before still counts */
        while (lx->at < lx->len && isspace(peek(lx, 0)))
            lx->at++;
        return WB_LUA_SPACE;
    }
    if (c == '-' && peek(lx, 1) == '-')
        return lex_comment(lx);
    if (isdigit(c) || (c == '.' && peek(lx, 1) >= 0 && isdigit(peek(lx, 1)))) {
        lx->after = AFTER_NOTHING;
        return lex_number(lx);
    }
    if (is_name(c))
        return lex_name(lx);
    lx->after = AFTER_NOTHING;
    if (c == '"' || c == '\'') {
        lx->at++;
        lx->state = (unsigned)c;
        lex_quoted(lx);
        return WB_LUA_STRING;
    }
    if (long_level(lx, 0) >= 0) {
        lx->state = LONG | (unsigned)long_level(lx, 0) << LEVEL_SHIFT;
        lx->at += 2 + (lx->state >> LEVEL_SHIFT);
        lex_long(lx);
        return WB_LUA_STRING;
    }
    lx->after = after;
    return lex_operator(lx);
}

bool wb_lua_lexer_next(struct wb_lua_lexer *lx, struct wb_lua_token *token)
{
    enum wb_lua_kind inside = wb_lua_state_kind(lx->state);

    token->from = lx->at;
    if (lx->len == 0 && inside == WB_LUA_STRING && !(lx->state & (LONG | SKIP)))
        lx->state = WB_LUA_START; /* the second line end in a row was not escaped */
    if (lx->at >= lx->len)
        return false;
    if (inside == WB_LUA_SPACE) {
        token->kind = lex_code(lx);
    } else {
        token->kind = inside;
        if (lx->state & (LONG | LONG_COMMENT))
            lex_long(lx);
        else
            lex_quoted(lx);
    }
    token->len = lx->at - token->from;
    return true;
}

unsigned wb_lua_lex_line(const char *line, size_t len, unsigned state)
{
    struct wb_lua_lexer lx;
    struct wb_lua_token token;

    wb_lua_lexer_init(&lx, line, len, state);
    while (wb_lua_lexer_next(&lx, &token))
        ;
    return lx.state;
}

enum wb_lua_kind wb_lua_state_kind(unsigned state)
{
    if (state == WB_LUA_START)
        return WB_LUA_SPACE;
    return state & LONG_COMMENT ? WB_LUA_COMMENT : WB_LUA_STRING;
}

enum wb_style wb_lua_style(enum wb_lua_kind kind)
{
    static const enum wb_style style[] = {
        [WB_LUA_SPACE] = WB_STYLE_TEXT,      [WB_LUA_KEYWORD] = WB_STYLE_KEYWORD,
        [WB_LUA_STRING] = WB_STYLE_STRING,   [WB_LUA_NUMBER] = WB_STYLE_NUMBER,
        [WB_LUA_COMMENT] = WB_STYLE_COMMENT, [WB_LUA_NAME] = WB_STYLE_TEXT,
        [WB_LUA_GLOBAL] = WB_STYLE_FUNCTION, [WB_LUA_OPERATOR] = WB_STYLE_TEXT,
        [WB_LUA_GARBAGE] = WB_STYLE_ERROR,
    };

    return style[kind];
}

bool wb_lua_token_is(const char *line, struct wb_lua_token token, const char *text)
{
    return token.len == strlen(text) && memcmp(line + token.from, text, token.len) == 0;
}
