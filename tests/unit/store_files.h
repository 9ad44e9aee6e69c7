/* tests/unit/store_files.h - checkpoints made on the spot, in a directory of their own. */
#ifndef WB_TESTS_STORE_FILES_H
#define WB_TESTS_STORE_FILES_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/core/err.h"
#include "app/core/io.h"

#define PATH_ROOM 4096
#define ROOT_ROOM 256

static char files_root[ROOT_ROOM]; /* the test program's directory, removed at the end */

static inline int files_begin(void **state)
{
    const char *tmp = getenv("TMPDIR");

    (void)state;
    snprintf(files_root, sizeof files_root, "%s/wb-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
    return mkdtemp(files_root) != NULL ? 0 : -1;
}

static inline int files_end(void **state)
{
    (void)state;
    return wb_remove_tree(files_root, NULL) ? 0 : -1;
}

/* "ROOT/" and what is printed; the directories of it exist afterwards. Four results stay valid. */
__attribute__((format(printf, 1, 2))) static inline const char *at(const char *fmt, ...)
{
    static char room[4][PATH_ROOM + 300];
    static int turn;
    char *path = room[turn = (turn + 1) % 4], *slash;
    size_t used = (size_t)snprintf(path, PATH_ROOM + 1, "%s/", files_root);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(path + used, sizeof room[0] - used, fmt, ap);
    va_end(ap);
    slash = strrchr(path, '/');
    *slash = '\0';
    if (!wb_make_dirs(path, NULL))
        abort();
    *slash = '/';
    return path;
}

static inline void put_bytes(const char *path, const void *bytes, size_t n)
{
    if (!wb_write_file(path, bytes, n, NULL))
        abort();
}

static inline void put_text(const char *path, const char *text)
{
    put_bytes(path, text, strlen(text));
}

/* A file of a header's length, the header, and `data` bytes 0, 1, 2, … (modulo 251). */
static inline void put_header(const char *path, uint64_t length, const char *json, size_t n,
                              size_t data)
{
    uint8_t *file = malloc(8 + n + data);

    if (file == NULL)
        abort();
    for (int i = 0; i < 8; i++)
        file[i] = (uint8_t)(length >> (8 * i));
    memcpy(file + 8, json, n);
    for (size_t i = 0; i < data; i++)
        file[8 + n + i] = (uint8_t)(i % 251);
    put_bytes(path, file, 8 + n + data);
    free(file);
}

static inline void put_safetensors(const char *path, const char *json, size_t data)
{
    put_header(path, strlen(json), json, strlen(json), data);
}

/* Does the message hold all of the texts up to NULL? Prints it when not. */
static inline bool says(const struct wb_err *err, ...)
{
    const char *text;
    bool all = true;
    va_list ap;

    va_start(ap, err);
    while (all && (text = va_arg(ap, const char *)) != NULL)
        if (strstr(err->msg, text) == NULL) {
            fprintf(stderr, "\"%s\" is not in: %s\n", text, err->msg);
            all = false;
        }
    va_end(ap);
    return all;
}

#endif
