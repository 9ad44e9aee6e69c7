/* lua/bind/complete.c - completion: where the cursor stands among the tokens before it, and what
 * fits there. */
#include "lua/bind/complete.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/core/json.h"
#include "app/core/str.h"
#include "app/store/locate.h"
#include "lua/bind/internal.h"
#include "lua/bind/lex.h"

#define NESTING_MAX 64
#define ENTRIES_MAX 10000 /* of a directory */

/* The snapshot. */

static int complete_data(lua_State *L)
{
    cJSON **json = lua_touserdata(L, 1);

    wb_vm_push_function(L, "wb.complete", "data");
    lua_call(L, 0, 1);
    wb_lua_to_json(L, -1, json);
    return 0;
}

cJSON *wb_vm_complete_data(struct wb_vm *vm, struct wb_err *err)
{
    cJSON *json = NULL;

    wb_vm_refill(vm);
    if (wb_vm_protected(vm, complete_data, &json, err))
        return json;
    cJSON_Delete(json);
    return NULL;
}

/* Candidates. */

struct finder {
    const cJSON *data;
    const char *text;
    struct wb_token *token; /* up to the cursor, its own word left out; the last is the end */
    size_t tokens;
    const char *typed; /* the word at the cursor, as far as it goes */
    size_t typed_n;
    struct wb_completion *out;
    size_t room;
    bool failed;
};

static void add(struct finder *f, const char *text, const char *detail, const char *doc)
{
    struct wb_completion *c = f->out;
    struct wb_completion_item *more, *item;

    if (strlen(text) < f->typed_n || memcmp(text, f->typed, f->typed_n) != 0)
        return;
    for (size_t i = 0; i < c->items; i++)
        if (strcmp(c->item[i].text, text) == 0)
            return;
    if (c->items == f->room) {
        f->room = f->room == 0 ? 64 : 2 * f->room;
        more = wb_arena_calloc(&c->arena, f->room, sizeof *more);
        if (more != NULL && c->items > 0)
            memcpy(more, c->item, c->items * sizeof *more);
        if (more == NULL) {
            f->failed = true;
            return;
        }
        c->item = more;
    }
    item = &c->item[c->items];
    item->text = wb_arena_strdup(&c->arena, text);
    item->detail = wb_arena_strdup(&c->arena, detail);
    item->doc = wb_arena_strdup(&c->arena, doc);
    if (item->text == NULL || item->detail == NULL || item->doc == NULL)
        f->failed = true;
    else
        c->items++;
}

static int compare_items(const void *a, const void *b)
{
    return strcmp(((const struct wb_completion_item *)a)->text,
                  ((const struct wb_completion_item *)b)->text);
}

static void sort(struct wb_completion *c)
{
    if (c->items > 1)
        qsort(c->item, c->items, sizeof *c->item, compare_items);
}

/* Every entry of a list of the snapshot; fields: those without arguments only, methods: the
 * others. */
static void add_docs(struct finder *f, const char *list, bool fields, bool methods)
{
    const cJSON *e;

    cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(f->data, list)) {
        const char *signature = wb_json_text(e, "signature", "");
        bool is_method = strpbrk(signature, "({") != NULL;

        if (is_method ? methods : fields)
            add(f, wb_json_text(e, "name", ""), signature, wb_json_text(e, "doc", ""));
    }
}

static void add_methods(struct finder *f, const char *kind)
{
    const cJSON *p;

    cJSON_ArrayForEach(p, cJSON_GetObjectItemCaseSensitive(f->data, "plugins"))
        if (strcmp(wb_json_text(p, "kind", ""), kind) == 0)
            add(f, wb_json_text(p, "name", ""), kind, wb_json_text(p, "doc", ""));
}

static const cJSON *find_plugin(const struct finder *f, const char *kind, const char *name)
{
    const cJSON *p;

    cJSON_ArrayForEach(p, cJSON_GetObjectItemCaseSensitive(f->data, "plugins"))
        if (strcmp(wb_json_text(p, "kind", ""), kind) == 0 &&
            strcmp(wb_json_text(p, "name", ""), name) == 0)
            return p;
    return NULL;
}

