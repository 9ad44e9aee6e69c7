/* app/store/shards.c - choosing files in a directory, and reading an index.
 *
 * Order of choice: model.safetensors.index.json, model.safetensors, another index, numbered shards,
 * the only .safetensors file. Mistral's consolidated*.safetensors repeats the content under other
 * names and is opened only when it is named. An index is hostile: its file names are plain names in
 * its directory. */
#include "app/store/shards.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/core/io.h"
#include "app/core/json.h"
#include "app/core/str.h"
#include "app/store/ckpt.h"
#include "app/store/safetensors.h"

#define INDEX_MAX_BYTES ((size_t)256 << 20)
#define SUFFIX ".safetensors"
#define INDEX_SUFFIX ".safetensors.index.json"
#define NAMES_TOLD 3

/* The files of a directory that matter here; names in the arena, sorted. */
struct listing {
    const char **name;
    size_t count, cap;
};

/* "BASE-00002-of-00003.safetensors" taken apart. */
struct numbered {
    size_t base; /* length of BASE */
    unsigned long k, n;
};

void wb_warn(struct wb_warnings *w, struct wb_arena *arena, const char *fmt, ...)
{
    char text[1000];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (w->count < WB_WARNINGS_MAX && (w->text[w->count] = wb_arena_strdup(arena, text)) != NULL)
        w->count++;
}

static bool no_memory(struct wb_err *err)
{
    return wb_fail(err, WB_ENOMEM, "no memory for the file names");
}

