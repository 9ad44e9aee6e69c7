/* app/store/ckpt.c - opening, indexing and reading checkpoints.
 *
 * A checkpoint is immutable once open, so any thread may read it: reads are pread on descriptors
 * that stay open until the last reference goes. Allocations are in proportion to the headers. */
#include "app/store/ckpt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/core/arena.h"
#include "app/core/io.h"
#include "app/core/json.h"
#include "app/store/safetensors.h"
#include "app/store/shards.h"

#define CONFIG_MAX_BYTES ((size_t)64 << 20)

struct wb_ckpt {
    atomic_uint refs;
    struct wb_arena arena; /* names, paths, metadata, warnings */
    const char *path, *dir;
    char *config;              /* owned */
    struct wb_ckpt_file *file; /* arena; file_count of them are open */
    int *fd;                   /* arena */
    size_t file_count;
    struct wb_tensor_info *tensor; /* owned */
    size_t count, cap;
    struct wb_tensor_info **by_name; /* owned; sorted with strcmp */
    struct wb_warnings warnings;
};

static bool no_memory(struct wb_err *err)
{
    return wb_fail(err, WB_ENOMEM, "no memory to open the checkpoint");
}

static void close_files(struct wb_ckpt *ck)
{
    for (size_t i = 0; i < ck->file_count; i++)
        close(ck->fd[i]);
    ck->file_count = 0;
}

/* A checkpoint may have more shards than the usual soft limit of 1024; the hard one is higher. */
static bool raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max)
        return false;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

/* Not blocking, so that a FIFO put in a file's place is refused and not waited for. */
static int open_quiet(const char *path)
{
    const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    int fd = open(path, flags);

    if (fd < 0 && errno == EMFILE && raise_file_limit())
        fd = open(path, flags);
    return fd;
}

/* "file: " in front; a long path keeps its end, so that the rule stays in the message. */
static bool wrap_file(const struct wb_ckpt_file *file, struct wb_err *err)
{
    char shown[WB_SHOWN_BYTES];

    return wb_wrap(err, "%s", wb_show_name(file->path, shown));
}

static bool identify(int fd, struct wb_ckpt_file *file, struct wb_err *err)
{
    uint8_t head[32];
    const char *foreign;
    struct stat st;
    size_t n;

    if (fstat(fd, &st) != 0)
        return wb_fail_errno(err, "its size");
    if (!S_ISREG(st.st_mode))
        return wb_fail(err, WB_EFORMAT, "not a regular file");
    file->bytes = (uint64_t)st.st_size;
    file->mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    file->device = st.st_dev;
    file->inode = st.st_ino;
    n = file->bytes < sizeof head ? (size_t)file->bytes : sizeof head;
    if (!wb_pread(fd, head, n, 0, err))
        return false;
    foreign = wb_shards_foreign(file->name, head, n);
    return foreign == NULL || wb_fail(err, WB_EFORMAT, "%s", foreign);
}

static bool add_tensors(struct wb_ckpt *ck, const struct wb_safetensors *st, unsigned file,
                        struct wb_err *err)
{
    struct wb_tensor_info *more;

    if (st->count > ck->cap - ck->count) {
        size_t cap = ck->count + (st->count > ck->count ? st->count : ck->count);

        more = realloc(ck->tensor, cap * sizeof *more);
        if (more == NULL)
            return no_memory(err);
        ck->tensor = more;
        ck->cap = cap;
    }
    for (size_t i = 0; i < st->count; i++) {
        ck->tensor[ck->count] = st->tensor[i];
        ck->tensor[ck->count++].file = file;
    }
    return true;
}

