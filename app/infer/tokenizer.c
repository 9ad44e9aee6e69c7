/* app/infer/tokenizer.c - text to tokens and back: the whole way. */
#include "app/infer/tokenizer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "app/infer/tokenizer_impl.h"

#define FILE_BYTES_MAX ((size_t)256 << 20)
#define CONTEXT_TOKENS 8 /* of those before, when more is decoded */
#define CHAR_BYTES_MAX 4
#define PENDING_MAX 64 /* tokens that may wait for the end of a character */

/* --- open -------------------------------------------------------------------------------------- */

static bool read_all(struct wb_tokenizer *t, const cJSON *json, struct wb_err *err)
{
    const cJSON *decoder = cJSON_GetObjectItemCaseSensitive(json, "decoder");

    t->has_decoder = cJSON_IsObject(decoder);
    return wb_tokenizer_read_model(t, cJSON_GetObjectItemCaseSensitive(json, "model"), err) &&
           wb_normalizer_read(cJSON_GetObjectItemCaseSensitive(json, "normalizer"), &t->arena,
                              &t->normalizer, err) &&
           wb_cutter_read(cJSON_GetObjectItemCaseSensitive(json, "pre_tokenizer"), &t->arena,
                          &t->cutter, err) &&
           wb_decoder_read(decoder, &t->arena, &t->decoder, err) &&
           wb_tokenizer_read_post(t, cJSON_GetObjectItemCaseSensitive(json, "post_processor"),
                                  err) &&
           wb_tokenizer_read_added(t, cJSON_GetObjectItemCaseSensitive(json, "added_tokens"),
                                   err) &&
           wb_added_build(t, false, &t->raw, err) && wb_added_build(t, true, &t->normalized, err);
}

/* The post-processor may name ids; they must be some. */
static bool check_post(const struct wb_tokenizer *t, const struct wb_tokens *tokens,
                       struct wb_err *err)
{
    for (size_t i = 0; i < tokens->count; i++)
        if (wb_tokenizer_piece(t, tokens->id[i]) == NULL)
            return wb_fail(err, WB_EFORMAT, "post_processor: id %" PRId32 " is no token",
                           tokens->id[i]);
    return true;
}

static struct wb_tokenizer *open_file(const char *path, struct wb_err *err)
{
    struct wb_tokenizer *t = calloc(1, sizeof *t);
    cJSON *json = t == NULL ? NULL : wb_json_parse_file(path, FILE_BYTES_MAX, err);
    bool ok = json != NULL;

    if (t == NULL)
        wb_fail(err, WB_ENOMEM, "no memory for a tokenizer");
    if (ok) {
        t->unk = WB_TOKEN_NONE;
        ok = (read_all(t, json, err) && check_post(t, &t->before, err) &&
              check_post(t, &t->after, err)) ||
             wb_wrap(err, "%s", path);
    }
    cJSON_Delete(json);
    if (ok)
        return t;
    wb_tokenizer_free(t);
    return NULL;
}

struct wb_tokenizer *wb_tokenizer_open(const char *dir, struct wb_err *err)
{
    char *path = dir == NULL ? NULL : wb_path_join(dir, "tokenizer.json");
    struct wb_tokenizer *t = NULL;

    if (path == NULL || !wb_is_file(path))
        wb_fail(err, WB_ENOTFOUND, "%s%sthere is no tokenizer.json", dir == NULL ? "" : dir,
                dir == NULL ? "" : ": ");
    else
        t = open_file(path, err);
    free(path);
    if (t != NULL && !wb_tokenizer_read_side(t, dir, err)) {
        wb_tokenizer_free(t);
        t = NULL;
    }
    return t;
}

void wb_tokenizer_free(struct wb_tokenizer *t)
{
    if (t == NULL)
        return;
    wb_steps_free(&t->normalizer);
    wb_steps_free(&t->cutter);
    wb_steps_free(&t->decoder);
    wb_added_free(&t->raw);
    wb_added_free(&t->normalized);
    wb_words_free(&t->vocab);
    wb_merges_free(&t->merges);
    wb_tokens_free(&t->before);
    wb_tokens_free(&t->after);
    free(t->piece);
    free(t->flag);
    wb_arena_free(&t->arena);
    free(t);
}

