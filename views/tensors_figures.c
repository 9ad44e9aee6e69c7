/* views/tensors_figures.c - statistics and close-ups, worked out on tasks. */
#include <stdlib.h>
#include <string.h>

#include "lua/bind/record.h"
#include "views/desk.h"
#include "views/view_tensors.h"

#define SLICE_ENTRIES 32                    /* tensors sampled at a time, so that rows fill in */
#define SLICE_BYTES ((uint64_t)256 << 20)   /* the same for exact figures */
#define CLOSE_EXACT_MAX ((uint64_t)1 << 31) /* bytes of a tensor that is read whole unasked */
#define BINS 48
#define KEPT_MODELS 8

/* Statistics of some tensors of a model, in order. */
struct tensors_stats_work {
    struct wb_model *model;
    size_t first, last;
    struct wb_eval how;
    struct wb_weight_stats *stats;
};

static void stats_free(void *ctx)
{
    struct tensors_stats_work *w = ctx;

    wb_model_unref(w->model);
    free(w->stats);
    free(w);
}

static bool stats_run(struct wb_task *task, void *ctx, struct wb_err *err)
{
    struct tensors_stats_work *w = ctx;
    const struct wb_entry **entry = calloc(w->last - w->first, sizeof *entry);
    bool ok;

    w->stats = calloc(w->last - w->first, sizeof *w->stats);
    if (entry == NULL || w->stats == NULL) {
        free(entry);
        return wb_fail(err, WB_ENOMEM, "no memory for statistics");
    }
    for (size_t i = w->first; i < w->last; i++)
        entry[i - w->first] = wb_model_entry(w->model, i);
    w->how.cancel = wb_task_cancel_flag(task);
    ok = wb_weights_stats(&w->how, entry, w->last - w->first, w->stats, err);
    free(entry);
    return ok;
}

/* One tensor close up: histogram, and values when asked for. */
struct tensors_close_work {
    struct wb_node *node;
    struct wb_eval how;
    struct wb_histogram_ask ask;
    struct wb_histogram histogram;
    bool values; /* the slice alone */
    struct wb_slice at;
    double *slice;
};

static void close_free(void *ctx)
{
    struct tensors_close_work *w = ctx;

    wb_node_unref(w->node);
    free(w->slice);
    free(w);
}

static bool close_run(struct wb_task *task, void *ctx, struct wb_err *err)
{
    struct tensors_close_work *w = ctx;

    w->how.cancel = wb_task_cancel_flag(task);
    if (w->values)
        return wb_slice_values(&w->how, w->node, &w->at, w->slice, err);
    return wb_histogram_compute(&w->how, w->node, &w->ask, &w->histogram, err);
}

/* Models whose figures are kept */

static void figures_free(struct tensors_figures *f)
{
    wb_model_unref(f->model);
    free(f->stats);
    free(f->grade);
    free(f);
}

/* The figures of s->model to the front; NULL without memory. */
static struct tensors_figures *figures_of(struct tensors *s)
{
    struct tensors_figures **place = &s->figures, *f = s->figures;
    size_t n = 0;

    while (f != NULL && !wb_hash_equal(wb_model_hash(f->model), wb_model_hash(s->model))) {
        place = &f->next;
        f = f->next;
    }
    if (f != NULL) {
        *place = f->next;
    } else {
        f = calloc(1, sizeof *f);
        if (f == NULL)
            return NULL;
        f->model = wb_model_ref(s->model);
        f->stats = calloc(wb_model_count(s->model) + 1, sizeof *f->stats);
        f->grade = calloc(wb_model_count(s->model) + 1, 1);
        if (f->stats == NULL || f->grade == NULL) {
            figures_free(f);
            return NULL;
        }
    }
    f->next = s->figures;
    s->figures = f;
    for (place = &s->figures, n = 0; *place != NULL && n < KEPT_MODELS; n++)
        place = &(*place)->next;
    while (*place != NULL) {
        struct tensors_figures *old = *place;

        *place = old->next;
        figures_free(old);
    }
    return f;
}

static void drop_close(struct tensors *s)
{
    wb_task_drop(s->close_task);
    s->close_task = NULL;
    wb_node_unref(s->close.node);
    free(s->close.slice);
    s->close = (struct tensors_close){ .node = NULL };
}

void wb_tensors_set_model(struct wb_view *v)
{
    struct tensors *s = v->state;
    struct wb_desk_model *m = wb_desk_current(v->desk);

    s->model_id = v->desk->current;
    if (m != NULL && m->model == s->model)
        return;
    wb_task_drop(s->stats_task);
    s->stats_task = NULL;
    drop_close(s);
    wb_model_unref(s->model);
    s->model = m == NULL ? NULL : wb_model_ref(m->model);
    if (s->model != NULL && figures_of(s) == NULL) {
        wb_model_unref(s->model);
        s->model = NULL;
    }
    s->table.cursor = s->table.top = 0;
    wb_tensors_make_rows(s);
}

