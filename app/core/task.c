/* app/core/task.c - a queue, the threads that work it off, and a wake pipe.
 *
 * A task is in the group's list from its start until it was dropped and no longer runs; whoever sees
 * the second of these happen takes it out and frees it. A thread takes one task after the other and
 * ends when none is left; ended threads are joined at the next start, and all at the end. */
#include "app/core/task.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define NICE_BEHIND 5
/* Threads beyond the bound that may be ending cancelled work while urgent work goes ahead. */
#define ENDING_MAX 4

struct wb_task {
    struct wb_task *next; /* in order of starting */
    struct wb_tasks *group;
    char *name;
    bool (*run)(struct wb_task *task, void *ctx, struct wb_err *err);
    void *ctx;
    void (*free_ctx)(void *ctx);
    bool urgent, dropped;
    enum wb_task_state state;
    atomic_bool cancel;
    struct wb_err err;
};

struct worker {
    struct worker *next;
    struct wb_tasks *group;
    pthread_t thread;
};

struct wb_tasks {
    pthread_mutex_t lock;
    pthread_cond_t ended; /* a worker is about to end */
    struct wb_task *first;
    struct worker *over; /* ended, to be joined */
    int workers, running_max;
    int pipe[2];
    atomic_bool woken; /* a byte is in the pipe */
};

static void wake(struct wb_tasks *g)
{
    /* A pipe that is full has something to read already. */
    if (!atomic_exchange(&g->woken, true) && write(g->pipe[1], "", 1) < 0)
        return;
}

static void free_task(struct wb_task *t)
{
    if (t->free_ctx != NULL)
        t->free_ctx(t->ctx);
    free(t->name);
    free(t);
}

/* Under the lock. */
static void unlink_task(struct wb_tasks *g, const struct wb_task *t)
{
    struct wb_task **at = &g->first;

    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
}

/* Choosing what runs. */

struct counts {
    int waiting, running, urgent, ending; /* urgent: of those running; ending: cancelled ones */
};

static struct counts count(const struct wb_tasks *g)
{
    struct counts n = { 0 };

    for (const struct wb_task *t = g->first; t != NULL; t = t->next) {
        bool runs = t->state == WB_TASK_RUNNING, cancelled = atomic_load(&t->cancel);

        n.waiting += t->state == WB_TASK_WAITING;
        n.ending += runs && cancelled;
        n.running += runs && !cancelled;
        n.urgent += runs && !cancelled && t->urgent;
    }
    return n;
}

/* The task to run next: the latest urgent one, else the oldest; NULL when none may. Cancelled work
 * on its way out does not hold up an urgent task. */
static struct wb_task *choose(const struct wb_tasks *g)
{
    struct counts n = count(g);
    struct wb_task *urgent = NULL, *oldest = NULL;

    for (struct wb_task *t = g->first; t != NULL; t = t->next) {
        if (t->state != WB_TASK_WAITING)
            continue;
        if (t->urgent)
            urgent = t;
        else if (oldest == NULL)
            oldest = t;
    }
    if (n.ending > ENDING_MAX)
        return NULL;
    if (urgent != NULL)
        return n.running < g->running_max || (n.urgent == 0 && n.running <= g->running_max) ? urgent
                                                                                            : NULL;
    return n.running + n.ending < g->running_max ? oldest : NULL;
}

/* Threads. */

static void lower_priority(void)
{
    int now;

    errno = 0;
    now = getpriority(PRIO_PROCESS, (id_t)gettid()); /* of a thread, on Linux */
    if (errno == 0)
        setpriority(PRIO_PROCESS, (id_t)gettid(), now + NICE_BEHIND);
}

