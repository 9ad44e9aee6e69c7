/* app/graph/jobs.c - planning: which held values are needed, in which job, in which order. */
#include "app/graph/jobs.h"

#include <stdlib.h>
#include <string.h>

#include "app/graph/cache.h"
#include "app/graph/node_impl.h"

/* Held values of up to this many entries are kept in the cache. */
#define CACHED_MAX ((uint64_t)1 << 16)

/* A set of nodes, by address. */
struct node_set {
    const struct wb_node **slot;
    size_t size, count;
};

struct planner {
    struct wb_jobs *jobs;
    struct wb_job *job;
    size_t number;           /* of the job */
    struct node_set sources; /* of the job, counted once */
    struct wb_err *err;
};

/* Dependencies being gathered for one held value or target. */
struct deps {
    struct wb_held **dep;
    size_t n, cap;
    struct node_set seen;
};

static bool out_of_memory(struct wb_err *err)
{
    return wb_fail(err, WB_ENOMEM, "no memory for a plan");
}

static size_t set_place(const struct node_set *set, const struct wb_node *node)
{
    size_t i = ((size_t)(uintptr_t)node >> 5) * (size_t)0x9E3779B97F4A7C15u >> 20 & (set->size - 1);

    while (set->slot[i] != NULL && set->slot[i] != node)
        i = (i + 1) & (set->size - 1);
    return i;
}

/* 1: added, 0: was there, -1: no memory. */
static int set_add(struct node_set *set, const struct wb_node *node)
{
    size_t at;

    if (2 * (set->count + 1) > set->size) {
        struct node_set bigger = { .size = set->size == 0 ? 32 : set->size * 2 };

        bigger.slot = calloc(bigger.size, sizeof *bigger.slot);
        if (bigger.slot == NULL)
            return -1;
        for (size_t i = 0; i < set->size; i++)
            if (set->slot[i] != NULL)
                bigger.slot[set_place(&bigger, set->slot[i])] = set->slot[i];
        bigger.count = set->count;
        free(set->slot);
        *set = bigger;
    }
    at = set_place(set, node);
    if (set->slot[at] != NULL)
        return 0;
    set->slot[at] = node;
    set->count++;
    return 1;
}

static bool push(struct wb_held ***list, size_t *n, size_t *cap, struct wb_held *held)
{
    if (*n == *cap) {
        size_t more = *cap == 0 ? 8 : *cap * 2;
        struct wb_held **bigger = realloc(*list, more * sizeof *bigger);

        if (bigger == NULL)
            return false;
        *list = bigger;
        *cap = more;
    }
    (*list)[(*n)++] = held;
    return true;
}

static bool require(struct planner *p, struct wb_node *node, struct deps *d);

/* Find the held values behind a stream. */
static bool walk(struct planner *p, struct wb_node *node, struct deps *d)
{
    int added;

    if (node->domain != WB_STREAM)
        return require(p, node, d);
    added = set_add(&d->seen, node);
    if (added <= 0)
        return added == 0 || out_of_memory(p->err);
    if (node->op == WB_OP_SOURCE) {
        added = set_add(&p->sources, node);
        if (added < 0)
            return out_of_memory(p->err);
        if (added > 0)
            p->job->source_bytes += wb_ckpt_info(node->u.source.ck, node->u.source.tensor)->bytes;
    }
    for (size_t i = 0; i < node->n_in; i++)
        if (!walk(p, node->in[i], d))
            return false;
    return true;
}

struct wb_hash wb_jobs_cache_key(const struct wb_jobs *jobs, const struct wb_node *node)
{
    struct {
        struct wb_hash node;
        uint64_t sample;
    } key = { node->hash, jobs->sample ? 1 : 2 };

    return wb_hash_bytes(&key, sizeof key);
}

bool wb_jobs_cacheable(const struct wb_jobs *jobs, const struct wb_node *node)
{
    return jobs->cache != NULL && node->domain == WB_SMALL && node->count <= CACHED_MAX &&
           !wb_held_is_local(node);
}

/* Constants at once, and whatever an earlier evaluation left. */
static bool known_already(struct planner *p, struct wb_held *held)
{
    struct wb_jobs *jobs = p->jobs;
    size_t bytes = (size_t)held->node->count * sizeof(double);

    if (held->node->op == WB_OP_CONSTANT)
        return wb_held_compute(&jobs->table, held, p->err);
    if (!wb_jobs_cacheable(jobs, held->node))
        return false;
    held->f64 = malloc(bytes + 1);
    held->ready =
        held->f64 != NULL &&
        wb_cache_get_bytes(jobs->cache, wb_jobs_cache_key(jobs, held->node), held->f64, bytes);
    held->cached = held->ready;
    if (!held->ready) {
        free(held->f64);
        held->f64 = NULL;
    }
    return held->ready;
}

