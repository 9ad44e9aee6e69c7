/* app/infer/forward_past.c - keys and values of what a model has read. */
#include <stdlib.h>

#include "app/infer/forward_impl.h"

struct wb_past *wb_past_new(const struct wb_net *net, size_t positions, struct wb_err *err)
{
    const struct wb_spec *s = &net->spec;
    struct wb_past *past = calloc(1, sizeof *past);
    size_t width = (size_t)s->kv_heads * (size_t)s->head_dim, floats;

    if (past == NULL || __builtin_mul_overflow((size_t)s->layers * width, positions, &floats)) {
        free(past);
        wb_fail(err, WB_ENOMEM, "no memory for a past of %zu positions", positions);
        return NULL;
    }
    *past = (struct wb_past){ .layers = (size_t)s->layers, .room = positions, .width = width };
    past->k = calloc(floats + 1, sizeof *past->k); /* pages are taken when they are written */
    past->v = calloc(floats + 1, sizeof *past->v);
    if (past->k == NULL || past->v == NULL) {
        wb_past_free(past);
        wb_fail(err, WB_ENOMEM, "no memory for a past of %zu positions", positions);
        return NULL;
    }
    return past;
}

void wb_past_free(struct wb_past *past)
{
    if (past == NULL)
        return;
    free(past->k);
    free(past->v);
    free(past);
}

size_t wb_past_count(const struct wb_past *past)
{
    return past->count;
}

void wb_past_cut(struct wb_past *past, size_t positions)
{
    if (positions < past->count)
        past->count = positions;
}
