/* app/core/io.c - the system calls the rest of the engine uses, made whole. */
#include "app/core/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

bool wb_pread(int fd, void *buf, size_t n, uint64_t offset, struct wb_err *err)
{
    uint8_t *p = buf;
    size_t want = n;

    while (n > 0) {
        ssize_t got = pread(fd, p, n, (off_t)offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return wb_fail_errno(err, "reading %zu bytes at %" PRIu64, want, offset);
        if (got == 0)
            return wb_fail(err, WB_EFORMAT, "the file ends at byte %" PRIu64 ", %zu bytes missing",
                           offset, n);
        p += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return true;
}

bool wb_pwrite(int fd, const void *buf, size_t n, uint64_t offset, struct wb_err *err)
{
    const uint8_t *p = buf;

    while (n > 0) {
        ssize_t put = pwrite(fd, p, n, (off_t)offset);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return wb_fail_errno(err, "writing %zu bytes at %" PRIu64, n, offset);
        p += put;
        offset += (uint64_t)put;
        n -= (size_t)put;
    }
    return true;
}

char *wb_read_file(const char *path, size_t max, size_t *len, struct wb_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    char *text = NULL;

    if (fd < 0) {
        wb_fail_errno(err, "%s", path);
        return NULL;
    }
    if (fstat(fd, &st) != 0)
        wb_fail_errno(err, "%s", path);
    else if (!S_ISREG(st.st_mode))
        wb_fail(err, WB_EIO, "%s: not a regular file", path);
    else if ((uint64_t)st.st_size > max)
        wb_fail(err, WB_EFORMAT, "%s: %jd bytes, more than the %zu allowed", path,
                (intmax_t)st.st_size, max);
    else if ((text = malloc((size_t)st.st_size + 1)) == NULL)
        wb_fail(err, WB_ENOMEM, "%s: no memory for %jd bytes", path, (intmax_t)st.st_size);
    if (text != NULL && !wb_pread(fd, text, (size_t)st.st_size, 0, err)) {
        wb_wrap(err, "%s", path);
        free(text);
        text = NULL;
    }
    close(fd);
    if (text != NULL) {
        text[st.st_size] = '\0';
        if (len != NULL)
            *len = (size_t)st.st_size;
    }
    return text;
}

bool wb_write_file(const char *path, const void *bytes, size_t n, struct wb_err *err)
{
    char *part = NULL;
    bool ok = false;
    int fd;

    if (asprintf(&part, "%s.part", path) < 0)
        return wb_fail(err, WB_ENOMEM, "%s: no memory", path);
    fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        wb_fail_errno(err, "%s", part);
        free(part);
        return false;
    }
    if (!wb_pwrite(fd, bytes, n, 0, err))
        wb_wrap(err, "%s", part);
    else if (fsync(fd) != 0)
        wb_fail_errno(err, "%s", part);
    else
        ok = true;
    if (close(fd) != 0 && ok)
        ok = wb_fail_errno(err, "%s", part);
    if (ok && rename(part, path) != 0)
        ok = wb_fail_errno(err, "%s", path);
    if (!ok)
        unlink(part);
    free(part);
    return ok;
}

char *wb_path_join(const char *dir, const char *name)
{
    size_t n = strlen(dir);
    char *path = malloc(n + strlen(name) + 2);

    if (path != NULL)
        sprintf(path, "%s%s%s", dir, n > 0 && dir[n - 1] == '/' ? "" : "/", name);
    return path;
}

bool wb_make_dirs(const char *path, struct wb_err *err)
{
    char *copy = strdup(path);
    bool ok = true;

    if (copy == NULL)
        return wb_fail(err, WB_ENOMEM, "%s: no memory", path);
    for (char *p = copy + 1; ok && *p != '\0'; p++)
        if (*p == '/') {
            *p = '\0';
            ok = mkdir(copy, 0777) == 0 || errno == EEXIST;
            *p = '/';
        }
    if (ok)
        ok = mkdir(copy, 0777) == 0 || errno == EEXIST;
    free(copy);
    return ok || wb_fail_errno(err, "making the directory %s", path);
}

static bool remove_at(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct dirent *entry;
    DIR *dir;
    bool ok = true;

    if (fd < 0)
        return unlinkat(parent, name, 0) == 0 || errno == ENOENT;
    dir = fdopendir(fd);
    if (dir == NULL) {
        close(fd);
        return false;
    }
    while ((entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            ok = remove_at(dirfd(dir), entry->d_name) && ok;
    closedir(dir);
    return ok && unlinkat(parent, name, AT_REMOVEDIR) == 0;
}

bool wb_remove_tree(const char *path, struct wb_err *err)
{
    return remove_at(AT_FDCWD, path) || wb_fail_errno(err, "removing %s", path);
}

bool wb_sync_dir(const char *path, struct wb_err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok;

    if (fd < 0)
        return wb_fail_errno(err, "%s", path);
    ok = fsync(fd) == 0 || errno == EINVAL || wb_fail_errno(err, "%s", path);
    close(fd);
    return ok;
}

bool wb_is_dir(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool wb_is_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

double wb_now_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}