void wb_tensors_free_figures(struct tensors *s)
{
    wb_task_drop(s->stats_task);
    drop_close(s);
    while (s->figures != NULL) {
        struct tensors_figures *f = s->figures;

        s->figures = f->next;
        figures_free(f);
    }
    wb_model_unref(s->model);
}

/* Statistics of all tensors */

static void start_stats(struct wb_view *v, size_t first, size_t last, bool sample)
{
    struct tensors *s = v->state;
    struct tensors_stats_work *w = calloc(1, sizeof *w);
    struct wb_err err;

    if (w == NULL)
        return;
    w->model = wb_model_ref(s->model);
    w->first = first;
    w->last = last;
    w->how = wb_desk_eval(v->desk, sample);
    s->stats_task = wb_task_start(v->desk->tasks, "statistics", stats_run, w, stats_free, &err);
    s->stats_work = w;
    if (s->stats_task == NULL)
        wb_desk_say(v->desk, WB_MESSAGE_WARNING, "%s", err.msg);
}

static void next_stats(struct wb_view *v)
{
    struct tensors *s = v->state;
    struct tensors_figures *f = s->figures;
    size_t count = wb_model_count(s->model), last;
    uint64_t bytes = 0;

    if (f->sampled_to < count) {
        last = f->sampled_to + SLICE_ENTRIES;
        start_stats(v, f->sampled_to, last < count ? last : count, true);
        return;
    }
    if (!f->want_exact || f->exact_to >= count)
        return;
    for (last = f->exact_to; last < count && bytes < SLICE_BYTES; last++) {
        const struct wb_node *node = wb_model_entry(s->model, last)->node;

        bytes += wb_node_count(node) * wb_dtype_bits(wb_node_dtype(node)) / 8;
    }
    start_stats(v, f->exact_to, last, false);
}

/* What was looked at can be replayed. */
static void record(const struct wb_view *v)
{
    const struct tensors *s = v->state;
    const struct wb_desk_model *m = wb_desk_get(v->desk, s->model_id);

    if (m != NULL && m->path != NULL && s->figures->want_exact &&
        s->figures->exact_to >= wb_model_count(s->model))
        wb_record_stats(v->desk->record, m->name, s->filter[0] == '\0' ? NULL : s->filter, false);
}

static void take_stats(struct tensors *s, bool done, bool cancelled)
{
    const struct tensors_stats_work *w = s->stats_work;
    struct tensors_figures *f = s->figures;
    bool sample = w->how.sample;

    for (size_t i = w->first; done && i < w->last; i++)
        if (!sample || f->grade[i] == TENSORS_NONE) {
            f->stats[i] = w->stats[i - w->first];
            f->grade[i] = sample ? TENSORS_SAMPLED : TENSORS_EXACT;
        }
    if (sample)
        f->sampled_to = w->last; /* what failed is not tried again */
    else
        f->exact_to = w->last;
    if (!done && cancelled)
        f->want_exact = false;
    if (s->table.sort >= TENSORS_STD)
        wb_tensors_make_rows(s);
}

void wb_tensors_want_all(struct wb_view *v)
{
    struct tensors *s = v->state;

    if (s->model != NULL)
        s->figures->want_exact = true;
}

/* The tensor under the cursor */

static struct tensors_close_work *close_work(struct wb_view *v, bool sample)
{
    struct tensors *s = v->state;
    struct tensors_close_work *w = calloc(1, sizeof *w);

    if (w == NULL)
        return NULL;
    w->node = wb_node_ref(s->close.node);
    w->how = wb_desk_eval(v->desk, sample);
    return w;
}

static void start_close(struct wb_view *v, struct tensors_close_work *w)
{
    struct tensors *s = v->state;

    s->close_task =
        wb_task_start_urgent(v->desk->tasks, "close up", close_run, w, close_free, &s->close.err);
    s->close_work = w;
}

static void start_histogram(struct wb_view *v, bool sample)
{
    struct tensors *s = v->state;
    struct tensors_close_work *w = close_work(v, sample);

    if (w == NULL)
        return;
    w->ask = (struct wb_histogram_ask){ .bins = BINS,
                                        .log = s->mode == TENSORS_LOG_HISTOGRAM,
                                        .dead = true };
    start_close(v, w);
}

static bool start_slice(struct wb_view *v)
{
    struct tensors *s = v->state;
    struct tensors_close_work *w = close_work(v, false);
    const struct wb_slice *at = &s->close.at;
    size_t n = (size_t)((at->row_last - at->row_first) * (at->column_last - at->column_first));

    if (w == NULL)
        return false;
    w->values = true;
    w->at = *at;
    w->slice = calloc(n + 1, sizeof *w->slice);
    if (w->slice == NULL) {
        close_free(w);
        return false;
    }
    start_close(v, w);
    return true;
}

