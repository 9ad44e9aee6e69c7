/* app/infer/tokenizer_regex.c - patterns of a tokenizer, through PCRE2.
 *
 * Subjects are valid UTF-8. A hostile pattern cannot run for ever: matching has limits. */
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "app/infer/tokenizer_impl.h"

#define MATCH_LIMIT 10000000U
#define DEPTH_LIMIT 100000U
#define HEAP_LIMIT_KIB 65536U

struct wb_regex {
    pcre2_code *code;
    pcre2_match_context *limits;
};

/* Owned; NULL on failure. */
static pcre2_code *compile(const char *pattern, uint32_t options, struct wb_err *err)
{
    pcre2_compile_context *how = pcre2_compile_context_create(NULL);
    PCRE2_UCHAR why[200] = "";
    pcre2_code *made = NULL;
    PCRE2_SIZE at = 0;
    int code = 0;

    if (how == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for a pattern");
        return NULL;
    }
    pcre2_set_newline(how, PCRE2_NEWLINE_LF);
    made = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &code, &at, how);
    pcre2_compile_context_free(how);
    if (made == NULL) {
        pcre2_get_error_message(code, why, sizeof why);
        wb_fail(err, WB_EFORMAT, "%s (character %zu)", (char *)why, (size_t)at);
        return NULL;
    }
    pcre2_jit_compile(made, PCRE2_JIT_COMPLETE); /* without it matching is only slower */
    return made;
}

/* In PCRE2's words; a character that an error names is one of theirs. */
static pcre2_code *compile_regex(const char *pattern, struct wb_err *err)
{
    struct wb_str text = { 0 };
    pcre2_code *made = NULL;

    if (wb_pattern_translate(pattern, &text, err))
        made = compile(text.text, PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                       err);
    wb_str_free(&text);
    return made;
}

struct wb_regex *wb_regex_new(const char *pattern, bool literal, struct wb_err *err)
{
    struct wb_regex *r = calloc(1, sizeof *r);

    if (r != NULL)
        r->limits = pcre2_match_context_create(NULL);
    if (r == NULL || r->limits == NULL) {
        wb_regex_free(r);
        wb_fail(err, WB_ENOMEM, "no memory for a pattern");
        return NULL;
    }
    pcre2_set_match_limit(r->limits, MATCH_LIMIT);
    pcre2_set_depth_limit(r->limits, DEPTH_LIMIT);
    pcre2_set_heap_limit(r->limits, HEAP_LIMIT_KIB);
    r->code =
        literal ? compile(pattern, PCRE2_UTF | PCRE2_LITERAL, err) : compile_regex(pattern, err);
    if (r->code == NULL) {
        wb_wrap(err, "pattern \"%.200s\"", pattern);
        wb_regex_free(r);
        return NULL;
    }
    return r;
}

void wb_regex_free(struct wb_regex *r)
{
    if (r == NULL)
        return;
    pcre2_code_free(r->code);
    pcre2_match_context_free(r->limits);
    free(r);
}

bool wb_spans_add(struct wb_spans *s, size_t from, size_t to, bool match, struct wb_err *err)
{
    if (s->count == s->room) {
        size_t room = s->room == 0 ? 16 : 2 * s->room;
        struct wb_span *at = realloc(s->at, room * sizeof *at);

        if (at == NULL)
            return wb_fail(err, WB_ENOMEM, "no memory for the pieces of a text");
        s->at = at;
        s->room = room;
    }
    s->at[s->count++] = (struct wb_span){ from, to, match };
    return true;
}

void wb_spans_free(struct wb_spans *s)
{
    free(s->at);
    *s = (struct wb_spans){ 0 };
}

/* Where a search goes on behind an empty match; behind the end: nowhere. */
static size_t one_further(const char *text, size_t n, size_t at)
{
    if (at == n)
        return n + 1;
    wb_utf8_next(text, n, &at);
    return at;
}

/* A pattern that nests repetitions can outgrow the stack of compiled code on a long text. */
static int match(const struct wb_regex *r, pcre2_match_data *data, const char *text, size_t n,
                 size_t at)
{
    int code = pcre2_match(r->code, (PCRE2_SPTR)text, n, at, PCRE2_NO_UTF_CHECK, data, r->limits);

    if (code == PCRE2_ERROR_JIT_STACKLIMIT)
        code = pcre2_match(r->code, (PCRE2_SPTR)text, n, at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                           data, r->limits);
    return code;
}

static bool cut(const struct wb_regex *r, pcre2_match_data *data, const char *text, size_t n,
                struct wb_spans *out, struct wb_err *err)
{
    const PCRE2_SIZE *found = pcre2_get_ovector_pointer(data);
    size_t done = 0, at = 0;
    bool ok = true, any = false; /* any: `done` is where a match ended */

    while (ok && at <= n) {
        int code = match(r, data, text, n, at);

        if (code == PCRE2_ERROR_NOMATCH)
            break;
        if (code < 0) {
            PCRE2_UCHAR why[200] = "";

            pcre2_get_error_message(code, why, sizeof why);
            return wb_fail(err, WB_EFORMAT, "a pattern at byte %zu of the text: %s", at,
                           (char *)why);
        }
        if (found[1] < found[0] || found[0] < done) /* \K in a lookaround */
            return wb_fail(err, WB_EFORMAT, "a pattern matches backwards at byte %zu of the text",
                           at);
        at = found[1] > found[0] ? found[1] : one_further(text, n, found[1]);
        if (found[1] == found[0] && any && done == found[0])
            continue; /* nothing, right behind a match, is none */
        ok = (found[0] == done || wb_spans_add(out, done, found[0], false, err)) &&
             wb_spans_add(out, found[0], found[1], true, err);
        done = found[1];
        any = true;
    }
    return ok && (done == n || wb_spans_add(out, done, n, false, err));
}

bool wb_regex_cut(const struct wb_regex *r, const char *text, size_t n, struct wb_spans *out,
                  struct wb_err *err)
{
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(r->code, NULL);
    bool ok = data != NULL ? cut(r, data, text, n, out, err)
                           : wb_fail(err, WB_ENOMEM, "no memory to match a pattern");

    pcre2_match_data_free(data);
    return ok;
}
