/* tests/unit/test_tokenizer.c - tokenizer files that are wrong, special tokens, decoding piece by
 * piece. What tokenizers make of texts: tests/golden/test_tokenizers.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "app/infer/tokenizer.h"
#include "tests/unit/store_files.h"

#define BYTES "\"<0xE2>\": 6, \"<0x82>\": 7, \"<0xAC>\": 8"
#define VOCAB \
    "{\"<unk>\": 0, \"<s>\": 1, \"a\": 2, \"b\": 3, \"ab\": 4, \"\xE2\x96\x81\": 5, " BYTES "}"

static void put(const char *dir, const char *name, const char *text)
{
    put_bytes(at("%s/%s", dir, name), text, strlen(text));
}

/* A tokenizer.json of these parts: the model's beginning and end, and what else is at the top. */
static struct wb_tokenizer *made(const char *vocab, const char *merges, const char *model,
                                 const char *top, struct wb_err *err)
{
    char text[4000];

    snprintf(text, sizeof text,
             "{\"model\": {\"type\": \"BPE\", \"vocab\": %s, \"merges\": %s%s}%s}", vocab, merges,
             model, top);
    put("made", "tokenizer.json", text);
    return wb_tokenizer_open(at("made"), err);
}

static struct wb_tokenizer *good(const char *model, const char *top)
{
    struct wb_err err;
    struct wb_tokenizer *t = made(VOCAB, "[\"a b\"]", model, top, &err);

    if (t == NULL)
        fail_msg("%s", err.msg);
    return t;
}

static void refused(const char *vocab, const char *merges, const char *model, const char *top,
                    const char *why)
{
    struct wb_err err = { 0 };
    struct wb_tokenizer *t = made(vocab, merges, model, top, &err);

    if (t != NULL)
        fail_msg("no error; expected \"%s\"", why);
    assert_int_equal(err.code, WB_EFORMAT);
    if (strstr(err.msg, why) == NULL || strstr(err.msg, "tokenizer.json") == NULL)
        fail_msg("the error is \"%s\", without \"%s\" or the file", err.msg, why);
}

static void test_bad_models(void **state)
{
    (void)state;
    refused(VOCAB, "[\"a b\", \"b c\"]", "", "", "merge 1: \"c\" is not in the vocabulary");
    refused(VOCAB, "[\"b a\"]", "", "", "merge 0: what it makes, \"ba\", is not in the vocabulary");
    refused(VOCAB, "[\"ab\"]", "", "", "merge 0: two pieces");
    refused(VOCAB, "[\"a b c\"]", "", "", "merge 0: two pieces");
    refused(VOCAB, "[[\"a\"]]", "", "", "merge 0: two pieces");
    refused(VOCAB, "[[\"a\", 3]]", "", "", "merge 0: a piece is empty");
    refused(VOCAB, "[7]", "", "", "merge 0: two pieces");
    refused(VOCAB, "{}", "", "", "\"merges\" must be a list");
    refused("[1]", "[]", "", "", "\"vocab\" must be an object");
    refused("{\"a\": -1}", "[]", "", "", "token \"a\": an id must be a whole number");
    refused("{\"a\": 1.5}", "[]", "", "", "token \"a\": an id must be a whole number");
    refused("{\"a\": 99999999999}", "[]", "", "", "token \"a\": an id must be a whole number");
    refused("{\"a\": \"b\"}", "[]", "", "", "token \"a\": an id must be a whole number");
    refused("{\"a\": 1, \"b\": 1}", "[]", "", "", "id 1 is given to \"a\" and to \"b\"");
    refused(VOCAB, "[]", ", \"unk_token\": \"?\"", "", "unk_token \"?\" is not in the vocabulary");
}

