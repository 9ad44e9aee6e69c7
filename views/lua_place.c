/* views/lua_place.c - what stands at a place of a script, for completion: looking back from the
 * cursor over tokens, as far as a call of the library reaches. */
#include <string.h>

#include "views/lua_lexer.h"
#include "views/lua_text.h"

#define BACK_LINES 64 /* a token before is looked for that far up */

/* A token with its line. */
struct found {
    size_t line;
    const char *text; /* the line; borrowed */
    struct wb_lua_token token;
};

struct look {
    struct wb_lua_states *s;
    const struct wb_document *d;
};

static bool is_code(struct wb_lua_token t)
{
    return t.kind != WB_LUA_SPACE && t.kind != WB_LUA_COMMENT;
}

/* The last token of code that ends at pos or before. */
static bool token_before(struct look l, struct wb_pos pos, struct found *out)
{
    for (size_t i = 0; i <= pos.line && i < BACK_LINES; i++) {
        size_t line = pos.line - i, limit = i == 0 ? pos.byte : SIZE_MAX, len;
        const char *text = wb_document_line(l.d, line, &len);
        struct wb_lua_lexer lx;
        struct wb_lua_token t;
        bool any = false;

        wb_lua_lexer_init(&lx, text, len, wb_lua_states_at(l.s, l.d, line));
        while (wb_lua_lexer_next(&lx, &t) && t.from + t.len <= limit)
            if (is_code(t)) {
                *out = (struct found){ line, text, t };
                any = true;
            }
        if (any)
            return true;
    }
    return false;
}

/* The first token of code that begins at pos or after, not far below. */
static bool token_after(struct look l, struct wb_pos pos, struct found *out)
{
    for (size_t i = 0; i < BACK_LINES && pos.line + i < wb_document_lines(l.d); i++) {
        size_t len;
        const char *text = wb_document_line(l.d, pos.line + i, &len);
        struct wb_lua_lexer lx;
        struct wb_lua_token t;

        wb_lua_lexer_init(&lx, text, len, wb_lua_states_at(l.s, l.d, pos.line + i));
        while (wb_lua_lexer_next(&lx, &t))
            if (is_code(t) && (i > 0 || t.from >= pos.byte)) {
                *out = (struct found){ pos.line + i, text, t };
                return true;
            }
    }
    return false;
}

static struct wb_pos start_of(const struct found *f)
{
    return (struct wb_pos){ f->line, f->token.from };
}

static bool is(const struct found *f, const char *text)
{
    return wb_lua_token_is(f->text, f->token, text);
}

static bool is_name(const struct found *f)
{
    return f->token.kind == WB_LUA_NAME || f->token.kind == WB_LUA_GLOBAL;
}

/* Bytes of the token, less `trim` at either end, when they fit. */
static void copy(char *out, size_t size, const struct found *f, size_t trim)
{
    size_t n = f->token.len;

    out[0] = '\0';
    if (n < 2 * trim || n - 2 * trim >= size)
        return;
    memcpy(out, f->text + f->token.from + trim, n - 2 * trim);
    out[n - 2 * trim] = '\0';
}

/* `wb.NAME` before a position: its name into call. */
static bool call_before(struct look l, struct wb_pos pos, char *call, size_t size)
{
    struct found name, dot, wb;

    if (!token_before(l, pos, &name) || !is_name(&name) ||
        !token_before(l, start_of(&name), &dot) || !is(&dot, ".") ||
        !token_before(l, start_of(&dot), &wb) || !is(&wb, "wb"))
        return false;
    copy(call, size, &name, 0);
    return call[0] != '\0';
}

static bool among(const char *const *word, const char *text)
{
    for (; *word != NULL; word++)
        if (strcmp(*word, text) == 0)
            return true;
    return false;
}

static const char *const taking_strategy[] = { "merge", "protect", "compress", "inspect", NULL };
static const char *const taking_path[] = { "open", "read_text", NULL };
static const char *const path_key[] = { "text", "tasks", "images", "lora", "path", NULL };

/* The call whose argument table opens at `brace`: wb.merge("ties", {, or wb.eval(m, {. */
static bool find_call(struct look l, struct wb_pos brace, struct wb_lua_place *p)
{
    struct wb_pos paren;
    struct found before, first;
    size_t len;
    const char *text;

    /* wb.knob{ and the like, without parentheses */
    if (call_before(l, brace, p->call, sizeof p->call))
        return true;
    if (!token_before(l, brace, &before) || !(is(&before, ",") || is(&before, "(")) ||
        !wb_lua_enclosing(l.s, l.d, brace, &paren))
        return false;
    text = wb_document_line(l.d, paren.line, &len);
    if (paren.byte >= len || text[paren.byte] != '(' ||
        !call_before(l, paren, p->call, sizeof p->call))
        return false;
    paren.byte++;
    if (among(taking_strategy, p->call) && token_after(l, paren, &first) &&
        first.token.kind == WB_LUA_STRING)
        copy(p->strategy, sizeof p->strategy, &first, 1);
    return true;
}

