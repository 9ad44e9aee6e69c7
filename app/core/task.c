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

static void wake(struct wb_tasks *tasks)
{
    /* A pipe that is full has something to read already. */
    if (!atomic_exchange(&tasks->woken, true) && write(tasks->pipe[1], "", 1) < 0)
        return;
}

static void free_task(struct wb_task *task)
{
    if (task->free_ctx != NULL)
        task->free_ctx(task->ctx);
    free(task->name);
    free(task);
}

/* Under the lock. */
static void unlink_task(struct wb_tasks *tasks, const struct wb_task *task)
{
    struct wb_task **at = &tasks->first;

    while (*at != task)
        at = &(*at)->next;
    *at = task->next;
}

/* Choosing what runs. */

struct counts {
    int waiting, running, urgent, ending; /* urgent: of those running; ending: cancelled ones */
};

static struct counts count(const struct wb_tasks *tasks)
{
    struct counts n = { 0 };

    for (const struct wb_task *task = tasks->first; task != NULL; task = task->next) {
        bool runs = task->state == WB_TASK_RUNNING, cancelled = atomic_load(&task->cancel);

        n.waiting += task->state == WB_TASK_WAITING;
        n.ending += runs && cancelled;
        n.running += runs && !cancelled;
        n.urgent += runs && !cancelled && task->urgent;
    }
    return n;
}

/* The task to run next: the latest urgent one, else the oldest; NULL when none may. Cancelled work
 * on its way out does not hold up an urgent task. */
static struct wb_task *choose(const struct wb_tasks *tasks)
{
    struct counts n = count(tasks);
    struct wb_task *urgent = NULL, *oldest = NULL;

    for (struct wb_task *task = tasks->first; task != NULL; task = task->next) {
        if (task->state != WB_TASK_WAITING)
            continue;
        if (task->urgent)
            urgent = task;
        else if (oldest == NULL)
            oldest = task;
    }
    if (n.ending > ENDING_MAX)
        return NULL;
    if (urgent != NULL)
        return n.running < tasks->running_max || (n.urgent == 0 && n.running <= tasks->running_max)
                   ? urgent
                   : NULL;
    return n.running + n.ending < tasks->running_max ? oldest : NULL;
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
static void run_task(struct wb_tasks *tasks, struct wb_task *task)
{
    bool ok, gone;

    task->state = WB_TASK_RUNNING;
    pthread_mutex_unlock(&tasks->lock);
    ok = task->run(task, task->ctx, &task->err);
    pthread_mutex_lock(&tasks->lock);
    gone = task->dropped;
    if (ok)
        task->state = WB_TASK_DONE;
    else
        task->state = task->err.code == WB_ECANCELLED ? WB_TASK_CANCELLED : WB_TASK_FAILED;
    if (gone)
        unlink_task(tasks, task);
    pthread_mutex_unlock(&tasks->lock);
    if (gone)
        free_task(task);
    wake(tasks);
    pthread_mutex_lock(&tasks->lock);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct wb_tasks *tasks = w->group;
    struct wb_task *task;

    lower_priority();
    pthread_mutex_lock(&tasks->lock);
    while ((task = choose(tasks)) != NULL)
        run_task(tasks, task);
    w->next = tasks->over;
    tasks->over = w;
    tasks->workers--;
    pthread_cond_broadcast(&tasks->ended);
    pthread_mutex_unlock(&tasks->lock);
    return NULL;
}

/* Join threads that ended: all of them, or those that would not keep the caller waiting. */
static void join_ended(struct wb_tasks *tasks, bool all)
{
    struct worker *w, *next, *left = NULL;

    pthread_mutex_lock(&tasks->lock);
    w = tasks->over;
    tasks->over = NULL;
    pthread_mutex_unlock(&tasks->lock);
    for (; w != NULL; w = next) {
        next = w->next;
        if (all ? pthread_join(w->thread, NULL) == 0 : pthread_tryjoin_np(w->thread, NULL) == 0) {
            free(w);
        } else {
            w->next = left;
            left = w;
        }
    }
    pthread_mutex_lock(&tasks->lock);
    for (w = left; w != NULL; w = next) {
        next = w->next;
        w->next = tasks->over;
        tasks->over = w;
    }
    pthread_mutex_unlock(&tasks->lock);
}

/* Under the lock: the handle is written before the thread can end. */
static bool add_worker(struct wb_tasks *tasks)
{
    struct worker *w = calloc(1, sizeof *w);
    sigset_t all, old;
    int failed;

    if (w == NULL)
        return false;
    w->group = tasks;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    failed = pthread_create(&w->thread, NULL, work, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed) {
        free(w);
        return false;
    }
    tasks->workers++;
    return true;
}

/* The group. */

struct wb_tasks *wb_tasks_new(int running_max, struct wb_err *err)
{
    struct wb_tasks *tasks = calloc(1, sizeof *tasks);

