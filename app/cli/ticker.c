/* app/cli/ticker.c - " 42%  3.1 k tokens/s  12 s left". */
#include "app/cli/ticker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/core/io.h"
#include "app/core/str.h"

void wb_cli_ticker_start(struct wb_cli_ticker *t, const char *unit)
{
    const char *term = getenv("TERM");

    *t = (struct wb_cli_ticker){ .unit = unit, .start = wb_now_seconds() };
    t->terminal = isatty(STDERR_FILENO) == 1 && (term == NULL || strcmp(term, "dumb") != 0);
    t->next = t->start + 0.3;
}

void wb_cli_ticker_show(struct wb_cli_ticker *t, uint64_t done, uint64_t total)
{
    double now = wb_now_seconds(), rate = (double)done / (now - t->start + 1e-9);
    char speed[32], left[32];

    if (!t->terminal || total == 0 || done == 0 || now < t->next)
        return;
    fprintf(stderr, "\r%3.0f%%  %s %s/s  %s left\033[K", 100 * (double)done / (double)total,
            wb_format_count(speed, sizeof speed, rate), t->unit,
            wb_format_seconds(left, sizeof left, (double)(total - done) / rate));
    fflush(stderr);
    t->drawn = true;
    t->next = now + 0.1;
}

void wb_cli_ticker_stop(struct wb_cli_ticker *t)
{
    if (t->drawn)
        fputs("\r\033[K", stderr);
    t->drawn = false;
}
