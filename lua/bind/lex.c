/* lua/bind/lex.c */
#include "lua/bind/lex.h"

#include <stdlib.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static char at(const struct wb_lex *lex, size_t i)
{
    return i < lex->n ? lex->text[i] : '\0';
}

void wb_lex_init(struct wb_lex *lex, const char *text, size_t n)
{
    *lex = (struct wb_lex){ .text = text, .n = n, .line = 1 };
    if (n > 0 && text[0] == '#') /* a first line for the shell */
        while (lex->at < n && text[lex->at] != '\n')
            lex->at++;
}

static void skip_blanks(struct wb_lex *lex)
{
    for (; lex->at < lex->n; lex->at++) {
        char c = lex->text[lex->at];

        if (c == '\n')
            lex->line++;
        else if (c != ' ' && c != '\t' && c != '\r' && c != '\f' && c != '\v')
            return;
    }
}

/* "[[" or "[==[" at i: how many '=', else -1. */
static int long_bracket(const struct wb_lex *lex, size_t i)
{
    int level = 0;

    if (at(lex, i) != '[')
        return -1;
    while (at(lex, i + 1 + (size_t)level) == '=')
        level++;
    return at(lex, i + 1 + (size_t)level) == '[' ? level : -1;
}

/* From behind the opening bracket to behind the closing one. */
static void skip_long(struct wb_lex *lex, int level, struct wb_token *t)
{
    for (; lex->at < lex->n; lex->at++) {
        size_t end = lex->at + 1;

        if (lex->text[lex->at] == '\n')
            lex->line++;
        if (lex->text[lex->at] != ']')
            continue;
        while (at(lex, end) == '=')
            end++;
        if (at(lex, end) == ']' && (int)(end - lex->at) - 1 == level) {
            lex->at = end + 1;
            return;
        }
    }
    t->unfinished = true;
}

static void skip_short(struct wb_lex *lex, char quote, struct wb_token *t)
{
    for (; lex->at < lex->n; lex->at++) {
        char c = lex->text[lex->at];

        if (c == quote) {
            lex->at++;
            return;
        }
        if (c == '\n')
            break;
        if (c == '\\' && lex->at + 1 < lex->n) {
            lex->at++;
            if (lex->text[lex->at] == '\n')
                lex->line++;
            if (lex->text[lex->at] == 'z') /* blanks that follow, lines too, are no part of it */
                for (;
                     lex->at + 1 < lex->n && strchr(" \t\r\n\f\v", lex->text[lex->at + 1]) != NULL;
                     lex->at++)
                    if (lex->text[lex->at + 1] == '\n')
                        lex->line++;
        }
    }
    t->unfinished = true;
}

static bool take_comment(struct wb_lex *lex, struct wb_token *t)
{
    int level;

    if (at(lex, lex->at) != '-' || at(lex, lex->at + 1) != '-')
        return false;
    t->kind = WB_TOKEN_COMMENT;
    level = long_bracket(lex, lex->at + 2);
    if (level >= 0) {
        lex->at += 4 + (size_t)level;
        skip_long(lex, level, t);
        return true;
    }
    while (lex->at < lex->n && lex->text[lex->at] != '\n')
        lex->at++;
    t->unfinished = lex->at == lex->n;
    return true;
}

static bool take_string(struct wb_lex *lex, struct wb_token *t)
{
    char c = at(lex, lex->at);
    int level = long_bracket(lex, lex->at);

    if (c != '"' && c != '\'' && level < 0)
        return false;
    t->kind = WB_TOKEN_STRING;
    if (level >= 0) {
        lex->at += 2 + (size_t)level;
        skip_long(lex, level, t);
    } else {
        lex->at++;
        skip_short(lex, c, t);
    }
    return true;
}

static bool take_number(struct wb_lex *lex, struct wb_token *t)
{
    const char *exponent = "eE";

    if (!is_digit(at(lex, lex->at)) && (at(lex, lex->at) != '.' || !is_digit(at(lex, lex->at + 1))))
        return false;
    t->kind = WB_TOKEN_NUMBER;
    if (at(lex, lex->at) == '0' && (at(lex, lex->at + 1) == 'x' || at(lex, lex->at + 1) == 'X'))
        exponent = "pP";
    for (; is_name(at(lex, lex->at)) || at(lex, lex->at) == '.'; lex->at++) {
        char c = at(lex, lex->at), next = at(lex, lex->at + 1);

        if ((c == exponent[0] || c == exponent[1]) && (next == '+' || next == '-'))
            lex->at++;
    }
    return true;
}