/* Open file number ck->file_count; after this it is counted, so close_files sees to it. */
static bool open_file(struct wb_ckpt *ck, const char *name, size_t *unknown, struct wb_err *err)
{
    unsigned i = (unsigned)ck->file_count;
    struct wb_ckpt_file *file = &ck->file[i];
    struct wb_safetensors st = { 0 };
    bool ok;

    file->name = name;
    file->path = strcmp(ck->dir, ".") == 0 && strcmp(ck->path, name) == 0
                     ? name
                     : wb_arena_printf(&ck->arena, "%s%s%s", ck->dir,
                                       ck->dir[strlen(ck->dir) - 1] == '/' ? "" : "/", name);
    if (file->path == NULL)
        return no_memory(err);
    ck->fd[i] = open_quiet(file->path);
    if (ck->fd[i] < 0)
        return wb_fail_errno(err, "%s", file->path);
    ck->file_count++;
    ok = identify(ck->fd[i], file, err) &&
         wb_safetensors_read(ck->fd[i], file->bytes, &ck->arena, &st, err);
    if (!ok)
        return wrap_file(file, err);
    file->header_bytes = st.header_bytes;
    file->header = st.header;
    file->metadata = st.metadata;
    *unknown += st.unknown_fields;
    ok = add_tensors(ck, &st, i, err);
    wb_safetensors_free(&st);
    return ok;
}

static bool open_files(struct wb_ckpt *ck, const struct wb_shards *shards, struct wb_err *err)
{
    size_t unknown = 0;

    ck->file = wb_arena_calloc(&ck->arena, shards->count, sizeof *ck->file);
    ck->fd = wb_arena_calloc(&ck->arena, shards->count, sizeof *ck->fd);
    if (ck->file == NULL || ck->fd == NULL)
        return no_memory(err);
    for (size_t i = 0; i < shards->count; i++)
        if (!open_file(ck, shards->name[i], &unknown, err))
            return false;
    if (unknown > 0)
        wb_warn(&ck->warnings, &ck->arena,
                "%zu fields of tensors in the headers are unknown and were ignored", unknown);
    return true;
}

static int compare_by_name(const void *a, const void *b)
{
    const struct wb_tensor_info *x = *(struct wb_tensor_info *const *)a;
    const struct wb_tensor_info *y = *(struct wb_tensor_info *const *)b;
    int order = strcmp(x->name, y->name);

    return order != 0 ? order : (x > y) - (x < y);
}

/* Sorted and not hashed: names chosen to collide cost nothing. A name in two shards is refused. */
static bool index_names(struct wb_ckpt *ck, struct wb_err *err)
{
    char shown[WB_SHOWN_BYTES];

    ck->by_name = realloc(ck->by_name, ck->count * sizeof *ck->by_name + 1);
    if (ck->by_name == NULL)
        return no_memory(err);
    for (size_t i = 0; i < ck->count; i++)
        ck->by_name[i] = &ck->tensor[i];
    if (ck->count > 0)
        qsort(ck->by_name, ck->count, sizeof *ck->by_name, compare_by_name);
    for (size_t i = 1; i < ck->count; i++)
        if (strcmp(ck->by_name[i - 1]->name, ck->by_name[i]->name) == 0)
            return wb_fail(err, WB_EFORMAT, "%s: tensor '%s' is in two shards, %s too",
                           ck->file[ck->by_name[i - 1]->file].path,
                           wb_show_name(ck->by_name[i]->name, shown),
                           ck->file[ck->by_name[i]->file].name);
    return true;
}

/* Every name of the index is in the shard it says; marks those tensors in `named`. */
static bool check_mapped(const struct wb_ckpt *ck, const struct wb_shards *shards, bool *named,
                         struct wb_err *err)
{
    char shown[WB_SHOWN_BYTES];

    for (size_t k = 0; k < shards->mapped; k++) {
        const struct wb_mapped *m = &shards->map[k];
        size_t i = wb_ckpt_find(ck, m->tensor);

        wb_show_name(m->tensor, shown);
        if (i == SIZE_MAX)
            return wb_fail(err, WB_EFORMAT, "%s: tensor '%s' is missing: %s/%s says it is there",
                           ck->file[m->shard].path, shown, shards->dir, shards->index);
        if (ck->tensor[i].file != m->shard)
            return wb_fail(
                err, WB_EFORMAT, "%s: tensor '%s' is missing: %s says it is there, it is in %s",
                ck->file[m->shard].path, shown, shards->index, ck->file[ck->tensor[i].file].name);
        named[i] = true;
    }
    return true;
}

