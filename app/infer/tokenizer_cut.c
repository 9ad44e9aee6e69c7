/* app/infer/tokenizer_cut.c - pre-tokenizers: a text cut into the pieces that a model sees one by
 * one (formats.md section 8). */
#include <stdlib.h>
#include <string.h>

#include "app/infer/tokenizer_impl.h"

/* GPT-2's own, built into ByteLevel. */
#define BYTE_LEVEL_PATTERN \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define JOINERS "\\x{200c}\\x{200d}" /* part of a word for Whitespace, not for patterns of files */
#define WHITESPACE_PATTERN "[\\w" JOINERS "]+|[^\\w\\s" JOINERS "]+"
#define METASPACE "\xE2\x96\x81" /* U+2581 */

/* --- from matches to pieces -------------------------------------------------------------------- */

/* Join spans in place, as a behaviour says; those of no piece become empty. */
static void join_spans(struct wb_spans *s, enum wb_split_how how)
{
    size_t n = 0;

    if (how == WB_CUT_AFTER) { /* a match goes with what follows it: the text behind takes it in */
        for (size_t i = s->count; i-- > 1;)
            if (s->at[i - 1].match && !s->at[i].match) {
                s->at[i].from = s->at[i - 1].from;
                s->at[i - 1].to = s->at[i - 1].from;
            }
        return;
    }
    for (size_t i = 0; i < s->count; i++) {
        struct wb_span *last = n > 0 ? &s->at[n - 1] : NULL;
        struct wb_span at = s->at[i];
        bool joins = last != NULL &&
                     (how == WB_CUT_CONTIGUOUS ? last->match == at.match
                                               : how == WB_CUT_BEFORE && at.match && !last->match);

        if (how == WB_CUT_REMOVED && at.match)
            continue;
        if (joins) {
            last->to = at.to;
            last->match = at.match;
        } else {
            s->at[n++] = at;
        }
    }
    s->count = n;
}

/* What lies at from .. to of a piece's text becomes one. */
static bool add_piece(struct wb_pieces *out, const char *text, size_t from, size_t to,
                      struct wb_err *err)
{
    out->behind |= out->at.count == 0 && from > 0;
    return wb_pieces_add(out, text + from, to - from, err);
}

static bool add_spans(const struct wb_text_step *s, const char *text, struct wb_spans *spans,
                      struct wb_pieces *out, struct wb_err *err)
{
    bool ok = true;

    if (s->invert)
        for (size_t i = 0; i < spans->count; i++)
            spans->at[i].match = !spans->at[i].match;
    join_spans(spans, s->how);
    for (size_t i = 0; ok && i < spans->count; i++)
        if (spans->at[i].to > spans->at[i].from)
            ok = add_piece(out, text, spans->at[i].from, spans->at[i].to, err);
    return ok;
}

static bool cut_pattern(const struct wb_text_step *s, const char *text, size_t n, bool first,
                        struct wb_pieces *out, struct wb_err *err)
{
    struct wb_spans spans = { 0 };
    bool ok = wb_regex_cut(s->regex, text, n, &spans, err) && add_spans(s, text, &spans, out, err);

    (void)first;
    wb_spans_free(&spans);
    return ok;
}

/* Every character that is one of a kind is a match of its own. */
static bool cut_chars(const struct wb_text_step *s, const char *text, size_t n, bool first,
                      struct wb_pieces *out, struct wb_err *err)
{
    struct wb_spans spans = { 0 };
    size_t from = 0;
    bool ok = true;

    (void)first;
    for (size_t at = 0, was = 0; ok && at < n; was = at) {
        if (!s->is(wb_utf8_next(text, n, &at)))
            continue;
        ok = (was == from || wb_spans_add(&spans, from, was, false, err)) &&
             wb_spans_add(&spans, was, at, true, err);
        from = at;
    }
    ok = ok && (from == n || wb_spans_add(&spans, from, n, false, err)) &&
         add_spans(s, text, &spans, out, err);
    wb_spans_free(&spans);
    return ok;
}

