/* app/infer/weights_place.c - which tensor is what to a pass: by its role, with the shape that the
 * config makes it have. */
#include <stdio.h>
#include <string.h>

#include "app/infer/weights_impl.h"

/* --- which tensor goes where ------------------------------------------------------------------ */

/* What a role must look like: the logical [out, in]; 0: any. */
struct place {
    const char *role;
    size_t offset; /* in the struct, of a wb_weight or wb_norm_weight */
    size_t out, in;
    bool norm, needed;
};

#define LAYER(field) offsetof(struct wb_layer_weights, field)
#define SHARED(field) offsetof(struct wb_shared_weights, field)
#define PLACES_MAX 24

static size_t layer_places(const struct wb_spec *s, struct place *p)
{
    size_t d = (size_t)s->hidden, f = (size_t)s->intermediate, head = (size_t)s->head_dim;
    size_t q = (size_t)s->heads * head, k = (size_t)s->kv_heads * head;
    const struct place place[] = {
        { "q", LAYER(q), q, d, false, false },
        { "k", LAYER(k), k, d, false, false },
        { "v", LAYER(v), k, d, false, false },
        { "qkv", LAYER(q), q + 2 * k, d, false, false },
        { "o", LAYER(o), d, q, false, true },
        { "gate", LAYER(gate), f, d, false, false },
        { "up", LAYER(up), f, d, false, false },
        { "gate_up", LAYER(gate), 2 * f, d, false, false },
        { "down", LAYER(down), d, f, false, true },
        { "attn_norm", LAYER(attn_norm), d, 0, true, false },
        { "attn_post_norm", LAYER(attn_post_norm), d, 0, true, false },
        { "ffn_norm", LAYER(ffn_norm), d, 0, true, false },
        { "ffn_post_norm", LAYER(ffn_post_norm), d, 0, true, false },
        { "q_norm", LAYER(q_norm), head, 0, true, s->qk_norm },
        { "k_norm", LAYER(k_norm), head, 0, true, s->qk_norm },
    };

    memcpy(p, place, sizeof place);
    return sizeof place / sizeof place[0];
}

static size_t shared_places(const struct wb_spec *s, struct place *p)
{
    size_t d = (size_t)s->hidden, patch = (size_t)s->patch * (size_t)s->patch * (size_t)s->channels;
    bool vision = s->kind == WB_NET_VISION;
    const struct place place[] = {
        { "embed", SHARED(embed), (size_t)s->vocab, 0, false, !vision },
        { "pos_embed", SHARED(pos_embed), 0, d, false, s->learned_positions },
        { "type_embed", SHARED(type_embed), 0, d, false, false },
        { "patch_embed", SHARED(patch_embed), d, patch, false, vision },
        { "cls_token", SHARED(cls_token), 0, d, false, vision },
        { "embed_proj", SHARED(embed_proj), d, 0, false, false },
        { "head_proj", SHARED(head_proj), 0, d, false, false },
        { "lm_head", SHARED(lm_head), 0, 0, false, false },
        { "classifier", SHARED(classifier), 0, d, false, false },
        { "projection", SHARED(projection), 0, d, false, false },
        { "pooler", SHARED(pooler), 0, d, false, false },
        { "embed_norm", SHARED(embed_norm), d, 0, true, false },
        { "final_norm", SHARED(final_norm), d, 0, true, false },
    };

    memcpy(p, place, sizeof place);
    return sizeof place / sizeof place[0];
}

/* The place of a role, of its bias too (*bias). */
static const struct place *find_place(const struct place *place, size_t count, const char *role,
                                      bool *bias)
{
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(place[i].role);

        if (strncmp(role, place[i].role, n) != 0)
            continue;
        *bias = strcmp(role + n, ".bias") == 0;
        if (*bias || role[n] == '\0')
            return &place[i];
    }
    return NULL;
}

/* --- what a tensor gives ---------------------------------------------------------------------- */

/* Rows and columns of the logical matrix: everything behind the first dimension is a row, but for
 * leading dimensions of 1 (a vision model's position table) and a matrix that is stored [in, out].
 */
static void matrix_size(const struct wb_entry *e, size_t *out, size_t *in)
{
    const struct wb_shape *s = wb_node_shape(e->node);
    int first = 0;

    while (first < s->ndim - 2 && s->dim[first] == 1)
        first++;
    *out = s->ndim < 2 ? 1 : (size_t)s->dim[first];
    *in = *out == 0 ? 0 : (size_t)(wb_node_count(e->node) / *out);
    if (e->role.transposed) {
        size_t rows = *out;

        *out = *in;
        *in = rows;
    }
}

static bool shape_fails(const struct wb_entry *e, const char *wanted, struct wb_err *err)
{
    char shape[120];

    wb_shape_format(wb_node_shape(e->node), shape, sizeof shape);
    return wb_fail(err, WB_ESHAPE, "%s: shape %s, but the config makes it %s", e->name, shape,
                   wanted);
}

