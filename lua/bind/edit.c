/* lua/bind/edit.c - text edits found among tokens, so that strings and comments never mislead. */
#include "lua/bind/edit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/json.h"
#include "app/core/str.h"
#include "lua/bind/lex.h"
#include "lua/bind/literal.h"

struct source {
    const char *text;
    struct wb_token *token;
    size_t tokens; /* the end is the last of them */
};

static bool is(const struct source *s, size_t i, const char *word)
{
    return i < s->tokens && wb_token_is(s->text, &s->token[i], word);
}

static bool finish(struct wb_text_edit *out, struct wb_str *text, struct wb_err *err)
{
    if (text->failed) {
        wb_str_free(text);
        return wb_fail(err, WB_ENOMEM, "no memory for an edit");
    }
    out->text = text->text;
    return true;
}

/* The last return. */

static int opens(const struct source *s, size_t i)
{
    static const char *const open[] = { "function", "if", "do", "repeat", "(", "{", "[" };
    static const char *const close[] = { "end", "until", ")", "}", "]" };

    for (size_t k = 0; k < sizeof open / sizeof open[0]; k++)
        if (is(s, i, open[k]))
            return 1;
    for (size_t k = 0; k < sizeof close / sizeof close[0]; k++)
        if (is(s, i, close[k]))
            return -1;
    return 0;
}

/* Token of the return that ends the script; s->tokens: there is none. */
static size_t find_return(const struct source *s)
{
    size_t found = s->tokens;
    int depth = 0;

    for (size_t i = 0; i + 1 < s->tokens; i++) {
        depth += opens(s, i);
        if (depth == 0 && is(s, i, "return"))
            found = i;
    }
    return found;
}

/* What a model that a step made is called. */
static const char *name_of(const struct source *s, size_t i)
{
    static const char *const name[][2] = {
        { "merge", "merged" },  { "protect", "protected" }, { "compress", "compressed" },
        { "stack", "stacked" }, { "open", "opened" },
    };

    if (is(s, i, "wb") && is(s, i + 1, "."))
        for (size_t k = 0; k < sizeof name / sizeof name[0]; k++)
            if (is(s, i + 2, name[k][0]))
                return name[k][1];
    return "model";
}

static bool has_name(const struct source *s, const char *name)
{
    for (size_t i = 0; i < s->tokens; i++)
        if (s->token[i].kind == WB_TOKEN_NAME && is(s, i, name))
            return true;
    return false;
}

/* A name that the text does not have, from the one wanted. */
static void fresh_name(const struct source *s, const char *wanted, char *out, size_t size)
{
    snprintf(out, size, "%s", wanted);
    for (int n = 2; has_name(s, out); n++)
        snprintf(out, size, "%s%d", wanted, n);
}

/* A step in Lua. */

/* A default as Lua would write it; false for one that cannot be. */
static bool add_value(struct wb_str *out, const cJSON *value)
{
    const cJSON *item;

    if (cJSON_IsNumber(value)) {
        wb_lua_number(out, value->valuedouble);
    } else if (cJSON_IsBool(value)) {
        wb_str_add(out, cJSON_IsTrue(value) ? "true" : "false");
    } else if (cJSON_IsString(value)) {
        wb_lua_quote(out, value->valuestring, strlen(value->valuestring));
    } else if (cJSON_IsArray(value)) {
        wb_str_add(out, "{");
        cJSON_ArrayForEach(item, value) {
            if (item != value->child)
                wb_str_add(out, ", ");
            if (!add_value(out, item))
                return false;
        }
        wb_str_add(out, "}");
    } else {
        return false;
    }
    return true;
}

static void add_range(struct wb_str *out, const cJSON *spec)
{
    const cJSON *min = cJSON_GetObjectItemCaseSensitive(spec, "min"),
                *max = cJSON_GetObjectItemCaseSensitive(spec, "max"),
                *choices = cJSON_GetObjectItemCaseSensitive(spec, "choices"), *c;

    if (cJSON_IsArray(choices)) {
        cJSON_ArrayForEach(c, choices) {
            wb_str_add(out, c == choices->child ? "" : " | ");
            add_value(out, c);
        }
        wb_str_add(out, ": ");
    } else if (cJSON_IsNumber(min) && cJSON_IsNumber(max)) {
        wb_str_printf(out, "%g to %g: ", min->valuedouble, max->valuedouble);
    } else if (cJSON_IsNumber(min)) {
        wb_str_printf(out, "from %g: ", min->valuedouble);
    } else if (cJSON_IsNumber(max)) {
        wb_str_printf(out, "up to %g: ", max->valuedouble);
    }
}

