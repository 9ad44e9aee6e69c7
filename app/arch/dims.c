/* app/arch/dims.c - hyperparameters from the config, and from tensor shapes where it is silent. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/arch/model.h"
#include "app/core/json.h"

/* What the shapes of the main stack say; 0: nothing. Rows and columns are the logical ones. */
struct facts {
    uint64_t norm, embed_rows, embed_cols, q_rows, k_rows, inner, head_dim, positions, routes;
    int experts;
    bool head;
};

/* Sub-objects that hold the language model's settings in multimodal configs. */
static const char *const wrapped[] = { "text_config", "language_config", "llm_config" };

/* One path without alternatives, text[0..len). */
/* Without the const, as cJSON's own getters give what they find. */
static cJSON *writable(const cJSON *value)
{
    union {
        const cJSON *in;
        cJSON *out;
    } u = { value };

    return u.out;
}

static cJSON *find_path(const cJSON *config, const char *text, size_t len, cJSON **owner)
{
    const cJSON *at = config;
    char key[64];

    while (at != NULL) {
        size_t n = 0;

        while (n < len && text[n] != '.')
            n++;
        if (n == 0 || n >= sizeof key)
            return NULL;
        memcpy(key, text, n);
        key[n] = '\0';
        *owner = writable(at);
        at = cJSON_GetObjectItemCaseSensitive(at, key);
        if (n == len)
            return writable(at);
        text += n + 1;
        len -= n + 1;
    }
    return NULL;
}

static cJSON *find_any(const cJSON *config, const char *key, cJSON **owner)
{
    for (;;) {
        size_t len = strcspn(key, "|");
        cJSON *found = find_path(config, key, len, owner);

        if (found != NULL && !cJSON_IsNull(found))
            return found;
        if (key[len] == '\0')
            return NULL;
        key += len + 1;
    }
}

cJSON *wb_config_find(const cJSON *config, const char *key, cJSON **owner)
{
    cJSON *ignored = NULL, **at = owner != NULL ? owner : &ignored;
    cJSON *found;

    if (config == NULL || key == NULL)
        return NULL;
    found = find_any(config, key, at);
    if (strchr(key, '.') != NULL) /* it says itself where to look */
        return found;
    for (size_t i = 0; found == NULL && i < sizeof wrapped / sizeof *wrapped; i++) {
        const cJSON *inner = cJSON_GetObjectItemCaseSensitive(config, wrapped[i]);

        if (cJSON_IsObject(inner))
            found = find_any(inner, key, at);
    }
    return found;
}

const char *wb_arch_key_layers(const struct wb_arch *arch)
{
    const struct wb_family *f = arch->tree != NULL ? &arch->tree->family : NULL;

    if (f != NULL && f->stacks > 0)
        return f->stack[0].key_layers;
    return f != NULL && f->key_layers != NULL ? f->key_layers
                                              : "num_hidden_layers|n_layer|num_layers|n_layers";
}

/* A count in the config; 0 when it is missing or no count below limit. */
static int config_count(const cJSON *config, const char *key, const char *usual, uint64_t limit)
{
    uint64_t value;

    if (!wb_json_whole(wb_config_find(config, key != NULL ? key : usual, NULL), &value) ||
        value > limit)
        return 0;
    return (int)value;
}

static void from_config(struct wb_arch *arch, const cJSON *config)
{
    static const struct wb_family none = { 0 };
    const struct wb_family *f = arch->tree != NULL ? &arch->tree->family : &none;
    struct wb_dims *d = &arch->dims;

    d->layers = config_count(config, wb_arch_key_layers(arch), NULL, WB_LAYERS_MAX);
    d->hidden = config_count(config, f->key_hidden, "hidden_size|n_embd|d_model|dim", 1 << 24);
    d->heads =
        config_count(config, f->key_heads, "num_attention_heads|n_head|num_heads|n_heads", 1 << 16);
    d->kv_heads = config_count(config, f->key_kv_heads,
                               "num_key_value_heads|num_kv_heads|n_kv_heads", 1 << 16);
    d->head_dim = config_count(config, f->key_head_dim, "head_dim|d_kv", 1 << 16);
    d->intermediate = config_count(config, f->key_intermediate,
                                   "intermediate_size|n_inner|ffn_dim|d_ff", 1 << 28);
    d->vocab = config_count(config, f->key_vocab, "vocab_size", 1 << 28);
    d->experts = config_count(config, f->key_experts,
                              "num_local_experts|num_experts|n_routed_experts", WB_LAYERS_MAX);
    d->context = config_count(config, f->key_context,
                              "max_position_embeddings|n_positions|n_ctx|seq_length", 1 << 30);
}

static void set_once(uint64_t *slot, uint64_t value)
{
    if (*slot == 0)
        *slot = value;
}

static void fact_add(struct facts *f, const struct wb_role *r, const struct wb_shape *s)
{
    uint64_t rows = s->ndim < 2 ? 0 : s->dim[r->transposed ? 1 : 0];

    if (s->ndim == 1 &&
        (strcmp(r->role, "attn_norm") == 0 || strcmp(r->role, "attn_post_norm") == 0 ||
         strcmp(r->role, "final_norm") == 0))
        set_once(&f->norm, s->dim[0]);
    if (s->ndim == 1 && strcmp(r->role, "q_norm") == 0)
        set_once(&f->head_dim, s->dim[0]);
    if (s->ndim != 2)
        return;
    if (strcmp(r->role, "q") == 0)
        set_once(&f->q_rows, rows);
    else if (strcmp(r->role, "k") == 0)
        set_once(&f->k_rows, rows);
    else if (strcmp(r->role, "up") == 0 && r->expert == WB_EXPERT_NONE)
        set_once(&f->inner, rows);
    else if (strcmp(r->role, "gate_up") == 0 && r->expert == WB_EXPERT_NONE)
        set_once(&f->inner, rows / 2);
    else if (strcmp(r->role, "router") == 0)
        set_once(&f->routes, rows);
    else if (strcmp(r->role, "pos_embed") == 0 && r->stack[0] == '\0')
        set_once(&f->positions, rows);
}

