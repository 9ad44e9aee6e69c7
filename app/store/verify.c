/* app/store/verify.c - a checkpoint against its weightbench.json.
 *
 * Files first (there, size, header), then one queue of tasks for all threads: SHA-256 of whole
 * files where the manifest has one, XXH3-128 of every tensor. Each file is read on its own, so
 * that one broken file does not hide the state of the others. Files that the manifest does not name
 * do no harm, but for weights: a loader may prefer them to ours. */
#include "app/store/manifest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/core/hash.h"
#include "app/core/io.h"
#include "app/core/json.h"
#include "app/core/parallel.h"
#include "app/store/safetensors.h"

#define MANIFEST_MAX_BYTES ((size_t)1 << 28)
#define READ_BYTES ((size_t)1 << 20)

struct task {
    size_t file;   /* index into verify.out */
    size_t tensor; /* of the file; SIZE_MAX: the SHA-256 of the file */
    const char *want;
    bool ok;
    char problem[300];
};

/* An open file of tensors; fd is -1 when it is none, or broken. */
struct shard {
    int fd;
    struct wb_safetensors st;
    struct wb_arena arena;
};

struct verify {
    const char *dir;
    struct wb_verify *out;
    cJSON *root;
    const cJSON *files, *tensors; /* of root */
    size_t file_count;            /* of the manifest; out may get more */
    struct shard *shard;          /* one a file */
    const cJSON **item;           /* the manifest's tensors, by name */
    bool *seen;
    size_t item_count;
    struct task *task;
    size_t task_count, task_cap;
    atomic_size_t next;
};

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Note a problem; a file keeps its first. */
static void blame(struct wb_verify *out, size_t file, const char *problem)
{
    struct wb_verify_file *f = &out->file[file];

    if (f->ok)
        snprintf(f->problem, sizeof f->problem, "%.299s", problem);
    f->ok = false;
    out->ok = false;
}

static bool add_result(struct wb_verify *out, const char *name, const char *problem,
                       struct wb_err *err)
{
    struct wb_verify_file *more = realloc(out->file, (out->count + 1) * sizeof *more);

