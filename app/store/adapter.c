/* app/store/adapter.c - reading PEFT LoRA adapters (formats.md section 5).
 *
 * The configuration says how strong the change is, the tensors' names say where it goes. What would
 * need more than adding a scaled product or replacing a tensor is refused by its name: a silent
 * approximation is worse than a message. */
#include "app/store/adapter.h"

#include <math.h>
#include <regex.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/arena.h"
#include "app/core/io.h"
#include "app/core/json.h"
#include "app/store/safetensors.h"

#define CONFIG_MAX_BYTES ((size_t)16 << 20)
#define PATTERN_MAX_BYTES 256
#define RANK_MAX 1000000

/* One row of rank_pattern or alpha_pattern. */
struct pattern {
    const char *key; /* borrowed from the configuration */
    bool plain;      /* a tail of a module's name, and no regular expression */
    regex_t re;
    double value;
};

struct table {
    struct pattern *row; /* arena */
    size_t count;
};

struct wb_adapter {
    struct wb_ckpt *ck;
    cJSON *config;
    struct wb_arena arena;
    struct wb_adapter_part *part; /* arena */
    size_t count;
    double rank, alpha;
    struct table ranks, alphas;
    bool rslora, fan_in_fan_out;
};

/* What a tensor's name makes of it. */
enum kind { KIND_A, KIND_B, KIND_SAVED };

struct half {
    const char
        *module; /* "model.layers.0.self_attn.q_proj"; for KIND_SAVED the tensor's own name */
    enum kind kind;
    bool embedding;
    size_t tensor;
};

static bool no_memory(struct wb_err *err)
{
    return wb_fail(err, WB_ENOMEM, "no memory to open the adapter");
}

/* Is the field set to something: not absent, null, false, "", [] or {}? */
static bool is_set(const cJSON *config, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(config, key);

    if (v == NULL || cJSON_IsNull(v) || cJSON_IsFalse(v))
        return false;
    if (cJSON_IsString(v))
        return v->valuestring[0] != '\0';
    return (!cJSON_IsArray(v) && !cJSON_IsObject(v)) || v->child != NULL;
}

/* Kinds of LoRA that are more than W + s B A. */
static bool refuse_kinds(const cJSON *config, struct wb_err *err)
{
    static const struct {
        const char *key, *what;
    } rows[] = {
        { "use_dora", "DoRA (weight-decomposed, with magnitude vectors)" },
        { "lora_bias", "a bias on the B matrices" },
        { "layer_replication", "layers that are repeated" },
        { "target_parameters", "LoRA on parameters that are no modules" },
        { "trainable_token_indices", "single trained token embeddings" },
        { "alora_invocation_tokens", "an adapter that is active only behind certain tokens" },
        { "arrow_config", "routing between adapters" },
        { "use_qalora", "QALoRA (pooled inputs)" },
    };
    static const char *const inits[] = { "pissa", "olora", "corda", "loftq", "lora_ga" };
    const char *type = wb_json_text(config, "peft_type", NULL);
    const char *init = wb_json_text(config, "init_lora_weights", "");
    char shown[WB_SHOWN_BYTES];

    if (type == NULL)
        return wb_fail(err, WB_EFORMAT, "no peft_type");
    if (strcmp(type, "LORA") != 0)
        return wb_fail(err, WB_EFORMAT,
                       "peft_type %s cannot be applied to weights here, only LORA can",
                       wb_show_name(type, shown));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (is_set(config, rows[i].key))
            return wb_fail(err, WB_EFORMAT, "%s: %s is not supported", rows[i].key, rows[i].what);
    for (size_t i = 0; i < sizeof inits / sizeof inits[0]; i++)
        if (strncmp(init, inits[i], strlen(inits[i])) == 0)
            return wb_fail(err, WB_EFORMAT,
                           "init_lora_weights: %s changes the base model's weights: convert the "
                           "adapter to a plain LoRA first",
                           wb_show_name(init, shown));
    return true;
}

