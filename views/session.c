/* views/session.c - the session as JSON. */
#include "views/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "app/core/json.h"
#include "views/doc.h"

#define SESSION_BYTES_MAX ((size_t)32 << 20)
#define LOOK_SECONDS 2.0

static char *state_path(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    struct wb_str path = { 0 };

    if (state != NULL && state[0] == '/')
        wb_str_printf(&path, "%s/weightbench/session.json", state);
    else if (home != NULL && home[0] == '/')
        wb_str_printf(&path, "%s/.local/state/weightbench/session.json", home);
    if (path.failed) {
        wb_str_free(&path);
        return NULL;
    }
    return path.text;
}

void wb_session_init(struct wb_session *s, bool keep)
{
    *s = (struct wb_session){ .path = keep ? state_path() : NULL };
}

void wb_session_free(struct wb_session *s)
{
    free(s->path);
    free(s->kept);
    *s = (struct wb_session){ 0 };
}

/* Writing */

static void add_models(cJSON *root, const struct wb_desk *desk)
{
    cJSON *list = cJSON_AddArrayToObject(root, "models");

    for (size_t i = 0; i < desk->models; i++) {
        const struct wb_desk_model *m = desk->model[i];
        cJSON *item = m->path == NULL ? NULL : cJSON_CreateObject();

        if (item == NULL)
            continue;
        cJSON_AddStringToObject(item, "name", m->name);
        cJSON_AddStringToObject(item, "path", m->path);
        if (m->id == desk->current)
            cJSON_AddTrueToObject(item, "current");
        if (m->id == desk->other)
            cJSON_AddTrueToObject(item, "other");
        if (m->marked)
            cJSON_AddTrueToObject(item, "marked");
        cJSON_AddItemToArray(list, item);
    }
}

static void add_setting(cJSON *list, const struct wb_setting *s)
{
    cJSON *item = cJSON_CreateObject(), *knobs = cJSON_AddArrayToObject(item, "knobs");

    if (s->name != NULL)
        cJSON_AddStringToObject(item, "name", s->name);
    for (size_t i = 0; i < s->knobs; i++)
        cJSON_AddItemToArray(knobs, cJSON_CreateString(s->knob[i]));
    cJSON_AddItemToArray(list, item);
}

/* The text is kept when no file has it: one that is not saved, or never was. */
static void add_pipeline(cJSON *root, const struct wb_doc *d)
{
    cJSON *item = cJSON_AddObjectToObject(root, "pipeline"), *settings;
    struct wb_str text = { 0 };

    if (d->path != NULL)
        cJSON_AddStringToObject(item, "path", d->path);
    if (wb_document_modified(d->text) || d->path == NULL) {
        wb_document_text(d->text, &text);
        if (!text.failed && text.len > 0)
            cJSON_AddStringToObject(item, "text", text.text);
        wb_str_free(&text);
    }
    add_setting(cJSON_AddArrayToObject(item, "turned"), &d->now);
    settings = cJSON_AddArrayToObject(item, "settings");
    for (size_t i = 0; i < d->keeps; i++)
        add_setting(settings, &d->kept[i]);
}

static char *session_text(const struct wb_frame *f)
{
    cJSON *root = cJSON_CreateObject();
    char *text;

    cJSON_AddNumberToObject(root, "version", 1);
    cJSON_AddStringToObject(root, "screen", wb_screens[f->current]->name);
    add_models(root, f->desk);
    add_pipeline(root, f->desk->doc);
    if (f->desk->probe_text[0] != '\0')
        cJSON_AddStringToObject(root, "text", f->desk->probe_text);
    wb_eval_sets_write(&f->desk->eval_sets, cJSON_AddObjectToObject(root, "eval"));
    text = cJSON_Print(root);
    cJSON_Delete(root);
    return text;
}

