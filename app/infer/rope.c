/* app/infer/rope.c - rotary positions: settings read, frequencies and tables worked out.
 *
 * The plain frequencies are formed in float32 step by step, as the models were trained with: a
 * relative error of 1e-7 in a frequency is one of 1e-4 radians a thousand positions on. */
#include "app/infer/rope.h"

#include <math.h>
#include <string.h>

#include "app/core/json.h"

#define PI 3.14159265358979323846
#define POSITIONS_MAX (1 << 30)

/* --- settings --- */

static const cJSON *item_of(const cJSON *scaling, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(scaling, key);

    return cJSON_IsNull(item) ? NULL : item;
}

/* A positive number; out keeps what it has when the key is missing. */
static bool read_number(const cJSON *scaling, const char *key, double *out, struct wb_err *err)
{
    const cJSON *item = item_of(scaling, key);

    if (item == NULL)
        return true;
    if (!cJSON_IsNumber(item) || !(item->valuedouble > 0) || !isfinite(item->valuedouble))
        return wb_fail(err, WB_EFORMAT, "%s of rope is not a positive number", key);
    *out = item->valuedouble;
    return true;
}

static bool need(bool there, const char *key, const char *type, struct wb_err *err)
{
    return there || wb_fail(err, WB_EFORMAT, "rope of type %s without %s", type, key);
}

static bool read_positions(const cJSON *scaling, const char *key, int *out, struct wb_err *err)
{
    const cJSON *item = item_of(scaling, key);
    uint64_t value;

    if (item == NULL)
        return true;
    if (!wb_json_whole(item, &value) || value < 1 || value > POSITIONS_MAX)
        return wb_fail(err, WB_EFORMAT, "%s of rope is not a number of positions", key);
    *out = (int)value;
    return true;
}

static bool read_list(const cJSON *scaling, const char *key, int n, struct wb_arena *arena,
                      const double **out, struct wb_err *err)
{
    const cJSON *list = item_of(scaling, key), *item;
    double *value;
    int i = 0;

    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) != n)
        return wb_fail(err, WB_EFORMAT, "%s of rope is not a list of %d numbers", key, n);
    value = wb_arena_calloc(arena, (size_t)n, sizeof *value);
    if (value == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %d numbers", n);
    cJSON_ArrayForEach(item, list) {
        if (!cJSON_IsNumber(item) || !(item->valuedouble > 0) || !isfinite(item->valuedouble))
            return wb_fail(err, WB_EFORMAT, "entry %d of %s is not a positive number", i, key);
        value[i++] = item->valuedouble;
    }
    *out = value;
    return true;
}

static bool read_type(const cJSON *scaling, enum wb_rope_type *out, const char **name,
                      struct wb_err *err)
{
    static const struct {
        const char *name;
        enum wb_rope_type type;
    } known[] = {
        { "default", WB_ROPE_DEFAULT }, { "linear", WB_ROPE_LINEAR },
        { "dynamic", WB_ROPE_DYNAMIC }, { "llama3", WB_ROPE_LLAMA3 },
        { "yarn", WB_ROPE_YARN },       { "longrope", WB_ROPE_LONG },
        { "su", WB_ROPE_LONG },
    };
    const cJSON *item = item_of(scaling, "rope_type");

    if (item == NULL)
        item = item_of(scaling, "type");
    *out = WB_ROPE_DEFAULT;
    *name = "default";
    if (item == NULL)
        return true;
    for (size_t i = 0; cJSON_IsString(item) && i < sizeof known / sizeof *known; i++)
        if (strcmp(item->valuestring, known[i].name) == 0) {
            *out = known[i].type;
            *name = known[i].name;
            return true;
        }
    return wb_fail(err, WB_EFORMAT,
                   "%s \"%.40s\" is not one of default, linear, dynamic, llama3, "
                   "yarn, longrope, su",
                   item->string, cJSON_IsString(item) ? item->valuestring : "");
}