static bool read_numbers(struct wb_adapter *ad, struct wb_err *err)
{
    const cJSON *rank = cJSON_GetObjectItemCaseSensitive(ad->config, "r");
    uint64_t whole;

    ad->alpha = wb_json_number(ad->config, "lora_alpha", NAN);
    if (!wb_json_whole(rank, &whole) || whole < 1 || whole > RANK_MAX)
        return wb_fail(err, WB_EFORMAT, "r is not a whole number from 1 to %d", RANK_MAX);
    if (!isfinite(ad->alpha))
        return wb_fail(err, WB_EFORMAT, "lora_alpha is not a number");
    ad->rank = (double)whole;
    ad->rslora = is_set(ad->config, "use_rslora");
    ad->fan_in_fan_out = is_set(ad->config, "fan_in_fan_out");
    return true;
}

static bool is_plain(const char *key)
{
    return key[strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.")] ==
           '\0';
}

/* PEFT's re.match("(.*\.)?(KEY)$", module) for a plain key: a whole tail of the module's path. */
static bool match_tail(const char *key, const char *module)
{
    size_t n = strlen(key), m = strlen(module);

    if (n > m || (n < m && module[m - n - 1] != '.'))
        return false;
    for (size_t i = 0; i < n; i++)
        if (key[i] != '.' && key[i] != module[m - n + i]) /* a dot is any character */
            return false;
    return true;
}

/* The same for a regular expression. Only what POSIX has too is taken, without repeat counts and
 * back-references, which a hostile file could make take for ever. */
static bool compile_pattern(const char *key, regex_t *re)
{
    char text[6 * PATTERN_MAX_BYTES];
    char *out = stpcpy(text, "^(.*\\.)?(");

    if (strlen(key) > PATTERN_MAX_BYTES || strchr(key, '{') != NULL || strstr(key, "(?") != NULL ||
        strstr(key, "*?") != NULL || strstr(key, "+?") != NULL || strstr(key, "??") != NULL)
        return false;
    for (const char *p = key; *p != '\0'; p++) {
        bool escaped = *p == '\\';

        if (escaped)
            p++;
        if (!escaped || *p == '-' || *p == '_') {
            *out++ = *p;
        } else if (*p == 'd') {
            out = stpcpy(out, "[0-9]");
        } else if (*p != '\0' && strchr(".*+?()[]|^$\\w", *p) != NULL) {
            *out++ = '\\';
            *out++ = *p;
        } else {
            return false;
        }
    }
    strcpy(out, ")$");
    return regcomp(re, text, REG_EXTENDED | REG_NOSUB) == 0;
}

static void free_table(struct table *t)
{
    for (size_t i = 0; i < t->count; i++)
        if (!t->row[i].plain)
            regfree(&t->row[i].re);
    t->count = 0;
}

/* rank_pattern or alpha_pattern. */
static bool read_table(struct wb_adapter *ad, const char *name, struct table *t, struct wb_err *err)
{
    const cJSON *rows = cJSON_GetObjectItemCaseSensitive(ad->config, name), *row;
    char shown[WB_SHOWN_BYTES];

    if (rows == NULL || cJSON_IsNull(rows))
        return true;
    if (!cJSON_IsObject(rows))
        return wb_fail(err, WB_EFORMAT, "%s is not an object", name);
    t->row = wb_arena_calloc(&ad->arena, (size_t)cJSON_GetArraySize(rows) + 1, sizeof *t->row);
    if (t->row == NULL)
        return no_memory(err);
    cJSON_ArrayForEach(row, rows) {
        struct pattern *p = &t->row[t->count];

        *p = (struct pattern){ .key = row->string,
                               .plain = is_plain(row->string),
                               .value = row->valuedouble };
        if (!cJSON_IsNumber(row) || !isfinite(p->value))
            return wb_fail(err, WB_EFORMAT, "%s: the value of \"%s\" is not a number", name,
                           wb_show_name(p->key, shown));
        if (!p->plain && !compile_pattern(p->key, &p->re))
            return wb_fail(err, WB_EFORMAT,
                           "%s: the pattern \"%s\" is beyond what is understood here", name,
                           wb_show_name(p->key, shown));
        t->count++;
    }
    return true;
}

/* The value of the first pattern that matches, else the fallback. */
static double table_value(const struct table *t, const char *module, double fallback)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct pattern *p = &t->row[i];

        if (p->plain ? match_tail(p->key, module) : regexec(&p->re, module, 0, NULL, 0) == 0)
            return p->value;
    }
    return fallback;
}