    if (tasks == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for background work");
        return NULL;
    }
    if (pipe2(tasks->pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
        wb_fail_errno(err, "a pipe for background work");
        free(tasks);
        return NULL;
    }
    pthread_mutex_init(&tasks->lock, NULL);
    pthread_cond_init(&tasks->ended, NULL);
    tasks->running_max = running_max < 1 ? 1 : running_max;
    return tasks;
}

void wb_tasks_free(struct wb_tasks *tasks)
{
    struct wb_task *task, *next;

    if (tasks == NULL)
        return;
    pthread_mutex_lock(&tasks->lock);
    for (task = tasks->first; task != NULL; task = task->next) {
        atomic_store(&task->cancel, true);
        if (task->state == WB_TASK_WAITING)
            task->state = WB_TASK_CANCELLED;
    }
    while (tasks->workers > 0)
        pthread_cond_wait(&tasks->ended, &tasks->lock);
    pthread_mutex_unlock(&tasks->lock);
    join_ended(tasks, true);
    for (task = tasks->first; task != NULL; task = next) {
        next = task->next;
        free_task(task);
    }
    pthread_cond_destroy(&tasks->ended);
    pthread_mutex_destroy(&tasks->lock);
    close(tasks->pipe[0]);
    close(tasks->pipe[1]);
    free(tasks);
}

int wb_tasks_fd(const struct wb_tasks *tasks)
{
    return tasks->pipe[0];
}

void wb_tasks_drain(struct wb_tasks *tasks)
{
    char byte[16];

    while (read(tasks->pipe[0], byte, sizeof byte) > 0)
        continue;
    /* Behind the read: a wake in between writes no byte, but it belongs to what is looked at now. */
    atomic_store(&tasks->woken, false);
}

int wb_tasks_busy(struct wb_tasks *tasks)
{
    struct counts n;

    pthread_mutex_lock(&tasks->lock);
    n = count(tasks);
    pthread_mutex_unlock(&tasks->lock);
    return n.waiting + n.running + n.ending;
}

/* Tasks. */

static struct wb_task *make(struct wb_tasks *tasks, const char *name, bool urgent,
                            bool (*run)(struct wb_task *task, void *ctx, struct wb_err *err),
                            void *ctx, void (*free_ctx)(void *ctx), struct wb_err *err)
{
    struct wb_task *task = calloc(1, sizeof *task);
    char *copy = strdup(name);

    if (task == NULL || copy == NULL) {
        free(task);
        free(copy);
        if (free_ctx != NULL)
            free_ctx(ctx);
        wb_fail(err, WB_ENOMEM, "no memory for a task");
        return NULL;
    }
    task->group = tasks;
    task->name = copy;
    task->urgent = urgent;
    task->run = run;
    task->ctx = ctx;
    task->free_ctx = free_ctx;
    return task;
}

static struct wb_task *start(struct wb_tasks *tasks, struct wb_task *task, struct wb_err *err)
{
    struct wb_task **end = &tasks->first;
    bool ok = true;

    if (task == NULL)
        return NULL;
    join_ended(tasks, false);
    pthread_mutex_lock(&tasks->lock);
    while (*end != NULL)
        end = &(*end)->next;
    *end = task;
    if (choose(tasks) != NULL)
        ok = add_worker(tasks) || tasks->workers > 0;
    if (!ok)
        *end = NULL;
    pthread_mutex_unlock(&tasks->lock);
    if (ok)
        return task;
    free_task(task);
    wb_fail(err, WB_ENOMEM, "no thread for a task");
    return NULL;
}

struct wb_task *wb_task_start(struct wb_tasks *tasks, const char *name,
                              bool (*run)(struct wb_task *task, void *ctx, struct wb_err *err),
                              void *ctx, void (*free_ctx)(void *ctx), struct wb_err *err)
{
    return start(tasks, make(tasks, name, false, run, ctx, free_ctx, err), err);
}

struct wb_task *wb_task_start_urgent(struct wb_tasks *tasks, const char *name,
                                     bool (*run)(struct wb_task *task, void *ctx,
                                                 struct wb_err *err),
                                     void *ctx, void (*free_ctx)(void *ctx), struct wb_err *err)
{
    return start(tasks, make(tasks, name, true, run, ctx, free_ctx, err), err);
}

const char *wb_task_name(const struct wb_task *task)
{
    return task->name;
}

enum wb_task_state wb_task_poll(struct wb_task *task, struct wb_err *err)
{
    enum wb_task_state state;

    pthread_mutex_lock(&task->group->lock);
    state = task->state;
    if (err != NULL && (state == WB_TASK_FAILED || state == WB_TASK_CANCELLED))
        *err = task->err;
    pthread_mutex_unlock(&task->group->lock);
    return state;
}

/* Under the lock. Urgent work that waits need not wait for the cancelled one to end. */
static void cancel(struct wb_task *task)
{
    atomic_store(&task->cancel, true);
    if (task->state == WB_TASK_WAITING) {
        task->state = WB_TASK_CANCELLED;
        wb_fail(&task->err, WB_ECANCELLED, "cancelled");
    }
    if (choose(task->group) != NULL)
        add_worker(task->group);
}

void wb_task_cancel(struct wb_task *task)
{
    pthread_mutex_lock(&task->group->lock);
    cancel(task);
    pthread_mutex_unlock(&task->group->lock);
}

void wb_task_drop(struct wb_task *task)
{
    struct wb_tasks *tasks;
    bool over;

    if (task == NULL)
        return;
    tasks = task->group;
    pthread_mutex_lock(&tasks->lock);
    cancel(task);
    over = task->state != WB_TASK_RUNNING;
    task->dropped = true;
    if (over)
        unlink_task(tasks, task);
    pthread_mutex_unlock(&tasks->lock);
    if (over)
        free_task(task);
}

const atomic_bool *wb_task_cancel_flag(const struct wb_task *task)
{
    return &task->cancel;
}

bool wb_task_cancelled(const struct wb_task *task)
{
    return atomic_load_explicit(&task->cancel, memory_order_relaxed);
}

void wb_task_report(struct wb_task *task)
{
    wake(task->group);
}

bool wb_task_ended(struct wb_task *task, bool *done, struct wb_err *err)
{
    enum wb_task_state state = task == NULL ? WB_TASK_RUNNING : wb_task_poll(task, err);

    *done = state == WB_TASK_DONE;
    return state != WB_TASK_WAITING && state != WB_TASK_RUNNING;
}
