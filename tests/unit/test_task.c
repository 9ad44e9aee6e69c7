/* tests/unit/test_task.c - background work: states, order, cancel, drop, the wake pipe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/core/parallel.h"
#include "app/core/task.h"

/* What a test's task does and what became of it. */
struct job {
    atomic_bool started, go; /* go: let it end */
    atomic_int freed, order;
    bool holds, deaf; /* holds: until go, or (not deaf) cancelled */
    enum wb_code fails;
    bool signals_blocked;
    int nice_own, nice_inner, reports;
};

static atomic_int turn;

static void look(void *ctx, int worker)
{
    struct job *j = ctx;

    if (worker > 0)
        j->nice_inner = getpriority(PRIO_PROCESS, (id_t)gettid());
}

static bool run(struct wb_task *task, void *ctx, struct wb_err *err)
{
    struct job *j = ctx;
    sigset_t set;

    j->order = atomic_fetch_add(&turn, 1);
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    j->signals_blocked = sigismember(&set, SIGINT) == 1 && sigismember(&set, SIGTERM) == 1;
    j->nice_own = getpriority(PRIO_PROCESS, (id_t)gettid());
    wb_parallel(2, look, j);
    for (int i = 0; i < j->reports; i++)
        wb_task_report(task);
    atomic_store(&j->started, true);
    while (j->holds && !atomic_load(&j->go)) {
        if (!j->deaf && wb_task_cancelled(task))
            return wb_fail(err, WB_ECANCELLED, "stopped");
        sched_yield();
    }
    return j->fails == WB_OK || wb_fail(err, j->fails, "as told");
}

static void freed(void *ctx)
{
    atomic_fetch_add(&((struct job *)ctx)->freed, 1);
}

static struct wb_tasks *group(int max)
{
    struct wb_err err;
    struct wb_tasks *g = wb_tasks_new(max, &err);

    if (g == NULL)
        fail_msg("%s", err.msg);
    return g;
}

static struct wb_task *begin(struct wb_tasks *g, struct job *j, bool urgent)
{
    struct wb_err err;
    struct wb_task *t =
        (urgent ? wb_task_start_urgent : wb_task_start)(g, "job", run, j, freed, &err);

    if (t == NULL)
        fail_msg("%s", err.msg);
    return t;
}

/* Sleep on the pipe, as an event loop does, until the task is over. */
static enum wb_task_state await(struct wb_tasks *g, struct wb_task *t, struct wb_err *err)
{
    enum wb_task_state state;

    while ((state = wb_task_poll(t, err)) == WB_TASK_WAITING || state == WB_TASK_RUNNING) {
        struct pollfd fd = { .fd = wb_tasks_fd(g), .events = POLLIN };

        assert_true(poll(&fd, 1, -1) == 1);
        wb_tasks_drain(g);
    }
    return state;
}

static void until(atomic_bool *flag)
{
    while (!atomic_load(flag))
        sched_yield();
}

static bool readable(struct wb_tasks *g)
{
    struct pollfd fd = { .fd = wb_tasks_fd(g), .events = POLLIN };

    return poll(&fd, 1, 0) == 1;
}

static void test_states(void **state)
{
    struct job good = { .fails = WB_OK }, bad = { .fails = WB_ENUMERIC };
    struct job held = { .holds = true };
    struct wb_tasks *g = group(3);
    struct wb_task *a = begin(g, &good, false), *b = begin(g, &bad, false);
    struct wb_task *c = begin(g, &held, false);
    struct wb_err err = { 0 };

    (void)state;
    assert_string_equal(wb_task_name(a), "job");
    assert_int_equal(await(g, a, NULL), WB_TASK_DONE);
    assert_int_equal(await(g, b, &err), WB_TASK_FAILED);
    assert_int_equal(err.code, WB_ENUMERIC);
    assert_string_equal(err.msg, "as told");
    until(&held.started);
    assert_int_equal(wb_task_poll(c, NULL), WB_TASK_RUNNING);
    assert_int_equal(wb_tasks_busy(g), 1);
    wb_task_cancel(c);
    assert_int_equal(await(g, c, &err), WB_TASK_CANCELLED);
    assert_int_equal(err.code, WB_ECANCELLED);
    assert_int_equal(wb_tasks_busy(g), 0);
    assert_int_equal(good.freed + bad.freed + held.freed, 0);
    wb_task_drop(a);
    wb_task_drop(b);
    assert_int_equal(good.freed, 1);
    assert_int_equal(bad.freed, 1);
    wb_tasks_free(g); /* with c not dropped */
    assert_int_equal(held.freed, 1);
}

static void test_threads(void **state)
{
    struct job j = { .fails = WB_OK };
    struct wb_tasks *g = group(1);
    int before = getpriority(PRIO_PROCESS, (id_t)gettid());

    (void)state;
    assert_int_equal(await(g, begin(g, &j, false), NULL), WB_TASK_DONE);
    wb_tasks_free(g);
    assert_true(j.signals_blocked);
    assert_int_equal(j.nice_own, before + 5 > 19 ? 19 : before + 5);
    assert_int_equal(j.nice_inner, j.nice_own);
    assert_int_equal(getpriority(PRIO_PROCESS, (id_t)gettid()), before);
}