static bool check_matrix(const struct wb_entry *e, const struct place *p, struct wb_err *err)
{
    char wanted[80];
    size_t out, in;

    matrix_size(e, &out, &in);
    if ((p->out == 0 || out == p->out) && (p->in == 0 || in == p->in) && out > 0 && in > 0)
        return true;
    snprintf(wanted, sizeof wanted, "%zu outputs of %zu inputs", p->out, p->in);
    if (p->out == 0)
        snprintf(wanted, sizeof wanted, "rows of %zu", p->in);
    else if (p->in == 0)
        snprintf(wanted, sizeof wanted, "%zu rows", p->out);
    return shape_fails(e, wanted, err);
}

static bool check_vector(const struct wb_entry *e, size_t n, struct wb_err *err)
{
    char wanted[80];

    if (n == 0 || wb_node_count(e->node) == n)
        return true;
    snprintf(wanted, sizeof wanted, "%zu values", n);
    return shape_fails(e, wanted, err);
}

static void set_weight(struct wb_weight *w, const struct wb_weight_block *b,
                       const struct wb_weight_part *part)
{
    const float *bias = w->bias;

    *w = (struct wb_weight){ .data = b->data + part->offset,
                             .dtype = wb_node_dtype(part->entry->node),
                             .transposed = part->entry->role.transposed,
                             .bias = bias };
    matrix_size(part->entry, &w->out, &w->in);
}

/* How the fused tensors of a layer are laid out. */
static void note_layout(const struct wb_weight_block *b, struct wb_layer_weights *layer)
{
    for (size_t i = 0; i < b->parts; i++) {
        const struct wb_role *role = &b->part[i].entry->role;

        if (strcmp(role->role, "qkv") == 0) {
            layer->qkv = true;
            layer->qkv_by_head = role->fused != NULL && strcmp(role->fused, "qkv_heads") == 0;
        }
        if (strcmp(role->role, "gate_up") == 0)
            layer->gate_up = true;
    }
}

/* Point the struct at `base` to the tensors of a block that is in memory. */
void wb_weights_point(const struct wb_spec *spec, const struct wb_weight_block *b, bool layer,
                      void *base)
{
    struct place place[PLACES_MAX];
    size_t places = layer ? layer_places(spec, place) : shared_places(spec, place);

    for (size_t i = 0; i < b->parts; i++) {
        const struct wb_weight_part *part = &b->part[i];
        bool bias;
        const struct place *p = find_place(place, places, part->entry->role.role, &bias);
        void *at = (char *)base + p->offset;
        const float *wide = (const void *)(b->data + part->wide);

        if (p->norm && bias)
            ((struct wb_norm_weight *)at)->bias = wide;
        else if (p->norm)
            ((struct wb_norm_weight *)at)->weight = wide;
        else if (bias)
            ((struct wb_weight *)at)->bias = wide;
        else
            set_weight(at, b, part);
    }
    if (layer)
        note_layout(b, base);
}

/* --- gathering -------------------------------------------------------------------------------- */

static uint64_t aligned(uint64_t bytes)
{
    return (bytes + WB_WEIGHTS_ALIGN - 1) / WB_WEIGHTS_ALIGN * WB_WEIGHTS_ALIGN;
}

static bool add_part(struct wb_weights *w, struct wb_weight_block *b, const struct wb_entry *e,
                     bool vector, struct wb_err *err)
{
    struct wb_weight_part *part;
    uint64_t bytes;

    if (!wb_dtype_computable(wb_node_dtype(e->node)) ||
        !wb_shape_bytes(wb_node_shape(e->node), wb_node_dtype(e->node), &bytes))
        return wb_fail(err, WB_ESHAPE, "%s: %s cannot be computed with", e->name,
                       wb_dtype_name(wb_node_dtype(e->node)));
    if (b->parts == b->room) {
        size_t room = b->room == 0 ? 16 : 2 * b->room;
        struct wb_weight_part *more = wb_arena_calloc(&w->arena, room, sizeof *more);

        if (more == NULL)
            return wb_fail(err, WB_ENOMEM, "no memory for %zu tensors", room);
        if (b->parts > 0)
            memcpy(more, b->part, b->parts * sizeof *more);
        b->part = more;
        b->room = room;
    }
    part = &b->part[b->parts++];
    *part = (struct wb_weight_part){
        .entry = e, .offset = b->bytes, .bytes = bytes, .count = wb_node_count(e->node)
    };
    b->bytes += aligned(bytes);
    if (vector) {
        part->wide = b->bytes;
        b->bytes += aligned(part->count * sizeof(float));
    }
    w->packed_bytes += bytes;
    return true;
}

/* Does a tensor belong to the pass? Aliases (a tied head), experts and other stacks do not. */
static bool ours(const struct wb_weights *w, const struct wb_entry *e)
{
    const char *stack = w->spec->stack;

    return e->role.tied_to == NULL && e->role.expert == WB_EXPERT_NONE &&
           strcmp(e->role.stack, stack == NULL ? "" : stack) == 0 &&
           e->role.layer < w->spec->layers;
}