/* Of all types: a key that does not belong to the type does no harm. */
static bool read_all(const cJSON *scaling, struct wb_rope_rule *r, struct wb_err *err)
{
    return read_number(scaling, "rope_theta", &r->base, err) &&
           read_number(scaling, "factor", &r->factor, err) &&
           read_number(scaling, "low_freq_factor", &r->low, err) &&
           read_number(scaling, "high_freq_factor", &r->high, err) &&
           read_number(scaling, "beta_fast", &r->beta_fast, err) &&
           read_number(scaling, "beta_slow", &r->beta_slow, err) &&
           read_number(scaling, "attention_factor", &r->attention_factor, err) &&
           read_number(scaling, "mscale", &r->mscale, err) &&
           read_number(scaling, "mscale_all_dim", &r->mscale_all, err) &&
           read_positions(scaling, "original_max_position_embeddings", &r->original, err);
}

static bool check_llama3(const struct wb_rope_rule *r, struct wb_err *err)
{
    if (!need(r->low > 0, "low_freq_factor", "llama3", err) ||
        !need(r->high > 0, "high_freq_factor", "llama3", err) ||
        !need(r->original > 0, "original_max_position_embeddings", "llama3", err))
        return false;
    return r->high > r->low ||
           wb_fail(err, WB_EFORMAT, "high_freq_factor %g of rope is not above low_freq_factor %g",
                   r->high, r->low);
}

static bool check(struct wb_rope_rule *r, const char *type, const cJSON *scaling,
                  struct wb_arena *arena, struct wb_err *err)
{
    bool stretched = r->type == WB_ROPE_YARN || r->type == WB_ROPE_LONG;

    if (r->type == WB_ROPE_DEFAULT)
        return true;
    if (stretched && r->original == 0)
        r->original = r->context;
    if (stretched && r->factor == 0 && r->original > 0 && r->context > 0)
        r->factor = (double)r->context / r->original;
    if (!need(r->factor > 0, "factor", type, err))
        return false;
    if (r->type == WB_ROPE_DYNAMIC && (r->context == 0 || r->dims < 4))
        return wb_fail(err, WB_EFORMAT, "rope of type dynamic over %d positions and %d dims",
                       r->context, r->dims);
    if (stretched && !need(r->original > 0, "original_max_position_embeddings", type, err))
        return false;
    if (r->type == WB_ROPE_LLAMA3)
        return check_llama3(r, err);
    if (r->type == WB_ROPE_YARN && !(r->base > 1))
        return wb_fail(err, WB_EFORMAT, "rope of type yarn with a base of %g", r->base);
    return r->type != WB_ROPE_LONG ||
           (read_list(scaling, "short_factor", r->dims / 2, arena, &r->short_factor, err) &&
            read_list(scaling, "long_factor", r->dims / 2, arena, &r->long_factor, err));
}

bool wb_rope_parse(const cJSON *scaling, double base, int dims, int context, struct wb_arena *arena,
                   struct wb_rope_rule *out, struct wb_err *err)
{
    const char *type;

    *out = (struct wb_rope_rule){
        .dims = dims, .base = base, .context = context, .beta_fast = 32, .beta_slow = 1
    };
    if (scaling != NULL && !cJSON_IsNull(scaling) && !cJSON_IsObject(scaling))
        return wb_fail(err, WB_EFORMAT, "%s is not an object",
                       scaling->string != NULL ? scaling->string : "rope_scaling");
    if (dims < 2 || dims % 2 != 0)
        return wb_fail(err, WB_EFORMAT, "rope over %d dims of a head: an even number is needed",
                       dims);
    if (!read_type(scaling, &out->type, &type, err) || !read_all(scaling, out, err) ||
        !check(out, type, scaling, arena, err))
        return false;
    out->exact_range = cJSON_IsFalse(item_of(scaling, "truncate"));
    return (out->base > 0 && isfinite(out->base)) ||
           wb_fail(err, WB_EFORMAT, "rope with a base of %g", out->base);
}

/* --- frequencies --- */

