/* views/play_columns.c - which models write beside each other. */
#include <stdio.h>
#include <string.h>

#include "views/doc.h"
#include "views/view_play.h"

#define RESULT "result" /* the pipeline's, unless a model of the desk is called so */

struct wb_model *wb_play_model(const struct play *p, const struct play_column *c)
{
    const struct wb_desk_model *m = wb_desk_get(p->desk, c->id);

    return c->id == 0 ? wb_doc_model(p->desk->doc) : m == NULL ? NULL : m->model;
}

static bool is_shown(const struct play *p, uint64_t id)
{
    for (size_t i = 0; i < p->columns; i++)
        if (p->shown[i].id == id)
            return true;
    return false;
}

static void put_name(const struct play *p, struct play_column *c)
{
    const struct wb_desk_model *m = wb_desk_get(p->desk, c->id);

    if (c->id == 0)
        snprintf(c->name, sizeof c->name, "%s", RESULT);
    else if (m != NULL)
        snprintf(c->name, sizeof c->name, "%s", m->name);
}

static void add(struct play *p, uint64_t id)
{
    if (p->columns == PLAY_COLUMNS_MAX || is_shown(p, id))
        return;
    p->shown[p->columns] = (struct play_column){ .id = id, .follows = true };
    put_name(p, &p->shown[p->columns++]);
}

static void drop(struct play *p, size_t i)
{
    wb_play_drop_run(&p->shown[i]);
    memmove(p->shown + i, p->shown + i + 1, (--p->columns - i) * sizeof p->shown[0]);
    if (p->column >= p->columns)
        p->column = p->columns == 0 ? 0 : p->columns - 1;
    wb_play_forget_opinions(p);
}

/* Marked ones, else the current one and what it is compared with; and the pipeline's result. */
static void add_usual(struct play *p)
{
    const struct wb_desk *d = p->desk;
    const struct wb_desk_model *current = wb_desk_current(d), *other = wb_desk_other(d);
    bool marked = false;

    for (size_t i = 0; i < d->models; i++)
        if (d->model[i]->marked && d->model[i]->model != NULL) {
            add(p, d->model[i]->id);
            marked = true;
        }
    if (!marked && other != NULL)
        add(p, other->id);
    if (!marked && current != NULL)
        add(p, current->id);
    if (wb_doc_model(d->doc) != NULL)
        add(p, 0);
}

static bool nothing_written(const struct play *p)
{
    for (size_t i = 0; i < p->columns; i++)
        if (p->shown[i].run != NULL || p->shown[i].task != NULL)
            return false;
    return true;
}

void wb_play_choose_columns(struct wb_view *v)
{
    struct play *p = v->state;

    for (size_t i = p->columns; i-- > 0;)
        if (p->shown[i].id == 0 ? wb_doc_model(p->desk->doc) == NULL
                                : wb_desk_get(p->desk, p->shown[i].id) == NULL)
            drop(p, i);
        else
            put_name(p, &p->shown[i]);
    if (p->chosen || !nothing_written(p))
        return;
    p->columns = 0; /* nothing is lost */
    add_usual(p);
    if (p->column >= p->columns)
        p->column = 0;
}

bool wb_play_add_column(struct wb_view *v, const char *name)
{
    struct play *p = v->state;
    const struct wb_desk_model *m = wb_desk_find(v->desk, name);
    bool result = m == NULL && strcmp(name, RESULT) == 0 && wb_doc_model(v->desk->doc) != NULL;
    uint64_t id = m == NULL ? 0 : m->id;

    if (m == NULL && !result)
        wb_desk_say(v->desk, WB_MESSAGE_ERROR,
                    "no open model is called %s; the pipeline's is " RESULT, name);
    else if (is_shown(p, id))
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "%s is there already", name);
    else if (p->columns == PLAY_COLUMNS_MAX)
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "there are %d columns already", PLAY_COLUMNS_MAX);
    else {
        p->chosen = true;
        add(p, id);
        wb_play_forget_opinions(p);
        return true;
    }
    return false;
}

void wb_play_drop_column(struct wb_view *v, size_t i)
{
    struct play *p = v->state;

    p->chosen = true;
    drop(p, i);
}

/* Models of the desk in their order, then the pipeline's. */
static bool candidate(const struct wb_desk *d, size_t i, uint64_t *id)
{
    *id = i < d->models ? d->model[i]->id : 0;
    return i < d->models ? d->model[i]->model != NULL : wb_doc_model(d->doc) != NULL;
}

void wb_play_next_model(struct wb_view *v, size_t i)
{
    struct play *p = v->state;
    const struct wb_desk *d = v->desk;
    struct play_column *c = &p->shown[i];
    size_t at = 0;
    uint64_t id;

    while (at < d->models && d->model[at]->id != c->id)
        at++;
    for (size_t k = 1; k <= d->models; k++)
        if (candidate(d, (at + k) % (d->models + 1), &id) && !is_shown(p, id)) {
            p->chosen = true;
            wb_play_drop_run(c);
            *c = (struct play_column){ .id = id, .follows = true };
            put_name(p, c);
            wb_play_forget_opinions(p);
            return;
        }
    wb_desk_say(v->desk, WB_MESSAGE_NOTE, "every open model is shown already");
}
