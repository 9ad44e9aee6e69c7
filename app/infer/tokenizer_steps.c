/* app/infer/tokenizer_steps.c - lists of steps, as tokenizer.json nests them. */
#include <stdlib.h>
#include <string.h>

#include "app/infer/tokenizer_impl.h"

static bool read_steps(const cJSON *json, const char *key, const char *what,
                       bool (*read)(const cJSON *, const char *, struct wb_arena *,
                                    struct wb_text_step *, struct wb_err *),
                       struct wb_arena *arena, struct wb_text_steps *out, struct wb_err *err)
{
    const char *type = wb_json_text(json, "type", "");
    const cJSON *step, *list;

    if (strcmp(type, "Sequence") != 0) {
        if (out->count == WB_TOKENIZER_STEPS_MAX)
            return wb_fail(err, WB_EFORMAT, "%s: more than %d steps", what, WB_TOKENIZER_STEPS_MAX);
        return read(json, type, arena, &out->step[out->count++], err) ||
               wb_wrap(err, "%s \"%.60s\"", what, type);
    }
    list = cJSON_GetObjectItemCaseSensitive(json, key);
    if (!cJSON_IsArray(list))
        return wb_fail(err, WB_EFORMAT, "%s: a Sequence without a list \"%s\"", what, key);
    cJSON_ArrayForEach(step, list)
        if (!read_steps(step, key, what, read, arena, out, err))
            return false;
    return true;
}

bool wb_steps_read(const cJSON *json, const char *key, const char *what,
                   bool (*read)(const cJSON *json, const char *type, struct wb_arena *arena,
                                struct wb_text_step *out, struct wb_err *err),
                   struct wb_arena *arena, struct wb_text_steps *out, struct wb_err *err)
{
    if (json == NULL || cJSON_IsNull(json))
        return true;
    if (!cJSON_IsObject(json))
        return wb_fail(err, WB_EFORMAT, "%s: an object or null is expected", what);
    return read_steps(json, key, what, read, arena, out, err);
}

void wb_steps_free(struct wb_text_steps *s)
{
    for (size_t i = 0; i < s->count; i++)
        wb_regex_free(s->step[i].regex);
    s->count = 0;
}

struct wb_regex *wb_pattern_read(const cJSON *step, struct wb_err *err)
{
    const cJSON *pattern = cJSON_GetObjectItemCaseSensitive(step, "pattern");
    const char *regex = wb_json_text(pattern, "Regex", NULL);
    const char *literal = wb_json_text(pattern, "String", NULL);

    if (regex == NULL && (literal == NULL || literal[0] == '\0')) {
        wb_fail(err, WB_EFORMAT, "no pattern");
        return NULL;
    }
    return wb_regex_new(regex != NULL ? regex : literal, regex == NULL, err);
}

bool wb_pieces_add(struct wb_pieces *p, const char *text, size_t n, struct wb_err *err)
{
    size_t from = p->text.len;

    wb_str_add_n(&p->text, text, n);
    return wb_str_ok(&p->text, err) && wb_spans_add(&p->at, from, from + n, false, err);
}

void wb_pieces_clear(struct wb_pieces *p)
{
    p->text.len = 0;
    p->at.count = 0;
    p->behind = false;
}

void wb_pieces_free(struct wb_pieces *p)
{
    wb_str_free(&p->text);
    wb_spans_free(&p->at);
}
