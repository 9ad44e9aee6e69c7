/* views/view_pipeline_text.c - what is done to the pipeline's text: completion, $EDITOR, a first
 * script. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/core/io.h"
#include "app/core/json.h"
#include "app/probe/relation.h"
#include "lua/bind/complete.h"
#include "lua/bind/literal.h"
#include "views/view_pipeline.h"

bool wb_pipe_replace(struct wb_doc *d, size_t first, size_t last, const char *text,
                     struct wb_err *err)
{
    struct wb_range range = { wb_document_at_offset(d->text, first),
                              wb_document_at_offset(d->text, last) };

    return wb_document_replace(d->text, range, text, strlen(text), WB_EDIT_STEP, NULL, err);
}

void wb_pipe_say_error(const char *text, int line, struct wb_str *out)
{
    const char *after = NULL;
    char place[20];

    if (line > 0) {
        snprintf(place, sizeof place, ":%d: ", line);
        after = strstr(text, place);
    }
    text = after != NULL ? after + strlen(place) : text;
    wb_str_add_n(out, text, strcspn(text, "\n"));
}

/* Completion: the candidates of lua/bind for the whole text, as the editor wants them */

/* A candidate for bytes [first, cursor) as one for [from, cursor), what the editor replaces. */
static void add(struct wb_complete *out, const struct wb_completion_item *item, const char *text,
                size_t first, size_t from)
{
    struct wb_str whole = { 0 }, doc = { 0 };
    const char *insert = item->text;

    if (from < first)
        wb_str_add_n(&whole, text + from, first - from);
    else if (strncmp(insert, text + first, from - first) == 0)
        insert += from - first;
    wb_str_add(&whole, insert);
    wb_str_printf(&doc, "%s%s%s", item->detail,
                  item->detail[0] != '\0' && item->doc[0] != '\0' ? "  " : "", item->doc);
    if (!whole.failed && !doc.failed)
        wb_complete_add(out, whole.text, "", doc.text);
    wb_str_free(&whole);
    wb_str_free(&doc);
}

static void complete(void *user, const struct wb_document *d, const struct wb_lua_place *place,
                     bool asked, struct wb_complete *out)
{
    const struct wb_desk *desk = user;
    size_t cursor = wb_document_offset(d, place->word.to);
    size_t from = wb_document_offset(d, place->word.from);
    struct wb_completion found = { 0 };
    struct wb_str text = { 0 };
    struct wb_err err;

    (void)asked;
    wb_document_text(d, &text);
    if (!text.failed && text.text != NULL &&
        wb_complete_lua(desk->complete_data, text.text, text.len, cursor, &found, &err))
        for (size_t i = 0; i < found.items; i++)
            add(out, &found.item[i], text.text, found.first, from);
    wb_completion_free(&found);
    wb_str_free(&text);
}

void wb_pipe_text_open(struct wb_pipe *p)
{
    struct wb_editor_completer completer = { .ask = complete, .user = p->desk };

    wb_editor_set_completer(p->editor, &completer);
}

/* $EDITOR */

#define EDITED_BYTES_MAX ((size_t)16 << 20)

