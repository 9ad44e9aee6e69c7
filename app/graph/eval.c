/* app/graph/eval.c - the scheduler: workers take tiles of jobs, oldest job first.
 *
 * One lock guards which unit is whose. A worker that takes the last result of a wave advances
 * the job itself, outside of the lock; meanwhile the others work on younger jobs, as many as the
 * budget lets in. */
#include "app/graph/eval.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/parallel.h"
#include "app/graph/cache.h"
#include "app/graph/jobs.h"
#include "app/graph/node_impl.h"
#include "app/graph/select.h"

#define LIST_KEYS_MIN ((uint64_t)1 << 19)

struct scheduler {
    struct wb_jobs jobs;
    struct wb_context context;
    struct wb_advance how;
    uint64_t budget_bytes, active_bytes;
    int threads;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct wb_job **active; /* in order of age */
    size_t actives, actives_max, next;
    bool stopped; /* failed or cancelled */
    struct wb_err *err;
};

static void stop(struct scheduler *s, const struct wb_err *why)
{
    if (!s->stopped)
        wb_err_move(s->err, why);
    s->stopped = true;
    for (size_t i = 0; i < s->actives;
         i++) { /* nobody is in the outputs of a job that is advancing */
        const struct wb_job *j = s->active[i];

        for (size_t t = j->first; !j->advancing && t < j->first + j->count; t++)
            wb_output_abandon(&s->jobs.target[t].output);
    }
    pthread_cond_broadcast(&s->changed);
}

static bool take_unit(struct scheduler *s, struct wb_job **job, struct wb_program **program,
                      size_t *unit)
{
    for (size_t i = 0; i < s->actives; i++) {
        struct wb_job *j = s->active[i];

        if (j->advancing)
            continue;
        while (j->pass_at < j->passes &&
               j->unit_at >= wb_program_units(j->pass[j->pass_at].program)) {
            j->pass_at++;
            j->unit_at = 0;
        }
        if (j->pass_at == j->passes)
            continue;
        *job = j;
        *program = j->pass[j->pass_at].program;
        *unit = j->unit_at++;
        j->outstanding++;
        return true;
    }
    return false;
}

static bool has_units(const struct wb_job *j)
{
    for (size_t i = j->pass_at; i < j->passes; i++)
        if ((i == j->pass_at ? j->unit_at : 0) < wb_program_units(j->pass[i].program))
            return true;
    return false;
}

/* May the next job start? Jobs it takes values from are done, and its buffers fit. */
static bool may_start(const struct scheduler *s)
{
    const struct wb_job *j;

    if (s->next == s->jobs.jobs || s->actives == s->actives_max)
        return false;
    j = &s->jobs.job[s->next];
    if (s->actives > 0 && s->active_bytes + j->held_bytes > s->budget_bytes)
        return false;
    for (size_t i = 0; i < j->uses; i++)
        if (j->use[i]->job != s->next && !s->jobs.job[j->use[i]->job].done)
            return false;
    return true;
}

static void retire(struct scheduler *s, struct wb_job *job)
{
    size_t i = 0;

    job->done = true;
    s->active_bytes -= job->held_bytes;
    wb_job_release(&s->jobs, job);
    while (s->active[i] != job)
        i++;
    memmove(s->active + i, s->active + i + 1, (s->actives - i - 1) * sizeof *s->active);
    s->actives--;
    if (s->context.progress != NULL)
        atomic_fetch_add(&s->context.progress->jobs_done, 1);
}

/* Called and returns with the lock held. */
static void advance(struct scheduler *s, struct wb_job *job, struct wb_work *work)
{
    struct wb_err err = { .code = WB_OK };
    bool ok;

    job->advancing = true;
    pthread_mutex_unlock(&s->lock);
    ok = wb_job_advance(&s->jobs, job, &s->how, work, &err);
    pthread_mutex_lock(&s->lock);
    job->advancing = false;
    if (!ok)
        stop(s, &err);
    else if (job->passes == 0)
        retire(s, job);
    else if (s->context.progress != NULL)
        atomic_store(&s->context.progress->current, wb_program_name(job->pass[0].program));
    pthread_cond_broadcast(&s->changed);
}

static void start_job(struct scheduler *s, struct wb_work *work)
{
    struct wb_job *job = &s->jobs.job[s->next++];

    s->active[s->actives++] = job;
    s->active_bytes += job->held_bytes;
    advance(s, job, work);
}

static void run_unit(struct scheduler *s, struct wb_job *job, struct wb_program *program,
                     size_t unit, struct wb_work *work)
{
    struct wb_err err = { .code = WB_OK };
    bool ok;

    pthread_mutex_unlock(&s->lock);
    ok = wb_program_run(program, work, unit, &s->context, &err);
    pthread_mutex_lock(&s->lock);
    job->outstanding--;
    if (!ok)
        stop(s, &err);
    else if (!s->stopped && job->outstanding == 0 && !has_units(job))
        advance(s, job, work);
}

