/* app/store/place.c - checks and renames around an output path. */
#include "app/store/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "app/core/io.h"
#include "app/store/writer.h"

static char *strip_slashes(const char *path)
{
    size_t n = strlen(path);

    while (n > 1 && path[n - 1] == '/')
        n--;
    return strndup(path, n);
}

static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return strdup(".");
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

static char *hidden(const char *parent, const char *name, const char *suffix)
{
    char *file = NULL, *path;

    if (asprintf(&file, ".%s.%s", name, suffix) < 0)
        return NULL;
    path = wb_path_join(parent, file);
    free(file);
    return path;
}

bool wb_place_init(struct wb_place *place, const char *path, struct wb_err *err)
{
    static const char suffix[] = ".safetensors";
    const char *slash;
    char *real;
    size_t n;

    *place = (struct wb_place){ .out = strip_slashes(path) };
    real = place->out == NULL ? NULL : realpath(place->out, NULL);
    if (real != NULL) {
        free(place->out);
        place->out = real;
    }
    if (place->out != NULL)
        place->parent = parent_of(place->out);
    if (place->parent == NULL)
        return wb_fail(err, WB_ENOMEM, "%s: no memory", path);
    slash = strrchr(place->out, '/');
    place->name = slash == NULL ? place->out : slash + 1;
    n = strlen(place->name);
    if (n == 0 || strcmp(place->name, ".") == 0 || strcmp(place->name, "..") == 0)
        return wb_fail(err, WB_EARG, "'%s' is not the name of an output", path);
    place->one_file =
        n >= sizeof suffix && strcmp(place->name + n - (sizeof suffix - 1), suffix) == 0;
    place->part = hidden(place->parent, place->name, "part");
    place->old = hidden(place->parent, place->name, "old");
    return (place->part != NULL && place->old != NULL) ||
           wb_fail(err, WB_ENOMEM, "%s: no memory", path);
}

void wb_place_free(struct wb_place *place)
{
    free(place->out);
    free(place->parent);
    free(place->part);
    free(place->old);
    *place = (struct wb_place){ 0 };
}

static bool is_empty_dir(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    bool empty = dir != NULL;

    while (empty && (entry = readdir(dir)) != NULL)
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    if (dir != NULL)
        closedir(dir);
    return empty;
}

/* Is path, which may be NULL, the directory dir (absolute, no links) or inside it? */
static bool is_inside(const char *path, const char *dir)
{
    char *real = path == NULL ? NULL : realpath(path, NULL);
    size_t n = strlen(dir);
    bool inside = real != NULL && strncmp(real, dir, n) == 0 && (real[n] == '/' || real[n] == '\0');

    free(real);
    return inside;
}

static bool fail_exists(const struct wb_place *place, struct wb_err *err)
{
    return wb_fail(err, WB_EARG, "%s exists; pass --force to replace it", place->out);
}

bool wb_place_check(const struct wb_place *place, bool force, struct wb_err *err)
{
    struct stat st;

    if (lstat(place->out, &st) != 0)
        return errno == ENOENT || errno == ENOTDIR || wb_fail_errno(err, "%s", place->out);
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
        return wb_fail(err, WB_EARG, "%s is neither a file nor a directory", place->out);
    if (S_ISDIR(st.st_mode) &&
        (is_inside(".", place->out) || is_inside(getenv("HOME"), place->out)))
        return wb_fail(err, WB_EARG,
                       "%s is or holds the current or the home directory, "
                       "which is never replaced; name a new one",
                       place->out);
    if (!force && (place->one_file || !S_ISDIR(st.st_mode) || !is_empty_dir(place->out)))
        return fail_exists(place, err);
    return true;
}

/* Rename where nothing may stand yet (rename itself takes empty directories for nothing). */
static bool rename_new(const struct wb_place *place, const char *from, struct wb_err *err)
{
    struct stat st;
    int failed;

    if (place->one_file) {
        failed = renameat2(AT_FDCWD, from, AT_FDCWD, place->out, RENAME_NOREPLACE);
        if (failed != 0 && (errno == EINVAL || errno == ENOSYS)) {
            if (lstat(place->out, &st) == 0)
                return fail_exists(place, err);
            failed = rename(from, place->out);
        }
    } else {
        failed = rename(from, place->out);
    }
    if (failed != 0 && (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR))
        return fail_exists(place, err);
    return failed == 0 || wb_fail_errno(err, "renaming %s to %s", from, place->out);
}

/* Swap from with out and move what was out aside, to old. */
static bool rename_over(const struct wb_place *place, const char *from, struct wb_err *err)
{
    if (!wb_remove_tree(place->old, err))
        return false;
    if (renameat2(AT_FDCWD, from, AT_FDCWD, place->out, RENAME_EXCHANGE) == 0)
        return rename(from, place->old) == 0 || wb_remove_tree(from, err);
    if (errno != EINVAL && errno != ENOSYS)
        return wb_fail_errno(err, "renaming %s to %s", from, place->out);
    if (rename(place->out, place->old) != 0)
        return wb_fail_errno(err, "renaming %s", place->out);
    if (rename(from, place->out) == 0)
        return true;
    wb_fail_errno(err, "renaming %s to %s", from, place->out);
    if (rename(place->old, place->out) != 0)
        wb_wrap(err, "%s is now called %s", place->out, place->old);
    return false;
}

bool wb_place_publish(const struct wb_place *place, bool force, struct wb_err *err)
{
    char *file = NULL;
    const char *from = place->part;
    struct stat st;
    bool exists = lstat(place->out, &st) == 0, ok;

    if (place->one_file) {
        from = file = wb_path_join(place->part, place->name);
        if (file == NULL)
            return wb_fail(err, WB_ENOMEM, "%s: no memory", place->part);
    }
    ok = wb_place_check(place, force, err) &&
         (force && exists ? rename_over(place, from, err) : rename_new(place, from, err)) &&
         wb_sync_dir(place->parent, err);
    free(file);
    return ok;
}

bool wb_place_remove_old(const struct wb_place *place, struct wb_err *err)
{
    return wb_remove_tree(place->old, err) ||
           wb_wrap(err, "%s is complete, but what it replaced is not gone", place->out);
}

bool wb_free_bytes(const char *dir, uint64_t *bytes, struct wb_err *err)
{
    char *path = strip_slashes(dir), *up;
    struct statvfs vfs;
    int failed = -1;

    while (path != NULL && (failed = statvfs(path, &vfs)) != 0 &&
           (errno == ENOENT || errno == ENOTDIR) && strcmp(path, "/") != 0 &&
           strcmp(path, ".") != 0) {
        up = parent_of(path);
        free(path);
        path = up;
    }
    free(path);
    if (path == NULL || failed != 0)
        return wb_fail_errno(err, "the free space of %s", dir);
    *bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
    return true;
}
