/* tests/tui/pty.c - driving a program on a pseudo-terminal.
 *
 * DESIGN. Three processes: the test holds the master side; the shell leads the terminal's session,
 * hands the terminal to the job and takes it back, and reports over a pipe ("P" pid, "S" stopped,
 * "X" status); the job is the program. A stop needs that shell: the kernel does not stop a job
 * that nobody in its session could continue. */
#include "tests/tui/pty.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct report {
    char what;
    int value;
};

/* ---- the shell and the job ---- */

static void set_environment(const char *const *env)
{
    static const char *const theirs[] = { "NO_COLOR", "COLORTERM", "ESCDELAY", "LINES",
                                          "COLUMNS",  "TMUX",      "STY",      "TERMINFO" };

    for (size_t i = 0; i < sizeof theirs / sizeof theirs[0]; i++)
        unsetenv(theirs[i]);
    setenv("TERM", "xterm-256color", 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    setenv("TZ", "UTC", 1);
    for (; env != NULL && *env != NULL; env++)
        putenv((char *)*env); /* without '=' it takes the name out */
}

static void reset_signals(void)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
}

static void run_job(const struct pty_options *o, int slave)
{
    setpgid(0, 0);
    tcsetpgrp(slave, getpid()); /* SIGTTOU is ignored still */
    for (int fd = 0; fd < 3; fd++)
        dup2(slave, fd);
    reset_signals();
    set_environment(o->env);
    execv(o->argv[0], (char *const *)o->argv);
    _exit(127);
}

static void tell(int fd, char what, int value)
{
    struct report r = { .what = what, .value = value };

    (void)!write(fd, &r, sizeof r);
}

/* One command of the test: 'C' continues the job; the end of the pipe ends the shell. */
static void obey(int control, int slave, pid_t job)
{
    char command;

    if (read(control, &command, 1) != 1)
        _exit(0);
    tcsetpgrp(slave, job);
    kill(-job, SIGCONT);
}

static void run_shell(const struct pty_options *o, int slave, int report, int control)
{
    pid_t job;
    int status;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid();
    ioctl(slave, TIOCSCTTY, 0);
    signal(SIGTTOU, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    job = fork();
    if (job == 0)
        run_job(o, slave);
    setpgid(job, job);
    tcsetpgrp(slave, job);
    tell(report, 'P', job);
    while (waitpid(job, &status, WUNTRACED) == job && WIFSTOPPED(status)) {
        tcsetpgrp(slave, getpgrp());
        tell(report, 'S', WSTOPSIG(status));
        obey(control, slave, job);
    }
    tcsetpgrp(slave, getpgrp());
    tell(report, 'X', WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status));
    obey(control, slave, job); /* stays until the terminal was looked at */
    _exit(0);
}

/* ---- reading ---- */

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void pty_fail(const struct pty *p, const char *what)
{
    struct wb_str screen = { 0 };

    vt_dump(&p->vt, &screen);
    print_message("cursor %d,%d; %s%d\n", p->vt.row, p->vt.col,
                  p->ended ? "ended with " : "at work, ", p->status);
    fail_msg("%s; the screen:\n%s", what, screen.text);
    abort(); /* fail_msg does not come back */
}

static bool take_report(struct pty *p)
{
    struct report r;

    if (read(p->report, &r, sizeof r) != (ssize_t)sizeof r)
        return false;
    if (r.what == 'P')
        p->job = r.value;
    p->stopped = r.what == 'S';
    p->ended = r.what == 'X';
    if (p->ended)
        p->status = r.value;
    return true;
}

static bool take_bytes(struct pty *p)
{
    char bytes[8192];
    ssize_t n = read(p->fd, bytes, sizeof bytes);

    if (n <= 0)
        return false;
    wb_str_add_n(&p->bytes, bytes, (size_t)n);
    if (!vt_feed(&p->vt, bytes, (size_t)n))
        pty_fail(p, p->vt.unknown);
    return true;
}

