/* views/models_draw.c - the list of models, and the one under the cursor in detail. */
#include <stdio.h>

#include "views/box.h"
#include "views/chart.h"
#include "views/number.h"
#include "views/view_models.h"

static void draw_dims(struct wb_canvas *cv, int *row, const struct wb_model *m)
{
    const struct wb_dims *d = wb_arch_dims(wb_model_arch(m));
    char heads[30];

    wb_models_heads(d, heads, sizeof heads);
    wb_canvas_printf(cv, (*row)++, 1, WB_STYLE_TEXT, "shape   hidden %d  inner %d  heads %s of %d",
                     d->hidden, d->intermediate, heads, d->head_dim);
    wb_canvas_printf(cv, (*row)++, 1, WB_STYLE_TEXT, "words   vocabulary %d  context %d%s",
                     d->vocab, d->context, d->tied_embeddings ? "  tied" : "");
    wb_canvas_printf(
        cv, (*row)++, 1, WB_STYLE_TEXT, "files   %zu tensors in %zu file%s", wb_model_count(m),
        wb_model_source_count(m) == 0 ? 0 : wb_ckpt_file_count(wb_model_source(m, 0)),
        wb_model_source_count(m) > 0 && wb_ckpt_file_count(wb_model_source(m, 0)) == 1 ? "" : "s");
}

static void draw_delta(struct wb_canvas *cv, int *row, const struct models_comparison *c)
{
    char l2[20], cosine[20];
    struct wb_spark spark = { .value = c->layer, .n = c->layers };

    if (c->task != NULL) {
        wb_canvas_text(cv, (*row)++, 1, WB_STYLE_DIM, "delta   computing");
        (*row)++;
        return;
    }
    if (!c->known) {
        if (c->err.code != WB_OK)
            wb_canvas_printf(cv, (*row)++, 1, WB_STYLE_ERROR, "delta ! %s", c->err.msg);
        return;
    }
    wb_canvas_printf(cv, (*row)++, 1, WB_STYLE_TEXT, "delta   ~|d|/|w| %s   cosine %s",
                     wb_number(l2, sizeof l2, wb_delta_relative_l2(&c->total)),
                     wb_number(cosine, sizeof cosine, wb_delta_cosine(&c->total)));
    wb_canvas_text(cv, *row, 1, WB_STYLE_TEXT, "layers");
    wb_spark_draw(cv, (*row)++, 9, cv->cols - 10, WB_STYLE_TEXT, &spark);
}

static void draw_exact(struct wb_canvas *cv, int *row, const struct models_comparison *c)
{
    if (c->exact_task != NULL)
        wb_canvas_text(cv, (*row)++, 1, WB_STYLE_DIM, "bytes   comparing all of them");
    else if (c->exact_known)
        wb_canvas_printf(
            cv, (*row)++, 1, WB_STYLE_TEXT, "bytes   %zu tensors differ, %zu are the same",
            c->kinds[WB_DIFFERENT] + c->kinds[WB_RESHAPED],
            c->kinds[WB_SAME_SOURCE] + c->kinds[WB_SAME_BYTES] + c->kinds[WB_SAME_VALUES]);
    else if (c->exact_err.code != WB_OK)
        wb_canvas_printf(cv, (*row)++, 1, WB_STYLE_ERROR, "bytes ! %s", c->exact_err.msg);
    else
        wb_canvas_text(cv, (*row)++, 1, WB_STYLE_DIM, "bytes   c compares all of them");
}

static void draw_relation(const struct wb_view *v, struct wb_canvas *cv, int *row,
                          const struct wb_desk_model *m)
{
    const struct models *s = v->state;
    const struct wb_desk_model *other = wb_desk_get(v->desk, s->versus.a);
    struct wb_relation r;
    char text[400];

    if (other == NULL || other->model == NULL || s->versus.b != m->id) {
        wb_canvas_text(cv, (*row)++, 1, WB_STYLE_DIM,
                       v->desk->models > 1 ? "none of the others has its shapes"
                                           : "open another model to compare with");
        return;
    }
    wb_relation_of(m->model, other->model, other->name, &r);
    wb_canvas_printf(cv, (*row)++, 1, WB_STYLE_TEXT, "against %s%s", other->name,
                     other->marked ? " (marked)" : "");
    wb_canvas_text(cv, (*row)++, 1,
                   r.shaped == r.tensors && r.tensors == r.other_tensors ? WB_STYLE_TEXT
                                                                         : WB_STYLE_WARNING,
                   wb_text_fit(text, sizeof text, r.says, cv->cols - 2, cv->theme->ascii));
    draw_delta(cv, row, &s->versus);
    draw_exact(cv, row, &s->versus);
}

static void draw_detail(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct models *s = v->state;
    const struct wb_desk_model *m = wb_models_at(v, s->table.cursor);
    struct wb_canvas inner;
    char text[600];
    int row = 0;

    if (m == NULL)
        return;
    inner = wb_pane_begin(cv, m->name, false);
    if (m->path != NULL)
        wb_canvas_printf(
            &inner, row++, 1, WB_STYLE_TEXT, "path    %s",
            wb_text_fit(text, sizeof text, m->path, inner.cols - 10, inner.theme->ascii));
    if (m->model == NULL) {
        wb_canvas_wrap(&inner, row, 1, m->opening ? WB_STYLE_DIM : WB_STYLE_ERROR,
                       m->opening ? "opening" : m->err.msg);
        return;
    }
    draw_dims(&inner, &row, m->model);
    draw_relation(v, &inner, &row, m);
}

void wb_models_draw(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct models *s = v->state;
    struct wb_canvas list, detail;

    if (cv->cols >= MODELS_DETAIL_COLS)
        wb_pane_split(cv, cv->cols * 3 / 5, &list, &detail);
    else
        wb_pane_stack(cv, cv->rows - MODELS_DETAIL_ROWS, &list, &detail);
    wb_table_draw(&s->table, &list, true);
    draw_detail(v, &detail);
}