bool wb_weights_gather(struct wb_weights *w, struct wb_err *err)
{
    struct place layer[PLACES_MAX], shared[PLACES_MAX];
    size_t layers = layer_places(w->spec, layer), shareds = shared_places(w->spec, shared);

    for (size_t i = 0; i < wb_model_count(w->model); i++) {
        const struct wb_entry *e = wb_model_entry(w->model, i);
        bool in_layer = e->role.layer >= 0, bias = false;
        const struct place *p = in_layer ? find_place(layer, layers, e->role.role, &bias)
                                         : find_place(shared, shareds, e->role.role, &bias);
        bool vector = p != NULL && (p->norm || bias);

        if (p == NULL || !ours(w, e))
            continue;
        if (!(vector ? check_vector(e, p->out, err) : check_matrix(e, p, err)) ||
            !add_part(w, in_layer ? &w->layer[e->role.layer] : &w->shared_block, e, vector, err))
            return false;
    }
    return true;
}

static bool has(const struct wb_weight_block *b, const char *role)
{
    for (size_t i = 0; i < b->parts; i++)
        if (strcmp(b->part[i].entry->role.role, role) == 0)
            return true;
    return false;
}

static bool missing(const char *role, int layer, struct wb_err *err)
{
    return layer < 0
               ? wb_fail(err, WB_ENOTFOUND, "the model has no %s, which its pass needs", role)
               : wb_fail(err, WB_ENOTFOUND,
                         "layer %d has no %s, which the pass of its family needs", layer, role);
}

static bool check_needed(const struct wb_weight_block *b, const struct place *place, size_t places,
                         int layer, struct wb_err *err)
{
    for (size_t i = 0; i < places; i++)
        if (place[i].needed && !has(b, place[i].role))
            return missing(place[i].role, layer, err);
    return true;
}

/* Norms of a block that the equations of spec.h name. */
static bool check_norms(const struct wb_spec *s, const struct wb_weight_block *b, int layer,
                        struct wb_err *err)
{
    bool post = s->block == WB_BLOCK_POST, sandwich = s->block == WB_BLOCK_SANDWICH;

    if (post ? !has(b, "attn_post_norm") && !has(b, "attn_norm") : !has(b, "attn_norm"))
        return missing(post ? "attn_post_norm" : "attn_norm", layer, err);
    if (s->block != WB_BLOCK_PARALLEL_ONE_NORM &&
        (post ? !has(b, "ffn_post_norm") && !has(b, "ffn_norm") : !has(b, "ffn_norm")))
        return missing(post ? "ffn_post_norm" : "ffn_norm", layer, err);
    if (sandwich && !has(b, "attn_post_norm"))
        return missing("attn_post_norm", layer, err);
    return !sandwich || has(b, "ffn_post_norm") || missing("ffn_post_norm", layer, err);
}

static bool check_layer(const struct wb_spec *s, const struct wb_weight_block *b, int layer,
                        struct wb_err *err)
{
    struct place place[PLACES_MAX];
    size_t places = layer_places(s, place);
    const char *need[] = { "q", "k", "v" };

    if (!check_needed(b, place, places, layer, err) || !check_norms(s, b, layer, err))
        return false;
    for (size_t i = 0; i < 3 && !has(b, "qkv"); i++)
        if (!has(b, need[i]))
            return missing(need[i], layer, err);
    if (has(b, "gate_up"))
        return true;
    if (s->gated && !has(b, "gate"))
        return missing("gate", layer, err);
    return has(b, "up") || missing("up", layer, err);
}

bool wb_weights_complete(const struct wb_weights *w, struct wb_err *err)
{
    struct place place[PLACES_MAX];
    size_t places = shared_places(w->spec, place);

    if (!check_needed(&w->shared_block, place, places, -1, err))
        return false;
    for (int i = 0; i < w->spec->layers; i++)
        if (!check_layer(w->spec, &w->layer[i], i, err))
            return false;
    return true;
}

/* What goes into a projection and what comes out of it are the config's own business. */
bool wb_weights_fit(const struct wb_weights *w, struct wb_err *err)
{
    const struct wb_shared_weights *s = &w->shared;
    size_t d = (size_t)w->spec->hidden;
    size_t from = s->embed_proj.data != NULL ? s->embed_proj.in : d;
    size_t to = s->head_proj.data != NULL ? s->head_proj.out : d;

    if (s->embed.data != NULL && s->embed.in != from)
        return wb_fail(err, WB_ESHAPE, "the embedding has %zu columns, not %zu", s->embed.in, from);
    if (s->head_proj.data != NULL && s->head_proj.in != d)
        return wb_fail(err, WB_ESHAPE, "head_proj takes %zu inputs, not %zu", s->head_proj.in, d);
    if (s->lm_head.data != NULL && s->lm_head.in != to)
        return wb_fail(err, WB_ESHAPE, "the head takes %zu inputs, not %zu", s->lm_head.in, to);
    return true;
}
