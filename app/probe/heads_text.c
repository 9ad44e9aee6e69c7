/* app/probe/heads_text.c - what heads look at on a text (inspect I4, I5.3).
 *
 * Attention weights come in tiles, from workers; a tile goes into the tally of its (sequence, head)
 * and is gone. When a batch leaves a layer, the tallies of its sequences are added to the layer's
 * sums in order. */
#include <cblas.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "app/probe/heads_impl.h"
#include "app/probe/slices.h"
#include "app/tensor/kernels.h"

#define PIECE_ROWS 128 /* rows of a task that measures what heads write */

/* Means over rows, in this order. */
static const enum wb_head_stat row_stats[] = {
    WB_HEAD_entropy, WB_HEAD_entropy_share, WB_HEAD_effective, WB_HEAD_max_weight, WB_HEAD_distance,
    WB_HEAD_local,   WB_HEAD_sink,          WB_HEAD_sink4,     WB_HEAD_previous,   WB_HEAD_self,
};
#define ROW_STATS (sizeof row_stats / sizeof row_stats[0])

struct tally {
    double sum[ROW_STATS], rows[ROW_STATS];
    double squares;                  /* of all weights */
    double positional, positional_n; /* of sums: over sequences */
};

struct text {
    struct wb_heads_run *r;
    struct wb_slice slice;
    struct tally *tally; /* [sequences of the slice, heads] */
    double *diagonal;    /* sums over diagonals, see diagonal_of */
    float *last;         /* weights of last positions, see last_of */
    size_t sequences, rows;
    struct tally *total; /* [layers, heads] */
    struct wb_head_reuse reuse;
    double *gram; /* [heads, head_dim, head_dim]: of what heads write with, of write_layer */
    int write_layer;
    struct wb_weight write_with; /* its output matrix, changed about */
    double *write_norm;          /* sums [layers, heads] */
    double *write_piece;         /* [pieces, heads] */
    size_t write_room;
    const float *written; /* rows at work: [rows, heads * head_dim] */
    size_t written_rows;
    atomic_bool nonfinite, no_memory;
};

static size_t sequence_row(const struct text *t, size_t sequence)
{
    return wb_rows_start(t->r->net, &t->slice.rows, sequence);
}

static size_t sequence_length(const struct text *t, size_t sequence)
{
    return sequence_row(t, sequence + 1) - sequence_row(t, sequence);
}

/* Of a (sequence, head) of n positions: 2 n places, diagonal j - i at n - 1 + j - i. */
static double *diagonal_of(const struct text *t, size_t sequence, size_t head)
{
    return t->diagonal +
           2 * (sequence_row(t, sequence) * t->r->heads + head * sequence_length(t, sequence));
}

static float *last_of(const struct text *t, size_t sequence, size_t head)
{
    return t->last + sequence_row(t, sequence) * t->r->heads + head * sequence_length(t, sequence);
}

/* --- a tile ----------------------------------------------------------------------------------- */

struct range {
    size_t first, end;
};

/* Keys that position p of n sees in a layer. */
static struct range seen_by(const struct wb_spec *s, int layer, size_t p, size_t n)
{
    size_t window = (size_t)s->layer[layer].window;

    return (struct range){ window > 0 && p + 1 > window ? p + 1 - window : 0,
                           s->causal ? p + 1 : n };
}

static void add(struct tally *t, enum wb_head_stat stat, double value)
{
    size_t i = 0;

    while (row_stats[i] != stat)
        i++;
    t->sum[i] += value;
    t->rows[i]++;
}

static void add_row(struct text *t, struct tally *tally, const float *weight, size_t p,
                    struct range seen)
{
    size_t count = seen.end - seen.first, local = t->r->local;
    struct wb_head_row row = wb_head_row_of(weight, p, seen.first, seen.end, local);