static void test_bad_steps(void **state)
{
    (void)state;
    refused(VOCAB, "[]", "", ", \"normalizer\": {\"type\": \"Precompiled\"}",
            "normalizer \"Precompiled\": is not one");
    refused(VOCAB, "[]", "", ", \"normalizer\": {\"type\": \"Sequence\"}",
            "normalizer: a Sequence without a list \"normalizers\"");
    refused(VOCAB, "[]", "", ", \"normalizer\": 3", "normalizer: an object or null");
    refused(VOCAB, "[]", "",
            ", \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"(a\"}}",
            "pre_tokenizer \"Split\": pattern \"(a\"");
    refused(VOCAB, "[]", "", ", \"pre_tokenizer\": {\"type\": \"Split\"}",
            "pre_tokenizer \"Split\": no pattern");
    refused(VOCAB, "[]", "",
            ", \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"String\": \"a\"}, "
            "\"behavior\": \"Odd\"}",
            "behavior \"Odd\"");
    refused(VOCAB, "[]", "", ", \"pre_tokenizer\": {\"type\": \"Unheard\"}",
            "pre_tokenizer \"Unheard\": is not one");
    refused(VOCAB, "[]", "", ", \"decoder\": {\"type\": \"CTC\"}", "decoder \"CTC\": is not one");
    refused(VOCAB, "[]", "", ", \"decoder\": {\"type\": \"Strip\", \"content\": \"\"}",
            "a text is missing");
    refused(VOCAB, "[]", "", ", \"added_tokens\": [{\"id\": 2, \"content\": \"z\"}]",
            "id 2 is given to \"a\" and to \"z\"");
    refused(VOCAB, "[]", "", ", \"added_tokens\": [{\"id\": 20}]", "added token 0: no content");
    refused(VOCAB, "[]", "", ", \"added_tokens\": 3", "\"added_tokens\" must be a list");
    refused(VOCAB, "[]", "",
            ", \"post_processor\": {\"type\": \"BertProcessing\", \"cls\": [\"x\", 77], "
            "\"sep\": [\"a\", 2]}",
            "id 77 is no token");
    refused(VOCAB, "[]", "",
            ", \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": []}",
            "the text does not stand");
    refused(VOCAB, "[]", "",
            ", \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": "
            "[{\"SpecialToken\": {\"id\": \"<s>\"}}]}",
            "special token \"<s>\" has no ids");
    refused(VOCAB, "[]", "",
            ", \"post_processor\": {\"type\": \"Sequence\", \"processors\": ["
            "{\"type\": \"BertProcessing\", \"cls\": [\"a\", 2], \"sep\": [\"b\", 3]}, "
            "{\"type\": \"BertProcessing\", \"cls\": [\"a\", 2], \"sep\": [\"b\", 3]}]}",
            "a second one that puts tokens around the text");
    refused(VOCAB, "[]", "",
            ", \"decoder\": {\"type\": \"Strip\", \"content\": \"a\", \"start\": -1}",
            "\"start\" must be a whole number");
    refused(VOCAB, "[]", "",
            ", \"decoder\": {\"type\": \"Strip\", \"content\": \"a\", \"stop\": 1e300}",
            "\"stop\" must be a whole number");
}

/* A Split with this pattern (as JSON has it) is refused. */
static void pattern_refused(const char *pattern, const char *why)
{
    char top[700];

    snprintf(top, sizeof top,
             ", \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"%s\"}}",
             pattern);
    refused(VOCAB, "[]", "", top, why);
}

/* What PCRE2 would read as something else is an error, not another cut. */
static void test_bad_patterns(void **state)
{
    char deep[301];

    (void)state;
    pattern_refused("[a-z&&[^b]]", "the intersection of sets (&&) is not supported");
    pattern_refused("[a[bc]]", "a set within a set is not supported");
    pattern_refused("[[:^alpha:]]", "the class [:^alpha:] is not supported");
    pattern_refused("[\\\\W]", "\\W within brackets is not supported");
    pattern_refused("[abc", "a [ without its ]");
    pattern_refused("abc\\\\", "a \\ at its end");
    pattern_refused("(?#abc", "a comment without an end");
    pattern_refused("(?x) a", "the option (?x) is not supported");
    pattern_refused("(*NO_JIT)a", "a * with nothing before it");
    pattern_refused("\\\\p{Nothing}", "unknown property");
    pattern_refused("\\\\Ca", "pattern \"\\Ca\"");
    pattern_refused("*a", "pattern \"*a\"");
    memset(deep, '(', 300);
    deep[300] = '\0';
    pattern_refused(deep, "more than 200 groups within each other");
}

