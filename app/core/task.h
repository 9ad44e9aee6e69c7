/* app/core/task.h - work in the background: started, watched, cancelled, dropped, never waited for.
 *
 * A group has a wake pipe for an event loop: poll wb_tasks_fd for input, call wb_tasks_drain, then
 * look at the tasks. Handles belong to one thread (the one with the loop); what runs gets its task
 * to ask for cancellation and to report. A task runs on a thread with all signals blocked and,
 * where the system allows, a nice value of 5 more; threads it starts inherit both. */
#ifndef WB_CORE_TASK_H
#define WB_CORE_TASK_H

#include <stdatomic.h>
#include <stdbool.h>

#include "app/core/err.h"

struct wb_tasks; /* opaque: a group, its queue and its pipe */
struct wb_task;  /* opaque: one piece of work */

enum wb_task_state {
    WB_TASK_WAITING,
    WB_TASK_RUNNING,
    WB_TASK_DONE,
    WB_TASK_FAILED,
    WB_TASK_CANCELLED,
};

/* At most running_max (from 1) tasks run at the same time, and one urgent one beyond. Owned; NULL
 * on failure. */
struct wb_tasks *wb_tasks_new(int running_max, struct wb_err *err);
/* Cancels all, waits for those that run, and frees every task: handles that were not dropped are
 * gone too. NULL is fine. */
void wb_tasks_free(struct wb_tasks *tasks);
/* Read end of the wake pipe, non-blocking; it has a byte when a task ended or reported since the
 * last wb_tasks_drain. Borrowed. */
int wb_tasks_fd(const struct wb_tasks *tasks);
void wb_tasks_drain(struct wb_tasks *tasks);
/* Tasks that wait or run, dropped ones that still run included. */
int wb_tasks_busy(struct wb_tasks *tasks);

/* Run run(task, ctx, err) in the background, in the order of starting. name is copied. ctx is moved,
 * also on failure: free_ctx(ctx) (may be NULL) is called once, when the task was dropped and no
 * longer runs. run gives false with err set when it failed; WB_ECANCELLED makes it cancelled. The
 * handle is the caller's until wb_task_drop. NULL with err: no memory, no thread. */
struct wb_task *wb_task_start(struct wb_tasks *tasks, const char *name,
                              bool (*run)(struct wb_task *task, void *ctx, struct wb_err *err),
                              void *ctx, void (*free_ctx)(void *ctx), struct wb_err *err);
/* The same for what somebody is looking at: goes before everything that waits, the latest first. */
struct wb_task *wb_task_start_urgent(struct wb_tasks *tasks, const char *name,
                                     bool (*run)(struct wb_task *task, void *ctx,
                                                 struct wb_err *err),
                                     void *ctx, void (*free_ctx)(void *ctx), struct wb_err *err);

const char *wb_task_name(const struct wb_task *task); /* borrowed */
/* Never blocks for long. err (may be NULL) is filled when it failed or was cancelled. Once it is
 * done, failed or cancelled, ctx belongs to the caller's thread. */
enum wb_task_state wb_task_poll(struct wb_task *task, struct wb_err *err);
/* Has it ended? *done tells whether well; err (may be NULL) as for poll. NULL has not. */
bool wb_task_ended(struct wb_task *task, bool *done, struct wb_err *err);
/* Sets the flag; a task that waits is cancelled at once. */
void wb_task_cancel(struct wb_task *task);
/* Gives the handle back, never blocks: a task that still runs is cancelled and frees its context
 * itself when it ends. NULL is fine. */
void wb_task_drop(struct wb_task *task);

/* For run, on its own thread. The flag is what wb_eval.cancel takes. */
const atomic_bool *wb_task_cancel_flag(const struct wb_task *task);
bool wb_task_cancelled(const struct wb_task *task);
/* Something new to see: a byte into the wake pipe (many reports before it is drained make one). */
void wb_task_report(struct wb_task *task);

#endif
