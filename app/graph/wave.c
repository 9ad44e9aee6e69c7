/* app/graph/wave.c - one job from wave to wave: results taken in, what follows computed, passes
 * set up. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/graph/cache.h"
#include "app/graph/drain.h"
#include "app/graph/jobs.h"
#include "app/graph/measure.h"
#include "app/graph/node_impl.h"
#include "app/graph/sampled.h"
#include "app/graph/select.h"

/* On a sample, larger tensors are not held whole: what needs them stays unknown until the exact
 * run. */
#define SAMPLE_HOLD_MAX ((uint64_t)1 << 22)

struct wave {
    struct wb_jobs *jobs;
    struct wb_job *job;
    const struct wb_advance *how;
    struct wb_work *work;
    struct wb_err *err;
};

static bool out_of_memory(const struct wave *w)
{
    return wb_fail(w->err, WB_ENOMEM, "no memory for a pass");
}

static enum wb_extent extent_of(const struct wave *w)
{
    return w->jobs->sample ? WB_EXTENT_SAMPLE : WB_EXTENT_ALL;
}

/* Taking results in. */

static bool is_extreme(enum wb_reduce op)
{
    return op == WB_REDUCE_MIN || op == WB_REDUCE_MAX || op == WB_REDUCE_ABSMAX;
}

static double combine(enum wb_reduce op, double a, double b)
{
    if (!is_extreme(op))
        return a + b;
    if (isnan(a) || isnan(b))
        return NAN;
    return op == WB_REDUCE_MIN ? fmin(a, b) : fmax(a, b);
}

/* What field i of statistics is combined as. */
static enum wb_reduce field_op(enum wb_reduce op, int i)
{
    if (op == WB_REDUCE_STATS && i == 6)
        return WB_REDUCE_MIN;
    return i >= (op == WB_REDUCE_STATS ? 6 : 8) ? WB_REDUCE_MAX : WB_REDUCE_SUM;
}

/* Partial results in the order of tiles; sums over a sample are scaled to the whole. */
static void finish_all(const struct wb_drain *d, const struct wb_geometry *g)
{
    bool stats = d->op == WB_REDUCE_STATS || d->op == WB_REDUCE_PAIR_STATS;
    double scale = g->visited == 0 ? 1 : (double)g->count / (double)g->visited;
    int fields = stats ? 9 : 1;

    for (int f = 0; f < fields; f++) {
        enum wb_reduce op = stats ? field_op(d->op, f) : d->op;
        double total = op == WB_REDUCE_MIN                         ? INFINITY
                       : op == WB_REDUCE_MAX && !(stats && f == 8) ? -INFINITY
                                                                   : 0;

        for (size_t t = 0; t < g->tiles; t++)
            total = combine(op, total, d->partial[t * (size_t)fields + (size_t)f]);
        if (g->partial && !is_extreme(op))
            total = op == WB_REDUCE_COUNT ? round(total * scale) : total * scale;
        d->held->f64[f] = total;
    }
}

static void finish_columns(struct wb_drain *d, const struct wb_geometry *g, size_t spans)
{
    double scale = g->partial ? (double)g->count / (double)g->visited : 1;
    double start = d->op == WB_REDUCE_MIN ? INFINITY : d->op == WB_REDUCE_MAX ? -INFINITY : 0;

    for (uint64_t c = 0; c < g->columns; c++) {
        double total = start;

        for (size_t s = 0; s < spans; s++)
            if (d->columns[s] != NULL)
                total = combine(d->op, total, d->columns[s][c]);
        d->held->f64[c] = is_extreme(d->op) ? total : total * scale;
    }
}

/* Rows that a sample left out take the values of the nearest sampled row before (or the first
 * one). */
static void spread_rows(const struct wb_drain *d, const struct wb_geometry *g, size_t width)
{
    struct wb_stretch run;
    double *v = d->held->f64;
    uint64_t next = 0;

    for (size_t t = 0; g->partial && t < g->tiles; t++)
        for (size_t i = 0; wb_tile_run(g, t, i, &run); i++)
            for (uint64_t r = run.first / g->columns, at = next; next <= r; next++)
                memcpy(v + next * width, v + (at == 0 ? r : at - 1) * width,
                       next == r ? 0 : width * sizeof *v);
    for (; g->partial && next > 0 && next < g->rows; next++)
        memcpy(v + next * width, v + (next - 1) * width, width * sizeof *v);
}

