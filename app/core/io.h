/* app/core/io.h - whole reads and writes, little-endian fields, files as text, paths. */
#ifndef WB_CORE_IO_H
#define WB_CORE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"

/* Exactly n bytes at offset; a file that ends before is WB_EFORMAT. Retries what signals cut. */
bool wb_pread(int fd, void *buf, size_t n, uint64_t offset, struct wb_err *err);
bool wb_pwrite(int fd, const void *buf, size_t n, uint64_t offset, struct wb_err *err);

static inline uint64_t wb_le64(const uint8_t *p)
{
    uint64_t v = 0;

    for (int i = 7; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

/* A whole regular file of at most max bytes, NUL-terminated; owned by the caller (free). */
char *wb_read_file(const char *path, size_t max, size_t *len, struct wb_err *err);
/* Write path whole: a temporary beside it, fsync, rename. */
bool wb_write_file(const char *path, const void *bytes, size_t n, struct wb_err *err);
/* "dir/name", owned (free); NULL when memory is out. */
char *wb_path_join(const char *dir, const char *name);
/* mkdir -p. */
bool wb_make_dirs(const char *path, struct wb_err *err);
/* rm -r of a directory this program made; symbolic links are removed, not followed. */
bool wb_remove_tree(const char *path, struct wb_err *err);
/* fsync of a directory, so that a rename in it lasts. */
bool wb_sync_dir(const char *path, struct wb_err *err);
bool wb_is_dir(const char *path);
bool wb_is_file(const char *path);
/* Seconds of a clock that only goes forward. */
double wb_now_seconds(void);

#endif
