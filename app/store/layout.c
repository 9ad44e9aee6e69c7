/* app/store/layout.c - tensors into shards, shards into headers.
 *
 * FORMAT (formats.md, sections 1 and 2). A file is a 64-bit length, a JSON header padded with
 * spaces, and the tensors without gaps, in the order of the header. The padding makes the data
 * start at a multiple of 64 bytes. A shard is closed before the file would grow over the limit; the
 * sizes of header entries are taken for offsets as long as the limit, which is a few bytes too
 * many. */
#include "app/store/layout.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/json.h"
#include "app/core/str.h"
#include "app/store/ckpt.h"
#include "app/store/safetensors.h"

#define DATA_ALIGN 64u
#define METADATA_DEFAULT "{\"format\":\"pt\"}"

struct order_key {
    size_t index;
    unsigned bits;
};

static uint64_t pad_header(uint64_t json_bytes)
{
    return (8 + json_bytes + DATA_ALIGN - 1) / DATA_ALIGN * DATA_ALIGN;
}

/* "name" with its quotes and escapes; checks that it is one a reader takes. */
static const char *quote_name(struct wb_arena *arena, const char *name, struct wb_err *err)
{
    cJSON *value = NULL, *back = NULL;
    char *text = NULL;
    const char *quoted = NULL;

    if (name == NULL || name[0] == '\0' || strcmp(name, "__metadata__") == 0 ||
        strlen(name) > WB_NAME_MAX_BYTES) {
        wb_fail(err, WB_EARG, "'%.80s' cannot be the name of a tensor", name == NULL ? "" : name);
        return NULL;
    }
    value = cJSON_CreateStringReference(name);
    text = value == NULL ? NULL : cJSON_PrintUnformatted(value);
    if (text != NULL && (back = wb_json_parse(text, strlen(text), err)) == NULL)
        wb_wrap(err, "tensor name '%.80s'", name);
    else if (text == NULL || (quoted = wb_arena_strdup(arena, text)) == NULL)
        wb_fail(err, WB_ENOMEM, "no memory for a name");
    cJSON_Delete(value);
    cJSON_Delete(back);
    cJSON_free(text);
    return quoted;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool check_unique(const struct wb_layout *layout, struct wb_err *err)
{
    const char **name = malloc((layout->count + 1) * sizeof *name);
    bool ok = true;

    if (name == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu names", layout->count);
    for (size_t i = 0; i < layout->count; i++)
        name[i] = layout->slot[i].name;
    qsort(name, layout->count, sizeof *name, compare_names);
    for (size_t i = 1; ok && i < layout->count; i++)
        if (strcmp(name[i - 1], name[i]) == 0)
            ok = wb_fail(err, WB_EARG, "two tensors are called %.200s", name[i]);
    free(name);
    return ok;
}

static bool fill_slots(struct wb_layout *layout, const struct wb_out_tensor *tensor,
                       struct wb_err *err)
{
    for (size_t i = 0; i < layout->count; i++) {
        struct wb_layout_slot *slot = &layout->slot[i];

        slot->name = quote_name(&layout->arena, tensor[i].name, err);
        if (slot->name == NULL)
            return false;
        if (tensor[i].shape.ndim < 0 || tensor[i].shape.ndim > WB_DIMS_MAX ||
            !wb_shape_bytes(&tensor[i].shape, tensor[i].dtype, &slot->bytes))
            return wb_fail(err, WB_ESHAPE, "%.200s: its shape has no size in bytes", slot->name);
        if (__builtin_add_overflow(layout->data_bytes, slot->bytes, &layout->data_bytes) ||
            layout->data_bytes > INT64_MAX / 2)
            return wb_fail(err, WB_ESHAPE, "%.200s: the tensors exceed 2^62 bytes", slot->name);
    }
    return check_unique(layout, err);
}

/* The metadata as compact JSON, with the "format" that transformers insists on. */
static const char *clean_metadata(struct wb_arena *arena, const char *text, struct wb_err *err)
{
    cJSON *root = wb_json_parse(text, strlen(text), err), *item;
    const char *clean = NULL;
    char *print = NULL;
    bool ok = root != NULL;

    if (ok && !cJSON_IsObject(root))
        ok = wb_fail(err, WB_EARG, "not an object");
    cJSON_ArrayForEach(item, root)
        if (ok && !cJSON_IsString(item))
            ok = wb_fail(err, WB_EARG, "\"%.100s\" is not a string", item->string);
    if (ok && cJSON_GetObjectItemCaseSensitive(root, "format") == NULL)
        ok = cJSON_AddStringToObject(root, "format", "pt") != NULL;
    print = ok ? cJSON_PrintUnformatted(root) : NULL;
    if (print != NULL)
        clean = wb_arena_strdup(arena, print);
    if (ok && clean == NULL)
        wb_fail(err, WB_ENOMEM, "no memory");
    if (clean == NULL)
        wb_wrap(err, "metadata");
    cJSON_free(print);
    cJSON_Delete(root);
    return clean;
}

static void add_entry(struct wb_str *s, const struct wb_layout_slot *slot,
                      const struct wb_out_tensor *tensor, uint64_t begin, uint64_t end)
{
    wb_str_add(s, ",");
    wb_str_add(s, slot->name);
    wb_str_printf(s, ":{\"dtype\":\"%s\",\"shape\":[", wb_dtype_name(tensor->dtype));
    for (int d = 0; d < tensor->shape.ndim; d++)
        wb_str_printf(s, "%s%" PRIu64, d > 0 ? "," : "", tensor->shape.dim[d]);
    wb_str_printf(s, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", begin, end);
}

/* Say for every tensor in which shard it is. */
static bool cut_shards(struct wb_layout *layout, const struct wb_out_tensor *tensor, uint64_t limit,
                       const char *metadata, struct wb_err *err)
{
    size_t head = strlen("{\"__metadata__\":}") + strlen(metadata);
    uint64_t json = head, data = 0;
    struct wb_str entry = { 0 };
    size_t in_shard = 0;

    layout->shards = 1;
    for (size_t i = 0; i < layout->count && !entry.failed; i++) {
        struct wb_layout_slot *slot = &layout->slot[i];

        entry.len = 0;
        add_entry(&entry, slot, &tensor[i], limit, limit);
        if (in_shard > 0 && limit < UINT64_MAX &&
            (pad_header(json + entry.len) > WB_HEADER_MAX_BYTES ||
             pad_header(json + entry.len) + data + slot->bytes > limit)) {
            layout->shards++;
            json = head;
            data = 0;
            in_shard = 0;
        }
        json += entry.len;
        data += slot->bytes;
        in_shard++;
        slot->shard = layout->shards - 1;
    }
    wb_str_free(&entry);
    return !entry.failed || wb_fail(err, WB_ENOMEM, "no memory for a header");
}

static int compare_bits(const void *a, const void *b)
{
    const struct order_key *x = a, *y = b;

    if (x->bits != y->bits)
        return x->bits < y->bits ? 1 : -1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* Sort key[0..n) by falling element size if some tensor would not lie at a multiple of its own. */
static void align_order(struct order_key *key, size_t n, const struct wb_layout_slot *slot)
{
    uint64_t at = 0;
    bool aligned = true;

    for (size_t k = 0; k < n; k++) {
        aligned = aligned && (key[k].bits < 16 || at % (key[k].bits / 8) == 0);
        at += slot[key[k].index].bytes;
    }
    if (!aligned)
        qsort(key, n, sizeof *key, compare_bits);
}

/* Header and offsets of the shard that holds key[0..n). */
static bool fill_shard(struct wb_layout *layout, struct wb_layout_shard *shard,
                       const struct order_key *key, size_t n, const struct wb_out_tensor *tensor,
                       const char *metadata, struct wb_err *err)
{
    struct wb_str s = { 0 };
    uint64_t at = 0, json;

    wb_str_add_n(&s, "\0\0\0\0\0\0\0\0", 8);
    wb_str_printf(&s, "{\"__metadata__\":%s", metadata);
    for (size_t k = 0; k < n; k++) {
        struct wb_layout_slot *slot = &layout->slot[key[k].index];

        slot->offset = at;
        at += slot->bytes;
        add_entry(&s, slot, &tensor[key[k].index], slot->offset, at);
    }
    wb_str_add(&s, "}");
    while (s.len % DATA_ALIGN != 0 && !s.failed)
        wb_str_add(&s, " ");
    if (!s.failed) {
        json = s.len - 8;
        for (int b = 0; b < 8; b++)
            s.text[b] = (char)(json >> 8 * b & 0xff);
        shard->header = wb_arena_strndup(&layout->arena, s.text, s.len);
        shard->header_bytes = s.len;
        shard->bytes = s.len + at;
    }
    wb_str_free(&s);
    if (shard->header == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a header");
    if (shard->header_bytes - 8 > WB_HEADER_MAX_BYTES)
        return wb_fail(err, WB_EFORMAT,
                       "a header of %zu bytes, at most %" PRIu64 " may be; write shards",
                       shard->header_bytes - 8, WB_HEADER_MAX_BYTES);
    for (size_t k = 0; k < n; k++)
        layout->slot[key[k].index].offset += shard->header_bytes;
    return true;
}

static bool fill_shards(struct wb_layout *layout, const struct wb_out_tensor *tensor,
                        const char *metadata, struct wb_err *err)
{
    struct order_key *key = calloc(layout->count + 1, sizeof *key);
    bool ok = key != NULL || wb_fail(err, WB_ENOMEM, "no memory for %zu tensors", layout->count);

    for (size_t i = 0, s = 0; ok && s < layout->shards; s++) {
        size_t n = 0;

        for (; i < layout->count && layout->slot[i].shard == s; i++)
            key[n++] = (struct order_key){ .index = i, .bits = wb_dtype_bits(tensor[i].dtype) };
        align_order(key, n, layout->slot);
        ok = fill_shard(layout, &layout->shard[s], key, n, tensor, metadata, err);
        layout->bytes += ok ? layout->shard[s].bytes : 0;
    }
    free(key);
    return ok;
}

static bool name_shards(struct wb_layout *layout, const char *file_name, const char *stem,
                        struct wb_err *err)
{
    bool ok = true;

    for (size_t s = 0; s < layout->shards; s++) {
        if (file_name != NULL)
            layout->shard[s].name = wb_arena_strdup(&layout->arena, file_name);
        else if (layout->shards == 1)
            layout->shard[s].name = wb_arena_printf(&layout->arena, "%s.safetensors", stem);
        else
            layout->shard[s].name = wb_arena_printf(&layout->arena, "%s-%05zu-of-%05zu.safetensors",
                                                    stem, s + 1, layout->shards);
        ok = ok && layout->shard[s].name != NULL;
    }
    if (layout->shards > 1) {
        layout->index = wb_arena_printf(&layout->arena, "%s.safetensors.index.json", stem);
        ok = ok && layout->index != NULL;
    }
    return ok || wb_fail(err, WB_ENOMEM, "no memory for %zu file names", layout->shards);
}

static bool hash_layout(struct wb_layout *layout, struct wb_err *err)
{
    struct wb_hasher *h = wb_hasher_new();

    if (h == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a hash");
    for (size_t s = 0; s < layout->shards; s++) {
        wb_hasher_add(h, layout->shard[s].name, strlen(layout->shard[s].name) + 1);
        wb_hasher_add(h, layout->shard[s].header, layout->shard[s].header_bytes);
    }
    layout->hash = wb_hasher_get(h);
    wb_hasher_free(h);
    return true;
}

bool wb_layout_init(struct wb_layout *layout, const struct wb_writer_options *options,
                    const char *file_name, const struct wb_out_tensor *tensor, size_t count,
                    struct wb_err *err)
{
    uint64_t limit = options->shard_bytes == 0 ? WB_SHARD_BYTES_DEFAULT : options->shard_bytes;
    const char *metadata = options->metadata == NULL ? METADATA_DEFAULT : options->metadata;

    *layout = (struct wb_layout){ .count = count };
    layout->slot = wb_arena_calloc(&layout->arena, count + 1, sizeof *layout->slot);
    if (layout->slot == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu tensors", count);
    if (!fill_slots(layout, tensor, err))
        return false;
    metadata = clean_metadata(&layout->arena, metadata, err);
    if (metadata == NULL)
        return false;
    if (!cut_shards(layout, tensor, file_name != NULL ? UINT64_MAX : limit, metadata, err))
        return false;
    if (layout->shards > WB_SHARDS_MAX)
        return wb_fail(err, WB_EARG,
                       "shards of %" PRIu64 " bytes would be %zu files, at most %d may be", limit,
                       layout->shards, WB_SHARDS_MAX);
    layout->shard = wb_arena_calloc(&layout->arena, layout->shards, sizeof *layout->shard);
    if (layout->shard == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu shards", layout->shards);
    return fill_shards(layout, tensor, metadata, err) &&
           name_shards(layout, file_name, options->stem == NULL ? "model" : options->stem, err) &&
           hash_layout(layout, err);
}

char *wb_layout_index(const struct wb_layout *layout)
{
    struct wb_str s = { 0 };

    wb_str_printf(
        &s, "{\n  \"metadata\": {\n    \"total_size\": %" PRIu64 "\n  },\n  \"weight_map\": {",
        layout->data_bytes);
    for (size_t i = 0; i < layout->count; i++) {
        wb_str_add(&s, i > 0 ? ",\n    " : "\n    ");
        wb_str_add(&s, layout->slot[i].name);
        wb_str_printf(&s, ": \"%s\"", layout->shard[layout->slot[i].shard].name);
    }
    wb_str_add(&s, "\n  }\n}\n");
    if (s.failed)
        wb_str_free(&s);
    return s.text;
}

void wb_layout_free(struct wb_layout *layout)
{
    wb_arena_free(&layout->arena);
    *layout = (struct wb_layout){ 0 };
}

size_t wb_writer_layout(const struct wb_out_tensor *tensor, size_t count, uint64_t shard_bytes,
                        size_t *shard_of, uint64_t *bytes, struct wb_err *err)
{
    struct wb_writer_options options = { .shard_bytes = shard_bytes };
    struct wb_layout layout;
    size_t shards = 0;

    if (wb_layout_init(&layout, &options, NULL, tensor, count, err)) {
        for (size_t i = 0; i < count; i++)
            shard_of[i] = layout.slot[i].shard;
        *bytes = layout.bytes;
        shards = layout.shards;
    }
    wb_layout_free(&layout);
    return shards;
}
