/* app/infer/tokenizer_model.c - reading a tokenizer.json: vocabulary, merges, added tokens, and what
 * is put around a text. Every id, merge and piece is checked here. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/infer/tokenizer_impl.h"

#define MERGES_MAX ((size_t)1 << 23)
#define ADDED_MAX ((size_t)1 << 20)
#define WORD_CHARS_MAX 100

static bool read_id(const cJSON *value, int32_t *id, struct wb_err *err)
{
    uint64_t whole;

    if (!wb_json_whole(value, &whole) || whole >= WB_TOKENIZER_IDS_MAX)
        return wb_fail(err, WB_EFORMAT, "an id must be a whole number below %zu",
                       WB_TOKENIZER_IDS_MAX);
    *id = (int32_t)whole;
    return true;
}

/* --- pieces by id ------------------------------------------------------------------------------ */

static bool grow(struct wb_tokenizer *t, size_t size, struct wb_err *err)
{
    const char **piece;
    unsigned char *mark;

    if (size <= t->size)
        return true;
    piece = realloc(t->piece, size * sizeof *piece);
    if (piece != NULL)
        t->piece = piece;
    mark = realloc(t->flag, size);
    if (mark != NULL)
        t->flag = mark;
    if (piece == NULL || mark == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu tokens", size);
    memset(piece + t->size, 0, (size - t->size) * sizeof *piece);
    memset(mark + t->size, 0, size - t->size);
    t->size = size;
    return true;
}

bool wb_tokenizer_name(struct wb_tokenizer *t, int32_t id, const char *piece, struct wb_err *err)
{
    if (!grow(t, (size_t)id + 1, err))
        return false;
    if (t->piece[id] != NULL && strcmp(t->piece[id], piece) != 0)
        return wb_fail(err, WB_EFORMAT, "id %" PRId32 " is given to \"%.40s\" and to \"%.40s\"", id,
                       t->piece[id], piece);
    t->piece[id] = piece;
    return true;
}

static bool read_vocabulary(struct wb_tokenizer *t, const cJSON *vocab, struct wb_err *err)
{
    const cJSON *entry;
    size_t count = 0;
    int32_t highest = -1;

    if (!cJSON_IsObject(vocab))
        return wb_fail(err, WB_EFORMAT, "\"vocab\" must be an object from pieces to ids");
    cJSON_ArrayForEach(entry, vocab) {
        int32_t id;

        if (!read_id(entry, &id, err))
            return wb_wrap(err, "token \"%.40s\"", entry->string);
        highest = id > highest ? id : highest;
        count++;
    }
    if (!grow(t, (size_t)highest + 1, err) || !wb_words_reserve(&t->vocab, count, err))
        return false;
    cJSON_ArrayForEach(entry, vocab) {
        const char *piece = wb_arena_strdup(&t->arena, entry->string);
        int32_t id = (int32_t)entry->valuedouble;

        if (piece == NULL)
            return wb_fail(err, WB_ENOMEM, "no memory for %zu tokens", count);
        if (!wb_tokenizer_name(t, id, piece, err))
            return false;
        wb_words_put(&t->vocab, piece, strlen(piece), id);
    }
    return true;
}

/* --- merges ------------------------------------------------------------------------------------ */

/* The two sides of a merge: "a b" or ["a", "b"]. */
static bool sides_of(const cJSON *merge, const char *side[2], size_t len[2], struct wb_err *err)
{
    const char *space;

    if (cJSON_IsArray(merge) && cJSON_GetArraySize(merge) == 2) {
        for (int i = 0; i < 2; i++) {
            side[i] = cJSON_GetStringValue(cJSON_GetArrayItem(merge, i));
            len[i] = side[i] == NULL ? 0 : strlen(side[i]);
        }
    } else if (cJSON_IsString(merge) && (space = strchr(merge->valuestring, ' ')) != NULL &&
               strchr(space + 1, ' ') == NULL) {
        side[0] = merge->valuestring;
        len[0] = (size_t)(space - side[0]);
        side[1] = space + 1;
        len[1] = strlen(side[1]);
    } else {
        return wb_fail(err, WB_EFORMAT, "two pieces with a blank between, or a list of two");
    }
    return (len[0] > 0 && len[1] > 0) || wb_fail(err, WB_EFORMAT, "a piece is empty");
}

static bool read_merge(struct wb_tokenizer *t, const cJSON *merge, uint32_t rank,
                       struct wb_str *join, struct wb_err *err)
{
    size_t len[2], prefix = strlen(t->prefix);
    const char *side[2] = { NULL, NULL };
    int32_t id[3];

    if (!sides_of(merge, side, len, err))
        return false;
    for (int i = 0; i < 2; i++) {
        id[i] = wb_words_find(&t->vocab, side[i], len[i]);
        if (id[i] == WB_TOKEN_NONE)
            return wb_fail(err, WB_EFORMAT, "\"%.*s\" is not in the vocabulary",
                           (int)(len[i] < 40 ? len[i] : 40), side[i]);
    }
    if (prefix > 0 && len[1] >= prefix && memcmp(side[1], t->prefix, prefix) == 0) {
        side[1] += prefix;
        len[1] -= prefix;
    }
    join->len = 0;
    wb_str_add_n(join, side[0], len[0]);
    wb_str_add_n(join, side[1], len[1]);
    if (!wb_str_ok(join, err))
        return false;
    id[2] = wb_words_find(&t->vocab, join->text, join->len);
    if (id[2] == WB_TOKEN_NONE)
        return wb_fail(err, WB_EFORMAT, "what it makes, \"%.40s\", is not in the vocabulary",
                       join->text);
    wb_merges_put(&t->merges, id[0], id[1], rank, id[2]);
    return true;
}

static bool read_merges(struct wb_tokenizer *t, const cJSON *merges, struct wb_err *err)
{
    size_t count = 0;
    struct wb_str join = { 0 };
    const cJSON *merge;
    uint32_t rank = 0;
    bool ok = true;

    if (!cJSON_IsArray(merges))
        return wb_fail(err, WB_EFORMAT, "\"merges\" must be a list");
    cJSON_ArrayForEach(merge, merges)
        count++;
    if (count > MERGES_MAX)
        return wb_fail(err, WB_EFORMAT, "%zu merges; at most %zu", count, MERGES_MAX);
    if (!wb_merges_reserve(&t->merges, count, err))
        return false;
    cJSON_ArrayForEach(merge, merges) {
        ok = read_merge(t, merge, rank, &join, err) || wb_wrap(err, "merge %" PRIu32, rank);
        if (!ok)
            break;
        rank++;
    }
    wb_str_free(&join);
    return ok;
}

/* --- models ------------------------------------------------------------------------------------ */

/* A text of the model that may be missing or null; never NULL but for want of memory. */
static const char *text_of(struct wb_tokenizer *t, const cJSON *model, const char *key,
                           const char *fallback)
{
    return wb_arena_strdup(&t->arena, wb_json_text(model, key, fallback));
}

static bool read_unknown(struct wb_tokenizer *t, const cJSON *model, struct wb_err *err)
{
    const char *text = wb_json_text(model, "unk_token", NULL);

    if (text == NULL)
        return true;
    t->unk = wb_words_find(&t->vocab, text, strlen(text));
    return t->unk != WB_TOKEN_NONE ||
           wb_fail(err, WB_EFORMAT, "unk_token \"%.40s\" is not in the vocabulary", text);
}

static bool read_bpe(struct wb_tokenizer *t, const cJSON *model, struct wb_err *err)
{
    char name[8];

    t->model = wb_bpe_encode;
    t->fuse_unk = wb_json_flag(model, "fuse_unk", false);
    t->byte_fallback = wb_json_flag(model, "byte_fallback", false);
    t->ignore_merges = wb_json_flag(model, "ignore_merges", false);
    for (unsigned b = 0; b < 256; b++) {
        snprintf(name, sizeof name, "<0x%02X>", b);
        t->byte_token[b] = wb_words_find(&t->vocab, name, strlen(name));
    }
    return read_merges(t, cJSON_GetObjectItemCaseSensitive(model, "merges"), err);
}

static bool read_wordpiece(struct wb_tokenizer *t, const cJSON *model, struct wb_err *err)
{
    double most = wb_json_number(model, "max_input_chars_per_word", WORD_CHARS_MAX);

    t->model = wb_wordpiece_encode;
    if (!(most >= 0 && most <= 1e6))
        return wb_fail(err, WB_EFORMAT, "max_input_chars_per_word is %g", most);
    t->word_chars_max = (size_t)most;
    return true;
}

bool wb_tokenizer_read_model(struct wb_tokenizer *t, const cJSON *model, struct wb_err *err)
{
    const char *type =
        wb_json_text(model, "type",
                     cJSON_GetObjectItemCaseSensitive(model, "merges") != NULL ? "BPE" : "no type");
    bool wordpiece = strcmp(type, "WordPiece") == 0, bpe = strcmp(type, "BPE") == 0;

    if (!bpe && !wordpiece && strcmp(type, "WordLevel") != 0)
        return wb_fail(err, WB_EFORMAT,
                       "model \"%.40s\"; weightbench knows BPE, WordPiece and "
                       "WordLevel",
                       type);
    t->prefix = text_of(t, model, "continuing_subword_prefix", wordpiece ? "##" : "");
    t->suffix = text_of(t, model, "end_of_word_suffix", "");
    if (t->prefix == NULL || t->suffix == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a tokenizer");
    t->model = wb_wordlevel_encode;
    return (read_vocabulary(t, cJSON_GetObjectItemCaseSensitive(model, "vocab"), err) &&
            read_unknown(t, model, err) && (!bpe || read_bpe(t, model, err)) &&
            (!wordpiece || read_wordpiece(t, model, err))) ||
           wb_wrap(err, "model");
}

/* --- added tokens ------------------------------------------------------------------------------ */

static bool read_added(struct wb_tokenizer *t, const cJSON *json, struct wb_added_token *out,
                       struct wb_err *err)
{
    const char *content = wb_json_text(json, "content", NULL);
    struct wb_str normal = { 0 };
    int32_t known;
    bool ok;

    if (content == NULL || content[0] == '\0')
        return wb_fail(err, WB_EFORMAT, "no content");
    *out = (struct wb_added_token){ .text = wb_arena_strdup(&t->arena, content),
                                    .single_word = wb_json_flag(json, "single_word", false),
                                    .lstrip = wb_json_flag(json, "lstrip", false),
                                    .rstrip = wb_json_flag(json, "rstrip", false),
                                    .normalized = wb_json_flag(json, "normalized", false),
                                    .special = wb_json_flag(json, "special", false) };
    if (out->text == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for an added token");
    if (!read_id(cJSON_GetObjectItemCaseSensitive(json, "id"), &out->id, err))
        return false;
    known = wb_words_find(&t->vocab, content, strlen(content));
    if (known != WB_TOKEN_NONE)
        out->id = known; /* the vocabulary's word for it */
    if (!wb_tokenizer_name(t, out->id, out->text, err))
        return false;
    if (out->special)
        t->flag[out->id] |= WB_TOKEN_SPECIAL;
    out->len = strlen(out->text);
    if (!out->normalized)
        return true;
    ok = wb_normalize(&t->normalizer, content, strlen(content), &normal, err);
    if (ok && normal.len > 0) {
        out->text = wb_arena_strndup(&t->arena, normal.text, normal.len);
        out->len = normal.len;
    }
    wb_str_free(&normal);
    return ok && (out->text != NULL || wb_fail(err, WB_ENOMEM, "no memory for an added token"));
}

bool wb_tokenizer_read_added(struct wb_tokenizer *t, const cJSON *list, struct wb_err *err)
{
    const cJSON *json;
    int size = cJSON_GetArraySize(list);

    if (list == NULL || cJSON_IsNull(list))
        return true;
    if (!cJSON_IsArray(list) || (size_t)size > ADDED_MAX)
        return wb_fail(err, WB_EFORMAT, "\"added_tokens\" must be a list of at most %zu",
                       ADDED_MAX);
    t->added = wb_arena_calloc(&t->arena, (size_t)size + 1, sizeof *t->added);
    if (t->added == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %d added tokens", size);
    cJSON_ArrayForEach(json, list) {
        if (!read_added(t, json, &t->added[t->added_count], err))
            return wb_wrap(err, "added token %zu", t->added_count);
        t->added_count++;
    }
    return true;
}

/* --- what is put around ------------------------------------------------------------------------ */

/* The ids of "special_tokens"[name] of a template. */
static bool add_special(const cJSON *post, const char *name, struct wb_tokens *out,
                        struct wb_err *err)
{
    const cJSON *table = cJSON_GetObjectItemCaseSensitive(post, "special_tokens"), *value;
    const cJSON *ids =
        cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(table, name), "ids");
    int32_t id;

    if (!cJSON_IsArray(ids))
        return wb_fail(err, WB_EFORMAT, "special token \"%.40s\" has no ids", name);
    cJSON_ArrayForEach(value, ids)
        if (!read_id(value, &id, err) || !wb_tokens_add(out, id, err))
            return false;
    return true;
}

/* "single" of a template: special tokens, the text once, special tokens. */
static bool read_single(const cJSON *post, struct wb_tokens *before, struct wb_tokens *after,
                        struct wb_err *err)
{
    struct wb_tokens *out = before;
    const cJSON *part;

    cJSON_ArrayForEach(part, cJSON_GetObjectItemCaseSensitive(post, "single")) {
        const cJSON *special = cJSON_GetObjectItemCaseSensitive(part, "SpecialToken");

        if (special == NULL) { /* the text */
            if (out == after)
                return wb_fail(err, WB_EFORMAT, "the text stands twice");
            out = after;
        } else if (!add_special(post, wb_json_text(special, "id", ""), out, err)) {
            return false;
        }
    }
    return out == after || wb_fail(err, WB_EFORMAT, "the text does not stand in \"single\"");
}

/* ["[SEP]", 102] */
static bool add_pair(const cJSON *post, const char *key, struct wb_tokens *out, struct wb_err *err)
{
    int32_t id;

    return (read_id(cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(post, key), 1), &id, err) &&
            wb_tokens_add(out, id, err)) ||
           wb_wrap(err, "\"%s\"", key);
}

/* One processor that puts tokens around a text. What a second one would do to those of the first is
 * nowhere said. */
static bool read_around(struct wb_tokenizer *t, const cJSON *post, bool template,
                        struct wb_err *err)
{
    if (t->before.count > 0 || t->after.count > 0)
        return wb_fail(err, WB_EFORMAT, "a second one that puts tokens around the text");
    return template
               ? read_single(post, &t->before, &t->after, err)
               : add_pair(post, "cls", &t->before, err) && add_pair(post, "sep", &t->after, err);
}

bool wb_tokenizer_read_post(struct wb_tokenizer *t, const cJSON *post, struct wb_err *err)
{
    const char *type = wb_json_text(post, "type", "");
    const cJSON *part;

    if (post == NULL || cJSON_IsNull(post) || strcmp(type, "ByteLevel") == 0)
        return true;
    if (strcmp(type, "Sequence") == 0) {
        cJSON_ArrayForEach(part, cJSON_GetObjectItemCaseSensitive(post, "processors"))
            if (!wb_tokenizer_read_post(t, part, err))
                return false;
        return true;
    }
    if (strcmp(type, "TemplateProcessing") == 0 || strcmp(type, "BertProcessing") == 0 ||
        strcmp(type, "RobertaProcessing") == 0)
        return read_around(t, post, type[0] == 'T', err) ||
               wb_wrap(err, "post_processor \"%s\"", type);
    return wb_fail(err, WB_EFORMAT,
                   "post_processor \"%.40s\" is not one of those that weightbench "
                   "knows",
                   type);
}
