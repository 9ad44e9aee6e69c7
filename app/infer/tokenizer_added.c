/* app/infer/tokenizer_added.c - added tokens are found in a text before anything else looks at it,
 * the longest of those that begin first. */
#include <stdlib.h>
#include <string.h>

#include "app/infer/tokenizer_impl.h"

/* Lengths by first byte stay sorted, the longest first, and end with 0. */
static bool add_length(struct wb_added_set *set, unsigned char first, uint32_t len,
                       struct wb_err *err)
{
    uint32_t *lens = set->lens[first];
    size_t count = 0, at = 0;

    while (lens != NULL && lens[count] > 0)
        count++;
    while (at < count && lens[at] > len)
        at++;
    if (at < count && lens[at] == len)
        return true;
    lens = realloc(lens, (count + 2) * sizeof *lens);
    if (lens == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for added tokens");
    memmove(lens + at + 1, lens + at, (count - at) * sizeof *lens);
    lens[at] = len;
    lens[count + 1] = 0;
    set->lens[first] = lens;
    return true;
}

bool wb_added_build(const struct wb_tokenizer *t, bool normalized, struct wb_added_set *set,
                    struct wb_err *err)
{
    if (!wb_words_reserve(&set->map, t->added_count, err))
        return false;
    for (size_t i = 0; i < t->added_count; i++) {
        const struct wb_added_token *a = &t->added[i];

        if (a->normalized != normalized)
            continue;
        wb_words_put(&set->map, a->text, a->len, (int32_t)i);
        if (!add_length(set, (unsigned char)a->text[0], (uint32_t)a->len, err))
            return false;
    }
    return true;
}

/* The length of the longest token at a place, 0 without one; *index: which. */
static size_t longest_at(const struct wb_added_set *set, const char *text, size_t n, int32_t *index)
{
    const uint32_t *len = set->lens[(unsigned char)text[0]];

    for (; len != NULL && *len > 0; len++) {
        *index = *len <= n ? wb_words_find(&set->map, text, *len) : WB_TOKEN_NONE;
        if (*index != WB_TOKEN_NONE)
            return *len;
    }
    return 0;
}

static size_t char_before(const char *text, size_t at)
{
    do
        at--;
    while (at > 0 && ((unsigned char)text[at] & 0xC0) == 0x80);
    return at;
}

/* Does a word go on to the left of `from` or to the right of `to`? */
static bool within_word(const char *text, size_t n, size_t from, size_t to)
{
    size_t at = from > 0 ? char_before(text, from) : 0;

    if (from > 0 && wb_char_is_word(wb_utf8_next(text, n, &at)))
        return true;
    at = to;
    return to < n && wb_char_is_word(wb_utf8_next(text, n, &at));
}

/* Take the white space that a token swallows. */
static void swallow(const struct wb_added_token *a, const char *text, size_t n, size_t least,
                    size_t *from, size_t *to)
{
    while (a->lstrip && *from > least) {
        size_t was = char_before(text, *from), at = was;

        if (was < least || !wb_char_is_space(wb_utf8_next(text, n, &at)))
            break;
        *from = was;
    }
    while (a->rstrip && *to < n) {
        size_t at = *to;

        if (!wb_char_is_space(wb_utf8_next(text, n, &at)))
            break;
        *to = at;
    }
}

bool wb_added_cut(const struct wb_tokenizer *t, const struct wb_added_set *set, const char *text,
                  size_t n, struct wb_spans *out, struct wb_tokens *token, struct wb_err *err)
{
    size_t done = 0;
    bool ok = true;

    for (size_t at = 0; ok && set->map.count > 0 && at < n;) {
        int32_t index;
        size_t len = longest_at(set, text + at, n - at, &index), from = at, to = at + len;

        if (len == 0 || (t->added[index].single_word && within_word(text, n, from, to))) {
            at += len > 0 ? len : 1;
            continue;
        }
        swallow(&t->added[index], text, n, done, &from, &to);
        ok = (from == done || (wb_spans_add(out, done, from, false, err) &&
                               wb_tokens_add(token, WB_TOKEN_NONE, err))) &&
             wb_spans_add(out, from, to, true, err) && wb_tokens_add(token, index, err);
        at = done = to;
    }
    return ok && (done == n || (wb_spans_add(out, done, n, false, err) &&
                                wb_tokens_add(token, WB_TOKEN_NONE, err)));
}

void wb_added_free(struct wb_added_set *set)
{
    wb_words_free(&set->map);
    for (int b = 0; b < 256; b++)
        free(set->lens[b]);
    memset(set, 0, sizeof *set);
}
