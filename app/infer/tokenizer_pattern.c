/* app/infer/tokenizer_pattern.c - patterns of tokenizer.json for PCRE2.
 *
 * They are written for Oniguruma (its Ruby syntax). Where PCRE2 reads the same text in another way,
 * this writes what means the same; what it has no words for is one error:
 *
 *   \s \S [:space:]    White_Space: without U+180E, which PCRE2 counts
 *   \w \W \b \B        letters, marks, decimal digits, letter numbers, connectors: PCRE2's differ by
 *                      version, and take in every number
 *   \h \v \uHHHH       a hexadecimal digit, a vertical tab, a code point
 *   \p{Han}            the script, not the script's extensions
 *   ^ $                at every line (an option of wb_regex_new)
 *   (?m)               a dot is a newline too
 *   {,n}               from none to n
 *   {n,m}+ {n}?        repeated, optional: neither possessive nor lazy
 *   [a[b]] [a&&b]      sets within sets: an error */
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "app/infer/tokenizer_impl.h"

#define DEPTH_MAX 200 /* PCRE2's own is 250 */
/* Sets end with a property: a - behind one is a character. */
#define SPACES "\\x09-\\x0d\\x{85}\\p{Z}"
#define CIRCLED "\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}"
#define WORD CIRCLED "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}"
/* Alone \w is a little more than in a set: superscripts and fractions below U+0100. */
#define WORDS "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}" WORD
#define HEX "0-9A-Fa-f"

struct walk {
    const char *at;
    struct wb_str *out;
    size_t atom;             /* where what a quantifier repeats begins in out */
    size_t group[DEPTH_MAX]; /* where open groups begin */
    size_t depth;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* --- escapes ----------------------------------------------------------------------------------- */

/* Is Name of \p{Name} a script? */
static bool is_script(const char *name, size_t n)
{
    char pattern[80] = "\\p{sc:";
    size_t len = strlen(pattern);
    PCRE2_SIZE where;
    pcre2_code *code;
    int why;

    if (n < 3 || n > sizeof pattern - len - 2)
        return false;
    memcpy(pattern + len, name, n);
    memcpy(pattern + len + n, "}", 2);
    code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP, &why,
                         &where, NULL);
    pcre2_code_free(code);
    return code != NULL;
}

/* \p{Name}, \P{Name}, \p{^Name} */
static bool property(struct walk *w)
{
    const char *name = w->at + 3, *end = strchr(w->at, '}');
    bool negated = w->at[2] == '{' && *name == '^';

    if (w->at[2] != '{' || end == NULL) {
        wb_str_add_n(w->out, w->at, 2);
        w->at += 2;
        return true;
    }
    name += negated;
    wb_str_add_n(w->out, w->at, 3);
    wb_str_add(w->out, negated ? "^" : "");
    wb_str_add(w->out, is_script(name, (size_t)(end - name)) ? "sc:" : "");
    wb_str_add_n(w->out, name, (size_t)(end + 1 - name));
    w->at = end + 1;
    return true;
}

/* A class by its letter: what stands for it alone, and within brackets (NULL: nothing does). */
static bool class_of(char letter, const char **alone, const char **within)
{
    static const struct {
        char letter;
        const char *alone, *within;
    } classes[] = {
        { 's', "[" SPACES "]", SPACES },
        { 'S', "[^" SPACES "]", "\\x{180e}\\S" },
        { 'w', "[" WORDS "]", WORD },
        { 'W', "[^" WORDS "]", NULL },
        { 'h', "[" HEX "]", HEX },
        { 'H', "[^" HEX "]", NULL },
        { 'v', "\\x0b", "\\x0b" },
        { 'b', "(?:(?<=[" WORDS "])(?![" WORDS "])|(?<![" WORDS "])(?=[" WORDS "]))", "\\x08" },
        { 'B', "(?:(?<=[" WORDS "])(?=[" WORDS "])|(?<![" WORDS "])(?![" WORDS "]))", NULL },
        { 'O', "(?s:.)", NULL }
    };

    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (classes[i].letter == letter) {
            *alone = classes[i].alone;
            *within = classes[i].within;
            return true;
        }
    return false;
}