static void keep(const struct wave *w, struct wb_held *held)
{
    held->ready = true;
    if (wb_jobs_cacheable(w->jobs, held->node))
        wb_cache_put_bytes(w->jobs->cache, wb_jobs_cache_key(w->jobs, held->node), held->f64,
                           (size_t)held->node->count * sizeof(double));
}

static void finish_drain(const struct wave *w, const struct wb_pass *pass, struct wb_drain *d)
{
    const struct wb_geometry *g = wb_program_geometry(pass->program);

    switch (d->kind) {
    case WB_DRAIN_REDUCE:
        finish_all(d, g);
        break;
    case WB_DRAIN_REDUCE_ROWS:
        spread_rows(d, g, 1);
        break;
    case WB_DRAIN_SELECT_ROWS:
        spread_rows(d, g, 2);
        break;
    case WB_DRAIN_REDUCE_COLUMNS:
        finish_columns(d, g, WB_SPANS);
        break;
    case WB_DRAIN_BINS:
    case WB_DRAIN_GRAM:
        wb_measure_finish(d, g);
        break;
    default:
        break;
    }
    if (d->held != NULL)
        keep(w, d->held);
}

static void free_drain(struct wb_drain *d)
{
    if (d->kind == WB_DRAIN_BRACKET || d->kind == WB_DRAIN_HISTOGRAM || d->kind == WB_DRAIN_KEYS)
        return; /* its selection's */
    for (size_t s = 0; d->columns != NULL && s < WB_SPANS; s++)
        free(d->columns[s]);
    free(d->columns);
    free(d->histogram);
    free(d->partial);
    free(d);
}

static void free_passes(struct wb_job *job)
{
    for (size_t i = 0; i < job->passes; i++) {
        struct wb_pass *pass = &job->pass[i];

        wb_program_free(pass->program);
        for (size_t k = 0; k < pass->drains; k++)
            free_drain(pass->drain[k]);
        free(pass->drain);
    }
    free(job->pass);
    job->pass = NULL;
    job->passes = job->pass_at = job->unit_at = 0;
}

static bool advance_select(struct wave *w, struct wb_held *held)
{
    bool done;

    if (!wb_select_advance(held->select, w->work, w->how->context, held->f64, &done, w->err))
        return false;
    if (done) {
        wb_select_free(held->select);
        held->select = NULL;
        keep(w, held);
    }
    return true;
}

static bool finish_sampled(const struct wave *w, struct wb_held *held)
{
    if (!wb_sampled_finish(held->sampled, held->f64, w->err))
        return false;
    wb_sampled_free(held->sampled);
    held->sampled = NULL;
    keep(w, held);
    return true;
}

static bool take_results(struct wave *w)
{
    struct wb_job *job = w->job;
    bool ok = true, had = job->passes > 0;

    for (size_t i = 0; i < job->passes; i++) {
        if (!wb_program_verify(job->pass[i].program, &job->verified))
            return out_of_memory(w);
        for (size_t k = 0; k < job->pass[i].drains; k++)
            finish_drain(w, &job->pass[i], job->pass[i].drain[k]);
    }
    free_passes(job);
    for (size_t i = 0; had && ok && i < job->owns; i++) {
        if (job->own[i]->select != NULL)
            ok = advance_select(w, job->own[i]);
        else if (job->own[i]->sampled != NULL)
            ok = finish_sampled(w, job->own[i]);
    }
    return ok;
}

/* Setting passes up. */

/* What tensors belong together: those of one name, in however many models. */
static struct wb_hash about(const struct wb_node *node)
{
    while (node->n_in > 0 && node->op != WB_OP_SOURCE)
        node = node->in[0];
    if (node->op == WB_OP_SOURCE) {
        const char *name = wb_ckpt_info(node->u.source.ck, node->u.source.tensor)->name;

        return wb_hash_bytes(name, strlen(name));
    }
    return (struct wb_hash){ 0, 0 };
}

static struct wb_pass *find_pass(const struct wb_job *job, const struct wb_pass *like)
{
    for (size_t i = job->passes; i-- > 0;) {
        struct wb_pass *pass = &job->pass[i];

        if (!pass->copy && !like->copy && pass->spans == like->spans &&
            pass->extent == like->extent && pass->drains < WB_DRAINS_MAX &&
            wb_hash_equal(pass->about, like->about) && wb_shape_equal(&pass->shape, &like->shape))
            return pass;
    }
    return NULL;
}

