/* app/infer/spec_sizes.c - sizes of a stack: from its config, from its tensors where that is
 * silent. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "app/core/json.h"
#include "app/infer/spec_impl.h"

/* --- tensors --- */

static void once(uint64_t *slot, uint64_t value)
{
    if (*slot == 0)
        *slot = value;
}

static void fact_of_vector(struct wb_spec_facts *f, const char *role, const struct wb_shape *s)
{
    if (strcmp(role, "q_norm") == 0)
        once(&f->head_norm, s->dim[0]);
    else if (strcmp(role, "attn_norm") == 0 || strcmp(role, "attn_post_norm") == 0)
        once(&f->norm, s->dim[0]);
}

static void fact_of_matrix(struct wb_spec_facts *f, const struct wb_role *r,
                           const struct wb_shape *s)
{
    uint64_t rows = s->dim[r->transposed ? 1 : 0];

    if (strcmp(r->role, "q") == 0)
        once(&f->q_rows, rows);
    else if (strcmp(r->role, "k") == 0)
        once(&f->k_rows, rows);
    else if (strcmp(r->role, "up") == 0)
        once(&f->inner, rows);
    else if (strcmp(r->role, "gate_up") == 0)
        once(&f->inner, rows / 2);
}

static void fact_add(struct wb_spec_facts *f, const struct wb_entry *e)
{
    const struct wb_shape *s = wb_node_shape(e->node);
    const char *role = e->role.role;

    if (s->ndim == 1)
        fact_of_vector(f, role, s);
    if (s->ndim == 2)
        fact_of_matrix(f, &e->role, s);
    if (strcmp(role, "embed") == 0 && s->ndim == 2 && !f->embed) {
        f->embed = true;
        f->embed_rows = s->dim[0];
        f->embed_dtype = wb_node_dtype(e->node);
    }
    if (strcmp(role, "pos_embed") == 0 && s->ndim >= 2)
        once(&f->position_rows, s->dim[s->ndim - 2]);
    if (strcmp(role, "patch_embed") == 0 && s->ndim == 4) {
        once(&f->channels, s->dim[1]);
        once(&f->patch, s->dim[2]);
    }
}

static void facts_collect(struct wb_spec_reading *r)
{
    for (size_t i = 0; i < wb_model_count(r->model); i++) {
        const struct wb_entry *e = wb_model_entry(r->model, i);

        if (!r->several || strcmp(e->role.stack, r->out->stack) == 0)
            fact_add(&r->facts, e);
    }
}

/* --- counts --- */

/* The family's own key; a stack has the usual ones, as the family's are those of its first. */
static const char *key_of(const struct wb_spec_reading *r, const char *own, const char *usual)
{
    return own == NULL || r->several ? usual : own;
}

static uint64_t dim_or(const struct wb_spec_reading *r, int dim, uint64_t fact)
{
    return r->several || dim <= 0 ? fact : (uint64_t)dim;
}

static bool read_head_dim(struct wb_spec_reading *r, const char *key, struct wb_err *err)
{
    struct wb_spec *s = r->out;
    uint64_t heads = (uint64_t)s->heads, dim = r->facts.head_norm;

    if (dim == 0 && r->facts.q_rows % heads == 0)
        dim = r->facts.q_rows / heads;
    if (wb_spec_setting(r, key) == NULL && r->facts.head_norm == 0 &&
        (r->facts.q_rows % heads != 0 || (dim == 0 && s->hidden % s->heads != 0)))
        return wb_fail(err, WB_EFORMAT, "config.json: %d heads do not divide %" PRIu64 " %s",
                       s->heads,
                       dim == 0 && r->facts.q_rows == 0 ? (uint64_t)s->hidden : r->facts.q_rows,
                       r->facts.q_rows == 0 ? "values of the hidden state" : "rows of q");
    if (!wb_spec_count(r, key, dim > 0 ? dim : (uint64_t)(s->hidden / s->heads), &s->head_dim, err))
        return false;
    return (uint64_t)s->head_dim * heads <= WB_SPEC_COUNT_MAX ||
           wb_fail(err, WB_EFORMAT, "config.json: %d heads of %d are more than %d values", s->heads,
                   s->head_dim, WB_SPEC_COUNT_MAX);
}

