/* app/core/parallel.c - threads for the length of one call; starting one costs some 20 us. */
#define WB_THREADS_MAX 1024
#include "app/core/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

struct seat {
    void (*fn)(void *ctx, int worker);
    void *ctx;
    int worker;
    pthread_t thread;
};

static void *sit(void *arg)
{
    struct seat *seat = arg;

    seat->fn(seat->ctx, seat->worker);
    return NULL;
}

void wb_parallel(int threads, void (*fn)(void *ctx, int worker), void *ctx)
{
    struct seat *seat;
    sigset_t all, old;
    int started = 1;

    if (threads > WB_THREADS_MAX)
        threads = WB_THREADS_MAX;
    seat = threads > 1 ? calloc((size_t)threads, sizeof *seat) : NULL;
    if (seat != NULL) {
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        for (; started < threads; started++) {
            seat[started] = (struct seat){ .fn = fn, .ctx = ctx, .worker = started };
            if (pthread_create(&seat[started].thread, NULL, sit, &seat[started]) != 0)
                break;
        }
        pthread_sigmask(SIG_SETMASK, &old, NULL);
    }
    fn(ctx, 0);
    while (--started > 0)
        pthread_join(seat[started].thread, NULL);
    free(seat);
}

int wb_cpu_count(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    return CPU_COUNT(&set);
}
