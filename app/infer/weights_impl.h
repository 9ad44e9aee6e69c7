/* app/infer/weights_impl.h - blocks of weights, as the two files of that name share them. */
#ifndef WB_INFER_WEIGHTS_IMPL_H
#define WB_INFER_WEIGHTS_IMPL_H

#include <stdint.h>

#include "app/core/arena.h"
#include "app/infer/weights.h"

#define WB_WEIGHTS_ALIGN 64 /* bytes: where every tensor begins */

/* One tensor of a block. */
struct wb_weight_part {
    const struct wb_entry *entry;
    uint64_t offset, bytes; /* packed */
    uint64_t wide;          /* of a vector: where it stands widened */
    uint64_t count;
};

struct wb_weight_block {
    struct wb_weight_part *part;
    size_t parts, room;
    uint64_t bytes;      /* of all of it */
    unsigned char *data; /* NULL: not in memory */
    bool stays;
    struct wb_layer_weights layer; /* valid while data is there */
};

struct wb_weights {
    struct wb_model *model; /* borrowed */
    const struct wb_spec *spec;
    struct wb_eval how;
    struct wb_arena arena;
    struct wb_weight_block shared_block, *layer;
    struct wb_shared_weights shared;
    uint64_t packed_bytes;
    struct wb_cache *own_cache; /* or NULL */
    int guest;                  /* the layer that is in memory for now, -1: none */
};

/* Sort the model's tensors into blocks: shapes are checked, offsets given. */
bool wb_weights_gather(struct wb_weights *w, struct wb_err *err);
/* Is everything there that the equations of the spec name? */
bool wb_weights_complete(const struct wb_weights *w, struct wb_err *err);
/* Do embedding, head and the projections beside them fit together? */
bool wb_weights_fit(const struct wb_weights *w, struct wb_err *err);
/* Point the struct at `base` (wb_layer_weights, or wb_shared_weights) to the tensors of a block that
 * is in memory. */
void wb_weights_point(const struct wb_spec *spec, const struct wb_weight_block *b, bool layer,
                      void *base);

#endif