bool pty_pump(struct pty *p, int wait_ms)
{
    struct pollfd fd[2] = { { .fd = p->fd, .events = POLLIN },
                            { .fd = p->report, .events = POLLIN } };
    bool some = false;

    while (poll(fd, 2, some ? 0 : wait_ms) > 0) {
        bool more = (fd[0].revents & POLLIN) && take_bytes(p);

        if (!more && (fd[1].revents & POLLIN))
            more = take_report(p);
        if (!more)
            break;
        some = true;
    }
    return some;
}

bool pty_shows(const struct pty *p, const char *text)
{
    struct wb_str screen = { 0 };
    bool shows;

    vt_dump(&p->vt, &screen);
    shows = strstr(screen.text, text) != NULL;
    wb_str_free(&screen);
    return shows;
}

static void wait_until(struct pty *p, bool (*done)(const struct pty *, size_t, const char *),
                       size_t from, const char *text, const char *what)
{
    int64_t end = now_us() + PTY_PATIENCE_MS * INT64_C(1000);
    char message[300];

    while (!done(p, from, text))
        if (!pty_pump(p, 100) && (now_us() > end || p->ended)) {
            snprintf(message, sizeof message, "%s %s", what, text);
            pty_fail(p, message);
        }
}

static bool row_reads(const struct pty *p, size_t row, const char *text)
{
    struct wb_str got = { 0 };
    bool same;

    vt_row(&p->vt, (int)row, &got);
    same = strcmp(got.text != NULL ? got.text : "", text) == 0;
    wb_str_free(&got);
    return same;
}

static bool text_is_there(const struct pty *p, size_t from, const char *text)
{
    (void)from;
    return pty_shows(p, text);
}

static bool text_is_gone(const struct pty *p, size_t from, const char *text)
{
    (void)from;
    return !pty_shows(p, text);
}

static bool bytes_are_there(const struct pty *p, size_t from, const char *piece)
{
    return p->bytes.len > from &&
           memmem(p->bytes.text + from, p->bytes.len - from, piece, strlen(piece)) != NULL;
}

static bool is_stopped(const struct pty *p, size_t from, const char *text)
{
    (void)from, (void)text;
    return p->stopped;
}

static bool is_ended(const struct pty *p, size_t from, const char *text)
{
    (void)from, (void)text;
    return p->ended;
}

void pty_wait_row(struct pty *p, int row, const char *text)
{
    char what[60];

    snprintf(what, sizeof what, "waited for row %d to be", row);
    wait_until(p, row_reads, (size_t)row, text, what);
}

void pty_wait_mode(struct pty *p, const bool *mode, bool on)
{
    int64_t end = now_us() + PTY_PATIENCE_MS * INT64_C(1000);

    while (*mode != on)
        if (!pty_pump(p, 100) && now_us() > end)
            pty_fail(p, "waited for a mode of the terminal");
}

void pty_wait_cursor(struct pty *p, int row, int col)
{
    int64_t end = now_us() + PTY_PATIENCE_MS * INT64_C(1000);

    while (!p->vt.cursor || p->vt.row != row || p->vt.col != col)
        if (!pty_pump(p, 100) && now_us() > end)
            pty_fail(p, "waited for the cursor to come");
}

void pty_wait_colours(struct pty *p, int row, int col, int32_t fg, int32_t bg)
{
    int64_t end = now_us() + PTY_PATIENCE_MS * INT64_C(1000);
    const struct vt_cell *c = vt_at(&p->vt, row, col);
    char what[120];

    while (c->fg != fg || c->bg != bg)
        if (!pty_pump(p, 100) && now_us() > end) {
            snprintf(what, sizeof what, "cell %d,%d has the colours %d on %d, not %d on %d", row,
                     col, c->fg, c->bg, fg, bg);
            pty_fail(p, what);
        }
}

void pty_wait_text(struct pty *p, const char *text)
{
    wait_until(p, text_is_there, 0, text, "waited for");
}

void pty_wait_no_text(struct pty *p, const char *text)
{
    wait_until(p, text_is_gone, 0, text, "waited for the end of");
}

void pty_wait_bytes(struct pty *p, size_t from, const char *piece)
{
    wait_until(p, bytes_are_there, from, piece, "waited for the bytes");
}

void pty_wait_stop(struct pty *p)
{
    wait_until(p, is_stopped, 0, "a stop", "waited for");
}

