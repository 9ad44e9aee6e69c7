/* app/arch/arch.h - what tensors are for: families, roles, layers and hyperparameters.
 *
 * A family is a table of patterns that comes from a Lua file under lua/arch/ (read by lua/bind);
 * this module only matches. A model whose family is not known still gets layers and names: patterns
 * are inferred from its tensor names (architectures.md section 10), and `known` is false. */
#ifndef WB_ARCH_ARCH_H
#define WB_ARCH_ARCH_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"
#include "app/tensor/dtype.h"

#define WB_EXPERT_NONE (-1)
#define WB_EXPERT_SHARED (-2) /* the expert that every token passes (Qwen2-MoE) */

/* What a tensor is, filled by wb_arch_role.
 *
 * kind is one of embed lm_head norm bias linear conv pos buffer other; the biases of norms are
 * "norm". The rows of an "embed" are words only where the role is "embed" too, not "type_embed".
 *
 * fused says how one tensor (and its bias) holds several, by rows of the logical [out, in]:
 *   "qkv"        all rows of q, then k, then v
 *   "qkv_heads"  q, k and v of head 0, then of head 1 …
 *   "gate_up"    the gate's rows, then up's
 *   "experts", "experts_gate_up"  a first axis of experts in front */
struct wb_role {
    char role[48];   /* "q", "attn_norm", "embed", "lm_head", "q.bias" …; "other": not known */
    int layer;       /* within its stack; -1: none */
    int expert;      /* or WB_EXPERT_NONE, WB_EXPERT_SHARED; the role is "gate" all the same */
    char stack[16];  /* "" or "encoder", "decoder", "vision", "text" where there are several */
    bool transposed; /* stored [in, out] (GPT-2 Conv1D) */
    char kind[16];
    const char *fused;   /* NULL when it is not; static with the set */
    const char *tied_to; /* the tensor this one is an alias of (lm_head of a tied model), else NULL;
                          * borrowed from the arch */
};

/* Hyperparameters; 0 when unknown. */
struct wb_dims {
    int layers, hidden, heads, kv_heads, head_dim, intermediate, vocab, experts, context;
    bool tied_embeddings;
};

/* One pattern of a family: "layers.{n}.self_attn.q_proj" -> role "q". {n} is the layer, {e} the
 * expert, {i} any number. A pattern stands for the name itself, for ".weight" (which may be written
 * out) and, with ".bias" put behind the role, for ".bias"; a longer pattern goes first. A kind of
 * NULL follows from the role. */
struct wb_family_pattern {
    const char *name, *role, *kind, *stack, *fused;
    bool transposed;
};

/* One of several stacks of layers; the first one of a family gives its dims. */
struct wb_family_stack {
    const char *name, *key_layers; /* "decoder", "num_decoder_layers" */
};

/* A family as a Lua file describes it. wb_arch_set_add copies all strings; lists end with NULL.
 *
 * key_*: for every field of wb_dims the config key, with dots into sub-objects and '|' between
 * alternatives; NULL takes the usual names. Prefixes may come one behind the other; what any
 * training wraps around a model ("module.", "language_model." …) needs no mention. Every entry of
 * `seen` must hold: "text" is part of some name, "!text" of none; behind a space the shape of that
 * tensor is asked for: "attn.c_attn.weight rows<cols", "token_type_embeddings.weight rows=1". */
struct wb_family {
    const char *name; /* "llama" */
    const char *doc;
    const char *const *model_types; /* values of config.json's model_type */
    const char *const *prefixes;    /* "model.", "transformer.": may precede a name */
    const char *const *seen;        /* tells the family without a config */
    const struct wb_family_pattern *pattern;
    size_t patterns;
    const char *key_layers, *key_hidden, *key_heads, *key_kv_heads, *key_head_dim;
    const char *key_intermediate, *key_vocab, *key_experts, *key_context, *key_tied;
    bool tied_default;
    const char *flags_json;              /* for the forward pass, as JSON text; may be NULL */
    const struct wb_family_stack *stack; /* of models with several stacks of layers */
    size_t stacks;
};

struct wb_arch_set; /* all families known; opaque, immutable once models are open */
struct wb_arch;     /* one model's architecture; opaque, reference counted */

struct wb_arch_set *wb_arch_set_new(void);
/* A family of the same name is replaced. */
bool wb_arch_set_add(struct wb_arch_set *set, const struct wb_family *family, struct wb_err *err);
size_t wb_arch_set_count(const struct wb_arch_set *set);
void wb_arch_set_free(struct wb_arch_set *set);

/* Recognise a model from its config (may be NULL) and tensor names and shapes (may be NULL). Never
 * fails for an unknown family; NULL only without memory. `set` must outlive the result. */
struct wb_arch *wb_arch_match(const struct wb_arch_set *set, const cJSON *config,
                              const char *const *name, const struct wb_shape *shape, size_t count,
                              struct wb_err *err);
struct wb_arch *wb_arch_ref(struct wb_arch *arch);
void wb_arch_unref(struct wb_arch *arch);
const char *wb_arch_family(const struct wb_arch *arch); /* "llama"; "unknown" */
bool wb_arch_known(const struct wb_arch *arch);
/* The family was told from names alone: good for roles, no proof of the forward equations. */
bool wb_arch_guessed(const struct wb_arch *arch);
/* What did not fit (config against tensors), one line for people; NULL when all is well. */
const char *wb_arch_note(const struct wb_arch *arch);
const struct wb_dims *wb_arch_dims(const struct wb_arch *arch);
/* Layers of a stack as counted in the names; "" is the only stack of most models. 0: none. */
int wb_arch_stack_layers(const struct wb_arch *arch, const char *stack);
const char *wb_arch_flags_json(const struct wb_arch *arch); /* "{}" when unknown */

/* Always fills out. shape may be NULL. */
void wb_arch_role(const struct wb_arch *arch, const char *name, const struct wb_shape *shape,
                  struct wb_role *out);
/* The name with its layer number replaced, into out. false: it has none (or out is too small). */
bool wb_arch_rename_layer(const struct wb_arch *arch, const char *name, int layer, char *out,
                          size_t size);
/* Change config so that it says `layers` layers: the count and every per-layer list (layer_types,
 * max_window_layers …: compress.md C1.5), new layer i being the old layer source[i]. In a model of
 * several stacks all of them. WB_EARG where a config cannot say it (layers that share keys and
 * values …): config may then be half changed. */
bool wb_arch_config_layers(const struct wb_arch *arch, cJSON *config, const int *source, int layers,
                           struct wb_err *err);
/* The same for one stack ("decoder"). */
bool wb_arch_config_stack(const struct wb_arch *arch, cJSON *config, const char *stack,
                          const int *source, int layers, struct wb_err *err);

#endif