static bool read_config(struct wb_adapter *ad, const char *dir, struct wb_err *err)
{
    char *path = wb_path_join(dir, "adapter_config.json");
    bool ok;

    if (path == NULL)
        return no_memory(err);
    if (!wb_is_dir(dir)) {
        free(path);
        return wb_fail(err, WB_ENOTFOUND, "%s: no directory of a PEFT adapter", dir);
    }
    ad->config = wb_json_parse_file(path, CONFIG_MAX_BYTES, err);
    if (ad->config == NULL) {
        if (err != NULL && err->code == WB_ENOTFOUND)
            wb_wrap(err, "no PEFT adapter");
        free(path);
        return false;
    }
    ok = (cJSON_IsObject(ad->config) || wb_fail(err, WB_EFORMAT, "not a JSON object")) &&
         refuse_kinds(ad->config, err) && read_numbers(ad, err) &&
         read_table(ad, "rank_pattern", &ad->ranks, err) &&
         read_table(ad, "alpha_pattern", &ad->alphas, err);
    if (!ok)
        wb_wrap(err, "%s", path);
    free(path);
    return ok;
}

static bool open_weights(struct wb_adapter *ad, const char *dir, struct wb_err *err)
{
    static const char *const names[] = { "adapter_model.safetensors",
                                         "adapter_model.safetensors.index.json",
                                         "adapter_model.bin" };
    char *path;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        path = wb_path_join(dir, names[i]);
        if (path == NULL)
            return no_memory(err);
        if (wb_is_dir(path) || wb_is_file(path)) {
            ad->ck = wb_ckpt_open(path, err);
            free(path);
            return ad->ck != NULL;
        }
        free(path);
    }
    return wb_fail(err, WB_ENOTFOUND, "%s: no adapter_model.safetensors", dir);
}

/* Cut name before `mark` when behind it comes only `tail`, or one part (the adapter's name) and
 * `tail`: "X.lora_A.weight", "X.lora_A.default.weight". */
static bool cut_at(char *name, const char *mark, const char *tail)
{
    char *at = strstr(name, mark), *rest;
    size_t n;

    if (at == NULL || at == name)
        return false;
    rest = at + strlen(mark);
    if (strcmp(rest, tail) != 0) {
        if (rest[0] != '.')
            return false;
        n = 1 + strcspn(rest + 1, ".");
        if (n == 1 || strcmp(rest + n, tail) != 0)
            return false;
    }
    *at = '\0';
    return true;
}

/* Take `part` out of name where it stands; `named` takes the adapter's name behind it as well. */
static void take_out(char *name, const char *part, bool named)
{
    char *at = strstr(name, part), *rest;

    if (at == NULL)
        return;
    rest = at + strlen(part);
    if (named && rest[0] == '.' && strchr(rest + 1, '.') != NULL)
        rest = strchr(rest + 1, '.');
    memmove(at, rest, strlen(rest) + 1);
}

static bool classify(const char *tensor, struct wb_arena *arena, struct half *out,
                     struct wb_err *err)
{
    static const char prefix[] = "base_model.model.";
    char *name;

