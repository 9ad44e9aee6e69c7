/* app/infer/tokenizer_decode.c - decoders: pieces of the vocabulary back to text (formats.md
 * section 8). */
#include <stdlib.h>
#include <string.h>

#include "app/infer/tokenizer_impl.h"

#define METASPACE "\xE2\x96\x81" /* U+2581 */
#define TIMES_MAX 1000000

static const char *piece_at(const struct wb_pieces *p, size_t i, size_t *n)
{
    *n = p->at.at[i].to - p->at.at[i].from;
    return *n == 0 ? "" : p->text.text + p->at.at[i].from;
}

/* Add what was appended to out->text since `from` as one piece. */
static bool close_piece(struct wb_pieces *out, size_t from, struct wb_err *err)
{
    return wb_str_ok(&out->text, err) && wb_spans_add(&out->at, from, out->text.len, false, err);
}

/* --- the steps --------------------------------------------------------------------------------- */

/* One piece's characters as bytes; those of a piece with a foreign character stay as they are. */
static void add_alphabet(struct wb_str *bytes, const char *text, size_t n)
{
    size_t before = bytes->len;

    for (size_t at = 0; at < n;) {
        int byte = wb_char_to_byte(wb_utf8_next(text, n, &at));
        char c = (char)byte;

        if (byte < 0) {
            bytes->len = before;
            wb_str_add_n(bytes, text, n);
            return;
        }
        wb_str_add_n(bytes, &c, 1);
    }
}

static bool byte_level(const struct wb_text_step *s, const struct wb_pieces *in,
                       struct wb_pieces *out, struct wb_err *err)
{
    struct wb_str bytes = { 0 };
    bool ok;

    (void)s;
    for (size_t i = 0; i < in->at.count; i++) {
        size_t n;
        const char *text = piece_at(in, i, &n);

        add_alphabet(&bytes, text, n);
    }
    wb_utf8_mend(&out->text, bytes.text, bytes.len);
    ok = wb_str_ok(&bytes, err) && close_piece(out, 0, err);
    wb_str_free(&bytes);
    return ok;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* "<0x41>" -> 0x41, -1 for anything else. */
static int byte_of(const char *text, size_t n)
{
    if (n != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>' || hex_digit(text[3]) < 0 ||
        hex_digit(text[4]) < 0)
        return -1;
    return hex_digit(text[3]) * 16 + hex_digit(text[4]);
}

/* Bytes that came together: a text, or U+FFFD for each when they are none. */
static bool flush_bytes(struct wb_str *bytes, struct wb_pieces *out, struct wb_err *err)
{
    bool ok = true;

    if (bytes->len > 0 && wb_utf8_check(bytes->text, bytes->len) == bytes->len)
        ok = wb_pieces_add(out, bytes->text, bytes->len, err);
    else
        for (size_t i = 0; ok && i < bytes->len; i++)
            ok = wb_pieces_add(out, "\xEF\xBF\xBD", 3, err);
    bytes->len = 0;
    return ok;
}

static bool byte_fallback(const struct wb_text_step *s, const struct wb_pieces *in,
                          struct wb_pieces *out, struct wb_err *err)
{
    struct wb_str bytes = { 0 };
    bool ok = true;

    (void)s;
    for (size_t i = 0; ok && i < in->at.count; i++) {
        size_t n;
        const char *text = piece_at(in, i, &n);
        int byte = byte_of(text, n);
        char c = (char)byte;

        if (byte >= 0)
            wb_str_add_n(&bytes, &c, 1);
        else
            ok = flush_bytes(&bytes, out, err) && wb_pieces_add(out, text, n, err);
    }
    ok = ok && wb_str_ok(&bytes, err) && flush_bytes(&bytes, out, err);
    wb_str_free(&bytes);
    return ok;
}

static bool fuse(const struct wb_text_step *s, const struct wb_pieces *in, struct wb_pieces *out,
                 struct wb_err *err)
{
    (void)s;
    for (size_t i = 0; i < in->at.count; i++) {
        size_t n;
        const char *text = piece_at(in, i, &n);

        wb_str_add_n(&out->text, text, n);
    }
    return close_piece(out, 0, err);
}

static bool replace(const struct wb_text_step *s, const struct wb_pieces *in, struct wb_pieces *out,
                    struct wb_err *err)
{
    struct wb_spans spans = { 0 };
    bool ok = true;

