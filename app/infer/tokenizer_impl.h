/* app/infer/tokenizer_impl.h - what the files of the tokenizer share.
 *
 * Text goes through normalizer steps (one string each), is cut by pre-tokenizer steps (a list of
 * pieces each), and every piece goes through the model. Added tokens are taken out before the
 * normalizer, or behind it. Decoding: a list of pieces through decoder steps. */
#ifndef WB_INFER_TOKENIZER_IMPL_H
#define WB_INFER_TOKENIZER_IMPL_H

#include <stdint.h>

#include "app/core/arena.h"
#include "app/core/json.h"
#include "app/core/str.h"
#include "app/infer/tokenizer.h"

#define WB_TOKENIZER_IDS_MAX ((size_t)1 << 22)
#define WB_TOKENIZER_STEPS_MAX 32

/* --- patterns (tokenizer_regex.c) --- */

struct wb_regex; /* opaque, immutable: any number of threads */

/* The same pattern in PCRE2's syntax (tokenizer_pattern.c), appended. */
bool wb_pattern_translate(const char *pattern, struct wb_str *out, struct wb_err *err);

/* literal: the text as it stands. Owned; WB_EFORMAT where the pattern does not compile. */
struct wb_regex *wb_regex_new(const char *pattern, bool literal, struct wb_err *err);
void wb_regex_free(struct wb_regex *r);

struct wb_span {
    size_t from, to;
    bool match;
};

struct wb_spans {
    struct wb_span *at;
    size_t count, room;
};

bool wb_spans_add(struct wb_spans *s, size_t from, size_t to, bool match, struct wb_err *err);
void wb_spans_free(struct wb_spans *s);
/* Cut all of text into matches, empty ones too, and what lies between them. */
bool wb_regex_cut(const struct wb_regex *r, const char *text, size_t n, struct wb_spans *out,
                  struct wb_err *err);

/* --- text (tokenizer_text.c) --- */

/* Next code point of valid UTF-8; *at moves behind it. */
int32_t wb_utf8_next(const char *text, size_t n, size_t *at);
void wb_utf8_put(struct wb_str *out, int32_t code);
/* First byte that makes no UTF-8, n when all do. */
size_t wb_utf8_check(const char *text, size_t n);
/* Append; every longest piece that could have begun a character and is none becomes U+FFFD. */
void wb_utf8_mend(struct wb_str *out, const char *bytes, size_t n);
bool wb_char_is_space(int32_t code);       /* White_Space */
bool wb_char_is_punctuation(int32_t code); /* P*, and all of ASCII that is neither alphanumeric nor
                                            * blank nor control */
bool wb_char_is_numeric(int32_t code);     /* N* */
bool wb_char_is_word(int32_t code);        /* letters, circled too, marks, digits, connectors,
                                            * joiners */
/* The byte alphabet of formats section 8: the code point of a byte, and back (-1: none). */
int32_t wb_byte_to_char(unsigned char byte);
int wb_char_to_byte(int32_t code);
/* Is memory left? Else an error. */
bool wb_str_ok(const struct wb_str *s, struct wb_err *err);

/* --- words and pairs to ids (tokenizer_map.c) --- */

struct wb_word_map {
    struct wb_word {
        const char *text; /* borrowed; NULL: free */
        uint32_t len;
        int32_t id;
    } * slot;
    size_t mask, count;
};

bool wb_words_reserve(struct wb_word_map *m, size_t count, struct wb_err *err);
void wb_words_put(struct wb_word_map *m, const char *text, size_t len, int32_t id);
int32_t wb_words_find(const struct wb_word_map *m, const char *text, size_t len);
void wb_words_free(struct wb_word_map *m);

struct wb_merge {
    uint64_t pair; /* left id + 1, right id + 1; 0: free */
    uint32_t rank;
    int32_t id;
};

struct wb_merge_map {
    struct wb_merge *slot;
    size_t mask;
};

bool wb_merges_reserve(struct wb_merge_map *m, size_t count, struct wb_err *err);
void wb_merges_put(struct wb_merge_map *m, int32_t left, int32_t right, uint32_t rank, int32_t id);
const struct wb_merge *wb_merges_find(const struct wb_merge_map *m, int32_t left, int32_t right);
void wb_merges_free(struct wb_merge_map *m);

/* --- steps --- */

/* A list of texts, one behind the other. */
struct wb_pieces {
    struct wb_str text;
    struct wb_spans at;
    bool
        behind; /* the first one begins behind where the whole text does: something was taken off */
};

bool wb_pieces_add(struct wb_pieces *p, const char *text, size_t n, struct wb_err *err);
void wb_pieces_clear(struct wb_pieces *p);
void wb_pieces_free(struct wb_pieces *p);

enum wb_split_how {
    WB_CUT_REMOVED,
    WB_CUT_ISOLATED,
    WB_CUT_BEFORE,
    WB_CUT_AFTER,
    WB_CUT_CONTIGUOUS
};

/* One step of a normalizer, pre-tokenizer or decoder. Which fields mean something depends on the
 * function that runs it. */
struct wb_text_step {
    /* normalizer: text n bytes long to out */
    bool (*normalize)(const struct wb_text_step *s, const char *text, size_t n, struct wb_str *out,
                      struct wb_err *err);
    /* pre-tokenizer: first: the piece begins where the whole text does */
    bool (*cut)(const struct wb_text_step *s, const char *text, size_t n, bool first,
                struct wb_pieces *out, struct wb_err *err);
    /* decoder */
    bool (*decode)(const struct wb_text_step *s, const struct wb_pieces *in, struct wb_pieces *out,
                   struct wb_err *err);
    struct wb_regex *regex;   /* owned by the step */
    const char *text, *with;  /* what is looked for, put before, taken off; what stands for it */
    bool (*is)(int32_t code); /* characters that cut */
    enum wb_split_how how;
    bool invert, left, right, lower, clean, chinese, accents, prefix, always, split;
    int form;           /* options of utf8proc */
    size_t start, stop; /* how often Strip takes the text off */
};