    if (strncmp(tensor, prefix, sizeof prefix - 1) == 0)
        tensor += sizeof prefix - 1;
    name = wb_arena_strdup(arena, tensor);
    if (name == NULL)
        return no_memory(err);
    out->module = name;
    out->embedding = strstr(name, ".lora_embedding_") != NULL;
    out->kind = KIND_A;
    if (cut_at(name, ".lora_A", ".weight") || cut_at(name, ".lora_embedding_A", ""))
        return true;
    out->kind = KIND_B;
    if (cut_at(name, ".lora_B", ".weight") || cut_at(name, ".lora_embedding_B", ""))
        return true;
    if (strstr(name, ".lora_magnitude_vector") != NULL)
        return wb_fail(err, WB_EFORMAT, "DoRA magnitude vectors are not supported");
    if (strstr(name, ".lora_B.") != NULL && strstr(name, ".bias") != NULL)
        return wb_fail(err, WB_EFORMAT, "a bias on the B matrix (lora_bias) is not supported");
    if (strstr(name, "lora_") != NULL || strstr(name, "trainable_tokens") != NULL)
        return wb_fail(err, WB_EFORMAT, "not a part of an adapter that can be applied to weights");
    out->kind = KIND_SAVED;
    take_out(name, ".modules_to_save",
             strstr(name, ".modules_to_save.weight") == NULL &&
                 strstr(name, ".modules_to_save.bias") == NULL);
    take_out(name, ".base_layer", false);
    return true;
}

static bool find_scale(const struct wb_adapter *ad, const char *module, uint64_t rows,
                       double *scale, struct wb_err *err)
{
    double rank = table_value(&ad->ranks, module, ad->rank);
    double alpha = table_value(&ad->alphas, module, ad->alpha);

    if (!(rank >= 1) || (double)rows != rank)
        return wb_fail(err, WB_ESHAPE, "A has %llu rows, the configuration says r = %g",
                       (unsigned long long)rows, rank);
    *scale = ad->rslora ? alpha / sqrt(rank) : alpha / rank;
    return true;
}

static bool check_pair(const struct wb_tensor_info *a, const struct wb_tensor_info *b,
                       struct wb_err *err)
{
    char left[200], right[200];

    wb_shape_format(&a->shape, left, sizeof left);
    wb_shape_format(&b->shape, right, sizeof right);
    if (a->shape.ndim != 2 || b->shape.ndim != 2)
        return wb_fail(err, WB_ESHAPE,
                       "A %s and B %s: only matrices can be applied (no convolutions)", left,
                       right);
    if (a->shape.dim[0] != b->shape.dim[1])
        return wb_fail(err, WB_ESHAPE, "A %s and B %s do not fit: A's rows have to be B's columns",
                       left, right);
    if (!wb_dtype_computable(a->dtype) || !wb_dtype_computable(b->dtype))
        return wb_fail(err, WB_ESHAPE, "A is %s and B %s: not types to compute with",
                       wb_dtype_name(a->dtype), wb_dtype_name(b->dtype));
    return true;
}

static bool add_pair(struct wb_adapter *ad, const struct half *a, const struct half *b,
                     struct wb_err *err)
{
    const struct wb_tensor_info *left = wb_ckpt_info(ad->ck, a->tensor);
    struct wb_adapter_part *part = &ad->part[ad->count++];

    *part = (struct wb_adapter_part){
        .target = wb_arena_printf(&ad->arena, "%s.weight", a->module),
        .a = a->tensor,
        .b = b->tensor,
        .transposed = a->embedding || ad->fan_in_fan_out,
    };
    if (part->target == NULL)
        return no_memory(err);
    return check_pair(left, wb_ckpt_info(ad->ck, b->tensor), err) &&
           find_scale(ad, a->module, left->shape.dim[0], &part->scale, err);
}

static int compare_halves(const void *a, const void *b)
{
    const struct half *x = a, *y = b;
    int order = strcmp(x->module, y->module);

    if (order == 0)
        order = (x->embedding > y->embedding) - (x->embedding < y->embedding);
    if (order == 0)
        order = (x->kind > y->kind) - (x->kind < y->kind);
    return order != 0 ? order : (x->tensor > y->tensor) - (x->tensor < y->tensor);
}

/* Replacements first, so that a saved module is there before a product is added to it; then by
 * file. */
