/* app/infer/tokenizer_normalize.c - normalizers: the text that is cut, made of the text that was
 * given (formats.md section 8). */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "app/infer/tokenizer_impl.h"

/* --- the steps --------------------------------------------------------------------------------- */

static bool unicode_form(const struct wb_text_step *s, const char *text, size_t n,
                         struct wb_str *out, struct wb_err *err)
{
    utf8proc_uint8_t *made = NULL;
    utf8proc_ssize_t len = utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)n, &made,
                                        (utf8proc_option_t)s->form);

    if (len < 0)
        return wb_fail(err, WB_ENOMEM, "a text of %zu bytes: %s", n, utf8proc_errmsg(len));
    wb_str_add_n(out, (char *)made, (size_t)len);
    free(made);
    return true;
}

static void put_lower(struct wb_str *out, int32_t code)
{
    if (code == 0x130) /* the one whose lower case is two characters: i and a dot above */
        wb_str_add(out, "i\xCC\x87");
    else
        wb_utf8_put(out, utf8proc_tolower(code));
}

static bool lowercase(const struct wb_text_step *s, const char *text, size_t n, struct wb_str *out,
                      struct wb_err *err)
{
    (void)s, (void)err;
    for (size_t at = 0; at < n;)
        put_lower(out, wb_utf8_next(text, n, &at));
    return true;
}

static bool is_mark(int32_t code)
{
    utf8proc_category_t c = utf8proc_category(code);

    return c == UTF8PROC_CATEGORY_MN || c == UTF8PROC_CATEGORY_MC || c == UTF8PROC_CATEGORY_ME;
}

static bool strip_accents(const struct wb_text_step *s, const char *text, size_t n,
                          struct wb_str *out, struct wb_err *err)
{
    (void)s, (void)err;
    for (size_t at = 0; at < n;) {
        int32_t code = wb_utf8_next(text, n, &at);

        if (!is_mark(code))
            wb_utf8_put(out, code);
    }
    return true;
}

static bool strip(const struct wb_text_step *s, const char *text, size_t n, struct wb_str *out,
                  struct wb_err *err)
{
    size_t from = n, to = 0;

    (void)err;
    for (size_t at = 0, was = 0; at < n; was = at)
        if (!wb_char_is_space(wb_utf8_next(text, n, &at))) {
            from = was < from ? was : from;
            to = at;
        }
    from = s->left ? from : 0;
    to = s->right ? to : n;
    if (from < to)
        wb_str_add_n(out, text + from, to - from);
    return true;
}

static bool prepend(const struct wb_text_step *s, const char *text, size_t n, struct wb_str *out,
                    struct wb_err *err)
{
    (void)err;
    if (n > 0)
        wb_str_add(out, s->text);
    wb_str_add_n(out, text, n);
    return true;
}

static bool replace(const struct wb_text_step *s, const char *text, size_t n, struct wb_str *out,
                    struct wb_err *err)
{
    struct wb_spans spans = { 0 };
    bool ok = wb_regex_cut(s->regex, text, n, &spans, err);

    for (size_t i = 0; ok && i < spans.count; i++)
        if (spans.at[i].match)
            wb_str_add(out, s->with);
        else
            wb_str_add_n(out, text + spans.at[i].from, spans.at[i].to - spans.at[i].from);
    wb_spans_free(&spans);
    return ok;
}

static bool bytes_as_chars(const struct wb_text_step *s, const char *text, size_t n,
                           struct wb_str *out, struct wb_err *err)
{
    (void)s, (void)err;
    for (size_t i = 0; i < n; i++)
        wb_utf8_put(out, wb_byte_to_char((unsigned char)text[i]));
    return true;
}

/* --- BERT -------------------------------------------------------------------------------------- */

