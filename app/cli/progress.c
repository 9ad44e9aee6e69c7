/* app/cli/progress.c - the progress line: share, rate, time left, jobs, tensor at work. */
#include "app/cli/progress.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "app/cli/out.h"
#include "app/core/io.h"
#include "app/core/str.h"

#define LINE_MAX_BYTES 400

static size_t terminal_width(void)
{
    struct winsize size;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

/* Bytes of text that fit into width columns, whole UTF-8 characters. */
static size_t fitting(const char *text, size_t width)
{
    size_t columns = 0, i = 0;

    for (; text[i] != '\0'; i++)
        if (((unsigned char)text[i] & 0xC0) != 0x80 && columns++ == width)
            break;
    return i;
}

/* " 42%  1.31 GB/s  12.0 s left  120/723 jobs  model.lay…"; false before the work is known. */
static bool format_line(struct wb_cli_progress *p, char *out, size_t size)
{
    uint64_t done = atomic_load(&p->engine.bytes_done), total = atomic_load(&p->engine.bytes_total);
    const char *name = atomic_load(&p->engine.current);
    double seconds = wb_now_seconds() - p->start,
           rate = (double)done / (seconds > 1e-3 ? seconds : 1e-3);
    char speed[32], left[32];

    if (total == 0)
        return false;
    if (p->cancel != NULL && atomic_load(p->cancel))
        snprintf(out, size,
                 "stopping; once more stops at once and keeps what is written for --resume");
    else if (done >= total)
        snprintf(out, size, "100%%  finishing: report and disk");
    else
        snprintf(out, size, "%3.0f%%  %s/s  %s left  %" PRIu64 "/%" PRIu64 " jobs  %s",
                 100 * (double)done / (double)total, wb_format_bytes(speed, sizeof speed, rate),
                 rate > 0 ? wb_format_seconds(left, sizeof left, (double)(total - done) / rate)
                          : "?",
                 atomic_load(&p->engine.jobs_done), atomic_load(&p->engine.jobs_total),
                 name != NULL ? name : "");
    wb_cli_clean(out);
    return true;
}

static void draw(struct wb_cli_progress *p)
{
    char line[LINE_MAX_BYTES];

    if (!format_line(p, line, sizeof line))
        return;
    if (p->terminal) {
        line[fitting(line, terminal_width() - 1)] = '\0';
        fprintf(stderr, "\r%s\033[K", line);
        fflush(stderr);
    } else {
        fprintf(stderr, "weightbench: %s\n", line);
    }
}

/* Sleep until `seconds` have passed or the work is over; with the lock held. */
static void nap(struct wb_cli_progress *p, double seconds)
{
    struct timespec until;
    long ns;

    clock_gettime(CLOCK_MONOTONIC, &until);
    ns = until.tv_nsec + (long)((seconds - (double)(time_t)seconds) * 1e9);
    until.tv_sec += (time_t)seconds + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    while (!p->stop && pthread_cond_timedwait(&p->wake, &p->lock, &until) == 0)
        ;
}

static void *watch(void *arg)
{
    struct wb_cli_progress *p = arg;

    pthread_mutex_lock(&p->lock);
    while (!p->stop) {
        nap(p, p->terminal ? 0.1 : 10);
        if (!p->stop)
            draw(p);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

void wb_cli_progress_start(struct wb_cli_progress *p, const atomic_bool *cancel)
{
    const char *term = getenv("TERM");
    pthread_condattr_t attr;
    sigset_t all, old;

    memset(p, 0, sizeof *p);
    p->cancel = cancel;
    p->start = wb_now_seconds();
    p->terminal = isatty(STDERR_FILENO) == 1 && (term == NULL || strcmp(term, "dumb") != 0);
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->wake, &attr);
    pthread_condattr_destroy(&attr);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    p->running = pthread_create(&p->thread, NULL, watch, p) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void wb_cli_progress_stop(struct wb_cli_progress *p)
{
    if (!p->running)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    p->running = false;
    if (p->terminal)
        fputs("\r\033[K", stderr);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
}