/* --- the ones that change text ----------------------------------------------------------------- */

/* Bytes become characters of the byte alphabet; before that the pattern cuts. */
static bool byte_level(const struct wb_text_step *s, const char *text, size_t n, bool first,
                       struct wb_pieces *out, struct wb_err *err)
{
    struct wb_spans spans = { 0 };
    struct wb_str whole = { 0 };
    bool ok;

    (void)first;
    if (s->prefix && text[0] != ' ')
        wb_str_add(&whole, " ");
    wb_str_add_n(&whole, text, n);
    ok = wb_str_ok(&whole, err) &&
         (s->regex != NULL ? wb_regex_cut(s->regex, whole.text, whole.len, &spans, err)
                           : wb_spans_add(&spans, 0, whole.len, false, err));
    for (size_t i = 0; ok && i < spans.count; i++) {
        size_t from = out->text.len;

        for (size_t b = spans.at[i].from; b < spans.at[i].to; b++)
            wb_utf8_put(&out->text, wb_byte_to_char((unsigned char)whole.text[b]));
        ok = wb_str_ok(&out->text, err) && wb_spans_add(&out->at, from, out->text.len, false, err);
    }
    wb_spans_free(&spans);
    wb_str_free(&whole);
    return ok;
}

static bool metaspace(const struct wb_text_step *s, const char *text, size_t n, bool first,
                      struct wb_pieces *out, struct wb_err *err)
{
    size_t mark = strlen(s->text), from = 0;
    struct wb_str whole = { 0 };
    bool begins = text[0] == ' ' || (n >= mark && memcmp(text, s->text, mark) == 0);
    bool ok = true;

    if (!begins && (s->always || (s->prefix && first)))
        wb_str_add(&whole, s->text);
    for (size_t i = 0; i < n; i++)
        wb_str_add_n(&whole, text[i] == ' ' ? s->text : text + i, text[i] == ' ' ? mark : 1);
    ok = wb_str_ok(&whole, err);
    for (size_t i = 1; ok && s->split && i + mark <= whole.len; i++)
        if (memcmp(whole.text + i, s->text, mark) == 0) {
            ok = wb_pieces_add(out, whole.text + from, i - from, err);
            from = i;
        }
    ok = ok && wb_pieces_add(out, whole.text + from, whole.len - from, err);
    wb_str_free(&whole);
    return ok;
}

/* White space goes, punctuation stands alone. */
static bool bert(const struct wb_text_step *s, const char *text, size_t n, bool first,
                 struct wb_pieces *out, struct wb_err *err)
{
    size_t from = 0;
    bool ok = true;

    (void)s, (void)first;
    for (size_t at = 0, was = 0; ok && at < n; was = at) {
        int32_t code = wb_utf8_next(text, n, &at);
        bool space = wb_char_is_space(code);

        if (!space && !wb_char_is_punctuation(code))
            continue;
        ok = (was == from || add_piece(out, text, from, was, err)) &&
             (space || add_piece(out, text, was, at, err));
        from = at;
    }
    return ok && (from == n || add_piece(out, text, from, n, err));
}

/* --- reading them ------------------------------------------------------------------------------ */

static bool read_behaviour(const cJSON *json, enum wb_split_how *how, struct wb_err *err)
{
    static const struct {
        const char *name;
        enum wb_split_how how;
    } names[] = { { "Removed", WB_CUT_REMOVED },
                  { "Isolated", WB_CUT_ISOLATED },
                  { "MergedWithPrevious", WB_CUT_BEFORE },
                  { "MergedWithNext", WB_CUT_AFTER },
                  { "Contiguous", WB_CUT_CONTIGUOUS } };
    const char *name = wb_json_text(json, "behavior", "Isolated");

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i].name) == 0) {
            *how = names[i].how;
            return true;
        }
    return wb_fail(err, WB_EFORMAT, "behavior \"%.40s\"", name);
}

static bool pattern_step(const char *pattern, struct wb_text_step *out, struct wb_err *err)
{
    out->cut = cut_pattern;
    out->regex = wb_regex_new(pattern, false, err);
    return out->regex != NULL;
}