static bool ends_with(const char *text, const char *suffix)
{
    size_t n = strlen(text), k = strlen(suffix);

    return n >= k && memcmp(text + n - k, suffix, k) == 0;
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static int compare_names(const void *a, const void *b)
{
    return strverscmp(*(const char *const *)a, *(const char *const *)b);
}

const char *wb_shards_foreign(const char *name, const void *head, size_t n)
{
    if ((n >= 4 && memcmp(head, "GGUF", 4) == 0) || ends_with(name, ".gguf"))
        return "a GGUF file; this version reads safetensors only: take the model's safetensors "
               "files, or write them from this one with transformers "
               "(from_pretrained(dir, gguf_file=...), save_pretrained)";
    if ((n >= 4 && memcmp(head, "PK\3\4", 4) == 0) || ends_with(name, ".bin") ||
        ends_with(name, ".pt") || ends_with(name, ".pth") || ends_with(name, ".ckpt"))
        return "a PyTorch file; this version reads safetensors only: convert it with transformers "
               "(from_pretrained(dir), save_pretrained(out, safe_serialization=True))";
    if (n >= 19 && memcmp(head, "version https://git", 19) == 0)
        return "a Git LFS pointer, not the weights themselves: run 'git lfs pull' in its "
               "repository";
    return NULL;
}

/* Read a directory's names; a directory that changes meanwhile is a missing shard later. */
static bool list_dir(const char *dir, struct wb_arena *arena, struct listing *out,
                     struct wb_err *err)
{
    DIR *handle = opendir(dir);
    struct dirent *entry;
    const char **more;
    bool ok = true;

    if (handle == NULL)
        return wb_fail_errno(err, "%s", dir);
    while (ok && (entry = readdir(handle)) != NULL) {
        if (entry->d_name[0] == '.' ||
            (!ends_with(entry->d_name, SUFFIX) && !ends_with(entry->d_name, INDEX_SUFFIX) &&
             !ends_with(entry->d_name, ".gguf") && !ends_with(entry->d_name, ".bin") &&
             !ends_with(entry->d_name, ".pth")))
            continue;
        if (out->count == out->cap) {
            out->cap = 2 * out->cap + 16;
            more = realloc(out->name, out->cap * sizeof *more);
            ok = more != NULL || no_memory(err);
            out->name = ok ? more : out->name;
        }
        if (ok)
            ok = (out->name[out->count] = wb_arena_strdup(arena, entry->d_name)) != NULL ||
                 no_memory(err);
        out->count += ok;
    }
    closedir(handle);
    if (out->count > 0)
        qsort(out->name, out->count, sizeof *out->name, compare_names);
    return ok;
}

static bool has(const struct listing *l, const char *name)
{
    return l->count > 0 &&
           bsearch(&name, l->name, l->count, sizeof *l->name, compare_names) != NULL;
}

/* Is it one that a directory's choice may fall on? */
static bool is_weights(const char *name)
{
    return ends_with(name, SUFFIX) && !starts_with(name, "consolidated");
}

static const char *only_with(const struct listing *l, const char *suffix, size_t *found)
{
    const char *name = NULL;

    *found = 0;
    for (size_t i = 0; i < l->count; i++)
        if (ends_with(l->name[i], suffix) && !starts_with(l->name[i], "consolidated")) {
            name = l->name[i];
            ++*found;
        }
    return *found == 1 ? name : NULL;
}

/* ", x, y and 5 more" of what was collected for a message. */
static void add_name(struct wb_str *text, size_t *told, const char *name)
{
    char shown[WB_SHOWN_BYTES];

    if ((*told)++ < NAMES_TOLD)
        wb_str_printf(text, "%s%s", text->len > 0 ? ", " : "", wb_show_name(name, shown));
}

static const char *end_names(struct wb_str *text, size_t told)
{
    if (told > NAMES_TOLD)
        wb_str_printf(text, " and %zu more", told - NAMES_TOLD);
    return text->text != NULL ? text->text : "";
}

static bool parse_numbered(const char *name, struct numbered *out)
{
    const char *of = NULL, *p;
    char *end;

    for (p = strstr(name, "-of-"); p != NULL; p = strstr(p + 1, "-of-"))
        of = p;
    if (of == NULL || of[4] < '0' || of[4] > '9')
        return false;
    errno = 0;
    out->n = strtoul(of + 4, &end, 10);
    if (strcmp(end, SUFFIX) != 0)
        return false;
    for (p = of; p > name && p[-1] >= '0' && p[-1] <= '9'; p--)
        ;
    if (p == of || p == name || p[-1] != '-')
        return false;
    out->k = strtoul(p, NULL, 10);
    out->base = (size_t)(p - 1 - name);
    return errno == 0;
}

static bool same_series(const char *a, const struct numbered *x, const char *b,
                        const struct numbered *y)
{
    return x->base == y->base && x->n == y->n && memcmp(a, b, x->base) == 0;
}

/* The series of the first numbered file that is acceptable: "model-…" before others. */
static const char *choose_series(const struct listing *l, struct numbered *of, size_t *series)
{
    const char *chosen = NULL;
    struct numbered one;

    *series = 0;
    for (int pass = 0; pass < 2 && chosen == NULL; pass++)
        for (size_t i = 0; i < l->count; i++) {
            const char *name = l->name[i];

            if (!is_weights(name) || !parse_numbered(name, &one) ||
                (pass == 0 && (one.base != 5 || memcmp(name, "model", 5) != 0)))
                continue;
            if (chosen != NULL && same_series(name, &one, chosen, of))
                continue;
            if (chosen == NULL) {
                chosen = name;
                *of = one;
            }
            ++*series;
        }
    return chosen;
}

static bool take_one(struct wb_shards *out, struct wb_arena *arena, const char *name,
                     struct wb_err *err)
{
    out->name = wb_arena_calloc(arena, 1, sizeof *out->name);
    if (out->name == NULL)
        return no_memory(err);
    out->name[0] = name;
    out->count = 1;
    return true;
}

/* Numbered shards without an index: all of 1..n have to be there. */
static bool take_series(struct wb_shards *out, struct wb_arena *arena, const struct listing *l,
                        const char *chosen, const struct numbered *of, struct wb_err *err)
{
    char shown[WB_SHOWN_BYTES];
    struct numbered one;

    if (of->n == 0 || of->n > WB_SHARDS_MAX)
        return wb_fail(err, WB_EFORMAT, "%s: one of %lu shards, allowed are 1 to %d",
                       wb_show_name(chosen, shown), of->n, WB_SHARDS_MAX);
    out->name = wb_arena_calloc(arena, of->n, sizeof *out->name);
    if (out->name == NULL)
        return no_memory(err);
    for (size_t i = 0; i < l->count; i++)
        if (is_weights(l->name[i]) && parse_numbered(l->name[i], &one) &&
            same_series(l->name[i], &one, chosen, of) && one.k >= 1 && one.k <= of->n) {
            out->count += out->name[one.k - 1] == NULL;
            out->name[one.k - 1] = l->name[i];
        }
    for (size_t k = 0; k < of->n; k++)
        if (out->name[k] == NULL)
            return wb_fail(err, WB_ENOTFOUND,
                           "shard %zu of %lu (%.*s-%05zu-of-%05lu" SUFFIX ") is missing; "
                           "%zu are there",
                           k + 1, of->n, (int)of->base, chosen, k + 1, of->n, out->count);
    return true;
}

/* Plain names only: no directory parts, nothing hidden, nothing a terminal would act on. */
static bool check_shard_name(const char *name, struct wb_err *err)
{
    char shown[WB_SHOWN_BYTES];

    wb_show_name(name, shown);
    if (name[0] == '\0' || name[0] == '.' || strpbrk(name, "/\\") != NULL || strlen(name) > 255)
        return wb_fail(err, WB_EFORMAT,
                       "the file name '%s' is not a plain name in the same directory", shown);
    if (strcmp(name, shown) != 0)
        return wb_fail(err, WB_EFORMAT, "the file name '%s' has control characters", shown);
    if (wb_shards_foreign(name, "", 0) != NULL)
        return wb_fail(err, WB_EFORMAT, "'%s' is %s", shown, wb_shards_foreign(name, "", 0));
    return true;
}

/* The distinct file names of the map, sorted. */
static bool collect_names(struct wb_shards *out, struct wb_arena *arena, const cJSON *map,
                          struct wb_err *err)
{
    const cJSON *item;
    const char **all;
    size_t n = 0, kept = 0;
    char shown[WB_SHOWN_BYTES];

    cJSON_ArrayForEach(item, map) {
        if (!cJSON_IsString(item))
            return wb_fail(err, WB_EFORMAT,
                           "weight_map: tensor '%s': its file name is not a string",
                           wb_show_name(item->string, shown));
        if (!check_shard_name(item->valuestring, err))
            return wb_wrap(err, "weight_map: tensor '%s'", wb_show_name(item->string, shown));
        n++;
    }
    if (n == 0)
        return wb_fail(err, WB_EFORMAT, "weight_map is empty");
    all = malloc(n * sizeof *all);
    if (all == NULL)
        return no_memory(err);
    n = 0;
    cJSON_ArrayForEach(item, map)
        all[n++] = item->valuestring;
    qsort(all, n, sizeof *all, compare_names);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(all[i - 1], all[i]) != 0)
            all[kept++] = all[i];
    out->name = wb_arena_calloc(arena, kept, sizeof *out->name);
    for (size_t i = 0; out->name != NULL && i < kept; i++)
        if ((out->name[out->count++] = wb_arena_strdup(arena, all[i])) == NULL)
            out->name = NULL;
    free(all);
    if (kept > WB_SHARDS_MAX)
        return wb_fail(err, WB_EFORMAT, "weight_map names %zu files, more than %d", kept,
                       WB_SHARDS_MAX);
    return out->name != NULL || no_memory(err);
}