/* --- what it knows ----------------------------------------------------------------------------- */

size_t wb_tokenizer_size(const struct wb_tokenizer *t)
{
    return t->size;
}

int32_t wb_tokenizer_bos(const struct wb_tokenizer *t)
{
    return t->bos;
}

static bool has_flag(const struct wb_tokenizer *t, int32_t id, unsigned char flag)
{
    return id >= 0 && (size_t)id < t->size && (t->flag[id] & flag) != 0;
}

bool wb_tokenizer_is_end(const struct wb_tokenizer *t, int32_t id)
{
    return has_flag(t, id, WB_TOKEN_END);
}

bool wb_tokenizer_is_special(const struct wb_tokenizer *t, int32_t id)
{
    return has_flag(t, id, WB_TOKEN_SPECIAL);
}

const char *wb_tokenizer_piece(const struct wb_tokenizer *t, int32_t id)
{
    return id >= 0 && (size_t)id < t->size ? t->piece[id] : NULL;
}

int32_t wb_tokenizer_find(const struct wb_tokenizer *t, const char *piece)
{
    int32_t id = wb_words_find(&t->vocab, piece, strlen(piece));

    for (size_t i = 0; id == WB_TOKEN_NONE && i < t->added_count; i++)
        if (strcmp(t->piece[t->added[i].id], piece) == 0)
            id = t->added[i].id;
    return id;
}

void wb_tokens_free(struct wb_tokens *tokens)
{
    free(tokens->id);
    *tokens = (struct wb_tokens){ 0 };
}

bool wb_tokens_add(struct wb_tokens *tokens, int32_t id, struct wb_err *err)
{
    if (tokens->count == tokens->room) {
        size_t room = tokens->room == 0 ? 64 : 2 * tokens->room;
        int32_t *more = realloc(tokens->id, room * sizeof *more);

        if (more == NULL)
            return wb_fail(err, WB_ENOMEM, "no memory for %zu tokens", room);
        tokens->id = more;
        tokens->room = room;
    }
    tokens->id[tokens->count++] = id;
    return true;
}

/* --- encode ------------------------------------------------------------------------------------ */

struct encoding {
    const struct wb_tokenizer *t;
    struct wb_tokens *out;
    struct wb_str normal;
    struct wb_spans raw, added; /* cuts before and behind the normalizer */
    struct wb_tokens raw_token, added_token;
    struct wb_pieces piece, next;
    struct wb_encode_work work;
};

static void encoding_free(struct encoding *e)
{
    wb_str_free(&e->normal);
    wb_spans_free(&e->raw);
    wb_spans_free(&e->added);
    wb_tokens_free(&e->raw_token);
    wb_tokens_free(&e->added_token);
    wb_pieces_free(&e->piece);
    wb_pieces_free(&e->next);
    wb_encode_work_free(&e->work);
}

/* Text without added tokens: cut, then every piece through the model. */
static bool encode_plain(struct encoding *e, const char *text, size_t n, bool first,
                         struct wb_err *err)
{
    const struct wb_text_steps *cutter = &e->t->cutter;
    bool ok;

    wb_pieces_clear(&e->piece);
    ok = wb_pieces_add(&e->piece, text, n, err);
    for (size_t s = 0; ok && s < cutter->count; s++) {
        struct wb_pieces done;

        wb_pieces_clear(&e->next);
        e->next.behind = e->piece.behind;
        for (size_t i = 0; ok && i < e->piece.at.count; i++) {
            const struct wb_span *at = &e->piece.at.at[i];

            ok = cutter->step[s].cut(&cutter->step[s], e->piece.text.text + at->from,
                                     at->to - at->from, first && i == 0 && !e->piece.behind,
                                     &e->next, err);
        }
        done = e->piece;
        e->piece = e->next;
        e->next = done;
    }
    for (size_t i = 0; ok && i < e->piece.at.count; i++) {
        const struct wb_span *at = &e->piece.at.at[i];

        ok = e->t->model(e->t, e->piece.text.text + at->from, at->to - at->from, &e->work, e->out,
                         err);
    }
    return ok;
}

