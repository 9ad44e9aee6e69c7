/* views/view_models.c - the models on the desk: what they are and how they relate. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/str.h"
#include "app/probe/delta.h"
#include "app/probe/relation.h"
#include "lua/bind/record.h"
#include "views/box.h"
#include "views/chart.h"
#include "views/desk.h"
#include "views/number.h"
#include "views/screens.h"
#include "views/table.h"

#define DETAIL_COLS 100 /* from here on the detail pane stands at the right, else below */
#define DETAIL_ROWS 9
#define LAYERS_MAX 512

enum column { NAME, FAMILY, LAYERS, HEADS, PARAMS, DTYPE, SIZE, COLUMNS };

static const struct wb_table_column columns[COLUMNS] = {
    [NAME] = { .title = "NAME", .width = 14, .flex = 1 },
    [FAMILY] = { .title = "FAMILY", .width = 9 },
    [LAYERS] = { .title = "LAYERS", .width = 6, .align = WB_ALIGN_RIGHT, .priority = 2 },
    [HEADS] = { .title = "HEADS", .width = 6, .align = WB_ALIGN_RIGHT, .priority = 4 },
    [PARAMS] = { .title = "PARAMS", .width = 7, .align = WB_ALIGN_RIGHT },
    [DTYPE] = { .title = "DTYPE", .width = 8, .priority = 3 },
    [SIZE] = { .title = "SIZE", .width = 8, .align = WB_ALIGN_RIGHT, .priority = 1 },
};

/* How two models differ: first on a sample of the values, by layer; on demand byte for byte. */
struct comparison {
    uint64_t a, b; /* ids on the desk; 0: none */
    struct wb_task *task, *exact_task;
    struct comparing *task_ctx;
    struct finding *exact_ctx;
    bool known, exact_known;
    struct wb_delta total;
    float layer[LAYERS_MAX]; /* relative L2 of each layer */
    size_t layers;
    size_t kinds[WB_DIFFERENCE_KINDS];
    struct wb_err err, exact_err;
};

struct models {
    struct wb_table table;
    size_t *order; /* rows -> models of the desk */
    struct comparison versus;
    unsigned long seen; /* version of the desk */
};

/* The tasks behind a comparison */

struct comparing {
    struct wb_model *a, *b;
    struct wb_eval how;
    struct wb_delta_list list;
};

static void comparing_free(void *ctx)
{
    struct comparing *c = ctx;

    wb_delta_free(&c->list);
    wb_model_unref(c->a);
    wb_model_unref(c->b);
    free(c);
}

static bool compare(struct wb_task *task, void *ctx, struct wb_err *err)
{
    struct comparing *c = ctx;

    c->how.cancel = wb_task_cancel_flag(task);
    return wb_delta_compare(&c->how, c->a, c->b, NULL, NULL, &c->list, err);
}

struct finding {
    struct wb_model *a, *b;
    struct wb_eval how;
    struct wb_difference_list list;
};

static void finding_free(void *ctx)
{
    struct finding *c = ctx;

    wb_difference_free(&c->list);
    wb_model_unref(c->a);
    wb_model_unref(c->b);
    free(c);
}

static bool find(struct wb_task *task, void *ctx, struct wb_err *err)
{
    struct finding *c = ctx;

    c->how.cancel = wb_task_cancel_flag(task);
    return wb_difference_find(&c->how, c->a, c->b, &c->list, err);
}

static void drop_comparison(struct comparison *v)
{
    wb_task_drop(v->task);
    wb_task_drop(v->exact_task);
    *v = (struct comparison){ .a = 0 };
}