/* "0.2, 0 to 1, one for each model" */
static void describe_param(const cJSON *spec, struct wb_str *out)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(spec, "default"),
                *min = cJSON_GetObjectItemCaseSensitive(spec, "min"),
                *max = cJSON_GetObjectItemCaseSensitive(spec, "max"),
                *choices = cJSON_GetObjectItemCaseSensitive(spec, "choices");
    char *text = value == NULL ? NULL : cJSON_PrintUnformatted(value);

    wb_str_add(out, text == NULL ? wb_json_text(spec, "type", "") : text);
    cJSON_free(text);
    text = cJSON_IsArray(choices) ? cJSON_PrintUnformatted(choices) : NULL;
    if (text != NULL)
        wb_str_printf(out, ", one of %s", text);
    else if (cJSON_IsNumber(min) && cJSON_IsNumber(max))
        wb_str_printf(out, ", %g to %g", min->valuedouble, max->valuedouble);
    else if (cJSON_IsNumber(min))
        wb_str_printf(out, ", from %g on", min->valuedouble);
    else if (cJSON_IsNumber(max))
        wb_str_printf(out, ", up to %g", max->valuedouble);
    cJSON_free(text);
    if (cJSON_GetObjectItemCaseSensitive(spec, "per") != NULL)
        wb_str_add(out, ", one for each model");
}

static void add_specs(struct finder *f, const cJSON *specs)
{
    const cJSON *spec;

    cJSON_ArrayForEach(spec, specs) {
        struct wb_str detail = { 0 };

        wb_str_add(&detail, "");
        describe_param(spec, &detail);
        if (!detail.failed)
            add(f, spec->string, detail.text, wb_json_text(spec, "doc", ""));
        wb_str_free(&detail);
    }
}

/* Where the cursor stands. */

/* An open bracket: of which call, with which string first, and where in it. */
struct frame {
    char bracket;
    size_t at;        /* its token */
    const char *call; /* "merge" of wb.merge( or wb.merge{, NULL: of none */
    size_t call_n;
    const struct wb_token *first; /* the first string in a call, NULL: none yet */
};

static bool is(const struct finder *f, size_t i, const char *word)
{
    return i < f->tokens && wb_token_is(f->text, &f->token[i], word);
}

/* Tokens up to i are `wb . NAME`: the name. */
static const struct wb_token *wb_name(const struct finder *f, size_t i)
{
    if (i >= 2 && i < f->tokens && f->token[i].kind == WB_TOKEN_NAME && is(f, i - 1, ".") &&
        is(f, i - 2, "wb"))
        return &f->token[i];
    return NULL;
}

static void open_frame(const struct finder *f, struct frame *frame, char bracket, size_t i)
{
    const struct wb_token *name = i > 0 ? wb_name(f, i - 1) : NULL;

    *frame = (struct frame){ .bracket = bracket, .at = i };
    if (name != NULL) {
        frame->call = f->text + name->first;
        frame->call_n = name->last - name->first;
    }
}

/* The brackets that are open at the cursor, outermost first. */
static size_t open_frames(const struct finder *f, struct frame *frame)
{
    size_t depth = 0;

    for (size_t i = 0; i + 1 < f->tokens; i++) {
        const struct wb_token *t = &f->token[i];
        char c = f->text[t->first];

        if (t->kind == WB_TOKEN_STRING && depth > 0 && frame[depth - 1].bracket == '(' &&
            frame[depth - 1].first == NULL)
            frame[depth - 1].first = t;
        if (t->kind != WB_TOKEN_OTHER || t->last - t->first != 1)
            continue;
        if (strchr("({[", c) != NULL && depth < NESTING_MAX)
            open_frame(f, &frame[depth++], c, i);
        else if (strchr(")}]", c) != NULL && depth > 0)
            depth--;
    }
    return depth;
}

static bool calls(const struct frame *frame, const char *name)
{
    return frame->call != NULL && strlen(name) == frame->call_n &&
           memcmp(frame->call, name, frame->call_n) == 0;
}

static const char *step_kind(const struct frame *frame)
{
    static const char *const kind[] = { "merge", "protect", "compress", "inspect" };

    for (size_t i = 0; i < sizeof kind / sizeof kind[0]; i++)
        if (calls(frame, kind[i]))
            return kind[i];
    return NULL;
}