/* base^(-2 i / dims). */
static double plain(const struct wb_rope_rule *r, double base, int i)
{
    float exponent = (float)(2 * i) / (float)r->dims;

    return 1.0F / powf((float)base, exponent);
}

static double dynamic_base(const struct wb_rope_rule *r, size_t positions)
{
    double reach = positions > (size_t)r->context ? (double)positions : r->context;
    double stretch = r->factor * reach / r->context - (r->factor - 1);

    return r->base * pow(stretch, r->dims / (r->dims - 2.0));
}

static double llama3(const struct wb_rope_rule *r, double inv)
{
    double length = 2 * PI / inv, share;

    if (length > r->original / r->low)
        return inv / r->factor;
    if (length < r->original / r->high)
        return inv;
    share = (r->original / length - r->low) / (r->high - r->low);
    return (1 - share) * inv / r->factor + share * inv;
}

/* The dim that turns `rotations` times over the original context. */
static double yarn_dim(const struct wb_rope_rule *r, double rotations)
{
    return r->dims * log(r->original / (2 * PI * rotations)) / (2 * log(r->base));
}

static double yarn(const struct wb_rope_rule *r, double inv, int i)
{
    double low = yarn_dim(r, r->beta_fast), high = yarn_dim(r, r->beta_slow), ramp;

    low = fmax(r->exact_range ? low : floor(low), 0);
    high = fmin(r->exact_range ? high : ceil(high), r->dims - 1);
    if (low == high)
        high += 0.001;
    ramp = fmin(fmax((i - low) / (high - low), 0), 1);
    return inv / r->factor * ramp + inv * (1 - ramp);
}

static float frequency(const struct wb_rope_rule *r, size_t positions, int i)
{
    double inv = plain(r, r->base, i);

    switch (r->type) {
    case WB_ROPE_DEFAULT:
        break;
    case WB_ROPE_LINEAR:
        inv /= r->factor;
        break;
    case WB_ROPE_DYNAMIC:
        inv = plain(r, dynamic_base(r, positions), i);
        break;
    case WB_ROPE_LLAMA3:
        inv = llama3(r, inv);
        break;
    case WB_ROPE_YARN:
        inv = yarn(r, inv, i);
        break;
    case WB_ROPE_LONG:
        inv /= positions > (size_t)r->original ? r->long_factor[i] : r->short_factor[i];
        break;
    }
    return (float)inv;
}

static double yarn_scale(double factor, double mscale)
{
    return factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1;
}

static double attention_factor(const struct wb_rope_rule *r)
{
    if (r->type != WB_ROPE_YARN && r->type != WB_ROPE_LONG)
        return 1;
    if (r->attention_factor > 0)
        return r->attention_factor;
    if (r->type == WB_ROPE_LONG)
        return r->factor <= 1 || r->original < 2 ? 1 : sqrt(1 + log(r->factor) / log(r->original));
    if (r->mscale > 0 && r->mscale_all > 0)
        return yarn_scale(r->factor, r->mscale) / yarn_scale(r->factor, r->mscale_all);
    return yarn_scale(r->factor, 1);
}

void wb_rope_frequencies(const struct wb_rope_rule *rule, size_t positions, float *inv_freq,
                         float *factor)
{
    for (int i = 0; i < rule->dims / 2; i++)
        inv_freq[i] = frequency(rule, positions, i);
    *factor = (float)attention_factor(rule);
}

void wb_rope_table(const struct wb_rope_rule *rule, size_t positions, size_t first, size_t count,
                   float *cosine, float *sine)
{
    size_t half = (size_t)rule->dims / 2;
    float factor = (float)attention_factor(rule);

    for (size_t i = 0; i < half; i++) {
        float inv = frequency(rule, positions, (int)i);

        for (size_t p = 0; p < count; p++) {
            double angle = (float)(first + p) * inv;

            cosine[p * half + i] = (float)cos(angle) * factor;
            sine[p * half + i] = (float)sin(angle) * factor;
        }
    }
}