/* Put a drain into the pass over its shape; the drain is moved, also on failure. */
static bool add_drain(struct wave *w, struct wb_drain *d, const struct wb_shape *shape,
                      enum wb_extent extent)
{
    struct wb_job *job = w->job;
    struct wb_pass like = { .shape = *shape,
                            .extent = extent,
                            .copy = d->kind == WB_DRAIN_COPY,
                            .spans = wb_drain_has_spans(d),
                            .about = about(d->in[0]) };
    struct wb_pass *pass = find_pass(job, &like);
    struct wb_drain **more;

    if (pass == NULL) {
        struct wb_pass *bigger = realloc(job->pass, (job->passes + 1) * sizeof *bigger);

        if (bigger == NULL) {
            free_drain(d);
            return out_of_memory(w);
        }
        job->pass = bigger;
        pass = &job->pass[job->passes++];
        *pass = like;
    }
    more = realloc(pass->drain, (pass->drains + 1) * sizeof *more);
    if (more == NULL) {
        free_drain(d);
        return out_of_memory(w);
    }
    pass->drain = more;
    pass->drain[pass->drains++] = d;
    return true;
}

static bool room_small(const struct wave *w, struct wb_held *held)
{
    if (held->f64 == NULL)
        held->f64 = calloc((size_t)held->node->count + 1, sizeof *held->f64);
    return held->f64 != NULL || out_of_memory(w);
}

static bool start_reduce(struct wave *w, struct wb_held *held)
{
    static const enum wb_drain_kind kind[] = { WB_DRAIN_REDUCE, WB_DRAIN_REDUCE_ROWS,
                                               WB_DRAIN_REDUCE_COLUMNS };
    const struct wb_node *n = held->node;
    struct wb_geometry g = wb_geometry_of(&n->in[0]->shape, extent_of(w));
    struct wb_drain *d = calloc(1, sizeof *d);

    if (d == NULL || !room_small(w, held)) {
        free(d);
        return out_of_memory(w);
    }
    d->kind = kind[n->axis];
    d->op = (enum wb_reduce)n->sub;
    d->in[0] = n->in[0];
    d->in[1] = n->n_in > 1 ? n->in[1] : NULL;
    d->held = held;
    d->result = held->f64;
    if (d->kind == WB_DRAIN_REDUCE)
        d->partial = calloc(9 * g.tiles + 1, sizeof *d->partial);
    if (d->kind == WB_DRAIN_REDUCE_COLUMNS)
        d->columns = calloc(WB_SPANS, sizeof *d->columns);
    if ((d->kind == WB_DRAIN_REDUCE && d->partial == NULL) ||
        (d->kind == WB_DRAIN_REDUCE_COLUMNS && d->columns == NULL)) {
        free_drain(d);
        return out_of_memory(w);
    }
    return add_drain(w, d, &n->in[0]->shape, extent_of(w));
}

static bool start_measure(struct wave *w, struct wb_held *held)
{
    struct wb_drain *d;

    if (!room_small(w, held))
        return false;
    d = wb_measure_drain(held, &w->jobs->table);
    return d != NULL ? add_drain(w, d, &held->node->in[0]->shape, extent_of(w)) : out_of_memory(w);
}

static bool start_select_rows(struct wave *w, struct wb_held *held)
{
    const struct wb_node *n = held->node;
    struct wb_drain *d = calloc(1, sizeof *d);
    double k = wb_held_find(&w->jobs->table, n->in[1])->f64[0];

    if (d == NULL || !room_small(w, held)) {
        free(d);
        return out_of_memory(w);
    }
    d->kind = WB_DRAIN_SELECT_ROWS;
    d->by_value = n->by_value;
    d->in[0] = n->in[0];
    d->held = held;
    d->result = held->f64;
    d->k = !(k >= 1) ? 0 : k >= (double)WB_ROW_MAX ? WB_ROW_MAX : (uint64_t)k;
    return add_drain(w, d, &n->in[0]->shape, extent_of(w));
}

