/* app/infer/tokenizer.h - text to tokens and back, as a model's tokenizer.json says (formats.md
 * section 8).
 *
 * Models: BPE (byte-level, or with byte fallback), WordPiece, WordLevel; not Unigram. What a file
 * asks for that is not implemented is one error that names it. Everything in the file is hostile:
 * ids, merges and patterns are checked when it is opened, pattern matching is bounded.
 *
 * Characters newer than Unicode 8 may come out otherwise than elsewhere where a normalizer or BERT
 * asks for their class: tables of the library at hand decide. */
#ifndef WB_INFER_TOKENIZER_H
#define WB_INFER_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"

#define WB_TOKEN_NONE (-1)

struct wb_tokenizer; /* opaque; immutable once open: any number of threads may use it */

/* Grows; zero-initialised is empty. */
struct wb_tokens {
    int32_t *id;
    size_t count, room;
};

/* tokenizer.json of a model's directory, with tokenizer_config.json, special_tokens_map.json,
 * generation_config.json and config.json for the special tokens. dir NULL or without a
 * tokenizer.json: WB_ENOTFOUND. Owned; NULL on failure. */
struct wb_tokenizer *wb_tokenizer_open(const char *dir, struct wb_err *err);
void wb_tokenizer_free(struct wb_tokenizer *t); /* NULL is fine */

/* One more than the highest id. */
size_t wb_tokenizer_size(const struct wb_tokenizer *t);
/* Beginning of text, WB_TOKEN_NONE when there is none: bos_token of tokenizer_config.json (null
 * there means none), else of special_tokens_map.json, else bos_token_id of config.json. */
int32_t wb_tokenizer_bos(const struct wb_tokenizer *t);
/* Does a token end a text? eos_token and every eos_token_id of generation_config.json, config.json. */
bool wb_tokenizer_is_end(const struct wb_tokenizer *t, int32_t id);
bool wb_tokenizer_is_special(const struct wb_tokenizer *t, int32_t id);
/* Id of a token by its text in the file ("<s>"), WB_TOKEN_NONE. */
int32_t wb_tokenizer_find(const struct wb_tokenizer *t, const char *piece);
/* Its text in the file ("Ġthe"), borrowed; NULL for an id that is not in use. */
const char *wb_tokenizer_piece(const struct wb_tokenizer *t, int32_t id);

/* Append the tokens of text. special: with what the post-processor puts around a single text ([CLS]
 * … [SEP]). WB_EFORMAT where text is no UTF-8, naming the byte. */
bool wb_tokenizer_encode(const struct wb_tokenizer *t, const char *text, size_t bytes, bool special,
                         struct wb_tokens *out, struct wb_err *err);
/* The text of tokens, NUL-terminated, *bytes long, owned (free). Bytes that make no UTF-8 become
 * U+FFFD, as the decoder of the file has it. Ids out of range: WB_EARG. */
char *wb_tokenizer_decode(const struct wb_tokenizer *t, const int32_t *id, size_t count,
                          bool skip_special, size_t *bytes, struct wb_err *err);
/* What tokens `from` .. count - 1 add to the text of those before, for streaming: a character that
 * is not complete yet is left for later (*from moves to the first token that was not written). */
char *wb_tokenizer_decode_more(const struct wb_tokenizer *t, const int32_t *id, size_t count,
                               size_t *from, bool skip_special, struct wb_err *err);

void wb_tokens_free(struct wb_tokens *tokens);
bool wb_tokens_add(struct wb_tokens *tokens, int32_t id, struct wb_err *err);

#endif
