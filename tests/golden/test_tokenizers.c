/* tests/golden/test_tokenizers.c - tokenizers of every kind against the `tokenizers` package, on
 * many texts (tests/data/tokenizers, made by tests/peers/tokenizers_made.py). WB_TOKENIZERS in the
 * environment: another folder of that form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/json.h"
#include "app/core/str.h"
#include "app/infer/tokenizer.h"

#define FOLDER "tests/data/tokenizers"
#define KINDS_MAX 32
#define JSON_MAX ((size_t)64 << 20)

static const char *folder = FOLDER;
static cJSON *texts;

static void ids_equal(const char *kind, size_t number, const char *text, const cJSON *want,
                      const struct wb_tokens *got)
{
    const cJSON *id;
    size_t i = 0;

    cJSON_ArrayForEach(id, want) {
        if (i >= got->count || got->id[i] != (int32_t)id->valuedouble)
            fail_msg("%s: text %zu \"%.200s\": token %zu is %d, not %d", kind, number, text, i,
                     i < got->count ? (int)got->id[i] : -1, (int)id->valuedouble);
        i++;
    }
    if (i != got->count)
        fail_msg("%s: text %zu \"%.200s\": %zu tokens, not %zu", kind, number, text, got->count, i);
}

static void text_equal(const struct wb_tokenizer *t, const char *kind, size_t number,
                       const char *want, const struct wb_tokens *tokens)
{
    struct wb_err err;
    size_t bytes;
    char *got = wb_tokenizer_decode(t, tokens->id, tokens->count, false, &bytes, &err);

    if (got == NULL)
        fail_msg("%s: text %zu: %s", kind, number, err.msg);
    if (bytes != strlen(want) || strcmp(got, want) != 0)
        fail_msg("%s: text %zu is \"%.300s\", not \"%.300s\"", kind, number, got, want);
    free(got);
}

/* Decoded one token more at a time: together it is the whole text. */
static void streams(const struct wb_tokenizer *t, const char *kind, size_t number,
                    const struct wb_tokens *tokens)
{
    struct wb_err err;
    struct wb_str all = { 0 };
    size_t from = 0;
    char *whole = wb_tokenizer_decode(t, tokens->id, tokens->count, false, NULL, &err), *more;

    for (size_t n = 1; n <= tokens->count; n++) {
        more = wb_tokenizer_decode_more(t, tokens->id, n, &from, false, &err);
        assert_non_null(more);
        wb_str_add(&all, more);
        free(more);
    }
    wb_str_add(&all, "");
    if (from == tokens->count && strcmp(all.text, whole) != 0)
        fail_msg("%s: text %zu streams as \"%.300s\", not \"%.300s\"", kind, number, all.text,
                 whole);
    assert_true(strncmp(all.text, whole, all.len) == 0);
    wb_str_free(&all);
    free(whole);
}

static void test_kind(void **state)
{
    const char *kind = *state;
    struct wb_tokens tokens = { 0 };
    struct wb_tokenizer *t;
    char path[400], key[20];
    const cJSON *text, *ids;
    struct wb_err err;
    cJSON *golden;
    size_t i = 0;
    /* Its pieces depend on what follows them: "</w>" at the end of all is nothing. */
    bool ends = strcmp(kind, "clip") == 0;

    snprintf(path, sizeof path, "%s/%s/golden.json", folder, kind);
    golden = wb_json_parse_file(path, JSON_MAX, &err);
    if (golden == NULL)
        fail_msg("%s", err.msg);
    snprintf(path, sizeof path, "%s/%s", folder, kind);
    t = wb_tokenizer_open(path, &err);
    if (t == NULL)
        fail_msg("%s", err.msg);
    ids = cJSON_GetObjectItem(golden, "ids")->child;
    cJSON_ArrayForEach(text, texts) {
        snprintf(key, sizeof key, "%zu", i);
        tokens.count = 0;
        if (!wb_tokenizer_encode(t, text->valuestring, strlen(text->valuestring), false, &tokens,
                                 &err))
            fail_msg("%s: text %zu: %s", kind, i, err.msg);
        ids_equal(kind, i, text->valuestring, ids, &tokens);
        text_equal(t, kind, i,
                   wb_json_text(cJSON_GetObjectItem(golden, "decoded"), key, text->valuestring),
                   &tokens);
        if (!ends && i % 4 == 0)
            streams(t, kind, i, &tokens);
        ids = ids->next;
        i++;
    }
    tokens.count = 0;
    text = texts->child;
    assert_true(
        wb_tokenizer_encode(t, text->valuestring, strlen(text->valuestring), true, &tokens, &err));
    ids_equal(kind, 0, text->valuestring, cJSON_GetObjectItem(golden, "special"), &tokens);
    wb_tokens_free(&tokens);
    wb_tokenizer_free(t);
    cJSON_Delete(golden);
}

int main(void)
{
    static struct CMUnitTest test[KINDS_MAX];
    static char name[KINDS_MAX][64];
    struct dirent *entry;
    struct wb_err err;
    char path[400];
    size_t tests = 0;
    int failed;
    DIR *dir;

    if (getenv("WB_TOKENIZERS") != NULL)
        folder = getenv("WB_TOKENIZERS");
    snprintf(path, sizeof path, "%s/texts.json", folder);
    texts = wb_json_parse_file(path, JSON_MAX, &err);
    dir = opendir(folder);
    if (texts == NULL || dir == NULL) {
        printf("%s\n", texts == NULL ? err.msg : folder);
        return 1;
    }
    while ((entry = readdir(dir)) != NULL && tests < KINDS_MAX) {
        if (strchr(entry->d_name, '.') != NULL)
            continue;
        snprintf(name[tests], sizeof name[tests], "%.60s", entry->d_name);
        test[tests] = (struct CMUnitTest){ .name = name[tests],
                                           .test_func = test_kind,
                                           .initial_state = name[tests] };
        tests++;
    }
    closedir(dir);
    failed = tests == 0 ? 1 : _cmocka_run_group_tests("tokenizers", test, tests, NULL, NULL);
    cJSON_Delete(texts);
    return failed;
}