static bool start_hold(struct wave *w, struct wb_held *held)
{
    const struct wb_node *n = held->node;
    struct wb_drain *d;

    if (w->jobs->sample && n->count > SAMPLE_HOLD_MAX) {
        held->ready = held->unknown = true;
        return true;
    }
    if (n->count > SIZE_MAX / 8 ||
        (held->f32 = aligned_alloc(64, ((size_t)n->count * sizeof(float) + 64) & ~(size_t)63)) ==
            NULL)
        return wb_fail(w->err, WB_ENOMEM, "no memory to hold a tensor of %llu entries",
                       (unsigned long long)n->count);
    d = calloc(1, sizeof *d);
    if (d == NULL)
        return out_of_memory(w);
    d->kind = WB_DRAIN_HOLD;
    d->in[0] = n->in[0];
    d->held = held;
    d->buffer = held->f32;
    return add_drain(w, d, &n->in[0]->shape, WB_EXTENT_ALL);
}

static bool start_sampled(struct wave *w, struct wb_held *held)
{
    const struct wb_node *n = held->node;

    held->sampled = wb_sampled_new(&w->jobs->table, n, w->jobs->cache, w->err);
    if (held->sampled == NULL || !room_small(w, held))
        return false;
    if (wb_sampled_known(held->sampled))
        return finish_sampled(w, held);
    for (size_t i = 0; i + 1 < n->n_in; i++) {
        struct wb_drain *d = wb_sampled_drain(held->sampled, i);

        if (d != NULL && !add_drain(w, d, &n->in[i]->shape, WB_EXTENT_SAMPLE))
            return false;
    }
    return true;
}

static bool start_select(struct wave *w, struct wb_held *held)
{
    const struct wb_node *n = held->node;

    if (held->select == NULL) {
        held->select = wb_select_new(&w->jobs->table, n, w->how->list_max_keys, w->err);
        if (held->select == NULL || !room_small(w, held))
            return false;
        if (wb_select_trivial(held->select, held->f64)) {
            wb_select_free(held->select);
            held->select = NULL;
            keep(w, held);
            return true;
        }
    }
    for (size_t i = 0; i + 1 < n->n_in; i++)
        if (!add_drain(w, wb_select_drain(held->select, i), &n->in[i]->shape,
                       wb_select_extent(held->select)))
            return false;
    return true;
}

static bool all_ready(struct wb_held *const *dep, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!dep[i]->ready)
            return false;
    return true;
}

/* A streaming value behind something unknown is unknown too. */
static bool inherits_unknown(const struct wave *w, struct wb_held *held)
{
    for (size_t i = 0; i < held->deps; i++)
        held->unknown = held->unknown || held->dep[i]->unknown;
    if (!held->unknown)
        return false;
    held->ready = true;
    if (held->node->domain == WB_SMALL && room_small(w, held))
        for (size_t i = 0; i < held->node->count; i++)
            held->f64[i] = NAN;
    return true;
}

static bool start_held(struct wave *w, struct wb_held *held)
{
    if (wb_held_is_local(held->node))
        return wb_held_compute(&w->jobs->table, held, w->err);
    if (inherits_unknown(w, held))
        return true;
    switch ((enum wb_op)held->node->op) {
    case WB_OP_REDUCE:
        return start_reduce(w, held);
    case WB_OP_HISTOGRAM:
    case WB_OP_GRAM:
        return start_measure(w, held);
    case WB_OP_SELECT:
        return w->jobs->sample ? start_sampled(w, held) : start_select(w, held);
    case WB_OP_SELECT_ROWS:
        return start_select_rows(w, held);
    default:
        return start_hold(w, held);
    }
}

/* Outputs. */

/* The source (or view of one) whose bytes are the output as they stand; NULL when something must
 * be computed. */
static struct wb_node *plain_copy(const struct wb_target_state *t)
{
    struct wb_node *n = t->node;

    while (n->op == WB_OP_AS)
        n = n->in[0];
    if (n->op == WB_OP_VIEW && n->in[0]->op == WB_OP_SOURCE && n->u.view.whole)
        n = n->in[0];
    if (n->dtype != t->target.dtype)
        return NULL;
    return n->op == WB_OP_SOURCE || (n->op == WB_OP_VIEW && n->in[0]->op == WB_OP_SOURCE) ? n
                                                                                          : NULL;
}