/* At a backslash. */
static bool escape(struct walk *w, bool in_set, struct wb_err *err)
{
    const char *alone, *within;
    char letter = w->at[1];

    if (letter == 'p' || letter == 'P')
        return property(w);
    if (letter == '\0')
        return wb_fail(err, WB_EFORMAT, "a \\ at its end");
    if (class_of(letter, &alone, &within)) {
        if (in_set && within == NULL)
            return wb_fail(err, WB_EFORMAT, "\\%c within brackets is not supported", letter);
        wb_str_add(w->out, in_set ? within : alone);
    } else if (letter == 'u' && strspn(w->at + 2, "0123456789ABCDEFabcdef") >= 4) {
        wb_str_add(w->out, "\\x{");
        wb_str_add_n(w->out, w->at + 2, 4);
        wb_str_add(w->out, "}");
        w->at += 4;
    } else if (strchr("xogkN", letter) != NULL && w->at[2] == '{' && strchr(w->at, '}') != NULL) {
        const char *end = strchr(w->at, '}') + 1;

        wb_str_add_n(w->out, w->at, (size_t)(end - w->at));
        w->at = end - 2;
    } else if (letter == 'Q' || letter == 'E') {
        wb_str_add_n(w->out, &letter, 1); /* no quoting: letters */
    } else {
        wb_str_add_n(w->out, w->at, 2);
    }
    w->at += 2;
    return true;
}

/* --- sets -------------------------------------------------------------------------------------- */

/* At "[:", within brackets. */
static bool posix_class(struct walk *w, struct wb_err *err)
{
    static const struct {
        const char *name, *set;
    } classes[] = { { "[:space:]", SPACES },
                    { "[:word:]", WORD },
                    { "[:digit:]", "\\p{Nd}" },
                    { "[:punct:]", "\\p{P}\\p{S}" },
                    { "[:alpha:]", "\\p{Alphabetic}" },
                    { "[:alnum:]", "\\p{Alphabetic}\\p{Nd}" },
                    { "[:upper:]", "\\p{Uppercase}" },
                    { "[:lower:]", "\\p{Lowercase}" },
                    { "[:xdigit:]", HEX },
                    { "[:cntrl:]", "\\p{Cc}" } };

    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strncmp(w->at, classes[i].name, strlen(classes[i].name)) == 0) {
            wb_str_add(w->out, classes[i].set);
            w->at += strlen(classes[i].name);
            return true;
        }
    return wb_fail(err, WB_EFORMAT, "the class %.*s is not supported", (int)strcspn(w->at, "]") + 1,
                   w->at);
}

/* At "[": to behind its "]". */
static bool set(struct walk *w, struct wb_err *err)
{
    size_t lead = w->at[1] == '^' ? 2 : 1;

    wb_str_add_n(w->out, w->at, lead);
    w->at += lead;
    for (bool first = true; *w->at != ']' || first; first = false) {
        bool ok = true;

        if (*w->at == '\0')
            return wb_fail(err, WB_EFORMAT, "a [ without its ]");
        if (strncmp(w->at, "&&", 2) == 0)
            return wb_fail(err, WB_EFORMAT, "the intersection of sets (&&) is not supported");
        if (*w->at == '[' && w->at[1] != ':')
            return wb_fail(err, WB_EFORMAT, "a set within a set is not supported");
        if (*w->at == '[')
            ok = posix_class(w, err);
        else if (*w->at == '\\')
            ok = escape(w, true, err);
        else {
            wb_str_add(w->out, *w->at == ']' ? "\\" : ""); /* the first one is a character */
            wb_str_add_n(w->out, w->at++, 1);
        }
        if (!ok)
            return false;
    }
    wb_str_add_n(w->out, w->at++, 1);
    return true;
}

/* --- groups and quantifiers -------------------------------------------------------------------- */

