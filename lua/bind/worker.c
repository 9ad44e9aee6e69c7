/* lua/bind/worker.c - the script thread.
 *
 * DESIGN. A lane is a thread with a VM of its own; it takes requests off a queue and puts events on
 * another. All that is shared lies under one lock, which is never held while Lua runs. A cancel
 * sets the lane's flag, which the VM's hook polls, and a deadline; the watcher sleeps until there
 * is one. A lane still at work when it passes is left behind: it keeps the worker alive by a
 * reference, may finish one day and then frees itself, and nothing it makes is seen. */
#include "lua/bind/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/core/io.h"
#include "lua/bind/request.h"

#define PATIENCE_MS_DEFAULT 400
#define LEFT_BEHIND_MAX 16
#define LOG_LINES_MAX 1000 /* that wait to be fetched; what comes on top is dropped */

struct lane {
    struct wb_worker *w;
    pthread_t thread;
    atomic_bool cancel;
    bool abandoned, finished; /* under the worker's lock */
    uint64_t id;              /* of the request at work; the lane's own */
    struct wb_eval eval;
    struct wb_vm *vm;
};

struct wb_worker {
    pthread_mutex_t lock;
    pthread_cond_t work, watch, ended;
    struct wb_worker_options opt;
    int refs; /* the owner's, and one of each lane left behind */
    struct lane *lane;
    pthread_t watcher;
    struct wb_request *request, **request_last;
    struct wb_worker_event *event, **event_last;
    size_t logs; /* among the events */
    uint64_t ids;
    bool stopping;
    bool busy, mute; /* mute: nobody wants the result any more */
    enum wb_worker_kind busy_kind;
    uint64_t busy_id;
    double since, deadline; /* 0: none */
    size_t left_behind;
};

/* Requests that wait; the lock is held. */

/* Drop what waits of one kind. */
static void drop_requests(struct wb_worker *w, enum wb_worker_kind kind)
{
    struct wb_request **at = &w->request, *r;

    while ((r = *at) != NULL) {
        if (r->kind != kind) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        wb_request_free(r);
    }
    w->request_last = at;
}

static void drop_all_requests(struct wb_worker *w)
{
    struct wb_request *r;

    while ((r = w->request) != NULL) {
        w->request = r->next;
        wb_request_free(r);
    }
    w->request_last = &w->request;
}

/* Events; the lock is held. */

static void push_event(struct wb_worker *w, struct wb_worker_event *e)
{
    if (e == NULL)
        return;
    e->next = NULL;
    *w->event_last = e;
    w->event_last = &e->next;
    w->logs += e->kind == WB_WORKER_LOG;
    if (w->opt.wake_fd >= 0 && write(w->opt.wake_fd, "w", 1) < 0)
        return; /* full: whoever reads it is awake already */
}

static struct wb_worker_event *event_new(enum wb_worker_kind kind, uint64_t id)
{
    struct wb_worker_event *e = calloc(1, sizeof *e);

    if (e != NULL) {
        e->kind = kind;
        e->id = id;
    }
    return e;
}

static void push_log(struct wb_worker *w, uint64_t id, const char *line)
{
    struct wb_worker_event *e;

    if (w->logs > LOG_LINES_MAX)
        return;
    e = event_new(WB_WORKER_LOG, id);
    if (e == NULL)
        return;
    e->ok = true;
    if (w->logs == LOG_LINES_MAX)
        line = "… more lines than can be kept are left out";
    e->text = strdup(line);
    push_event(w, e);
}

static void lane_log(void *ctx, const char *line)
{
    struct lane *lane = ctx;
    struct wb_worker *w = lane->w;

    pthread_mutex_lock(&w->lock);
    if (!lane->abandoned && !w->mute)
        push_log(w, lane->id, line);
    pthread_mutex_unlock(&w->lock);
}

/* The work, without the lock. */

static bool have_vm(struct lane *lane, struct wb_err *err)
{
    struct wb_vm_options options = lane->w->opt.vm;

    if (lane->vm != NULL)
        return true;
    if (options.eval != NULL)
        lane->eval = *options.eval;
    lane->eval.cancel = &lane->cancel;
    options.eval = &lane->eval;
    options.cancel = &lane->cancel;
    options.log = lane_log;
    options.log_ctx = lane;
    lane->vm = wb_vm_new(&options, err);
    return lane->vm != NULL;
}

/* Threads. */