/* The stack that gives the dims: the family's first, or the deepest one found. */
static const char *main_stack(const struct wb_arch *arch)
{
    const char *stack = "";
    int most = 0;

    if (arch->tree != NULL)
        return arch->tree->family.stacks > 0 ? arch->tree->family.stack[0].name : "";
    for (size_t i = 0; i < arch->stems.count; i++)
        if (arch->stems.item[i].layers > most) {
            most = arch->stems.item[i].layers;
            stack = arch->stems.item[i].stack;
        }
    return stack;
}

/* One pass over the names: facts of the main stack, and of what stands in no layer. */
static void facts_collect(struct wb_arch *arch, struct facts *f, const char *const *name,
                          const struct wb_shape *shape, size_t count)
{
    const char *stack = main_stack(arch);

    for (size_t i = 0; i < count; i++) {
        struct wb_role r;

        wb_arch_role(arch, name[i], NULL, &r);
        f->head |= strcmp(r.role, "lm_head") == 0;
        if (r.expert >= f->experts)
            f->experts = r.expert + 1;
        if (strcmp(r.role, "embed") == 0 &&
            (arch->embed == NULL || (arch->embed_in_stack && r.stack[0] == '\0'))) {
            arch->embed = wb_arena_strdup(&arch->arena, name[i]);
            arch->embed_in_stack = r.stack[0] != '\0';
            arch->embed_shape = shape != NULL ? shape[i] : (struct wb_shape){ 0 };
        }
        if (shape != NULL && (r.stack[0] == '\0' || strcmp(r.stack, stack) == 0))
            fact_add(f, &r, &shape[i]);
    }
    if (arch->embed != NULL && arch->embed_shape.ndim == 2) {
        f->embed_rows = arch->embed_shape.dim[0];
        f->embed_cols = arch->embed_shape.dim[1];
    }
}

/* Take value where the config said nothing; note it where the config says something else. */
static void settle(struct wb_arch *arch, int *slot, uint64_t value, const char *what)
{
    if (value == 0 || value > (1 << 30))
        return;
    if (*slot == 0)
        *slot = (int)value;
    else if (what != NULL && (uint64_t)*slot != value)
        wb_arch_note_add(arch, "config.json says %s %d, the tensors %" PRIu64, what, *slot, value);
}

static void settle_heads(struct wb_arch *arch, const struct facts *f)
{
    struct wb_dims *d = &arch->dims;

    settle(arch, &d->head_dim, f->head_dim, NULL);
    if (d->heads == 0 && d->head_dim > 0 && f->q_rows % (uint64_t)d->head_dim == 0)
        settle(arch, &d->heads, f->q_rows / (uint64_t)d->head_dim, NULL);
    if (d->heads == 0)
        return;
    if (d->head_dim == 0 && f->q_rows % (uint64_t)d->heads == 0)
        settle(arch, &d->head_dim, f->q_rows / (uint64_t)d->heads, NULL);
    if (d->head_dim == 0)
        d->head_dim = d->hidden / d->heads;
    if (d->kv_heads == 0 && d->head_dim > 0 && f->k_rows % (uint64_t)d->head_dim == 0)
        settle(arch, &d->kv_heads, f->k_rows / (uint64_t)d->head_dim, NULL);
    if (d->kv_heads == 0)
        d->kv_heads = d->heads;
}

/* A model without a head of its own that can have one uses the embedding, whatever the default. */
static bool tied(const struct wb_arch *arch, const cJSON *config, const struct facts *f)
{
    const struct wb_family *family = arch->tree != NULL ? &arch->tree->family : NULL;
    const char *key =
        family != NULL && family->key_tied != NULL ? family->key_tied : "tie_word_embeddings";
    const cJSON *said = wb_config_find(config, key, NULL);

    if (cJSON_IsBool(said))
        return cJSON_IsTrue(said);
    if (f->head && config == NULL)
        return false; /* nothing says that the head may be dropped */
    if (f->head || arch->embed == NULL)
        return family != NULL && family->tied_default;
    return family != NULL && (family->tied_default || arch->tree->has_head);
}

void wb_dims_fill(struct wb_arch *arch, const cJSON *config, const char *const *name,
                  const struct wb_shape *shape, size_t count)
{
    struct wb_dims *d = &arch->dims;
    struct facts f = { 0 };

    from_config(arch, config);
    facts_collect(arch, &f, name, shape, count);
    settle(arch, &d->layers, (uint64_t)wb_arch_stack_layers(arch, main_stack(arch)), "layers");
    settle(arch, &d->hidden, f.norm, "hidden");
    settle(arch, &d->hidden, f.embed_cols, NULL); /* embeddings may be narrower (OPT 350m) */
    settle(arch, &d->vocab, f.embed_rows, "vocabulary");
    settle(arch, &d->intermediate, f.inner, NULL);
    settle(arch, &d->experts, f.routes > (uint64_t)f.experts ? f.routes : (uint64_t)f.experts,
           "experts");
    settle(arch, &d->context, f.positions, NULL);
    settle_heads(arch, &f);
    d->tied_embeddings = tied(arch, config, &f);
}
