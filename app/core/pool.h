/* app/core/pool.h - threads that stay, for many short pieces of work one behind the other.
 *
 * wb_parallel starts its threads anew, which costs some 30 us; a forward pass of one token has a
 * hundred phases of that length. A pool's threads wait between phases: a few microseconds turning,
 * then asleep, so that an idle pool uses no processor. */
#ifndef WB_CORE_POOL_H
#define WB_CORE_POOL_H

#include <stddef.h>

#include "app/core/err.h"

struct wb_pool; /* opaque */

/* threads: workers, the caller of wb_pool_run included; 0: one for each processor. Threads that
 * cannot be started are left out. Signals stay with the caller. Owned; NULL without memory. */
struct wb_pool *wb_pool_new(int threads, struct wb_err *err);
void wb_pool_free(struct wb_pool *pool); /* NULL is fine */
int wb_pool_threads(const struct wb_pool *pool);
/* Call fn(ctx, task, worker) once for every task in 0 .. tasks - 1 and wait for all; tasks are
 * handed out in order, worker is in 0 .. threads - 1 and never at work twice at the same time. The
 * caller works too (it is worker 0). Which worker gets which task is not fixed, so fn's result may
 * depend on the task alone. One call at a time; fn must not call it. */
void wb_pool_run(struct wb_pool *pool, size_t tasks, void (*fn)(void *ctx, size_t task, int worker),
                 void *ctx);

#endif
