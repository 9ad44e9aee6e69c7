/* views/tty.c - signals, waiting, and the way back to the shell.
 *
 * DESIGN. A process has one controlling terminal and one set of signal handlers, so this is one
 * static struct. Handlers of ordinary signals set a bit and write to a pipe that the wait watches:
 * they may run in a thread that a library started and left open to signals, as OpenBLAS does, and
 * then interrupt no wait. Those of fatal signals, and exit, call restore, which keeps to what a
 * signal handler may do. The way back is built in one of two buffers while a handler may read the
 * other. */
#include "views/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "views/stray.h"

static const int fatal[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGQUIT };
static const int ordinary[] = { SIGWINCH, SIGTSTP, SIGCONT, SIGTERM, SIGHUP, SIGINT };
#define FATALS (sizeof fatal / sizeof fatal[0])
#define ORDINARIES (sizeof ordinary / sizeof ordinary[0])

static struct {
    atomic_bool ours; /* the screen is up: there is something to restore */
    bool handled;     /* the handlers of fatal signals are in */
    struct termios settings;
    sigset_t mask; /* of before */
    struct sigaction before_fatal[FATALS], before[ORDINARIES];
    struct {
        char bytes[WB_TTY_WAY_BACK_MAX];
        size_t n;
    } way[2];
    atomic_int way_now;
    int wake[2]; /* a handler writes to it */
} tty;

static atomic_uint came; /* enum wb_tty_signal */
static char fatal_stack[64 * 1024] __attribute__((aligned(16)));

/* Only in a build with sanitizers. */
extern void __sanitizer_set_report_fd(void *fd) __attribute__((weak));

/* ---- the way back ---- */

static void restore(void)
{
    int now = atomic_load(&tty.way_now);
    int saved_errno = errno;

    if (atomic_exchange(&tty.ours, false)) {
        (void)!write(STDOUT_FILENO, tty.way[now].bytes, tty.way[now].n);
        tcsetattr(STDIN_FILENO, TCSANOW, &tty.settings);
        wb_stray_release();
    }
    errno = saved_errno;
}

static void on_fatal(int number)
{
    restore();
    signal(number, SIG_DFL);
    raise(number); /* comes when this returns, and leaves the right core */
}

static void catch_fatal(void)
{
    stack_t stack = { .ss_sp = fatal_stack, .ss_size = sizeof fatal_stack };
    struct sigaction action = { .sa_handler = on_fatal, .sa_flags = SA_ONSTACK };

    if (__sanitizer_set_report_fd != NULL)
        return;
    sigaltstack(&stack, NULL);
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < FATALS; i++)
        sigaction(fatal[i], &action, &tty.before_fatal[i]);
    tty.handled = true;
}

static void uncatch_fatal(void)
{
    stack_t stack = { .ss_flags = SS_DISABLE };

    if (!tty.handled)
        return;
    for (size_t i = 0; i < FATALS; i++)
        sigaction(fatal[i], &tty.before_fatal[i], NULL);
    sigaltstack(&stack, NULL);
    tty.handled = false;
}

void wb_tty_set_way_back(const char *bytes, size_t n)
{
    int other = 1 - atomic_load(&tty.way_now);

    if (n > WB_TTY_WAY_BACK_MAX)
        n = WB_TTY_WAY_BACK_MAX;
    memcpy(tty.way[other].bytes, bytes, n);
    tty.way[other].n = n;
    atomic_store(&tty.way_now, other);
}

/* ---- ordinary signals ---- */

static void on_ordinary(int number)
{
    int saved_errno = errno;
    unsigned bit = number == SIGWINCH  ? WB_TTY_RESIZED
                   : number == SIGTSTP ? WB_TTY_STOP
                   : number == SIGCONT ? WB_TTY_CONTINUED
                                       : WB_TTY_END;

    atomic_fetch_or(&came, bit);
    (void)!write(tty.wake[1], "", 1);
    errno = saved_errno;
}

