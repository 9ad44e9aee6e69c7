/* tests/golden/test_tokenizer_steps.c - every normalizer, pre-tokenizer and decoder by itself, and what
 * patterns match, against the `tokenizers` package (tests/data/tokenizers/steps.json, made by
 * tests/peers/tokenizers_made.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "app/core/json.h"
#include "app/infer/tokenizer.h"
#include "tests/unit/store_files.h"

#define GOLDEN "tests/data/tokenizers/steps.json"
#define GOLDEN_MAX ((size_t)4 << 20)

static cJSON *golden;

static const cJSON *part(const cJSON *json, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(json, key);
}

/* The "tokenizer" of a case. */
static struct wb_tokenizer *tokenizer_of(const cJSON *json)
{
    char *text = cJSON_PrintUnformatted(part(json, "tokenizer"));
    struct wb_tokenizer *t;
    struct wb_err err;

    assert_non_null(text);
    put_text(at("made/tokenizer.json"), text);
    cJSON_free(text);
    t = wb_tokenizer_open(at("made"), &err);
    if (t == NULL)
        fail_msg("%s: %s", json->string, err.msg);
    return t;
}

static void ids_equal(const struct wb_tokenizer *t, const char *name, const char *text,
                      const cJSON *want)
{
    struct wb_tokens got = { 0 };
    const cJSON *id;
    struct wb_err err;
    size_t i = 0;

    if (!wb_tokenizer_encode(t, text, strlen(text), false, &got, &err))
        fail_msg("%s: \"%s\": %s", name, text, err.msg);
    cJSON_ArrayForEach(id, want) {
        if (i >= got.count || got.id[i] != id->valueint)
            fail_msg("%s: \"%s\": piece %zu is \"%s\", not \"%s\"", name, text, i,
                     i < got.count ? wb_tokenizer_piece(t, got.id[i]) : "missing",
                     wb_tokenizer_piece(t, id->valueint));
        i++;
    }
    if (i != got.count)
        fail_msg("%s: \"%s\": %zu pieces, not %zu", name, text, got.count, i);
    wb_tokens_free(&got);
}

static void test_steps(void **state)
{
    size_t steps = 0;
    const cJSON *step;

    (void)state;
    cJSON_ArrayForEach(step, part(golden, "steps")) {
        struct wb_tokenizer *t = tokenizer_of(step);
        const cJSON *ids = part(step, "ids")->child, *text;

        cJSON_ArrayForEach(text, part(golden, "texts")) {
            ids_equal(t, step->string, text->valuestring, ids);
            ids = ids->next;
        }
        wb_tokenizer_free(t);
        steps++;
    }
    assert_true(steps > 80);
}

static void text_equal(const struct wb_tokenizer *t, const char *name, const cJSON *ids,
                       const char *want)
{
    struct wb_tokens tokens = { 0 };
    struct wb_err err;
    const cJSON *id;
    char *got;

    cJSON_ArrayForEach(id, ids)
        assert_true(wb_tokens_add(&tokens, id->valueint, &err));
    got = wb_tokenizer_decode(t, tokens.id, tokens.count, false, NULL, &err);
    if (got == NULL || strcmp(got, want) != 0)
        fail_msg("%s: \"%s\", not \"%s\"", name, got == NULL ? err.msg : got, want);
    free(got);
    wb_tokens_free(&tokens);
}

static void test_decoders(void **state)
{
    size_t decoders = 0;
    const cJSON *decoder;

    (void)state;
    cJSON_ArrayForEach(decoder, part(golden, "decoders")) {
        struct wb_tokenizer *t = tokenizer_of(decoder);
        const cJSON *text = part(decoder, "text")->child, *ids;

        cJSON_ArrayForEach(ids, part(golden, "ids")) {
            text_equal(t, decoder->string, ids, text->valuestring);
            text = text->next;
        }
        wb_tokenizer_free(t);
        decoders++;
    }
    assert_true(decoders > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_decoders),
    };
    struct wb_err err;
    int failed;

    golden = wb_json_parse_file(GOLDEN, GOLDEN_MAX, &err);
    if (golden == NULL) {
        printf("%s\n", err.msg);
        return 1;
    }
    failed = cmocka_run_group_tests(tests, files_begin, files_end);
    cJSON_Delete(golden);
    return failed;
}
