/* app/infer/tokenizer_words.c - models that look words up: WordPiece and WordLevel. */
#include <string.h>

#include "app/infer/tokenizer_impl.h"

static size_t chars_of(const char *text, size_t n)
{
    size_t chars = 0;

    for (size_t at = 0; at < n; chars++)
        wb_utf8_next(text, n, &at);
    return chars;
}

/* The longest token that piece[from..n) begins with; *to: behind it. */
static int32_t longest(const struct wb_tokenizer *t, const char *piece, size_t from, size_t n,
                       struct wb_encode_work *w, size_t *to)
{
    for (*to = n; *to > from; (*to)--) {
        int32_t id;

        if (*to < n && ((unsigned char)piece[*to] & 0xC0) == 0x80) /* within a character */
            continue;
        w->piece.len = 0;
        wb_str_add(&w->piece, from > 0 ? t->prefix : "");
        wb_str_add_n(&w->piece, piece + from, *to - from);
        id = wb_words_find(&t->vocab, w->piece.text, w->piece.len);
        if (id != WB_TOKEN_NONE)
            return id;
    }
    return WB_TOKEN_NONE;
}

static bool unknown(const struct wb_tokenizer *t, struct wb_tokens *out, struct wb_err *err)
{
    if (t->unk == WB_TOKEN_NONE)
        return wb_fail(err, WB_EFORMAT,
                       "a word is not in the vocabulary, and no token stands for "
                       "the unknown");
    return wb_tokens_add(out, t->unk, err);
}

bool wb_wordpiece_encode(const struct wb_tokenizer *t, const char *piece, size_t n,
                         struct wb_encode_work *work, struct wb_tokens *out, struct wb_err *err)
{
    size_t before = out->count;

    if (chars_of(piece, n) > t->word_chars_max)
        return unknown(t, out, err);
    for (size_t at = 0, to; at < n; at = to) {
        int32_t id = longest(t, piece, at, n, work, &to);

        if (!wb_str_ok(&work->piece, err))
            return false;
        if (id == WB_TOKEN_NONE) { /* the whole word then */
            out->count = before;
            return unknown(t, out, err);
        }
        if (!wb_tokens_add(out, id, err))
            return false;
    }
    return true;
}

bool wb_wordlevel_encode(const struct wb_tokenizer *t, const char *piece, size_t n,
                         struct wb_encode_work *work, struct wb_tokens *out, struct wb_err *err)
{
    int32_t id = wb_words_find(&t->vocab, piece, n);

    (void)work;
    return id != WB_TOKEN_NONE ? wb_tokens_add(out, id, err) : unknown(t, out, err);
}