static bool collect_map(struct wb_shards *out, struct wb_arena *arena, const cJSON *map,
                        struct wb_err *err)
{
    const cJSON *item;
    const char **at, *key;

    out->map = wb_arena_calloc(arena, (size_t)cJSON_GetArraySize(map), sizeof *out->map);
    if (out->map == NULL)
        return no_memory(err);
    cJSON_ArrayForEach(item, map) {
        struct wb_mapped *m = &out->map[out->mapped++];

        key = item->valuestring;
        at = bsearch(&key, out->name, out->count, sizeof *out->name, compare_names);
        m->shard = (size_t)(at - out->name);
        m->tensor = wb_arena_strdup(arena, item->string);
        if (m->tensor == NULL)
            return no_memory(err);
    }
    return true;
}

static bool read_index(const char *path, struct wb_arena *arena, struct wb_shards *out,
                       struct wb_err *err)
{
    cJSON *root = wb_json_parse_file(path, INDEX_MAX_BYTES, err);
    const cJSON *map, *metadata;
    bool ok;

    if (root == NULL)
        return false;
    map = cJSON_GetObjectItemCaseSensitive(root, "weight_map");
    metadata = cJSON_GetObjectItemCaseSensitive(root, "metadata");
    out->total_size = wb_json_number(metadata, "total_size", -1);
    ok = (cJSON_IsObject(map) || wb_fail(err, WB_EFORMAT, "no weight_map object")) &&
         collect_names(out, arena, map, err) && collect_map(out, arena, map, err);
    cJSON_Delete(root);
    return ok || wb_wrap(err, "%s", path);
}

