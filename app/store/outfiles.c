/* app/store/outfiles.c - files that get their space first and their bytes in any order.
 *
 * SPEED. Writing into space taken by fallocate is faster than growing a file, and a full disk shows
 * at once. Large outputs go past the page cache where the file system allows it (stage.h): they would
 * push out the sources, and copying into pages costs as much as all arithmetic of a merge. Otherwise
 * whoever completes a window of a file starts its write-back, so that the disk works while the rest
 * is computed and the fsync at the end finds little left to do (tests/bench/writer.c). */
#include "app/store/outfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/core/io.h"

#define WINDOW_BYTES ((uint64_t)8 << 20) /* of write-back */
#define SPARE_FILES 256                  /* descriptors left for everyone else */
/* From here on past the page cache: what is smaller is read again soon, and written soon. */
#define STAGED_MIN_BYTES ((uint64_t)256 << 20)

/* Let this process have n files open and some more, as far as the system allows. */
static void raise_file_limit(size_t n)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= n + SPARE_FILES)
        return;
    limit.rlim_cur = limit.rlim_max < n + SPARE_FILES ? limit.rlim_max : n + SPARE_FILES;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Give the file its size and, where the file system can, its space; available is for where it
 * cannot. */
static int allocate(int fd, uint64_t bytes, uint64_t available)
{
    struct stat st;
    uint64_t have;
    int failed;

    do
        failed = fallocate(fd, 0, 0, (off_t)bytes);
    while (failed != 0 && errno == EINTR);
    if (failed == 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
        return failed;
    have = fstat(fd, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
    if (have < bytes && available < bytes - have) {
        errno = ENOSPC;
        return -1;
    }
    return ftruncate(fd, (off_t)bytes);
}

static bool open_shard(struct wb_outfiles *of, size_t s, uint64_t available, struct wb_err *err)
{
    const struct wb_layout_shard *shard = &of->layout->shard[s];
    char *path = wb_path_join(of->dir, shard->name);
    bool ok = false;

    if (path == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory");
    of->fd[s] = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (of->fd[s] < 0)
        wb_fail_errno(err, "%s", path);
    else if (allocate(of->fd[s], shard->bytes, available) != 0)
        wb_fail_errno(err, "a file of %" PRIu64 " bytes at %s", shard->bytes, path);
    else
        ok = wb_pwrite(of->fd[s], shard->header, shard->header_bytes, 0, err) ||
             wb_wrap(err, "%s", path);
    free(path);
    return ok;
}

static bool open_all(struct wb_outfiles *of, struct wb_err *err)
{
    uint64_t available, used = 0;
    struct wb_err e = { 0 };
    bool ok = wb_free_bytes(of->dir, &available, &e);

    for (size_t s = 0; ok && s < of->layout->shards; s++) {
        ok = open_shard(of, s, available > used ? available - used : 0, &e);
        used += of->layout->shard[s].bytes;
    }
    if (e.code == WB_ENOSPC)
        return wb_fail(err, WB_ENOSPC,
                       "the disk is full: %" PRIu64 " bytes are to be written, %" PRIu64
                       " are free",
                       of->layout->bytes, available);
    return ok || wb_err_move(err, &e);
}

static void close_staged(struct wb_outfiles *of)
{
    wb_stage_free(of->stage);
    of->stage = NULL;
    for (size_t s = 0; of->file != NULL && s < of->layout->shards; s++)
        if (of->file[s].direct >= 0)
            close(of->file[s].direct);
    free(of->file);
    of->file = NULL;
}

static int open_direct(const char *dir, const char *name)
{
    char *path = wb_path_join(dir, name);
    int fd = path == NULL ? -1 : open(path, O_WRONLY | O_DIRECT | O_NOFOLLOW | O_CLOEXEC);

    free(path);
    return fd;
}

/* Past the page cache, if all of it can go there; without a word, if not. */
static void open_staged(struct wb_outfiles *of)
{
    size_t n = of->layout->shards;
    bool ok = of->layout->bytes >= STAGED_MIN_BYTES;

    of->file = ok ? malloc(n * sizeof *of->file) : NULL;
    if (of->file == NULL)
        return;
    for (size_t s = 0; s < n; s++) {
        const char *name = of->layout->shard[s].name;

        of->file[s] = (struct wb_stage_file){ .dir = of->dir, .name = name, .fd = of->fd[s] };
        of->file[s].direct = ok ? open_direct(of->dir, name) : -1;
        ok = of->file[s].direct >= 0;
    }
    of->stage = ok ? wb_stage_new(of->file) : NULL;
    if (of->stage == NULL)
        close_staged(of);
}

bool wb_outfiles_open(struct wb_outfiles *of, const struct wb_layout *layout, const char *dir,
                      struct wb_err *err)
{
    *of = (struct wb_outfiles){ .layout = layout, .dir = dir };
    of->fd = malloc(layout->shards * sizeof *of->fd);
    if (of->fd == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu shards", layout->shards);
    for (size_t s = 0; s < layout->shards; s++)
        of->fd[s] = -1;
    raise_file_limit(2 * layout->shards);
    if (!open_all(of, err))
        return false;
    open_staged(of);
    return true;
}

/* Start the write-back of the window before the one that [at, at + n) enters. Only a hint: whatever
 * it misses is written by the fsync at the end, which also reports the errors. */
static void write_back(int fd, uint64_t at, size_t n)
{
    uint64_t from = at / WINDOW_BYTES, to = (at + n) / WINDOW_BYTES;

    if (to == from)
        return;
    from = from > 0 ? from - 1 : 0;
    sync_file_range(fd, (off_t)(from * WINDOW_BYTES), (off_t)((to - from) * WINDOW_BYTES),
                    SYNC_FILE_RANGE_WRITE);
}

bool wb_outfiles_put(const struct wb_outfiles *of, size_t s, uint64_t at, const void *bytes,
                     size_t n, struct wb_err *err)
{
    if (of->stage != NULL)
        return wb_stage_put(of->stage, s, at, bytes, n, err);
    if (!wb_pwrite(of->fd[s], bytes, n, at, err))
        return wb_wrap(err, "%s/%s", of->dir, of->layout->shard[s].name);
    write_back(of->fd[s], at, n);
    return true;
}

bool wb_outfiles_sync(const struct wb_outfiles *of, struct wb_err *err)
{
    if (of->stage != NULL && !wb_stage_flush(of->stage, err))
        return false;
    for (size_t s = 0; s < of->layout->shards; s++)
        if (fsync(of->fd[s]) != 0)
            return wb_fail_errno(err, "%s/%s", of->dir, of->layout->shard[s].name);
    return true;
}

void wb_outfiles_close(struct wb_outfiles *of)
{
    if (of->stage != NULL)
        wb_stage_flush(of->stage, NULL); /* for a resume; one that is missing is written again */
    close_staged(of);
    for (size_t s = 0; of->fd != NULL && s < of->layout->shards; s++)
        if (of->fd[s] >= 0)
            close(of->fd[s]);
    free(of->fd);
    *of = (struct wb_outfiles){ 0 };
}