static void work_loop(void *ctx, int worker)
{
    struct scheduler *s = ctx;
    struct wb_work *work = wb_work_new();
    struct wb_program *program;
    struct wb_job *job;
    size_t unit;

    (void)worker;
    pthread_mutex_lock(&s->lock);
    if (work == NULL)
        stop(s, &(struct wb_err){ .code = WB_ENOMEM, .msg = "no memory for a worker" });
    while (!s->stopped) {
        if (take_unit(s, &job, &program, &unit))
            run_unit(s, job, program, unit, work);
        else if (may_start(s))
            start_job(s, work);
        else if (s->actives == 0 && s->next == s->jobs.jobs)
            break;
        else
            pthread_cond_wait(&s->changed, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    wb_work_free(work);
}

static void drop_unfinished(struct scheduler *s)
{
    for (size_t j = 0; j < s->jobs.jobs; j++)
        wb_job_abandon(&s->jobs.job[j]);
}

static int thread_count(const struct wb_eval *how)
{
    return how->threads > 0 ? how->threads : wb_cpu_count();
}

static uint64_t budget(const struct wb_eval *how)
{
    return how->budget_bytes > 0 ? how->budget_bytes : WB_BUDGET_DEFAULT_BYTES;
}

static void total_bytes(const struct wb_jobs *jobs, uint64_t *read, uint64_t *written)
{
    *read = *written = 0;
    for (size_t j = 0; j < jobs->jobs; j++)
        *read += jobs->job[j].source_bytes * jobs->job[j].depth;
    for (size_t t = 0; t < jobs->targets; t++)
        if (jobs->target[t].target.write)
            *written +=
                jobs->target[t].node->count * wb_dtype_bits(jobs->target[t].target.dtype) / 8;
}

static bool run(struct scheduler *s, const struct wb_eval *how)
{
    uint64_t read, written;

    total_bytes(&s->jobs, &read, &written);
    if (how->progress != NULL) {
        atomic_store(&how->progress->bytes_total, read + written);
        atomic_store(&how->progress->jobs_total, s->jobs.jobs);
    }
    s->actives_max = (size_t)s->threads + 2;
    s->active = calloc(s->actives_max, sizeof *s->active);
    if (s->active == NULL)
        return wb_fail(s->err, WB_ENOMEM, "no memory for the scheduler");
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    wb_parallel(s->threads, work_loop, s);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s->active);
    if (s->stopped)
        drop_unfinished(s);
    return !s->stopped;
}

bool wb_evaluate(const struct wb_eval *how, const struct wb_target *target, size_t count,
                 const struct wb_sink *sink, struct wb_err *err)
{
    struct scheduler s = { .budget_bytes = budget(how), .threads = thread_count(how) };
    struct wb_err own = { .code = WB_OK };
    bool ok;

    s.err = err == NULL ? &own : err;
    for (size_t i = 0; how->sample && i < count; i++)
        if (target[i].write)
            return wb_fail(s.err, WB_EARG, "a sample cannot be written");
    if (how->cache != NULL)
        wb_cache_begin(how->cache);
    ok = wb_jobs_plan(&s.jobs, target, count, how->sample, how->cache, s.err);
    s.context = (struct wb_context){ .table = &s.jobs.table,
                                     .sink = sink,
                                     .cache = how->cache,
                                     .progress = how->progress,
                                     .cancel = how->cancel };
    s.how = (struct wb_advance){ .context = &s.context,
                                 .parked_max = 2 * (size_t)s.threads,
                                 .list_max_keys = s.budget_bytes / 64 };
    if (s.how.list_max_keys < LIST_KEYS_MIN)
        s.how.list_max_keys = LIST_KEYS_MIN;
    ok = ok && run(&s, how);
    wb_jobs_free(&s.jobs);
    return ok;
}

bool wb_evaluate_cost(const struct wb_eval *how, const struct wb_target *target, size_t count,
                      struct wb_cost *cost, struct wb_err *err)
{
    struct wb_jobs jobs;
    bool ok = wb_jobs_plan(&jobs, target, count, how->sample, NULL, err);
    uint64_t most = 0;

    *cost = (struct wb_cost){ .jobs = jobs.jobs };
    if (ok)
        total_bytes(&jobs, &cost->bytes_read, &cost->bytes_written);
    for (size_t j = 0; ok && j < jobs.jobs; j++) {
        if (jobs.job[j].depth > cost->passes)
            cost->passes = jobs.job[j].depth;
        if (jobs.job[j].held_bytes > cost->held_bytes)
            cost->held_bytes = jobs.job[j].held_bytes;
        if (jobs.job[j].source_bytes > most)
            most = jobs.job[j].source_bytes;
    }
    /* tiles of a worker (a few hundred KiB for each input), parked output and lists of keys */
    cost->memory_bytes = cost->held_bytes + (uint64_t)thread_count(how) * ((uint64_t)4 << 20) +
                         (cost->passes > 1 ? (budget(how) / 4 < most ? budget(how) / 4 : most) : 0);
    wb_jobs_free(&jobs);
    return ok;
}