/* Text between the added tokens that are found before the normalizer. */
static bool encode_normal(struct encoding *e, const char *text, size_t n, bool first,
                          struct wb_err *err)
{
    bool ok = wb_normalize(&e->t->normalizer, text, n, &e->normal, err);

    e->added.count = 0;
    e->added_token.count = 0;
    ok = ok && wb_added_cut(e->t, &e->t->normalized, e->normal.text, e->normal.len, &e->added,
                            &e->added_token, err);
    for (size_t i = 0; ok && i < e->added.count; i++) {
        const struct wb_span *at = &e->added.at[i];

        ok = at->match ? wb_tokens_add(e->out, e->t->added[e->added_token.id[i]].id, err)
                       : encode_plain(e, e->normal.text + at->from, at->to - at->from,
                                      first && i == 0, err);
    }
    return ok;
}

static bool add_all(struct wb_tokens *out, const struct wb_tokens *from, struct wb_err *err)
{
    for (size_t i = 0; i < from->count; i++)
        if (!wb_tokens_add(out, from->id[i], err))
            return false;
    return true;
}

bool wb_tokenizer_encode(const struct wb_tokenizer *t, const char *text, size_t bytes, bool special,
                         struct wb_tokens *out, struct wb_err *err)
{
    struct encoding e = { .t = t, .out = out };
    size_t good = wb_utf8_check(text, bytes), before = out->count;
    bool ok;

    if (good < bytes)
        return wb_fail(err, WB_EFORMAT, "text that is not UTF-8: byte %zu is 0x%02x", good,
                       (unsigned)(unsigned char)text[good]);
    ok = (!special || add_all(out, &t->before, err)) &&
         wb_added_cut(t, &t->raw, text, bytes, &e.raw, &e.raw_token, err);
    for (size_t i = 0; ok && i < e.raw.count; i++) {
        const struct wb_span *at = &e.raw.at[i];

        ok = at->match ? wb_tokens_add(out, t->added[e.raw_token.id[i]].id, err)
                       : encode_normal(&e, text + at->from, at->to - at->from, i == 0, err);
    }
    ok = ok && (!special || add_all(out, &t->after, err));
    encoding_free(&e);
    if (!ok)
        out->count = before;
    return ok;
}

/* --- decode ------------------------------------------------------------------------------------ */

static bool collect(const struct wb_tokenizer *t, const int32_t *id, size_t count,
                    bool skip_special, struct wb_pieces *out, struct wb_err *err)
{
    for (size_t i = 0; i < count; i++) {
        const char *piece = wb_tokenizer_piece(t, id[i]);

        if (id[i] < 0 || (size_t)id[i] >= t->size)
            return wb_fail(err, WB_EARG, "token %" PRId32 "; ids go from 0 to %zu", id[i],
                           t->size - 1);
        if (piece == NULL || (skip_special && wb_tokenizer_is_special(t, id[i])))
            continue;
        if (!t->has_decoder && out->at.count > 0 && !wb_pieces_add(out, " ", 1, err))
            return false;
        if (!wb_pieces_add(out, piece, strlen(piece), err))
            return false;
    }
    return true;
}

char *wb_tokenizer_decode(const struct wb_tokenizer *t, const int32_t *id, size_t count,
                          bool skip_special, size_t *bytes, struct wb_err *err)
{
    struct wb_pieces piece = { 0 }, next = { 0 };
    struct wb_str text = { 0 };
    bool ok = collect(t, id, count, skip_special, &piece, err);

    for (size_t s = 0; ok && s < t->decoder.count; s++) {
        struct wb_pieces done;

        wb_pieces_clear(&next);
        ok = t->decoder.step[s].decode(&t->decoder.step[s], &piece, &next, err);
        done = piece;
        piece = next;
        next = done;
    }
    wb_str_add(&text, "");
    for (size_t i = 0; ok && i < piece.at.count; i++)
        if (piece.at.at[i].to > piece.at.at[i].from)
            wb_str_add_n(&text, piece.text.text + piece.at.at[i].from,
                         piece.at.at[i].to - piece.at.at[i].from);
    ok = ok && wb_str_ok(&text, err);
    wb_pieces_free(&piece);
    wb_pieces_free(&next);
    if (!ok) {
        wb_str_free(&text);
        return NULL;
    }
    if (bytes != NULL)
        *bytes = text.len;
    return text.text;
}