static int compare_parts(const void *a, const void *b)
{
    const struct wb_adapter_part *x = a, *y = b;

    if (x->replace != y->replace)
        return x->replace ? -1 : 1;
    return (x->a > y->a) - (x->a < y->a);
}

/* Sorted halves: every A is followed by its B. */
static bool pair_up(struct wb_adapter *ad, const struct half *half, size_t n, struct wb_err *err)
{
    char shown[WB_SHOWN_BYTES];

    for (size_t i = 0; i < n; i++) {
        const struct half *h = &half[i], *next = i + 1 < n ? &half[i + 1] : NULL;
        bool same =
            next != NULL && strcmp(next->module, h->module) == 0 && next->embedding == h->embedding;

        wb_show_name(wb_ckpt_info(ad->ck, h->tensor)->name, shown);
        if (same && next->kind == h->kind)
            return wb_fail(err, WB_EFORMAT, "tensor '%s': a second one for the same module", shown);
        if (h->kind == KIND_SAVED) {
            ad->part[ad->count++] = (struct wb_adapter_part){
                .target = h->module, .replace = true, .a = h->tensor, .b = h->tensor, .scale = 1
            };
        } else if (h->kind == KIND_B) {
            return wb_fail(err, WB_EFORMAT, "tensor '%s': a B without its A", shown);
        } else if (!same || next->kind != KIND_B) {
            return wb_fail(err, WB_EFORMAT, "tensor '%s': an A without its B", shown);
        } else {
            if (!add_pair(ad, h, next, err))
                return wb_wrap(err, "tensor '%s'", shown);
            i++;
        }
    }
    return true;
}

static bool build_parts(struct wb_adapter *ad, struct wb_err *err)
{
    size_t n = wb_ckpt_count(ad->ck);
    struct half *half = malloc(n * sizeof *half + 1);
    char shown[WB_SHOWN_BYTES];
    bool ok;

    ad->part = wb_arena_calloc(&ad->arena, n + 1, sizeof *ad->part);
    ok = (half != NULL && ad->part != NULL) || no_memory(err);
    if (ok && n == 0)
        ok = wb_fail(err, WB_EFORMAT, "no tensors: an empty adapter");
    for (size_t i = 0; ok && i < n; i++) {
        half[i].tensor = i;
        ok = classify(wb_ckpt_info(ad->ck, i)->name, &ad->arena, &half[i], err) ||
             wb_wrap(err, "tensor '%s'", wb_show_name(wb_ckpt_info(ad->ck, i)->name, shown));
    }
    if (ok) {
        qsort(half, n, sizeof *half, compare_halves);
        ok = pair_up(ad, half, n, err);
    }
    free(half);
    if (ok)
        qsort(ad->part, ad->count, sizeof *ad->part, compare_parts);
    return ok || wb_wrap(err, "%s", wb_ckpt_path(ad->ck));
}

struct wb_adapter *wb_adapter_open(const char *dir, struct wb_err *err)
{
    struct wb_adapter *ad = calloc(1, sizeof *ad);

    if (ad == NULL)
        no_memory(err);
    else if (read_config(ad, dir, err) && open_weights(ad, dir, err) && build_parts(ad, err))
        return ad;
    wb_adapter_close(ad);
    return NULL;
}

void wb_adapter_close(struct wb_adapter *ad)
{
    if (ad == NULL)
        return;
    free_table(&ad->ranks);
    free_table(&ad->alphas);
    wb_ckpt_unref(ad->ck);
    cJSON_Delete(ad->config);
    wb_arena_free(&ad->arena);
    free(ad);
}

struct wb_ckpt *wb_adapter_ckpt(const struct wb_adapter *ad)
{
    return ad->ck;
}

size_t wb_adapter_count(const struct wb_adapter *ad)
{
    return ad->count;
}

const struct wb_adapter_part *wb_adapter_part(const struct wb_adapter *ad, size_t i)
{
    return &ad->part[i];
}
