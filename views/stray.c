/* views/stray.c - stderr in a pipe, and its tail.
 *
 * DESIGN. The pipe does not block on either end: whoever writes more than it holds before the
 * event loop comes around loses the rest, and is never held up. There is one stderr, so there is
 * one of this; what a signal handler touches is static and of fixed size. */
#include "views/stray.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1000

static struct {
    bool caught;
    int from, into; /* the pipe */
    int stderr_fd;  /* what stderr was */
    char line[LINE_MAX_BYTES + 1];
    size_t line_len;
    char tail[WB_STRAY_TAIL];
    size_t tail_len;
    bool tail_cut; /* it does not begin where a line does */
} stray;

/* Sanitizers report on stderr just before the end: not into a pipe that nobody reads any more.
 * Part of their runtime, and absent from a plain build. */
extern void __sanitizer_set_report_fd(void *fd) __attribute__((weak));

static void report_to(int fd)
{
    if (__sanitizer_set_report_fd != NULL)
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): its interface */
        __sanitizer_set_report_fd((void *)(intptr_t)fd);
}

bool wb_stray_catch(struct wb_err *err)
{
    int end[2];

    if (!isatty(STDERR_FILENO))
        return true;
    if (pipe2(end, O_CLOEXEC | O_NONBLOCK) != 0)
        return wb_fail_errno(err, "a pipe for stderr");
    stray.from = end[0];
    stray.into = end[1];
    stray.stderr_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (stray.stderr_fd < 0 || dup2(stray.into, STDERR_FILENO) < 0) {
        wb_fail_errno(err, "a copy of stderr");
        close(stray.from);
        close(stray.into);
        if (stray.stderr_fd >= 0)
            close(stray.stderr_fd);
        return false;
    }
    stray.line_len = stray.tail_len = 0;
    stray.tail_cut = false;
    stray.caught = true;
    report_to(stray.stderr_fd);
    return true;
}

int wb_stray_fd(void)
{
    return stray.caught ? stray.from : -1;
}

static void keep_tail(const char *bytes, size_t n)
{
    size_t old = stray.tail_len;

    if (n >= WB_STRAY_TAIL || old + n > WB_STRAY_TAIL)
        stray.tail_cut = true;
    if (n > WB_STRAY_TAIL) {
        bytes += n - WB_STRAY_TAIL;
        n = WB_STRAY_TAIL;
    }
    if (old + n > WB_STRAY_TAIL) {
        old = WB_STRAY_TAIL - n;
        memmove(stray.tail, stray.tail + stray.tail_len - old, old);
    }
    memcpy(stray.tail + old, bytes, n);
    stray.tail_len = old + n;
}

/* Cut into lines; the last, unfinished one stays. */
static bool add_lines(const char *bytes, size_t n, void (*line)(void *, const char *), void *ctx)
{
    bool some = false;

    for (size_t i = 0; i < n; i++) {
        if (bytes[i] != '\n')
            stray.line[stray.line_len++] = bytes[i] == '\0' ? '?' : bytes[i];
        if (bytes[i] != '\n' && stray.line_len < LINE_MAX_BYTES)
            continue;
        stray.line[stray.line_len] = '\0';
        stray.line_len = 0;
        some = true;
        if (line != NULL)
            line(ctx, stray.line);
    }
    return some;
}

bool wb_stray_read(void (*line)(void *ctx, const char *text), void *ctx)
{
    bool some = false;
    char bytes[512];
    ssize_t n;

    while (stray.caught && (n = read(stray.from, bytes, sizeof bytes)) > 0) {
        keep_tail(bytes, (size_t)n);
        some |= add_lines(bytes, (size_t)n, line, ctx);
    }
    return some;
}

void wb_stray_pause(bool pause)
{
    if (stray.caught)
        dup2(pause ? stray.stderr_fd : stray.into, STDERR_FILENO);
}

void wb_stray_release(void)
{
    const char *from = stray.tail;
    char bytes[512];
    ssize_t n;

    if (!stray.caught)
        return;
    while ((n = read(stray.from, bytes, sizeof bytes)) > 0)
        keep_tail(bytes, (size_t)n);
    stray.caught = false;
    dup2(stray.stderr_fd, STDERR_FILENO);
    report_to(STDERR_FILENO);
    close(stray.from);
    close(stray.into);
    close(stray.stderr_fd);
    if (stray.tail_cut) { /* from the first whole line on */
        const char *end = memchr(stray.tail, '\n', stray.tail_len);

        from = end != NULL ? end + 1 : from;
    }
    (void)!write(STDERR_FILENO, from, stray.tail_len - (size_t)(from - stray.tail));
}