struct wb_text_steps {
    struct wb_text_step step[WB_TOKENIZER_STEPS_MAX];
    size_t count;
};

/* From the JSON of "normalizer", "pre_tokenizer", "decoder" (null: no steps). Texts go into arena. */
bool wb_normalizer_read(const cJSON *json, struct wb_arena *arena, struct wb_text_steps *out,
                        struct wb_err *err);
bool wb_cutter_read(const cJSON *json, struct wb_arena *arena, struct wb_text_steps *out,
                    struct wb_err *err);
bool wb_decoder_read(const cJSON *json, struct wb_arena *arena, struct wb_text_steps *out,
                     struct wb_err *err);
/* The "pattern" of a step, {"String": ...} or {"Regex": ...}; NULL on failure. */
struct wb_regex *wb_pattern_read(const cJSON *step, struct wb_err *err);
/* Walk a step and, where it is a Sequence, the steps in `key`; read() fills one. */
bool wb_steps_read(const cJSON *json, const char *key, const char *what,
                   bool (*read)(const cJSON *json, const char *type, struct wb_arena *arena,
                                struct wb_text_step *out, struct wb_err *err),
                   struct wb_arena *arena, struct wb_text_steps *out, struct wb_err *err);
void wb_steps_free(struct wb_text_steps *s);
/* text through all steps of a normalizer; *out is emptied first. */
bool wb_normalize(const struct wb_text_steps *s, const char *text, size_t n, struct wb_str *out,
                  struct wb_err *err);

/* --- models --- */

struct wb_symbol; /* tokenizer_bpe.c */
struct wb_candidate;

/* Memory of one encoding. */
struct wb_encode_work {
    struct wb_symbol *symbol;
    struct wb_candidate *heap;
    size_t symbols, candidates;
    struct wb_str piece;
};

void wb_encode_work_free(struct wb_encode_work *w);

struct wb_added_token {
    const char *text; /* as it is looked for: normalized, where it is one of those */
    size_t len;
    int32_t id;
    bool single_word, lstrip, rstrip, normalized, special;
};

/* Added tokens that are looked for in the same text. */
struct wb_added_set {
    struct wb_word_map map; /* text -> index in token */
    uint32_t *lens[256];    /* by first byte: lengths that occur, longest first, 0 behind them */
};

struct wb_tokenizer {
    struct wb_arena arena;
    const char **piece; /* [size]; NULL: not in use */
    unsigned char *flag;
    size_t size;
    struct wb_word_map vocab;
    struct wb_merge_map merges;
    bool (*model)(const struct wb_tokenizer *t, const char *piece, size_t n,
                  struct wb_encode_work *work, struct wb_tokens *out, struct wb_err *err);
    const char *unk_text, *prefix, *suffix; /* prefix: "##", suffix: "</w>"; never NULL */
    int32_t unk, byte_token[256];
    bool fuse_unk, byte_fallback, ignore_merges;
    size_t word_chars_max;
    struct wb_added_token *added;
    size_t added_count;
    struct wb_added_set raw, normalized;
    struct wb_text_steps normalizer, cutter, decoder;
    bool has_decoder;
    struct wb_tokens before, after; /* what the post-processor puts around */
    int32_t bos;
};

enum { WB_TOKEN_SPECIAL = 1, WB_TOKEN_END = 2 };

bool wb_bpe_encode(const struct wb_tokenizer *t, const char *piece, size_t n,
                   struct wb_encode_work *work, struct wb_tokens *out, struct wb_err *err);
bool wb_wordpiece_encode(const struct wb_tokenizer *t, const char *piece, size_t n,
                         struct wb_encode_work *work, struct wb_tokens *out, struct wb_err *err);
bool wb_wordlevel_encode(const struct wb_tokenizer *t, const char *piece, size_t n,
                         struct wb_encode_work *work, struct wb_tokens *out, struct wb_err *err);

/* "model" of the file: vocabulary, merges and how words are made of them. */
bool wb_tokenizer_read_model(struct wb_tokenizer *t, const cJSON *model, struct wb_err *err);
/* "added_tokens", once the vocabulary and the normalizer are there. */
bool wb_tokenizer_read_added(struct wb_tokenizer *t, const cJSON *list, struct wb_err *err);
bool wb_tokenizer_read_post(struct wb_tokenizer *t, const cJSON *post, struct wb_err *err);
/* Beginning and end from the files beside tokenizer.json. */
bool wb_tokenizer_read_side(struct wb_tokenizer *t, const char *dir, struct wb_err *err);
/* A piece gets its id; WB_EFORMAT when another one has it. */
bool wb_tokenizer_name(struct wb_tokenizer *t, int32_t id, const char *piece, struct wb_err *err);

/* The set of those that are looked for before the normalizer, or behind it. */
bool wb_added_build(const struct wb_tokenizer *t, bool normalized, struct wb_added_set *set,
                    struct wb_err *err);
/* Cut text at the added tokens of a set: match spans hold a token (its index in *token), the others
 * text. */
bool wb_added_cut(const struct wb_tokenizer *t, const struct wb_added_set *set, const char *text,
                  size_t n, struct wb_spans *out, struct wb_tokens *token, struct wb_err *err);
void wb_added_free(struct wb_added_set *set);

#endif
