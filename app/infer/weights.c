/* app/infer/weights.c - blocks of packed tensors: one of what belongs to no layer, one a layer.
 *
 * A block is one piece of memory: every tensor packed as its own dtype, and behind them the vectors
 * (biases, norms) once more, widened. Blocks are filled by wb_evaluate with a sink that copies. The
 * first block always stays; of the layers as many as the budget holds, from the first on; the rest
 * take turns in one block that is filled anew. */
#include "app/infer/weights.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/infer/weights_impl.h"
#include "app/tensor/kernels.h"

#define OWN_CACHE_BYTES ((uint64_t)64 << 20)

/* --- reading ---------------------------------------------------------------------------------- */

/* Where the bytes of each target go. */
static bool put(void *ctx, size_t target, uint64_t first_byte, const void *bytes, size_t n,
                struct wb_err *err)
{
    unsigned char *const *at = ctx;

    (void)err;
    memcpy(at[target] + first_byte, bytes, n);
    return true;
}

static bool done(void *ctx, size_t target, struct wb_hash hash, struct wb_err *err)
{
    (void)ctx, (void)target, (void)hash, (void)err;
    return true;
}

static void widen_vectors(const struct wb_weight_block *b)
{
    for (size_t i = 0; i < b->parts; i++) {
        const struct wb_weight_part *part = &b->part[i];

        if (part->wide > 0)
            wb_kernels()->widen[wb_node_dtype(part->entry->node)](
                (size_t)part->count, b->data + part->offset, (void *)(b->data + part->wide));
    }
}

static size_t add_targets(const struct wb_weight_block *b, size_t n, struct wb_target *target,
                          unsigned char **at)
{
    for (size_t i = 0; i < b->parts; i++, n++) {
        struct wb_node *node = b->part[i].entry->node;

        at[n] = b->data + b->part[i].offset;
        target[n] = (struct wb_target){
            .node = node, .group = n, .write = true, .dtype = wb_node_dtype(node)
        };
    }
    return n;
}

/* Fill blocks whose memory is there, in one request, so that what they need in common (a merge's
 * reductions over the whole model) is worked out once. */
static bool read_blocks(struct wb_weights *w, struct wb_weight_block *const *block, size_t count,
                        struct wb_err *err)
{
    size_t n = 0, targets = 1;
    struct wb_target *target;
    unsigned char **at;
    bool ok;

    for (size_t i = 0; i < count; i++)
        targets += block[i]->parts;
    target = calloc(targets, sizeof *target);
    at = calloc(targets, sizeof *at);
    ok = (target != NULL && at != NULL) ||
         wb_fail(err, WB_ENOMEM, "no memory for %zu targets", targets);
    for (size_t i = 0; ok && i < count; i++)
        n = add_targets(block[i], n, target, at);
    if (ok)
        ok = wb_evaluate(&w->how, target, n,
                         &(struct wb_sink){ .ctx = at, .put = put, .done = done }, err);
    free(target);
    free(at);
    for (size_t i = 0; ok && i < count; i++)
        widen_vectors(block[i]);
    return ok;
}

static bool new_block(struct wb_weight_block *b, struct wb_err *err)
{
    b->data = aligned_alloc(WB_WEIGHTS_ALIGN, (size_t)b->bytes + WB_WEIGHTS_ALIGN);
    return b->data != NULL ||
           wb_fail(err, WB_ENOMEM, "no memory for %" PRIu64 " bytes of weights", b->bytes);
}

static void drop_block(struct wb_weight_block *b)
{
    free(b->data);
    b->data = NULL;
}

static void layer_ready(const struct wb_weights *w, struct wb_weight_block *b)
{
    memset(&b->layer, 0, sizeof b->layer);
    wb_weights_point(w->spec, b, true, &b->layer);
}

static bool fill_layer(struct wb_weights *w, int i, struct wb_err *err)
{
    struct wb_weight_block *b = &w->layer[i];

    if (!new_block(b, err))
        return false;
    if (!read_blocks(w, &b, 1, err)) {
        drop_block(b);
        return wb_wrap(err, "layer %d", i);
    }
    layer_ready(w, b);
    return true;
}

