/* app/infer/tokenizer_bpe.c - byte-pair encoding of one piece.
 *
 * Characters are symbols in a list; pairs that merge wait in a heap by rank, the leftmost first.
 * One that its symbols have left meanwhile is dropped when its turn comes, so that a piece of n
 * characters takes n log n steps. */
#include <stdlib.h>
#include <string.h>

#include "app/infer/tokenizer_impl.h"

#define NONE UINT32_MAX

struct wb_symbol {
    int32_t id;           /* WB_TOKEN_NONE: merged into the one before */
    uint32_t left, right; /* neighbours, NONE at the ends */
};

struct wb_candidate {
    uint32_t rank, at; /* at: the left symbol */
    int32_t id;        /* what the pair becomes */
};

void wb_encode_work_free(struct wb_encode_work *w)
{
    free(w->symbol);
    free(w->heap);
    wb_str_free(&w->piece);
    *w = (struct wb_encode_work){ 0 };
}

/* --- the heap ---------------------------------------------------------------------------------- */

static bool before(struct wb_candidate a, struct wb_candidate b)
{
    return a.rank < b.rank || (a.rank == b.rank && a.at < b.at);
}

static void push(struct wb_candidate *heap, size_t *n, struct wb_candidate c)
{
    size_t i = (*n)++;

    for (; i > 0 && before(c, heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = c;
}

static struct wb_candidate pop(struct wb_candidate *heap, size_t *n)
{
    struct wb_candidate top = heap[0], last = heap[--*n];
    size_t i = 0;

    for (size_t child = 1; child < *n; child = 2 * i + 1) {
        if (child + 1 < *n && before(heap[child + 1], heap[child]))
            child++;
        if (!before(heap[child], last))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return top;
}

/* --- symbols ----------------------------------------------------------------------------------- */

/* Room for the symbols of n bytes (a symbol takes at least one of them, or stands for one). Every
 * merge adds at most two candidates to those of the start. */
static bool reserve(struct wb_encode_work *w, size_t n, struct wb_err *err)
{
    if (n >= NONE / 4)
        return wb_fail(err, WB_EARG, "a piece of %zu bytes is too long", n);
    if (w->symbols < n + 1) {
        size_t room = 2 * n + 64;

        free(w->symbol);
        free(w->heap);
        w->symbol = malloc(room * sizeof *w->symbol);
        w->heap = malloc(3 * room * sizeof *w->heap);
        w->symbols = room;
        if (w->symbol == NULL || w->heap == NULL) {
            w->symbols = 0;
            return wb_fail(err, WB_ENOMEM, "no memory for a piece of %zu bytes", n);
        }
    }
    return true;
}

static void add(struct wb_encode_work *w, size_t *n, int32_t id)
{
    w->symbol[*n] =
        (struct wb_symbol){ .id = id, .left = *n > 0 ? (uint32_t)*n - 1 : NONE, .right = NONE };
    if (*n > 0)
        w->symbol[*n - 1].right = (uint32_t)*n;
    (*n)++;
}

/* The bytes of a character as <0xHH> tokens; false when one of them has none. */
static bool add_bytes(const struct wb_tokenizer *t, struct wb_encode_work *w, size_t *symbols,
                      const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (t->byte_token[(unsigned char)text[i]] == WB_TOKEN_NONE)
            return false;
    for (size_t i = 0; i < n; i++)
        add(w, symbols, t->byte_token[(unsigned char)text[i]]);
    return true;
}

/* A character as the vocabulary has it: with the prefix inside of a word, the suffix at its end. */
static const char *dressed(const struct wb_tokenizer *t, struct wb_encode_work *w, const char *text,
                           size_t *n, bool first, bool last)
{
    if ((first || t->prefix[0] == '\0') && (!last || t->suffix[0] == '\0'))
        return text;
    w->piece.len = 0;
    wb_str_add(&w->piece, first ? "" : t->prefix);
    wb_str_add_n(&w->piece, text, *n);
    wb_str_add(&w->piece, last ? t->suffix : "");
    *n = w->piece.len;
    return w->piece.text;
}

/* Characters of no token wait as one `unk`, or one each, until the next known one. */
static size_t first_symbols(const struct wb_tokenizer *t, const char *piece, size_t n,
                            struct wb_encode_work *w)
{
    size_t symbols = 0;
    bool unknown = false;

    for (size_t at = 0, was = 0; at < n; was = at) {
        const char *text;
        size_t len;
        int32_t id;

        wb_utf8_next(piece, n, &at);
        len = at - was;
        text = dressed(t, w, piece + was, &len, was == 0, at == n);
        id = wb_words_find(&t->vocab, text, len);
        if (id != WB_TOKEN_NONE) {
            if (unknown)
                add(w, &symbols, t->unk);
            unknown = false;
            add(w, &symbols, id);
        } else if ((!t->byte_fallback || !add_bytes(t, w, &symbols, text, len)) &&
                   t->unk != WB_TOKEN_NONE) {
            if (unknown && !t->fuse_unk)
                add(w, &symbols, t->unk);
            unknown = true;
        }
    }
    if (unknown)
        add(w, &symbols, t->unk);
    return symbols;
}

/* --- merging ----------------------------------------------------------------------------------- */

static void offer(const struct wb_tokenizer *t, struct wb_encode_work *w, size_t *heap, uint32_t at)
{
    const struct wb_symbol *left = &w->symbol[at];
    const struct wb_merge *m =
        left->right == NONE ? NULL
                            : wb_merges_find(&t->merges, left->id, w->symbol[left->right].id);

    if (m != NULL)
        push(w->heap, heap, (struct wb_candidate){ m->rank, at, m->id });
}

static void merge_all(const struct wb_tokenizer *t, struct wb_encode_work *w, size_t symbols)
{
    struct wb_symbol *s = w->symbol;
    size_t heap = 0;

    for (size_t i = 0; i + 1 < symbols; i++)
        offer(t, w, &heap, (uint32_t)i);
    while (heap > 0) {
        struct wb_candidate c = pop(w->heap, &heap);
        uint32_t right = s[c.at].right;
        const struct wb_merge *m;

        if (s[c.at].id == WB_TOKEN_NONE || right == NONE)
            continue;
        m = wb_merges_find(&t->merges, s[c.at].id, s[right].id);
        if (m == NULL || m->id != c.id)
            continue;
        s[c.at].id = c.id;
        s[c.at].right = s[right].right;
        s[right].id = WB_TOKEN_NONE;
        if (s[c.at].right != NONE)
            s[s[c.at].right].left = c.at;
        if (s[c.at].left != NONE)
            offer(t, w, &heap, s[c.at].left);
        offer(t, w, &heap, c.at);
    }
}

bool wb_bpe_encode(const struct wb_tokenizer *t, const char *piece, size_t n,
                   struct wb_encode_work *work, struct wb_tokens *out, struct wb_err *err)
{
    int32_t whole = t->ignore_merges ? wb_words_find(&t->vocab, piece, n) : WB_TOKEN_NONE;
    size_t symbols, longest = n + strlen(t->suffix) + n * strlen(t->prefix);

    if (whole != WB_TOKEN_NONE)
        return wb_tokens_add(out, whole, err);
    if (!reserve(work, longest, err))
        return false;
    symbols = first_symbols(t, piece, n, work);
    if (!wb_str_ok(&work->piece, err))
        return false;
    merge_all(t, work, symbols);
    for (size_t i = 0; i < symbols; i++)
        if (work->symbol[i].id != WB_TOKEN_NONE && !wb_tokens_add(out, work->symbol[i].id, err))
            return false;
    return true;
}
