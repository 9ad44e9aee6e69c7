/* app/infer/spec_layers.c - what differs from layer to layer: windows and rotary positions. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/core/json.h"
#include "app/infer/spec_impl.h"

#define PERIOD_KEYS "sliding_window_pattern|_sliding_window_pattern"

/* --- windows --- */

/* Width of the window; 0: the model has none. */
static bool read_window(const struct wb_spec_reading *r, int *window, struct wb_err *err)
{
    const char *only_if = wb_spec_flag_text(r, "window_if", NULL);
    bool on;
    double width;

    *window = 0;
    if (wb_spec_flag_text(r, "window", NULL) == NULL)
        return true;
    if (!wb_spec_boolean(r, only_if, only_if == NULL, &on, err))
        return false;
    if (!on)
        return true;
    if (!wb_spec_number(r, "window", NULL, 0, 0, WB_SPEC_COUNT_MAX, &width, err))
        return false;
    *window = (int)width;
    return true;
}

/* layer_types of the config, one a layer. */
static bool listed_windows(const struct wb_spec_reading *r, const cJSON *types, int window,
                           struct wb_spec_layer *layer, struct wb_err *err)
{
    const struct wb_spec *s = r->out;
    const cJSON *item;
    int i = 0;

    if (!cJSON_IsArray(types) || cJSON_GetArraySize(types) != s->layers)
        return wb_fail(err, WB_EFORMAT, "config.json: layer_types has %d entries for %d layers",
                       cJSON_GetArraySize(types), s->layers);
    cJSON_ArrayForEach(item, types) {
        const char *type = cJSON_IsString(item) ? item->valuestring : "";
        bool sliding = strcmp(type, "sliding_attention") == 0;

        if (!sliding && strcmp(type, "full_attention") != 0)
            return wb_fail(err, WB_EARG,
                           "config.json: layer_types: attention of type \"%.40s\" in layer %d is "
                           "not implemented",
                           type, i);
        if (sliding && window == 0)
            return wb_fail(err, WB_EFORMAT,
                           "config.json: layer_types gives layer %d a window, but there is no "
                           "%s",
                           i, wb_spec_flag_text(r, "window", "sliding_window"));
        layer[i++].window = sliding ? window : 0;
    }
    return true;
}

/* By the family's rule: all, those from a layer on, or all but every n-th. */
static bool ruled_windows(const struct wb_spec_reading *r, int window, struct wb_spec_layer *layer,
                          struct wb_err *err)
{
    const cJSON *period = wb_spec_flag(r, "full_every");
    double from, every = cJSON_IsNumber(period) ? period->valuedouble : 0;

    if (!wb_spec_number(r, "window_from", NULL, 0, 0, WB_SPEC_COUNT_MAX, &from, err))
        return false;
    if (every > 0 &&
        !wb_spec_number(r, "full_every", PERIOD_KEYS, every, 1, WB_SPEC_COUNT_MAX, &every, err))
        return false;
    if (every > 0 && window == 0)
        return wb_fail(err, WB_EFORMAT, "config.json: there is no %s",
                       wb_spec_flag_text(r, "window", "sliding_window"));
    for (int i = 0; i < r->out->layers; i++)
        layer[i].window = i >= from && (every < 1 || (i + 1) % (int)every != 0) ? window : 0;
    return true;
}

/* --- rotary positions --- */

/* Is it a set of settings by type of layer? */
static const cJSON *by_type(const cJSON *settings, const char *type)
{
    const cJSON *own = cJSON_GetObjectItemCaseSensitive(settings, type);

    return cJSON_IsObject(own) ? own : NULL;
}

/* A copy of the settings with the original context that some configs keep beside them. Owned. */
static bool complete(const struct wb_spec_reading *r, const cJSON *settings, cJSON **out,
                     struct wb_err *err)
{
    static const char key[] = "original_max_position_embeddings";
    const cJSON *beside = wb_spec_setting(r, key);
    const cJSON *inside = cJSON_GetObjectItemCaseSensitive(settings, key);

    *out = settings == NULL ? NULL : cJSON_Duplicate(settings, true);
    if (settings != NULL && *out == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for the settings of rope");
    if (!cJSON_IsObject(*out) || beside == NULL || (inside != NULL && !cJSON_IsNull(inside)))
        return true;
    cJSON_DeleteItemFromObjectCaseSensitive(*out, key);
    return cJSON_AddItemToObject(*out, key, cJSON_Duplicate(beside, true)) ||
           wb_fail(err, WB_ENOMEM, "no memory for the settings of rope");
}

/* Dims that are turned: a share of the head's. */
static bool turned_dims(const struct wb_spec_reading *r, const cJSON *settings, int *dims,
                        struct wb_err *err)
{
    const cJSON *own = cJSON_GetObjectItemCaseSensitive(settings, "partial_rotary_factor");
    double share;

    if (!wb_spec_number(r, "rope_share", NULL, 1, 0, 1, &share, err))
        return false;
    if (cJSON_IsNumber(own)) {
        share = own->valuedouble;
        if (!(share > 0 && share <= 1))
            return wb_spec_refuse(own, err, "a number from 0 to 1 is needed");
    }
    *dims = (int)(r->out->head_dim * share);
    return true;
}

static bool add_rope(struct wb_spec_reading *r, const cJSON *settings, double base,
                     struct wb_err *err)
{
    struct wb_spec *s = r->out;
    cJSON *whole = NULL;
    int dims = 0;
    bool ok = turned_dims(r, settings, &dims, err) && complete(r, settings, &whole, err) &&
              (wb_rope_parse(whole, base, dims, s->context, r->arena, &s->rope[s->ropes], err) ||
               wb_wrap(err, "config.json"));

    s->ropes += ok;
    cJSON_Delete(whole);
    return ok;
}

/* Rope 0 is that of the layers that see all, rope 1 (if any) that of those with a window. */
static bool read_ropes(struct wb_spec_reading *r, struct wb_err *err)
{
    const cJSON *settings = wb_spec_setting(r, "rope_parameters|rope_scaling");
    const cJSON *full = by_type(settings, "full_attention");
    const cJSON *sliding = by_type(settings, "sliding_attention");
    double base, local = 0;

    if (!wb_spec_number(r, "rope_base", "rope_theta", 10000, 1e-3, 1e30, &base, err) ||
        !wb_spec_number(r, "local_rope", NULL, 0, 1e-3, 1e30, &local, err))
        return false;
    if (full != NULL || sliding != NULL)
        return add_rope(r, full, base, err) && add_rope(r, sliding, local > 0 ? local : base, err);
    return add_rope(r, settings, base, err) && (local == 0 || add_rope(r, NULL, local, err));
}

bool wb_spec_layers(struct wb_spec_reading *r, struct wb_err *err)
{
    struct wb_spec *s = r->out;
    const char *position = wb_spec_flag_text(r, "position", "rope");
    const cJSON *types = wb_spec_setting(r, "layer_types");
    struct wb_spec_layer *layer = wb_arena_calloc(r->arena, (size_t)s->layers, sizeof *layer);
    int window;

    if (layer == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %d layers", s->layers);
    s->layer = layer;
    if (strcmp(position, "rope") == 0 && !read_ropes(r, err))
        return false;
    if (!read_window(r, &window, err) ||
        !(types != NULL ? listed_windows(r, types, window, layer, err)
                        : ruled_windows(r, window, layer, err)))
        return false;
    for (int i = 0; i < s->layers; i++)
        layer[i].rope = s->ropes == 0 ? -1 : layer[i].window > 0 ? s->ropes - 1 : 0;
    return true;
}
