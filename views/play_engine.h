/* views/play_engine.h - a model's net and tokenizer for the playground; its own files alone. */
#ifndef WB_VIEWS_PLAY_ENGINE_H
#define WB_VIEWS_PLAY_ENGINE_H

#include "views/view_play.h"

struct play_engine {
    _Atomic unsigned refs;
    struct wb_hash hash; /* of the model */
    struct wb_model *model;
    struct wb_eval how;
    pthread_mutex_t lock; /* of the net: one call at a time */
    struct wb_net *net;   /* NULL: not opened yet */
    struct wb_tokenizer *tokenizer;
    struct play_engine *next; /* kept; of the screen */
};

/* beside: how many share the memory. NULL without memory. */
struct play_engine *wb_play_engine_new(const struct wb_desk *desk, struct wb_model *model,
                                       size_t beside);
struct play_engine *wb_play_engine_ref(struct play_engine *e);
void wb_play_engine_unref(struct play_engine *e); /* NULL is fine */
/* The net for one piece of work, opened when it is not yet, from here on locked. On the thread that
 * works. */
bool wb_play_engine_begin(struct play_engine *e, const atomic_bool *cancel, struct wb_err *err);
void wb_play_engine_end(struct play_engine *e); /* also when it did not begin */

#endif
