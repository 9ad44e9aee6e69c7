/* app/graph/drain.c - sums, counts, keys and bytes gathered from chunks. */
#include "app/graph/drain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/graph/keys.h"
#include "app/graph/measure.h"

static bool keeps_bytes(const struct wb_drain *d)
{
    return d->kind == WB_DRAIN_WRITE || d->kind == WB_DRAIN_COPY;
}

static void start_row(struct wb_drain_state *s, enum wb_reduce op)
{
    memset(s->lanes, 0, sizeof s->lanes);
    s->count = 0;
    s->running = op == WB_REDUCE_MIN ? INFINITY : op == WB_REDUCE_MAX ? -INFINITY : 0;
}

void wb_drain_start(const struct wb_program *p, struct wb_work *w)
{
    for (size_t i = 0; i < p->drains; i++) {
        const struct wb_drain *d = p->drain[i];
        struct wb_drain_state *s = &w->state[i];

        start_row(s, d->op);
        s->keys = (struct wb_bracket_counts){ 0 };
        s->listed = 0;
        s->listing = d->kind == WB_DRAIN_BRACKET && d->listed != NULL &&
                     atomic_load_explicit(d->listed, memory_order_relaxed) <= d->list_max;
        s->out_at = 0;
        if (d->kind == WB_DRAIN_REDUCE && d->op == WB_REDUCE_STATS)
            wb_stats_start(&s->stats, s->lanes);
        if (d->kind == WB_DRAIN_REDUCE && d->op == WB_REDUCE_PAIR_STATS)
            wb_pair_stats_start(&s->pair, s->lanes);
    }
}

bool wb_drain_reserve(const struct wb_program *p, struct wb_work *w, size_t tile,
                      struct wb_err *err)
{
    size_t n = wb_tile_count(&p->geometry, tile);

    for (size_t i = 0; i < p->drains; i++) {
        const struct wb_drain *d = p->drain[i];
        struct wb_buffer *out = &w->state[i].out;
        size_t bytes;

        if (!keeps_bytes(d))
            continue;
        bytes = n * (d->kind == WB_DRAIN_COPY ? p->slot[d->slot].element_bytes
                                              : wb_dtype_bits(d->dtype) / 8);
        if (!wb_buffer_reserve(out, bytes, err))
            return false;
        out->used = bytes;
        if (d->kind == WB_DRAIN_COPY)
            memcpy(out->bytes, w->in[d->slot].bytes, bytes);
    }
    return true;
}

bool wb_drain_start_span(const struct wb_program *p, struct wb_work *w, size_t span,
                         struct wb_err *err)
{
    for (size_t i = 0; i < p->drains; i++) {
        struct wb_drain *d = p->drain[i];
        size_t columns = (size_t)p->geometry.columns;

        if (!wb_drain_has_spans(d))
            continue;
        d->columns[span] =
            d->kind == WB_DRAIN_GRAM ? wb_measure_span(d) : calloc(columns + 1, sizeof(double));
        if (d->columns[span] == NULL)
            return wb_fail(err, WB_ENOMEM, "no memory for sums of %zu columns", columns);
        w->state[i].columns = d->columns[span];
        for (size_t c = 0; d->kind != WB_DRAIN_GRAM && c < columns; c++)
            d->columns[span][c] = d->op == WB_REDUCE_MIN   ? INFINITY
                                  : d->op == WB_REDUCE_MAX ? -INFINITY
                                                           : 0;
    }
    return true;
}

static void feed_reduce(const struct wb_drain *d, struct wb_drain_state *s, size_t n,
                        const float *x, const float *y)
{
    const struct wb_kernels *k = wb_kernels();

    switch (d->op) {
    case WB_REDUCE_SUM:
        k->sum(n, x, s->lanes[0]);
        break;
    case WB_REDUCE_SUM_ABS:
        k->sum_abs(n, x, s->lanes[0]);
        break;
    case WB_REDUCE_SUM_SQUARES:
        k->sum_squares(n, x, s->lanes[0]);
        break;
    case WB_REDUCE_DOT:
        k->dot(n, x, y, s->lanes[0]);
        break;
    case WB_REDUCE_MIN:
        k->min(n, x, &s->running);
        break;
    case WB_REDUCE_MAX:
        k->max(n, x, &s->running);
        break;
    case WB_REDUCE_ABSMAX:
        k->absmax(n, x, &s->running);
        break;
    case WB_REDUCE_COUNT:
        s->count += k->count_nonzero(n, x);
        break;
    case WB_REDUCE_STATS:
        k->stats(n, x, &s->stats, s->lanes);
        break;
    case WB_REDUCE_PAIR_STATS:
        k->pair_stats(n, x, y, &s->pair, s->lanes);
        break;
    }
}