/* At "(": what follows "(?" up to its ":" or ")", with the options by PCRE2's names. */
static bool open_group(struct walk *w, struct wb_err *err)
{
    size_t options;

    if (w->depth == DEPTH_MAX)
        return wb_fail(err, WB_EFORMAT, "more than %d groups within each other", DEPTH_MAX);
    if (strncmp(w->at, "(?#", 3) == 0) { /* a comment */
        const char *end = strchr(w->at, ')');

        w->at = end == NULL ? w->at + strlen(w->at) : end + 1;
        return end != NULL || wb_fail(err, WB_EFORMAT, "a comment without an end");
    }
    if (w->at[1] == '*')
        return wb_fail(err, WB_EFORMAT, "a * with nothing before it");
    w->group[w->depth++] = w->out->len;
    wb_str_add_n(w->out, w->at++, 1);
    if (*w->at != '?')
        return true;
    wb_str_add_n(w->out, w->at++, 1);
    options = strspn(w->at, "imx-");
    for (size_t i = 0; i < options && (w->at[options] == ':' || w->at[options] == ')'); i++) {
        if (w->at[i] == 'x')
            return wb_fail(err, WB_EFORMAT, "the option (?x) is not supported");
        wb_str_add_n(w->out, w->at[i] == 'm' ? "s" : w->at + i, 1);
        if (i + 1 == options)
            w->at += options;
    }
    return true;
}

/* The length of "{n}", "{n,}", "{n,m}" or "{,m}", 0 for any other brace. */
static size_t interval(const char *at, bool *exact)
{
    size_t low = strspn(at + 1, "0123456789"), high = 0, n = 1 + low;

    *exact = at[n] != ',';
    if (!*exact) {
        high = strspn(at + n + 1, "0123456789");
        n += 1 + high;
    }
    return at[n] == '}' && low + high > 0 ? n + 1 : 0;
}

/* At "{" of an interval n bytes long. */
static void repeat(struct walk *w, size_t n, bool exact)
{
    bool wrap = w->at[n] == '+' || (exact && w->at[n] == '?');
    struct wb_str tail = { 0 };

    if (wrap) {
        wb_str_add(&tail, "");
        wb_str_add_n(&tail, w->out->text + w->atom, w->out->len - w->atom);
        w->out->len = w->atom;
        wb_str_add(w->out, "(?:");
        wb_str_add_n(w->out, tail.text, tail.len);
        w->out->failed |= tail.failed;
        wb_str_free(&tail);
    }
    wb_str_add_n(w->out, w->at, 1);
    wb_str_add(w->out, is_digit(w->at[1]) ? "" : "0");
    wb_str_add_n(w->out, w->at + 1, n - 1);
    wb_str_add(w->out, wrap ? ")" : "");
    w->at += n;
}

/* --- the whole --------------------------------------------------------------------------------- */

static bool step(struct walk *w, struct wb_err *err)
{
    size_t was = w->out->len, n = 0;
    bool exact = false, ok = true;

    if (*w->at == '{')
        n = interval(w->at, &exact);
    if (n > 0 && was > w->atom) {
        repeat(w, n, exact);
        return true;
    }
    if (strchr("*+?", *w->at) == NULL)
        w->atom = was;
    if (*w->at == '\\')
        ok = escape(w, false, err);
    else if (*w->at == '[')
        ok = set(w, err);
    else if (*w->at == '(')
        ok = open_group(w, err);
    else {
        if (*w->at == ')' && w->depth > 0)
            w->atom = w->group[--w->depth];
        do /* one character, all its bytes */
            wb_str_add_n(w->out, w->at++, 1);
        while (((unsigned char)*w->at & 0xC0) == 0x80);
    }
    return ok;
}

bool wb_pattern_translate(const char *pattern, struct wb_str *out, struct wb_err *err)
{
    struct walk w = { .at = pattern, .out = out };

    wb_str_add(out, "");
    while (*w.at != '\0' && !out->failed)
        if (!step(&w, err))
            return false;
    return wb_str_ok(out, err);
}
