/* app/probe/preview_figures.c - from sums to figures: of tensors, cells, layers and the whole. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/probe/preview_impl.h"

/* Order of WB_REDUCE_STATS as far as it is used. */
enum { COUNT, NAN_COUNT, INF_COUNT, ZERO, SUM_SQUARES = 5 };

static double share(double part, double of)
{
    return of > 0 ? part / of : NAN;
}

static struct wb_delta delta_at(const double *sum)
{
    struct wb_delta d;

    memcpy(d.v, sum, sizeof d.v);
    return d;
}

/* Of plain sums; 1 where both are the same. */
static double cosine(const double product[3])
{
    double norms = sqrt(product[0]) * sqrt(product[1]);

    if (!(norms > 0))
        return NAN;
    if (product[0] == product[2] && product[1] == product[2])
        return 1;
    return fmax(-1, fmin(1, product[2] / norms)) + 0 * product[2]; /* NaN stays */
}

static double of_parent(const struct wb_preview *p, const double *sum,
                        enum wb_preview_figure figure)
{
    struct wb_delta pair = delta_at(sum);

    if (figure == WB_PREVIEW_sign_agreement)
        return wb_delta_sign(&pair);
    if (figure == WB_PREVIEW_cosine && p->base != NULL)
        return cosine(sum + WB_SUM_PRODUCTS);
    return wb_delta_cosine(&pair);
}

static double figure_of(const struct wb_preview *p, const struct wb_quantity *q, const double *sum)
{
    struct wb_delta base = delta_at(sum + WB_SUM_BASE);
    double finite = sum[COUNT] - sum[NAN_COUNT] - sum[INF_COUNT];

    if (q->parent >= 0)
        return of_parent(p, sum + WB_SUM_PARENT + WB_SUM_OF_PARENT * q->parent,
                         (enum wb_preview_figure)q->figure);
    switch ((enum wb_preview_figure)q->figure) {
    case WB_PREVIEW_delta_norm:
        return wb_delta_l2(&base);
    case WB_PREVIEW_relative_norm:
        return wb_delta_relative_l2(&base);
    case WB_PREVIEW_changed_share:
        return share(base.v[WB_PAIR_UNEQUAL], base.v[WB_PAIR_COUNT] - base.v[WB_PAIR_SKIPPED]);
    case WB_PREVIEW_norm:
        return finite > 0 ? sqrt(sum[SUM_SQUARES]) : NAN;
    case WB_PREVIEW_zero_share:
        return share(sum[ZERO], sum[COUNT]);
    case WB_PREVIEW_nan:
        return sum[COUNT] > 0 ? sum[NAN_COUNT] : NAN;
    case WB_PREVIEW_inf:
        return sum[COUNT] > 0 ? sum[INF_COUNT] : NAN;
    case WB_PREVIEW_conflict_share:
        return share(sum[WB_SUM_CONFLICT], sum[WB_SUM_CONFLICT + 1]);
    default:
        return NAN;
    }
}

/* One line of numbers; those of notes are left alone. */
static void fill_line(const struct wb_preview *p, enum wb_grade grade, const double *sum,
                      double *value)
{
    for (size_t q = 0; q < p->quantities && p->quantity[q].figure >= 0; q++)
        value[q] = grade == WB_GRADE_NONE ? NAN : figure_of(p, &p->quantity[q], sum);
}

static void add_sums(const struct wb_preview *p, double *line, const double *sum)
{
    for (size_t i = 0; i < p->sums; i++)
        line[i] += sum[i];
}

static enum wb_grade least(enum wb_grade a, enum wb_grade b)
{
    return a < b ? a : b;
}

static void grade_lines(struct wb_preview *p)
{
    struct wb_preview_snapshot *s = &p->next;

    for (size_t c = 0; c < wb_preview_cells(p); c++)
        s->cell_grade[c] = WB_GRADE_NONE;
    for (size_t r = 0; r < s->rows; r++)
        s->row[r] = (struct wb_preview_layer){ p->places.row[r].stack, p->places.row[r].layer,
                                               WB_GRADE_EXACT };
    s->grade = p->grade[p->tensors];
    for (int pass = 0; pass < 2; pass++) /* cells that occur start as exact */
        for (size_t i = 0; i < p->tensors; i++) {
            const struct wb_place *at = &p->places.at[i];
            enum wb_grade *cell = &s->cell_grade[at->row * s->columns + at->column];

            *cell = pass == 0 ? WB_GRADE_EXACT : least(*cell, p->grade[i]);
            s->row[at->row].grade = least(s->row[at->row].grade, p->grade[i]);
            s->grade = least(s->grade, p->grade[i]);
        }
}

