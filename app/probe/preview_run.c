/* app/probe/preview_run.c - two rounds over the tensors: a sample of each, then all of each.
 *
 * A round goes in slices of some tensors, each one evaluation, sized by the clock: short enough
 * that numbers come while somebody looks and a cancelled run ends soon, long enough that threads
 * are worth starting. Everything about one tensor is one group, so its sources are read once. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "app/core/task.h"
#include "app/probe/preview_impl.h"

#define SAMPLE_SECONDS 0.03
#define EXACT_SECONDS 0.2
/* Entries of a tensor that a sample takes, and what a tensor costs besides its entries. */
#define SAMPLE_ENTRIES 32768.0
#define TENSOR_ENTRIES 8192.0
#define FIRST_SAMPLE_ENTRIES 6e5
#define FIRST_EXACT_ENTRIES 4e6
#define GROWTH_MAX 4.0

struct run {
    struct wb_preview *p;
    const struct wb_preview_how *how;
    bool sample;
    double done, total; /* entries of both rounds */
    struct wb_err *err;
};

/* One slice: tensors [first, last), and what belongs to no tensor when last is the end. */
struct slice {
    struct run *run;
    size_t first, last;
    struct wb_target *target;
    size_t targets;
    double *sum, *note; /* results until the evaluation succeeded */
    bool failed;
};

static double cost(const struct wb_preview *p, size_t i, bool sample)
{
    double n;

    if (i >= p->tensors || !p->source[i].numbers)
        return TENSOR_ENTRIES;
    n = (double)wb_node_count(p->source[i].out->node);
    return TENSOR_ENTRIES + (sample && n > SAMPLE_ENTRIES ? SAMPLE_ENTRIES : n);
}

/* What is asked of a tensor. Nodes that could not be made are NULL and end the slice. */

static void ask(struct slice *s, size_t group, struct wb_node *node, double *value)
{
    struct wb_target *target = &s->target[s->targets];

    if (node == NULL) {
        s->failed = true;
        return;
    }
    *target = (struct wb_target){ .node = node, .group = group };
    target->value = value;
    s->targets++;
}

static struct wb_node *binary(struct slice *s, enum wb_binary op, struct wb_node *a,
                              struct wb_node *b)
{
    return a == NULL || b == NULL ? NULL : wb_node_binary(op, a, b, s->run->err);
}

static struct wb_node *reduce(struct slice *s, enum wb_reduce op, struct wb_node *a,
                              struct wb_node *b)
{
    bool pair = op == WB_REDUCE_PAIR_STATS || op == WB_REDUCE_DOT;

    return a == NULL || (pair && b == NULL)
               ? NULL
               : wb_node_reduce(op, WB_AXIS_ALL, a, pair ? b : NULL, s->run->err);
}

/* The values as they would be written. */
static struct wb_node *written(struct slice *s, struct wb_node *node)
{
    enum wb_dtype dtype = wb_node_dtype(node);

    return dtype == WB_DTYPE_F32 || dtype == WB_DTYPE_F64 ? wb_node_ref(node)
                                                          : wb_node_cast(node, dtype, s->run->err);
}

/* Changes of the parents, as far as they are known, and how far they go both ways. */
struct changes {
    struct wb_node *most, *least; /* owned */
    size_t count;
};

static void add_change(struct slice *s, struct changes *c, struct wb_node *change)
{
    struct wb_node *most, *least;

    most = c->count == 0 ? wb_node_ref(change) : binary(s, WB_BINARY_max, c->most, change);
    least = c->count == 0 ? wb_node_ref(change) : binary(s, WB_BINARY_min, c->least, change);
    wb_node_unref(c->most);
    wb_node_unref(c->least);
    c->most = most;
    c->least = least;
    c->count++;
}

static void ask_conflict(struct slice *s, size_t group, struct changes *c, double *sum)
{
    struct wb_node *zero = wb_node_scalar(0, s->run->err);
    struct wb_node *up = binary(s, WB_BINARY_gt, c->most, zero);
    struct wb_node *down = binary(s, WB_BINARY_lt, c->least, zero);
    struct wb_node *both = binary(s, WB_BINARY_mul, up, down);

    ask(s, group, reduce(s, WB_REDUCE_COUNT, both, NULL), sum);
    sum[1] = up == NULL ? 0 : (double)wb_node_count(up);
    wb_node_unref(zero);
    wb_node_unref(up);
    wb_node_unref(down);
    wb_node_unref(both);
}

