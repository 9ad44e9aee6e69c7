/* app/store/writer.c - shards that are laid out first, filled in any order, and renamed into place.
 *
 * THREADS. put and done may be called from any thread: offsets are fixed at open, a put is one
 * pwrite, a done is one appended journal line. Everything else belongs to the thread that opened
 * the writer. */
#include "app/store/writer.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/core/io.h"
#include "app/core/parallel.h"
#include "app/core/str.h"
#include "app/store/journal.h"
#include "app/store/layout.h"
#include "app/store/outfiles.h"
#include "app/store/place.h"

#define VERIFY_BYTES ((size_t)1 << 20)   /* read at a time when taking up a run */
#define COPY_MAX_BYTES ((size_t)1 << 30) /* of a small file */

struct out_state {
    atomic_bool done;
    struct wb_hash hash; /* written before done */
};

struct small_file {
    struct small_file *next;
    char *name;
};

struct wb_writer {
    struct wb_place place;
    struct wb_layout layout;
    struct out_state *state; /* one a tensor */
    struct wb_outfiles files;
    int journal; /* -1 when closed; also the lock */
    struct small_file *small;
    bool force;
};

/* Opening and closing */

static bool is_own_name(const struct wb_layout *layout, const char *name)
{
    bool own = layout->index != NULL && strcmp(name, layout->index) == 0;

    for (size_t s = 0; s < layout->shards && !own; s++)
        own = strcmp(name, layout->shard[s].name) == 0;
    return own || strcmp(name, WB_JOURNAL_NAME) == 0;
}

/* Remove what an earlier run left in the part directory, all but the journal and, if asked, the
 * shards. */
static bool sweep(const struct wb_writer *w, bool keep_shards, struct wb_err *err)
{
    DIR *dir = opendir(w->place.part);
    struct dirent *entry;
    bool ok = dir != NULL || wb_fail_errno(err, "%s", w->place.part);

    while (ok && (entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name;
        char *path;

        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
            strcmp(name, WB_JOURNAL_NAME) == 0 || (keep_shards && is_own_name(&w->layout, name)))
            continue;
        path = wb_path_join(w->place.part, name);
        ok = path == NULL ? wb_fail(err, WB_ENOMEM, "no memory") : wb_remove_tree(path, err);
        free(path);
    }
    if (dir != NULL)
        closedir(dir);
    return ok;
}

static bool open_files(struct wb_writer *w, struct wb_err *err)
{
    return wb_outfiles_open(&w->files, &w->layout, w->place.part, err) ||
           wb_wrap(err, "%s", w->place.out);
}

/* Taking up a run */

struct check_job {
    struct wb_writer *w;
    const struct wb_journal_entry *entry;
    atomic_size_t next;
};

/* Does tensor i on disk hash to what the journal says? Anything else counts as not written. */
static bool check_tensor(const struct wb_writer *w, size_t i, struct wb_hash want,
                         struct wb_hasher *hasher, void *buf)
{
    const struct wb_layout_slot *slot = &w->layout.slot[i];

    wb_hasher_reset(hasher);
    for (uint64_t at = 0; at < slot->bytes;) {
        size_t n = slot->bytes - at < VERIFY_BYTES ? (size_t)(slot->bytes - at) : VERIFY_BYTES;

        if (!wb_pread(w->files.fd[slot->shard], buf, n, slot->offset + at, NULL))
            return false;
        wb_hasher_add(hasher, buf, n);
        at += n;
    }
    return wb_hash_equal(wb_hasher_get(hasher), want);
}

static void check_tensors(void *ctx, int worker)
{
    struct check_job *job = ctx;
    struct wb_hasher *hasher = wb_hasher_new();
    void *buf = malloc(VERIFY_BYTES);
    size_t i;

    (void)worker;
    while (hasher != NULL && buf != NULL &&
           (i = atomic_fetch_add(&job->next, 1)) < job->w->layout.count)
        if (job->entry[i].done && check_tensor(job->w, i, job->entry[i].hash, hasher, buf)) {
            job->w->state[i].hash = job->entry[i].hash;
            atomic_store(&job->w->state[i].done, true);
        }
    wb_hasher_free(hasher);
    free(buf);
}

/* *found: the journal is of this very run, and what it names and the disk has is marked as done. */
static bool try_resume(struct wb_writer *w, struct wb_hash plan, bool *found, struct wb_err *err)
{
    struct check_job job = { .w = w };
    struct wb_journal_entry *entry = calloc(w->layout.count + 1, sizeof *entry);
    enum wb_journal_state state = WB_JOURNAL_EMPTY;
    bool ok =
        entry != NULL || wb_fail(err, WB_ENOMEM, "no memory for %zu tensors", w->layout.count);

    ok = ok &&
         wb_journal_load(w->journal, plan, w->layout.hash, entry, w->layout.count, &state, err);
    if (ok && state == WB_JOURNAL_OTHER)
        ok = wb_fail(err, WB_EARG,
                     "%s was left by a run with another pipeline, other sources or other "
                     "options; leave --resume away to start anew",
                     w->place.part);
    *found = ok && state == WB_JOURNAL_SAME;
    if (*found)
        ok = sweep(w, true, err) && open_files(w, err);
    if (*found && ok) {
        job.entry = entry;
        wb_parallel(wb_cpu_count(), check_tensors, &job);
    }
    free(entry);
    return ok;
}

