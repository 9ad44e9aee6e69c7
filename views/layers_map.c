/* views/layers_map.c - from sums to the numbers of a map, its labels, and what is in a cell. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "views/view_layers.h"

static const struct {
    const char *name, *word;
} metrics[LAYERS_METRICS] = {
    [LAYERS_COSINE] = { "cosine", "cosine" },
    [LAYERS_L2] = { "relative L2", "relative-l2" },
    [LAYERS_SIGN] = { "sign agreement", "sign" },
};

const char *wb_layers_metric_name(enum layers_metric metric, bool word)
{
    return word ? metrics[metric].word : metrics[metric].name;
}

bool wb_layers_has_metric(enum layers_mode mode, enum layers_metric metric)
{
    return mode == LAYERS_PAIR || metric != LAYERS_SIGN;
}

/* ---- one number ---- */

static double delta_number(const struct layers *s, const struct wb_delta *sum)
{
    static const enum wb_delta_metric of[LAYERS_METRICS] = {
        [LAYERS_COSINE] = WB_DELTA_COSINE,
        [LAYERS_L2] = WB_DELTA_RELATIVE_L2,
        [LAYERS_SIGN] = WB_DELTA_SIGN,
    };

    return wb_delta_get(sum, of[s->metric[LAYERS_PAIR]]);
}

static double pairwise_number(const struct layers *s, size_t role, size_t i, size_t j)
{
    return wb_pairwise_get(
        &s->answer->pairwise,
        s->metric[s->mode] == LAYERS_L2 ? WB_PAIRWISE_RELATIVE_L2 : WB_PAIRWISE_COSINE, role, i, j);
}

/* Tensors that two items share in a role or in all. */
static size_t shared(const struct wb_pairwise *p, size_t role, size_t i, size_t j)
{
    size_t sum = 0;

    for (size_t r = 0; r < p->roles; r++)
        if (role == WB_ALL_ROLES || role == r)
            sum += p->shared[(r * p->items + i) * p->items + j];
    return sum;
}

/* The number of the role that is chosen; WB_ALL_ROLES too when the models do not have it. */
static size_t role_of(const struct layers *s)
{
    const struct wb_pairwise *p = &s->answer->pairwise;

    for (size_t r = 0; r < p->roles; r++)
        if (strcmp(p->role[r], s->role) == 0)
            return r;
    return WB_ALL_ROLES;
}

/* ---- the map ---- */

static bool room(struct layers_map *m, size_t rows, size_t cols)
{
    m->number = wb_arena_calloc(&m->arena, rows * cols + 1, sizeof *m->number);
    m->value = wb_arena_calloc(&m->arena, rows * cols + 1, sizeof *m->value);
    m->row_label = wb_arena_calloc(&m->arena, rows + 1, sizeof *m->row_label);
    m->col_label = wb_arena_calloc(&m->arena, cols + 1, sizeof *m->col_label);
    if (m->number == NULL || m->value == NULL || m->row_label == NULL || m->col_label == NULL)
        return false;
    m->rows = (int)rows;
    m->cols = (int)cols;
    return true;
}

/* "7", "vision.7", "none" */
static const char *layer_label(struct layers_map *m, const char *stack, int layer)
{
    const char *label =
        layer < 0 ? "none"
                  : wb_arena_printf(&m->arena, "%s%s%d", stack, stack[0] == '\0' ? "" : ".", layer);

    return label == NULL ? "" : label;
}

static void set_cell(struct layers_map *m, size_t at, double number)
{
    m->number[at] = number;
    m->value[at] = (float)number;
}

static void map_pair(struct layers *s)
{
    const struct layers_answer *a = s->answer;
    struct layers_map *m = &s->map;

    if (!room(m, a->places.rows, a->places.columns))
        return;
    for (size_t r = 0; r < a->places.rows; r++)
        m->row_label[r] = layer_label(m, a->places.row[r].stack, a->places.row[r].layer);
    memcpy(m->col_label, a->places.column, a->places.columns * sizeof *m->col_label);
    for (size_t at = 0; at < a->places.rows * a->places.columns; at++) {
        set_cell(m, at, a->cell_both[at] > 0 ? delta_number(s, &a->cell[at]) : NAN);
        if (a->cell_both[at] == 0)
            m->value[at] = a->cell_all[at] > 0 ? wb_heat_missing() : wb_heat_blank();
    }
}

static const char *item_label(const struct wb_view *v, struct layers_map *m, size_t i)
{
    const struct layers *s = v->state;
    const struct wb_pairwise_item *item = &s->answer->pairwise.item[i];
    const struct wb_desk_model *model;
    const char *label = NULL;

    if (s->mode == LAYERS_WITHIN)
        return layer_label(m, item->stack, item->layer);
    model = wb_desk_get(v->desk, s->question.model[i]);
    if (model != NULL)
        label = wb_arena_strdup(&m->arena, model->name);
    return label == NULL ? "" : label;
}

