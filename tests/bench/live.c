/* tests/bench/live.c - how soon a preview shows numbers while somebody turns a knob.
 *
 * usage: live PIPELINE BASE PARENT... -- KNOB=VALUE... Runs the script anew for each setting and a
 * preview of its result as a background task, with one cache over all of them. Prints a line a
 * setting: milliseconds from the turn until the script is done, the first tensors have figures, all
 * have (sampled), and all are exact; then how long a run that is cancelled half-way takes to end. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "app/core/task.h"
#include "app/probe/preview.h"
#include "lua/bind/families.h"
#include "lua/bind/vm.h"

#define CACHE_BYTES ((uint64_t)256 << 20)
#define PARENTS_MAX 16
#define MILLISECONDS 1e3

struct bench {
    struct wb_arch_set *set;
    struct wb_vm *vm;
    struct wb_cache *cache;
    struct wb_tasks *tasks;
    struct wb_model *base, *parent[PARENTS_MAX];
    size_t parents;
    const char *script;
};

static bool some_known(const struct wb_preview_snapshot *s)
{
    for (size_t i = 0; i < s->tensors; i++)
        if (s->tensor[i].grade != WB_GRADE_NONE)
            return true;
    return false;
}

/* Look at the preview until it is exact, as a screen would; with cancel: until the first exact
 * tensors, and then how long it takes to end. */
static bool watch(const struct bench *b, struct wb_preview *p, struct wb_task *task, double start,
                  bool cancel, struct wb_err *err)
{
    double first = 0, sampled = 0, stopped = 0;
    struct wb_preview_snapshot s = { 0 };
    enum wb_task_state state;

    while ((state = wb_task_poll(task, err)) == WB_TASK_WAITING || state == WB_TASK_RUNNING) {
        struct pollfd fd = { .fd = wb_tasks_fd(b->tasks), .events = POLLIN };

        poll(&fd, 1, -1);
        wb_tasks_drain(b->tasks);
        if (!wb_preview_snapshot(p, &s))
            return wb_fail(err, WB_ENOMEM, "no memory");
        if (first == 0 && some_known(&s))
            first = wb_now_seconds();
        if (sampled == 0 && s.grade != WB_GRADE_NONE)
            sampled = wb_now_seconds();
        if (cancel && sampled > 0 && s.done > 0.5 && stopped == 0) {
            stopped = wb_now_seconds();
            wb_task_cancel(task);
        }
    }
    wb_preview_snapshot_free(&s);
    if (stopped > 0)
        printf("  cancelled: ended after %.1f ms\n", (wb_now_seconds() - stopped) * MILLISECONDS);
    else
        printf("first %7.1f ms  sampled %7.1f ms  exact %8.1f ms\n", (first - start) * MILLISECONDS,
               (sampled - start) * MILLISECONDS, (wb_now_seconds() - start) * MILLISECONDS);
    fflush(stdout);
    return state == WB_TASK_DONE || stopped > 0;
}

static bool turn(struct bench *b, const char *set, bool cancel, struct wb_err *err)
{
    const struct wb_preview_how how = { .cache = b->cache };
    double start = wb_now_seconds();
    struct wb_pipeline line = { 0 };
    struct wb_preview *p = NULL;
    struct wb_task *task = NULL;
    bool ok = wb_vm_pipeline(b->vm, b->script, &set, 1, &line, err);

    if (ok && !cancel)
        printf("  %-16s script %6.1f ms  ", set, (wb_now_seconds() - start) * MILLISECONDS);
    if (ok)
        p = wb_preview_new(line.model, b->base, b->parent, b->parents, err);
    if (p != NULL)
        task = wb_task_start_urgent(b->tasks, "preview", wb_preview_task_run,
                                    wb_preview_task_new(p, &how), wb_preview_task_free, err);
    ok = task != NULL && watch(b, p, task, start, cancel, err);
    wb_task_drop(task);
    wb_preview_unref(p);
    wb_pipeline_free(&line);
    return ok;
}

static bool prepare(struct bench *b, struct wb_err *err)
{
    struct wb_vm_options options = { .share_dir = wb_share_dir() };
    char *arch = wb_path_join(wb_share_dir(), "lua/arch");
    const char *dirs[] = { arch };
    bool ok;

    b->set = wb_arch_set_new();
    options.families = b->set;
    b->cache = wb_cache_new(CACHE_BYTES);
    b->tasks = wb_tasks_new(1, err);
    ok = b->set != NULL && b->cache != NULL && b->tasks != NULL && arch != NULL &&
         wb_families_load(b->set, dirs, 1, err) && (b->vm = wb_vm_new(&options, err)) != NULL;
    free(arch);
    return ok;
}

static void clean_up(struct bench *b)
{
    wb_tasks_free(b->tasks);
    wb_model_unref(b->base);
    for (size_t i = 0; i < b->parents; i++)
        wb_model_unref(b->parent[i]);
    wb_vm_free(b->vm);
    wb_cache_free(b->cache);
    wb_arch_set_free(b->set);
}

int main(int argc, char **argv)
{
    struct bench b = { 0 };
    struct wb_err err = { 0 };
    int at = 3;
    bool ok;

    if (argc < 5) {
        fprintf(stderr, "usage: live PIPELINE BASE PARENT... -- KNOB=VALUE...\n");
        return 2;
    }
    b.script = argv[1];
    ok = prepare(&b, &err) && (b.base = wb_model_open(argv[2], b.set, &err)) != NULL;
    for (; ok && at < argc && strcmp(argv[at], "--") != 0 && b.parents < PARENTS_MAX; at++)
        ok = (b.parent[b.parents++] = wb_model_open(argv[at], b.set, &err)) != NULL;
    for (at++; ok && at < argc; at++)
        ok = turn(&b, argv[at], false, &err);
    if (ok) {
        wb_cache_clear(b.cache);
        ok = turn(&b, argv[argc - 1], true, &err);
    }
    if (!ok)
        fprintf(stderr, "live: %s\n", err.msg);
    clean_up(&b);
    return ok ? 0 : 1;
}