static bool write_session(const char *path, const char *text, struct wb_err *err)
{
    char *dir = strdup(path);
    bool ok;

    if (dir == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory to keep the session");
    *strrchr(dir, '/') = '\0';
    ok = wb_make_dirs(dir, err) && wb_write_file(path, text, strlen(text), err);
    free(dir);
    return ok;
}

void wb_session_keep(struct wb_session *s, struct wb_frame *f, bool now)
{
    struct wb_err err;
    char *text;

    s->due = s->path != NULL && !now && wb_now_seconds() - s->looked_at < LOOK_SECONDS;
    if (s->path == NULL || s->due)
        return;
    s->looked_at = wb_now_seconds();
    text = session_text(f);
    if (text == NULL || (s->kept != NULL && strcmp(text, s->kept) == 0)) {
        free(text);
        return;
    }
    if (!write_session(s->path, text, &err)) {
        wb_desk_say(f->desk, WB_MESSAGE_WARNING, "the session is not kept: %s", err.msg);
        free(s->path);
        s->path = NULL;
    }
    free(s->kept);
    s->kept = text;
}

int wb_session_timeout_ms(const struct wb_session *s)
{
    double left = s->looked_at + LOOK_SECONDS - wb_now_seconds();

    return !s->due ? -1 : left <= 0 ? 0 : (int)(left * 1000) + 1;
}

/* Reading */

static void restore_models(struct wb_desk *desk, const cJSON *list)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, list) {
        const char *path = wb_json_text(item, "path", NULL);
        struct wb_desk_model *m =
            path == NULL ? NULL : wb_desk_open(desk, path, wb_json_text(item, "name", NULL));

        if (m == NULL)
            continue;
        m->marked = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "marked"));
        if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "current")))
            desk->current = m->id;
        if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "other")))
            desk->other = m->id;
    }
}

static void restore_knobs(const cJSON *item, struct wb_setting *s)
{
    const cJSON *knob;

    cJSON_ArrayForEach(knob, cJSON_GetObjectItemCaseSensitive(item, "knobs")) {
        const char *text = cJSON_IsString(knob) ? knob->valuestring : "";
        const char *equals = strchr(text, '=');
        char *name = equals == NULL ? NULL : strndup(text, (size_t)(equals - text));

        if (name != NULL)
            wb_setting_set(s, name, equals + 1);
        free(name);
    }
}

static void restore_settings(struct wb_doc *d, const cJSON *list)
{
    struct wb_setting turned = d->now;
    const cJSON *item;
    struct wb_err err;

    cJSON_ArrayForEach(item, list) {
        d->now = (struct wb_setting){ 0 };
        restore_knobs(item, &d->now);
        if (!wb_doc_keep(d, wb_json_text(item, "name", ""), &err))
            wb_desk_say(d->desk, WB_MESSAGE_WARNING, "%s", err.msg);
        wb_setting_free(&d->now);
    }
    d->now = turned;
}

static void restore_pipeline(struct wb_doc *d, const cJSON *item)
{
    const char *path = wb_json_text(item, "path", NULL), *text = wb_json_text(item, "text", NULL);
    struct wb_err err;
    bool ok = true;

    if (path != NULL)
        ok = wb_doc_load(d, path, &err);
    if (!ok)
        wb_desk_say(d->desk, WB_MESSAGE_WARNING, "the pipeline of the last session: %s", err.msg);
    if (text != NULL && !wb_doc_restore_text(d, text, &err)) /* also when its file is gone */
        wb_desk_say(d->desk, WB_MESSAGE_WARNING, "the pipeline of the last session: %s", err.msg);
    restore_settings(d, cJSON_GetObjectItemCaseSensitive(item, "settings"));
    restore_knobs(cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(item, "turned"), 0), &d->now);
    if (d->now.knobs > 0)
        wb_doc_rerun(d);
}

/* A file that is gone is forgotten without a word: the text at hand takes its place. */
static void restore_text(struct wb_desk *desk, const char *path)
{
    if (strlen(path) < sizeof desk->probe_text && wb_is_file(path))
        snprintf(desk->probe_text, sizeof desk->probe_text, "%s", path);
}

bool wb_session_restore(struct wb_session *s, struct wb_frame *f)
{
    struct wb_err err;
    cJSON *root;

    if (s->path == NULL || !wb_is_file(s->path))
        return false;
    root = wb_json_parse_file(s->path, SESSION_BYTES_MAX, &err);
    if (root == NULL) {
        wb_desk_say(f->desk, WB_MESSAGE_WARNING,
                    "the last session cannot be read, so this one is not kept: %s", err.msg);
        free(s->path); /* the file stays as it is */
        s->path = NULL;
        return false;
    }
    restore_text(f->desk, wb_json_text(root, "text", ""));
    wb_eval_sets_read(&f->desk->eval_sets, cJSON_GetObjectItemCaseSensitive(root, "eval"));
    restore_models(f->desk, cJSON_GetObjectItemCaseSensitive(root, "models"));
    restore_pipeline(f->desk->doc, cJSON_GetObjectItemCaseSensitive(root, "pipeline"));
    wb_frame_go(f, wb_json_text(root, "screen", wb_screens[0]->name));
    f->backs = 0;
    cJSON_Delete(root);
    return true;
}