/* Leave out what the index does not name. */
static void drop_unnamed(struct wb_ckpt *ck, const struct wb_shards *shards, const bool *named)
{
    char shown[WB_SHOWN_BYTES];
    size_t kept = 0, first = SIZE_MAX;

    for (size_t i = 0; i < ck->count; i++)
        if (!named[i] && first == SIZE_MAX)
            first = i;
    if (first == SIZE_MAX)
        return;
    wb_warn(&ck->warnings, &ck->arena,
            "%zu tensors are not in %s and are left out, such as '%s' of %s",
            ck->count - shards->mapped, shards->index, wb_show_name(ck->tensor[first].name, shown),
            ck->file[ck->tensor[first].file].name);
    for (size_t i = 0; i < ck->count; i++)
        if (named[i])
            ck->tensor[kept++] = ck->tensor[i];
    ck->count = kept;
}

static bool check_index(struct wb_ckpt *ck, const struct wb_shards *shards, struct wb_err *err)
{
    bool *named = calloc(ck->count + 1, sizeof *named);
    size_t before = ck->count;
    double bytes = 0;
    bool ok;

    if (named == NULL)
        return no_memory(err);
    ok = check_mapped(ck, shards, named, err);
    if (ok)
        drop_unnamed(ck, shards, named);
    free(named);
    if (!ok || (ck->count != before && !index_names(ck, err)))
        return false;
    for (size_t i = 0; i < ck->count; i++)
        bytes += (double)ck->tensor[i].bytes;
    if (shards->total_size >= 0 && shards->total_size != bytes)
        wb_warn(&ck->warnings, &ck->arena, "%s says %.0f bytes of tensors, there are %.0f",
                shards->index, shards->total_size, bytes);
    return true;
}

/* config.json beside the weights: JSON when it is there. */
static bool read_config(struct wb_ckpt *ck, struct wb_err *err)
{
    char *path = wb_path_join(ck->dir, "config.json");
    struct wb_err why;
    cJSON *root = NULL;
    size_t n;
    bool ok;

    if (path == NULL)
        return no_memory(err);
    ck->config = wb_read_file(path, CONFIG_MAX_BYTES, &n, &why);
    if (ck->config == NULL) {
        ok = why.code == WB_ENOTFOUND || wb_err_move(err, &why);
    } else {
        root = wb_json_parse(ck->config, n, err);
        ok =
            root != NULL && (cJSON_IsObject(root) || wb_fail(err, WB_EFORMAT, "not a JSON object"));
        if (!ok)
            wb_wrap(err, "%s", path);
    }
    cJSON_Delete(root);
    free(path);
    return ok;
}

static bool open_all(struct wb_ckpt *ck, const char *path, struct wb_err *err)
{
    struct wb_shards shards;

    ck->path = wb_arena_strdup(&ck->arena, path);
    if (ck->path == NULL)
        return no_memory(err);
    if (!wb_shards_find(path, &ck->arena, &shards, &ck->warnings, err))
        return false;
    ck->dir = shards.dir;
    return open_files(ck, &shards, err) && index_names(ck, err) &&
           (shards.map == NULL || check_index(ck, &shards, err)) && read_config(ck, err);
}

struct wb_ckpt *wb_ckpt_open(const char *path, struct wb_err *err)
{
    struct wb_ckpt *ck = calloc(1, sizeof *ck);

    if (ck == NULL) {
        no_memory(err);
        return NULL;
    }
    atomic_init(&ck->refs, 1);
    if (open_all(ck, path, err))
        return ck;
    wb_ckpt_unref(ck);
    return NULL;
}

struct wb_ckpt *wb_ckpt_ref(struct wb_ckpt *ck)
{
    atomic_fetch_add_explicit(&ck->refs, 1, memory_order_relaxed);
    return ck;
}