/* In a hub-cache snapshot, are there remains of a download beside the blobs? */
static bool download_unfinished(const char *dir)
{
    char *blobs = wb_path_join(dir, "../../blobs");
    DIR *handle = blobs != NULL ? opendir(blobs) : NULL;
    struct dirent *entry;
    bool found = false;

    while (handle != NULL && !found && (entry = readdir(handle)) != NULL)
        found = ends_with(entry->d_name, ".incomplete");
    if (handle != NULL)
        closedir(handle);
    free(blobs);
    return found;
}

/* All shards the index names exist; broken links count as missing. */
static bool check_present(const struct wb_shards *s, struct wb_err *err)
{
    struct wb_str text = { 0 };
    size_t missing = 0;
    struct stat st;

    for (size_t i = 0; i < s->count; i++) {
        char *path = wb_path_join(s->dir, s->name[i]);

        if (path == NULL) {
            wb_str_free(&text);
            return no_memory(err);
        }
        if (stat(path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR))
            add_name(&text, &missing, s->name[i]);
        free(path);
    }
    if (missing > 0)
        wb_fail(err, WB_ENOTFOUND, "%s/%s: %zu of its %zu shards missing: %s%s", s->dir, s->index,
                missing, s->count, end_names(&text, missing),
                download_unfinished(s->dir) ? " (an interrupted download: fetch the model again)"
                                            : "");
    wb_str_free(&text);
    return missing == 0;
}

/* A link out of the directory may bring in what is not the model's; the hub cache's are fine. */
static void warn_links(const struct wb_shards *s, struct wb_arena *arena,
                       struct wb_warnings *warnings)
{
    char *blobs = wb_path_join(s->dir, "../../blobs"), *home = realpath(s->dir, NULL);
    char *cache = blobs != NULL ? realpath(blobs, NULL) : NULL, *path, *real;
    struct wb_str text = { 0 };
    size_t told = 0, n;

    for (size_t i = 0; home != NULL && i < s->count; i++) {
        path = wb_path_join(s->dir, s->name[i]);
        real = path != NULL ? realpath(path, NULL) : NULL;
        n = real != NULL ? (size_t)(strrchr(real, '/') - real) : 0;
        if (real != NULL && (strlen(home) != n || memcmp(real, home, n) != 0) &&
            (cache == NULL || strlen(cache) != n || memcmp(real, cache, n) != 0))
            add_name(&text, &told, s->name[i]);
        free(real);
        free(path);
    }
    if (told > 0)
        wb_warn(warnings, arena, "shards that are links to another directory: %s",
                end_names(&text, told));
    wb_str_free(&text);
    free(blobs);
    free(home);
    free(cache);
}

static void warn_unused(const struct wb_shards *s, const struct listing *l, struct wb_arena *arena,
                        struct wb_warnings *warnings)
{
    struct wb_str text = { 0 };
    size_t told = 0, k = 0;

    for (size_t i = 0; i < l->count; i++) {
        while (k < s->count && compare_names(&s->name[k], &l->name[i]) < 0)
            k++;
        if (is_weights(l->name[i]) && (k == s->count || strcmp(s->name[k], l->name[i]) != 0) &&
            !starts_with(l->name[i], "adapter_model"))
            add_name(&text, &told, l->name[i]);
    }
    if (told > 0)
        wb_warn(warnings, arena, "not part of the checkpoint and not used: %s",
                end_names(&text, told));
    wb_str_free(&text);
}

