/* views/models_compare.c - how two models differ, worked out on tasks. */
#include <stdlib.h>
#include <string.h>

#include "views/view_models.h"

struct models_comparing {
    struct wb_model *a, *b;
    struct wb_eval how;
    struct wb_delta_list list;
};

static void comparing_free(void *ctx)
{
    struct models_comparing *c = ctx;

    wb_delta_free(&c->list);
    wb_model_unref(c->a);
    wb_model_unref(c->b);
    free(c);
}

static bool compare(struct wb_task *task, void *ctx, struct wb_err *err)
{
    struct models_comparing *c = ctx;

    c->how.cancel = wb_task_cancel_flag(task);
    return wb_delta_compare(&c->how, c->a, c->b, NULL, NULL, &c->list, err);
}

struct models_finding {
    struct wb_model *a, *b;
    struct wb_eval how;
    struct wb_difference_list list;
};

static void finding_free(void *ctx)
{
    struct models_finding *c = ctx;

    wb_difference_free(&c->list);
    wb_model_unref(c->a);
    wb_model_unref(c->b);
    free(c);
}

static bool find(struct wb_task *task, void *ctx, struct wb_err *err)
{
    struct models_finding *c = ctx;

    c->how.cancel = wb_task_cancel_flag(task);
    return wb_difference_find(&c->how, c->a, c->b, &c->list, err);
}

void wb_models_drop_comparison(struct models_comparison *c)
{
    wb_task_drop(c->task);
    wb_task_drop(c->exact_task);
    *c = (struct models_comparison){ .a = 0 };
}

void wb_models_want_comparison(struct wb_view *v)
{
    struct models *s = v->state;
    struct models_comparison *c = &s->versus;
    struct wb_desk_model *b = wb_desk_current(v->desk), *a = wb_desk_other(v->desk);
    struct models_comparing *ctx;

    if (a == NULL || b == NULL) {
        wb_models_drop_comparison(c);
        return;
    }
    if (c->a == a->id && c->b == b->id)
        return;
    wb_models_drop_comparison(c);
    c->a = a->id;
    c->b = b->id;
    ctx = calloc(1, sizeof *ctx);
    if (ctx == NULL)
        return;
    ctx->a = wb_model_ref(a->model);
    ctx->b = wb_model_ref(b->model);
    ctx->how = wb_desk_eval(v->desk, true);
    c->task =
        wb_task_start_urgent(v->desk->tasks, "compare", compare, ctx, comparing_free, &c->err);
    c->task_ctx = ctx;
}

void wb_models_want_exact(struct wb_view *v)
{
    struct models *s = v->state;
    struct models_comparison *c = &s->versus;
    struct wb_desk_model *a = wb_desk_get(v->desk, c->a), *b = wb_desk_get(v->desk, c->b);
    struct models_finding *ctx;

    if (a == NULL || b == NULL) {
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "there is no model of these shapes to compare with");
        return;
    }
    if (c->exact_task != NULL || c->exact_known) {
        wb_desk_say(v->desk, WB_MESSAGE_NOTE,
                    c->exact_known ? "they are compared, byte for byte"
                                   : "they are being compared");
        return;
    }
    ctx = calloc(1, sizeof *ctx);
    if (ctx == NULL)
        return;
    ctx->a = wb_model_ref(a->model);
    ctx->b = wb_model_ref(b->model);
    ctx->how = wb_desk_eval(v->desk, false);
    c->exact_task =
        wb_task_start(v->desk->tasks, "find differences", find, ctx, finding_free, &c->exact_err);
    c->exact_ctx = ctx;
}

static void take_layers(struct models_comparison *c, struct wb_delta_list *list)
{
    size_t n;
    const struct wb_delta_layer *row = wb_delta_layers(list, &n);

    c->total = wb_delta_total(list);
    c->layers = 0;
    for (size_t i = 0; row != NULL && i < n && c->layers < MODELS_LAYERS_MAX; i++)
        if (row[i].layer >= 0)
            c->layer[c->layers++] = (float)wb_delta_relative_l2(&row[i].sum);
}

bool wb_models_poll_comparison(struct models_comparison *c)
{
    bool done, changed = false;

    if (wb_task_ended(c->task, &done, &c->err)) {
        c->known = done;
        if (done)
            take_layers(c, &c->task_ctx->list);
        wb_task_drop(c->task);
        c->task = NULL;
        changed = true;
    }
    if (wb_task_ended(c->exact_task, &done, &c->exact_err)) {
        c->exact_known = done;
        if (done)
            memcpy(c->kinds, c->exact_ctx->list.kinds, sizeof c->kinds);
        wb_task_drop(c->exact_task);
        c->exact_task = NULL;
        changed = true;
    }
    return changed;
}