/* In a string that begins at pos: which argument of which call is it? */
static void find_string(struct look l, struct wb_pos pos, struct wb_lua_place *p)
{
    struct found before, key;
    struct wb_pos open;

    if (!token_before(l, pos, &before))
        return;
    if (is_name(&before) && call_before(l, pos, p->call, sizeof p->call)) {
        p->where = among(taking_path, p->call) ? WB_LUA_AT_PATH : WB_LUA_AT_NOTHING;
    } else if (is(&before, "(") && call_before(l, start_of(&before), p->call, sizeof p->call)) {
        p->where = among(taking_path, p->call)       ? WB_LUA_AT_PATH
                   : among(taking_strategy, p->call) ? WB_LUA_AT_STRATEGY
                                                     : WB_LUA_AT_NOTHING;
    } else if (is(&before, "=") && token_before(l, start_of(&before), &key) && is_name(&key) &&
               wb_lua_enclosing(l.s, l.d, start_of(&key), &open) && find_call(l, open, p)) {
        copy(p->key, sizeof p->key, &key, 0);
        p->where = among(path_key, p->key) ? WB_LUA_AT_PATH : WB_LUA_AT_VALUE;
    }
}

/* A plain word: what stands before it says what it may become. */
static void find_word(struct look l, struct wb_lua_place *p)
{
    struct wb_pos start = p->word.from, open;
    struct found before, owner;
    size_t len;
    const char *text;

    p->where = WB_LUA_AT_NAME;
    if (!token_before(l, start, &before))
        return;
    if (is(&before, ".") || is(&before, ":")) {
        bool dot = is(&before, ".");

        if (token_before(l, start_of(&before), &owner) && is_name(&owner))
            copy(p->owner, sizeof p->owner, &owner, 0);
        p->where = !dot                          ? WB_LUA_AT_METHOD
                   : strcmp(p->owner, "wb") == 0 ? WB_LUA_AT_WB
                                                 : WB_LUA_AT_FIELD;
        return;
    }
    if (!(is(&before, "{") || is(&before, ",") || is(&before, ";")) ||
        !wb_lua_enclosing(l.s, l.d, start, &open))
        return;
    text = wb_document_line(l.d, open.line, &len);
    if (open.byte < len && text[open.byte] == '{' && find_call(l, open, p))
        p->where = WB_LUA_AT_PARAMETER;
}

/* The token over the cursor, lexing one byte further than it: a string or comment that takes that
 * byte in is open there. The NUL behind a line serves at its end. */
static bool token_over(struct look l, struct wb_pos pos, struct wb_lua_token *token)
{
    struct wb_lua_lexer lx;
    struct wb_lua_token t;
    size_t len;
    const char *text = wb_document_line(l.d, pos.line, &len);
    bool any = false;

    wb_lua_lexer_init(&lx, text, pos.byte + 1, wb_lua_states_at(l.s, l.d, pos.line));
    while (wb_lua_lexer_next(&lx, &t))
        if (t.from < pos.byte) {
            *token = t;
            any = true;
        }
    return any && token->from + token->len > pos.byte;
}

static size_t word_start(const struct wb_document *d, struct wb_pos pos)
{
    size_t len, at = pos.byte;
    const char *text = wb_document_line(d, pos.line, &len);

    while (at > 0 && text[at - 1] != '\0' &&
           strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789", text[at - 1]))
        at--;
    return at;
}

void wb_lua_place_find(struct wb_lua_states *s, const struct wb_document *d, struct wb_pos pos,
                       struct wb_lua_place *p)
{
    struct look l = { s, d };
    struct wb_lua_token over = { 0 };
    size_t len;
    const char *text;

    *p = (struct wb_lua_place){ .where = WB_LUA_AT_NOTHING };
    pos = wb_document_clamp(d, pos);
    p->word = (struct wb_range){ pos, pos };
    text = wb_document_line(d, pos.line, &len);
    if (pos.byte == 0 && wb_lua_states_at(s, d, pos.line) != WB_LUA_START)
        return;
    if (token_over(l, pos, &over) && (over.kind == WB_LUA_STRING || over.kind == WB_LUA_COMMENT)) {
        if (over.kind == WB_LUA_COMMENT || strchr("\"'", text[over.from]) == NULL)
            return; /* long strings are no names */
        p->word.from.byte = over.from + 1;
        find_string(l, (struct wb_pos){ pos.line, over.from }, p);
        return;
    }
    p->word.from.byte = word_start(d, pos);
    if (p->word.from.byte < pos.byte && text[p->word.from.byte] <= '9')
        return; /* a number */
    find_word(l, p);
}
