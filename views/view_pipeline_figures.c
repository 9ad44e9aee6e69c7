/* views/view_pipeline_figures.c - numbers of the preview with how they moved, as texts. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "views/number.h"
#include "views/view_pipeline.h"

/* The same quantity in other figures; SIZE_MAX: they have none. */
static size_t same_quantity(const struct wb_preview_snapshot *in, const struct wb_quantity *q,
                            size_t likely)
{
    for (size_t i = 0; i < in->quantities; i++) {
        size_t at = (likely + i) % in->quantities;
        const struct wb_quantity *other = &in->quantity[at];

        if (other->figure == q->figure && other->parent == q->parent && other->step == q->step &&
            strcmp(other->key, q->key) == 0)
            return at;
    }
    return SIZE_MAX;
}

static size_t same_row(const struct wb_preview_snapshot *in, const struct wb_preview_layer *row,
                       size_t likely)
{
    for (size_t i = 0; i < in->rows; i++) {
        size_t at = (likely + i) % in->rows;

        if (in->row[at].layer == row->layer && strcmp(in->row[at].stack, row->stack) == 0)
            return at;
    }
    return SIZE_MAX;
}

static size_t same_column(const struct wb_preview_snapshot *in, const char *column, size_t likely)
{
    for (size_t i = 0; i < in->columns; i++) {
        size_t at = (likely + i) % in->columns;

        if (strcmp(in->column[at], column) == 0)
            return at;
    }
    return SIZE_MAX;
}

static double value_at(const struct wb_preview_snapshot *s, size_t q, enum wb_pipe_scope scope,
                       size_t row, size_t column)
{
    switch (scope) {
    case WB_PIPE_TOTAL:
        return s->total_value[q];
    case WB_PIPE_ROW:
        return s->row_value[row * s->quantities + q];
    case WB_PIPE_CELL:
        return s->cell_value[(row * s->columns + column) * s->quantities + q];
    }
    return NAN;
}

/* The value in other figures than the one that the numbers come from. */
static double value_in(const struct wb_preview_snapshot *s, const struct wb_preview_snapshot *of,
                       size_t q, enum wb_pipe_scope scope, size_t row, size_t column)
{
    size_t same = same_quantity(s, &of->quantity[q], q);

    if (scope != WB_PIPE_TOTAL)
        row = same_row(s, &of->row[row], row);
    if (scope == WB_PIPE_CELL)
        column = same_column(s, of->column[column], column);
    return same == SIZE_MAX || (scope != WB_PIPE_TOTAL && row == SIZE_MAX) ||
                   (scope == WB_PIPE_CELL && column == SIZE_MAX)
               ? (double)NAN
               : value_at(s, same, scope, row, column);
}

struct wb_pipe_figure wb_pipe_figure(const struct wb_doc *d, size_t q, enum wb_pipe_scope scope,
                                     size_t row, size_t column)
{
    const struct wb_preview_snapshot *s = &d->now_figures, *before, *now;
    struct wb_pipe_figure f = { .value = NAN, .from = NAN, .to = NAN };

    if (q >= s->quantities || (scope != WB_PIPE_TOTAL && row >= s->rows) ||
        (scope == WB_PIPE_CELL && column >= s->columns))
        return f;
    f.value = value_at(s, q, scope, row, column);
    f.grade = scope == WB_PIPE_TOTAL ? s->grade
              : scope == WB_PIPE_ROW ? s->row[row].grade
                                     : s->cell_grade[row * s->columns + column];
    if (wb_doc_moves(d, &before, &now)) {
        f.from = value_in(before, s, q, scope, row, column);
        f.to = value_in(now, s, q, scope, row, column);
    }
    return f;
}

/* As texts */

bool wb_pipe_is_share(const struct wb_quantity *q)
{
    return q->figure >= 0 && q->low == 0 && q->high == 1;
}

static bool is_count(const struct wb_quantity *q)
{
    return q->figure == WB_PREVIEW_nan || q->figure == WB_PREVIEW_inf;
}

const char *wb_pipe_value(char *out, size_t size, const struct wb_quantity *q, double value)
{
    if (isnan(value))
        snprintf(out, size, "--");
    else if (wb_pipe_is_share(q))
        wb_number_percent(out, size, value);
    else if (is_count(q))
        wb_number_grouped(out, size, (uint64_t)fmax(value, 0));
    else
        wb_number(out, size, value);
    return out;
}

