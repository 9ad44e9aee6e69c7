/* app/probe/states.c - cosines between the states of a position, over a text. */
#include "app/probe/states.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/probe/activations.h"
#include "app/probe/slices.h"
#include "app/probe/states_impl.h"
#include "app/tensor/kernels.h"

#define PIECE_ROWS 32 /* rows of a task; its sums are one addend */

/* --- one position ----------------------------------------------------------------------------- */

static double dot(size_t n, const float *x, const float *y)
{
    double lanes[WB_LANES] = { 0 };

    wb_kernels()->dot(n, x, y, lanes);
    return wb_lanes_fold(lanes);
}

/* Two states of a position, from their inner products; both finite and not zero. */
struct step {
    double cosine, angle, relative;
};

static struct step step_of(double xx, double yy, double xy)
{
    double cosine = fmax(-1, fmin(1, xy / sqrt(xx * yy)));

    return (struct step){ cosine, acos(cosine) / M_PI, sqrt(fmax(0, xx + yy - 2 * xy) / xx) };
}

static bool there(double squares)
{
    return isfinite(squares) && squares > 0;
}

struct wb_state_step wb_states_compare(size_t n, size_t d, const float *x, const float *y)
{
    struct wb_state_step out = { 0 };

    for (size_t i = 0; i < n; i++) {
        double xx = dot(d, x + i * d, x + i * d), yy = dot(d, y + i * d, y + i * d);
        struct step step;

        if (!there(xx) || !there(yy))
            continue;
        step = step_of(xx, yy, dot(d, x + i * d, y + i * d));
        out.cosine += step.cosine;
        out.angular += step.angle;
        out.relative += step.relative;
        out.rows++;
    }
    out.cosine /= (double)out.rows;
    out.angular /= (double)out.rows;
    out.relative /= (double)out.rows;
    return out;
}

/* --- sums ------------------------------------------------------------------------------------- */

/* Sums over some positions, in one piece of doubles so that they are added in one go; counts are
 * exact in them. */
struct sums {
    double *cosine, *angle, *pairs; /* [states, states], from the diagonal on */
    double *relative;               /* [states], of the step to state s */
    double *norm, *alive;           /* [states]; alive: positions */
    double *zero, *nonfinite;
    double *gram; /* scratch [states, states] */
};

static size_t sums_size(size_t states)
{
    return 4 * states * states + 3 * states + 2;
}

static struct sums sums_at(double *at, size_t states)
{
    size_t square = states * states;

    return (struct sums){ .cosine = at,
                          .angle = at + square,
                          .pairs = at + 2 * square,
                          .gram = at + 3 * square,
                          .relative = at + 4 * square,
                          .norm = at + 4 * square + states,
                          .alive = at + 4 * square + 2 * states,
                          .zero = at + 4 * square + 3 * states,
                          .nonfinite = at + 4 * square + 3 * states + 1 };
}

struct run {
    struct wb_net *net;
    size_t states, hidden;
    float *x;                    /* [states, rows of the slice, hidden] */
    size_t x_rows, x_room;       /* rows; floats */
    bool *finite;                /* of each row of the slice */
    double *part;                /* sums of each piece of a batch */
    size_t piece_row, piece_end; /* rows of that batch */
    double *total;               /* sums */
    struct wb_cka_rows cka;
    size_t rows, picks, cka_shown; /* of the text; for CKA; rows of CKA when it was last made */
    struct wb_states *out;
};

static const float *state_at(const struct run *r, size_t state, size_t row)
{
    return r->x + (state * r->x_rows + row) * r->hidden;
}

/* Inner products of the states of a row, and whether some are zero or not finite. */
static void row_gram(const struct run *r, size_t row, const struct sums *s, bool *finite)
{
    bool zero = false;

    *finite = true;
    for (size_t i = 0; i < r->states; i++) {
        for (size_t j = i; j < r->states; j++)
            s->gram[i * r->states + j] = dot(r->hidden, state_at(r, i, row), state_at(r, j, row));
        *finite = *finite && isfinite(s->gram[i * r->states + i]);
        zero = zero || s->gram[i * r->states + i] == 0;
    }
    *s->nonfinite += !*finite;
    *s->zero += zero;
}

