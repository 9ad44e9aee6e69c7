/* tests/bench/measure.c - run a command and say what it took.
 *
 * usage: measure COMMAND [ARGUMENT...]. On standard error's last line, after the command's own output:
 * "seconds peak_rss_kib peak_anon_kib status". The anonymous memory (heap, buffers, stacks: what
 * is neither a file nor the page cache) is sampled from /proc every two milliseconds. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "app/core/io.h"

#define SAMPLE_NANOSECONDS 2000000

/* RssAnon of a process in KiB; 0 once it has gone. */
static long anonymous_kib(pid_t pid)
{
    char path[64], line[256];
    long kib = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    f = fopen(path, "r");
    if (f == NULL)
        return 0;
    while (fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "RssAnon:", 8) == 0)
            kib = strtol(line + 8, NULL, 10);
    fclose(f);
    return kib;
}

int main(int argc, char **argv)
{
    double start = wb_now_seconds();
    struct rusage use;
    long peak = 0, now;
    int status = 0;
    pid_t pid;

    if (argc < 2) {
        fprintf(stderr, "usage: measure COMMAND [ARGUMENT...]\n");
        return 2;
    }
    pid = fork();
    if (pid == 0) {
        execvp(argv[1], argv + 1);
        perror(argv[1]);
        _exit(127);
    }
    while (pid > 0 && wait4(pid, &status, WNOHANG, &use) == 0) {
        now = anonymous_kib(pid);
        peak = now > peak ? now : peak;
        nanosleep(&(struct timespec){ .tv_nsec = SAMPLE_NANOSECONDS }, NULL);
    }
    if (pid < 0) {
        perror("fork");
        return 1;
    }
    status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    fprintf(stderr, "%.4f %ld %ld %d\n", wb_now_seconds() - start, use.ru_maxrss, peak, status);
    return status;
}
