/* views/desk_models.c - models on the desk: opened on tasks, named, compared, closed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "app/probe/relation.h"
#include "lua/bind/record.h"
#include "views/desk.h"

#define CHECK_SECONDS 2.0 /* between two looks at the files of the models */
#define NAME_MAX_BYTES 60

/* Opening */

struct opening {
    char *path;
    const struct wb_arch_set *families;
    struct wb_model *model;
};

static void opening_free(void *ctx)
{
    struct opening *o = ctx;

    wb_model_unref(o->model);
    free(o->path);
    free(o);
}

static bool open_model(struct wb_task *task, void *ctx, struct wb_err *err)
{
    struct opening *o = ctx;

    (void)task;
    o->model = wb_model_open(o->path, o->families, err);
    return o->model != NULL;
}

static bool start_opening(struct wb_desk *desk, struct wb_desk_model *m, struct wb_err *err)
{
    struct opening *o = calloc(1, sizeof *o);

    if (o == NULL || (o->path = strdup(m->path)) == NULL) {
        free(o);
        return wb_fail(err, WB_ENOMEM, "no memory to open a model");
    }
    o->families = desk->options.families;
    m->task = wb_task_start_urgent(desk->tasks, "open", open_model, o, opening_free, err);
    m->task_ctx = o;
    m->opening = m->task != NULL;
    return m->opening;
}

/* Names */

struct wb_desk_model *wb_desk_find(const struct wb_desk *desk, const char *name)
{
    for (size_t i = 0; i < desk->models; i++)
        if (strcmp(desk->model[i]->name, name) == 0)
            return desk->model[i];
    return NULL;
}

/* The last part of a path, of an adapter too: "base+lora-math". */
static void short_name(const char *path, char *out, size_t size)
{
    size_t n = strlen(path), from;
    const char *plus;

    while (n > 1 && path[n - 1] == '/')
        n--;
    for (from = n; from > 0 && path[from - 1] != '/';)
        from--;
    plus = memchr(path, '+', from);
    if (plus != NULL && plus != path) { /* of MODEL+ADAPTER both ends */
        size_t end = (size_t)(plus - path), start = end;

        while (start > 0 && path[start - 1] != '/')
            start--;
        snprintf(out, size, "%.*s+%.*s", (int)(end - start), path + start, (int)(n - from),
                 path + from);
        return;
    }
    snprintf(out, size, "%.*s", (int)(n - from), path + from);
    n = strlen(out);
    if (n > 12 && strcmp(out + n - 12, ".safetensors") == 0)
        out[n - 12] = '\0';
}

static char *free_name(const struct wb_desk *desk, const char *wanted)
{
    char name[NAME_MAX_BYTES + 12];

    snprintf(name, sizeof name, "%.*s", NAME_MAX_BYTES, wanted[0] == '\0' ? "model" : wanted);
    for (int i = 2; wb_desk_find(desk, name) != NULL; i++)
        snprintf(name, sizeof name, "%.*s-%d", NAME_MAX_BYTES, wanted, i);
    return strdup(name);
}

/* The list */

static void model_free(struct wb_desk_model *m)
{
    if (m == NULL)
        return;
    wb_task_drop(m->task);
    wb_model_unref(m->model);
    free(m->name);
    free(m->path);
    free(m);
}

/* The path, NULL for a model without files, is taken, and freed without memory for the rest. */
static struct wb_desk_model *add(struct wb_desk *desk, char *path, const char *name)
{
    struct wb_desk_model **more = realloc(desk->model, (desk->models + 1) * sizeof *more);
    struct wb_desk_model *m = calloc(1, sizeof *m);

    if (more != NULL)
        desk->model = more;
    if (m == NULL || more == NULL) {
        free(m);
        free(path);
        return NULL;
    }
    m->path = path;
    m->name = free_name(desk, name);
    if (m->name == NULL) {
        model_free(m);
        return NULL;
    }
    m->id = desk->next_id++;
    desk->model[desk->models++] = m;
    desk->version++;
    return m;
}