static void worker_unref(struct wb_worker *w)
{
    bool last;

    pthread_mutex_lock(&w->lock);
    last = --w->refs == 0;
    pthread_mutex_unlock(&w->lock);
    if (!last)
        return;
    pthread_cond_destroy(&w->work);
    pthread_cond_destroy(&w->watch);
    pthread_cond_destroy(&w->ended);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

/* The next request, NULL when the lane is to end. The lock is held. */
static struct wb_request *take_request(struct lane *lane)
{
    struct wb_worker *w = lane->w;
    struct wb_request *r;

    while (!lane->abandoned && !w->stopping && w->request == NULL)
        pthread_cond_wait(&w->work, &w->lock);
    if (lane->abandoned || w->stopping)
        return NULL;
    r = w->request;
    w->request = r->next;
    if (w->request == NULL)
        w->request_last = &w->request;
    atomic_store(&lane->cancel, false);
    lane->id = r->id;
    w->busy = true;
    w->mute = false;
    w->busy_kind = r->kind;
    w->busy_id = r->id;
    w->since = wb_now_seconds();
    w->deadline = 0;
    return r;
}

/* Hand over the result, unless nobody wants it. The lock is held. */
static void give_result(struct lane *lane, struct wb_worker_event **e)
{
    struct wb_worker *w = lane->w;

    if (lane->abandoned)
        return;
    w->busy = false;
    w->deadline = 0;
    if (w->mute)
        return;
    push_event(w, *e);
    *e = NULL;
}

static void *lane_main(void *arg)
{
    struct lane *lane = arg;
    struct wb_worker *w = lane->w;
    struct wb_worker_event *e;
    struct wb_request *r;
    bool abandoned;

    pthread_mutex_lock(&w->lock);
    while ((r = take_request(lane)) != NULL) {
        pthread_mutex_unlock(&w->lock);
        e = event_new(r->kind, r->id);
        if (e != NULL && have_vm(lane, &e->err))
            wb_request_do(lane->vm, r, e);
        wb_request_free(r);
        pthread_mutex_lock(&w->lock);
        give_result(lane, &e);
        pthread_mutex_unlock(&w->lock);
        wb_worker_event_free(e);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    wb_vm_free(lane->vm);
    pthread_mutex_lock(&w->lock);
    lane->finished = true;
    abandoned = lane->abandoned;
    w->left_behind -= abandoned;
    pthread_cond_broadcast(&w->ended);
    pthread_mutex_unlock(&w->lock);
    if (abandoned) {
        free(lane);
        worker_unref(w);
    }
    return NULL;
}

static bool start_thread(pthread_t *thread, void *(*fn)(void *), void *arg)
{
    sigset_t all, old;
    bool ok;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    ok = pthread_create(thread, NULL, fn, arg) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return ok;
}

static struct lane *lane_start(struct wb_worker *w)
{
    struct lane *lane = calloc(1, sizeof *lane);

    if (lane == NULL)
        return NULL;
    lane->w = w;
    if (start_thread(&lane->thread, lane_main, lane))
        return lane;
    free(lane);
    return NULL;
}

/* Go on without the lane. The lock is held. */
static void leave_behind(struct wb_worker *w)
{
    struct lane *old = w->lane;

    old->abandoned = true;
    w->refs++;
    w->left_behind++;
    w->busy = false;
    w->deadline = 0;
    w->lane = NULL;
    pthread_detach(old->thread);
}

static void replace_lane(struct wb_worker *w)
{
    struct lane *fresh = lane_start(w);
    struct wb_worker_event *e = NULL;

    if (fresh == NULL) { /* then this one has to be waited for after all */
        w->deadline = 0;
        return;
    }
    leave_behind(w);
    w->lane = fresh;
    push_log(w, w->busy_id,
             "a script cannot be interrupted (a string pattern?): it is left behind, and a new Lua "
             "state takes its place");
    if (!w->mute)
        e = event_new(w->busy_kind, w->busy_id);
    if (e != NULL)
        wb_fail(&e->err, WB_ECANCELLED, "cancelled");
    if (e != NULL)
        e->script.err = e->err;
    push_event(w, e);
}

static struct timespec time_of(double seconds)
{
    return (struct timespec){ .tv_sec = (time_t)seconds,
                              .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9) };
}

static void *watcher_main(void *arg)
{
    struct wb_worker *w = arg;
    struct timespec until;

    pthread_mutex_lock(&w->lock);
    while (!w->stopping) {
        if (w->deadline == 0) {
            pthread_cond_wait(&w->watch, &w->lock);
        } else if (wb_now_seconds() < w->deadline) {
            until = time_of(w->deadline);
            pthread_cond_timedwait(&w->watch, &w->lock, &until);
        } else if (w->left_behind < LEFT_BEHIND_MAX) {
            replace_lane(w);
        } else {
            w->deadline = 0;
        }
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* Tell the lane to stop. The lock is held. */
static void cancel(struct wb_worker *w)
{
    int ms = w->opt.patience_ms > 0 ? w->opt.patience_ms : PATIENCE_MS_DEFAULT;

    if (!w->busy)
        return;
    atomic_store(&w->lane->cancel, true);
    if (w->deadline == 0)
        w->deadline = wb_now_seconds() + ms / 1000.0;
    pthread_cond_signal(&w->watch);
}

/* Public. */

static void init_conditions(struct wb_worker *w)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC); /* that of wb_now_seconds */
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->work, &attr);
    pthread_cond_init(&w->watch, &attr);
    pthread_cond_init(&w->ended, &attr);
    pthread_condattr_destroy(&attr);
}

struct wb_worker *wb_worker_new(const struct wb_worker_options *options, struct wb_err *err)
{
    struct wb_worker *w = calloc(1, sizeof *w);