/* The plugin in whose table of parameters the innermost bracket is. */
static const cJSON *plugin_at(const struct finder *f, const struct frame *frame, size_t depth)
{
    const cJSON *plugin = NULL;
    const char *kind;
    char *name;
    size_t n;

    if (depth < 2 || frame[depth - 1].bracket != '{' || frame[depth - 2].bracket != '(' ||
        frame[depth - 2].first == NULL)
        return NULL;
    kind = step_kind(&frame[depth - 2]);
    name = kind == NULL ? NULL : wb_token_string(f->text, frame[depth - 2].first, &n);
    if (name != NULL)
        plugin = find_plugin(f, kind, name);
    free(name);
    return plugin;
}

static void add_words(struct finder *f, const char *const *word, const char *detail)
{
    for (; *word != NULL; word++)
        add(f, *word, detail, "");
}

/* Behind '{' or ',' in a table of options: its keys. */
static bool add_keys(struct finder *f, const struct frame *frame, size_t depth)
{
    static const char *const of_knob[] = { "choices", "doc", "max", "min", "secret", "step", NULL };
    static const char *const of_open[] = { "lora", "scale", NULL };
    static const char *const of_stack[] = { "model", "layers", "scale", NULL };
    static const char *const of_merge[] = { "base", "models", NULL };
    static const char *const of_compare[] = { "base", "match", "sample", NULL };
    static const char *const of_stats[] = { "match", "sample", NULL };
    const cJSON *plugin = plugin_at(f, frame, depth);
    size_t last = f->tokens - 2;

    if (depth == 0 || frame[depth - 1].bracket != '{' || (!is(f, last, "{") && !is(f, last, ",")))
        return false;
    if (plugin != NULL) {
        const char *kind = wb_json_text(plugin, "kind", "");

        add_specs(f, cJSON_GetObjectItemCaseSensitive(plugin, "params"));
        if (strcmp(kind, "merge") == 0)
            add_words(f, of_merge, "model");
        add_specs(f, cJSON_GetObjectItemCaseSensitive(
                         cJSON_GetObjectItemCaseSensitive(f->data, "common"), kind));
        return true;
    }
    if (depth >= 2 && calls(&frame[depth - 2], "knob"))
        add_words(f, of_knob, "");
    else if (depth >= 2 && calls(&frame[depth - 2], "open"))
        add_words(f, of_open, "");
    else if (depth >= 2 && calls(&frame[depth - 2], "compare"))
        add_words(f, of_compare, "");
    else if (depth >= 2 && calls(&frame[depth - 2], "stats"))
        add_words(f, of_stats, "");
    else if (depth >= 2 && calls(&frame[depth - 2], "stack"))
        add_words(f, of_stack, "");
    return f->out->items > 0;
}

/* A name that the text makes a model: local NAME = wb.open … */
static bool is_model(const struct finder *f, const struct wb_token *name)
{
    static const char *const maker[] = { "open", "merge", "protect", "compress", "stack", NULL };
    size_t n = name->last - name->first;

    for (size_t i = 0; i + 4 < f->tokens; i++) {
        const struct wb_token *t = &f->token[i];

        if (t->kind != WB_TOKEN_NAME || t->last - t->first != n ||
            memcmp(f->text + t->first, f->text + name->first, n) != 0 || !is(f, i + 1, "=") ||
            wb_name(f, i + 4) == NULL)
            continue;
        for (const char *const *m = maker; *m != NULL; m++)
            if (is(f, i + 4, *m))
                return true;
    }
    return false;
}

/* Names that the text has as locals, and what every script has. */
static void add_locals(struct finder *f)
{
    static const char *const common[] = { "local", "return", "function", "wb", NULL };

    for (size_t i = 0; i + 1 < f->tokens; i++)
        if (f->token[i].kind == WB_TOKEN_NAME && i > 0 &&
            (is(f, i - 1, "local") || is(f, i - 1, ",") || is(f, i - 1, "function")) &&
            f->token[i].last - f->token[i].first < 200) {
            char name[200];

            snprintf(name, sizeof name, "%.*s", (int)(f->token[i].last - f->token[i].first),
                     f->text + f->token[i].first);
            add(f, name, "local", "");
        }
    if (f->typed_n > 0)
        add_words(f, common, "");
}

