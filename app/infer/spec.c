/* app/infer/spec.c - a family's flags and a model's config -> the numbers of a forward pass. */
#include "app/infer/spec.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/core/json.h"
#include "app/infer/spec_impl.h"
#include "app/tensor/kernels.h"

/* A word and what it stands for. */
struct word {
    const char *name;
    int value;
};

static const struct word *word_find(const struct word *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].name, name) == 0)
            return &list[i];
    return NULL;
}

bool wb_act_parse(const char *name, enum wb_act *out)
{
    static const struct word known[] = {
        { "silu", WB_ACT_SILU },
        { "swish", WB_ACT_SILU },
        { "gelu", WB_ACT_GELU },
        { "gelu_python", WB_ACT_GELU },
        { "gelu_new", WB_ACT_GELU_TANH },
        { "gelu_pytorch_tanh", WB_ACT_GELU_TANH },
        { "gelu_python_tanh", WB_ACT_GELU_TANH },
        { "gelu_fast", WB_ACT_GELU_TANH },
        { "gelu_accurate", WB_ACT_GELU_TANH },
        { "quick_gelu", WB_ACT_QUICK_GELU },
        { "relu", WB_ACT_RELU },
    };
    const struct word *w = word_find(known, sizeof known / sizeof *known, name);

    if (w != NULL)
        *out = (enum wb_act)w->value;
    return w != NULL;
}

/* --- what the pass can do --- */

static bool not_implemented(const struct wb_spec_reading *r, const char *what, struct wb_err *err)
{
    return wb_fail(err, WB_EARG, "the forward pass of the family %s (%s) is not implemented",
                   r->family->name, what);
}

/* The value of a word flag; false with err when it is none of the list. */
static bool word_flag(const struct wb_spec_reading *r, const char *flag, const char *fallback,
                      const struct word *list, size_t n, int *out, struct wb_err *err)
{
    const char *name = wb_spec_flag_text(r, flag, fallback);
    const struct word *w = word_find(list, n, name);

    if (w == NULL)
        return wb_fail(err, WB_EARG,
                       "the forward pass of the family %s (%s \"%s\") is not "
                       "implemented",
                       r->family->name, flag, name);
    *out = w->value;
    return true;
}

/* "key|key!=value": settings that ask for something the pass does not do. */
static bool check_refused(const struct wb_spec_reading *r, struct wb_err *err)
{
    const char *rule = wb_spec_flag_text(r, "refuse", "");

    while (*rule != '\0') {
        size_t n = strcspn(rule, "|"), k;
        char key[100];
        const char *value = NULL;
        const cJSON *item;

        if (n >= sizeof key)
            return wb_fail(err, WB_EARG, "flag refuse of the family %s is too long",
                           r->family->name);
        memcpy(key, rule, n);
        key[n] = '\0';
        k = strcspn(key, "!");
        if (key[k] == '!' && key[k + 1] == '=') {
            key[k] = '\0';
            value = key + k + 2;
        }
        item = wb_spec_setting(r, key);
        if (value == NULL ? cJSON_IsTrue(item)
                          : cJSON_IsString(item) && strcmp(item->valuestring, value) != 0) {
            wb_spec_refuse(item, err, "the forward pass does not do that");
            if (err != NULL)
                err->code = WB_EARG;
            return false;
        }
        rule += n + (rule[n] == '|');
    }
    return true;
}

/* --- kinds --- */

static bool read_kind(struct wb_spec_reading *r, struct wb_err *err)
{
    static const struct word kinds[] = { { "decoder", WB_NET_DECODER },
                                         { "encoder", WB_NET_ENCODER },
                                         { "vision", WB_NET_VISION } };
    const char *kind = wb_spec_flag_text(r, "kind", "");
    int value;

    if (strcmp(kind, "encoder_decoder") == 0)
        return not_implemented(r, "an encoder-decoder", err);
    if (strcmp(wb_spec_flag_text(r, "mlp", ""), "experts") == 0)
        return not_implemented(r, "experts", err);
    if (!word_flag(r, "kind", "", kinds, 3, &value, err))
        return false;
    r->out->kind = (enum wb_net_kind)value;
    r->out->causal = value == WB_NET_DECODER || wb_spec_flag_true(r, "causal");
    return true;
}