static void test_bad_files(void **state)
{
    struct wb_err err = { 0 };

    (void)state;
    assert_null(wb_tokenizer_open(NULL, &err));
    assert_int_equal(err.code, WB_ENOTFOUND);
    assert_null(wb_tokenizer_open(at("nowhere"), &err));
    assert_int_equal(err.code, WB_ENOTFOUND);
    put("broken", "tokenizer.json", "{\"model\": ");
    assert_null(wb_tokenizer_open(at("broken"), &err));
    assert_int_equal(err.code, WB_EFORMAT);
    put("unigram", "tokenizer.json", "{\"model\": {\"type\": \"Unigram\", \"vocab\": []}}");
    assert_null(wb_tokenizer_open(at("unigram"), &err));
    assert_non_null(strstr(err.msg, "model \"Unigram\""));
    put("empty", "tokenizer.json", "{}");
    assert_null(wb_tokenizer_open(at("empty"), &err));
    assert_int_equal(err.code, WB_EFORMAT);
}

static void tokens_are(const struct wb_tokenizer *t, const char *text, const char *want)
{
    struct wb_tokens tokens = { 0 };
    char got[400] = "";
    struct wb_err err;

    if (!wb_tokenizer_encode(t, text, strlen(text), true, &tokens, &err))
        fail_msg("%s", err.msg);
    for (size_t i = 0; i < tokens.count; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%d", i > 0 ? " " : "",
                 (int)tokens.id[i]);
    assert_string_equal(got, want);
    wb_tokens_free(&tokens);
}

static void test_unknown(void **state)
{
    struct wb_tokenizer *t = good("", "");

    (void)state;
    tokens_are(t, "", "");
    tokens_are(t, "abxb", "4 3"); /* no token for the unknown: left out */
    wb_tokenizer_free(t);
    t = good(", \"unk_token\": \"<unk>\"", "");
    tokens_are(t, "axxb", "2 0 0 3");
    wb_tokenizer_free(t);
    t = good(", \"unk_token\": \"<unk>\", \"fuse_unk\": true", "");
    tokens_are(t, "axxb", "2 0 3");
    wb_tokenizer_free(t);
    t = good(", \"unk_token\": \"<unk>\", \"byte_fallback\": true", "");
    tokens_are(t, "a\xE2\x82\xAC\xC3\xA9", "2 6 7 8 0"); /* bytes, but not of a letter without */
    wb_tokenizer_free(t);
}

static void test_not_text(void **state)
{
    struct wb_tokenizer *t = good("", "");
    struct wb_tokens tokens = { 0 };
    struct wb_err err;

    (void)state;
    assert_false(wb_tokenizer_encode(t, "ab\xFFz", 4, false, &tokens, &err));
    assert_int_equal(err.code, WB_EFORMAT);
    assert_non_null(strstr(err.msg, "byte 2 is 0xff"));
    assert_false(wb_tokenizer_encode(t, "a\xE2\x82", 3, false, &tokens, &err));
    assert_non_null(strstr(err.msg, "byte 1 is 0xe2"));
    assert_int_equal(tokens.count, 0);
    assert_true(wb_tokenizer_encode(t, "a\0b", 3, false, &tokens, &err)); /* NUL is a character */
    assert_int_equal(tokens.count, 1); /* one without a token: "ab" is left */
    wb_tokens_free(&tokens);
    wb_tokenizer_free(t);
}

/* A pattern that tries every way to cut a text is stopped. */
static void test_endless_pattern(void **state)
{
    struct wb_tokenizer *t =
        good("", ", \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": "
                 "\"(a|a|ab?)+[bc]\"}}");
    struct wb_tokens tokens = { 0 };
    struct wb_err err;
    char text[201];

    (void)state;
    memset(text, 'a', 200);
    text[200] = '\0';
    assert_false(wb_tokenizer_encode(t, text, 200, false, &tokens, &err));
    assert_non_null(strstr(err.msg, "a pattern at byte 0"));
    wb_tokens_free(&tokens);
    wb_tokenizer_free(t);
}