static bool take_index(const char *name, struct wb_arena *arena, struct wb_shards *out,
                       struct wb_warnings *warnings, struct wb_err *err)
{
    char *path = wb_path_join(out->dir, name);
    bool ok = path != NULL ? read_index(path, arena, out, err) : no_memory(err);

    free(path);
    out->index = name;
    if (!ok || !check_present(out, err))
        return false;
    warn_links(out, arena, warnings);
    return true;
}

/* No safetensors to choose: say what is there instead. */
static bool nothing_here(const char *dir, const struct listing *l, struct wb_err *err)
{
    char shown[WB_SHOWN_BYTES];

    for (size_t i = 0; i < l->count; i++)
        if (wb_shards_foreign(l->name[i], "", 0) != NULL &&
            !starts_with(l->name[i], "training_args"))
            return wb_fail(err, WB_EFORMAT, "%s/%s: %s", dir, wb_show_name(l->name[i], shown),
                           wb_shards_foreign(l->name[i], "", 0));
    for (size_t i = 0; i < l->count; i++)
        if (starts_with(l->name[i], "consolidated"))
            return wb_fail(err, WB_ENOTFOUND,
                           "%s: only %s, in Mistral's own names: to open it, name that file", dir,
                           wb_show_name(l->name[i], shown));
    return wb_fail(err, WB_ENOTFOUND, "%s: no safetensors files in this directory%s", dir,
                   download_unfinished(dir) ? " (an interrupted download: fetch the model again)"
                                            : "");
}

static bool choose(const struct listing *l, struct wb_arena *arena, struct wb_shards *out,
                   struct wb_warnings *warnings, struct wb_err *err)
{
    const char *name;
    struct numbered of = { 0 };
    size_t indexes, series, files;

    if (has(l, "model" INDEX_SUFFIX))
        return take_index("model" INDEX_SUFFIX, arena, out, warnings, err);
    if (has(l, "model" SUFFIX))
        return take_one(out, arena, "model" SUFFIX, err);
    name = only_with(l, INDEX_SUFFIX, &indexes);
    if (name != NULL)
        return take_index(name, arena, out, warnings, err);
    name = choose_series(l, &of, &series);
    if (name != NULL && series == 1)
        return take_series(out, arena, l, name, &of, err) || wb_wrap(err, "%s", out->dir);
    if (name != NULL)
        return wb_fail(err, WB_EFORMAT,
                       "%s: several series of shards and no index: which one is meant?", out->dir);
    name = only_with(l, SUFFIX, &files);
    if (name != NULL)
        return take_one(out, arena, name, err);
    if (files > 1)
        return wb_fail(err, WB_EFORMAT,
                       "%s: %zu .safetensors files, none of them model.safetensors, and no index: "
                       "name the file itself",
                       out->dir, files);
    return nothing_here(out->dir, l, err);
}

static bool from_dir(const char *path, struct wb_arena *arena, struct wb_shards *out,
                     struct wb_warnings *warnings, struct wb_err *err)
{
    struct listing l = { 0 };
    bool ok;

    out->dir = wb_arena_strdup(arena, path);
    ok = out->dir != NULL ? list_dir(path, arena, &l, err) && choose(&l, arena, out, warnings, err)
                          : no_memory(err);
    if (ok)
        warn_unused(out, &l, arena, warnings);
    free(l.name);
    return ok;
}

bool wb_shards_find(const char *path, struct wb_arena *arena, struct wb_shards *out,
                    struct wb_warnings *warnings, struct wb_err *err)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    struct stat st;

    *out = (struct wb_shards){ .total_size = -1 };
    if (stat(path, &st) != 0)
        return wb_fail_errno(err, "%s", path);
    if (S_ISDIR(st.st_mode))
        return from_dir(path, arena, out, warnings, err);
    if (slash == NULL)
        out->dir = ".";
    else
        out->dir = wb_arena_strndup(arena, path, slash == path ? 1 : (size_t)(slash - path));
    name = wb_arena_strdup(arena, name);
    if (out->dir == NULL || name == NULL)
        return no_memory(err);
    if (ends_with(name, INDEX_SUFFIX))
        return take_index(name, arena, out, warnings, err);
    return take_one(out, arena, name, err);
}