void wb_ckpt_unref(struct wb_ckpt *ck)
{
    if (ck == NULL || atomic_fetch_sub_explicit(&ck->refs, 1, memory_order_acq_rel) != 1)
        return;
    close_files(ck);
    free(ck->config);
    free(ck->tensor);
    free(ck->by_name);
    wb_arena_free(&ck->arena);
    free(ck);
}

size_t wb_ckpt_count(const struct wb_ckpt *ck)
{
    return ck->count;
}

const struct wb_tensor_info *wb_ckpt_info(const struct wb_ckpt *ck, size_t i)
{
    return &ck->tensor[i];
}

size_t wb_ckpt_find(const struct wb_ckpt *ck, const char *name)
{
    size_t low = 0, high = ck->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(name, ck->by_name[mid]->name);

        if (order == 0)
            return (size_t)(ck->by_name[mid] - ck->tensor);
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return SIZE_MAX;
}

size_t wb_ckpt_file_count(const struct wb_ckpt *ck)
{
    return ck->file_count;
}

const struct wb_ckpt_file *wb_ckpt_file(const struct wb_ckpt *ck, size_t i)
{
    return &ck->file[i];
}

const char *wb_ckpt_path(const struct wb_ckpt *ck)
{
    return ck->path;
}

const char *wb_ckpt_dir(const struct wb_ckpt *ck)
{
    return ck->dir;
}

const char *wb_ckpt_config(const struct wb_ckpt *ck)
{
    return ck->config;
}

size_t wb_ckpt_warning_count(const struct wb_ckpt *ck)
{
    return ck->warnings.count;
}

const char *wb_ckpt_warning(const struct wb_ckpt *ck, size_t i)
{
    return ck->warnings.text[i];
}

/* Compared at every read: a file that shrinks or grows under us gives no mixed result. */
static bool check_same_size(int fd, uint64_t bytes, struct wb_err *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return wb_fail_errno(err, "its size");
    return (uint64_t)st.st_size == bytes ||
           wb_fail(err, WB_EFORMAT,
                   "the file changed since it was opened: %jd bytes, it had %" PRIu64,
                   (intmax_t)st.st_size, bytes);
}

bool wb_ckpt_read(const struct wb_ckpt *ck, size_t i, uint64_t first, size_t n, void *dst,
                  struct wb_err *err)
{
    const struct wb_tensor_info *t = &ck->tensor[i];
    const struct wb_ckpt_file *file = &ck->file[t->file];
    char shown[WB_SHOWN_BYTES];
    bool ok;

    if (first > t->bytes || n > t->bytes - first)
        ok = wb_fail(err, WB_EARG, "%zu bytes from %" PRIu64 " on asked for, it has %" PRIu64, n,
                     first, t->bytes);
    else
        ok = check_same_size(ck->fd[t->file], file->bytes, err) &&
             wb_pread(ck->fd[t->file], dst, n, t->offset + first, err);
    if (!ok) {
        wb_wrap(err, "tensor '%s'", wb_show_name(t->name, shown));
        wrap_file(file, err);
    }
    return ok;
}

void wb_ckpt_will_need(const struct wb_ckpt *ck, size_t i)
{
    const struct wb_tensor_info *t = &ck->tensor[i];

    if (t->bytes > 0)
        posix_fadvise(ck->fd[t->file], (off_t)t->offset, (off_t)t->bytes, POSIX_FADV_WILLNEED);
}

bool wb_ckpt_unchanged(const struct wb_ckpt *ck)
{
    struct stat st;

    for (size_t i = 0; i < ck->file_count; i++) {
        const struct wb_ckpt_file *file = &ck->file[i];

        if (stat(file->path, &st) != 0 || (uint64_t)st.st_size != file->bytes ||
            (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec != file->mtime_ns ||
            st.st_dev != file->device || st.st_ino != file->inode)
            return false;
    }
    return true;
}
