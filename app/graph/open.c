/* app/graph/open.c - a model from files: the checkpoint's tensors as nodes, adapters added to
 * them. */
#include <stdlib.h>
#include <string.h>

#include "app/core/json.h"
#include "app/graph/model_impl.h"
#include "app/store/adapter.h"
#include "app/store/locate.h"

static bool read_config(struct wb_model *m, struct wb_ckpt *ck, struct wb_err *err)
{
    const char *text = wb_ckpt_config(ck);

    if (text == NULL)
        return true;
    cJSON_Delete(m->config);
    m->config = wb_json_parse(text, strlen(text), err);
    if (m->config == NULL)
        return wb_wrap(err, "%s/config.json", wb_ckpt_dir(ck));
    if (!cJSON_IsObject(m->config))
        return wb_fail(err, WB_EFORMAT, "%s/config.json: not a JSON object", wb_ckpt_dir(ck));
    m->has_config = true;
    return true;
}

static bool read_tensors(struct wb_model *m, struct wb_ckpt *ck, struct wb_err *err)
{
    for (size_t i = 0; i < wb_ckpt_count(ck); i++) {
        struct wb_node *node = wb_node_source(ck, i, m->path, err);
        bool ok = node != NULL && wb_model_set(m, wb_ckpt_info(ck, i)->name, node, err);

        wb_node_unref(node);
        if (!ok)
            return false;
    }
    for (size_t i = 0; i < wb_ckpt_warning_count(ck); i++)
        if (!wb_model_add_warning(m, wb_ckpt_warning(ck, i), err))
            return false;
    return true;
}

/* Adapters. */

static struct wb_node *adapter_tensor(const struct wb_adapter *ad, size_t i, const char *path,
                                      struct wb_err *err)
{
    return wb_node_source(wb_adapter_ckpt(ad), i, path, err);
}

/* target + scale * B A (transposed where the adapter says so). */
static struct wb_node *low_rank(const struct wb_adapter *ad, const struct wb_adapter_part *part,
                                struct wb_node *target, double scale, const char *path,
                                struct wb_err *err)
{
    struct wb_node *a = adapter_tensor(ad, part->a, path, err);
    struct wb_node *b = a == NULL ? NULL : adapter_tensor(ad, part->b, path, err);
    struct wb_node *product = b == NULL ? NULL : wb_node_matmul(b, a, err), *turned = NULL;
    struct wb_node *factor = NULL, *sum = NULL, *out = NULL;

    if (product != NULL)
        turned = part->transposed ? wb_node_transpose(product, err) : wb_node_ref(product);
    if (turned != NULL)
        factor = wb_node_scalar(part->scale * scale, err);
    if (factor != NULL)
        sum = wb_node_fma(turned, factor, target, err);
    if (sum != NULL)
        out = wb_node_as(sum, wb_node_dtype(target), err);
    wb_node_unref(a);
    wb_node_unref(b);
    wb_node_unref(product);
    wb_node_unref(turned);
    wb_node_unref(factor);
    wb_node_unref(sum);
    return out;
}

/* Adapters name modules of the model they were trained on; a bare backbone may lack the leading
 * part of that name. */
static const struct wb_entry *find_target(const struct wb_model *m, const char *name)
{
    const struct wb_entry *entry = wb_model_find(m, name);
    const char *dot = strchr(name, '.');

    if (entry == NULL && dot != NULL)
        entry = wb_model_find(m, dot + 1);
    return entry;
}

static bool apply_part(struct wb_model *m, const struct wb_adapter *ad,
                       const struct wb_adapter_part *part, double scale, const char *path,
                       struct wb_err *err)
{
    const struct wb_entry *entry = find_target(m, part->target);
    struct wb_node *node;
    bool ok;

    if (entry == NULL)
        return wb_fail(err, WB_ESHAPE, "it changes %s, which model %s does not have", part->target,
                       m->path);
    node = part->replace ? adapter_tensor(ad, part->a, path, err)
                         : low_rank(ad, part, entry->node, scale, path, err);
    if (node == NULL)
        return wb_wrap(err, "%s", part->target);
    ok = wb_model_set(m, entry->name, node, err);
    wb_node_unref(node);
    return ok;
}

static bool apply_adapter(struct wb_model *m, const char *path, double scale, struct wb_err *err)
{
    struct wb_adapter *ad = wb_adapter_open(path, err);
    bool ok = ad != NULL;

    for (size_t i = 0; ok && i < wb_adapter_count(ad); i++)
        ok = apply_part(m, ad, wb_adapter_part(ad, i), scale, path, err);
    if (!ok && ad != NULL)
        wb_wrap(err, "adapter %s", path);
    ok = ok && wb_model_add_source(m, wb_adapter_ckpt(ad), err);
    wb_adapter_close(ad);
    return ok;
}

static bool read_all(struct wb_model *m, const struct wb_location *where, const char *adapter,
                     double scale, struct wb_err *err)
{
    struct wb_ckpt *ck = wb_ckpt_open(where->path, err);
    bool ok = ck != NULL && wb_model_add_source(m, ck, err) && read_config(m, ck, err) &&
              read_tensors(m, ck, err);

    if (ok && wb_ckpt_dir(ck) != NULL) {
        m->side_dir = wb_arena_strdup(&m->arena, wb_ckpt_dir(ck));
        ok = m->side_dir != NULL || wb_model_no_memory(err);
    }
    for (int i = 0; ok && i < where->adapters; i++)
        ok = apply_adapter(m, where->adapter[i], 1, err);
    if (ok && adapter != NULL)
        ok = apply_adapter(m, adapter, scale, err);
    wb_ckpt_unref(ck);
    return ok && wb_model_freeze(m, err);
}

struct wb_model *wb_model_open_lora(const char *model, const char *adapter, double scale,
                                    const struct wb_arch_set *set, struct wb_err *err)
{
    struct wb_arena arena = { NULL };
    struct wb_location where = { .path = NULL };
    struct wb_model *m = wb_model_blank(set, model, err);
    const char *hub = NULL;
    bool ok = m != NULL && wb_locate(model, &arena, &where, err);

    if (ok && adapter != NULL)
        hub = wb_locate_hub(adapter, &arena);
    ok = ok && read_all(m, &where, hub != NULL ? hub : adapter, scale, err);
    wb_arena_free(&arena);
    if (ok)
        return m;
    wb_model_unref(m);
    return NULL;
}

struct wb_model *wb_model_open(const char *model, const struct wb_arch_set *set, struct wb_err *err)
{
    return wb_model_open_lora(model, NULL, 1, set, err);
}
