/* app/cli/ticker.h - share done and time left, on one line of the terminal, for work that reports. */
#ifndef WB_CLI_TICKER_H
#define WB_CLI_TICKER_H

#include <stdbool.h>
#include <stdint.h>

/* Draws on stderr when it is a terminal, at most ten times a second, from whatever calls it. */
struct wb_cli_ticker {
    const char *unit; /* "tokens" */
    bool terminal, drawn;
    double start, next;
};

void wb_cli_ticker_start(struct wb_cli_ticker *t, const char *unit);
void wb_cli_ticker_show(struct wb_cli_ticker *t, uint64_t done, uint64_t total);
void wb_cli_ticker_stop(struct wb_cli_ticker *t); /* clears the line */

#endif