    if (more == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu files", out->count + 1);
    out->file = more;
    more[out->count] = (struct wb_verify_file){ .ok = true };
    snprintf(more[out->count].name, sizeof more->name, "%s", name);
    out->count++;
    if (problem != NULL)
        blame(out, out->count - 1, problem);
    return true;
}

/* The manifest */

static int compare_items(const void *a, const void *b)
{
    return strcmp((*(const cJSON *const *)a)->string, (*(const cJSON *const *)b)->string);
}

static int compare_name(const void *name, const void *item)
{
    return strcmp(name, (*(const cJSON *const *)item)->string);
}

static bool index_tensors(struct verify *v, struct wb_err *err)
{
    const cJSON *item;
    size_t n = (size_t)cJSON_GetArraySize(v->tensors);

    v->item = malloc((n + 1) * sizeof *v->item);
    v->seen = calloc(n + 1, sizeof *v->seen);
    if (v->item == NULL || v->seen == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu tensors", n);
    cJSON_ArrayForEach(item, v->tensors)
        v->item[v->item_count++] = item;
    qsort(v->item, n, sizeof *v->item, compare_items);
    return true;
}

static bool load(struct verify *v, struct wb_err *err)
{
    char *path = wb_path_join(v->dir, WB_MANIFEST_NAME);
    bool ok;

    if (path == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory");
    v->root = wb_json_parse_file(path, MANIFEST_MAX_BYTES, err);
    v->files = cJSON_GetObjectItemCaseSensitive(v->root, "files");
    v->tensors = cJSON_GetObjectItemCaseSensitive(v->root, "tensors");
    ok = v->root != NULL;
    if (ok && (!cJSON_IsArray(v->files) || !cJSON_IsObject(v->tensors)))
        ok = wb_fail(err, WB_EFORMAT, "%s: no \"files\" and \"tensors\" in it", path);
    free(path);
    v->file_count = ok ? (size_t)cJSON_GetArraySize(v->files) : 0;
    v->shard = calloc(v->file_count + 1, sizeof *v->shard);
    if (v->shard == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu files", v->file_count);
    for (size_t i = 0; i < v->file_count; i++)
        v->shard[i].fd = -1;
    return ok && index_tensors(v, err);
}

/* Files */

static bool add_task(struct verify *v, size_t file, size_t tensor, const char *want,
                     struct wb_err *err)
{
    if (v->task_count == v->task_cap) {
        size_t cap = v->task_cap == 0 ? 256 : 2 * v->task_cap;
        struct task *more = realloc(v->task, cap * sizeof *more);

        if (more == NULL)
            return wb_fail(err, WB_ENOMEM, "no memory for %zu tensors", cap);
        v->task = more;
        v->task_cap = cap;
    }
    v->task[v->task_count++] = (struct task){ .file = file, .tensor = tensor, .want = want };
    return true;
}

static bool check_size(const char *path, const cJSON *entry, struct wb_err *err)
{
    struct stat st;
    uint64_t bytes;

    if (!wb_json_whole(cJSON_GetObjectItemCaseSensitive(entry, "bytes"), &bytes))
        return wb_fail(err, WB_EFORMAT, "the manifest does not say its size");
    if (stat(path, &st) != 0)
        return errno == ENOENT ? wb_fail(err, WB_ENOTFOUND, "missing")
                               : wb_fail_errno(err, "unreadable");
    if (!S_ISREG(st.st_mode))
        return wb_fail(err, WB_EFORMAT, "not a regular file");
    return (uint64_t)st.st_size == bytes ||
           wb_fail(err, WB_EFORMAT, "%jd bytes instead of %" PRIu64, (intmax_t)st.st_size, bytes);
}

/* Read the header of a file of tensors; the descriptor stays open when it is sound. */
static bool open_shard(struct shard *shard, const char *path, const cJSON *entry,
                       struct wb_err *err)
{
    const char *want = wb_json_text(entry, "header_sha256", NULL);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    char have[65];

    if (fd < 0 || fstat(fd, &st) != 0) {
        wb_fail_errno(err, "unreadable");
    } else if (wb_safetensors_read(fd, (uint64_t)st.st_size, &shard->arena, &shard->st, err)) {
        if (want == NULL || (wb_sha256_file(path, 0, shard->st.header_bytes, have, err) &&
                             (strcmp(have, want) == 0 ||
                              wb_fail(err, WB_EFORMAT, "its header is not the one written"))))
            shard->fd = fd;
    }
    if (fd >= 0 && shard->fd != fd)
        close(fd);
    return shard->fd >= 0;
}

static void close_shard(struct shard *shard)
{
    if (shard->fd >= 0)
        close(shard->fd);
    wb_safetensors_free(&shard->st);
    wb_arena_free(&shard->arena);
}

/* Size and header of one file. */
static bool check_file(const struct verify *v, const cJSON *entry, const char *name,
                       struct shard *shard, struct wb_err *err)
{
    char *path;
    bool ok;

    if (name[0] == '\0' || strchr(name, '/') != NULL || strcmp(name, "..") == 0)
        return wb_fail(err, WB_EFORMAT, "not a file name");
    path = wb_path_join(v->dir, name);
    ok = path == NULL ? wb_fail(err, WB_ENOMEM, "no memory") : check_size(path, entry, err);
    if (ok && ends_with(name, ".safetensors"))
        ok = open_shard(shard, path, entry, err);
    free(path);
    return ok;
}

/* A task for every tensor of one shard; those that the manifest does not know are a problem at
 * once. */
static bool add_tensors(struct verify *v, size_t file, struct wb_err *err)
{
    const struct wb_safetensors *st = &v->shard[file].st;
    char problem[300];

    for (size_t i = 0; i < st->count; i++) {
        const char *name = st->tensor[i].name;
        const cJSON **item = bsearch(name, v->item, v->item_count, sizeof *v->item, compare_name);

        if (item == NULL) {
            snprintf(problem, sizeof problem, "%.200s: not a tensor of the manifest", name);
            blame(v->out, file, problem);
        } else if (v->seen[item - v->item]) {
            snprintf(problem, sizeof problem, "%.200s: in another file as well", name);
            blame(v->out, file, problem);
        } else {
            v->seen[item - v->item] = true;
            if (!add_task(v, file, i, cJSON_IsString(*item) ? (*item)->valuestring : "", err))
                return false;
        }
    }
    return true;
}

static bool check_files(struct verify *v, struct wb_err *err)
{
    const cJSON *entry;
    size_t i = 0;

    cJSON_ArrayForEach(entry, v->files) {
        const char *name = wb_json_text(entry, "name", "");
        const char *sha = wb_json_text(entry, "sha256", NULL);
        struct wb_err problem;

        if (!add_result(v->out, name, NULL, err))
            return false;
        if (!check_file(v, entry, name, &v->shard[i], &problem))
            blame(v->out, i, problem.msg);
        else if (sha != NULL && !add_task(v, i, SIZE_MAX, sha, err))
            return false;
        i++;
    }
    for (i = 0; i < v->file_count; i++)
        if (v->shard[i].fd >= 0 && !add_tensors(v, i, err))
            return false;
    return true;
}

/* Hashes */

static bool hash_tensor(int fd, const struct wb_tensor_info *info, void *buf,
                        struct wb_hasher *hasher, struct wb_hash *hash, struct wb_err *err)
{
    wb_hasher_reset(hasher);
    for (uint64_t at = 0; at < info->bytes;) {
        size_t n = info->bytes - at < READ_BYTES ? (size_t)(info->bytes - at) : READ_BYTES;

        if (!wb_pread(fd, buf, n, info->offset + at, err))
            return wb_wrap(err, "%.200s", info->name);
        wb_hasher_add(hasher, buf, n);
        at += n;
    }
    *hash = wb_hasher_get(hasher);
    return true;
}

static bool check_tensor(const struct shard *shard, size_t i, const char *digits, void *buf,
                         struct wb_hasher *hasher, struct wb_err *err)
{
    const struct wb_tensor_info *info = &shard->st.tensor[i];
    struct wb_hash want, have;

    if (!wb_hash_parse(digits, &want))
        return wb_fail(err, WB_EFORMAT, "%.200s: no hash in the manifest", info->name);
    return hash_tensor(shard->fd, info, buf, hasher, &have, err) &&
           (wb_hash_equal(want, have) ||
            wb_fail(err, WB_EFORMAT, "%.200s: not the bytes that were written", info->name));
}

static bool check_sha256(const char *dir, const char *name, const char *want, struct wb_err *err)
{
    char *path = wb_path_join(dir, name);
    struct stat st;
    char have[65];
    bool ok = path != NULL && stat(path, &st) == 0;

    if (!ok)
        wb_fail_errno(err, "unreadable");
    ok = ok && wb_sha256_file(path, 0, (uint64_t)st.st_size, have, err) &&
         (strcmp(have, want) == 0 ||
          wb_fail(err, WB_EFORMAT, "not the bytes that were written (SHA-256)"));
    free(path);
    return ok;
}

static void run_tasks(void *ctx, int worker)
{
    struct verify *v = ctx;
    struct wb_hasher *hasher = wb_hasher_new();
    void *buf = malloc(READ_BYTES);
    struct wb_err err;
    size_t i;

    (void)worker;
    while (hasher != NULL && buf != NULL && (i = atomic_fetch_add(&v->next, 1)) < v->task_count) {
        struct task *t = &v->task[i];

        t->ok = t->tensor == SIZE_MAX
                    ? check_sha256(v->dir, v->out->file[t->file].name, t->want, &err)
                    : check_tensor(&v->shard[t->file], t->tensor, t->want, buf, hasher, &err);
        if (!t->ok)
            snprintf(t->problem, sizeof t->problem, "%.299s", err.msg);
    }
    wb_hasher_free(hasher);
    free(buf);
}

/* The whole */

static int is_weights(const struct dirent *entry)
{
    return ends_with(entry->d_name, ".safetensors") ||
           ends_with(entry->d_name, ".safetensors.index.json");
}

static bool check_extra(struct verify *v, struct wb_err *err)
{
    struct dirent **list = NULL;
    int n = scandir(v->dir, &list, is_weights, alphasort);
    bool ok = n >= 0 || wb_fail_errno(err, "%s", v->dir);

    for (int i = 0; i < n; i++) {
        bool known = false;

        for (size_t k = 0; k < v->file_count && !known; k++)
            known = strcmp(v->out->file[k].name, list[i]->d_name) == 0;
        if (!known)
            ok = ok && add_result(v->out, list[i]->d_name,
                                  "weights that the manifest does not name", err);
        free(list[i]);
    }
    free(list);
    return ok;
}

/* What no single file is to blame for, once all of them are sound: that together they are the
 * checkpoint. */
static bool check_whole(struct verify *v, struct wb_err *err)
{
    struct wb_err problem = { 0 };
    struct wb_ckpt *ck;

    if (!v->out->ok)
        return true;
    for (size_t i = 0; i < v->item_count && problem.code == WB_OK; i++)
        if (!v->seen[i])
            wb_fail(&problem, WB_ENOTFOUND, "%.200s: in none of the files", v->item[i]->string);
    if (problem.code == WB_OK) {
        ck = wb_ckpt_open(v->dir, &problem);
        if (ck != NULL && wb_ckpt_count(ck) != v->item_count)
            wb_fail(&problem, WB_EFORMAT, "the checkpoint opens with %zu tensors instead of %zu",
                    wb_ckpt_count(ck), v->item_count);
        wb_ckpt_unref(ck);
    }
    return problem.code == WB_OK || add_result(v->out, WB_MANIFEST_NAME, problem.msg, err);
}

static bool verify(struct verify *v, int threads, struct wb_err *err)
{
    if (!load(v, err) || !check_files(v, err))
        return false;
    wb_parallel(threads, run_tasks, v);
    if (v->next < v->task_count)
        return wb_fail(err, WB_ENOMEM, "no memory for a block");
    for (size_t i = 0; i < v->task_count; i++)
        if (!v->task[i].ok)
            blame(v->out, v->task[i].file, v->task[i].problem);
    return check_extra(v, err) && check_whole(v, err);
}

bool wb_verify(const char *dir, int threads, struct wb_verify *out, struct wb_err *err)
{
    struct verify v = { .dir = dir, .out = out };
    bool ok;

    *out = (struct wb_verify){ .ok = true };
    ok = verify(&v, threads, err);
    for (size_t i = 0; v.shard != NULL && i < v.file_count; i++)
        close_shard(&v.shard[i]);
    free(v.shard);
    free(v.item);
    free(v.seen);
    free(v.task);
    cJSON_Delete(v.root);
    if (!ok)
        wb_verify_free(out);
    return ok;
}

void wb_verify_free(struct wb_verify *v)
{
    free(v->file);
    *v = (struct wb_verify){ 0 };
}