static double reduced(enum wb_reduce op, const struct wb_drain_state *s)
{
    switch (op) {
    case WB_REDUCE_MIN:
    case WB_REDUCE_MAX:
    case WB_REDUCE_ABSMAX:
        return (double)s->running;
    case WB_REDUCE_COUNT:
        return (double)s->count;
    default:
        return wb_lanes_fold(s->lanes[0]);
    }
}

static float extreme(enum wb_reduce op, float running, float x)
{
    if (isnan(running) || isnan(x))
        return NAN;
    return op == WB_REDUCE_MIN ? fminf(running, x)
                               : fmaxf(running, op == WB_REDUCE_MAX ? x : fabsf(x));
}

static void feed_columns(const struct wb_drain *d, struct wb_drain_state *s, size_t n,
                         size_t column, const float *x, const float *y)
{
    const struct wb_kernels *k = wb_kernels();
    double *acc = s->columns + column;

    switch (d->op) {
    case WB_REDUCE_SUM:
        k->column_sum(n, x, acc);
        break;
    case WB_REDUCE_SUM_ABS:
        k->column_sum_abs(n, x, acc);
        break;
    case WB_REDUCE_SUM_SQUARES:
        k->column_sum_squares(n, x, acc);
        break;
    case WB_REDUCE_DOT:
        k->column_dot(n, x, y, acc);
        break;
    case WB_REDUCE_COUNT:
        for (size_t i = 0; i < n; i++)
            acc[i] += x[i] != 0;
        break;
    default:
        for (size_t i = 0; i < n; i++)
            acc[i] = (double)extreme(d->op, (float)acc[i], x[i]);
    }
}

/* Keys of a row so far sit at the front of the worker's key buffer; at its end the k-th largest
 * is found in the copy behind them. */
static void finish_row_select(const struct wb_program *p, const struct wb_drain *d, uint32_t *key,
                              uint64_t row)
{
    size_t columns = (size_t)p->geometry.columns, ties;
    size_t k = d->k > columns ? columns : (size_t)d->k, last = 0;
    double *out = d->result + 2 * row;
    struct wb_nth nth;
    uint32_t at;

    if (k == 0) {
        out[0] = INFINITY;
        out[1] = -1;
        return;
    }
    memcpy(key + columns, key, columns * sizeof *key);
    nth = wb_keys_nth(key + columns, columns, k - 1);
    at = nth.key;
    ties = k - nth.above;
    for (size_t i = 0; ties > 0 && i < columns; i++)
        if (key[i] == at) {
            last = i;
            ties--;
        }
    out[0] = (double)(d->by_value ? wb_key_signed_value(at) : wb_key_abs_value(at));
    out[1] = (double)last;
}

static void feed_select_rows(const struct wb_program *p, struct wb_work *w,
                             const struct wb_drain *d, size_t n, uint64_t at, const float *x)
{
    uint64_t columns = p->geometry.columns;
    uint32_t *row = w->keys + d->keys_at;

    for (size_t i = 0; i < n; i++) {
        uint64_t column = (at + i) % columns;

        row[column] = d->by_value ? wb_key_signed(x[i]) : wb_key_abs(x[i]);
        if (column == columns - 1)
            finish_row_select(p, d, row, (at + i) / columns);
    }
}

/* Pieces of a chunk by row. */
static void feed_by_row(const struct wb_program *p, struct wb_work *w, size_t i, size_t n,
                        uint64_t at, const float *x, const float *y)
{
    struct wb_drain *d = p->drain[i];
    struct wb_drain_state *s = &w->state[i];
    uint64_t columns = p->geometry.columns;

    for (size_t done = 0, part; done < n; done += part) {
        uint64_t column = (at + done) % columns, left = columns - column;

        part = left < n - done ? (size_t)left : n - done;
        if (d->kind == WB_DRAIN_REDUCE_COLUMNS) {
            feed_columns(d, s, part, (size_t)column, x + done, y + done);
            continue;
        }
        if (column == 0)
            start_row(s, d->op);
        feed_reduce(d, s, part, x + done, y + done);
        if (part == left)
            d->result[(at + done) / columns] = reduced(d->op, s);
    }
}