static void test_side_files(void **state)
{
    struct wb_tokenizer *t;

    (void)state;
    put("made", "config.json", "{\"bos_token_id\": 1, \"eos_token_id\": [2, 3]}");
    t = good("", ", \"added_tokens\": [{\"id\": 9, \"content\": \"<end>\", \"special\": true}]");
    assert_int_equal(wb_tokenizer_size(t), 10);
    assert_int_equal(wb_tokenizer_bos(t), 1);
    assert_true(wb_tokenizer_is_end(t, 2));
    assert_true(wb_tokenizer_is_end(t, 3));
    assert_false(wb_tokenizer_is_end(t, 9));
    assert_true(wb_tokenizer_is_special(t, 9));
    assert_false(wb_tokenizer_is_special(t, 2));
    assert_int_equal(wb_tokenizer_find(t, "<end>"), 9);
    assert_int_equal(wb_tokenizer_find(t, "ab"), 4);
    assert_int_equal(wb_tokenizer_find(t, "ba"), WB_TOKEN_NONE);
    assert_null(wb_tokenizer_piece(t, 10));
    assert_null(wb_tokenizer_piece(t, -1));
    wb_tokenizer_free(t);

    put("made", "tokenizer_config.json",
        "{\"bos_token\": null, \"eos_token\": {\"content\": \"<end>\"}}");
    t = good("", ", \"added_tokens\": [{\"id\": 9, \"content\": \"<end>\", \"special\": true}]");
    assert_int_equal(wb_tokenizer_bos(t),
                     WB_TOKEN_NONE); /* null: none, whatever config.json says */
    assert_true(wb_tokenizer_is_end(t, 9));
    wb_tokenizer_free(t);
    assert_int_equal(unlink(at("made/config.json")), 0);
    assert_int_equal(unlink(at("made/tokenizer_config.json")), 0);
}

static void decodes(const struct wb_tokenizer *t, size_t n, const int32_t *id, const char *want)
{
    struct wb_err err;
    size_t bytes;
    char *got = wb_tokenizer_decode(t, id, n, true, &bytes, &err);

    assert_non_null(got);
    assert_string_equal(got, want);
    assert_int_equal(bytes, strlen(want));
    free(got);
}

static void test_decode(void **state)
{
    struct wb_tokenizer *t = good("", "");
    const int32_t euro[] = { 2, 6, 7, 8, 3 }, broken[] = { 2, 6, 7, 3 }, wild[] = { 2, 99 };
    struct wb_err err;

    (void)state;
    decodes(t, 2, euro, "a <0xE2>"); /* without a decoder: pieces and blanks */
    wb_tokenizer_free(t);
    t = good(", \"byte_fallback\": true", ", \"decoder\": {\"type\": \"Sequence\", \"decoders\": "
                                          "[{\"type\": \"ByteFallback\"}, {\"type\": \"Fuse\"}]}");
    decodes(t, 0, euro, "");
    decodes(t, 5, euro,
            "a\xE2\x82\xAC"
            "b");
    decodes(t, 4, broken,
            "a\xEF\xBF\xBD\xEF\xBF\xBD"
            "b");
    assert_null(wb_tokenizer_decode(t, wild, 2, true, NULL, &err));
    assert_int_equal(err.code, WB_EARG);
    wb_tokenizer_free(t);
}

/* A character of three tokens comes when its last one is there; one that never will comes as U+FFFD. */
static void test_decode_more(void **state)
{
    static const struct {
        int32_t id;
        const char *more;
    } step[] = { { 2, "a" },
                 { 6, "" },
                 { 7, "" },
                 { 8, "\xE2\x82\xAC" },
                 { 6, "" },
                 { 2, "\xEF\xBF\xBD"
                      "a" },
                 { 3, "b" } };
    struct wb_tokenizer *t =
        good(", \"byte_fallback\": true", ", \"decoder\": {\"type\": \"ByteFallback\"}");
    int32_t id[8];
    size_t from = 0;
    struct wb_err err;

    (void)state;
    for (size_t i = 0; i < sizeof step / sizeof *step; i++) {
        char *more;

        id[i] = step[i].id;
        more = wb_tokenizer_decode_more(t, id, i + 1, &from, true, &err);
        assert_non_null(more);
        assert_string_equal(more, step[i].more);
        free(more);
    }
    assert_int_equal(from, sizeof step / sizeof *step);
    wb_tokenizer_free(t);
}

/* Tokens that come one by one, as they are written. */
static void streams_as(const struct wb_tokenizer *t, size_t n, const int32_t *id, const char *want)
{
    char got[400] = "";
    struct wb_err err;
    size_t from = 0;

    for (size_t i = 1; i <= n; i++) {
        char *more = wb_tokenizer_decode_more(t, id, i, &from, true, &err);

        assert_non_null(more);
        strncat(got, more, sizeof got - strlen(got) - 1);
        free(more);
    }
    assert_string_equal(got, want);
}

