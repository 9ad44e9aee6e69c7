/* app/infer/linear.c - the products of one call, cut into tasks.
 *
 * Tasks are pieces of all products of a call, so that small layers keep every thread busy too;
 * where the pieces are cut follows from the shapes alone. */
#include "app/infer/linear.h"

#include <limits.h>
#include <stdlib.h>

#include "app/infer/linear_impl.h"

struct wb_linear_scratch *wb_linear_scratch_new(struct wb_pool *pool, struct wb_err *err)
{
    size_t threads = (size_t)wb_pool_threads(pool);
    struct wb_linear_scratch *s = calloc(1, sizeof *s);

    if (s != NULL) {
        s->pool = pool;
        s->wide = calloc(threads, sizeof(float *));
        s->room = calloc(threads, sizeof *s->room);
    }
    if (s == NULL || s->wide == NULL || s->room == NULL) {
        wb_linear_scratch_free(s);
        wb_fail(err, WB_ENOMEM, "no memory for the products of %zu threads", threads);
        return NULL;
    }
    return s;
}

void wb_linear_scratch_free(struct wb_linear_scratch *s)
{
    if (s == NULL)
        return;
    for (int i = 0; s->wide != NULL && i < wb_pool_threads(s->pool); i++)
        free(s->wide[i]);
    free(s->wide);
    free(s->room);
    free(s);
}

float *wb_linear_room(struct wb_linear_call *c, int worker, size_t floats)
{
    struct wb_linear_scratch *s = c->scratch;

    if (s->room[worker] < floats) {
        free(s->wide[worker]);
        s->wide[worker] = aligned_alloc(64, (floats * sizeof(float) + 63) & ~(size_t)63);
        s->room[worker] = s->wide[worker] != NULL ? floats : 0;
    }
    if (s->wide[worker] == NULL)
        atomic_store(&c->failed, true);
    return s->wide[worker];
}

static bool check_shapes(const struct wb_linear_call *c, struct wb_err *err)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct wb_weight *w = c->product[i].weight;

        if (wb_kernels()->widen[w->dtype] == NULL)
            return wb_fail(err, WB_ESHAPE, "a product with weights of dtype %s",
                           wb_dtype_name(w->dtype));
        if (c->rows > INT_MAX || w->in > INT_MAX || w->out > INT_MAX || c->ldx > INT_MAX ||
            c->product[i].ldy > INT_MAX)
            return wb_fail(err, WB_ESHAPE,
                           "a product of %zu rows with %zu x %zu weights: too large", c->rows,
                           w->out, w->in);
    }
    return true;
}

static size_t tasks_of(const struct wb_linear_call *c, const struct wb_linear *p)
{
    return c->rows <= WB_LINEAR_FEW ? wb_linear_few_tasks(p->weight, c->rows)
                                    : wb_linear_many_tasks(p->weight, c->rows);
}

static void run_task(void *ctx, size_t task, int worker)
{
    struct wb_linear_call *c = ctx;
    const struct wb_linear *p = c->product;

    for (size_t tasks = tasks_of(c, p); task >= tasks; tasks = tasks_of(c, p)) {
        task -= tasks;
        p++;
    }
    if (c->rows <= WB_LINEAR_FEW)
        wb_linear_few(c, p, task, worker);
    else
        wb_linear_many(c, p, task, worker);
}

bool wb_linear(struct wb_linear_scratch *scratch, const float *x, size_t rows, size_t ldx,
               const struct wb_linear *product, size_t count, struct wb_err *err)
{
    struct wb_linear_call c = {
        .scratch = scratch, .x = x, .rows = rows, .ldx = ldx, .product = product, .count = count
    };
    size_t tasks = 0;

    if (!check_shapes(&c, err))
        return false;
    for (size_t i = 0; i < count; i++)
        tasks += tasks_of(&c, &product[i]);
    wb_pool_run(scratch->pool, tasks, run_task, &c);
    if (atomic_load(&c.failed))
        return wb_fail(err, WB_ENOMEM, "no memory to widen a tile of weights");
    return true;
}