/* Products are a fifth of the work of pair statistics, and the parent's own stay in the cache. */
static void ask_products(struct slice *s, size_t i, struct wb_node *parent, struct wb_node *out,
                         double *to)
{
    ask(s, i, reduce(s, WB_REDUCE_SUM_SQUARES, parent, NULL), to);
    ask(s, i, reduce(s, WB_REDUCE_SUM_SQUARES, out, NULL), to + 1);
    ask(s, i, reduce(s, WB_REDUCE_DOT, parent, out), to + 2);
}

static void ask_parents(struct slice *s, size_t i, struct wb_node *out, struct wb_node *out_change,
                        double *sum)
{
    const struct wb_preview *p = s->run->p;
    const struct wb_preview_source *t = &p->source[i];
    struct changes changes = { 0 };

    for (size_t k = 0; k < p->parents; k++) {
        double *to = sum + WB_SUM_PARENT + WB_SUM_OF_PARENT * k;
        struct wb_node *change, *parent = t->parent[k] == NULL ? NULL : t->parent[k]->node;

        if (parent != NULL && p->base == NULL)
            ask(s, i, reduce(s, WB_REDUCE_PAIR_STATS, parent, out), to);
        if (parent == NULL || p->base == NULL)
            continue;
        ask_products(s, i, parent, out, to + WB_SUM_PRODUCTS);
        if (t->base == NULL)
            continue;
        change = binary(s, WB_BINARY_sub, parent, t->base->node);
        ask(s, i, reduce(s, WB_REDUCE_PAIR_STATS, change, out_change), to);
        if (change != NULL)
            add_change(s, &changes, change);
        wb_node_unref(change);
    }
    if (changes.count > 1)
        ask_conflict(s, i, &changes, sum + WB_SUM_CONFLICT);
    wb_node_unref(changes.most);
    wb_node_unref(changes.least);
}

static void ask_tensor(struct slice *s, size_t i)
{
    const struct wb_preview *p = s->run->p;
    const struct wb_preview_source *t = &p->source[i];
    double *sum = s->sum + (i - s->first) * p->sums;
    struct wb_node *out, *change;

    if (!t->numbers)
        return;
    out = written(s, t->out->node);
    change = t->base == NULL ? NULL : binary(s, WB_BINARY_sub, out, t->base->node);
    ask(s, i, reduce(s, WB_REDUCE_STATS, out, NULL), sum + WB_SUM_STATS);
    if (t->base != NULL)
        ask(s, i, reduce(s, WB_REDUCE_PAIR_STATS, t->base->node, out), sum + WB_SUM_BASE);
    ask_parents(s, i, out, change, sum);
    wb_node_unref(out);
    wb_node_unref(change);
}

static void ask_notes(struct slice *s, size_t i)
{
    const struct wb_preview *p = s->run->p;
    const struct wb_preview_source *t = &p->source[i];

    for (size_t k = t->first_note; k < t->first_note + t->notes; k++)
        ask(s, i, wb_node_ref(p->note[k].note->node), &s->note[k - p->source[s->first].first_note]);
}

/* Slices. */

static bool room(struct slice *s)
{
    const struct wb_preview *p = s->run->p;
    size_t n = s->last - s->first, notes = 0;

    for (size_t i = s->first; i < s->last; i++)
        notes += p->source[i].notes;
    s->target = calloc(n * (3 + 4 * p->parents) + notes + 1, sizeof *s->target);
    s->sum = calloc(n * p->sums + 1, sizeof *s->sum);
    s->note = calloc(notes + 1, sizeof *s->note);
    return s->target != NULL && s->sum != NULL && s->note != NULL;
}

static void take(struct slice *s)
{
    struct wb_preview *p = s->run->p;
    size_t first_note = p->source[s->first].first_note;

    for (size_t i = s->first; i < s->last; i++) {
        const struct wb_preview_source *t = &p->source[i];

        if (i == p->tensors || t->numbers || t->notes > 0)
            p->grade[i] = s->run->sample ? WB_GRADE_SAMPLED : WB_GRADE_EXACT;
        for (size_t k = t->first_note; k < t->first_note + t->notes; k++)
            p->note[k].value = s->note[k - first_note];
        if (i < p->tensors)
            memcpy(p->sum + i * p->sums, s->sum + (i - s->first) * p->sums,
                   p->sums * sizeof *p->sum);
    }
}