static uint64_t rows_of(const struct wb_node *node)
{
    const struct wb_shape *shape = wb_node_shape(node);

    return shape->ndim >= 2 ? shape->dim[0] : 1;
}

static uint64_t columns_of(const struct wb_node *node)
{
    uint64_t rows = rows_of(node);

    return rows == 0 ? 0 : wb_node_count(node) / rows;
}

/* The window of values at a corner, cut to the tensor. */
static void place_slice(const struct wb_view *v, uint64_t row, uint64_t column)
{
    struct tensors *s = v->state;
    uint64_t rows, columns, all_rows = rows_of(s->close.node),
                            all_columns = columns_of(s->close.node);

    wb_tensors_slice_size(v, &rows, &columns);
    if (row + rows > all_rows)
        row = all_rows > rows ? all_rows - rows : 0;
    if (column + columns > all_columns)
        column = all_columns > columns ? all_columns - columns : 0;
    s->close.at =
        (struct wb_slice){ row, row + rows < all_rows ? row + rows : all_rows, column,
                           column + columns < all_columns ? column + columns : all_columns };
    s->close.slice_known = false;
}

void wb_tensors_move_slice(struct wb_view *v, long rows, long columns)
{
    struct tensors *s = v->state;
    const struct wb_slice *at = &s->close.at;
    uint64_t row = at->row_first, column = at->column_first;

    if (s->close.node == NULL)
        return;
    row = rows < 0 && (uint64_t)-rows > row ? 0 : row + (uint64_t)rows;
    column = columns < 0 && (uint64_t)-columns > column ? 0 : column + (uint64_t)columns;
    place_slice(v, row, column);
}

/* Another tensor is under the cursor. */
static void look_closer(struct wb_view *v, size_t entry)
{
    struct tensors *s = v->state;

    drop_close(s);
    s->close.entry = entry;
    s->close.node = wb_node_ref(wb_model_entry(s->model, entry)->node);
    place_slice(v, 0, 0);
}

static bool is_numbers(const struct wb_node *node)
{
    return wb_dtype_computable(wb_node_dtype(node)) && wb_node_count(node) > 0;
}

static void next_close(struct wb_view *v)
{
    struct tensors *s = v->state;
    struct tensors_close *c = &s->close;
    uint64_t bytes;

    if (c->node == NULL || c->err.code != WB_OK || !is_numbers(c->node))
        return;
    bytes = wb_node_count(c->node) * wb_dtype_bits(wb_node_dtype(c->node)) / 8;
    if (s->mode == TENSORS_VALUES && !c->slice_known)
        start_slice(v);
    else if (c->grade == TENSORS_NONE)
        start_histogram(v, bytes > ((uint64_t)4 << 20)); /* small ones at once exactly */
    else if (c->grade == TENSORS_SAMPLED && bytes <= CLOSE_EXACT_MAX)
        start_histogram(v, false);
}

static void take_close(struct tensors *s)
{
    struct tensors_close_work *w = s->close_work;
    struct tensors_close *c = &s->close;

    if (w->values) {
        if (memcmp(&w->at, &c->at, sizeof w->at) != 0)
            return; /* moved meanwhile */
        free(c->slice);
        c->slice = w->slice;
        w->slice = NULL;
        c->slice_known = true;
        return;
    }
    if (w->ask.log != (s->mode == TENSORS_LOG_HISTOGRAM) && s->mode != TENSORS_VALUES)
        return;
    c->histogram = w->histogram;
    c->grade = w->how.sample ? TENSORS_SAMPLED : TENSORS_EXACT;
    if (c->grade == TENSORS_EXACT) {
        s->figures->stats[c->entry] = c->histogram.stats;
        s->figures->grade[c->entry] = TENSORS_EXACT;
    }
}

bool wb_tensors_poll_figures(struct wb_view *v)
{
    struct tensors *s = v->state;
    bool done;
    size_t entry = wb_tensors_entry(s);
    struct wb_err err = { .code = WB_OK };
    bool changed = false;

    if (s->model == NULL)
        return false;
    if (wb_task_ended(s->stats_task, &done, &err)) {
        take_stats(s, done, err.code == WB_ECANCELLED);
        record(v);
        wb_task_drop(s->stats_task);
        s->stats_task = NULL;
        changed = true;
    }
    if (wb_task_ended(s->close_task, &done, &err)) {
        if (done)
            take_close(s);
        else
            s->close.err = err;
        wb_task_drop(s->close_task);
        s->close_task = NULL;
        changed = true;
    }
    if (entry != SIZE_MAX && (s->close.node == NULL || s->close.entry != entry)) {
        look_closer(v, entry);
        changed = true;
    }
    if (s->close_task == NULL)
        next_close(v);
    if (s->stats_task == NULL)
        next_stats(v);
    return changed;
}

bool wb_tensors_busy(const struct tensors *s)
{
    return s->stats_task != NULL || s->close_task != NULL;
}