    if (!isfinite(row.max))
        atomic_store(&t->nonfinite, true);
    add(tally, WB_HEAD_entropy, row.entropy);
    add(tally, WB_HEAD_effective, exp(row.entropy));
    add(tally, WB_HEAD_max_weight, row.max);
    add(tally, WB_HEAD_distance, row.distance);
    add(tally, WB_HEAD_self, row.self);
    if (count > 1) {
        add(tally, WB_HEAD_entropy_share, row.entropy / log((double)count));
        add(tally, WB_HEAD_sink, row.sink);
    }
    if (count > 1 && p > 0)
        add(tally, WB_HEAD_previous, row.previous);
    if (count > 4)
        add(tally, WB_HEAD_sink4, row.sink4);
    if (p - seen.first > local || seen.end - 1 - p > local)
        add(tally, WB_HEAD_local, row.local);
}

static void see(void *ctx, int layer, const struct wb_attend_tile *tile)
{
    struct text *t = ctx;
    size_t n = tile->keys, head = (size_t)tile->head;
    struct tally *tally = &t->tally[tile->sequence * t->r->heads + head];
    double *diagonal = diagonal_of(t, tile->sequence, head);
    double lanes[WB_LANES] = { 0 };

    for (size_t i = 0; i < tile->rows; i++) {
        const float *weight = tile->weight + i * tile->stride;
        size_t p = tile->position + i;
        struct range seen = seen_by(t->r->spec, layer, p, n);

        add_row(t, tally, weight, p, seen);
        wb_kernels()->column_sum(seen.end - seen.first, weight + seen.first,
                                 diagonal + n - 1 - p + seen.first);
        wb_kernels()->sum_squares(seen.end - seen.first, weight + seen.first, lanes);
        if (p == n - 1)
            memcpy(last_of(t, tile->sequence, head), weight, n * sizeof *weight);
    }
    tally->squares += wb_lanes_fold(lanes);
}

/* --- a layer ---------------------------------------------------------------------------------- */

/* How many weights lie on a diagonal that leads `ahead` keys forward (back: negative). */
static size_t diagonal_count(const struct wb_spec *s, int layer, size_t n, long ahead)
{
    size_t away = (size_t)(ahead < 0 ? -ahead : ahead), window = (size_t)s->layer[layer].window;

    if ((s->causal && ahead > 0) || (window > 0 && ahead < 0 && away >= window))
        return 0;
    return n - away;
}

/* Correlation of the weights with the mean over their diagonals: the share of their variance that
 * lies between diagonals, its root. NaN where they do not vary. */
static double positional(const struct wb_spec *s, int layer, size_t n, const double *diagonal,
                         double squares)
{
    double total = 0, between = 0, entries = 0, mean;

    for (size_t i = 0; i + 1 < 2 * n; i++) {
        double count = (double)diagonal_count(s, layer, n, (long)i - (long)(n - 1));

        if (count == 0)
            continue;
        entries += count;
        total += diagonal[i];
        between += diagonal[i] * diagonal[i] / count;
    }
    mean = total * total / entries;
    if (!(squares - mean > 1e-12 * total))
        return (double)NAN;
    return sqrt(fmax(0, fmin(1, (between - mean) / (squares - mean))));
}

static void fold_head(struct text *t, int layer, size_t sequence, size_t head)
{
    struct tally *own = &t->tally[sequence * t->r->heads + head];
    struct tally *total = &t->total[(size_t)layer * t->r->heads + head];
    double *diagonal = diagonal_of(t, sequence, head);
    size_t n = sequence_length(t, sequence);
    double x = positional(t->r->spec, layer, n, diagonal, own->squares);

    for (size_t i = 0; i < ROW_STATS; i++) {
        total->sum[i] += own->sum[i];
        total->rows[i] += own->rows[i];
    }
    if (!isnan(x) || isnan(own->squares)) {
        total->positional += x;
        total->positional_n++;
    }
    *own = (struct tally){ 0 };
    memset(diagonal, 0, 2 * n * sizeof *diagonal);
}

/* Top keys of a kv head: of the mean over its query heads, which goes to the first of them. */
static void fold_keys(struct text *t, int layer, size_t sequence, size_t kv_head)
{
    size_t n = sequence_length(t, sequence), group = t->r->group;
    float *mean = last_of(t, sequence, kv_head * group);

    for (size_t h = 1; h < group; h++)
        wb_kernels()->binary[WB_BINARY_add](n, mean, last_of(t, sequence, kv_head * group + h),
                                            mean);
    wb_kernels()->binary_vs[WB_BINARY_mul](n, mean, 1 / (float)group, mean);
    wb_head_reuse_add(&t->reuse, (size_t)layer, sequence, kv_head, mean, n);
}