static void feed_histogram(struct wb_drain *d, size_t n, const float *x)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t key = d->by_value ? wb_key_signed(x[i]) : wb_key_abs(x[i]);

        if (!d->low_half)
            atomic_fetch_add_explicit(&d->histogram[key >> 16], 1, memory_order_relaxed);
        else if (key >> 16 == d->low)
            atomic_fetch_add_explicit(&d->histogram[key & 0xFFFF], 1, memory_order_relaxed);
    }
}

static void feed_find(const struct wb_drain *d, struct wb_drain_state *s, size_t n, uint64_t at,
                      const float *x)
{
    const struct wb_kernels *k = wb_kernels();
    struct wb_bracket_counts counts = { 0 };
    uint32_t none[WB_CHUNK];

    (d->by_value ? k->bracket_signed : k->bracket_abs)(n, x, d->low, d->low, &counts, none);
    if (s->count > d->nth || s->count + counts.at_high <= d->nth) {
        s->count += counts.at_high;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t key = d->by_value ? wb_key_signed(x[i]) : wb_key_abs(x[i]);

        if (key == d->low && s->count++ == d->nth)
            *d->found = at + i;
    }
}

/* Where the next keys of a bracket go; those of a list that was given up go nowhere. */
static uint32_t *list_end(const struct wb_work *w, const struct wb_drain *d,
                          const struct wb_drain_state *s)
{
    return w->keys + d->keys_at + (s->listing ? s->listed : 0);
}

static void feed_bracket(struct wb_work *w, const struct wb_drain *d, struct wb_drain_state *s,
                         size_t n, const float *x)
{
    const struct wb_kernels *k = wb_kernels();
    uint32_t *list = list_end(w, d, s);

    s->listed +=
        (d->by_value ? k->bracket_signed : k->bracket_abs)(n, x, d->low, d->high, &s->keys, list);
}

static void feed_keys(struct wb_work *w, const struct wb_drain *d, struct wb_drain_state *s,
                      size_t n, const float *x)
{
    uint32_t *key = w->keys + d->keys_at + s->listed;

    if (d->by_value)
        for (size_t i = 0; i < n; i++)
            key[i] = wb_key_signed(x[i]);
    else
        for (size_t i = 0; i < n; i++)
            key[i] = wb_key_abs(x[i]);
    s->listed += n;
}

void wb_drain_feed_difference(const struct wb_program *p, struct wb_work *w, size_t i, size_t n,
                              enum wb_dtype dtype, const void *src, const float *y)
{
    const struct wb_drain *d = p->drain[i];
    struct wb_drain_state *s = &w->state[i];

    s->listed += wb_kernels()->widen_sub_bracket[dtype](n, src, y, d->low, d->high, &s->keys,
                                                        list_end(w, d, s));
}

void wb_drain_feed_pair(struct wb_work *w, size_t i, size_t n, enum wb_dtype dtype, const void *x,
                        const void *y)
{
    struct wb_drain_state *s = &w->state[i];

    wb_kernels()->pair_stats_packed[dtype](n, x, y, &s->pair, s->lanes);
}

void *wb_drain_room(const struct wb_program *p, struct wb_work *w, size_t i, size_t n)
{
    struct wb_drain_state *s = &w->state[i];
    void *room = s->out.bytes + s->out_at;

    s->out_at += n * (wb_dtype_bits(p->drain[i]->dtype) / 8);
    return room;
}