const char *wb_pipe_change(char *out, size_t size, const struct wb_quantity *q,
                           const struct wb_pipe_figure *f)
{
    double unit = wb_pipe_is_share(q) ? 100 : 1; /* shares move by points of percent */

    return wb_number_change(out, size, unit * f->from, unit * f->to);
}

/* Of a figure with a parent, the parent's name follows. */
static const struct {
    const char *name, *brief;
} names[WB_PREVIEW_FIGURE_COUNT] = {
    [WB_PREVIEW_delta_norm] = { "delta norm", "delta norm" },
    [WB_PREVIEW_relative_norm] = { "relative norm", "relative" },
    [WB_PREVIEW_changed_share] = { "changed", "changed" },
    [WB_PREVIEW_norm] = { "norm", "norm" },
    [WB_PREVIEW_zero_share] = { "sparsity", "sparsity" },
    [WB_PREVIEW_nan] = { "NaN", "NaN" },
    [WB_PREVIEW_inf] = { "Inf", "Inf" },
    [WB_PREVIEW_conflict_share] = { "sign conflicts", "conflicts" },
    [WB_PREVIEW_cosine] = { "cosine to", "cos" },
    [WB_PREVIEW_delta_cosine] = { "delta cosine to", "dcos" },
    [WB_PREVIEW_sign_agreement] = { "signs as", "signs" },
};

static const char *label(char *out, size_t size, const struct wb_doc *d,
                         const struct wb_quantity *q, const char *name)
{
    struct wb_model *base, *parent[WB_DOC_PARENTS_MAX];
    const char *parent_name[WB_DOC_PARENTS_MAX];
    size_t parents;

    if (q->parent < 0) {
        snprintf(out, size, "%s", name);
        return out;
    }
    parents = wb_doc_parents(d, &base, parent, parent_name, WB_DOC_PARENTS_MAX);
    if ((size_t)q->parent < parents)
        snprintf(out, size, "%s %s", name, parent_name[q->parent]);
    else
        snprintf(out, size, "%s %d", name, q->parent + 1);
    return out;
}

const char *wb_pipe_label(char *out, size_t size, const struct wb_doc *d,
                          const struct wb_quantity *q)
{
    if (q->figure >= 0)
        return label(out, size, d, q, names[q->figure].name);
    snprintf(out, size, "%s (step %d)", q->key, q->step + 1);
    return out;
}

const char *wb_pipe_short_label(char *out, size_t size, const struct wb_doc *d,
                                const struct wb_quantity *q)
{
    if (q->figure >= 0)
        return label(out, size, d, q, names[q->figure].brief);
    snprintf(out, size, "%s", q->key);
    return out;
}

/* Drawing */

static enum wb_style value_style(const struct wb_doc *d, const struct wb_quantity *q, double value)
{
    if (d->stale || isnan(value))
        return WB_STYLE_DIM;
    return is_count(q) && value > 0 ? WB_STYLE_ERROR : WB_STYLE_TEXT;
}

void wb_pipe_draw_figure(struct wb_canvas *cv, int row, int col, int value_cols, int change_cols,
                         const struct wb_doc *d, const struct wb_quantity *q,
                         const struct wb_pipe_figure *f)
{
    char value[40], marked[44], change[40];
    bool rough = d->stale || f->grade == WB_GRADE_SAMPLED;

    wb_pipe_value(value, sizeof value, q, f->value);
    snprintf(marked, sizeof marked, "%s%s", rough && !isnan(f->value) ? "~" : "", value);
    wb_canvas_fit(cv, row, col, value_cols, WB_ALIGN_RIGHT, value_style(d, q, f->value), marked);
    if (change_cols <= 0)
        return;
    wb_pipe_change(change, sizeof change, q, f);
    wb_canvas_fit(cv, row, col + value_cols + 1, change_cols, WB_ALIGN_LEFT,
                  change[0] == '+'   ? WB_STYLE_UP
                  : change[0] == '-' ? WB_STYLE_DOWN
                                     : WB_STYLE_DIM,
                  change);
}
