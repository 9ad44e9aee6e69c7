/* views/play_engine.c - nets of the playground: opened by the first task that needs one, used by one at
 * a time. */
#include "views/play_engine.h"

#include <stdlib.h>

struct play_engine *wb_play_engine_new(const struct wb_desk *desk, struct wb_model *model,
                                       size_t beside)
{
    struct play_engine *e = calloc(1, sizeof *e);

    if (e == NULL)
        return NULL;
    atomic_init(&e->refs, 1);
    pthread_mutex_init(&e->lock, NULL);
    e->hash = wb_model_hash(model);
    e->model = wb_model_ref(model);
    e->how = wb_desk_eval(desk, false);
    if (e->how.budget_bytes == 0)
        e->how.budget_bytes = WB_BUDGET_DEFAULT_BYTES;
    e->how.budget_bytes /= beside > 0 ? beside : 1;
    return e;
}

struct play_engine *wb_play_engine_ref(struct play_engine *e)
{
    atomic_fetch_add(&e->refs, 1);
    return e;
}

void wb_play_engine_unref(struct play_engine *e)
{
    if (e == NULL || atomic_fetch_sub(&e->refs, 1) != 1)
        return;
    wb_net_close(e->net);
    wb_tokenizer_free(e->tokenizer);
    wb_model_unref(e->model);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

bool wb_play_engine_begin(struct play_engine *e, const atomic_bool *cancel, struct wb_err *err)
{
    pthread_mutex_lock(&e->lock);
    if (atomic_load(cancel))
        return wb_fail(err, WB_ECANCELLED, "cancelled");
    if (e->tokenizer == NULL) {
        e->tokenizer = wb_tokenizer_open(wb_model_side_dir(e->model), err);
        if (e->tokenizer == NULL)
            return false;
    }
    e->how.cancel = cancel;
    if (e->net == NULL)
        e->net = wb_net_open(e->model, NULL, &e->how, err);
    else
        wb_net_set_cancel(e->net, cancel);
    return e->net != NULL;
}

void wb_play_engine_end(struct play_engine *e)
{
    e->how.cancel = NULL;
    if (e->net != NULL)
        wb_net_set_cancel(e->net, NULL);
    pthread_mutex_unlock(&e->lock);
}
