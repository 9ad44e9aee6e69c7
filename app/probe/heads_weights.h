/* app/probe/heads_weights.h - the heads of a layer by their weights, as heads_weights.c and
 * heads_compose.c share them. */
#ifndef WB_PROBE_HEADS_WEIGHTS_H
#define WB_PROBE_HEADS_WEIGHTS_H

#include "app/probe/heads_impl.h"

/* One layer: factors, and for each head the matrices of its thin side [head_dim, head_dim]. */
struct wb_head_layer {
    int layer;
    struct wb_head_factors f;
    double *qq, *oo; /* [heads] of them */
    double *kk, *vv; /* [kv_heads] */
    double *qk, *ov; /* norms of the circuits [heads] */
};

/* Layers whose outputs are at hand while later ones are read. */
struct wb_head_compose {
    struct wb_heads_run *r;
    struct wb_head_layer *early; /* q, k, v of them are gone */
    size_t count, room;
    double baseline; /* mean over random matrices */
};

bool wb_head_compose_init(struct wb_head_compose *c, struct wb_heads_run *r, struct wb_err *err);
void wb_head_compose_free(struct wb_head_compose *c);
/* K, Q and V composition of a layer's heads with all that are at hand, into the grids (where there is
 * a larger one already, that stays). */
bool wb_head_compose_with(struct wb_head_compose *c, const struct wb_head_layer *later,
                          struct wb_err *err);
/* Moved: *layer is empty then. Room must be left. */
void wb_head_compose_keep(struct wb_head_compose *c, struct wb_head_layer *layer);
void wb_head_compose_forget(struct wb_head_compose *c);

void wb_head_layer_free(struct wb_head_layer *l);

#endif