static bool read_block(struct wb_spec_reading *r, struct wb_err *err)
{
    static const struct word blocks[] = { { "pre", WB_BLOCK_PRE },
                                          { "post", WB_BLOCK_POST },
                                          { "sandwich", WB_BLOCK_SANDWICH },
                                          { "parallel", WB_BLOCK_PARALLEL },
                                          { "parallel_one_norm", WB_BLOCK_PARALLEL_ONE_NORM } };
    bool stays, parallel;
    int value;

    if (!word_flag(r, "block", "pre", blocks, 5, &value, err) ||
        !wb_spec_boolean(r, wb_spec_flag_text(r, "block_post_unless", NULL), true, &stays, err) ||
        !wb_spec_boolean(r, wb_spec_flag_text(r, "block_sequential_unless", NULL), true, &parallel,
                         err))
        return false;
    r->out->block = !stays ? WB_BLOCK_POST : !parallel ? WB_BLOCK_PRE : (enum wb_block)value;
    return true;
}

static bool read_norm(struct wb_spec_reading *r, struct wb_err *err)
{
    static const struct word norms[] = { { "rms", WB_NORM_RMS },
                                         { "rms_plus_one", WB_NORM_RMS_PLUS_ONE },
                                         { "layer", WB_NORM_LAYER } };
    const char *key = wb_spec_flag_text(r, "qk_norm", NULL);
    bool on;
    int value;

    if (!word_flag(r, "norm", "rms", norms, 3, &value, err) ||
        !wb_spec_number(r, "eps", NULL, 0, 0, 1, &r->out->eps, err) ||
        !wb_spec_boolean(r, key, wb_spec_flag_true(r, "qk_norm"), &on, err))
        return false;
    r->out->norm = (enum wb_norm)value;
    r->out->qk_norm = on;
    return true;
}

static bool read_mlp(struct wb_spec_reading *r, struct wb_err *err)
{
    static const struct word kinds[] = { { "gated", 1 }, { "plain", 0 } };
    const char *key = wb_spec_flag_text(r, "act", "hidden_act");
    const cJSON *item = wb_spec_setting(r, key);
    const char *name = wb_spec_flag_text(r, "act_default", "");
    int gated;

    if (!word_flag(r, "mlp", "plain", kinds, 2, &gated, err))
        return false;
    r->out->gated = gated != 0;
    if (item != NULL && (!cJSON_IsString(item) || !wb_act_parse(item->valuestring, &r->out->act)))
        return wb_spec_refuse(item, err, "no activation of that name is known");
    return item != NULL || wb_act_parse(name, &r->out->act) ||
           wb_fail(err, WB_EARG, "the activation \"%s\" of the family %s is not known", name,
                   r->family->name);
}

/* Rows of the table before position 0: a number, or those up to the id that a key names. */
static bool read_positions(struct wb_spec_reading *r, struct wb_err *err)
{
    static const struct word kinds[] = { { "rope", 0 }, { "learned", 1 } };
    const cJSON *offset = wb_spec_flag(r, "position_offset");
    double rows;
    int learned;

    if (!word_flag(r, "position", "rope", kinds, 2, &learned, err) ||
        !wb_spec_number(r, "position_offset", NULL, -1, 0, WB_SPEC_COUNT_MAX - 1, &rows, err))
        return false;
    if (cJSON_IsNumber(offset))
        rows = offset->valuedouble - 1;
    if (!(rows >= -1 && rows < WB_SPEC_COUNT_MAX))
        return wb_fail(err, WB_EARG, "position_offset of the family %s is %g", r->family->name,
                       rows + 1);
    r->out->learned_positions = learned != 0;
    r->out->position_offset = (int)rows + 1;
    return true;
}

/* --- factors --- */

static bool read_scale(struct wb_spec_reading *r, struct wb_err *err)
{
    struct wb_spec *s = r->out;
    bool on, one = strcmp(wb_spec_flag_text(r, "scale", ""), "one") == 0;
    double scalar = s->head_dim;

    if (!wb_spec_boolean(r, wb_spec_flag_text(r, "scale_unless", NULL), true, &on, err))
        return false;
    if (!one && on && !wb_spec_number(r, "scale", NULL, s->head_dim, 1e-6, 1e12, &scalar, err))
        return false;
    s->scale = one || !on ? 1 : (float)(1 / sqrt(scalar));
    return true;
}

