/* app/arch/relayer.c - a config for a model with other layers (compress.md C1.5).
 *
 * Three things in a config depend on layer numbers: the count, lists with one entry a layer, and
 * lists of layer numbers. Periodic rules ("every sixth layer") are true for the old numbers only:
 * they become explicit lists. */
#include <stdint.h>
#include <string.h>

#include "app/arch/model.h"
#include "app/core/json.h"

/* One renumbering: new layer i is old layer source[i]. object holds the settings of the stack. */
struct move {
    cJSON *object;
    const int *source;
    int layers, before;
};

/* Lists of layer numbers. */
static const char *const number_lists[] = { "mlp_only_layers",        "moe_layers",
                                            "full_attn_idxs",         "attn_layer_indices",
                                            "cross_attention_layers", NULL };

static bool no_memory(struct wb_err *err)
{
    return wb_fail(err, WB_ENOMEM, "no memory for the config");
}

/* Set a key; value is moved, NULL says that memory was out. */
static bool put(cJSON *object, const char *key, cJSON *value, struct wb_err *err)
{
    if (value == NULL)
        return no_memory(err);
    if (cJSON_GetObjectItemCaseSensitive(object, key) != NULL
            ? cJSON_ReplaceItemInObjectCaseSensitive(object, key, value)
            : cJSON_AddItemToObject(object, key, value))
        return true;
    cJSON_Delete(value);
    return no_memory(err);
}

static bool is_number_list(const char *key)
{
    for (size_t i = 0; number_lists[i] != NULL; i++)
        if (strcmp(key, number_lists[i]) == 0)
            return true;
    return false;
}

static bool in_list(const cJSON *list, int layer)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, list)
        if (cJSON_IsNumber(item) && item->valuedouble == layer)
            return true;
    return false;
}

/* Append a moved item. Without memory the list is freed and *list is NULL, which put reports. */
static void push(cJSON **list, cJSON *item)
{
    if (*list != NULL && cJSON_AddItemToArray(*list, item))
        return;
    cJSON_Delete(item);
    cJSON_Delete(*list);
    *list = NULL;
}

/* The numbers of new layers whose old ones stand in list. */
static bool move_numbers(const struct move *m, const char *key, const cJSON *list,
                         struct wb_err *err)
{
    cJSON *made = cJSON_CreateArray();

    for (int i = 0; i < m->layers; i++)
        if (in_list(list, m->source[i]))
            push(&made, cJSON_CreateNumber(i));
    return put(m->object, key, made, err);
}

static bool move_entries(const struct move *m, const char *key, const cJSON *list,
                         struct wb_err *err)
{
    cJSON *made = cJSON_CreateArray();

    for (int i = 0; i < m->layers; i++)
        push(&made, cJSON_Duplicate(cJSON_GetArrayItem(list, m->source[i]), true));
    return put(m->object, key, made, err);
}

/* Every list of the object that is about layers. */
static bool move_lists(const struct move *m, struct wb_err *err)
{
    for (cJSON *item = m->object->child, *next; item != NULL; item = next) {
        next = item->next;
        if (!cJSON_IsArray(item))
            continue;
        if (is_number_list(item->string)) {
            if (!move_numbers(m, item->string, item, err))
                return false;
        } else if (cJSON_GetArraySize(item) == m->before &&
                   (strstr(item->string, "layer") != NULL ||
                    strstr(item->string, "pattern") != NULL)) {
            if (!move_entries(m, item->string, item, err))
                return false;
        }
    }
    return true;
}

/* Write layer_types for the old layers where the config only has a rule: layers below `full` attend
 * to everything, and of the others every period-th does (0: none). */
static bool write_types(const struct move *m, int full, int period, struct wb_err *err)
{
    cJSON *made = cJSON_CreateArray();

    for (int i = 0; i < m->before; i++) {
        bool whole = i < full || (period > 0 && (i + 1) % period == 0);

        push(&made, cJSON_CreateString(whole ? "full_attention" : "sliding_attention"));
    }
    return put(m->object, "layer_types", made, err);
}

/* The family's own period ("full_every" of its forward flags); 0 when it has none. */
static int family_period(const struct wb_arch *arch)
{
    cJSON *flags = cJSON_Parse(wb_arch_flags_json(arch));
    double period = wb_json_number(flags, "full_every", 0);

    cJSON_Delete(flags);
    return period > 1 && period < WB_LAYERS_MAX ? (int)period : 0;
}

static bool make_types_explicit(const struct wb_arch *arch, const struct move *m,
                                struct wb_err *err)
{
    const cJSON *o = m->object;
    uint64_t value;
    int period;

    if (cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(o, "layer_types")))
        return true;
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "use_sliding_window")) &&
        wb_json_whole(cJSON_GetObjectItemCaseSensitive(o, "max_window_layers"), &value) &&
        value < WB_LAYERS_MAX) /* Qwen2: the window is for the layers from there on */
        return write_types(m, (int)value, 0, err);
    if (wb_json_whole(cJSON_GetObjectItemCaseSensitive(o, "sliding_window_pattern"), &value) &&
        value > 1 && value < WB_LAYERS_MAX)
        return write_types(m, 0, (int)value, err);
    period = family_period(arch);
    return period == 0 || write_types(m, 0, period, err);
}

/* The layers below max_window_layers that are kept. Right for the sources in order; layer_types,
 * which goes before it, says the rest. */