struct wb_desk_model *wb_desk_open(struct wb_desk *desk, const char *path, const char *name)
{
    char wanted[300], *copy = strdup(path);
    struct wb_desk_model *m;
    struct wb_err err;

    if (name == NULL)
        short_name(path, wanted, sizeof wanted);
    m = copy == NULL ? NULL : add(desk, copy, name == NULL ? wanted : name);

    if (m == NULL) {
        wb_desk_say(desk, WB_MESSAGE_ERROR, "no memory to open a model");
        return NULL;
    }
    if (!start_opening(desk, m, &err)) {
        m->err = err;
        wb_desk_say(desk, WB_MESSAGE_ERROR, "%s", err.msg);
    }
    if (desk->current == 0)
        desk->current = m->id;
    wb_record_open(desk->record, m->name, path);
    return m;
}

struct wb_desk_model *wb_desk_add(struct wb_desk *desk, struct wb_model *model, const char *name)
{
    struct wb_desk_model *m = add(desk, NULL, name);

    if (m == NULL)
        wb_desk_say(desk, WB_MESSAGE_ERROR, "no memory for a model");
    else
        m->model = wb_model_ref(model);
    return m;
}

struct wb_desk_model *wb_desk_get(const struct wb_desk *desk, uint64_t id)
{
    for (size_t i = 0; i < desk->models; i++)
        if (desk->model[i]->id == id)
            return desk->model[i];
    return NULL;
}

void wb_desk_close(struct wb_desk *desk, uint64_t id)
{
    for (size_t i = 0; i < desk->models; i++) {
        if (desk->model[i]->id != id)
            continue;
        wb_record_close(desk->record, desk->model[i]->name);
        model_free(desk->model[i]);
        memmove(desk->model + i, desk->model + i + 1, (--desk->models - i) * sizeof *desk->model);
        if (desk->current == id)
            desk->current = desk->models == 0 ? 0 : desk->model[i < desk->models ? i : i - 1]->id;
        if (desk->other == id)
            desk->other = 0;
        desk->version++;
        return;
    }
}