    if (w == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for a script thread");
        return NULL;
    }
    w->opt = *options;
    w->refs = 1;
    w->request_last = &w->request;
    w->event_last = &w->event;
    init_conditions(w);
    if (!start_thread(&w->watcher, watcher_main, w)) {
        wb_fail(err, WB_ENOMEM, "a script thread cannot be started");
        worker_unref(w);
        return NULL;
    }
    pthread_mutex_lock(&w->lock);
    w->lane = lane_start(w);
    pthread_mutex_unlock(&w->lock);
    if (w->lane == NULL) {
        wb_fail(err, WB_ENOMEM, "a script thread cannot be started");
        wb_worker_free(w);
        return NULL;
    }
    return w;
}

/* The lock is held: wait for the lane's end as long as one waits for a script. */
static bool lane_ends(struct wb_worker *w)
{
    int ms = w->opt.patience_ms > 0 ? w->opt.patience_ms : PATIENCE_MS_DEFAULT;
    struct timespec until = time_of(wb_now_seconds() + ms / 1000.0);

    while (!w->lane->finished)
        if (pthread_cond_timedwait(&w->ended, &w->lock, &until) == ETIMEDOUT)
            break;
    return w->lane->finished;
}

void wb_worker_free(struct wb_worker *w)
{
    struct wb_worker_event *e;
    struct lane *lane = NULL;

    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    w->opt.wake_fd = -1;
    w->mute = true;
    drop_all_requests(w);
    if (w->lane != NULL) {
        cancel(w);
        pthread_cond_broadcast(&w->work);
        if (lane_ends(w))
            lane = w->lane;
        else
            leave_behind(w);
    }
    pthread_cond_broadcast(&w->watch);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->watcher, NULL);
    if (lane != NULL) {
        pthread_join(lane->thread, NULL);
        free(lane);
    }
    while ((e = wb_worker_next(w)) != NULL)
        wb_worker_event_free(e);
    worker_unref(w);
}

/* Queue r; a run and a map push others aside. */
static uint64_t submit(struct wb_worker *w, struct wb_request *r)
{
    uint64_t id;

    if (r == NULL)
        return 0;
    pthread_mutex_lock(&w->lock);
    if (r->kind == WB_WORKER_RUN || r->kind == WB_WORKER_MAP)
        drop_requests(w, WB_WORKER_MAP);
    if (r->kind == WB_WORKER_RUN) {
        drop_requests(w, WB_WORKER_RUN);
        if (w->busy && (w->busy_kind == WB_WORKER_RUN || w->busy_kind == WB_WORKER_MAP)) {
            w->mute = true;
            cancel(w);
        }
    }
    id = r->id = ++w->ids;
    *w->request_last = r;
    w->request_last = &r->next;
    pthread_cond_broadcast(&w->work);
    pthread_mutex_unlock(&w->lock);
    return id;
}

uint64_t wb_worker_run(struct wb_worker *w, const char *name, const char *text, size_t n,
                       const char *const *set, size_t sets)
{
    return submit(w, wb_request_run(name, text, n, set, sets));
}

uint64_t wb_worker_map(struct wb_worker *w, size_t step)
{
    return submit(w, wb_request_map(step));
}

uint64_t wb_worker_console(struct wb_worker *w, const struct wb_console_input *in)
{
    return submit(w, wb_request_console(in));
}

uint64_t wb_worker_plugins(struct wb_worker *w)
{
    return submit(w, wb_request_new(WB_WORKER_PLUGINS, NULL, NULL, 0));
}

uint64_t wb_worker_check(struct wb_worker *w, const char *path)
{
    return submit(w, wb_request_new(WB_WORKER_CHECK, path, NULL, 0));
}

uint64_t wb_worker_complete(struct wb_worker *w)
{
    return submit(w, wb_request_new(WB_WORKER_COMPLETE, NULL, NULL, 0));
}

uint64_t wb_worker_reload(struct wb_worker *w)
{
    return submit(w, wb_request_new(WB_WORKER_RELOAD, NULL, NULL, 0));
}

void wb_worker_cancel(struct wb_worker *w)
{
    pthread_mutex_lock(&w->lock);
    cancel(w);
    pthread_mutex_unlock(&w->lock);
}

struct wb_worker_event *wb_worker_next(struct wb_worker *w)
{
    struct wb_worker_event *e;

    pthread_mutex_lock(&w->lock);
    e = w->event;
    if (e != NULL) {
        w->event = e->next;
        if (w->event == NULL)
            w->event_last = &w->event;
        w->logs -= e->kind == WB_WORKER_LOG;
        e->next = NULL;
    }
    pthread_mutex_unlock(&w->lock);
    return e;
}

struct wb_worker_counts wb_worker_counts(struct wb_worker *w)
{
    struct wb_worker_counts c;

    pthread_mutex_lock(&w->lock);
    c.busy = w->busy || w->request != NULL;
    c.seconds = w->busy ? wb_now_seconds() - w->since : 0;
    c.left_behind = w->left_behind;
    pthread_mutex_unlock(&w->lock);
    return c;
}