static bool read_caps(struct wb_spec_reading *r, struct wb_err *err)
{
    double attn, logit;

    if (!wb_spec_number(r, "attn_cap", NULL, 0, 0, 1e12, &attn, err) ||
        !wb_spec_number(r, "logit_cap", NULL, 0, 0, 1e12, &logit, err))
        return false;
    r->out->attn_cap = (float)attn;
    r->out->logit_cap = (float)logit;
    return true;
}

/* A constant as it is after it was kept in the embedding's own dtype. */
static float rounded_to(enum wb_dtype dtype, float x)
{
    const struct wb_kernels *k = wb_kernels();
    uint64_t kept;

    if (!wb_dtype_computable(dtype))
        return x;
    k->narrow[dtype](1, &x, &kept);
    k->widen[dtype](1, &kept, &x);
    return x;
}

static bool read_factors(struct wb_spec_reading *r, struct wb_err *err)
{
    static const struct word factors[] = { { "one", 0 }, { "sqrt_hidden", 1 } };
    struct wb_spec *s = r->out;
    int scaled;

    if (!word_flag(r, "embed_scale", "one", factors, 2, &scaled, err))
        return false;
    s->head_scale = 1;
    s->embed_scale = scaled ? rounded_to(r->facts.embed ? r->facts.embed_dtype : WB_DTYPE_F32,
                                         (float)sqrt(s->hidden))
                            : 1;
    return read_scale(r, err) && read_caps(r, err);
}

/* --- the whole --- */

static const struct wb_family_stack *stack_find(const struct wb_family *f, const char *name)
{
    for (size_t i = 0; i < f->stacks; i++)
        if (strcmp(f->stack[i].name, name) == 0)
            return &f->stack[i];
    return NULL;
}

/* Where the settings of the stack stand: "text" under text_config, or all at the top. */
static bool pick_stack(struct wb_spec_reading *r, const char *stack, struct wb_err *err)
{
    const struct wb_family *f = r->family;
    const struct wb_family_stack *found = stack != NULL ? stack_find(f, stack) : NULL;
    const cJSON *own;
    cJSON *owner = NULL;
    char key[80];

    r->out->stack = found != NULL ? found->name : "";
    r->several = found != NULL;
    if (found == NULL && stack != NULL && stack[0] != '\0')
        return wb_fail(err, WB_EARG, "a model of the family %s has no stack \"%s\"", f->name,
                       stack);
    if (found == NULL && strcmp(wb_spec_flag_text(r, "kind", ""), "two_towers") == 0)
        return wb_fail(err, WB_EARG,
                       "a model of the family %s has several stacks: say which, "
                       "\"%s\" or \"%s\"",
                       f->name, f->stacks > 0 ? f->stack[0].name : "",
                       f->stacks > 1 ? f->stack[1].name : "");
    if (r->several) {
        snprintf(key, sizeof key, "%s_config", found->name);
        own = cJSON_GetObjectItemCaseSensitive(r->top, key);
        r->config = cJSON_IsObject(own) ? own : r->top;
        return true;
    }
    /* of a multimodal config the part that has the layers */
    if (wb_config_find(r->top, wb_arch_key_layers(r->arch), &owner) != NULL)
        r->config = owner;
    return true;
}

static bool compile(struct wb_spec_reading *r, struct wb_err *err)
{
    return read_kind(r, err) && check_refused(r, err) && read_block(r, err) && read_norm(r, err) &&
           read_mlp(r, err) && read_positions(r, err) && wb_spec_sizes(r, err) &&
           read_factors(r, err) && wb_spec_layers(r, err);
}

bool wb_spec_of(const struct wb_model *model, const char *stack, struct wb_arena *arena,
                struct wb_spec *out, struct wb_err *err)
{
    const struct wb_arch *arch = wb_model_arch(model);
    struct wb_spec_reading r = { .model = model, .arch = arch, .arena = arena, .out = out };
    const char *flags = wb_arch_flags_json(arch), *path = wb_model_path(model);
    bool ok;

    memset(out, 0, sizeof *out);
    if (arch->tree == NULL)
        return wb_fail(err, WB_EARG, "%s%sa model of unknown family cannot be run",
                       path == NULL ? "" : path, path == NULL ? "" : ": ");
    r.family = &arch->tree->family;
    r.top = r.config = wb_model_config(model);
    r.flags = wb_json_parse(flags, strlen(flags), err);
    ok = r.flags != NULL && pick_stack(&r, stack, err) && compile(&r, err);
    cJSON_Delete(r.flags);
    return ok || (path != NULL && wb_wrap(err, "%s", path));
}
