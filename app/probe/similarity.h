/* app/probe/similarity.h - weights against weights: the layers of a model, or several models.
 *
 * Items (layers, models) are compared by what they share: tensors of one name (of layers: one name
 * but for the layer's number) and one shape. A pair's figure comes from sums of products over all
 * of these together (inspect I3), so it is that of the concatenated weights, not a mean of
 * tensors'. Every tensor is read once, tile by tile: memory is bounded whatever the model's size.
 * An entry that is not finite makes its item's figures NaN. Work with a layer x layer comparison is
 * layers^2 / 2 products for each weight of a layer. */
#ifndef WB_PROBE_SIMILARITY_H
#define WB_PROBE_SIMILARITY_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/arena.h"
#include "app/core/err.h"
#include "app/graph/eval.h"
#include "app/graph/model.h"

#define WB_PAIRWISE_ITEMS_MAX 512
#define WB_ALL_ROLES SIZE_MAX

struct wb_pairwise_item {
    const char *stack; /* of layers; "" of models */
    int layer;         /* or number of the model */
};

enum wb_pairwise_metric { WB_PAIRWISE_COSINE, WB_PAIRWISE_RELATIVE_L2 };

/* Symmetric but for RELATIVE_L2, which is over the norm of item i. */
struct wb_pairwise {
    struct wb_pairwise_item *item;
    size_t items;
    const char **role; /* in the order in which a block computes; borrowed from the models */
    size_t roles;
    double *dot;      /* [role][i][j]: sum of products over what i and j share */
    double *norm;     /* [role][i][j]: sum of squares of i over what it shares with j */
    unsigned *shared; /* [role][i][j]: tensors these are of; none that no other item has */
    size_t alone;     /* tensors that no other item has */
    struct wb_arena arena;
};

/* Layers of one model against each other. base: of what they changed in it; NULL: the weights.
 * match: a glob over names, NULL for all. how.sample, how.cancel, how.progress and how.cache work.
 * Free with wb_pairwise_free. */
bool wb_similarity_layers(const struct wb_eval *how, const struct wb_model *model,
                          const struct wb_model *base, const char *match, struct wb_pairwise *out,
                          struct wb_err *err);
/* Models against each other, all tensors, those outside of layers too. */
bool wb_similarity_models(const struct wb_eval *how, struct wb_model *const *model, size_t models,
                          const struct wb_model *base, const char *match, struct wb_pairwise *out,
                          struct wb_err *err);
void wb_pairwise_free(struct wb_pairwise *p);
/* role < roles, or WB_ALL_ROLES; i and j < items. NaN where nothing is shared or a norm is 0. */
double wb_pairwise_get(const struct wb_pairwise *p, enum wb_pairwise_metric metric, size_t role,
                       size_t i, size_t j);

#endif
