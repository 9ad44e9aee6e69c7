/* views/history.c - lines typed before, kept in a file. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/core/io.h"
#include "app/core/str.h"
#include "views/line.h"

#define FILE_MAX ((size_t)WB_HISTORY_MAX * (WB_LINE_MAX + 1) * 2)

struct wb_history {
    char *line[WB_HISTORY_MAX]; /* the oldest first; owned */
    size_t n;
    char *path; /* owned; NULL: in memory only */
};

char *wb_history_path(const char *name)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    struct wb_str path = { 0 };

    if (state != NULL && state[0] == '/')
        wb_str_printf(&path, "%s/weightbench/%s_history", state, name);
    else if (home != NULL && home[0] != '\0')
        wb_str_printf(&path, "%s/.local/state/weightbench/%s_history", home, name);
    if (!path.failed)
        return path.text;
    wb_str_free(&path);
    return NULL;
}

static void drop(struct wb_history *h, size_t i)
{
    free(h->line[i]);
    memmove(h->line + i, h->line + i + 1, (h->n - i - 1) * sizeof h->line[0]);
    h->n--;
}

void wb_history_add(struct wb_history *h, const char *text)
{
    char *copy;

    if (text[0] == '\0' || text[0] == ' ' || strlen(text) > WB_LINE_MAX ||
        strpbrk(text, "\r\n") != NULL)
        return;
    copy = strdup(text);
    if (copy == NULL)
        return; /* a line that is not remembered does no harm */
    for (size_t i = 0; i < h->n; i++)
        if (strcmp(h->line[i], text) == 0) {
            drop(h, i);
            break;
        }
    if (h->n == WB_HISTORY_MAX)
        drop(h, 0);
    h->line[h->n++] = copy;
}

static void read_lines(struct wb_history *h)
{
    size_t n;
    char *text = wb_read_file(h->path, FILE_MAX, &n, NULL), *rest = text;

    for (char *line; text != NULL && (line = strsep(&rest, "\n")) != NULL;)
        wb_history_add(h, line);
    free(text);
}

struct wb_history *wb_history_open(const char *path)
{
    struct wb_history *h = calloc(1, sizeof *h);

    if (h == NULL || path == NULL)
        return h;
    h->path = strdup(path);
    if (h->path == NULL) {
        free(h);
        return NULL;
    }
    read_lines(h);
    return h;
}

void wb_history_free(struct wb_history *h)
{
    if (h == NULL)
        return;
    while (h->n > 0)
        free(h->line[--h->n]);
    free(h->path);
    free(h);
}

size_t wb_history_count(const struct wb_history *h)
{
    return h->n;
}

const char *wb_history_at(const struct wb_history *h, size_t i)
{
    return h->line[i];
}

/* The folder of a path, made when it is not there. */
static bool make_folder(const char *path, struct wb_err *err)
{
    const char *slash = strrchr(path, '/');
    char *folder;
    bool ok;

    if (slash == NULL || slash == path)
        return true;
    folder = strndup(path, (size_t)(slash - path));
    if (folder == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a path");
    ok = wb_make_dirs(folder, err);
    free(folder);
    return ok;
}

/* The file that wb_write_file is going to write and rename, made first so that it is nobody else's
 * to read, not even for a moment. (umask would do it for other threads' files too.) */
static bool make_private(const char *path, struct wb_err *err)
{
    char *part;
    int fd;

    if (asprintf(&part, "%s.part", path) < 0)
        return wb_fail(err, WB_ENOMEM, "%s: no memory", path);
    fd = open(part, O_WRONLY | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0 || fchmod(fd, S_IRUSR | S_IWUSR) != 0)
        wb_fail_errno(err, "%s", part);
    free(part);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

bool wb_history_save(struct wb_history *h, struct wb_err *err)
{
    struct wb_str text = { 0 };
    bool ok;

    if (h->path == NULL)
        return true;
    if (!make_folder(h->path, err) || !make_private(h->path, err))
        return false;
    wb_str_add(&text, "");
    for (size_t i = 0; i < h->n; i++)
        wb_str_printf(&text, "%s\n", h->line[i]);
    ok = !text.failed || wb_fail(err, WB_ENOMEM, "no memory to write %s", h->path);
    ok = ok && wb_write_file(h->path, text.text, text.len, err);
    wb_str_free(&text);
    return ok;
}