/* A batch has left layer state - 1. */
static bool leave(void *ctx, int state, size_t first, size_t rows, const float *x,
                  struct wb_err *err)
{
    struct text *t = ctx;

    (void)x;
    (void)err;
    for (size_t s = 0; state > 0 && s < t->sequences; s++) {
        if (sequence_row(t, s) < first || sequence_row(t, s) >= first + rows)
            continue;
        for (size_t h = 0; h < t->r->heads; h++)
            fold_head(t, state - 1, s, h);
        for (size_t g = 0; g < t->r->kv_heads; g++)
            fold_keys(t, state - 1, s, g);
    }
    return true;
}

/* --- what heads write ------------------------------------------------------------------------- */

/* |Wo z|^2 = z' (Wo' Wo) z, with a matrix of head_dim x head_dim. */
static void head_gram(void *ctx, size_t head, int worker)
{
    struct text *t = ctx;
    size_t dim = t->r->head_dim, d = t->r->hidden;
    float *narrow = malloc(dim * d * sizeof *narrow);
    double *wide = malloc(dim * d * sizeof *wide);

    (void)worker;
    if (narrow == NULL || wide == NULL) {
        atomic_store(&t->no_memory, true);
    } else {
        wb_head_weight_rows(&t->write_with, head * dim, dim, narrow);
        for (size_t i = 0; i < dim * d; i++)
            wide[i] = (double)narrow[i];
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)dim, (int)dim, (int)d, 1.0, wide,
                    (int)d, wide, (int)d, 0.0, t->gram + head * dim * dim, (int)dim);
    }
    free(narrow);
    free(wide);
}

static void norm_piece(void *ctx, size_t task, int worker)
{
    struct text *t = ctx;
    size_t heads = t->r->heads, dim = t->r->head_dim, piece = task / heads, head = task % heads;
    size_t first = piece * PIECE_ROWS, left = t->written_rows - first;
    size_t rows = left < PIECE_ROWS ? left : PIECE_ROWS;
    double *z = malloc(2 * rows * dim * sizeof *z), *y, sum = 0;

    (void)worker;
    if (z == NULL) {
        atomic_store(&t->no_memory, true);
        return;
    }
    y = z + rows * dim;
    for (size_t i = 0; i < rows * dim; i++)
        z[i] = (double)t->written[((first + i / dim) * heads + head) * dim + i % dim];
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)dim, (int)dim, 1.0, z,
                (int)dim, t->gram + head * dim * dim, (int)dim, 0.0, y, (int)dim);
    for (size_t i = 0; i < rows; i++) {
        double squares = cblas_ddot((int)dim, z + i * dim, 1, y + i * dim, 1);

        sum += squares < 0 ? 0 : sqrt(squares);
    }
    t->write_piece[task] = sum;
    free(z);
}