static void map_square(const struct wb_view *v)
{
    struct layers *s = v->state;
    const struct wb_pairwise *p = &s->answer->pairwise;
    struct layers_map *m = &s->map;
    size_t n = p->items, role = role_of(s);

    if (!room(m, n, n))
        return;
    for (size_t i = 0; i < n; i++)
        m->row_label[i] = m->col_label[i] = item_label(v, m, i);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            set_cell(m, i * n + j, NAN);
            if (shared(p, role, i, j) > 0)
                set_cell(m, i * n + j, pairwise_number(s, role, i, j));
            else
                m->value[i * n + j] = wb_heat_missing();
        }
}

/* 1, 2 or 5 times a power of ten, not below the largest value: does not move with every digit. */
static float ceiling(const struct layers_map *m)
{
    double most = 0, step;

    for (int i = 0; i < m->rows * m->cols; i++)
        if (isfinite(m->number[i]))
            most = fmax(most, m->number[i]);
    if (most == 0)
        return 1;
    step = pow(10, floor(log10(most)));
    return (float)(most <= step       ? step
                   : most <= 2 * step ? 2 * step
                   : most <= 5 * step ? 5 * step
                                      : 10 * step);
}

static int within(int at, int n)
{
    return at < 0 || n < 1 ? 0 : at >= n ? n - 1 : at;
}

static void set_heat(struct layers *s)
{
    struct wb_heat *h = &s->heat[s->mode];
    const struct layers_map *m = &s->map;
    enum layers_metric metric = s->metric[s->mode];
    bool first = h->rows == 0;

    h->rows = m->rows;
    h->cols = m->cols;
    h->value = m->value;
    h->quantity = wb_layers_metric_name(metric, false);
    h->diverging = metric == LAYERS_COSINE;
    h->min = metric == LAYERS_COSINE ? -1 : 0;
    h->max = metric == LAYERS_L2 ? ceiling(m) : 1;
    h->self = s->mode != LAYERS_PAIR;
    h->symmetric = h->self && metric == LAYERS_COSINE;
    h->stretch = s->mode != LAYERS_WITHIN;
    h->row_axis = (struct wb_heat_axis){ .label = m->row_label, .names = h->stretch };
    h->col_axis = (struct wb_heat_axis){ .label = m->col_label, .names = h->stretch };
    h->row = within(h->row, h->rows);
    h->col = within(h->col, h->cols);
    while (first && h->col + 1 < h->cols && wb_heat_is_blank(m->value[h->col]))
        h->col++; /* where there is something to see */
}

void wb_layers_make_map(struct wb_view *v)
{
    struct layers *s = v->state;

    wb_layers_free_map(&s->map);
    if (s->answer != NULL && s->mode == LAYERS_PAIR)
        map_pair(s);
    else if (s->answer != NULL)
        map_square(v);
    if (s->answer != NULL) /* while one computes, the cursor stays for what comes */
        set_heat(s);
    wb_layers_make_lines(v);
}

void wb_layers_free_map(struct layers_map *m)
{
    wb_arena_free(&m->arena);
    wb_arena_free(&m->line_arena);
    *m = (struct layers_map){ 0 };
}

double wb_layers_number(const struct layers *s, int row, int col)
{
    const struct layers_map *m = &s->map;

    if (row < 0 || row >= m->rows || col < 0 || col >= m->cols)
        return NAN;
    return m->number[(size_t)row * (size_t)m->cols + (size_t)col];
}

/* ---- what is in a cell ---- */

static void add_line(struct layers_map *m, const char *name, const struct wb_entry *entry,
                     enum layers_tensor_kind kind, double value)
{
    m->line[m->lines++] = (struct layers_line){ name, entry, kind, value };
}

static void lines_of_pair(struct layers *s, size_t row, size_t col)
{
    const struct layers_answer *a = s->answer;
    struct layers_map *m = &s->map;

    m->line = wb_arena_calloc(&m->line_arena, a->tensors + 1, sizeof *m->line);
    for (size_t i = 0; m->line != NULL && i < a->tensors; i++)
        if (a->places.at[i].row == row && a->places.at[i].column == col)
            add_line(m, a->tensor[i].entry->name, a->tensor[i].entry, a->tensor[i].kind,
                     a->tensor[i].kind == LAYERS_BOTH ? delta_number(s, &a->tensor[i].sum) : NAN);
}

/* Tensors of the layer at the left, each with the figure of its role. */
static void lines_of_layers(struct layers *s, size_t row, size_t col)
{
    const struct wb_pairwise *p = &s->answer->pairwise;
    const struct wb_model *model = s->answer->model[0];
    struct layers_map *m = &s->map;
    size_t chosen = role_of(s);

    m->line = wb_arena_calloc(&m->line_arena, wb_model_count(model) + 1, sizeof *m->line);
    for (size_t i = 0; m->line != NULL && i < wb_model_count(model); i++) {
        const struct wb_entry *e = wb_model_entry(model, i);
        size_t role = 0;

        if (e->role.layer != p->item[row].layer || strcmp(e->role.stack, p->item[row].stack) != 0)
            continue;
        while (role < p->roles && strcmp(p->role[role], e->role.role) != 0)
            role++;
        if (role < p->roles && (chosen == WB_ALL_ROLES || chosen == role))
            add_line(m, e->name, e, LAYERS_BOTH, pairwise_number(s, role, row, col));
    }
}