static void add_row(const struct run *r, size_t row, const struct sums *s)
{
    size_t n = r->states;

    row_gram(r, row, s, &r->finite[row]);
    for (size_t i = 0; i < n; i++) {
        double xx = s->gram[i * n + i];

        if (isfinite(xx)) {
            s->norm[i] += sqrt(xx);
            s->alive[i]++;
        }
        for (size_t j = i; j < n; j++) {
            struct step step;

            if (!there(xx) || !there(s->gram[j * n + j]))
                continue;
            step = step_of(xx, s->gram[j * n + j], s->gram[i * n + j]);
            s->cosine[i * n + j] += step.cosine;
            s->angle[i * n + j] += step.angle;
            s->pairs[i * n + j]++;
            s->relative[j] += j == i + 1 ? step.relative : 0;
        }
    }
}

static void add_piece(void *ctx, size_t task, int worker)
{
    const struct run *r = ctx;
    size_t first = r->piece_row + task * PIECE_ROWS, size = sums_size(r->states);
    struct sums s = sums_at(r->part + task * size, r->states);

    (void)worker;
    memset(s.cosine, 0, size * sizeof(double));
    for (size_t row = first; row < first + PIECE_ROWS && row < r->piece_end; row++)
        add_row(r, row, &s);
}

static bool take_state(void *ctx, int state, size_t first, size_t rows, const float *x,
                       struct wb_err *err)
{
    struct run *r = ctx;

    (void)err;
    memcpy(r->x + ((size_t)state * r->x_rows + first) * r->hidden, x, rows * r->hidden * sizeof *x);
    return true;
}

/* --- results ---------------------------------------------------------------------------------- */

static void results(struct run *r)
{
    struct sums s = sums_at(r->total, r->states);
    struct wb_states *out = r->out;
    size_t n = r->states;

    for (size_t i = 0; i < n; i++) {
        out->norm[i] = s.norm[i] / s.alive[i];
        for (size_t j = i; j < n; j++) {
            size_t a = i * n + j, b = j * n + i;

            out->matrix[WB_STATE_COSINE][a] = out->matrix[WB_STATE_COSINE][b] =
                s.cosine[a] / s.pairs[a];
            out->matrix[WB_STATE_ANGULAR][a] = out->matrix[WB_STATE_ANGULAR][b] =
                s.angle[a] / s.pairs[a];
        }
    }
    for (size_t l = 0; l + 1 < n; l++) {
        out->influence[l] = 1 - out->matrix[WB_STATE_COSINE][l * n + l + 1];
        out->relative_step[l] = s.relative[l + 1] / s.pairs[l * n + l + 1];
    }
    out->zero_rows = (size_t)*s.zero;
    out->nonfinite_rows = (size_t)*s.nonfinite;
}

/* The rows of a slice that CKA takes; picked: how many it took before, of all it was offered. */
static void add_picks(struct run *r, const struct wb_slice *slice, size_t *picked)
{
    size_t row;

    for (; *picked < r->picks &&
           (row = wb_spread_row(*picked, r->picks, r->rows)) < slice->row + slice->count;
         ++*picked)
        if (r->finite[row - slice->row])
            wb_cka_rows_add(&r->cka, wb_net_pool(r->net), state_at(r, 0, row - slice->row),
                            r->x_rows * r->hidden);
}

/* CKA costs as much as all of it so far: it is made anew when its rows have doubled, and at last. */
static bool refresh_cka(struct run *r, bool last, struct wb_err *err)
{
    if (r->cka.rows == 0 || (!last && r->cka.rows < 2 * r->cka_shown + 2))
        return true;
    if (!wb_cka_rows_get(&r->cka, wb_net_pool(r->net), last, r->out->matrix[WB_STATE_CKA], err))
        return false;
    r->cka_shown = r->cka.rows;
    r->out->cka_rows = r->cka.rows - r->cka.waiting;
    return true;
}

/* --- run -------------------------------------------------------------------------------------- */

static bool make_room(struct run *r, size_t rows, struct wb_err *err)
{
    size_t floats, pieces = (rows + PIECE_ROWS - 1) / PIECE_ROWS;

    r->x_rows = rows;
    if (__builtin_mul_overflow(rows, r->states * r->hidden, &floats))
        return wb_fail(err, WB_ENOMEM, "%zu rows are too many", rows);
    if (floats <= r->x_room)
        return true;
    free(r->x);
    free(r->finite);
    free(r->part);
    r->x = malloc(floats * sizeof *r->x);
    r->finite = malloc(rows * sizeof *r->finite);
    r->part = malloc(pieces * sums_size(r->states) * sizeof *r->part);
    r->x_room = floats;
    return (r->x != NULL && r->finite != NULL && r->part != NULL) ||
           wb_fail(err, WB_ENOMEM, "no memory for %zu states of %zu positions", r->states, rows);
}