static void complete_word(struct finder *f)
{
    struct frame frame[NESTING_MAX];
    size_t depth, last = f->tokens - 2; /* the token before the word; SIZE_MAX: none */

    if (f->tokens >= 3 && is(f, last, ".") && is(f, last - 1, "wb")) {
        add_docs(f, "wb", true, true);
        return;
    }
    if (f->tokens >= 3 && is(f, last, ":")) {
        add_docs(f, "model", false, true);
        if (f->token[last - 1].kind != WB_TOKEN_NAME || !is_model(f, &f->token[last - 1]))
            add_docs(f, "tensor", false, true);
        return;
    }
    if (f->tokens >= 3 && is(f, last, ".")) {
        add_docs(f, "model", true, false);
        return;
    }
    depth = open_frames(f, frame);
    if (f->tokens < 2 || !add_keys(f, frame, depth))
        add_locals(f);
}

/* Names of knobs the text declares. */
static void add_knobs(struct finder *f)
{
    for (size_t i = 4; i + 1 < f->tokens; i++) {
        char *name;
        size_t n;

        if (f->token[i].kind != WB_TOKEN_STRING || !is(f, i - 1, "(") || !is(f, i - 2, "knob"))
            continue;
        name = wb_token_string(f->text, &f->token[i], &n);
        if (name != NULL)
            add(f, name, "knob", "");
        free(name);
    }
}

static void take(struct finder *f, struct wb_completion *from)
{
    for (size_t i = 0; i < from->items; i++)
        add(f, from->item[i].text, from->item[i].detail, from->item[i].doc);
    wb_completion_free(from);
}

/* Choices of the parameter in `NAME = "`. */
static void add_choices(struct finder *f)
{
    struct frame frame[NESTING_MAX];
    size_t depth = open_frames(f, frame), last = f->tokens - 2;
    const cJSON *plugin = plugin_at(f, frame, depth), *specs[2], *choice;
    char name[100];

    if (plugin == NULL || f->tokens < 3 || !is(f, last, "="))
        return;
    snprintf(name, sizeof name, "%.*s", (int)(f->token[last - 1].last - f->token[last - 1].first),
             f->text + f->token[last - 1].first);
    specs[0] = cJSON_GetObjectItemCaseSensitive(plugin, "params");
    specs[1] = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(f->data, "common"),
                                                wb_json_text(plugin, "kind", ""));
    for (size_t i = 0; i < 2; i++)
        cJSON_ArrayForEach(choice, cJSON_GetObjectItemCaseSensitive(
                                       cJSON_GetObjectItemCaseSensitive(specs[i], name), "choices"))
            if (cJSON_IsString(choice))
                add(f, choice->valuestring, name, "");
}

/* The word is within a string: what the string is for. */
static void complete_string(struct finder *f, struct wb_err *err)
{
    static const char *const kind[] = { "merge", "protect", "compress", "inspect" };
    size_t last = f->tokens - 2;
    struct wb_completion more;
    bool found = false;
    char *typed;

    if (f->tokens < 2 || f->typed[-1] == '[') /* a long string is prose */
        return;
    if (is(f, last, "(") && last > 0)
        last--;
    for (size_t i = 0; i < sizeof kind / sizeof kind[0]; i++)
        if (wb_name(f, last) != NULL && is(f, last, kind[i]))
            add_methods(f, kind[i]);
    if (wb_name(f, last) != NULL && is(f, last, "knob"))
        add_knobs(f);
    typed = strndup(f->typed, f->typed_n);
    if (typed != NULL && wb_name(f, last) != NULL && is(f, last, "open"))
        found = wb_complete_model(typed, &more, err);
    else if (typed != NULL && ((wb_name(f, last) != NULL && is(f, last, "read_text")) ||
                               (is(f, last, "=") && last > 0 && is(f, last - 1, "lora"))))
        found = wb_complete_path(typed, &more, err);
    if (found)
        take(f, &more);
    free(typed);
    add_choices(f);
}

bool wb_complete_lua(const cJSON *data, const char *text, size_t n, size_t cursor,
                     struct wb_completion *out, struct wb_err *err)
{
    struct finder f = { .data = data, .text = text, .out = out };
    struct wb_token *last;
    struct wb_lex lex;
    struct wb_token t;