/* A byte that begins nothing is no reason to break the character behind it apart; special tokens
 * that are skipped leave the blank of the word behind them. */
static void test_stream_edges(void **state)
{
    const int32_t smile[] = { 0, 1, 2, 3, 4 }, words[] = { 0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1 };
    struct wb_tokenizer *t;

    (void)state;
    put("bytes", "tokenizer.json",
        "{\"model\": {\"type\": \"BPE\", \"merges\": [], \"vocab\": {\"\u00e9\": 0, \"\u00f0\": 1, "
        "\"\u0141\": 2, \"\u013b\": 3, \"\u0124\": 4}}, \"decoder\": {\"type\": \"ByteLevel\"}}");
    t = wb_tokenizer_open(at("bytes"), &(struct wb_err){ 0 });
    assert_non_null(t);
    streams_as(t, 5, smile, "\xEF\xBF\xBD\xF0\x9F\x99\x82"); /* E9 F0 9F 99 82 */
    wb_tokenizer_free(t);

    put("words", "tokenizer.json",
        "{\"model\": {\"type\": \"BPE\", \"merges\": [], \"vocab\": {\"\u2581a\": 0, \"\u2581b\": "
        "1}}, "
        "\"added_tokens\": [{\"id\": 2, \"content\": \"<s>\", \"special\": true}], "
        "\"decoder\": {\"type\": \"Metaspace\"}}");
    t = wb_tokenizer_open(at("words"), &(struct wb_err){ 0 });
    assert_non_null(t);
    streams_as(t, sizeof words / sizeof *words, words, "a b");
    wb_tokenizer_free(t);
}

/* Groups within a repetition outgrow the stack of compiled code on a long text, then any bound. */
static void test_long_repetition(void **state)
{
    enum { FITS = 20000, MUCH = 1 << 20 };
    struct wb_tokenizer *t =
        good("", ", \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": "
                 "\"(?:ab|ba)+\"}}");
    struct wb_tokens tokens = { 0 };
    char *text = malloc(MUCH);
    struct wb_err err;

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < MUCH; i++)
        text[i] = i % 2 == 0 ? 'a' : 'b';
    assert_true(wb_tokenizer_encode(t, text, FITS, false, &tokens, &err));
    assert_int_equal(tokens.count, FITS / 2);
    assert_false(wb_tokenizer_encode(t, text, MUCH, false, &tokens, &err));
    assert_int_equal(err.code, WB_EFORMAT);
    assert_non_null(strstr(err.msg, "a pattern at byte 0 of the text"));
    assert_int_equal(tokens.count, FITS / 2);
    wb_tokens_free(&tokens);
    wb_tokenizer_free(t);
    free(text);
}

/* A piece of many characters takes n log n steps: this one would take minutes in n squared. */
static void test_long_piece(void **state)
{
    enum { CHARS = 1 << 21 };
    struct wb_tokenizer *t = good("", "");
    struct wb_tokens tokens = { 0 };
    char *text = malloc(CHARS);
    struct wb_err err;

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < CHARS; i++)
        text[i] = i % 2 == 0 ? 'a' : 'b';
    assert_true(wb_tokenizer_encode(t, text, CHARS, false, &tokens, &err));
    assert_int_equal(tokens.count, CHARS / 2);
    for (size_t i = 0; i < tokens.count; i++)
        assert_int_equal(tokens.id[i], 4);
    wb_tokens_free(&tokens);
    wb_tokenizer_free(t);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_models),      cmocka_unit_test(test_bad_steps),
        cmocka_unit_test(test_bad_files),       cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_not_text),        cmocka_unit_test(test_endless_pattern),
        cmocka_unit_test(test_side_files),      cmocka_unit_test(test_decode),
        cmocka_unit_test(test_decode_more),     cmocka_unit_test(test_long_piece),
        cmocka_unit_test(test_bad_patterns),    cmocka_unit_test(test_stream_edges),
        cmocka_unit_test(test_long_repetition),
    };

    return cmocka_run_group_tests(tests, files_begin, files_end);
}