/* Begin to compare a model with the one it comes from, unless that is known or at work. */
static void want_comparison(struct wb_view *v)
{
    struct models *s = v->state;
    struct comparison *c = &s->versus;
    struct wb_desk_model *b = wb_desk_current(v->desk), *a = wb_desk_other(v->desk);
    struct comparing *ctx;

    if (a == NULL || b == NULL) {
        drop_comparison(c);
        return;
    }
    if (c->a == a->id && c->b == b->id)
        return;
    drop_comparison(c);
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

static void want_exact(struct wb_view *v)
{
    struct models *s = v->state;
    struct comparison *c = &s->versus;
    struct wb_desk_model *a = wb_desk_get(v->desk, c->a), *b = wb_desk_get(v->desk, c->b);
    struct finding *ctx;

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

static bool ended(struct wb_task **task, struct wb_err *err, bool *done)
{
    enum wb_task_state state = *task == NULL ? WB_TASK_RUNNING : wb_task_poll(*task, err);

    *done = state == WB_TASK_DONE;
    return state != WB_TASK_WAITING && state != WB_TASK_RUNNING;
}

static void take_layers(struct comparison *c, struct wb_delta_list *list)
{
    size_t n;
    const struct wb_delta_layer *row = wb_delta_layers(list, &n);

    c->total = wb_delta_total(list);
    c->layers = 0;
    for (size_t i = 0; row != NULL && i < n && c->layers < LAYERS_MAX; i++)
        if (row[i].layer >= 0)
            c->layer[c->layers++] = (float)wb_delta_relative_l2(&row[i].sum);
}

/* What was looked at can be replayed. */
static void record(const struct wb_desk *desk, const struct comparison *c)
{
    const struct wb_desk_model *a = wb_desk_get(desk, c->a), *b = wb_desk_get(desk, c->b);

    if (a != NULL && b != NULL && a->path != NULL && b->path != NULL)
        wb_record_compare(desk->record, a->name, b->name, NULL, NULL, true);
}

static bool poll_comparison(const struct wb_desk *desk, struct comparison *c)
{
    bool done, changed = false;

    if (ended(&c->task, &c->err, &done)) {
        c->known = done;
        if (done) {
            take_layers(c, &c->task_ctx->list);
            record(desk, c);
        }
        wb_task_drop(c->task);
        c->task = NULL;
        changed = true;
    }
    if (ended(&c->exact_task, &c->exact_err, &done)) {
        c->exact_known = done;
        if (done)
            memcpy(c->kinds, c->exact_ctx->list.kinds, sizeof c->kinds);
        wb_task_drop(c->exact_task);
        c->exact_task = NULL;
        changed = true;
    }
    return changed;
}

/* The table */

static const struct wb_desk_model *at_row(const struct wb_view *v, size_t row)
{
    const struct models *s = v->state;

    return row < s->table.rows ? v->desk->model[s->order[row]] : NULL;
}

/* "BF16", or "BF16+2" with other dtypes beside the most frequent one. */
static void dtype_text(const struct wb_model *m, char *out, size_t size)
{
    size_t tensors[WB_DTYPE_COUNT] = { 0 }, kinds = 0, most = 0;

    for (size_t i = 0; i < wb_model_count(m); i++)
        tensors[wb_node_dtype(wb_model_entry(m, i)->node)]++;
    for (size_t d = 0; d < WB_DTYPE_COUNT; d++) {
        kinds += tensors[d] > 0;
        most = tensors[d] > tensors[most] ? d : most;
    }
    if (kinds > 1)
        snprintf(out, size, "%s+%zu", wb_dtype_name((enum wb_dtype)most), kinds - 1);
    else
        snprintf(out, size, "%s", kinds == 0 ? "" : wb_dtype_name((enum wb_dtype)most));
}

static void heads_text(const struct wb_dims *dims, char *out, size_t size)
{
    if (dims->heads <= 0)
        out[0] = '\0';
    else if (dims->kv_heads > 0 && dims->kv_heads != dims->heads)
        snprintf(out, size, "%d/%d", dims->heads, dims->kv_heads);
    else
        snprintf(out, size, "%d", dims->heads);
}

static void name_cell(const struct wb_desk_model *m, struct wb_table_cell *cell)
{
    bool failed = m->model == NULL && !m->opening;

    snprintf(cell->text, sizeof cell->text, "%s%s%s", m->name, failed ? " !" : "",
             m->changed ? " (changed on disk)" : "");
    cell->style = failed ? WB_STYLE_ERROR : m->changed ? WB_STYLE_WARNING : WB_STYLE_TEXT;
}

static void model_cell(void *user, size_t row, int column, struct wb_table_cell *cell)
{
    const struct wb_view *v = user;
    const struct wb_desk_model *m = at_row(v, row);
    const struct wb_dims *dims;

    if (column == NAME) {
        name_cell(m, cell);
        return;
    }
    if (m->model == NULL) {
        if (column == FAMILY)
            snprintf(cell->text, sizeof cell->text, m->opening ? "opening" : "failed");
        cell->style = WB_STYLE_DIM;
        return;
    }
    dims = wb_arch_dims(wb_model_arch(m->model));
    switch ((enum column)column) {
    case FAMILY:
        snprintf(cell->text, sizeof cell->text, "%s", wb_arch_family(wb_model_arch(m->model)));
        break;
    case LAYERS:
        snprintf(cell->text, sizeof cell->text, "%d", wb_model_layers(m->model));
        break;
    case HEADS:
        heads_text(dims, cell->text, sizeof cell->text);
        break;
    case PARAMS:
        wb_format_count(cell->text, sizeof cell->text, (double)wb_model_parameters(m->model));
        break;
    case DTYPE:
        dtype_text(m->model, cell->text, sizeof cell->text);
        break;
    default:
        wb_format_bytes(cell->text, sizeof cell->text, (double)wb_model_bytes(m->model));
        break;
    }
}

static bool model_marked(void *user, size_t row)
{
    return at_row(user, row)->marked;
}

/* Sorting */

static int by_number(double a, double b)
{
    return a < b ? 1 : a > b ? -1 : 0; /* the largest first */
}

static int compare_models(const struct wb_desk_model *a, const struct wb_desk_model *b, int column)
{
    if (column == NAME)
        return strcmp(a->name, b->name);
    if (a->model == NULL || b->model == NULL)
        return (a->model == NULL) - (b->model == NULL);
    switch ((enum column)column) {
    case FAMILY:
        return strcmp(wb_arch_family(wb_model_arch(a->model)),
                      wb_arch_family(wb_model_arch(b->model)));
    case LAYERS:
        return by_number(wb_model_layers(a->model), wb_model_layers(b->model));
    case HEADS:
        return by_number(wb_arch_dims(wb_model_arch(a->model))->heads,
                         wb_arch_dims(wb_model_arch(b->model))->heads);
    case PARAMS:
        return by_number((double)wb_model_parameters(a->model),
                         (double)wb_model_parameters(b->model));
    default:
        return by_number((double)wb_model_bytes(a->model), (double)wb_model_bytes(b->model));
    }
}

/* Insertion sort: stable, and there are a handful of models. */
static void sort_rows(struct wb_view *v)
{
    struct models *s = v->state;
    size_t *more = realloc(s->order, (v->desk->models + 1) * sizeof *more);

    if (more == NULL)
        return;
    s->order = more;
    for (size_t i = 0; i < v->desk->models; i++) {
        size_t k = i;

        for (; k > 0 && s->table.sort >= 0; k--) {
            int order =
                compare_models(v->desk->model[s->order[k - 1]], v->desk->model[i], s->table.sort);

            if ((s->table.reverse ? -order : order) <= 0)
                break;
            s->order[k] = s->order[k - 1];
        }
        s->order[k] = i;
    }
    s->table.rows = v->desk->models;
}

/* The cursor is on the desk's current model, whatever the order. */
static void follow_current(struct wb_view *v)
{
    struct models *s = v->state;

    for (size_t i = 0; i < s->table.rows; i++)
        if (at_row(v, i)->id == v->desk->current)
            wb_table_select(&s->table, i, wb_table_page(&s->table, v->rows));
    wb_table_set_rows(&s->table, s->table.rows);
}

static void set_current(struct wb_view *v)
{
    struct models *s = v->state;
    const struct wb_desk_model *m = at_row(v, s->table.cursor);

    if (m == NULL || m->id == v->desk->current)
        return;
    v->desk->current = m->id;
    v->desk->version++;
    s->seen = v->desk->version;
    want_comparison(v);
}

/* Drawing */

static void draw_dims(struct wb_canvas *cv, int *row, const struct wb_model *m)
{
    const struct wb_dims *d = wb_arch_dims(wb_model_arch(m));
    char heads[30];

    heads_text(d, heads, sizeof heads);
    wb_canvas_printf(cv, (*row)++, 1, WB_STYLE_TEXT, "shape   hidden %d  inner %d  heads %s of %d",
                     d->hidden, d->intermediate, heads, d->head_dim);
    wb_canvas_printf(cv, (*row)++, 1, WB_STYLE_TEXT, "words   vocabulary %d  context %d%s",
                     d->vocab, d->context, d->tied_embeddings ? "  tied" : "");
    wb_canvas_printf(
        cv, (*row)++, 1, WB_STYLE_TEXT, "files   %zu tensors in %zu file%s", wb_model_count(m),
        wb_model_source_count(m) == 0 ? 0 : wb_ckpt_file_count(wb_model_source(m, 0)),
        wb_model_source_count(m) > 0 && wb_ckpt_file_count(wb_model_source(m, 0)) == 1 ? "" : "s");
}

static void draw_delta(struct wb_canvas *cv, int *row, const struct comparison *c)
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

static void draw_exact(struct wb_canvas *cv, int *row, const struct comparison *c)
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
    const struct wb_desk_model *m = at_row(v, s->table.cursor);
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

static void draw(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct models *s = v->state;
    struct wb_canvas list, detail;

    if (cv->cols >= DETAIL_COLS)
        wb_pane_split(cv, cv->cols * 3 / 5, &list, &detail);
    else
        wb_pane_stack(cv, cv->rows - DETAIL_ROWS, &list, &detail);
    wb_table_draw(&s->table, &list, true);
    draw_detail(v, &detail);
}

/* Acting */

static void answer_open(struct wb_view *v, const char *text)
{
    struct wb_desk_model *m = text[0] == '\0' ? NULL : wb_desk_open(v->desk, text, NULL);

    if (m != NULL)
        v->desk->current = m->id;
}

static void answer_rename(struct wb_view *v, const char *text)
{
    struct wb_err err;

    if (!wb_desk_rename(v->desk, v->desk->current, text, &err))
        wb_desk_say(v->desk, WB_MESSAGE_ERROR, "%s", err.msg);
}

static void mark(struct wb_view *v, int how)
{
    struct models *s = v->state;

    for (size_t i = 0; i < v->desk->models; i++) {
        struct wb_desk_model *m = v->desk->model[i];

        if (how >= 0)
            m->marked = how > 0;
        else if (s->table.rows > 0 && s->order[s->table.cursor] == i)
            m->marked = !m->marked;
    }
    v->desk->version++;
}

static bool act_on_model(struct wb_view *v, enum wb_action action, struct wb_desk_model *m)
{
    switch (action) {
    case WB_ACTION_OPEN:
        wb_desk_go(v->desk, "tensors", NULL);
        return true;
    case WB_ACTION_MARK:
        mark(v, -1);
        return true;
    case WB_ACTION_DELETE:
        wb_desk_close(v->desk, m->id);
        return true;
    case WB_ACTION_MODEL_RENAME:
        wb_desk_ask(v->desk, v, WB_ASK_TEXT, "Rename to: ", m->name, answer_rename);
        return true;
    case WB_ACTION_MODEL_RELOAD:
        if (m->path == NULL)
            return false;
        wb_desk_reload(v->desk, m->id);
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "%s is read anew", m->name);
        return true;
    case WB_ACTION_COPY:
        wb_desk_copy(v->desk, m->path == NULL ? m->name : m->path);
        return true;
    case WB_ACTION_EXACT:
        want_exact(v);
        return true;
    default:
        return false;
    }
}

static bool act(struct wb_view *v, enum wb_action action, int count)
{
    struct models *s = v->state;

    if (wb_table_act(&s->table, action, count, wb_table_page(&s->table, v->rows))) {
        set_current(v);
        return true;
    }
    if (wb_table_sort_act(&s->table, action)) {
        sort_rows(v);
        follow_current(v);
        return true;
    }
    switch (action) {
    case WB_ACTION_MODEL_OPEN:
        wb_desk_ask(v->desk, v, WB_ASK_MODEL, "Open model: ", "", answer_open);
        return true;
    case WB_ACTION_MARK_ALL:
    case WB_ACTION_UNMARK_ALL:
        mark(v, action == WB_ACTION_MARK_ALL);
        return true;
    case WB_ACTION_CANCEL:
        wb_task_cancel(s->versus.exact_task != NULL ? s->versus.exact_task : s->versus.task);
        return true;
    default:
        break;
    }
    if (s->table.rows == 0) {
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "no model is open; o opens one");
        return true;
    }
    return act_on_model(v, action, v->desk->model[s->order[s->table.cursor]]);
}