static void sum_up(struct wb_preview *p)
{
    struct wb_preview_snapshot *s = &p->next;
    size_t cells = wb_preview_cells(p), lines = cells + s->rows + 1;
    double *row = p->line_sum + cells * p->sums, *total = row + s->rows * p->sums;

    memset(p->line_sum, 0, lines * p->sums * sizeof *p->line_sum);
    for (size_t i = 0; i < p->tensors; i++) {
        const struct wb_place *at = &p->places.at[i];
        const double *sum = p->sum + i * p->sums;

        s->tensor[i] = (struct wb_preview_tensor){
            .entry = p->source[i].out,
            .grade = p->grade[i],
            .compared = p->source[i].base != NULL,
            .alias = p->source[i].out->role.tied_to != NULL &&
                     wb_model_find(p->model, p->source[i].out->role.tied_to) != NULL,
        };
        fill_line(p, p->grade[i], sum, s->tensor_value + i * p->quantities);
        if (s->tensor[i].alias)
            continue;
        add_sums(p, p->line_sum + (at->row * s->columns + at->column) * p->sums, sum);
        add_sums(p, row + at->row * p->sums, sum);
        add_sums(p, total, sum);
    }
    for (size_t c = 0; c < cells; c++)
        fill_line(p, s->cell_grade[c], p->line_sum + c * p->sums,
                  s->cell_value + c * p->quantities);
    for (size_t r = 0; r < s->rows; r++)
        fill_line(p, s->row[r].grade, row + r * p->sums, s->row_value + r * p->quantities);
    fill_line(p, s->grade, total, s->total_value);
}

/* Notes. A line's value goes through three states: the numbers that are summed, then the total. */

struct note_sum {
    double sum, weight, max, alone;
    size_t count, notes;
};

static void note_add(struct note_sum *t, const struct wb_preview_note *n)
{
    double value = n->value;

    t->notes++;
    t->alone = value;
    if (isnan(value))
        return;
    t->sum += n->note->total == WB_TOTAL_NORM   ? value * value
              : n->note->total == WB_TOTAL_MEAN ? value * n->note->weight
                                                : value;
    t->weight += n->note->weight;
    t->max = t->count == 0 || value > t->max ? value : t->max;
    t->count++;
}

/* As the report of a run does; a note without a total stands for one tensor alone. */
static double note_total(const struct note_sum *t, enum wb_total how)
{
    if (t->count == 0)
        return NAN;
    switch (how) {
    case WB_TOTAL_SUM:
        return t->sum;
    case WB_TOTAL_NORM:
        return sqrt(t->sum);
    case WB_TOTAL_MEAN:
        return t->weight > 0 ? t->sum / t->weight : NAN;
    case WB_TOTAL_MAX:
        return t->max;
    case WB_TOTAL_NONE:
        break;
    }
    return t->notes == 1 ? t->alone : NAN;
}

static size_t first_note_quantity(const struct wb_preview *p)
{
    size_t q = 0;

    while (q < p->quantities && p->quantity[q].figure >= 0)
        q++;
    return q;
}

static void gather_notes(struct wb_preview *p, struct note_sum *sum, size_t first, size_t width)
{
    struct wb_preview_snapshot *s = &p->next;
    size_t cells = wb_preview_cells(p);
    struct note_sum *row = sum + cells * width, *total = row + s->rows * width;

    for (size_t k = 0; k < p->notes; k++) {
        const struct wb_preview_note *n = &p->note[k];
        size_t q = n->quantity - first;

        if (n->tensor < p->tensors) {
            const struct wb_place *at = &p->places.at[n->tensor];

            s->tensor_value[n->tensor * p->quantities + n->quantity] = n->value;
            note_add(&sum[(at->row * s->columns + at->column) * width + q], n);
            note_add(&row[at->row * width + q], n);
        }
        note_add(&total[q], n);
    }
}

static void clear_notes(const struct wb_preview *p, double *value, size_t lines, size_t first)
{
    for (size_t i = 0; i < lines; i++)
        for (size_t q = first; q < p->quantities; q++)
            value[i * p->quantities + q] = NAN;
}

static void fill_notes(struct wb_preview *p)
{
    struct wb_preview_snapshot *s = &p->next;
    size_t first = first_note_quantity(p), width = p->quantities - first;
    size_t lines = wb_preview_cells(p) + s->rows + 1;
    struct note_sum *sum = calloc(lines * width + 1, sizeof *sum);

    clear_notes(p, s->tensor_value, p->tensors + lines, first);
    if (sum == NULL) /* the notes stay unknown */
        return;
    gather_notes(p, sum, first, width);
    for (size_t i = 0; i < lines; i++) {
        enum wb_grade grade = i < wb_preview_cells(p) ? s->cell_grade[i]
                              : i + 1 < lines         ? s->row[i - wb_preview_cells(p)].grade
                                                      : s->grade;

        for (size_t q = 0; q < width && grade != WB_GRADE_NONE; q++)
            s->cell_value[i * p->quantities + first + q] =
                note_total(&sum[i * width + q], p->quantity[first + q].total);
    }
    free(sum);
}

void wb_preview_publish(struct wb_preview *p, double done, bool finished)
{
    struct wb_preview_snapshot swap;

    grade_lines(p);
    sum_up(p);
    fill_notes(p);
    p->next.done = done;
    p->next.finished = finished;
    pthread_mutex_lock(&p->lock);
    p->next.version = p->now.version + 1;
    p->next.facts = p->now.facts;
    swap = p->now;
    p->now = p->next;
    p->next = swap;
    pthread_mutex_unlock(&p->lock);
}
