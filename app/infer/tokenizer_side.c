/* app/infer/tokenizer_side.c - where a text begins and ends, from the files beside tokenizer.json. */
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "app/infer/tokenizer_impl.h"

#define SIDE_BYTES_MAX ((size_t)16 << 20)

/* The JSON of a file; NULL without error where there is none. */
static bool read_side(const char *dir, const char *name, cJSON **out, struct wb_err *err)
{
    char *path = wb_path_join(dir, name);
    bool ok = path != NULL || wb_fail(err, WB_ENOMEM, "no memory for a path");

    *out = NULL;
    if (ok && wb_is_file(path)) {
        *out = wb_json_parse_file(path, SIDE_BYTES_MAX, err);
        ok = *out != NULL;
    }
    free(path);
    return ok;
}

/* A special token: its text, or an object with it. */
static int32_t token_of(const struct wb_tokenizer *t, const cJSON *value)
{
    const char *text =
        cJSON_IsObject(value) ? wb_json_text(value, "content", NULL) : cJSON_GetStringValue(value);

    return text == NULL ? WB_TOKEN_NONE : wb_tokenizer_find(t, text);
}

static void mark_end(struct wb_tokenizer *t, int32_t id)
{
    if (id >= 0 && (size_t)id < t->size)
        t->flag[id] |= WB_TOKEN_END;
}

/* A number, or a list of them. */
static void mark_ends(struct wb_tokenizer *t, const cJSON *value)
{
    const cJSON *one;
    uint64_t id;

    if (wb_json_whole(value, &id) && id < t->size)
        mark_end(t, (int32_t)id);
    cJSON_ArrayForEach(one, value)
        if (wb_json_whole(one, &id) && id < t->size)
            mark_end(t, (int32_t)id);
}

bool wb_tokenizer_read_side(struct wb_tokenizer *t, const char *dir, struct wb_err *err)
{
    static const char *const names[] = { "tokenizer_config.json", "special_tokens_map.json",
                                         "generation_config.json", "config.json" };
    bool known = false, ok = true;

    t->bos = WB_TOKEN_NONE;
    for (size_t i = 0; ok && i < sizeof names / sizeof *names; i++) {
        const cJSON *bos, *id;
        uint64_t whole;
        cJSON *side;

        ok = read_side(dir, names[i], &side, err);
        bos = cJSON_GetObjectItemCaseSensitive(side, "bos_token");
        if (!known && bos != NULL && i < 2) {
            t->bos = token_of(t, bos);
            known = true;
        }
        id = cJSON_GetObjectItemCaseSensitive(side, "bos_token_id");
        if (!known && i == 3 && wb_json_whole(id, &whole) && whole < t->size)
            t->bos = (int32_t)whole;
        if (i < 2)
            mark_end(t, token_of(t, cJSON_GetObjectItemCaseSensitive(side, "eos_token")));
        else
            mark_ends(t, cJSON_GetObjectItemCaseSensitive(side, "eos_token_id"));
        cJSON_Delete(side);
    }
    return ok;
}