/* The job needs held: counted once for each job. */
static bool use(struct planner *p, struct wb_held *held)
{
    struct wb_job *job = p->job;

    if (held->used_by == p->number + 1)
        return true;
    held->used_by = p->number + 1;
    held->users++;
    return push(&job->use, &job->uses, &job->use_cap, held) || out_of_memory(p->err);
}

/* Make sure that a held node has an entry; new ones belong to this job and are listed behind
 * what they need. */
static bool require(struct planner *p, struct wb_node *node, struct deps *d)
{
    struct wb_held *held = wb_held_find(&p->jobs->table, node);
    struct deps inner = { .n = 0 };
    bool ok = true;

    if (held == NULL) {
        held = wb_held_add(&p->jobs->table, node);
        if (held == NULL)
            return out_of_memory(p->err);
        held->job = p->number;
        if (!known_already(p, held)) {
            for (size_t i = 0; ok && i < node->n_in; i++)
                ok = walk(p, node->in[i], &inner);
            held->dep = inner.dep;
            held->deps = inner.n;
            free(inner.seen.slot);
            ok = ok && (push(&p->job->own, &p->job->owns, &p->job->own_cap, held) ||
                        out_of_memory(p->err));
            if (node->domain == WB_BUFFER)
                p->job->held_bytes += wb_held_bytes(node);
        }
    }
    if (ok && !push(&d->dep, &d->n, &d->cap, held))
        ok = out_of_memory(p->err);
    return ok && use(p, held);
}

/* The deepest chain of passes in a job, the last one (writing) included. */
static unsigned job_depth(const struct wb_jobs *jobs, const struct wb_job *job)
{
    unsigned deepest = 0;

    for (size_t i = 0; i < job->owns; i++) {
        struct wb_held *held = job->own[i];

        for (size_t k = 0; k < held->deps; k++)
            if (!held->dep[k]->ready && held->dep[k]->job == held->job &&
                held->dep[k]->level > held->level)
                held->level = held->dep[k]->level;
        if (!wb_held_is_local(held->node))
            held->level++;
        if (held->level > deepest)
            deepest = held->level;
    }
    for (size_t t = job->first; t < job->first + job->count; t++)
        if (jobs->target[t].target.write)
            return deepest + 1;
    return deepest;
}

static bool plan_target(struct planner *p, struct wb_target_state *t)
{
    struct deps d = { .n = 0 };
    bool ok;

    if (t->target.write || t->target.node->domain != WB_STREAM)
        t->node = wb_node_ref(t->target.node);
    else
        t->node = wb_node_hold(t->target.node, p->err);
    if (t->node == NULL)
        return false;
    ok = t->target.write ? walk(p, t->node, &d) : require(p, t->node, &d);
    free(d.seen.slot);
    t->dep = d.dep;
    t->deps = d.n;
    return ok;
}

static bool plan_job(struct wb_jobs *jobs, size_t number, struct wb_err *err)
{
    struct planner p = { .jobs = jobs, .job = &jobs->job[number], .number = number, .err = err };
    bool ok = true;

    for (size_t t = p.job->first; ok && t < p.job->first + p.job->count; t++)
        ok = plan_target(&p, &jobs->target[t]);
    if (ok)
        p.job->depth = job_depth(jobs, p.job);
    free(p.sources.slot);
    return ok;
}

bool wb_jobs_plan(struct wb_jobs *jobs, const struct wb_target *target, size_t count, bool sample,
                  struct wb_cache *cache, struct wb_err *err)
{
    *jobs = (struct wb_jobs){ .sample = sample, .cache = cache };
    jobs->target = calloc(count + 1, sizeof *jobs->target);
    jobs->job = calloc(count + 1, sizeof *jobs->job);
    if (jobs->target == NULL || jobs->job == NULL)
        return out_of_memory(err);
    for (size_t i = 0; i < count; i++) {
        jobs->target[i].target = target[i];
        if (i == 0 || target[i].group != target[i - 1].group)
            jobs->job[jobs->jobs++].first = i;
        jobs->job[jobs->jobs - 1].count++;
        jobs->targets++;
    }
    for (size_t j = 0; j < jobs->jobs; j++)
        if (!plan_job(jobs, j, err))
            return false;
    return true;
}

void wb_jobs_free(struct wb_jobs *jobs)
{
    for (size_t i = 0; jobs->target != NULL && i < jobs->targets; i++) {
        wb_output_free(&jobs->target[i].output);
        free(jobs->target[i].dep);
    }
    for (size_t i = 0; jobs->job != NULL && i < jobs->jobs; i++) {
        free(jobs->job[i].own);
        free(jobs->job[i].use);
        free(jobs->job[i].verified.guard);
    }
    wb_held_table_free(&jobs->table);
    for (size_t i = 0; jobs->target != NULL && i < jobs->targets; i++)
        wb_node_unref(jobs->target[i].node);
    free(jobs->target);
    free(jobs->job);
    *jobs = (struct wb_jobs){ .targets = 0 };
}