/* Line breaks of a doc must not end its comment. */
static void add_comment(struct wb_str *out, const cJSON *spec)
{
    const char *doc = wb_json_text(spec, "doc", "");

    wb_str_add(out, " -- ");
    add_range(out, spec);
    for (; *doc != '\0'; doc++)
        wb_str_add_n(out, *doc == '\n' || *doc == '\r' ? " " : doc, 1);
    if (cJSON_GetObjectItemCaseSensitive(spec, "per") != NULL)
        wb_str_add(out, "; a list is one for each model");
}

/* A value for a parameter without a default: the middle of its range, or what its type begins
 * with. */
static bool add_required(struct wb_str *out, const cJSON *spec, const char *model)
{
    const cJSON *min = cJSON_GetObjectItemCaseSensitive(spec, "min"),
                *max = cJSON_GetObjectItemCaseSensitive(spec, "max"),
                *choices = cJSON_GetObjectItemCaseSensitive(spec, "choices");
    const char *type = wb_json_text(spec, "type", "");

    if (cJSON_IsArray(choices) && choices->child != NULL)
        return add_value(out, choices->child);
    if (strcmp(type, "number") == 0 || strcmp(type, "integer") == 0) {
        double low = cJSON_IsNumber(min) ? min->valuedouble : 0,
               high = cJSON_IsNumber(max) ? max->valuedouble : low + 1;

        wb_lua_number(out, strcmp(type, "integer") == 0 ? low : (low + high) / 2);
    } else if (strcmp(type, "boolean") == 0) {
        wb_str_add(out, "false");
    } else if (strcmp(type, "string") == 0) {
        wb_str_add(out, "\"\"");
    } else if (strcmp(type, "model") == 0) {
        wb_str_add(out, model);
    } else {
        return false;
    }
    return true;
}

/* A secret has no place in a script that is kept beside the output. */
static void add_secret(struct wb_str *out, const char *name)
{
    wb_str_add(out, "wb.knob(");
    wb_lua_quote(out, name, strlen(name));
    wb_str_add(out, ", \"change me\", {secret = true})");
}

static void add_param(struct wb_str *out, const cJSON *spec, const char *model)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(spec, "default");
    struct wb_str text = { 0 };
    bool written;

    wb_str_add(&text, "");
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(spec, "secret"))) {
        add_secret(&text, spec->string);
        written = true;
    } else if (value != NULL && !cJSON_IsNull(value)) {
        written = add_value(&text, value);
    } else {
        written = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(spec, "required")) &&
                  add_required(&text, spec, model);
    }
    if (written && !text.failed)
        wb_str_printf(out, "  %s = %s,", spec->string, text.text);
    else
        wb_str_printf(out, "  -- %s = …,", spec->string);
    add_comment(out, spec);
    wb_str_add(out, "\n");
    wb_str_free(&text);
}

static void add_inputs(struct wb_str *out, const cJSON *plugin, const char *model)
{
    double least = wb_json_number(cJSON_GetObjectItemCaseSensitive(plugin, "models"), "min", 1);

    wb_str_add(out, "  ");
    if (strcmp(wb_json_text(plugin, "base", ""), "none") != 0)
        wb_str_printf(out, "base = %s, ", model);
    wb_str_printf(out, "models = {%s", model);
    for (int i = 1; i < least && i < 16; i++)
        wb_str_printf(out, ", %s", model);
    wb_str_add(out, "}, -- put the models to merge here\n");
}

/* wb.merge("ties", {…}) on the model of that name. */
static void add_step(struct wb_str *out, const cJSON *plugin, const char *model)
{
    const char *kind = wb_json_text(plugin, "kind", ""), *name = wb_json_text(plugin, "name", "");
    const cJSON *params = cJSON_GetObjectItemCaseSensitive(plugin, "params"), *spec;
    bool merge = strcmp(kind, "merge") == 0;

    wb_str_printf(out, "wb.%s(", kind);
    wb_lua_quote(out, name, strlen(name));
    if (!merge)
        wb_str_printf(out, ", %s", model);
    if (!merge && cJSON_GetArraySize(params) == 0) {
        wb_str_add(out, ")");
        return;
    }
    wb_str_add(out, ", {\n");
    if (merge)
        add_inputs(out, plugin, model);
    cJSON_ArrayForEach(spec, params)
        add_param(out, spec, model);
    wb_str_add(out, "})");
}

static bool insert_step(const struct source *s, const cJSON *plugin, struct wb_text_edit *out,
                        struct wb_err *err)
{
    size_t at = find_return(s), last = s->tokens - 2;
    struct wb_str text = { 0 };
    char name[100];