static bool is_keyword(const char *text, size_t n)
{
    static const char *const word[] = {
        "and",      "break",  "do",   "else", "elseif", "end",   "false", "for",
        "function", "goto",   "if",   "in",   "local",  "nil",   "not",   "or",
        "repeat",   "return", "then", "true", "until",  "while",
    };

    for (size_t i = 0; i < sizeof word / sizeof word[0]; i++)
        if (strlen(word[i]) == n && memcmp(word[i], text, n) == 0)
            return true;
    return false;
}

static bool take_name(struct wb_lex *lex, struct wb_token *t)
{
    size_t first = lex->at;

    if (!is_name(at(lex, lex->at)))
        return false;
    while (is_name(at(lex, lex->at)))
        lex->at++;
    t->kind = is_keyword(lex->text + first, lex->at - first) ? WB_TOKEN_KEYWORD : WB_TOKEN_NAME;
    return true;
}

static void take_other(struct wb_lex *lex, struct wb_token *t)
{
    static const char *const longer[] = { "...", "..", "==", "~=", "<=",
                                          ">=",  "//", "::", "<<", ">>" };

    t->kind = WB_TOKEN_OTHER;
    for (size_t i = 0; i < sizeof longer / sizeof longer[0]; i++) {
        size_t n = strlen(longer[i]);

        if (lex->n - lex->at >= n && memcmp(lex->text + lex->at, longer[i], n) == 0) {
            lex->at += n;
            return;
        }
    }
    lex->at++;
}

struct wb_token wb_lex_next(struct wb_lex *lex)
{
    struct wb_token t = { 0 };

    skip_blanks(lex);
    t.first = lex->at;
    t.line = lex->line;
    if (lex->at < lex->n && !take_comment(lex, &t) && !take_string(lex, &t) &&
        !take_number(lex, &t) && !take_name(lex, &t))
        take_other(lex, &t);
    t.last = lex->at;
    return t;
}

struct wb_token *wb_lex_all(const char *text, size_t n, size_t *count)
{
    struct wb_token *list = NULL, *more;
    struct wb_lex lex;
    size_t room = 0;

    wb_lex_init(&lex, text, n);
    *count = 0;
    do {
        if (*count == room) {
            room = room == 0 ? 256 : 2 * room;
            more = realloc(list, room * sizeof *list);
            if (more == NULL) {
                free(list);
                return NULL;
            }
            list = more;
        }
        list[*count] = wb_lex_next(&lex);
        *count += list[*count].kind != WB_TOKEN_COMMENT;
    } while (*count == 0 || list[*count - 1].kind != WB_TOKEN_END);
    return list;
}

bool wb_token_is(const char *text, const struct wb_token *t, const char *word)
{
    size_t n = t->last - t->first;

    return t->kind != WB_TOKEN_STRING && strlen(word) == n && memcmp(text + t->first, word, n) == 0;
}

/* One escape behind the backslash at p into out; bytes consumed. */
static size_t unescape(const char *p, const char *end, char *out, size_t *n)
{
    static const char code[] = "abfnrtv\\\"'\n", value[] = "\a\b\f\n\r\t\v\\\"'\n";
    const char *known = p < end && *p != '\0' ? strchr(code, *p) : NULL;
    size_t used = 0;
    int byte = 0;

    if (known != NULL) {
        out[(*n)++] = value[known - code];
        return 1;
    }
    if (p < end && *p == 'x' && end - p >= 3) {
        char digits[3] = { p[1], p[2], '\0' }, *stop;
        long hex = strtol(digits, &stop, 16);

        if (*stop == '\0') {
            out[(*n)++] = (char)hex;
            return 3;
        }
    }
    if (p < end && *p == 'z') {
        used = 1;
        while (p + used < end && strchr(" \t\r\n\f\v", p[used]) != NULL)
            used++;
        return used;
    }
    while (used < 3 && p + used < end && is_digit(p[used]))
        byte = 10 * byte + (p[used++] - '0');
    out[(*n)++] = used > 0 ? (char)byte : '\\';
    return used;
}

char *wb_token_string(const char *text, const struct wb_token *t, size_t *n)
{
    const char *p = text + t->first, *end = text + t->last;
    char *out = malloc(t->last - t->first + 1), quote;
    struct wb_lex lex = { .text = text, .n = t->last, .at = t->first };
    int level = long_bracket(&lex, t->first);

    *n = 0;
    if (out == NULL)
        return NULL;
    if (level >= 0) {
        p += 2 + level;
        if (p < end && *p == '\n')
            p++;
        end -= t->unfinished ? 0 : 2 + level;
        if (end > p) {
            memcpy(out, p, (size_t)(end - p));
            *n = (size_t)(end - p);
        }
    } else {
        quote = *p++;
        while (p < end && *p != quote)
            if (*p == '\\')
                p += 1 + unescape(p + 1, end, out, n);
            else
                out[(*n)++] = *p++;
    }
    out[*n] = '\0';
    return out;
}