static void on_lent(int number)
{
    (void)number;
}

static void set_blocked(bool blocked)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < ORDINARIES; i++)
        sigaddset(&set, ordinary[i]);
    if (blocked)
        pthread_sigmask(SIG_BLOCK, &set, &tty.mask);
    else
        pthread_sigmask(SIG_SETMASK, &tty.mask, NULL);
}

/* What the parent had ignored (nohup, a shell without job control) stays ignored. */
static void set_handler(int number, void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART }, old;

    sigfillset(&action.sa_mask);
    if (sigaction(number, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
        sigaction(number, &action, NULL);
}

/* ---- public ---- */

bool wb_tty_hold(struct wb_err *err)
{
    static bool at_exit;

    if (tcgetattr(STDIN_FILENO, &tty.settings) != 0)
        return wb_fail_errno(err, "the terminal's settings");
    if (!at_exit && atexit(restore) != 0)
        return wb_fail(err, WB_ENOMEM, "no memory for a handler of exit");
    at_exit = true;
    if (pipe2(tty.wake, O_CLOEXEC | O_NONBLOCK) != 0)
        return wb_fail_errno(err, "a pipe for signals");
    atomic_store(&came, 0);
    set_blocked(true);
    for (size_t i = 0; i < ORDINARIES; i++) {
        sigaction(ordinary[i], NULL, &tty.before[i]);
        set_handler(ordinary[i], on_ordinary);
    }
    catch_fatal();
    atomic_store(&tty.ours, true);
    return true;
}

void wb_tty_release(void)
{
    atomic_store(&tty.ours, false);
    uncatch_fatal();
    for (size_t i = 0; i < ORDINARIES; i++)
        sigaction(ordinary[i], &tty.before[i], NULL);
    set_blocked(false);
    close(tty.wake[0]);
    close(tty.wake[1]);
}

/* The borrower may stop the whole group, and gets its own interrupts; handlers that do nothing,
 * for a program that is started inherits what is ignored. An end that is asked for is kept. */
void wb_tty_set_ours(bool ours)
{
    if (ours)
        set_blocked(true);
    set_handler(SIGTSTP, ours ? on_ordinary : SIG_DFL);
    set_handler(SIGINT, ours ? on_ordinary : on_lent);
    if (tty.handled)
        set_handler(SIGQUIT, ours ? on_fatal : on_lent);
    if (ours)
        atomic_fetch_and(&came, WB_TTY_END);
    atomic_store(&tty.ours, ours);
    if (!ours)
        set_blocked(false);
}

void wb_tty_stop(bool group)
{
    if (group)
        kill(0, SIGTSTP);
    else
        raise(SIGTSTP);
}

int wb_tty_wait(struct pollfd *fds, size_t n, int timeout_ms, unsigned *signals)
{
    struct timespec wait = { .tv_sec = timeout_ms / 1000,
                             .tv_nsec = (long)(timeout_ms % 1000) * 1000000 };
    sigset_t mask = tty.mask;
    char bytes[64];
    int ready;

    for (size_t i = 0; i < ORDINARIES; i++)
        sigdelset(&mask, ordinary[i]);
    fds[n] = (struct pollfd){ .fd = tty.wake[0], .events = POLLIN };
    ready = ppoll(fds, (nfds_t)n + 1, timeout_ms < 0 ? NULL : &wait, &mask);
    while (read(tty.wake[0], bytes, sizeof bytes) > 0)
        ;
    *signals = atomic_exchange(&came, 0);
    return ready;
}

int64_t wb_tty_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool wb_tty_write(const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = write(STDOUT_FILENO, bytes, n);

        if (sent < 0 && errno != EINTR && errno != EAGAIN)
            return false;
        if (sent > 0) {
            bytes += sent;
            n -= (size_t)sent;
        }
    }
    return true;
}

bool wb_tty_size(int *rows, int *cols)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
        return false;
    *rows = size.ws_row;
    *cols = size.ws_col;
    return true;
}
