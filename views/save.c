/* views/save.c - texts on their way to a file. */
#include "views/save.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "app/core/io.h"
#include "app/core/task.h"
#include "views/desk.h"

struct wb_save_work {
    char *path;
    struct wb_str text;
};

static void work_free(void *ctx)
{
    struct wb_save_work *w = ctx;

    if (w == NULL)
        return;
    free(w->path);
    wb_str_free(&w->text);
    free(w);
}

static bool work_run(struct wb_task *task, void *ctx, struct wb_err *err)
{
    const struct wb_save_work *w = ctx;

    (void)task;
    return wb_write_file(w->path, w->text.text, w->text.len, err);
}

static struct wb_save_work *new_work(const char *path, struct wb_str *text)
{
    struct wb_save_work *w = calloc(1, sizeof *w);

    if (w == NULL || (w->path = strdup(path)) == NULL) {
        free(w);
        return NULL;
    }
    w->text = *text;
    *text = (struct wb_str){ 0 };
    return w;
}

static void start(struct wb_desk *desk, struct wb_save_work *work)
{
    struct wb_save *s = &desk->save;
    struct wb_err err;

    snprintf(s->path, sizeof s->path, "%s", work->path);
    s->task = wb_task_start(desk->tasks, "export", work_run, work, work_free, &err);
    if (s->task == NULL)
        wb_desk_say(desk, WB_MESSAGE_ERROR, "%s", err.msg);
}

/* May a text be written now? Says why not. */
static bool ready(struct wb_desk *desk, const char *path, const struct wb_str *text)
{
    if (!wb_desk_may_write(desk))
        return false;
    if (text->failed)
        wb_desk_say(desk, WB_MESSAGE_ERROR, "no memory to write %s", path);
    else if (text->len == 0)
        wb_desk_say(desk, WB_MESSAGE_NOTE, "there is nothing to write yet");
    else if (desk->save.task != NULL)
        wb_desk_say(desk, WB_MESSAGE_NOTE, "%s is still being written", desk->save.path);
    else
        return true;
    return false;
}

/* Called for yes alone. */
static void answer_replace(struct wb_view *v, const char *text)
{
    struct wb_save *s = &v->desk->save;
    struct wb_save_work *work = s->asked;

    (void)text;
    s->asked = NULL;
    if (ready(v->desk, work->path, &work->text))
        start(v->desk, work);
    else
        work_free(work);
}

void wb_save_text(struct wb_view *v, const char *path, struct wb_str *text)
{
    struct wb_save *s = &v->desk->save;
    struct wb_save_work *work = NULL;
    char question[80];

    if (ready(v->desk, path, text) && (work = new_work(path, text)) == NULL)
        wb_desk_say(v->desk, WB_MESSAGE_ERROR, "no memory to write %s", path);
    wb_str_free(text);
    if (work == NULL)
        return;
    if (!wb_is_file(path)) {
        start(v->desk, work);
        return;
    }
    work_free(s->asked); /* a question that got no answer */
    s->asked = work;
    snprintf(question, sizeof question, "%.40s exists. Replace it? (y/n) ", path);
    wb_desk_ask(v->desk, v, WB_ASK_YES_NO, question, "", answer_replace);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n > m && strcasecmp(text + n - m, end) == 0;
}

bool wb_save_map_kind(struct wb_desk *desk, const char *path, bool *csv)
{
    *csv = ends_with(path, ".csv");
    if (*csv || ends_with(path, ".svg"))
        return true;
    wb_desk_say(desk, WB_MESSAGE_ERROR, "written are .csv (numbers) and .svg (a picture), not %s",
                path);
    return false;
}

const char *wb_save_name(char *name)
{
    for (char *c = name; *c != '\0'; c++)
        if (*c == '/' || *c == ' ')
            *c = '_';
    return name;
}

bool wb_save_poll(struct wb_desk *desk)
{
    struct wb_save *s = &desk->save;
    struct wb_err err = { 0 };
    bool done;

    if (!wb_task_ended(s->task, &done, &err))
        return false;
    if (done)
        wb_desk_say(desk, WB_MESSAGE_NOTE, "%s is written", s->path);
    else
        wb_desk_say(desk, WB_MESSAGE_ERROR, "%s", err.msg);
    wb_task_drop(s->task);
    s->task = NULL;
    return true;
}

void wb_save_free(struct wb_save *s)
{
    work_free(s->asked);
    wb_task_drop(s->task);
    *s = (struct wb_save){ 0 };
}