static bool move_window(const struct move *m, struct wb_err *err)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(m->object, "max_window_layers");
    int kept = 0;

    if (!cJSON_IsNumber(item))
        return true;
    for (int i = 0; i < m->layers; i++)
        kept += m->source[i] < item->valuedouble;
    return put(m->object, "max_window_layers", cJSON_CreateNumber(kept), err);
}

/* decoder_sparse_step: every such layer has experts; the dense ones become mlp_only_layers. */
static bool make_sparse_explicit(const struct move *m, struct wb_err *err)
{
    const cJSON *dense = cJSON_GetObjectItemCaseSensitive(m->object, "mlp_only_layers");
    cJSON *made;
    uint64_t step;

    if (!wb_json_whole(cJSON_GetObjectItemCaseSensitive(m->object, "decoder_sparse_step"), &step) ||
        step < 2 || step > WB_LAYERS_MAX)
        return true;
    made = cJSON_CreateArray();
    for (int i = 0; i < m->before; i++)
        if ((i + 1) % (int)step != 0 || in_list(dense, i))
            push(&made, cJSON_CreateNumber(i));
    return put(m->object, "mlp_only_layers", made, err) &&
           put(m->object, "decoder_sparse_step", cJSON_CreateNumber(1), err);
}

static bool unchanged(const struct move *m)
{
    for (int i = 0; i < m->layers; i++)
        if (m->source[i] != i)
            return false;
    return m->layers == m->before;
}

/* What no config can say about other layers than the model was trained with. */
static bool check_possible(const struct move *m, struct wb_err *err)
{
    if (wb_json_number(m->object, "num_kv_shared_layers", 0) > 0 ||
        cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(m->object, "use_cla")))
        return wb_fail(err, WB_EARG,
                       "layers of this model share keys and values: they cannot be renumbered");
    for (int i = 0; i < m->layers; i++)
        if (m->source[i] != i && cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(
                                     m->object, "scale_attn_by_inverse_layer_idx")))
            return wb_fail(err, WB_EARG,
                           "scale_attn_by_inverse_layer_idx scales attention by the layer's "
                           "number: layer %d cannot become layer %d",
                           m->source[i], i);
    return true;
}

/* Say the present count where the config leaves it to a default. */
static bool count_ensure(cJSON *config, const char *key, int layers, struct wb_err *err)
{
    cJSON *at = config, *text = cJSON_GetObjectItemCaseSensitive(config, "text_config");
    char name[64];

    if (wb_config_find(config, key, NULL) != NULL)
        return true;
    for (;;) {
        size_t len = strcspn(key, ".|");

        if (len >= sizeof name)
            return wb_fail(err, WB_EARG, "the config key %.80s is too long", key);
        memcpy(name, key, len);
        name[len] = '\0';
        if (key[len] != '.')
            break;
        if (cJSON_GetObjectItemCaseSensitive(at, name) == NULL &&
            !put(at, name, cJSON_CreateObject(), err))
            return false;
        at = cJSON_GetObjectItemCaseSensitive(at, name);
        key += len + 1;
    }
    return put(at == config && cJSON_IsObject(text) ? text : at, name, cJSON_CreateNumber(layers),
               err);
}

static bool relayer(const struct wb_arch *arch, cJSON *config, const char *key, struct move m,
                    struct wb_err *err)
{
    const cJSON *count;

    if (!count_ensure(config, key, m.before, err))
        return false;
    count = wb_config_find(config, key, &m.object);
    for (int i = 0; i < m.layers; i++)
        if (m.source[i] < 0 || m.source[i] >= m.before)
            return wb_fail(err, WB_EARG, "there is no layer %d among %d", m.source[i], m.before);
    if (unchanged(&m) && cJSON_IsNumber(count) && count->valuedouble == m.layers)
        return true;
    return check_possible(&m, err) && make_types_explicit(arch, &m, err) &&
           make_sparse_explicit(&m, err) && move_lists(&m, err) && move_window(&m, err) &&
           put(m.object, count->string, cJSON_CreateNumber(m.layers), err);
}

bool wb_arch_config_stack(const struct wb_arch *arch, cJSON *config, const char *stack,
                          const int *source, int layers, struct wb_err *err)
{
    const struct wb_family *f = arch->tree != NULL ? &arch->tree->family : NULL;
    struct move m = { .source = source, .layers = layers, .before = arch->dims.layers };
    const char *key = stack[0] == '\0' ? wb_arch_key_layers(arch) : NULL;

    for (size_t i = 0; f != NULL && i < f->stacks; i++) {
        int before = wb_arch_stack_layers(arch, f->stack[i].name);

        /* one count may be the default of another: T5's decoder is as deep as its encoder */
        if (!count_ensure(config, f->stack[i].key_layers, before, err))
            return false;
        if (strcmp(f->stack[i].name, stack) == 0) {
            key = f->stack[i].key_layers;
            m.before = before;
        }
    }
    if (key == NULL)
        return wb_fail(err, WB_ENOTFOUND,
                       "the model has no stack \"%.40s\" with a count in the config", stack);
    return relayer(arch, config, key, m, err) || (stack[0] != '\0' && wb_wrap(err, "%s", stack));
}

bool wb_arch_config_layers(const struct wb_arch *arch, cJSON *config, const int *source, int layers,
                           struct wb_err *err)
{
    const struct wb_family *f = arch->tree != NULL ? &arch->tree->family : NULL;

    if (f == NULL || f->stacks == 0)
        return wb_arch_config_stack(arch, config, "", source, layers, err);
    for (size_t i = 0; i < f->stacks; i++)
        if (!wb_arch_config_stack(arch, config, f->stack[i].name, source, layers, err))
            return false;
    return true;
}