/* Pieces begin where batches do, whatever slices are made of. */
static void add_rows(struct run *r, size_t first, size_t end)
{
    size_t pieces = (end - first + PIECE_ROWS - 1) / PIECE_ROWS, size = sums_size(r->states);

    r->piece_row = first;
    r->piece_end = end;
    wb_pool_run(wb_net_pool(r->net), pieces, add_piece, r);
    for (size_t p = 0; p < pieces; p++)
        for (size_t i = 0; i < size; i++)
            r->total[i] += r->part[p * size + i];
}

static bool run_slice(struct run *r, const struct wb_slice *slice, size_t *picked,
                      struct wb_err *err)
{
    struct wb_net_taps taps = { .ctx = r, .state = take_state };

    if (!make_room(r, slice->count, err) || !wb_net_run(r->net, &slice->rows, &taps, NULL, err))
        return false;
    for (size_t i = 0, end; i < slice->rows.sequences; i = end) {
        end = wb_rows_batch_end(r->net, &slice->rows, i);
        add_rows(r, wb_rows_start(r->net, &slice->rows, i),
                 wb_rows_start(r->net, &slice->rows, end));
    }
    add_picks(r, slice, picked);
    r->out->rows += slice->count;
    results(r);
    return true;
}

static bool run_slices(struct run *r, const struct wb_rows *rows,
                       bool (*report)(void *ctx, const struct wb_states *so_far), void *ctx,
                       struct wb_err *err)
{
    size_t row_bytes = r->states * r->hidden * sizeof(float), picked = 0;
    struct wb_slice slice = { 0 };
    bool ok = true;

    for (size_t i = 0; ok && i < rows->sequences; i = slice.end) {
        ok = wb_slice_at(r->net, rows, i, row_bytes, &slice, err) &&
             run_slice(r, &slice, &picked, err) &&
             refresh_cka(r, slice.end == rows->sequences, err);
        if (ok && report != NULL && !report(ctx, r->out))
            ok = wb_fail(err, WB_ECANCELLED, "cancelled");
    }
    wb_slice_free(&slice);
    return ok;
}

static bool make_results(struct wb_states *s, int layers, struct wb_err *err)
{
    size_t states = (size_t)layers + 1, square = states * states;
    double *all = malloc((3 * square + 3 * states) * sizeof *all);

    *s = (struct wb_states){ .layers = layers };
    if (all == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu states", states);
    for (size_t i = 0; i < 3 * square + 3 * states; i++)
        all[i] = (double)NAN;
    for (size_t m = 0; m < 3; m++)
        s->matrix[m] = all + m * square;
    s->influence = all + 3 * square;
    s->relative_step = s->influence + states;
    s->norm = s->relative_step + states;
    return true;
}

bool wb_states_run(struct wb_net *net, const struct wb_rows *rows, size_t rows_max,
                   bool (*report)(void *ctx, const struct wb_states *so_far), void *ctx,
                   struct wb_states *out, struct wb_err *err)
{
    const struct wb_spec *spec = wb_net_spec(net);
    struct run r = {
        .net = net, .states = (size_t)spec->layers + 1, .hidden = (size_t)spec->hidden, .out = out
    };
    bool ok;

    if (!make_results(out, spec->layers, err))
        return false;
    r.rows = wb_rows_start(net, rows, rows->sequences);
    r.picks = rows_max > 0 && rows_max < r.rows ? rows_max : r.rows;
    r.total = calloc(sums_size(r.states), sizeof *r.total);
    ok = (r.total != NULL || wb_fail(err, WB_ENOMEM, "no memory for %zu states", r.states)) &&
         wb_cka_rows_init(&r.cka, r.states, r.hidden, r.picks, err) &&
         run_slices(&r, rows, report, ctx, err);
    wb_cka_rows_free(&r.cka);
    free(r.x);
    free(r.finite);
    free(r.part);
    free(r.total);
    if (!ok)
        wb_states_free(out);
    return ok;
}

void wb_states_free(struct wb_states *s)
{
    free(s->matrix[0]); /* all of it */
    *s = (struct wb_states){ 0 };
}