int pty_wait_end(struct pty *p)
{
    wait_until(p, is_ended, 0, "the end", "waited for");
    while (pty_pump(p, 0))
        ;
    return p->status;
}

/* ---- doing ---- */

void pty_send(struct pty *p, const void *bytes, size_t n)
{
    const char *from = bytes;

    while (n > 0) {
        ssize_t sent = write(p->fd, from, n);

        if (sent < 0 && errno == EAGAIN) {
            pty_pump(p, 10);
            continue;
        }
        if (sent < 0)
            pty_fail(p, "the terminal takes no keys");
        from += sent;
        n -= (size_t)sent;
    }
}

void pty_type(struct pty *p, const char *keys)
{
    pty_send(p, keys, strlen(keys));
}

void pty_resize(struct pty *p, int rows, int cols)
{
    struct winsize size = { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols };

    while (pty_pump(p, 0)) /* what was sent for the old size */
        ;
    vt_resize(&p->vt, rows, cols);
    assert_int_equal(ioctl(p->fd, TIOCSWINSZ, &size), 0);
}

void pty_signal(struct pty *p, int number)
{
    assert_int_equal(kill(p->job, number), 0);
}

void pty_continue(struct pty *p)
{
    assert_true(p->stopped);
    p->stopped = false;
    assert_int_equal(write(p->control, "C", 1), 1);
}

size_t pty_mark(const struct pty *p)
{
    return p->bytes.len;
}

double pty_latency_ms(struct pty *p, const char *keys)
{
    int64_t start = now_us();
    size_t mark = pty_mark(p);

    pty_type(p, keys);
    while (pty_mark(p) == mark)
        if (!pty_pump(p, 100) && now_us() - start > PTY_PATIENCE_MS * INT64_C(1000))
            pty_fail(p, "no answer to a key");
    return (double)(now_us() - start) / 1000;
}

bool pty_settings_restored(const struct pty *p)
{
    struct termios now;

    assert_int_equal(tcgetattr(p->fd, &now), 0);
    return now.c_iflag == p->before.c_iflag && now.c_oflag == p->before.c_oflag &&
           now.c_cflag == p->before.c_cflag && now.c_lflag == p->before.c_lflag &&
           memcmp(now.c_cc, p->before.c_cc, sizeof now.c_cc) == 0;
}

/* ---- starting and ending ---- */

void pty_start(struct pty *p, const struct pty_options *o)
{
    struct winsize size = { .ws_row = (unsigned short)o->rows, .ws_col = (unsigned short)o->cols };
    int report[2], control[2], slave;

    *p = (struct pty){ .fd = -1 };
    vt_init(&p->vt, o->rows, o->cols);
    assert_int_equal(openpty(&p->fd, &slave, NULL, NULL, &size), 0);
    assert_int_equal(tcgetattr(slave, &p->before), 0);
    assert_int_equal(pipe2(report, O_CLOEXEC), 0);
    assert_int_equal(pipe2(control, O_CLOEXEC), 0);
    fcntl(p->fd, F_SETFD, FD_CLOEXEC);
    fcntl(slave, F_SETFD, FD_CLOEXEC);
    fcntl(p->fd, F_SETFL, O_NONBLOCK);
    fflush(NULL);
    p->shell = fork();
    if (p->shell == 0) {
        close(p->fd);
        close(report[0]);
        close(control[1]);
        run_shell(o, slave, report[1], control[0]);
    }
    close(slave);
    close(report[1]);
    close(control[0]);
    p->report = report[0];
    p->control = control[1];
    while (p->job == 0 && pty_pump(p, PTY_PATIENCE_MS))
        ;
    assert_int_not_equal(p->job, 0);
}

void pty_free(struct pty *p)
{
    if (p->shell == 0)
        return;
    if (!p->ended && p->job > 0)
        kill(p->job, SIGKILL);
    close(p->control);
    close(p->report);
    close(p->fd);
    kill(p->shell, SIGKILL);
    waitpid(p->shell, NULL, 0);
    vt_free(&p->vt);
    wb_str_free(&p->bytes);
    *p = (struct pty){ 0 };
}