const char *wb_pipe_file_name(const struct wb_doc *d)
{
    const char *path = wb_doc_name(d), *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

/* Only what differs is replaced, so that the cursor and the undo stay where they make sense. */
static bool take_text(struct wb_doc *d, const char *text, struct wb_err *err)
{
    struct wb_str old = { 0 }, middle = { 0 };
    size_t n = strlen(text), first = 0, tail = 0, last;
    bool ok = true;

    wb_document_text(d->text, &old);
    if (old.failed)
        return wb_fail(err, WB_ENOMEM, "no memory for the edited text");
    while (first < old.len && first < n && old.text[first] == text[first])
        first++;
    while (tail < old.len - first && tail < n - first &&
           old.text[old.len - 1 - tail] == text[n - 1 - tail])
        tail++;
    last = old.len - tail;
    while (first > 0 && old.text[first - 1] != '\n') /* whole lines: never half a character */
        first--;
    while (last < old.len && old.text[last] != '\n')
        last++;
    if (old.len != n || memcmp(old.text == NULL ? "" : old.text, text, n) != 0) {
        wb_str_add_n(&middle, text + first, n - (old.len - last) - first);
        ok = middle.failed
                 ? wb_fail(err, WB_ENOMEM, "no memory for the edited text")
                 : wb_pipe_replace(d, first, last, middle.text == NULL ? "" : middle.text, err);
    }
    wb_str_free(&old);
    wb_str_free(&middle);
    return ok;
}

static void edited(struct wb_desk *desk, const char *path)
{
    struct wb_err err;
    char *text = wb_read_file(path, EDITED_BYTES_MAX, NULL, &err), *dir = strdup(path);

    if (text == NULL || !take_text(desk->doc, text, &err))
        wb_desk_say(desk, WB_MESSAGE_ERROR, "%s", err.msg);
    free(text);
    if (dir != NULL) {
        *strrchr(dir, '/') = '\0';
        wb_remove_tree(dir, &err);
    }
    free(dir);
}

/* A directory that only this user can look into. */
static char *private_dir(struct wb_err *err)
{
    const char *run = getenv("XDG_RUNTIME_DIR"), *tmp = getenv("TMPDIR");
    const char *in = run != NULL && run[0] == '/'   ? run
                     : tmp != NULL && tmp[0] == '/' ? tmp
                                                    : "/tmp";
    char *dir = wb_path_join(in, "weightbench-XXXXXX");

    if (dir != NULL && mkdtemp(dir) != NULL)
        return dir;
    wb_fail(err, WB_EIO, "no directory for the editor in %s: %s", in, strerror(errno));
    free(dir);
    return NULL;
}

static bool write_for_editor(struct wb_pipe *p, struct wb_err *err)
{
    struct wb_desk *desk = p->desk;
    struct wb_str text = { 0 };
    char *path = wb_path_join(p->edit_dir, wb_pipe_file_name(desk->doc));
    bool ok;

    wb_document_text(desk->doc->text, &text);
    ok = path != NULL && !text.failed;
    if (!ok)
        wb_fail(err, WB_ENOMEM, "no memory for the editor");
    ok = ok && wb_write_file(path, text.text == NULL ? "" : text.text, text.len, err);
    wb_str_free(&text);
    if (!ok) {
        free(path);
        return false;
    }
    free(desk->external_edit);
    desk->external_edit = path;
    desk->edited = edited;
    return true;
}

void wb_pipe_external_end(struct wb_pipe *p)
{
    struct wb_err err;

    if (p->edit_dir != NULL && wb_is_dir(p->edit_dir))
        wb_remove_tree(p->edit_dir, &err);
    free(p->edit_dir);
    p->edit_dir = NULL;
}

void wb_pipe_external_edit(struct wb_pipe *p)
{
    struct wb_err err;

    wb_pipe_external_end(p);
    p->edit_dir = private_dir(&err);
    if (p->edit_dir == NULL || !write_for_editor(p, &err)) {
        wb_desk_say(p->desk, WB_MESSAGE_ERROR, "%s", err.msg);
        wb_pipe_external_end(p);
    }
}

/* A first script */

enum { MODELS_MAX = 16 };

/* Marked models, else all that are open; at most MODELS_MAX. */
static size_t chosen_models(const struct wb_desk *desk,
                            const struct wb_desk_model *chosen[MODELS_MAX])
{
    size_t marked = 0, n = 0;

    for (size_t i = 0; i < desk->models; i++)
        marked += desk->model[i]->marked && desk->model[i]->path != NULL;
    for (size_t i = 0; i < desk->models && n < MODELS_MAX; i++)
        if (desk->model[i]->path != NULL && desk->model[i]->err.code == WB_OK &&
            (marked < 2 || desk->model[i]->marked))
            chosen[n++] = desk->model[i];
    return n;
}

/* Which of them the others were made from; n: none is known to be. */
static size_t find_base(const struct wb_desk_model *const *chosen, size_t n)
{
    struct wb_model *all[MODELS_MAX];

    for (size_t i = 0; i < n; i++)
        all[i] = chosen[i]->model;
    for (size_t i = 0; i < n; i++) {
        int base = all[i] == NULL ? -1 : wb_relation_base(all[i], all, n);

        if (base >= 0 && (size_t)base != i)
            return (size_t)base;
    }
    return n;
}

static void add_open(struct wb_str *out, const char *path)
{
    wb_str_add(out, "wb.open ");
    wb_lua_quote(out, path, strlen(path));
}

static void add_experts(struct wb_str *out, const struct wb_desk_model *const *chosen, size_t n,
                        size_t base)
{
    if (base < n) {
        wb_str_add(out, "local base = ");
        add_open(out, chosen[base]->path);
        wb_str_add(out, "\n");
    }
    wb_str_add(out, "local models = {\n");
    for (size_t i = 0; i < n; i++) {
        if (i == base)
            continue;
        wb_str_add(out, "  ");
        add_open(out, chosen[i]->path);
        wb_str_add(out, ",\n");
    }
    wb_str_add(out, "}\n");
}

/* A linear merge of all: a knob a model, so that there is something to turn. */
static void add_linear(struct wb_str *out, const struct wb_desk_model *const *chosen, size_t n)
{
    wb_str_add(out, "local weight = {\n");
    for (size_t i = 0; i < n; i++) {
        wb_str_add(out, "  wb.knob(");
        wb_lua_quote(out, chosen[i]->name,
                     strcspn(chosen[i]->name, "=")); /* no name of a knob has it */
        wb_str_add(out,
                   ", 1, {min = 0, max = 2, step = 0.1, doc = \"its weight in the average\"}),\n");
    }
    wb_str_add(out, "}\n\nreturn wb.merge(\"linear\", {models = models, weight = weight})\n");
}

/* What a method asks of `base`: it needs one, takes none, or may have one. */
static bool wants_base(const cJSON *plugin)
{
    return plugin != NULL && strcmp(wb_json_text(plugin, "base", "none"), "none") != 0;
}

char *wb_pipe_starting_script(const struct wb_desk *desk, const cJSON *plugin)
{
    const struct wb_desk_model *chosen[MODELS_MAX];
    size_t n = chosen_models(desk, chosen), base = wants_base(plugin) ? find_base(chosen, n) : n;
    bool merge = plugin == NULL || strcmp(wb_json_text(plugin, "kind", ""), "merge") == 0;
    struct wb_str out = { 0 };

    wb_str_add(
        &out, "-- A pipeline returns a model. Turn its knobs, look at the preview, then run it.\n");
    if (n >= 2 && merge) {
        add_experts(&out, chosen, n, base);
        if (plugin == NULL) {
            add_linear(&out, chosen, n);
        } else {
            wb_str_add(&out, "\nreturn wb.merge(");
            wb_lua_quote(&out, wb_json_text(plugin, "name", ""),
                         strlen(wb_json_text(plugin, "name", "")));
            wb_str_printf(&out, ", {%smodels = models})\n",
                          base < n             ? "base = base, "
                          : wants_base(plugin) ? "base = models[1], "
                                               : "");
        }
    } else {
        wb_str_add(&out, "local model = ");
        add_open(&out, n > 0 ? chosen[0]->path : "path/of/a/model");
        wb_str_add(&out, "\nreturn model\n");
    }
    if (out.failed) {
        wb_str_free(&out);
        return NULL;
    }
    return out.text;
}