static bool start_output(struct wave *w, struct wb_target_state *t)
{
    struct wb_node *copy = plain_copy(t);
    struct wb_shape shape = t->node->shape;
    enum wb_extent extent = WB_EXTENT_ALL;
    struct wb_drain *d;

    if (copy == NULL && !wb_dtype_computable(t->target.dtype))
        return wb_fail(w->err, WB_EARG, "computed values cannot be written as %s",
                       wb_dtype_name(t->target.dtype));
    if (copy != NULL && copy->op == WB_OP_SOURCE) { /* as bytes */
        extent = WB_EXTENT_BYTES;
        shape = (struct wb_shape){ .ndim = 1 };
        shape.dim[0] = wb_ckpt_info(copy->u.source.ck, copy->u.source.tensor)->bytes;
    }
    t->emitted = true;
    if (!wb_output_init(&t->output, (size_t)(t - w->jobs->target),
                        wb_geometry_of(&shape, extent).tiles, w->how->parked_max, w->err))
        return false;
    if (t->output.tiles == 0)
        return wb_output_empty(&t->output, w->how->context->sink, w->err);
    d = calloc(1, sizeof *d);
    if (d == NULL)
        return out_of_memory(w);
    d->kind = copy != NULL ? WB_DRAIN_COPY : WB_DRAIN_WRITE;
    d->in[0] = copy != NULL ? copy : t->node;
    d->dtype = t->target.dtype;
    d->output = &t->output;
    return add_drain(w, d, &shape, extent);
}

static bool set_up(struct wave *w)
{
    struct wb_job *job = w->job;

    for (size_t i = 0; i < job->owns; i++)
        if (!job->own[i]->ready && all_ready(job->own[i]->dep, job->own[i]->deps) &&
            !start_held(w, job->own[i]))
            return false;
    for (size_t t = job->first; t < job->first + job->count; t++) {
        struct wb_target_state *target = &w->jobs->target[t];

        if (target->target.write && !target->emitted && all_ready(target->dep, target->deps) &&
            !start_output(w, target))
            return false;
    }
    for (size_t i = 0; i < job->passes; i++) {
        struct wb_pass *pass = &job->pass[i];

        pass->program = wb_program_new(&w->jobs->table, &pass->shape, pass->extent, pass->drain,
                                       pass->drains, &job->verified, w->err);
        if (pass->program == NULL)
            return false;
    }
    return true;
}

static size_t wave_units(const struct wb_job *job)
{
    size_t units = 0;

    for (size_t i = 0; i < job->passes; i++)
        units += wb_program_units(job->pass[i].program);
    return units;
}

static void fill_values(const struct wave *w)
{
    for (size_t t = w->job->first; t < w->job->first + w->job->count; t++) {
        struct wb_target_state *s = &w->jobs->target[t];
        const struct wb_held *held;

        if (s->target.write || s->target.value == NULL)
            continue;
        held = wb_held_find(&w->jobs->table, s->node);
        for (size_t i = 0; i < s->node->count; i++)
            s->target.value[i] = held->f64 != NULL   ? held->f64[i]
                                 : held->f32 != NULL ? (double)held->f32[i]
                                                     : NAN;
    }
}

bool wb_job_advance(struct wb_jobs *jobs, struct wb_job *job, const struct wb_advance *how,
                    struct wb_work *work, struct wb_err *err)
{
    struct wave w = { .jobs = jobs, .job = job, .how = how, .work = work, .err = err };

    do { /* passes over nothing end at once */
        if (!take_results(&w) || !set_up(&w))
            return false;
    } while (job->passes > 0 && wave_units(job) == 0);
    if (job->passes == 0)
        fill_values(&w);
    return true;
}

void wb_job_release(struct wb_jobs *jobs, struct wb_job *job)
{
    for (size_t i = 0; i < job->uses; i++)
        if (--job->use[i]->users == 0)
            wb_held_drop(job->use[i]);
    for (size_t t = job->first; t < job->first + job->count; t++)
        wb_output_free(&jobs->target[t].output);
}

void wb_job_abandon(struct wb_job *job)
{
    free_passes(job);
    for (size_t i = 0; i < job->owns; i++) {
        wb_select_free(job->own[i]->select);
        wb_sampled_free(job->own[i]->sampled);
        job->own[i]->select = NULL;
        job->own[i]->sampled = NULL;
    }
}