/* Bytes decode only together with those beside them. */
static bool is_byte(const struct wb_tokenizer *t, int32_t id)
{
    const char *piece = t->byte_fallback ? wb_tokenizer_piece(t, id) : NULL;

    return piece != NULL && strncmp(piece, "<0x", 3) == 0;
}

static bool ends_unfinished(const char *text, size_t bytes)
{
    return bytes >= 3 && memcmp(text + bytes - 3, "\xEF\xBF\xBD", 3) == 0;
}

/* Where the tokens begin that what follows `from` may depend on: some that are written, all bytes
 * of a run. */
static size_t context_of(const struct wb_tokenizer *t, const int32_t *id, size_t from,
                         bool skip_special)
{
    size_t base = from, written = 0;

    while (base > 0 && (written < CONTEXT_TOKENS || (base < from && is_byte(t, id[base])))) {
        base--;
        written += wb_tokenizer_piece(t, id[base]) != NULL &&
                   !(skip_special && wb_tokenizer_is_special(t, id[base]));
    }
    return base;
}

/* What tokens from .. to - 1 add; *all: its bytes. Owned; NULL on failure. */
static char *added_text(const struct wb_tokenizer *t, const int32_t *id, size_t from, size_t to,
                        bool skip_special, size_t *all, struct wb_err *err)
{
    size_t base = context_of(t, id, from, skip_special), known = 0;
    char *before = wb_tokenizer_decode(t, id + base, from - base, skip_special, &known, err);
    char *whole = before == NULL
                      ? NULL
                      : wb_tokenizer_decode(t, id + base, to - base, skip_special, all, err);

    if (whole != NULL && (known > *all || memcmp(before, whole, known) != 0)) {
        free(whole); /* bytes that undo those before them: what is new stands alone */
        whole = wb_tokenizer_decode(t, id + from, to - from, skip_special, all, err);
        known = 0;
    }
    free(before);
    if (whole != NULL) {
        *all -= known;
        memmove(whole, whole + known, *all + 1);
    }
    return whole;
}

/* How many of the tokens from .. count - 1, whose text ends with U+FFFD, can be written already:
 * those whose own text stays as it is with more behind it. A character's length of tokens may
 * belong to one that is not complete. */
static size_t settled(const struct wb_tokenizer *t, const int32_t *id, size_t from, size_t count,
                      bool skip_special, const char *text, size_t bytes, struct wb_err *err)
{
    size_t n;

    if (count - from > PENDING_MAX)
        return count;
    for (size_t last = count - 1; last > from; last--) {
        char *part = added_text(t, id, from, last, skip_special, &n, err);
        bool whole = part != NULL && n < bytes && memcmp(part, text, n) == 0 &&
                     (!ends_unfinished(part, n) || count - from >= CHAR_BYTES_MAX);

        free(part);
        if (whole)
            return last;
    }
    return from;
}

char *wb_tokenizer_decode_more(const struct wb_tokenizer *t, const int32_t *id, size_t count,
                               size_t *from, bool skip_special, struct wb_err *err)
{
    size_t bytes = 0, last = count;
    char *text = added_text(t, id, *from, count, skip_special, &bytes, err);

    if (text != NULL && ends_unfinished(text, bytes)) {
        last = settled(t, id, *from, count, skip_special, text, bytes, err);
        if (last < count) {
            free(text);
            text = added_text(t, id, *from, last, skip_special, &bytes, err);
        }
    }
    if (text != NULL)
        *from = last;
    return text;
}
