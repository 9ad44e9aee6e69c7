/* app/core/parallel.h - run one function on several threads and wait for all of them. */
#ifndef WB_CORE_PARALLEL_H
#define WB_CORE_PARALLEL_H

/* Call fn(ctx, 0) .. fn(ctx, threads - 1) at the same time; index 0 runs on the calling thread.
 * Signals stay with the caller. Threads that cannot be started are left out: fn must cope with
 * fewer workers than asked for (a shared queue does). */
void wb_parallel(int threads, void (*fn)(void *ctx, int worker), void *ctx);
/* Processors this process may use. */
int wb_cpu_count(void);

#endif