static bool start_anew(struct wb_writer *w, struct wb_hash plan, struct wb_err *err)
{
    /* The first line comes last: a journal that has it stands beside shards that are laid out. */
    if (ftruncate(w->journal, 0) != 0)
        return wb_fail_errno(err, "%s", WB_JOURNAL_NAME);
    return sweep(w, false, err) && open_files(w, err) &&
           wb_journal_start(w->journal, plan, w->layout.hash, w->layout.count, err);
}

static bool open_part(struct wb_writer *w, const struct wb_writer_options *options,
                      struct wb_err *err)
{
    bool found = false, ok;

    if (!wb_place_check(&w->place, w->force, err) || !wb_make_dirs(w->place.parent, err))
        return false;
    w->journal = wb_journal_open(w->place.part, err);
    if (w->journal < 0)
        return false;
    ok = wb_place_check(&w->place, w->force, err); /* again: another run may have just ended */
    if (ok && options->resume && !try_resume(w, options->plan, &found, err))
        return false;
    if (!found)
        ok = ok && start_anew(w, options->plan, err);
    if (!ok)
        wb_writer_discard(w);
    return ok;
}

static bool init(struct wb_writer *w, const struct wb_writer_options *options,
                 const struct wb_out_tensor *tensor, size_t count, struct wb_err *err)
{
    w->force = options->force;
    w->journal = -1;
    if (!wb_place_init(&w->place, options->dir, err) ||
        !wb_layout_init(&w->layout, options, w->place.one_file ? w->place.name : NULL, tensor,
                        count, err))
        return false;
    w->state = calloc(count + 1, sizeof *w->state);
    return w->state != NULL || wb_fail(err, WB_ENOMEM, "no memory for %zu tensors", count);
}

struct wb_writer *wb_writer_open(const struct wb_writer_options *options,
                                 const struct wb_out_tensor *tensor, size_t count,
                                 struct wb_err *err)
{
    struct wb_writer *w = calloc(1, sizeof *w);

    if (w == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for a writer");
        return NULL;
    }
    if (init(w, options, tensor, count, err) && open_part(w, options, err))
        return w;
    wb_writer_close(w);
    return NULL;
}

static void close_files(struct wb_writer *w)
{
    wb_outfiles_close(&w->files);
    if (w->journal >= 0)
        close(w->journal);
    w->journal = -1;
}

void wb_writer_discard(struct wb_writer *w)
{
    if (w->journal >= 0) /* the lock is ours until close_files */
        wb_remove_tree(w->place.part, NULL);
    close_files(w);
}

void wb_writer_close(struct wb_writer *w)
{
    struct small_file *next;

    if (w == NULL)
        return;
    close_files(w);
    for (struct small_file *f = w->small; f != NULL; f = next) {
        next = f->next;
        free(f->name);
        free(f);
    }
    free(w->state);
    wb_layout_free(&w->layout);
    wb_place_free(&w->place);
    free(w);
}

/* Tensors */

bool wb_writer_put(struct wb_writer *w, size_t i, uint64_t first, const void *bytes, size_t n,
                   struct wb_err *err)
{
    const struct wb_layout_slot *slot = &w->layout.slot[i];

    assert(i < w->layout.count && first <= slot->bytes && n <= slot->bytes - first);
    return wb_outfiles_put(&w->files, slot->shard, slot->offset + first, bytes, n, err) ||
           wb_wrap(err, "%.200s", slot->name);
}

bool wb_writer_done(struct wb_writer *w, size_t i, struct wb_hash hash, struct wb_err *err)
{
    assert(i < w->layout.count);
    if (!wb_journal_add(w->journal, i, hash, err))
        return wb_wrap(err, "%s", w->place.part);
    w->state[i].hash = hash;
    atomic_store(&w->state[i].done, true);
    return true;
}

bool wb_writer_is_done(const struct wb_writer *w, size_t i, struct wb_hash *hash)
{
    assert(i < w->layout.count);
    if (!atomic_load(&w->state[i].done))
        return false;
    if (hash != NULL)
        *hash = w->state[i].hash;
    return true;
}

/* Small files */

static bool check_name(const struct wb_writer *w, const char *name, struct wb_err *err)
{
    bool ok = name[0] != '\0' && strlen(name) <= 255 && strcmp(name, ".") != 0 &&
              strcmp(name, "..") != 0 && !is_own_name(&w->layout, name);

    for (const char *p = name; *p != '\0'; p++)
        ok = ok && *p != '/' && *p != '\\' && (unsigned char)*p >= ' ' && *p != 0x7f;
    return ok || wb_fail(err, WB_EARG, "'%.100s' is not a name for a file of the output", name);
}

/* Note a name for the sync at the end. */
static bool remember(struct wb_writer *w, const char *name, struct wb_err *err)
{
    struct small_file *f = malloc(sizeof *f);

    if (f != NULL)
        *f = (struct small_file){ .next = w->small, .name = strdup(name) };
    if (f == NULL || f->name == NULL) {
        free(f);
        return wb_fail(err, WB_ENOMEM, "no memory for a name");
    }
    w->small = f;
    return true;
}