bool wb_desk_rename(struct wb_desk *desk, uint64_t id, const char *name, struct wb_err *err)
{
    struct wb_desk_model *m = wb_desk_get(desk, id), *same = wb_desk_find(desk, name);
    char *copy;

    if (m == NULL)
        return wb_fail(err, WB_ENOTFOUND, "that model is closed");
    if (name[0] == '\0' || strlen(name) > NAME_MAX_BYTES || strpbrk(name, " \t\n") != NULL)
        return wb_fail(err, WB_EARG, "a name has 1 to %d characters and no blanks", NAME_MAX_BYTES);
    if (same != NULL && same != m)
        return wb_fail(err, WB_EARG, "another model is called %s", name);
    copy = strdup(name);
    if (copy == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a name");
    free(m->name);
    m->name = copy;
    desk->version++;
    return true;
}

void wb_desk_reload(struct wb_desk *desk, uint64_t id)
{
    struct wb_desk_model *m = wb_desk_get(desk, id);
    struct wb_err err;

    if (m == NULL || m->path == NULL || m->opening)
        return;
    if (!start_opening(desk, m, &err))
        wb_desk_say(desk, WB_MESSAGE_ERROR, "%s", err.msg);
    desk->version++;
}

void wb_desk_free_models(struct wb_desk *desk)
{
    for (size_t i = 0; i < desk->models; i++)
        model_free(desk->model[i]);
    free(desk->model);
    desk->model = NULL;
    desk->models = 0;
}

/* Polling */

static void say_warnings(struct wb_desk *desk, const struct wb_desk_model *m)
{
    for (size_t i = 0; i < wb_model_warning_count(m->model); i++) {
        struct wb_str text = { 0 };

        wb_str_printf(&text, "%s: %s", m->name, wb_model_warning(m->model, i));
        if (!text.failed)
            wb_messages_log(&desk->messages, WB_MESSAGE_WARNING, text.text);
        wb_str_free(&text);
    }
}

static bool poll_opening(struct wb_desk *desk, struct wb_desk_model *m)
{
    enum wb_task_state state = wb_task_poll(m->task, &m->err);
    struct opening *o = m->task_ctx;

    if (state == WB_TASK_WAITING || state == WB_TASK_RUNNING)
        return false;
    m->opening = false;
    if (state == WB_TASK_DONE) {
        wb_model_unref(m->model);
        m->model = o->model;
        o->model = NULL;
        m->err.code = WB_OK;
        m->changed = false;
        say_warnings(desk, m);
    } else { /* a model that was open stays open */
        wb_desk_say(desk, WB_MESSAGE_ERROR, "%s", m->err.msg);
    }
    wb_task_drop(m->task);
    m->task = NULL;
    return true;
}

/* Are the files still those that were opened? */
static bool check_files(struct wb_desk *desk)
{
    bool changed = false;

    desk->checked_at = wb_now_seconds();
    for (size_t i = 0; i < desk->models; i++) {
        struct wb_desk_model *m = desk->model[i];
        bool now = false;

        if (m->model == NULL || m->path == NULL)
            continue;
        for (size_t s = 0; s < wb_model_source_count(m->model); s++)
            now = now || !wb_ckpt_unchanged(wb_model_source(m->model, s));
        if (now && !m->changed)
            wb_desk_say(desk, WB_MESSAGE_WARNING,
                        "%s: its files have changed or are gone; reload opens it anew", m->name);
        changed = changed || now != m->changed;
        m->changed = now;
    }
    return changed;
}

bool wb_desk_poll_models(struct wb_desk *desk)
{
    bool changed = false;

    for (size_t i = 0; i < desk->models; i++)
        if (desk->model[i]->task != NULL)
            changed = poll_opening(desk, desk->model[i]) || changed;
    if (wb_now_seconds() - desk->checked_at >= CHECK_SECONDS)
        changed = check_files(desk) || changed;
    if (changed)
        desk->version++;
    return changed;
}

/* Which is looked at, and against which */

struct wb_desk_model *wb_desk_current(const struct wb_desk *desk)
{
    struct wb_desk_model *m = wb_desk_get(desk, desk->current);

    return m != NULL && m->model != NULL ? m : NULL;
}

struct wb_desk_model *wb_desk_other(const struct wb_desk *desk)
{
    struct wb_desk_model *m = wb_desk_current(desk), *chosen = wb_desk_get(desk, desk->other);
    struct wb_model **all;
    int base = -1;

    if (m == NULL)
        return NULL;
    if (chosen != NULL && chosen != m && chosen->model != NULL)
        return chosen;
    for (size_t i = 0; i < desk->models; i++)
        if (desk->model[i]->marked && desk->model[i] != m && desk->model[i]->model != NULL)
            return desk->model[i];
    all = calloc(desk->models + 1, sizeof *all);
    for (size_t i = 0; all != NULL && i < desk->models; i++)
        all[i] = desk->model[i]->model;
    if (all != NULL)
        base = wb_relation_base(m->model, all, desk->models);
    free(all);
    if (base >= 0 && desk->model[base] != m)
        return desk->model[base];
    for (size_t i = 0; i < desk->models; i++) {
        struct wb_relation r;

        if (desk->model[i] == m || desk->model[i]->model == NULL)
            continue;
        wb_relation_of(m->model, desk->model[i]->model, desk->model[i]->name, &r);
        if (r.shaped == r.tensors && r.tensors == r.other_tensors)
            return desk->model[i];
    }
    return NULL;
}

bool wb_desk_step(struct wb_desk *desk, uint64_t *id, uint64_t from, uint64_t skip)
{
    size_t at = 0;

    while (at < desk->models && desk->model[at]->id != from)
        at++;
    for (size_t i = 1; i <= desk->models; i++) {
        const struct wb_desk_model *m = desk->model[(at + i) % desk->models];

        if (m->id == skip || m->model == NULL)
            continue;
        *id = m->id;
        desk->version++;
        return true;
    }
    return false;
}