static bool read_heads(struct wb_spec_reading *r, struct wb_err *err)
{
    const struct wb_family *f = r->family;
    const struct wb_dims *d = wb_arch_dims(r->arch);
    struct wb_spec *s = r->out;
    const char *heads = key_of(r, f->key_heads, "num_attention_heads|n_head|num_heads|n_heads");
    const char *kv = key_of(r, f->key_kv_heads, "num_key_value_heads|num_kv_heads|n_kv_heads");

    if (wb_arch_guessed(r->arch) && wb_spec_setting(r, heads) == NULL)
        return wb_fail(err, WB_EARG,
                       "the family %s was told from tensor names alone, and no config.json says "
                       "the number of heads and how positions turn: the model cannot be run",
                       f->name);
    if (!wb_spec_count(r, heads, dim_or(r, d->heads, 0), &s->heads, err) ||
        !read_head_dim(r, key_of(r, f->key_head_dim, "head_dim|d_kv"), err))
        return false;
    if (!wb_spec_count(r, kv, dim_or(r, d->kv_heads, (uint64_t)s->heads), &s->kv_heads, err))
        return false;
    return s->heads % s->kv_heads == 0 ||
           wb_fail(err, WB_EFORMAT,
                   "config.json: %d heads cannot share %d key and value heads: %d does not divide "
                   "them",
                   s->heads, s->kv_heads, s->kv_heads);
}

static const char *key_layers(const struct wb_spec_reading *r)
{
    return r->several ? "num_hidden_layers|n_layer|num_layers|n_layers"
                      : wb_arch_key_layers(r->arch);
}

static bool read_counts(struct wb_spec_reading *r, struct wb_err *err)
{
    const struct wb_family *f = r->family;
    const struct wb_dims *d = wb_arch_dims(r->arch);
    const struct wb_spec_facts *facts = &r->facts;
    struct wb_spec *s = r->out;
    int in_names = wb_arch_stack_layers(r->arch, s->stack);

    if (!wb_spec_count(r, key_layers(r), in_names > 0 ? (uint64_t)in_names : 0, &s->layers, err) ||
        !wb_spec_count(r, key_of(r, f->key_hidden, "hidden_size|n_embd|d_model|dim"),
                       dim_or(r, d->hidden, facts->norm), &s->hidden, err) ||
        !wb_spec_count(r, key_of(r, f->key_intermediate, "intermediate_size|n_inner|ffn_dim|d_ff"),
                       dim_or(r, d->intermediate, facts->inner), &s->intermediate, err))
        return false;
    if (s->layers > WB_LAYERS_MAX)
        return wb_fail(err, WB_EFORMAT, "config.json: %d layers are more than %d", s->layers,
                       WB_LAYERS_MAX);
    return true;
}

/* Rows of the embedding, and positions: of learned ones what the table holds. */
static bool read_reach(struct wb_spec_reading *r, struct wb_err *err)
{
    const struct wb_family *f = r->family;
    struct wb_spec *s = r->out;
    const char *context =
        key_of(r, f->key_context, "max_position_embeddings|n_positions|n_ctx|seq_length");
    uint64_t offset = (uint64_t)s->position_offset, rows = r->facts.position_rows;

    if (s->kind != WB_NET_VISION && !wb_spec_count(r, r->facts.embed_rows > 0 ? "" : "vocab_size",
                                                   r->facts.embed_rows, &s->vocab, err))
        return false;
    if (wb_spec_setting(r, context) != NULL && !wb_spec_count(r, context, 0, &s->context, err))
        return false;
    if (!s->learned_positions || rows == 0)
        return true;
    if (rows <= offset || rows > WB_SPEC_COUNT_MAX)
        return wb_fail(err, WB_ESHAPE,
                       "a table of %" PRIu64 " positions, of which %" PRIu64
                       " come before the first",
                       rows, offset);
    s->context = (int)(rows - offset);
    return true;
}

/* --- images --- */

/* "image_size": 224, or [rows, columns]. */
static bool read_pair(const struct wb_spec_reading *r, const char *key, int *rows, int *columns,
                      struct wb_err *err)
{
    const cJSON *item = wb_spec_setting(r, key);

    if (!cJSON_IsArray(item)) {
        bool ok = wb_spec_count(r, key, 0, rows, err);

        *columns = *rows;
        return ok;
    }
    for (int i = 0; i < 2; i++) {
        uint64_t value;

        if (cJSON_GetArraySize(item) != 2 || !wb_json_whole(cJSON_GetArrayItem(item, i), &value) ||
            value < 1 || value > WB_SPEC_COUNT_MAX)
            return wb_spec_refuse(item, err, "two counts are needed");
        *(i == 0 ? rows : columns) = (int)value;
    }
    return true;
}