/* Called and returns with the lock held. */
static void run_task(struct wb_tasks *g, struct wb_task *t)
{
    bool ok, gone;

    t->state = WB_TASK_RUNNING;
    pthread_mutex_unlock(&g->lock);
    ok = t->run(t, t->ctx, &t->err);
    pthread_mutex_lock(&g->lock);
    gone = t->dropped;
    if (ok)
        t->state = WB_TASK_DONE;
    else
        t->state = t->err.code == WB_ECANCELLED ? WB_TASK_CANCELLED : WB_TASK_FAILED;
    if (gone)
        unlink_task(g, t);
    pthread_mutex_unlock(&g->lock);
    if (gone)
        free_task(t);
    wake(g);
    pthread_mutex_lock(&g->lock);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct wb_tasks *g = w->group;
    struct wb_task *t;

    lower_priority();
    pthread_mutex_lock(&g->lock);
    while ((t = choose(g)) != NULL)
        run_task(g, t);
    w->next = g->over;
    g->over = w;
    g->workers--;
    pthread_cond_broadcast(&g->ended);
    pthread_mutex_unlock(&g->lock);
    return NULL;
}

/* Join threads that ended: all of them, or those that would not keep the caller waiting. */
static void join_ended(struct wb_tasks *g, bool all)
{
    struct worker *w, *next, *left = NULL;

    pthread_mutex_lock(&g->lock);
    w = g->over;
    g->over = NULL;
    pthread_mutex_unlock(&g->lock);
    for (; w != NULL; w = next) {
        next = w->next;
        if (all ? pthread_join(w->thread, NULL) == 0 : pthread_tryjoin_np(w->thread, NULL) == 0) {
            free(w);
        } else {
            w->next = left;
            left = w;
        }
    }
    pthread_mutex_lock(&g->lock);
    for (w = left; w != NULL; w = next) {
        next = w->next;
        w->next = g->over;
        g->over = w;
    }
    pthread_mutex_unlock(&g->lock);
}

/* Under the lock: the handle is written before the thread can end. */
static bool add_worker(struct wb_tasks *g)
{
    struct worker *w = calloc(1, sizeof *w);
    sigset_t all, old;
    int failed;

    if (w == NULL)
        return false;
    w->group = g;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    failed = pthread_create(&w->thread, NULL, work, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed) {
        free(w);
        return false;
    }
    g->workers++;
    return true;
}

/* The group. */

struct wb_tasks *wb_tasks_new(int running_max, struct wb_err *err)
{
    struct wb_tasks *g = calloc(1, sizeof *g);

    if (g == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for background work");
        return NULL;
    }
    if (pipe2(g->pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
        wb_fail_errno(err, "a pipe for background work");
        free(g);
        return NULL;
    }
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->ended, NULL);
    g->running_max = running_max < 1 ? 1 : running_max;
    return g;
}

void wb_tasks_free(struct wb_tasks *g)
{
    struct wb_task *t, *next;

    if (g == NULL)
        return;
    pthread_mutex_lock(&g->lock);
    for (t = g->first; t != NULL; t = t->next) {
        atomic_store(&t->cancel, true);
        if (t->state == WB_TASK_WAITING)
            t->state = WB_TASK_CANCELLED;
    }
    while (g->workers > 0)
        pthread_cond_wait(&g->ended, &g->lock);
    pthread_mutex_unlock(&g->lock);
    join_ended(g, true);
    for (t = g->first; t != NULL; t = next) {
        next = t->next;
        free_task(t);
    }
    pthread_cond_destroy(&g->ended);
    pthread_mutex_destroy(&g->lock);
    close(g->pipe[0]);
    close(g->pipe[1]);
    free(g);
}

int wb_tasks_fd(const struct wb_tasks *g)
{
    return g->pipe[0];
}

void wb_tasks_drain(struct wb_tasks *g)
{
    char byte[16];

    while (read(g->pipe[0], byte, sizeof byte) > 0)
        continue;
    /* Behind the read: a wake in between writes no byte, but it belongs to what is looked at now. */
    atomic_store(&g->woken, false);
}

int wb_tasks_busy(struct wb_tasks *g)
{
    struct counts n;

    pthread_mutex_lock(&g->lock);
    n = count(g);
    pthread_mutex_unlock(&g->lock);
    return n.waiting + n.running + n.ending;
}

/* Tasks. */