    *out = (struct wb_completion){ 0 };
    if (cursor > n)
        cursor = n;
    wb_lex_init(&lex, text, cursor);
    do { /* nothing fits within a comment */
        t = wb_lex_next(&lex);
        if (t.kind == WB_TOKEN_COMMENT && t.last == cursor && t.unfinished)
            return true;
    } while (t.kind != WB_TOKEN_END);
    f.token = wb_lex_all(text, cursor, &f.tokens);
    if (f.token == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory to complete");
    out->first = out->last = cursor;
    last = f.tokens >= 2 ? &f.token[f.tokens - 2] : NULL;
    if (last != NULL && last->kind == WB_TOKEN_STRING && last->unfinished) {
        out->first = last->first + 1;
        f.typed = text + out->first;
        f.typed_n = cursor - out->first;
        f.token[--f.tokens - 1].kind = WB_TOKEN_END;
        complete_string(&f, err);
    } else {
        if (last != NULL && last->last == cursor &&
            (last->kind == WB_TOKEN_NAME || last->kind == WB_TOKEN_KEYWORD)) {
            out->first = last->first;
            f.token[--f.tokens - 1].kind = WB_TOKEN_END;
        }
        f.typed = text + out->first;
        f.typed_n = cursor - out->first;
        if (last == NULL || last->kind != WB_TOKEN_NUMBER || last->last != cursor)
            complete_word(&f);
    }
    free(f.token);
    sort(out);
    return !f.failed || wb_fail(err, WB_ENOMEM, "no memory to complete");
}

/* Paths and models. */

static bool is_hidden(const char *name, const char *typed)
{
    return name[0] == '.' && typed[0] != '.';
}

/* Entries of the directory that `typed` names, as they would be typed. */
static void add_entries(struct finder *f, const char *typed)
{
    const char *slash = strrchr(typed, '/'), *home = getenv("HOME");
    int n = slash == NULL ? 0 : (int)(slash + 1 - typed);
    struct wb_str dir = { 0 }, path = { 0 };
    struct dirent *e;
    struct stat st;
    DIR *d;
    int seen = 0;

    if (typed[0] == '~' && typed[1] == '/' && home != NULL)
        wb_str_printf(&dir, "%s%.*s", home, n - 1, typed + 1);
    else
        wb_str_printf(&dir, "%.*s", n, n > 0 ? typed : "");
    d = dir.failed ? NULL : opendir(n > 0 ? dir.text : ".");
    while (d != NULL && seen++ < ENTRIES_MAX && (e = readdir(d)) != NULL) {
        bool is_dir;

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            is_hidden(e->d_name, typed + n))
            continue;
        is_dir = fstatat(dirfd(d), e->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode);
        path.len = 0;
        wb_str_printf(&path, "%.*s%s%s", n, typed, e->d_name, is_dir ? "/" : "");
        if (!path.failed)
            add(f, path.text, is_dir ? "directory" : "file", "");
    }
    if (d != NULL)
        closedir(d);
    wb_str_free(&dir);
    wb_str_free(&path);
}

static bool complete_names(const char *typed, bool models, struct wb_completion *out,
                           struct wb_err *err)
{
    const char *plus = models ? strrchr(typed, '+') : NULL, *part = plus == NULL ? typed : plus + 1;
    struct finder f = { .typed = part, .typed_n = strlen(part), .out = out };
    const char **hub;
    size_t n = 0;

    *out = (struct wb_completion){ .first = (size_t)(part - typed), .last = strlen(typed) };
    add_entries(&f, part);
    hub = models ? wb_locate_hub_list(&out->arena, &n) : NULL;
    for (size_t i = 0; i < n; i++)
        add(&f, hub[i], "in the hub cache", "");
    sort(out);
    return !f.failed || wb_fail(err, WB_ENOMEM, "no memory to complete");
}

bool wb_complete_model(const char *typed, struct wb_completion *out, struct wb_err *err)
{
    return complete_names(typed, true, out, err);
}

bool wb_complete_path(const char *typed, struct wb_completion *out, struct wb_err *err)
{
    return complete_names(typed, false, out, err);
}

void wb_completion_free(struct wb_completion *c)
{
    wb_arena_free(&c->arena);
    *c = (struct wb_completion){ 0 };
}