static bool read_image(struct wb_spec_reading *r, struct wb_err *err)
{
    struct wb_spec *s = r->out;
    uint64_t places;
    int across = 0;

    if (!read_pair(r, "image_size", &s->image_rows, &s->image_columns, err) ||
        !read_pair(r, "patch_size", &s->patch, &across, err) ||
        !wb_spec_count(r, "num_channels", r->facts.channels, &s->channels, err))
        return false;
    if (s->patch < 1 || across != s->patch)
        return wb_fail(err, WB_EARG, "patches of %d x %d are not implemented: only square ones",
                       s->patch, across);
    if (s->image_rows % s->patch != 0 || s->image_columns % s->patch != 0)
        return wb_fail(err, WB_EFORMAT,
                       "config.json: an image of %d x %d does not fall into patches of %d",
                       s->image_rows, s->image_columns, s->patch);
    if ((uint64_t)s->image_rows * (uint64_t)s->image_columns * (uint64_t)s->channels > INT_MAX)
        return wb_fail(err, WB_EFORMAT, "config.json: images of %d x %d with %d channels",
                       s->image_rows, s->image_columns, s->channels);
    places = (uint64_t)(s->image_rows / s->patch) * (uint64_t)(s->image_columns / s->patch) + 1;
    if (r->facts.position_rows != 0 && r->facts.position_rows != places)
        return wb_fail(err, WB_ESHAPE,
                       "images of %d x %d have %" PRIu64 " places, the tensors positions for "
                       "%" PRIu64,
                       s->image_rows, s->image_columns, places, r->facts.position_rows);
    return true;
}

/* --- pooling --- */

/* What sentence-transformers keeps beside a model; false: nothing (out stays as it is). A way that
 * is not implemented gives NONE. */
static bool pooling_beside(const struct wb_model *model, enum wb_pooling *out)
{
    const char *dir = wb_model_side_dir(model);
    char path[4096];
    cJSON *said;
    bool mean, first;

    if (dir == NULL ||
        snprintf(path, sizeof path, "%s/1_Pooling/config.json", dir) >= (int)sizeof path)
        return false;
    said = wb_json_parse_file(path, 1 << 20, NULL);
    if (said == NULL)
        return false;
    mean = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(said, "pooling_mode_mean_tokens")) ||
           strcmp(wb_json_text(said, "pooling_mode", ""), "mean") == 0;
    first = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(said, "pooling_mode_cls_token")) ||
            strcmp(wb_json_text(said, "pooling_mode", ""), "cls") == 0;
    *out = mean == first ? WB_POOLING_NONE : mean ? WB_POOLING_MEAN : WB_POOLING_FIRST;
    cJSON_Delete(said);
    return true;
}

/* CLIP's old configs have a wrong id, 2, by which the highest id of a text is meant. */
static bool read_end_token(struct wb_spec_reading *r, struct wb_err *err)
{
    double id;

    if (!wb_spec_number(r, "pooling_end", NULL, -1, 0, WB_SPEC_COUNT_MAX, &id, err))
        return false;
    r->out->end_token = id == 2 ? -1 : (int)id;
    return true;
}

static bool read_pooling(struct wb_spec_reading *r, struct wb_err *err)
{
    static const struct {
        const char *name;
        enum wb_pooling pooling;
    } known[] = { { "none", WB_POOLING_NONE },
                  { "mean", WB_POOLING_MEAN },
                  { "first", WB_POOLING_FIRST },
                  { "end", WB_POOLING_END } };
    struct wb_spec *s = r->out;
    const char *name = wb_spec_flag_text(r, "pooling",
                                         s->kind == WB_NET_ENCODER  ? "mean"
                                         : s->kind == WB_NET_VISION ? "first"
                                                                    : "none");

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i].name) == 0) {
            s->pooling = known[i].pooling;
            if (s->kind == WB_NET_ENCODER && !r->several)
                pooling_beside(r->model, &s->pooling);
            return read_end_token(r, err);
        }
    return wb_fail(err, WB_EARG, "pooling \"%s\" of the family %s is not implemented", name,
                   r->family->name);
}

bool wb_spec_sizes(struct wb_spec_reading *r, struct wb_err *err)
{
    facts_collect(r);
    return read_counts(r, err) && read_heads(r, err) && read_reach(r, err) &&
           (r->out->kind != WB_NET_VISION || read_image(r, err)) && read_pooling(r, err);
}