static struct wb_task *make(struct wb_tasks *g, const char *name, bool urgent,
                            bool (*run)(struct wb_task *task, void *ctx, struct wb_err *err),
                            void *ctx, void (*free_ctx)(void *ctx), struct wb_err *err)
{
    struct wb_task *t = calloc(1, sizeof *t);
    char *copy = strdup(name);

    if (t == NULL || copy == NULL) {
        free(t);
        free(copy);
        if (free_ctx != NULL)
            free_ctx(ctx);
        wb_fail(err, WB_ENOMEM, "no memory for a task");
        return NULL;
    }
    t->group = g;
    t->name = copy;
    t->urgent = urgent;
    t->run = run;
    t->ctx = ctx;
    t->free_ctx = free_ctx;
    return t;
}

static struct wb_task *start(struct wb_tasks *g, struct wb_task *t, struct wb_err *err)
{
    struct wb_task **end = &g->first;
    bool ok = true;

    if (t == NULL)
        return NULL;
    join_ended(g, false);
    pthread_mutex_lock(&g->lock);
    while (*end != NULL)
        end = &(*end)->next;
    *end = t;
    if (choose(g) != NULL)
        ok = add_worker(g) || g->workers > 0;
    if (!ok)
        *end = NULL;
    pthread_mutex_unlock(&g->lock);
    if (ok)
        return t;
    free_task(t);
    wb_fail(err, WB_ENOMEM, "no thread for a task");
    return NULL;
}

struct wb_task *wb_task_start(struct wb_tasks *g, const char *name,
                              bool (*run)(struct wb_task *task, void *ctx, struct wb_err *err),
                              void *ctx, void (*free_ctx)(void *ctx), struct wb_err *err)
{
    return start(g, make(g, name, false, run, ctx, free_ctx, err), err);
}

struct wb_task *wb_task_start_urgent(struct wb_tasks *g, const char *name,
                                     bool (*run)(struct wb_task *task, void *ctx,
                                                 struct wb_err *err),
                                     void *ctx, void (*free_ctx)(void *ctx), struct wb_err *err)
{
    return start(g, make(g, name, true, run, ctx, free_ctx, err), err);
}

const char *wb_task_name(const struct wb_task *t)
{
    return t->name;
}

enum wb_task_state wb_task_poll(struct wb_task *t, struct wb_err *err)
{
    enum wb_task_state state;

    pthread_mutex_lock(&t->group->lock);
    state = t->state;
    if (err != NULL && (state == WB_TASK_FAILED || state == WB_TASK_CANCELLED))
        *err = t->err;
    pthread_mutex_unlock(&t->group->lock);
    return state;
}

/* Under the lock. Urgent work that waits need not wait for the cancelled one to end. */
static void cancel(struct wb_task *t)
{
    atomic_store(&t->cancel, true);
    if (t->state == WB_TASK_WAITING) {
        t->state = WB_TASK_CANCELLED;
        wb_fail(&t->err, WB_ECANCELLED, "cancelled");
    }
    if (choose(t->group) != NULL)
        add_worker(t->group);
}

void wb_task_cancel(struct wb_task *t)
{
    pthread_mutex_lock(&t->group->lock);
    cancel(t);
    pthread_mutex_unlock(&t->group->lock);
}

void wb_task_drop(struct wb_task *t)
{
    struct wb_tasks *g;
    bool over;

    if (t == NULL)
        return;
    g = t->group;
    pthread_mutex_lock(&g->lock);
    cancel(t);
    over = t->state != WB_TASK_RUNNING;
    t->dropped = true;
    if (over)
        unlink_task(g, t);
    pthread_mutex_unlock(&g->lock);
    if (over)
        free_task(t);
}

const atomic_bool *wb_task_cancel_flag(const struct wb_task *t)
{
    return &t->cancel;
}

bool wb_task_cancelled(const struct wb_task *t)
{
    return atomic_load_explicit(&t->cancel, memory_order_relaxed);
}

void wb_task_report(struct wb_task *t)
{
    wake(t->group);
}
