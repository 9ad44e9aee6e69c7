/* app/core/pool.c - workers that join a run through a mutex and take tasks from a counter.
 *
 * `round` counts runs. A waiting worker watches it without the lock for SPIN_NS, then sleeps on
 * `begin`, which looks at it under the lock: no run can begin unseen between the two. A worker
 * joins a run under the lock and only while it is open; the caller closes it when no task is left
 * and waits for those inside, so nobody ever reads the job of a run that is over. */
#include "app/core/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "app/core/parallel.h"

#define THREADS_MAX 1024
/* About as long as the work between two products of a token; a sleeper takes twice that to wake. */
#define SPIN_NS 20000

struct job {
    void (*fn)(void *ctx, size_t task, int worker);
    void *ctx;
    size_t tasks;
};

struct seat {
    struct wb_pool *pool;
    int worker;
    pthread_t thread;
};

struct wb_pool {
    int threads; /* the caller is one of them */
    int64_t spin_ns;
    atomic_uint round;
    atomic_size_t next; /* task */
    atomic_int inside;  /* workers in the open run, changed under the lock */
    pthread_mutex_t lock;
    pthread_cond_t begin, done;
    /* under the lock */
    struct job job;
    bool open, stop, waiting;
    int asleep;
    struct seat *seat; /* threads of them, that of the caller unused */
};

static int64_t clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

static void take_tasks(struct wb_pool *pool, const struct job *job, int worker)
{
    for (;;) {
        size_t task = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);

        if (task >= job->tasks)
            return;
        job->fn(job->ctx, task, worker);
    }
}

/* A new round, or the time is over. */
static void spin_for_round(struct wb_pool *pool, unsigned seen)
{
    int64_t until = clock_ns() + pool->spin_ns;

    do
        for (int i = 0; i < 16; i++) {
            if (atomic_load_explicit(&pool->round, memory_order_relaxed) != seen)
                return;
            relax();
        }
    while (clock_ns() < until);
}

static void *work(void *arg)
{
    const struct seat *seat = arg;
    struct wb_pool *pool = seat->pool;
    unsigned seen = 0;

    for (;;) {
        struct job job;
        bool join;

        spin_for_round(pool, seen);
        pthread_mutex_lock(&pool->lock);
        pool->asleep++;
        while (!pool->stop && atomic_load(&pool->round) == seen)
            pthread_cond_wait(&pool->begin, &pool->lock);
        pool->asleep--;
        if (pool->stop)
            break;
        seen = atomic_load(&pool->round);
        join = pool->open;
        job = pool->job;
        if (join)
            atomic_fetch_add(&pool->inside, 1);
        pthread_mutex_unlock(&pool->lock);
        if (!join)
            continue;
        take_tasks(pool, &job, seat->worker);
        pthread_mutex_lock(&pool->lock);
        if (atomic_fetch_sub(&pool->inside, 1) == 1 && pool->waiting)
            pthread_cond_signal(&pool->done);
        pthread_mutex_unlock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* No task is left: let nobody in any more and wait for those inside. */
static void close_run(struct wb_pool *pool)
{
    int64_t until;

    pthread_mutex_lock(&pool->lock);
    pool->open = false;
    pthread_mutex_unlock(&pool->lock);
    until = clock_ns() + pool->spin_ns;
    while (atomic_load(&pool->inside) != 0 && clock_ns() < until)
        relax();
    pthread_mutex_lock(&pool->lock);
    pool->waiting = true;
    while (atomic_load(&pool->inside) != 0)
        pthread_cond_wait(&pool->done, &pool->lock);
    pool->waiting = false;
    pthread_mutex_unlock(&pool->lock);
}

void wb_pool_run(struct wb_pool *pool, size_t tasks, void (*fn)(void *ctx, size_t task, int worker),
                 void *ctx)
{
    const struct job job = { .fn = fn, .ctx = ctx, .tasks = tasks };
    bool wake;

    if (pool->threads == 1 || tasks <= 1) {
        for (size_t task = 0; task < tasks; task++)
            fn(ctx, task, 0);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->job = job;
    pool->open = true;
    atomic_store(&pool->next, 0);
    atomic_fetch_add(&pool->round, 1);
    wake = pool->asleep > 0;
    pthread_mutex_unlock(&pool->lock);
    if (wake)
        pthread_cond_broadcast(&pool->begin);
    take_tasks(pool, &job, 0);
    close_run(pool);
}

static void start_threads(struct wb_pool *pool, int threads)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (; pool->threads < threads; pool->threads++) {
        struct seat *seat = &pool->seat[pool->threads];

        *seat = (struct seat){ .pool = pool, .worker = pool->threads };
        if (pthread_create(&seat->thread, NULL, work, seat) != 0)
            break;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

struct wb_pool *wb_pool_new(int threads, struct wb_err *err)
{
    struct wb_pool *pool = calloc(1, sizeof *pool);
    int processors = wb_cpu_count();

    threads = threads <= 0 ? processors : threads;
    threads = threads > THREADS_MAX ? THREADS_MAX : threads;
    if (pool != NULL)
        pool->seat = calloc((size_t)threads, sizeof *pool->seat);
    if (pool == NULL || pool->seat == NULL) {
        free(pool);
        wb_fail(err, WB_ENOMEM, "no memory for a pool of %d threads", threads);
        return NULL;
    }
    /* more threads than processors: who turns would keep one from who works */
    pool->spin_ns = threads <= processors ? SPIN_NS : 0;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->begin, NULL);
    pthread_cond_init(&pool->done, NULL);
    pool->threads = 1;
    start_threads(pool, threads);
    return pool;
}

void wb_pool_free(struct wb_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    atomic_fetch_add(&pool->round, 1);
    pthread_mutex_unlock(&pool->lock);
    pthread_cond_broadcast(&pool->begin);
    for (int i = 1; i < pool->threads; i++)
        pthread_join(pool->seat[i].thread, NULL);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->begin);
    pthread_cond_destroy(&pool->done);
    free(pool->seat);
    free(pool);
}

int wb_pool_threads(const struct wb_pool *pool)
{
    return pool->threads;
}