/* The blocks of CJK ideographs that BERT sets apart. */
static bool is_ideograph(int32_t c)
{
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
           (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

static bool is_control(int32_t code)
{
    utf8proc_category_t c = utf8proc_category(code);

    return code != '\t' && code != '\n' && code != '\r' &&
           (c == UTF8PROC_CATEGORY_CC || c == UTF8PROC_CATEGORY_CF || c == UTF8PROC_CATEGORY_CO ||
            c == UTF8PROC_CATEGORY_CS);
}

static void bert_char(const struct wb_text_step *s, int32_t code, struct wb_str *out)
{
    if (s->clean && (code == 0 || code == 0xFFFD || is_control(code)))
        return;
    if (s->clean && wb_char_is_space(code))
        code = ' ';
    if (s->chinese && is_ideograph(code)) {
        wb_str_add(out, " ");
        wb_utf8_put(out, code);
        wb_str_add(out, " ");
    } else {
        wb_utf8_put(out, code);
    }
}

/* Decomposed, without the marks that take no room. */
static bool bert_accents(struct wb_str *text, struct wb_err *err)
{
    static const struct wb_text_step decompose = { .form = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE };
    struct wb_str apart = { 0 };
    bool ok = unicode_form(&decompose, text->text, text->len, &apart, err);

    text->len = 0;
    for (size_t at = 0; ok && at < apart.len;) {
        int32_t code = wb_utf8_next(apart.text, apart.len, &at);

        if (utf8proc_category(code) != UTF8PROC_CATEGORY_MN)
            wb_utf8_put(text, code);
    }
    wb_str_free(&apart);
    return ok;
}

static bool bert(const struct wb_text_step *s, const char *text, size_t n, struct wb_str *out,
                 struct wb_err *err)
{
    struct wb_str clean = { 0 };
    bool ok;

    for (size_t at = 0; at < n;)
        bert_char(s, wb_utf8_next(text, n, &at), &clean);
    ok = wb_str_ok(&clean, err) && (!s->accents || clean.len == 0 || bert_accents(&clean, err));
    for (size_t at = 0; ok && at < clean.len;) {
        int32_t code = wb_utf8_next(clean.text, clean.len, &at);

        if (s->lower)
            put_lower(out, code);
        else
            wb_utf8_put(out, code);
    }
    wb_str_free(&clean);
    return ok;
}

/* --- reading them ------------------------------------------------------------------------------ */

static void read_bert(const cJSON *json, struct wb_text_step *out)
{
    out->normalize = bert;
    out->lower = wb_json_flag(json, "lowercase", true);
    out->clean = wb_json_flag(json, "clean_text", true);
    out->chinese = wb_json_flag(json, "handle_chinese_chars", true);
    out->accents = wb_json_flag(json, "strip_accents", out->lower); /* null: as lowercase */
}

static bool copy(struct wb_arena *arena, const char *text, const char **out, struct wb_err *err)
{
    if (text == NULL)
        return wb_fail(err, WB_EFORMAT, "a text is missing");
    *out = wb_arena_strdup(arena, text);
    return *out != NULL || wb_fail(err, WB_ENOMEM, "no memory for a step");
}

static bool read_form(const char *type, struct wb_text_step *out)
{
    static const struct {
        const char *name;
        int form;
    } forms[] = { { "NFC", UTF8PROC_STABLE | UTF8PROC_COMPOSE },
                  { "NFD", UTF8PROC_STABLE | UTF8PROC_DECOMPOSE },
                  { "NFKC", UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT },
                  { "NFKD", UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT } };

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(type, forms[i].name) == 0) {
            out->normalize = unicode_form;
            out->form = forms[i].form;
            return true;
        }
    return false;
}

static bool read_one(const cJSON *json, const char *type, struct wb_arena *arena,
                     struct wb_text_step *out, struct wb_err *err)
{
    if (read_form(type, out))
        return true;
    if (strcmp(type, "Lowercase") == 0) {
        out->normalize = lowercase;
    } else if (strcmp(type, "StripAccents") == 0) {
        out->normalize = strip_accents;
    } else if (strcmp(type, "Strip") == 0) {
        out->normalize = strip;
        out->left = wb_json_flag(json, "strip_left", true);
        out->right = wb_json_flag(json, "strip_right", true);
    } else if (strcmp(type, "BertNormalizer") == 0) {
        read_bert(json, out);
    } else if (strcmp(type, "ByteLevel") == 0) {
        out->normalize = bytes_as_chars;
    } else if (strcmp(type, "Prepend") == 0) {
        out->normalize = prepend;
        return copy(arena, wb_json_text(json, "prepend", NULL), &out->text, err);
    } else if (strcmp(type, "Replace") == 0) {
        out->normalize = replace;
        out->regex = wb_pattern_read(json, err);
        return out->regex != NULL &&
               copy(arena, wb_json_text(json, "content", NULL), &out->with, err);
    } else {
        return wb_fail(err, WB_EFORMAT, "is not one of those that weightbench knows");
    }
    return true;
}

bool wb_normalizer_read(const cJSON *json, struct wb_arena *arena, struct wb_text_steps *out,
                        struct wb_err *err)
{
    return wb_steps_read(json, "normalizers", "normalizer", read_one, arena, out, err);
}

bool wb_normalize(const struct wb_text_steps *s, const char *text, size_t n, struct wb_str *out,
                  struct wb_err *err)
{
    struct wb_str from = { 0 }, other;
    bool ok = true;

    out->len = 0;
    wb_str_add_n(out, text, n);
    for (size_t i = 0; ok && i < s->count && out->len > 0; i++) {
        other = from;
        from = *out;
        *out = other;
        out->len = 0;
        ok =
            s->step[i].normalize(&s->step[i], from.text, from.len, out, err) && wb_str_ok(out, err);
    }
    wb_str_free(&from);
    return ok && wb_str_ok(out, err);
}