static bool read_metaspace(const cJSON *json, struct wb_arena *arena, struct wb_text_step *out,
                           struct wb_err *err)
{
    const char *scheme = wb_json_text(
        json, "prepend_scheme", wb_json_flag(json, "add_prefix_space", true) ? "always" : "never");

    out->cut = metaspace;
    out->split = wb_json_flag(json, "split", true);
    out->always = strcmp(scheme, "always") == 0;
    out->prefix = strcmp(scheme, "first") == 0;
    out->text = wb_arena_strdup(arena, wb_json_text(json, "replacement", METASPACE));
    if (out->text == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a step");
    if (out->text[0] == '\0')
        return wb_fail(err, WB_EFORMAT, "an empty replacement");
    return out->always || out->prefix || strcmp(scheme, "never") == 0 ||
           wb_fail(err, WB_EFORMAT, "prepend_scheme \"%.40s\"", scheme);
}

static bool read_byte_level(const cJSON *json, struct wb_text_step *out, struct wb_err *err)
{
    out->cut = byte_level;
    out->prefix = wb_json_flag(json, "add_prefix_space", true);
    if (wb_json_flag(json, "use_regex", true))
        out->regex = wb_regex_new(BYTE_LEVEL_PATTERN, false, err);
    return out->regex != NULL || !wb_json_flag(json, "use_regex", true);
}

static bool read_chars(const cJSON *json, const char *type, struct wb_text_step *out,
                       struct wb_err *err)
{
    out->cut = cut_chars;
    if (strcmp(type, "WhitespaceSplit") == 0) {
        out->is = wb_char_is_space;
        out->how = WB_CUT_REMOVED;
        return true;
    }
    if (strcmp(type, "Digits") == 0) {
        out->is = wb_char_is_numeric;
        out->how =
            wb_json_flag(json, "individual_digits", false) ? WB_CUT_ISOLATED : WB_CUT_CONTIGUOUS;
        return true;
    }
    out->is = wb_char_is_punctuation;
    return read_behaviour(json, &out->how, err);
}

static bool read_one(const cJSON *json, const char *type, struct wb_arena *arena,
                     struct wb_text_step *out, struct wb_err *err)
{
    if (strcmp(type, "ByteLevel") == 0)
        return read_byte_level(json, out, err);
    if (strcmp(type, "Metaspace") == 0)
        return read_metaspace(json, arena, out, err);
    if (strcmp(type, "WhitespaceSplit") == 0 || strcmp(type, "Digits") == 0 ||
        strcmp(type, "Punctuation") == 0)
        return read_chars(json, type, out, err);
    if (strcmp(type, "Whitespace") == 0) {
        out->how = WB_CUT_REMOVED;
        out->invert = true;
        return pattern_step(WHITESPACE_PATTERN, out, err);
    }
    if (strcmp(type, "Split") == 0) {
        out->cut = cut_pattern;
        out->invert = wb_json_flag(json, "invert", false);
        out->regex = wb_pattern_read(json, err);
        return out->regex != NULL && read_behaviour(json, &out->how, err);
    }
    if (strcmp(type, "CharDelimiterSplit") == 0) {
        const char *delimiter = wb_json_text(json, "delimiter", "");

        out->cut = cut_pattern;
        out->how = WB_CUT_REMOVED;
        out->regex = delimiter[0] == '\0' ? NULL : wb_regex_new(delimiter, true, err);
        return out->regex != NULL || wb_fail(err, WB_EFORMAT, "no delimiter");
    }
    if (strcmp(type, "BertPreTokenizer") == 0) {
        out->cut = bert;
        return true;
    }
    return wb_fail(err, WB_EFORMAT, "is not one of those that weightbench knows");
}

bool wb_cutter_read(const cJSON *json, struct wb_arena *arena, struct wb_text_steps *out,
                    struct wb_err *err)
{
    return wb_steps_read(json, "pretokenizers", "pre_tokenizer", read_one, arena, out, err);
}
