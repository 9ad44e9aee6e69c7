/* app/cli/progress.h - how far a run is, on one line of the terminal. */
#ifndef WB_CLI_PROGRESS_H
#define WB_CLI_PROGRESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "app/graph/eval.h"

/* THREADS: a thread of its own reads `engine` ten times a second and redraws; signals stay with
 * the others. */
struct wb_cli_progress {
    struct wb_progress engine; /* give its address to the evaluator */
    const atomic_bool *cancel;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool running, stop, terminal;
    double start;
};

/* Start drawing on stderr: on a terminal one line redrawn, else a line every ten seconds.
 * Without a thread nothing is drawn. */
void wb_cli_progress_start(struct wb_cli_progress *p, const atomic_bool *cancel);
/* Stop and clear the line. */
void wb_cli_progress_stop(struct wb_cli_progress *p);

#endif
