/* views/lua_text.c - states of lines, matching brackets and indentation. */
#include "views/lua_text.h"

#include <stdlib.h>
#include <string.h>

#include "views/lua_lexer.h"

void wb_lua_states_free(struct wb_lua_states *s)
{
    free(s->state);
    *s = (struct wb_lua_states){ 0 };
}

static bool reserve(struct wb_lua_states *s, size_t n)
{
    size_t cap = s->cap == 0 ? 256 : s->cap;
    unsigned *state;

    while (cap < n)
        cap *= 2;
    if (cap == s->cap)
        return true;
    state = realloc(s->state, cap * sizeof *state);
    if (state == NULL)
        return false;
    s->state = state;
    s->cap = cap;
    return true;
}

/* Where a line after an edit stands then; one within it counts as its end. */
static size_t moved(size_t line, const struct wb_document_change *c)
{
    return line < c->first + c->removed ? c->first + c->added : line - c->removed + c->added;
}

void wb_lua_states_change(struct wb_lua_states *s, const struct wb_document_change *c)
{
    size_t below = c->first + c->removed, kept = s->known > s->kept ? s->known : s->kept;

    if (c->first >= s->known && c->first >= s->kept)
        return; /* nothing is known there */
    if (below >= kept || below > s->n || !reserve(s, s->n - c->removed + c->added)) {
        s->kept = 0;
    } else {
        memmove(s->state + c->first + c->added, s->state + below,
                (s->n - below) * sizeof *s->state);
        s->n = s->n - c->removed + c->added;
        if (s->known >= s->kept)
            s->stale = 0;
        else if (s->stale < s->known) /* those before were lexed anew, those behind were not */
            s->stale = s->known;
        s->stale = moved(s->stale, c);
        s->kept = moved(kept, c);
    }
    s->known = s->known < c->first + 1 ? s->known : c->first + 1;
}

unsigned wb_lua_states_at(struct wb_lua_states *s, const struct wb_document *d, size_t line)
{
    size_t lines = wb_document_lines(d), len;

    if (line >= lines || !reserve(s, lines))
        return WB_LUA_START;
    s->n = lines;
    if (s->known == 0) {
        s->state[0] = WB_LUA_START;
        s->known = 1;
    }
    while (s->known <= line) {
        const char *text = wb_document_line(d, s->known - 1, &len);
        unsigned next = wb_lua_lex_line(text, len, s->state[s->known - 1]);
        size_t at = s->known++;

        s->lexed++;
        if (at >= s->stale && at < s->kept && s->state[at] == next)
            s->known = s->kept;
        s->state[at] = next;
    }
    return s->state[line];
}

/* What is counted: brackets of one kind, or everything that opens and closes. */
struct count {
    const char *open, *close; /* NULL: everything */
};

static const struct count everything = { NULL, NULL };

static bool is_among(const char *line, struct wb_lua_token t, const char *const *word)
{
    for (; *word != NULL; word++)
        if (wb_lua_token_is(line, t, *word))
            return true;
    return false;
}

static bool opens(const struct count *c, const char *line, struct wb_lua_token t)
{
    static const char *const word[] = { "(",    "[",      "{",        "then", "do",
                                        "else", "repeat", "function", NULL };

    if (t.kind != WB_LUA_OPERATOR && t.kind != WB_LUA_KEYWORD)
        return false;
    return c->open != NULL ? wb_lua_token_is(line, t, c->open) : is_among(line, t, word);
}

static bool closes(const struct count *c, const char *line, struct wb_lua_token t)
{
    static const char *const word[] = { ")", "]", "}", "end", "else", "elseif", "until", NULL };

    if (t.kind != WB_LUA_OPERATOR && t.kind != WB_LUA_KEYWORD)
        return false;
    return c->open != NULL ? wb_lua_token_is(line, t, c->close) : is_among(line, t, word);
}

/* What a part of a line leaves open at its end and what it closes of before; *nth_open is where
 * the nth (from 1) of those left open stands. */