static void mouse(struct wb_view *v, const struct wb_mouse *event)
{
    struct models *s = v->state;
    bool beside = v->cols >= DETAIL_COLS;
    int rows = beside ? v->rows : v->rows - DETAIL_ROWS, cols = beside ? v->cols * 3 / 5 : v->cols;

    if (event->row >= rows || event->col >= cols)
        return;
    switch (wb_table_mouse(&s->table, *event, rows, cols)) {
    case WB_TABLE_SELECTED:
        set_current(v);
        break;
    case WB_TABLE_OPENED:
        set_current(v);
        act(v, WB_ACTION_OPEN, 1);
        break;
    case WB_TABLE_SORTED:
        sort_rows(v);
        follow_current(v);
        break;
    default:
        break;
    }
}

static bool search(struct wb_view *v, const char *text, int direction)
{
    struct models *s = v->state;
    size_t n = s->table.rows, at = s->table.cursor;

    for (size_t i = direction == 0 ? 0 : 1; n > 0 && i <= n; i++) {
        size_t row = direction < 0 ? (at + n - i % n) % n : (at + i) % n;
        const struct wb_desk_model *m = at_row(v, row);

        if (strcasestr(m->name, text) != NULL ||
            (m->path != NULL && strcasestr(m->path, text) != NULL)) {
            wb_table_select(&s->table, row, wb_table_page(&s->table, v->rows));
            set_current(v);
            return true;
        }
    }
    return false;
}