void wb_drain_feed(const struct wb_program *p, struct wb_work *w, size_t i, size_t n, uint64_t at,
                   const float *x, const float *y)
{
    struct wb_drain *d = p->drain[i];
    struct wb_drain_state *s = &w->state[i];

    switch (d->kind) {
    case WB_DRAIN_WRITE:
        wb_kernels()->narrow[d->dtype](n, x, wb_drain_room(p, w, i, n));
        break;
    case WB_DRAIN_COPY:
        break;
    case WB_DRAIN_REDUCE:
        feed_reduce(d, s, n, x, y);
        break;
    case WB_DRAIN_REDUCE_ROWS:
    case WB_DRAIN_REDUCE_COLUMNS:
        feed_by_row(p, w, i, n, at, x, y);
        break;
    case WB_DRAIN_SELECT_ROWS:
        feed_select_rows(p, w, d, n, at, x);
        break;
    case WB_DRAIN_HOLD:
        memcpy(d->buffer + at, x, n * sizeof *x);
        break;
    case WB_DRAIN_BRACKET:
        feed_bracket(w, d, s, n, x);
        break;
    case WB_DRAIN_HISTOGRAM:
        feed_histogram(d, n, x);
        break;
    case WB_DRAIN_BINS:
        wb_measure_bins(d, n, x);
        break;
    case WB_DRAIN_GRAM:
        wb_measure_gram(d, s, n, x);
        break;
    case WB_DRAIN_KEYS:
        feed_keys(w, d, s, n, x);
        break;
    case WB_DRAIN_FIND:
        feed_find(d, s, n, at, x);
        break;
    }
}

static void finish_reduce(struct wb_drain *d, struct wb_drain_state *s, size_t tile)
{
    if (d->op == WB_REDUCE_STATS) {
        const struct wb_stats *t = &s->stats;

        wb_stats_finish(&s->stats, s->lanes);
        memcpy(d->partial + 9 * tile,
               (double[]){ (double)t->count, (double)t->nan, (double)t->inf, (double)t->zero,
                           t->sum, t->sum_squares, (double)t->min, (double)t->max,
                           (double)t->absmax },
               9 * sizeof(double));
    } else if (d->op == WB_REDUCE_PAIR_STATS) {
        const struct wb_pair_stats *t = &s->pair;

        wb_pair_stats_finish(&s->pair, s->lanes);
        memcpy(d->partial + 9 * tile,
               (double[]){ (double)t->count, (double)t->skipped, (double)t->same_sign,
                           (double)t->unequal, t->xx, t->yy, t->xy, t->dd, (double)t->max_abs },
               9 * sizeof(double));
    } else {
        d->partial[tile] = reduced(d->op, s);
    }
}

static bool finish_bracket(struct wb_work *w, struct wb_drain *d, struct wb_drain_state *s,
                           size_t tile, struct wb_err *err)
{
    struct wb_key_tile *t = &d->tile[tile];

    t->counts = s->keys;
    t->n = s->listed;
    if (d->listed == NULL)
        return true;
    atomic_fetch_add_explicit(d->listed, s->listed, memory_order_relaxed);
    if (!s->listing || s->listed == 0)
        return true;
    t->list = malloc(s->listed * sizeof *t->list);
    if (t->list == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu keys", s->listed);
    memcpy(t->list, w->keys + d->keys_at, s->listed * sizeof *t->list);
    return true;
}

bool wb_drain_finish(const struct wb_program *p, struct wb_work *w, size_t tile,
                     const struct wb_context *cx, struct wb_err *err)
{
    for (size_t i = 0; i < p->drains; i++) {
        struct wb_drain *d = p->drain[i];
        struct wb_drain_state *s = &w->state[i];
        struct wb_stretch run;

        if (d->kind == WB_DRAIN_REDUCE)
            finish_reduce(d, s, tile);
        if (d->kind == WB_DRAIN_KEYS)
            memcpy(d->key + tile * p->geometry.units_per_tile * p->geometry.unit,
                   w->keys + d->keys_at, s->listed * sizeof *d->key);
        if (d->kind == WB_DRAIN_BRACKET && !finish_bracket(w, d, s, tile, err))
            return false;
        if (!keeps_bytes(d))
            continue;
        wb_tile_run(&p->geometry, tile, 0, &run);
        if (cx->progress != NULL)
            atomic_fetch_add_explicit(&cx->progress->bytes_done, s->out.used, memory_order_relaxed);
        if (!wb_output_put(d->output, cx->sink, tile,
                           p->geometry.count == 0
                               ? 0
                               : run.first * (s->out.used / wb_tile_count(&p->geometry, tile)),
                           &s->out, err))
            return false;
    }
    return true;
}
