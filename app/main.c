/* app/main.c - where everything is put together: BLAS, signals, families, the command line. */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/arch/arch.h"
#include "app/cli/cli.h"
#include "app/core/arena.h"
#include "app/graph/dense.h"
#include "lua/bind/families.h"
#include "lua/bind/vm.h"

static atomic_bool cancel; /* the first signal */
static atomic_bool polled; /* someone looks at cancel */

/* The first signal asks; where nobody listens, and from the second on, it ends the program at
 * once. What a run has written so far then stays for --resume. */
static void on_signal(int number)
{
    (void)number;
    if (!atomic_load(&polled) || atomic_exchange(&cancel, true))
        _exit(WB_EXIT_CANCELLED);
}

/* What the parent had ignored (nohup, background jobs) stays ignored. */
static void catch_signal(int number)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART }, old;

    sigemptyset(&action.sa_mask);
    if (sigaction(number, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
        sigaction(number, &action, NULL);
}

static void catch_signals(void)
{
    catch_signal(SIGINT);
    catch_signal(SIGTERM);
    catch_signal(SIGHUP);
    signal(SIGPIPE, SIG_IGN); /* a reader that leaves is seen when stdout is flushed */
}

/* A closed stdin, stdout or stderr must not become the number of a file that is written: messages
 * would land in it. Read-only, so that printing to it still fails. */
static void hold_standard_files(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* $XDG_DATA_HOME/weightbench/arch or ~/.local/share/weightbench/arch; NULL when there is no
 * home. */
static const char *user_arch(struct wb_arena *arena)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");

    if (data != NULL && data[0] == '/')
        return wb_arena_printf(arena, "%s/weightbench/arch", data);
    if (home != NULL && home[0] == '/')
        return wb_arena_printf(arena, "%s/.local/share/weightbench/arch", home);
    return NULL;
}

static struct wb_arch_set *families;

static const struct wb_arch_set *open_families(struct wb_err *err)
{
    struct wb_arena arena = { 0 };
    const char *dirs[2];
    bool ok;

    dirs[0] = wb_arena_printf(&arena, "%s/lua/arch", wb_share_dir());
    dirs[1] = user_arch(&arena);
    families = wb_arch_set_new();
    if (dirs[0] == NULL || families == NULL)
        ok = wb_fail(err, WB_ENOMEM, "no memory for the model families");
    else
        ok = wb_families_load(families, dirs, dirs[1] != NULL ? 2 : 1, err);
    wb_arena_free(&arena);
    return ok ? families : NULL;
}

int main(int argc, char **argv)
{
    const struct wb_cli_host host = { .cancel = &cancel,
                                      .polled = &polled,
                                      .open_families = open_families };
    int code;

    hold_standard_files();
    wb_dense_start(argv);
    catch_signals();
    code = wb_cli_main(argc, argv, &host);
    wb_arch_set_free(families);
    return code;
}