/* Begun for all of them before the end of one is waited for: then they share that wait. */
static void start_sync(int fd)
{
#if defined(__linux__)
    sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* a hint */
#else
    (void)fd;
#endif
}

static bool write_small(struct wb_writer *w, const char *name, const void *bytes, size_t n,
                        struct wb_err *err)
{
    char *path = wb_path_join(w->place.part, name);
    bool ok = false;
    int fd;

    if (path == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory");
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0)
        wb_fail_errno(err, "%s", path);
    else if (!wb_pwrite(fd, bytes, n, 0, err))
        wb_wrap(err, "%s", path);
    else
        ok = remember(w, name, err);
    if (ok)
        start_sync(fd);
    if (fd >= 0 && close(fd) != 0 && ok)
        ok = wb_fail_errno(err, "%s", path);
    free(path);
    return ok;
}

bool wb_writer_add_file(struct wb_writer *w, const char *name, const void *bytes, size_t n,
                        struct wb_err *err)
{
    if (!check_name(w, name, err))
        return false;
    return w->place.one_file ||
           write_small(w, name, bytes, n, err); /* one file has no others beside it */
}

bool wb_writer_copy_file(struct wb_writer *w, const char *path, struct wb_err *err)
{
    const char *slash = strrchr(path, '/');
    size_t n;
    char *text;
    bool ok;

    if (w->place.one_file)
        return true;
    text = wb_read_file(path, COPY_MAX_BYTES, &n, err);
    if (text == NULL)
        return false;
    ok = wb_writer_add_file(w, slash == NULL ? path : slash + 1, text, n, err);
    free(text);
    return ok;
}

/* What the layout says */

size_t wb_writer_shard_count(const struct wb_writer *w)
{
    return w->layout.shards;
}

const char *wb_writer_shard_name(const struct wb_writer *w, size_t shard)
{
    return w->layout.shard[shard].name;
}

uint64_t wb_writer_shard_bytes(const struct wb_writer *w, size_t shard)
{
    return w->layout.shard[shard].bytes;
}

void wb_writer_shard_header(const struct wb_writer *w, size_t shard, char sha256[65])
{
    wb_sha256(w->layout.shard[shard].header, w->layout.shard[shard].header_bytes, sha256);
}

size_t wb_writer_tensor_shard(const struct wb_writer *w, size_t i)
{
    return w->layout.slot[i].shard;
}

uint64_t wb_writer_bytes(const struct wb_writer *w)
{
    return w->layout.bytes;
}

const char *wb_writer_part_dir(const struct wb_writer *w)
{
    return w->place.part;
}

/* Finishing */

static bool check_complete(const struct wb_writer *w, struct wb_err *err)
{
    size_t missing = 0, first = 0;

    for (size_t i = w->layout.count; i-- > 0;)
        if (!atomic_load(&w->state[i].done)) {
            missing++;
            first = i;
        }
    return missing == 0 ||
           wb_fail(err, WB_EARG, "%zu of %zu tensors were not written, %.200s the first", missing,
                   w->layout.count, w->layout.slot[first].name);
}

static bool write_index(struct wb_writer *w, struct wb_err *err)
{
    char *text = wb_layout_index(&w->layout);
    bool ok = text != NULL ? write_small(w, w->layout.index, text, strlen(text), err)
                           : wb_fail(err, WB_ENOMEM, "no memory for the index");

    free(text);
    return ok;
}

static bool sync_small(const struct wb_writer *w, const char *name, struct wb_err *err)
{
    char *path = wb_path_join(w->place.part, name);
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;

    if (!ok)
        wb_fail_errno(err, "%s/%s", w->place.part, name);
    if (fd >= 0)
        close(fd);
    free(path);
    return ok;
}

static bool sync_all(const struct wb_writer *w, struct wb_err *err)
{
    if (!wb_outfiles_sync(&w->files, err))
        return false;
    for (const struct small_file *f = w->small; f != NULL; f = f->next)
        if (!sync_small(w, f->name, err))
            return false;
    return wb_sync_dir(w->place.part, err);
}

/* The journal goes last: while the rename has not happened, a resume is possible. */
static bool drop_journal(struct wb_writer *w, struct wb_err *err)
{
    char *path;
    bool ok;

    if (w->place.one_file)
        return wb_remove_tree(w->place.part, err);
    path = wb_path_join(w->place.out, WB_JOURNAL_NAME);
    if (path == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory");
    ok = unlink(path) == 0 || wb_fail_errno(err, "removing %s", path);
    free(path);
    return ok;
}

bool wb_writer_finish(struct wb_writer *w, struct wb_err *err)
{
    if (!check_complete(w, err) || (w->layout.index != NULL && !write_index(w, err)) ||
        !sync_all(w, err) || !wb_place_publish(&w->place, w->force, err) || !drop_journal(w, err))
        return false;
    close_files(w);
    return !w->force || wb_place_remove_old(&w->place, err);
}