static bool evaluate(struct slice *s)
{
    const struct wb_preview_how *how = s->run->how;
    struct wb_eval eval = { .threads = how->threads,
                            .budget_bytes = how->budget_bytes,
                            .sample = s->run->sample,
                            .cache = how->cache,
                            .cancel = how->cancel };
    bool ok = room(s) || wb_fail(s->run->err, WB_ENOMEM, "no memory for a preview");

    for (size_t i = s->first; ok && i < s->last; i++) {
        if (i < s->run->p->tensors)
            ask_tensor(s, i);
        ask_notes(s, i);
    }
    ok = ok && !s->failed && wb_evaluate(&eval, s->target, s->targets, NULL, s->run->err);
    if (ok)
        take(s);
    for (size_t t = 0; t < s->targets; t++)
        wb_node_unref(s->target[t].node);
    free(s->target);
    free(s->sum);
    free(s->note);
    return ok;
}

/* Tensors from first on that are worth `want` entries; at least one. *entries: what they come to. */
static size_t slice_end(const struct run *r, size_t first, double want, double *entries)
{
    size_t last = first;

    *entries = 0;
    while (last <= r->p->tensors &&
           (last == first || *entries + cost(r->p, last, r->sample) <= want))
        *entries += cost(r->p, last++, r->sample);
    return last;
}

static bool cancelled(const struct run *r)
{
    return r->how->cancel != NULL && atomic_load_explicit(r->how->cancel, memory_order_relaxed);
}

static bool round_of(struct run *r, bool sample)
{
    double want = sample ? FIRST_SAMPLE_ENTRIES : FIRST_EXACT_ENTRIES;
    size_t at = 0;

    r->sample = sample;
    while (at <= r->p->tensors) {
        struct slice s = { .run = r, .first = at };
        double start = wb_now_seconds(), entries, seconds, more;

        if (cancelled(r))
            return wb_fail(r->err, WB_ECANCELLED, "cancelled");
        s.last = slice_end(r, at, want, &entries);
        if (!evaluate(&s))
            return false;
        at = s.last;
        r->done += entries;
        wb_preview_publish(r->p, r->done / r->total,
                           at > r->p->tensors && (!sample || r->how->sampled_only));
        if (r->how->report != NULL)
            r->how->report(r->how->ctx);
        seconds = wb_now_seconds() - start;
        more = (sample ? SAMPLE_SECONDS : EXACT_SECONDS) / (seconds > 1e-6 ? seconds : 1e-6);
        want = entries * (more < GROWTH_MAX ? more : GROWTH_MAX);
    }
    return true;
}

bool wb_preview_run(struct wb_preview *p, const struct wb_preview_how *how, struct wb_err *err)
{
    struct wb_err own = { .code = WB_OK };
    struct run r = { .p = p, .how = how, .err = err != NULL ? err : &own };

    for (size_t i = 0; i <= p->tensors; i++)
        r.total += cost(p, i, true) + (how->sampled_only ? 0 : cost(p, i, false));
    return round_of(&r, true) && (how->sampled_only || round_of(&r, false));
}

/* As a task. */

struct preview_task {
    struct wb_preview *p;
    struct wb_preview_how how;
};

static void report(void *ctx)
{
    wb_task_report(ctx);
}

void *wb_preview_task_new(struct wb_preview *p, const struct wb_preview_how *how)
{
    struct preview_task *t = calloc(1, sizeof *t);

    if (t != NULL)
        *t = (struct preview_task){ wb_preview_ref(p), *how };
    return t;
}

bool wb_preview_task_run(struct wb_task *task, void *ctx, struct wb_err *err)
{
    struct preview_task *t = ctx;

    t->how.cancel = wb_task_cancel_flag(task);
    t->how.report = report;
    t->how.ctx = task;
    return wb_preview_run(t->p, &t->how, err);
}

void wb_preview_task_free(void *ctx)
{
    struct preview_task *t = ctx;

    if (t == NULL)
        return;
    wb_preview_unref(t->p);
    free(t);
}
