/* app/store/journal.c - a text file of one line a finished tensor.
 *
 * FORMAT. "weightbench-journal 1 PLAN LAYOUT", then "done INDEX HASH" lines; hashes are 32
 * hexadecimal digits. Every line is one write to a descriptor opened for appending, so that it is
 * whole or last and torn whenever the process dies. A line that makes no sense is passed over:
 * whatever a line claims is checked against the bytes of the tensor before it counts.
 *
 * LOCK. flock on the journal, held as long as the descriptor. A file that was unlinked or moved
 * away between open and flock belongs to a run that has just ended: try again. */
#include "app/store/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/core/io.h"

#define LINE_MAX_BYTES 128
#define OPEN_TRIES 16

static bool same_file(int fd, const char *path)
{
    struct stat here, there;

    return fstat(fd, &here) == 0 && stat(path, &there) == 0 && here.st_ino == there.st_ino &&
           here.st_dev == there.st_dev;
}

int wb_journal_open(const char *dir, struct wb_err *err)
{
    char *path = wb_path_join(dir, WB_JOURNAL_NAME);
    int fd = -1;

    if (path == NULL)
        wb_fail(err, WB_ENOMEM, "%s: no memory", dir);
    for (int tries = 0; path != NULL && fd < 0; tries++) {
        if (mkdir(dir, 0777) != 0 && errno != EEXIST) {
            wb_fail_errno(err, "making %s", dir);
            break;
        }
        fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (fd < 0 && (errno != ENOENT || tries == OPEN_TRIES)) {
            wb_fail_errno(err, "%s", path);
            break;
        }
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
            wb_fail(err, WB_EARG, "another run is writing to %s", dir);
            close(fd);
            fd = -1;
            break;
        }
        if (fd >= 0 && !same_file(fd, path)) {
            close(fd);
            fd = -1;
        }
    }
    free(path);
    return fd;
}

static bool read_all(int fd, char **text, size_t *n, struct wb_err *err)
{
    struct stat st;

    *text = NULL;
    *n = 0;
    if (fstat(fd, &st) != 0)
        return wb_fail_errno(err, "%s", WB_JOURNAL_NAME);
    *n = (size_t)st.st_size;
    *text = malloc(*n + 1);
    if (*text == NULL)
        return wb_fail(err, WB_ENOMEM, "%s: no memory for %zu bytes", WB_JOURNAL_NAME, *n);
    (*text)[*n] = '\0';
    return wb_pread(fd, *text, *n, 0, err) || wb_wrap(err, "%s", WB_JOURNAL_NAME);
}

static void format_first(char out[LINE_MAX_BYTES], struct wb_hash plan, struct wb_hash layout)
{
    char p[33], l[33];

    wb_hash_format(plan, p);
    wb_hash_format(layout, l);
    snprintf(out, LINE_MAX_BYTES, "weightbench-journal 1 %s %s\n", p, l);
}

static void parse_line(const char *line, struct wb_journal_entry *entry, size_t count)
{
    struct wb_hash hash;
    unsigned long long i;
    char *end;

    if (strncmp(line, "done ", 5) != 0 || line[5] < '0' || line[5] > '9')
        return;
    errno = 0;
    i = strtoull(line + 5, &end, 10);
    if (errno == 0 && *end == ' ' && i < count && wb_hash_parse(end + 1, &hash))
        entry[i] = (struct wb_journal_entry){ .done = true, .hash = hash };
}

bool wb_journal_load(int fd, struct wb_hash plan, struct wb_hash layout,
                     struct wb_journal_entry *entry, size_t count, enum wb_journal_state *state,
                     struct wb_err *err)
{
    char first[LINE_MAX_BYTES], *text, *line, *end;
    size_t n;

    *state = WB_JOURNAL_EMPTY;
    if (!read_all(fd, &text, &n, err)) {
        free(text);
        return false;
    }
    format_first(first, plan, layout);
    end = memchr(text, '\n', n);
    if (end != NULL)
        *state = strncmp(text, first, strlen(first)) == 0 ? WB_JOURNAL_SAME : WB_JOURNAL_OTHER;
    if (*state == WB_JOURNAL_SAME) {
        line = end + 1;
        while ((end = memchr(line, '\n', n - (size_t)(line - text))) != NULL) {
            *end = '\0';
            parse_line(line, entry, count);
            line = end + 1;
        }
        if (ftruncate(fd, (off_t)(line - text)) != 0) {
            free(text);
            return wb_fail_errno(err, "%s", WB_JOURNAL_NAME);
        }
    }
    free(text);
    return true;
}

static bool append(int fd, const char *line, struct wb_err *err)
{
    size_t n = strlen(line);
    ssize_t put;

    do
        put = write(fd, line, n);
    while (put < 0 && errno == EINTR);
    if (put < 0)
        return wb_fail_errno(err, "%s", WB_JOURNAL_NAME);
    return (size_t)put == n ||
           wb_fail(err, WB_ENOSPC, "%s: %zd of %zu bytes written", WB_JOURNAL_NAME, put, n);
}

bool wb_journal_start(int fd, struct wb_hash plan, struct wb_hash layout, size_t count,
                      struct wb_err *err)
{
    char first[LINE_MAX_BYTES];

    if (ftruncate(fd, 0) != 0)
        return wb_fail_errno(err, "%s", WB_JOURNAL_NAME);
    /* Room for all lines, so that the disk does not fill up between two of them; helps where it
     * can. */
    if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)(count + 2) * 64) != 0 && errno == ENOSPC)
        return wb_fail_errno(err, "%s", WB_JOURNAL_NAME);
    format_first(first, plan, layout);
    return append(fd, first, err);
}

bool wb_journal_add(int fd, size_t i, struct wb_hash hash, struct wb_err *err)
{
    char line[LINE_MAX_BYTES], digits[33];

    wb_hash_format(hash, digits);
    snprintf(line, sizeof line, "done %zu %s\n", i, digits);
    return append(fd, line, err);
}