static void lines_of_models(struct layers *s, size_t row, size_t col)
{
    const struct wb_pairwise *p = &s->answer->pairwise;
    struct layers_map *m = &s->map;

    m->line = wb_arena_calloc(&m->line_arena, p->roles + 1, sizeof *m->line);
    for (size_t r = 0; m->line != NULL && r < p->roles; r++)
        if (shared(p, r, row, col) > 0)
            add_line(m, p->role[r], NULL, LAYERS_BOTH, pairwise_number(s, r, row, col));
}

void wb_layers_make_lines(struct wb_view *v)
{
    struct layers *s = v->state;
    const struct wb_heat *h = &s->heat[s->mode];
    struct layers_map *m = &s->map;

    wb_arena_free(&m->line_arena);
    m->line = NULL;
    m->lines = 0;
    if (m->rows > 0 && m->cols > 0) {
        size_t row = (size_t)within(h->row, m->rows), col = (size_t)within(h->col, m->cols);

        if (s->mode == LAYERS_PAIR)
            lines_of_pair(s, row, col);
        else if (s->mode == LAYERS_WITHIN)
            lines_of_layers(s, row, col);
        else
            lines_of_models(s, row, col);
    }
    wb_table_set_rows(&s->list, m->lines);
}

/* ---- order ---- */

/* Is x nearer than y? */
static bool nearer(enum layers_metric metric, double x, double y)
{
    return metric == LAYERS_L2 ? x < y : x > y;
}

int wb_layers_rank(const struct layers *s, int *place, int max)
{
    const struct wb_heat *h = &s->heat[s->mode];
    bool pair = s->mode == LAYERS_PAIR;
    int n = 0;

    for (int i = 0; i < (pair ? s->map.rows : s->map.cols) && n < max; i++) {
        double x = pair ? wb_layers_number(s, i, h->col) : wb_layers_number(s, h->row, i);
        int k = n;

        if (isnan(x) || (!pair && i == h->row))
            continue;
        for (; k > 0; k--) {
            double y = pair ? wb_layers_number(s, place[k - 1], h->col)
                            : wb_layers_number(s, h->row, place[k - 1]);

            if (!nearer(s->metric[s->mode], x, y))
                break;
            place[k] = place[k - 1];
        }
        place[k] = i;
        n++;
    }
    return n;
}

/* ---- roles and words ---- */

void wb_layers_step_role(struct wb_view *v, int by)
{
    struct layers *s = v->state;
    const struct wb_pairwise *p = s->answer == NULL ? NULL : &s->answer->pairwise;
    size_t role, n;

    if (p == NULL || s->mode == LAYERS_PAIR)
        return;
    n = p->roles + 1; /* the last place: all together */
    role = role_of(s) == WB_ALL_ROLES ? p->roles : role_of(s);
    role = (role + n + (size_t)((by % (int)n + (int)n) % (int)n)) % n;
    snprintf(s->role, sizeof s->role, "%s", role < p->roles ? p->role[role] : "");
    wb_layers_make_map(v);
}

static const char *name_of(const struct wb_view *v, uint64_t id)
{
    const struct wb_desk_model *m = wb_desk_get(v->desk, id);

    return m == NULL ? "?" : m->name;
}

const char *wb_layers_title(const struct wb_view *v, char *out, size_t size)
{
    const struct layers *s = v->state;
    const struct layers_question *q = &s->question;

    if (q->models == 0)
        snprintf(out, size, "nothing to compare");
    else if (s->mode == LAYERS_PAIR)
        snprintf(out, size, "%s against %s", name_of(v, q->model[1]), name_of(v, q->model[0]));
    else if (s->mode == LAYERS_WITHIN)
        snprintf(out, size, "layers of %s", name_of(v, q->model[0]));
    else if (q->left_out > 0)
        snprintf(out, size, "the first %zu of %zu models", q->models, q->models + q->left_out);
    else
        snprintf(out, size, "%zu models", q->models);
    return out;
}

const char *wb_layers_what(const struct wb_view *v, char *out, size_t size)
{
    const struct layers *s = v->state;
    const struct layers_question *q = &s->question;
    bool all = s->answer == NULL || role_of(s) == WB_ALL_ROLES;

    snprintf(out, size, "%s of %s%s%s%s", wb_layers_metric_name(s->metric[s->mode], false),
             q->base == 0 ? "the weights" : "the changes from ",
             q->base == 0 ? "" : name_of(v, q->base),
             s->mode == LAYERS_PAIR ? ""
             : all                  ? ", all roles"
                                    : ", role ",
             s->mode == LAYERS_PAIR || all ? "" : s->role);
    return out;
}