struct balance {
    size_t left_open, closed;
    size_t nth, nth_open;
    size_t last_closed; /* where the last of those closed stands */
};

static void weigh(struct wb_lua_states *s, const struct wb_document *d, const struct count *c,
                  size_t line, size_t from, size_t to, struct balance *b)
{
    struct wb_lua_lexer lx;
    struct wb_lua_token t;
    size_t len;
    const char *text = wb_document_line(d, line, &len);

    b->left_open = b->closed = 0;
    wb_lua_lexer_init(&lx, text, len, wb_lua_states_at(s, d, line));
    while (wb_lua_lexer_next(&lx, &t) && t.from < to) {
        if (t.from < from)
            continue;
        if (closes(c, text, t)) {
            if (b->left_open > 0) {
                b->left_open--;
            } else {
                b->closed++;
                b->last_closed = t.from;
            }
        }
        if (opens(c, text, t) && ++b->left_open == b->nth)
            b->nth_open = t.from;
    }
}

/* The last opening one before a position that is still open there. */
static bool find_open(struct wb_lua_states *s, const struct wb_document *d, const struct count *c,
                      struct wb_pos before, struct wb_pos *open)
{
    size_t to = before.byte, want = 1;
    struct balance b = { 0 };

    for (size_t i = 0; i <= before.line && i < WB_LUA_FAR_LINES; i++, to = SIZE_MAX) {
        size_t line = before.line - i;

        weigh(s, d, c, line, 0, to, &b);
        if (b.left_open >= want) {
            b.nth = b.left_open - want + 1;
            weigh(s, d, c, line, 0, to, &b);
            *open = (struct wb_pos){ line, b.nth_open };
            return true;
        }
        want += b.closed - b.left_open;
    }
    return false;
}

/* The closing one after an opening one. */
static bool find_close(struct wb_lua_states *s, const struct wb_document *d, const struct count *c,
                       struct wb_pos open, struct wb_pos *close)
{
    size_t depth = 0;

    for (size_t i = 0; i < WB_LUA_FAR_LINES && open.line + i < wb_document_lines(d); i++) {
        struct wb_lua_lexer lx;
        struct wb_lua_token t;
        size_t len;
        const char *text = wb_document_line(d, open.line + i, &len);

        wb_lua_lexer_init(&lx, text, len, wb_lua_states_at(s, d, open.line + i));
        while (wb_lua_lexer_next(&lx, &t)) {
            if (i == 0 && t.from < open.byte)
                continue;
            depth += opens(c, text, t);
            if (closes(c, text, t) && --depth == 0) {
                *close = (struct wb_pos){ open.line + i, t.from };
                return true;
            }
        }
    }
    return false;
}

/* The bracket that is the token at pos, if any. */
static bool bracket_at(struct wb_lua_states *s, const struct wb_document *d, struct wb_pos pos,
                       char *bracket)
{
    struct wb_lua_lexer lx;
    struct wb_lua_token t;
    size_t len;
    const char *text = wb_document_line(d, pos.line, &len);

    if (pos.byte >= len || text[pos.byte] == '\0' || strchr("()[]{}", text[pos.byte]) == NULL)
        return false;
    wb_lua_lexer_init(&lx, text, len, wb_lua_states_at(s, d, pos.line));
    while (wb_lua_lexer_next(&lx, &t) && t.from < pos.byte)
        ;
    *bracket = text[pos.byte];
    return t.from == pos.byte && t.kind == WB_LUA_OPERATOR;
}

bool wb_lua_match(struct wb_lua_states *s, const struct wb_document *d, struct wb_pos pos,
                  struct wb_pos *open, struct wb_pos *close)
{
    static const struct count kind[] = { { "(", ")" }, { "[", "]" }, { "{", "}" } };
    const struct count *c = kind;
    char bracket;

