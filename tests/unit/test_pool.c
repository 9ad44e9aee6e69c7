/* tests/unit/test_pool.c - every task once, in any number of rounds, threads and tasks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "app/core/parallel.h"
#include "app/core/pool.h"

#define TASKS_MAX 257
#define THREADS_MAX 5

struct tally {
    atomic_int times[TASKS_MAX];
    atomic_int busy[THREADS_MAX];
    atomic_int twice, strange; /* a worker at work at the same time; one that is none */
    int threads;
};

static void count(void *ctx, size_t task, int worker)
{
    struct tally *t = ctx;

    if (worker < 0 || worker >= t->threads || task >= TASKS_MAX) {
        atomic_fetch_add(&t->strange, 1);
        return;
    }
    if (atomic_exchange(&t->busy[worker], 1) != 0)
        atomic_fetch_add(&t->twice, 1);
    atomic_fetch_add(&t->times[task], 1);
    atomic_store(&t->busy[worker], 0);
}

static void check_run(struct wb_pool *pool, size_t tasks)
{
    static struct tally t;

    t = (struct tally){ .threads = wb_pool_threads(pool) };
    wb_pool_run(pool, tasks, count, &t);
    assert_int_equal(atomic_load(&t.twice), 0);
    assert_int_equal(atomic_load(&t.strange), 0);
    for (size_t i = 0; i < TASKS_MAX; i++)
        assert_int_equal(atomic_load(&t.times[i]), i < tasks);
}

static void test_tasks(void **state)
{
    static const size_t tasks[] = { 0, 1, 2, 3, 4, 5, 6, 64, TASKS_MAX };

    (void)state;
    for (int threads = 1; threads <= THREADS_MAX; threads++) {
        struct wb_pool *pool = wb_pool_new(threads, NULL);

        assert_non_null(pool);
        assert_in_range(wb_pool_threads(pool), 1, (unsigned)threads);
        for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++)
            check_run(pool, tasks[i]);
        wb_pool_free(pool);
    }
}

/* Waiting workers turn at first and then sleep: rounds at once, after some turning, after sleep. */
static void test_rounds(void **state)
{
    const struct timespec shorter = { .tv_nsec = 10000 }, longer = { .tv_nsec = 200000 };

    (void)state;
    for (int threads = 2; threads <= THREADS_MAX; threads += 3) {
        struct wb_pool *pool = wb_pool_new(threads, NULL);

        for (int round = 0; round < 3000; round++) {
            check_run(pool, (size_t)round % 7);
            if (round % 100 == 0)
                nanosleep(round % 200 == 0 ? &shorter : &longer, NULL);
        }
        wb_pool_free(pool);
    }
}

/* What fn writes without atomics is seen by the caller and by later rounds. */
static void add_one(void *ctx, size_t task, int worker)
{
    (void)worker;
    ((uint64_t *)ctx)[task]++;
}

static void test_memory(void **state)
{
    uint64_t sum[TASKS_MAX] = { 0 };
    struct wb_pool *pool = wb_pool_new(4, NULL);

    (void)state;
    for (int round = 0; round < 500; round++) {
        wb_pool_run(pool, TASKS_MAX, add_one, sum);
        assert_int_equal(sum[round % TASKS_MAX], round + 1);
    }
    wb_pool_free(pool);
}

static void test_end(void **state)
{
    const struct timespec sleep = { .tv_nsec = 100000 };
    struct wb_pool *pool;

    (void)state;
    wb_pool_free(NULL);
    for (int i = 0; i < 50; i++) { /* never used; while turning; asleep */
        wb_pool_free(wb_pool_new(3, NULL));
        pool = wb_pool_new(3, NULL);
        check_run(pool, 9);
        wb_pool_free(pool);
        pool = wb_pool_new(3, NULL);
        check_run(pool, 9);
        nanosleep(&sleep, NULL);
        wb_pool_free(pool);
    }
    pool = wb_pool_new(0, NULL);
    assert_in_range(wb_pool_threads(pool), 1, (unsigned)wb_cpu_count());
    wb_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tasks),
        cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
