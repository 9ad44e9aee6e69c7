/* app/store/stage.c - windows that fill up, and the threads that write them.
 *
 * THREADS. One lock guards the states of all windows. Whoever puts copies into a window outside of
 * the lock, counted by `users`; nobody writes a window that has users. A window goes from free to
 * open, queued, being written, and is free again. When none is free the oldest open one is written
 * as far as it came: its other bytes open a window of their own later, so every byte is written
 * once. */
#include "app/store/stage.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "app/core/io.h"
#include "app/core/stream.h"

#define WINDOWS 16
#define THREADS 4
#define RANGES_MAX 8
#define HUGE_PAGE_BYTES ((size_t)2 << 20)

enum window_state { WINDOW_FREE, WINDOW_OPEN, WINDOW_QUEUED, WINDOW_WRITING };

struct range {
    size_t from, to;
};

struct window {
    enum window_state state;
    size_t file;
    uint64_t at;                    /* in the file; a multiple of WB_STAGE_WINDOW_BYTES */
    struct range range[RANGES_MAX]; /* that have their bytes, or whose bytes are being copied */
    size_t ranges, users;
    uint64_t age;
    uint8_t *bytes;
};

struct wb_stage {
    const struct wb_stage_file *file;
    uint8_t *memory;
    struct window window[WINDOWS];
    size_t pending; /* queued or being written */
    uint64_t clock;
    pthread_mutex_t lock;
    pthread_cond_t work, done; /* a window was queued; written, or left by its users */
    size_t waiting;            /* for done */
    pthread_t thread[THREADS];
    size_t threads;
    bool closing, failed;
    struct wb_err err; /* the first one */
};

/* Writing. */

static bool is_whole(const struct window *w)
{
    return w->ranges == 1 && w->range[0].from == 0 && w->range[0].to == WB_STAGE_WINDOW_BYTES;
}

static bool write_window(const struct wb_stage *stage, const struct window *w, struct wb_err *err)
{
    const struct wb_stage_file *file = &stage->file[w->file];

    /* a file system may refuse what it took at open: then as everything else is written */
    if (is_whole(w) && wb_pwrite(file->direct, w->bytes, WB_STAGE_WINDOW_BYTES, w->at, NULL))
        return true;
    for (size_t i = 0; i < w->ranges; i++) {
        struct range r = w->range[i];

        if (!wb_pwrite(file->fd, w->bytes + r.from, r.to - r.from, w->at + r.from, err))
            return wb_wrap(err, "%s/%s", file->dir, file->name);
    }
    return true;
}

static struct window *oldest(struct wb_stage *stage, enum window_state state)
{
    struct window *found = NULL;

    for (size_t i = 0; i < WINDOWS; i++) {
        struct window *w = &stage->window[i];

        if (w->state == state && w->users == 0 && (found == NULL || w->age < found->age))
            found = w;
    }
    return found;
}

/* Waking nobody costs a system call too, once for each block. The lock is held. */
static void tell(struct wb_stage *stage)
{
    if (stage->waiting > 0)
        pthread_cond_broadcast(&stage->done);
}

static void wait_done(struct wb_stage *stage)
{
    stage->waiting++;
    pthread_cond_wait(&stage->done, &stage->lock);
    stage->waiting--;
}

static void *write_windows(void *arg)
{
    struct wb_stage *stage = arg;
    struct window *w;

    pthread_mutex_lock(&stage->lock);
    while (!stage->closing) {
        struct wb_err err;
        bool ok;

        w = oldest(stage, WINDOW_QUEUED);
        if (w == NULL) {
            pthread_cond_wait(&stage->work, &stage->lock);
            continue;
        }
        w->state = WINDOW_WRITING;
        pthread_mutex_unlock(&stage->lock);
        ok = write_window(stage, w, &err);
        pthread_mutex_lock(&stage->lock);
        if (!ok && !stage->failed)
            stage->err = err;
        stage->failed = stage->failed || !ok;
        w->state = WINDOW_FREE;
        stage->pending--;
        tell(stage);
    }
    pthread_mutex_unlock(&stage->lock);
    return NULL;
}

/* Gathering. The lock is held. */

static void queue(struct wb_stage *stage, struct window *w)
{
    w->state = WINDOW_QUEUED;
    stage->pending++;
    pthread_cond_signal(&stage->work);
}

/* false: too many ranges that do not touch. */
static bool add_range(struct window *w, size_t from, size_t to)
{
    size_t i = 0;

    while (i < w->ranges) {
        struct range r = w->range[i];

        if (r.to != from && r.from != to) {
            i++;
            continue;
        }
        from = r.from < from ? r.from : from;
        to = r.to > to ? r.to : to;
        w->range[i] = w->range[--w->ranges];
        i = 0;
    }
    if (w->ranges == RANGES_MAX)
        return false;
    w->range[w->ranges++] = (struct range){ from, to };
    return true;
}