static bool poll(struct wb_view *v)
{
    struct models *s = v->state;
    bool changed = poll_comparison(v->desk, &s->versus);

    if (s->seen == v->desk->version)
        return changed;
    s->seen = v->desk->version;
    sort_rows(v);
    follow_current(v);
    want_comparison(v);
    return true;
}

static void status(const struct wb_view *v, struct wb_str *where, struct wb_str *position)
{
    const struct models *s = v->state;
    const struct wb_desk_model *m = at_row(v, s->table.cursor);
    size_t marked = 0;
    uint64_t bytes = 0;
    char size[30];

    wb_str_printf(where, "Models%s%s", m == NULL ? "" : " > ", m == NULL ? "" : m->name);
    for (size_t i = 0; i < v->desk->models; i++) {
        marked += v->desk->model[i]->marked;
        if (v->desk->model[i]->model != NULL)
            bytes += wb_model_bytes(v->desk->model[i]->model);
    }
    if (v->desk->models == 0)
        return;
    wb_str_printf(position, "%zu models, %zu marked, %s   %zu/%zu", v->desk->models, marked,
                  wb_format_bytes(size, sizeof size, (double)bytes), s->table.cursor + 1,
                  s->table.rows);
}

static bool busy(const struct wb_view *v)
{
    const struct models *s = v->state;

    return s->versus.task != NULL || s->versus.exact_task != NULL;
}