    for (size_t i = 0; ok && i < in->at.count; i++) {
        size_t n, from = out->text.len;
        const char *text = piece_at(in, i, &n);

        spans.count = 0;
        ok = wb_regex_cut(s->regex, text, n, &spans, err);
        for (size_t j = 0; ok && j < spans.count; j++)
            if (spans.at[j].match)
                wb_str_add(&out->text, s->with);
            else
                wb_str_add_n(&out->text, text + spans.at[j].from,
                             spans.at[j].to - spans.at[j].from);
        ok = ok && close_piece(out, from, err);
    }
    wb_spans_free(&spans);
    return ok;
}

/* Up to `start` times the text at the beginning of each piece, `stop` times at its end. */
static bool strip(const struct wb_text_step *s, const struct wb_pieces *in, struct wb_pieces *out,
                  struct wb_err *err)
{
    size_t len = strlen(s->text);
    bool ok = true;

    for (size_t i = 0; ok && i < in->at.count; i++) {
        size_t n;
        const char *text = piece_at(in, i, &n);

        for (size_t k = 0; k < s->start && n >= len && memcmp(text, s->text, len) == 0; k++) {
            text += len;
            n -= len;
        }
        for (size_t k = 0; k < s->stop && n >= len && memcmp(text + n - len, s->text, len) == 0;
             k++)
            n -= len;
        ok = wb_pieces_add(out, text, n, err);
    }
    return ok;
}

static bool metaspace(const struct wb_text_step *s, const struct wb_pieces *in,
                      struct wb_pieces *out, struct wb_err *err)
{
    size_t len = strlen(s->text);
    bool ok = true;

    for (size_t i = 0; ok && i < in->at.count; i++) {
        size_t n, from = out->text.len;
        const char *text = piece_at(in, i, &n);

        for (size_t at = 0; at < n;) {
            if (n - at >= len && memcmp(text + at, s->text, len) == 0) {
                wb_str_add(&out->text, i == 0 && s->prefix ? "" : " ");
                at += len;
            } else {
                wb_str_add_n(&out->text, text + at++, 1);
            }
        }
        ok = close_piece(out, from, err);
    }
    return ok;
}

/* English punctuation without the blank before it. */
static void clean_up(struct wb_str *text)
{
    static const char *const blank[][2] = {
        { " .", "." },   { " ?", "?" },     { " !", "!" },    { " ,", "," },
        { " ' ", "'" },  { " n't", "n't" }, { " 'm", "'m" },  { " do not", " don't" },
        { " 's", "'s" }, { " 've", "'ve" }, { " 're", "'re" }
    };

    for (size_t k = 0; k < sizeof blank / sizeof *blank; k++) {
        size_t len = strlen(blank[k][0]), less = strlen(blank[k][1]), n = 0;

        for (size_t i = 0; i < text->len;) {
            if (text->len - i >= len && memcmp(text->text + i, blank[k][0], len) == 0) {
                memcpy(text->text + n, blank[k][1], less); /* never longer than what it replaces */
                n += less;
                i += len;
            } else {
                text->text[n++] = text->text[i++];
            }
        }
        text->len = n;
    }
}

static bool wordpiece(const struct wb_text_step *s, const struct wb_pieces *in,
                      struct wb_pieces *out, struct wb_err *err)
{
    size_t len = strlen(s->text);
    struct wb_str one = { 0 };
    bool ok = true;

    for (size_t i = 0; ok && i < in->at.count; i++) {
        size_t n;
        const char *text = piece_at(in, i, &n);
        bool inside = i > 0 && n >= len && memcmp(text, s->text, len) == 0;

        one.len = 0;
        wb_str_add(&one, i > 0 && !inside ? " " : "");
        wb_str_add_n(&one, text + (inside ? len : 0), n - (inside ? len : 0));
        ok = wb_str_ok(&one, err);
        if (ok && s->clean)
            clean_up(&one);
        ok = ok && wb_pieces_add(out, one.text, one.len, err);
    }
    wb_str_free(&one);
    return ok;
}

/* The end of a word ("</w>") is a blank, at the end of the text nothing. */
static bool word_ends(const struct wb_text_step *s, const struct wb_pieces *in,
                      struct wb_pieces *out, struct wb_err *err)
{
    size_t len = strlen(s->text);
    bool ok = true;