/* Which layers stay: from the first on, as many as fit beside the shared block and a guest. */
static void share_budget(struct wb_weights *w)
{
    uint64_t budget = w->how.budget_bytes > 0 ? w->how.budget_bytes : WB_BUDGET_DEFAULT_BYTES;
    uint64_t used = w->shared_block.bytes, largest = 0, all = used;

    for (int i = 0; i < w->spec->layers; i++) {
        all += w->layer[i].bytes;
        largest = w->layer[i].bytes > largest ? w->layer[i].bytes : largest;
    }
    if (all > budget)
        used += largest;
    for (int i = 0; i < w->spec->layers; i++) {
        used += w->layer[i].bytes;
        w->layer[i].stays = used <= budget;
    }
}

static void shared_ready(struct wb_weights *w)
{
    struct wb_shared_weights *s = &w->shared;

    wb_weights_point(w->spec, &w->shared_block, false, s);
    s->tied = s->lm_head.data == NULL && s->embed.data != NULL &&
              wb_arch_dims(wb_model_arch(w->model))->tied_embeddings;
    if (s->tied) {
        const float *bias = s->lm_head.bias;

        s->lm_head = s->embed;
        s->lm_head.bias = bias;
    }
}

/* The block of what belongs to no layer, and the layers that stay. */
static bool read_staying(struct wb_weights *w, struct wb_err *err)
{
    size_t n = 0;
    struct wb_weight_block **block =
        wb_arena_calloc(&w->arena, (size_t)w->spec->layers + 1, sizeof(void *));
    bool ok = block != NULL || wb_fail(err, WB_ENOMEM, "no memory for %d layers", w->spec->layers);

    if (ok)
        block[n++] = &w->shared_block;
    for (int i = 0; ok && i < w->spec->layers; i++)
        if (w->layer[i].stays)
            block[n++] = &w->layer[i];
    for (size_t i = 0; ok && i < n; i++)
        ok = new_block(block[i], err);
    ok = ok && read_blocks(w, block, n, err);
    for (size_t i = 1; ok && i < n; i++)
        layer_ready(w, block[i]);
    if (ok)
        shared_ready(w);
    return ok && wb_weights_fit(w, err);
}

/* --- public ----------------------------------------------------------------------------------- */

struct wb_weights *wb_weights_open(struct wb_model *model, const struct wb_spec *spec,
                                   const struct wb_eval *how, struct wb_err *err)
{
    struct wb_weights *w = calloc(1, sizeof *w);
    bool ok;

    if (w == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for a model's weights");
        return NULL;
    }
    w->model = model;
    w->spec = spec;
    w->how = *how;
    w->how.sample = false;
    w->guest = -1;
    if (how->cache == NULL) /* reductions over a whole model are needed by every layer */
        w->how.cache = w->own_cache = wb_cache_new(OWN_CACHE_BYTES);
    w->layer = wb_arena_calloc(&w->arena, (size_t)spec->layers, sizeof *w->layer);
    ok = w->layer != NULL || wb_fail(err, WB_ENOMEM, "no memory for %d layers", spec->layers);
    ok = ok && wb_weights_gather(w, err) && wb_weights_complete(w, err);
    if (ok)
        share_budget(w);
    ok = ok && read_staying(w, err);
    if (!ok) {
        wb_weights_close(w);
        return NULL;
    }
    return w;
}

void wb_weights_close(struct wb_weights *w)
{
    if (w == NULL)
        return;
    for (int i = 0; w->layer != NULL && i < w->spec->layers; i++)
        drop_block(&w->layer[i]);
    drop_block(&w->shared_block);
    wb_cache_free(w->own_cache);
    wb_arena_free(&w->arena);
    free(w);
}

bool wb_weights_resident(const struct wb_weights *w)
{
    for (int i = 0; i < w->spec->layers; i++)
        if (!w->layer[i].stays)
            return false;
    return true;
}

void wb_weights_set_cancel(struct wb_weights *w, const atomic_bool *cancel)
{
    w->how.cancel = cancel;
}

uint64_t wb_weights_bytes(const struct wb_weights *w)
{
    return w->packed_bytes;
}

const struct wb_shared_weights *wb_weights_shared(const struct wb_weights *w)
{
    return &w->shared;
}

const struct wb_layer_weights *wb_weights_layer(struct wb_weights *w, int layer, struct wb_err *err)
{
    struct wb_weight_block *b = &w->layer[layer];

    if (b->data != NULL)
        return &b->layer;
    if (!b->stays && w->guest >= 0) {
        drop_block(&w->layer[w->guest]);
        w->guest = -1;
    }
    if (!fill_layer(w, layer, err))
        return NULL;
    if (!b->stays)
        w->guest = layer;
    return &b->layer;
}