static bool open(struct wb_view *v, struct wb_err *err)
{
    struct models *s = v->state;

    (void)err;
    s->table = (struct wb_table){
        .column = columns,
        .columns = COLUMNS,
        .cell = model_cell,
        .marked = model_marked,
        .user = v,
        .sort = -1,
        .empty = "No model is open: o opens a directory, a file, a name in the hub."
    };
    s->seen = v->desk->version - 1;
    return true;
}

static void close(struct wb_view *v)
{
    struct models *s = v->state;

    drop_comparison(&s->versus);
    free(s->order);
}

static const enum wb_action actions[] = {
    WB_ACTION_OPEN,         WB_ACTION_MODEL_OPEN, WB_ACTION_DELETE,   WB_ACTION_MODEL_RENAME,
    WB_ACTION_MODEL_RELOAD, WB_ACTION_MARK,       WB_ACTION_MARK_ALL, WB_ACTION_UNMARK_ALL,
    WB_ACTION_EXACT,        WB_ACTION_COPY,       WB_ACTION_SORT,     WB_ACTION_SORT_REVERSE,
    WB_ACTION_UP,           WB_ACTION_DOWN,       WB_ACTION_FIRST,    WB_ACTION_LAST,
    WB_ACTION_PAGE_UP,      WB_ACTION_PAGE_DOWN,  WB_ACTION_HALF_UP,  WB_ACTION_HALF_DOWN,
    WB_ACTION_CANCEL,       WB_ACTION_NONE,
};
static const enum wb_action hints[] = { WB_ACTION_MODEL_OPEN, WB_ACTION_OPEN, WB_ACTION_MARK,
                                        WB_ACTION_DELETE,     WB_ACTION_SORT, WB_ACTION_EXACT,
                                        WB_ACTION_NONE };

const struct wb_view_ops wb_models_view = {
    .name = "models",
    .title = "Models",
    .doc = "The open models: what they are, and how the one under the cursor differs from another",
    .state_size = sizeof(struct models),
    .actions = actions,
    .hints = hints,
    .open = open,
    .close = close,
    .draw = draw,
    .act = act,
    .mouse = mouse,
    .poll = poll,
    .status = status,
    .search = search,
    .busy = busy,
};