/* One at a time: those that wait go in order, the urgent ones before them and the latest first. */
static void test_order(void **state)
{
    struct job hold[2] = { { .holds = true }, { .holds = true } };
    struct job later[2] = { { .reports = 1 }, { .reports = 1 } }, urgent[2] = { { .reports = 1 } };
    struct wb_tasks *g = group(1);
    struct wb_task *last;

    (void)state;
    atomic_store(&turn, 0);
    begin(g, &hold[0], false);
    until(&hold[0].started);
    begin(g, &hold[1], true); /* an urgent one goes beside it */
    until(&hold[1].started);
    begin(g, &later[0], false);
    last = begin(g, &later[1], false);
    begin(g, &urgent[0], true);
    begin(g, &urgent[1], true);
    assert_int_equal(wb_task_poll(last, NULL), WB_TASK_WAITING);
    assert_int_equal(wb_tasks_busy(g), 6);
    atomic_store(&hold[1].go, true); /* its thread takes what is urgent */
    until(&urgent[0].started);
    atomic_store(&hold[0].go, true);
    assert_int_equal(await(g, last, NULL), WB_TASK_DONE);
    assert_int_equal(urgent[1].order, 2);
    assert_int_equal(urgent[0].order, 3);
    assert_int_equal(later[0].order, 4);
    assert_int_equal(later[1].order, 5);
    wb_tasks_free(g);
}

/* Work that was cancelled but takes its time does not hold up what is urgent. */
static void test_overtake(void **state)
{
    struct job stuck = { .holds = true, .deaf = true }, next = { .reports = 1 };
    struct wb_tasks *g = group(1);
    struct wb_task *a = begin(g, &stuck, true);

    (void)state;
    until(&stuck.started);
    wb_task_drop(a);
    assert_int_equal(await(g, begin(g, &next, true), NULL), WB_TASK_DONE);
    assert_int_equal(wb_tasks_busy(g), 1);
    assert_int_equal(stuck.freed, 0);
    atomic_store(&stuck.go, true);
    wb_tasks_free(g);
    assert_int_equal(stuck.freed, 1);
}

static void test_cancel_waiting(void **state)
{
    struct job first = { .holds = true }, second = { .fails = WB_OK }, third = { .fails = WB_OK };
    struct wb_tasks *g = group(1);
    struct wb_err err = { 0 };
    struct wb_task *a = begin(g, &first, false), *b, *c;

    (void)state;
    until(&first.started);
    b = begin(g, &second, false);
    c = begin(g, &third, false);
    wb_task_cancel(b);
    assert_int_equal(wb_task_poll(b, &err), WB_TASK_CANCELLED);
    assert_int_equal(err.code, WB_ECANCELLED);
    wb_task_drop(c);
    assert_int_equal(third.freed, 1);
    atomic_store(&first.go, true);
    assert_int_equal(await(g, a, NULL), WB_TASK_DONE);
    wb_tasks_free(g);
    assert_false(second.started);
    assert_false(third.started);
    assert_int_equal(second.freed, 1);
}

/* A task dropped while it runs frees its context itself. */
static void test_drop_running(void **state)
{
    struct job j = { .holds = true };
    struct wb_tasks *g = group(1);
    struct wb_task *t = begin(g, &j, false);

    (void)state;
    until(&j.started);
    wb_task_drop(t);
    while (atomic_load(&j.freed) == 0)
        sched_yield();
    wb_tasks_free(g);
    assert_int_equal(j.freed, 1);
}

static void test_pipe(void **state)
{
    struct job j = { .holds = true, .reports = 100000 }; /* more than a pipe holds */
    struct wb_tasks *g = group(1);
    struct wb_task *t;

    (void)state;
    assert_false(readable(g));
    t = begin(g, &j, false);
    until(&j.started);
    assert_true(readable(g));
    wb_tasks_drain(g);
    assert_false(readable(g));
    wb_task_report(t);
    assert_true(readable(g));
    wb_tasks_drain(g);
    atomic_store(&j.go, true);
    assert_int_equal(await(g, t, NULL), WB_TASK_DONE);
    wb_tasks_free(g);
}

/* Many at once, dropped at random moments: everything is freed once. How many run at a time is held
 * by the tests above; here those that were dropped may still be ending. */
static bool run_shortly(struct wb_task *task, void *ctx, struct wb_err *err)
{
    (void)ctx;
    for (int i = 0; i < 20 && !wb_task_cancelled(task); i++)
        sched_yield();
    return !wb_task_cancelled(task) || wb_fail(err, WB_ECANCELLED, "stopped");
}

static void test_many(void **state)
{
    enum { JOBS = 300 };
    struct job *j = calloc(JOBS, sizeof *j);
    struct wb_task *task[JOBS];
    struct wb_tasks *g = group(2);
    unsigned draw = 1;

    (void)state;
    for (int i = 0; i < JOBS; i++) {
        struct wb_err err;

        draw = draw * 1103515245u + 12345u;
        task[i] = (draw >> 16 & 1 ? wb_task_start_urgent : wb_task_start)(g, "x", run_shortly,
                                                                          &j[i], freed, &err);
        assert_non_null(task[i]);
        if (draw >> 17 & 1) {
            int at = (int)(draw >> 18) % (i + 1);

            wb_task_drop(task[at]);
            task[at] = NULL;
        }
    }
    wb_tasks_free(g);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(j[i].freed, 1);
    free(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),         cmocka_unit_test(test_threads),
        cmocka_unit_test(test_order),          cmocka_unit_test(test_overtake),
        cmocka_unit_test(test_cancel_waiting), cmocka_unit_test(test_drop_running),
        cmocka_unit_test(test_pipe),           cmocka_unit_test(test_many),
    };

    wb_tasks_free(NULL);
    wb_task_drop(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