    if (at == s->tokens)
        return wb_fail(err, WB_EARG, "the script has no return to put a step before");
    if (is(s, last, ";"))
        last--;
    if (last <= at)
        return wb_fail(err, WB_EARG, "line %d: the script returns nothing", s->token[at].line);
    out->first = s->token[at].first;
    out->last = s->token[last].last;
    out->line = s->token[at].line;
    if (last == at + 1 && s->token[last].kind == WB_TOKEN_NAME) {
        snprintf(name, sizeof name, "%.*s", (int)(s->token[last].last - s->token[last].first),
                 s->text + s->token[last].first);
    } else {
        fresh_name(s, name_of(s, at + 1), name, sizeof name);
        wb_str_printf(&text, "local %s = %.*s\n", name,
                      (int)(s->token[last].last - s->token[at + 1].first),
                      s->text + s->token[at + 1].first);
        out->line += s->token[last].line - s->token[at + 1].line + 1;
    }
    wb_str_add(&text, "return ");
    add_step(&text, plugin, name);
    return finish(out, &text, err);
}

bool wb_edit_insert_step(const char *text, size_t n, const cJSON *plugin, struct wb_text_edit *out,
                         struct wb_err *err)
{
    struct source s = { .text = text };
    const char *kind = wb_json_text(plugin, "kind", "");
    bool ok;

    *out = (struct wb_text_edit){ 0 };
    if (strcmp(kind, "merge") != 0 && strcmp(kind, "protect") != 0 && strcmp(kind, "compress") != 0)
        return wb_fail(err, WB_EARG, "'%s' gives a report, not a model: it is no step",
                       wb_json_text(plugin, "name", ""));
    s.token = wb_lex_all(text, n, &s.tokens);
    if (s.token == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for an edit");
    ok = insert_step(&s, plugin, out, err);
    free(s.token);
    return ok;
}

/* Knobs. */

static bool is_string(const struct source *s, size_t i, const char *text)
{
    char *got;
    size_t n;
    bool same;

    if (i >= s->tokens || s->token[i].kind != WB_TOKEN_STRING)
        return false;
    got = wb_token_string(s->text, &s->token[i], &n);
    same = got != NULL && n == strlen(text) && memcmp(got, text, n) == 0;
    free(got);
    return same;
}

/* Token of the default of the knob's (next) declaration from i on; s->tokens: there is none. */
static size_t find_default(const struct source *s, const char *name, size_t i)
{
    for (; i + 5 < s->tokens; i++)
        if (is(s, i, "knob") && is(s, i + 1, "(") && is_string(s, i + 2, name) && is(s, i + 3, ","))
            return i + 4;
    return s->tokens;
}

static void add_knob_value(struct wb_str *out, const struct wb_knob *knob)
{
    if (knob->kind == WB_KNOB_NUMBER)
        wb_lua_number(out, knob->number);
    else if (knob->kind == WB_KNOB_BOOL)
        wb_str_add(out, knob->number != 0 ? "true" : "false");
    else
        wb_lua_quote(out, knob->text == NULL ? "" : knob->text,
                     knob->text == NULL ? 0 : strlen(knob->text));
}

static bool set_knob(const struct source *s, const struct wb_knob *knob, struct wb_text_edit *out,
                     struct wb_err *err)
{
    size_t i = find_default(s, knob->name, 0), end = i + 1;
    struct wb_str text = { 0 };
    bool plain;

    if (i == s->tokens)
        return wb_fail(err, WB_ENOTFOUND, "the script has no wb.knob(\"%s\", …) to change",
                       knob->name);
    if (is(s, i, "-"))
        end++;
    plain = s->token[end - 1].kind == WB_TOKEN_NUMBER ||
            (end == i + 1 &&
             (s->token[i].kind == WB_TOKEN_STRING || is(s, i, "true") || is(s, i, "false")));
    if (!plain || (!is(s, end, ",") && !is(s, end, ")")))
        return wb_fail(err, WB_EARG,
                       "line %d: the default of knob '%s' is worked out by the script",
                       s->token[i].line, knob->name);
    if (find_default(s, knob->name, i) != s->tokens)
        return wb_fail(err, WB_EARG, "knob '%s' is declared more than once", knob->name);
    out->first = s->token[i].first;
    out->last = s->token[end - 1].last;
    out->line = s->token[i].line;
    add_knob_value(&text, knob);
    return finish(out, &text, err);
}

bool wb_edit_knob(const char *text, size_t n, const struct wb_knob *knob, struct wb_text_edit *out,
                  struct wb_err *err)
{
    struct source s = { .text = text };
    bool ok;

    *out = (struct wb_text_edit){ 0 };
    s.token = wb_lex_all(text, n, &s.tokens);
    if (s.token == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for an edit");
    ok = set_knob(&s, knob, out, err);
    free(s.token);
    return ok;
}

void wb_text_edit_free(struct wb_text_edit *edit)
{
    free(edit->text);
    *edit = (struct wb_text_edit){ 0 };
}