static bool take_written(void *ctx, int layer, const char *role, size_t first, size_t rows,
                         size_t width, const float *x, struct wb_err *err)
{
    struct text *t = ctx;
    struct wb_pool *pool = wb_net_pool(t->r->net);
    size_t heads = t->r->heads, tasks = (rows + PIECE_ROWS - 1) / PIECE_ROWS * heads;

    (void)first;
    (void)width;
    if (strcmp(role, "o") != 0)
        return true;
    if (tasks > t->write_room) {
        free(t->write_piece);
        t->write_piece = malloc(tasks * sizeof *t->write_piece);
        t->write_room = t->write_piece != NULL ? tasks : 0;
    }
    if (t->write_piece == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu sums", tasks);
    if (layer != t->write_layer) {
        const struct wb_layer_weights *w = /* the layer at work */
            wb_weights_layer(wb_net_weights(t->r->net), layer, err);

        if (w == NULL)
            return false;
        t->write_layer = layer;
        t->write_with = wb_head_output(w);
        wb_pool_run(pool, heads, head_gram, t);
    }
    t->written = x;
    t->written_rows = rows;
    wb_pool_run(pool, tasks, norm_piece, t);
    for (size_t i = 0; i < tasks; i++)
        t->write_norm[(size_t)layer * heads + i % heads] += t->write_piece[i];
    return !atomic_load(&t->no_memory) || wb_fail(err, WB_ENOMEM, "no memory for what heads write");
}

/* --- results ---------------------------------------------------------------------------------- */

static void results(struct text *t)
{
    struct wb_heads_run *r = t->r;
    struct wb_heads *out = r->out;

    for (size_t i = 0; i < r->layers * r->heads; i++) {
        const struct tally *sum = &t->total[i];
        size_t kv = i / r->heads * r->kv_heads + i % r->heads / r->group;

        for (size_t s = 0; s < ROW_STATS; s++)
            out->stat[row_stats[s]][i] = sum->sum[s] / sum->rows[s];
        out->stat[WB_HEAD_positional][i] = sum->positional / sum->positional_n;
        out->stat[WB_HEAD_write_norm][i] = t->write_norm[i] / (double)out->rows;
        out->stat[WB_HEAD_reuse][i] = t->reuse.overlap[kv] / t->reuse.overlap_n[kv];
        out->stat[WB_HEAD_reuse_mass][i] = t->reuse.mass[kv] / t->reuse.mass_n[kv];
        out->stat[WB_HEAD_demand][i] =
            wb_head_reuse_demand(&t->reuse, i / r->heads, i % r->heads / r->group);
    }
    out->nonfinite = out->nonfinite || atomic_load(&t->nonfinite);
}

/* --- run -------------------------------------------------------------------------------------- */

static bool make_room(struct text *t, struct wb_err *err)
{
    size_t heads = t->r->heads, sequences = t->slice.rows.sequences, rows = t->slice.count;

    if (sequences > t->sequences || rows > t->rows) {
        free(t->tally);
        free(t->diagonal);
        free(t->last);
        t->tally = calloc(sequences * heads, sizeof *t->tally);
        t->diagonal = calloc(2 * rows * heads, sizeof *t->diagonal);
        t->last = malloc(rows * heads * sizeof *t->last);
        t->rows = rows;
    }
    t->sequences = sequences;
    if (t->tally == NULL || t->diagonal == NULL || t->last == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for statistics of %zu positions", rows);
    return wb_head_reuse_room(&t->reuse, sequences, err);
}

static bool run_slices(struct text *t, const struct wb_rows *rows, struct wb_err *err)
{
    size_t row_bytes = t->r->heads * (2 * sizeof(double) + sizeof(float));
    struct wb_net_taps taps = { .ctx = t, .state = leave, .input = take_written, .attention = see };
    bool ok = true;

    for (size_t i = 0; ok && i < rows->sequences; i = t->slice.end) {
        t->write_layer = -1;
        ok = wb_slice_at(t->r->net, rows, i, row_bytes, &t->slice, err) && make_room(t, err) &&
             wb_net_run(t->r->net, &t->slice.rows, &taps, NULL, err);
        if (!ok)
            break;
        t->r->out->rows += t->slice.count;
        results(t);
        ok = wb_heads_report(t->r, err);
    }
    wb_slice_free(&t->slice);
    return ok;
}

bool wb_heads_text(struct wb_heads_run *r, const struct wb_rows *rows, struct wb_err *err)
{
    struct text t = { .r = r };
    bool ok;

    t.total = calloc(r->layers * r->heads, sizeof *t.total);
    t.write_norm = calloc(r->layers * r->heads, sizeof *t.write_norm);
    t.gram = malloc(r->heads * r->head_dim * r->head_dim * sizeof *t.gram);
    ok = (t.total != NULL && t.write_norm != NULL && t.gram != NULL) ||
         wb_fail(err, WB_ENOMEM, "no memory for statistics of %zu heads", r->layers * r->heads);
    ok = ok && wb_head_reuse_init(&t.reuse, r, err) && run_slices(&t, rows, err);
    wb_head_reuse_free(&t.reuse);
    free(t.tally);
    free(t.diagonal);
    free(t.last);
    free(t.total);
    free(t.gram);
    free(t.write_norm);
    free(t.write_piece);
    return ok;
}