    pos = wb_document_clamp(d, pos);
    if (!bracket_at(s, d, pos, &bracket)) {
        if (pos.byte == 0)
            return false;
        pos.byte--;
        if (!bracket_at(s, d, pos, &bracket))
            return false;
    }
    while (bracket != c->open[0] && bracket != c->close[0])
        c++;
    *open = *close = pos;
    return bracket == c->open[0] ? find_close(s, d, c, pos, close) : find_open(s, d, c, pos, open);
}

/* Where the text of a line begins; its end when it is blank. */
static struct wb_pos text_start(const struct wb_document *d, size_t line)
{
    struct wb_pos pos = { line, 0 };
    size_t len;
    const char *text = wb_document_line(d, line, &len);

    while (pos.byte < len && (text[pos.byte] == ' ' || text[pos.byte] == '\t'))
        pos.byte++;
    return pos;
}

static bool is_blank(const struct wb_document *d, size_t line)
{
    size_t len;

    wb_document_line(d, line, &len);
    return text_start(d, line).byte == len;
}

static size_t indent_of(const struct wb_document *d, size_t line)
{
    return wb_document_column(d, text_start(d, line));
}

/* Past the closing words and brackets at the start of a line; *last is the last of them. */
static size_t skip_closing(struct wb_lua_states *s, const struct wb_document *d, size_t line,
                           size_t *last)
{
    struct wb_lua_lexer lx;
    struct wb_lua_token t;
    size_t len, past = 0;
    const char *text = wb_document_line(d, line, &len);

    wb_lua_lexer_init(&lx, text, len, wb_lua_states_at(s, d, line));
    while (wb_lua_lexer_next(&lx, &t)) {
        if (t.kind == WB_LUA_SPACE)
            continue;
        if (!closes(&everything, text, t))
            break;
        *last = t.from;
        past = t.from + t.len;
        if (opens(&everything, text, t)) /* else */
            return t.from;
    }
    return past;
}

bool wb_lua_is_closing(struct wb_lua_states *s, const struct wb_document *d, size_t line)
{
    size_t last = SIZE_MAX;

    skip_closing(s, d, line, &last);
    return last != SIZE_MAX;
}

/* The indentation of the line where the innermost block that is open before a position begins. */
static size_t outer_indent(struct wb_lua_states *s, const struct wb_document *d, struct wb_pos pos,
                           size_t otherwise)
{
    struct wb_pos open;

    return find_open(s, d, &everything, pos, &open) ? indent_of(d, open.line) : otherwise;
}

/* What follows a line as it stands: one level more when it leaves something open, that of the
 * line where it was opened when it closes something in its middle. */
static size_t indent_after(struct wb_lua_states *s, const struct wb_document *d, size_t line)
{
    size_t last = 0, past = skip_closing(s, d, line, &last), indent = indent_of(d, line);
    struct balance b = { 0 };

    weigh(s, d, &everything, line, past, SIZE_MAX, &b);
    if (b.left_open > 0)
        return indent + WB_LUA_INDENT;
    if (b.closed == 0)
        return indent;
    return outer_indent(s, d, (struct wb_pos){ line, b.last_closed }, indent);
}

size_t wb_lua_indentation(struct wb_lua_states *s, const struct wb_document *d, size_t line)
{
    size_t above = line, last = SIZE_MAX, indent;

    if (wb_lua_states_at(s, d, line) != WB_LUA_START)
        return indent_of(d, line); /* a string or comment is the author's */
    do {
        if (above == 0)
            return 0;
        above--;
    } while (is_blank(d, above) || wb_lua_states_at(s, d, above) != WB_LUA_START);
    indent = indent_after(s, d, above);
    skip_closing(s, d, line, &last);
    if (last != SIZE_MAX)
        indent = outer_indent(s, d, (struct wb_pos){ line, last }, indent);
    return indent;
}

bool wb_lua_enclosing(struct wb_lua_states *s, const struct wb_document *d, struct wb_pos pos,
                      struct wb_pos *open)
{
    return find_open(s, d, &everything, wb_document_clamp(d, pos), open);
}