    for (size_t i = 0; ok && i < in->at.count; i++) {
        size_t n, from = out->text.len;
        const char *text = piece_at(in, i, &n);

        for (size_t at = 0; at < n;)
            if (n - at >= len && memcmp(text + at, s->text, len) == 0) {
                wb_str_add(&out->text, i + 1 < in->at.count ? " " : "");
                at += len;
            } else {
                wb_str_add_n(&out->text, text + at++, 1);
            }
        ok = close_piece(out, from, err);
    }
    return ok;
}

/* --- reading them ------------------------------------------------------------------------------ */

static bool keep(struct wb_arena *arena, const char *text, const char **out, struct wb_err *err)
{
    if (text == NULL || text[0] == '\0')
        return wb_fail(err, WB_EFORMAT, "a text is missing");
    *out = wb_arena_strdup(arena, text);
    return *out != NULL || wb_fail(err, WB_ENOMEM, "no memory for a step");
}

static bool is_false(const cJSON *json, const char *key)
{
    return cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(json, key));
}

/* How often something is taken off; none when it is not said. */
static bool read_times(const cJSON *json, const char *key, size_t *out, struct wb_err *err)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(json, key);
    uint64_t times = 0;

    if (value != NULL && (!wb_json_whole(value, &times) || times > TIMES_MAX))
        return wb_fail(err, WB_EFORMAT, "\"%s\" must be a whole number up to %d", key, TIMES_MAX);
    *out = (size_t)times;
    return true;
}

static bool read_replace(const cJSON *json, struct wb_arena *arena, struct wb_text_step *out,
                         struct wb_err *err)
{
    out->decode = replace;
    out->regex = wb_pattern_read(json, err);
    out->with = wb_arena_strdup(arena, wb_json_text(json, "content", ""));
    return out->regex != NULL &&
           (out->with != NULL || wb_fail(err, WB_ENOMEM, "no memory for a step"));
}

static bool read_metaspace(const cJSON *json, struct wb_arena *arena, struct wb_text_step *out,
                           struct wb_err *err)
{
    const char *scheme = wb_json_text(json, "prepend_scheme",
                                      is_false(json, "add_prefix_space") ? "never" : "always");

    out->decode = metaspace;
    out->prefix = strcmp(scheme, "never") != 0;
    return keep(arena, wb_json_text(json, "replacement", METASPACE), &out->text, err);
}

static bool read_one(const cJSON *json, const char *type, struct wb_arena *arena,
                     struct wb_text_step *out, struct wb_err *err)
{
    if (strcmp(type, "ByteLevel") == 0) {
        out->decode = byte_level;
    } else if (strcmp(type, "ByteFallback") == 0) {
        out->decode = byte_fallback;
    } else if (strcmp(type, "Fuse") == 0) {
        out->decode = fuse;
    } else if (strcmp(type, "Replace") == 0) {
        return read_replace(json, arena, out, err);
    } else if (strcmp(type, "Metaspace") == 0) {
        return read_metaspace(json, arena, out, err);
    } else if (strcmp(type, "Strip") == 0) {
        out->decode = strip;
        return read_times(json, "start", &out->start, err) &&
               read_times(json, "stop", &out->stop, err) &&
               keep(arena, wb_json_text(json, "content", NULL), &out->text, err);
    } else if (strcmp(type, "WordPiece") == 0) {
        out->decode = wordpiece;
        out->clean = !is_false(json, "cleanup");
        return keep(arena, wb_json_text(json, "prefix", "##"), &out->text, err);
    } else if (strcmp(type, "BPEDecoder") == 0) {
        out->decode = word_ends;
        return keep(arena, wb_json_text(json, "suffix", "</w>"), &out->text, err);
    } else {
        return wb_fail(err, WB_EFORMAT, "is not one of those that weightbench knows");
    }
    return true;
}

bool wb_decoder_read(const cJSON *json, struct wb_arena *arena, struct wb_text_steps *out,
                     struct wb_err *err)
{
    return wb_steps_read(json, "decoders", "decoder", read_one, arena, out, err);
}