/* The open window at a place of a file, opened when there is none. */
static struct window *window_at(struct wb_stage *stage, size_t file, uint64_t at)
{
    struct window *w;

    for (;;) {
        for (size_t i = 0; i < WINDOWS; i++) {
            w = &stage->window[i];
            if (w->state == WINDOW_OPEN && w->file == file && w->at == at)
                return w;
        }
        w = oldest(stage, WINDOW_FREE);
        if (w != NULL)
            break;
        w = stage->pending == 0 ? oldest(stage, WINDOW_OPEN) : NULL;
        if (w != NULL)
            queue(stage, w);
        wait_done(stage);
    }
    *w = (struct window){ .state = WINDOW_OPEN, .file = file, .at = at, .bytes = w->bytes };
    return w;
}

/* Bytes that lie in one window. */
static bool put_part(struct wb_stage *stage, size_t file, uint64_t at, const void *bytes, size_t n,
                     struct wb_err *err)
{
    size_t from = (size_t)(at % WB_STAGE_WINDOW_BYTES);
    struct window *w;
    bool taken;

    pthread_mutex_lock(&stage->lock);
    if (stage->failed) {
        wb_err_move(err, &stage->err);
        pthread_mutex_unlock(&stage->lock);
        return false;
    }
    w = window_at(stage, file, at - from);
    w->age = stage->clock++;
    taken = add_range(w, from, from + n);
    w->users += taken;
    pthread_mutex_unlock(&stage->lock);
    if (!taken)
        return wb_pwrite(stage->file[file].fd, bytes, n, at, err) ||
               wb_wrap(err, "%s/%s", stage->file[file].dir, stage->file[file].name);
    wb_stream_copy(w->bytes + from, bytes, n); /* read next by the disk */
    pthread_mutex_lock(&stage->lock);
    if (--w->users == 0) {
        if (is_whole(w))
            queue(stage, w);
        else
            tell(stage); /* it may be the one to make room */
    }
    pthread_mutex_unlock(&stage->lock);
    return true;
}

bool wb_stage_put(struct wb_stage *stage, size_t file, uint64_t at, const void *bytes, size_t n,
                  struct wb_err *err)
{
    const uint8_t *p = bytes;

    while (n > 0) {
        size_t room = WB_STAGE_WINDOW_BYTES - (size_t)(at % WB_STAGE_WINDOW_BYTES);
        size_t part = n < room ? n : room;

        if (!put_part(stage, file, at, p, part, err))
            return false;
        p += part;
        at += part;
        n -= part;
    }
    return true;
}

bool wb_stage_flush(struct wb_stage *stage, struct wb_err *err)
{
    bool failed;

    pthread_mutex_lock(&stage->lock);
    for (size_t i = 0; i < WINDOWS; i++)
        if (stage->window[i].state == WINDOW_OPEN)
            queue(stage, &stage->window[i]);
    while (stage->pending > 0)
        wait_done(stage);
    failed = stage->failed;
    if (failed)
        wb_err_move(err, &stage->err);
    pthread_mutex_unlock(&stage->lock);
    return !failed;
}

static void start_threads(struct wb_stage *stage)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (stage->threads < THREADS &&
           pthread_create(&stage->thread[stage->threads], NULL, write_windows, stage) == 0)
        stage->threads++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

struct wb_stage *wb_stage_new(const struct wb_stage_file *file)
{
    struct wb_stage *stage = calloc(1, sizeof *stage);

    if (stage == NULL)
        return NULL;
    stage->file = file;
    stage->memory = aligned_alloc(HUGE_PAGE_BYTES, WINDOWS * WB_STAGE_WINDOW_BYTES);
    if (stage->memory == NULL) {
        free(stage);
        return NULL;
    }
    /* One piece of memory a request of the disk, where it would else be one a page. A hint. */
    madvise(stage->memory, WINDOWS * WB_STAGE_WINDOW_BYTES, MADV_HUGEPAGE);
    for (size_t i = 0; i < WINDOWS; i++)
        stage->window[i].bytes = stage->memory + i * WB_STAGE_WINDOW_BYTES;
    pthread_mutex_init(&stage->lock, NULL);
    pthread_cond_init(&stage->work, NULL);
    pthread_cond_init(&stage->done, NULL);
    start_threads(stage);
    if (stage->threads > 0)
        return stage;
    wb_stage_free(stage);
    return NULL;
}

void wb_stage_free(struct wb_stage *stage)
{
    if (stage == NULL)
        return;
    pthread_mutex_lock(&stage->lock);
    stage->closing = true;
    pthread_cond_broadcast(&stage->work);
    pthread_mutex_unlock(&stage->lock);
    for (size_t i = 0; i < stage->threads; i++)
        pthread_join(stage->thread[i], NULL);
    pthread_cond_destroy(&stage->work);
    pthread_cond_destroy(&stage->done);
    pthread_mutex_destroy(&stage->lock);
    free(stage->memory);
    free(stage);
}
