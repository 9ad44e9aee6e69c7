/* views/live_run.h - a run into a checkpoint, under way or over: progress, rate, outcome.
 *
 * Runs on a task; the model it writes is the one the pipeline gave when it was started, whatever is
 * edited meanwhile. Belongs to the UI thread. */
#ifndef WB_VIEWS_LIVE_RUN_H
#define WB_VIEWS_LIVE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "app/core/err.h"
#include "app/core/task.h"
#include "app/job/run.h"

struct wb_desk;

#define WB_LIVE_RATES 120 /* samples of the rate, the newest last */

enum wb_live_state {
    WB_LIVE_NONE,
    WB_LIVE_AT_WORK,
    WB_LIVE_CANCELLING,
    WB_LIVE_DONE,
    WB_LIVE_FAILED,
    WB_LIVE_CANCELLED,
};

struct wb_live_run_options {
    bool force, resume, sha256;
    bool has_dtype;
    enum wb_dtype dtype;
    uint64_t shard_bytes; /* 0: the default */
};

struct wb_live_run {
    enum wb_live_state state;
    char *out, *script_name;
    struct wb_live_run_options options;
    time_t started;
    double start_seconds, end_seconds; /* wb_now_seconds */
    uint64_t bytes_done, bytes_total, jobs_done, jobs_total;
    char current[200];         /* tensor at work */
    float rate[WB_LIVE_RATES]; /* bytes a second in each half second */
    size_t rates;
    double rate_now;     /* over the last 10 s; NaN before there is one */
    double eta_seconds;  /* NaN in the first 3 s */
    struct wb_cost cost; /* once has_plan */
    bool has_plan;
    struct wb_run_result result; /* when DONE */
    struct wb_err err;           /* when FAILED or CANCELLED */
    char *due; /* owned: where the next one goes, which waits for the script; NULL: none */
    struct wb_live_run_options due_options;
    struct wb_task *task; /* the engine's side; private */
    void *inside;
    uint64_t sampled_bytes;
    double sampled_at;
};

/* Begin; one at a time. While the script is at work on an edit or a turn, the run begins as soon as
 * it ended. false with err: one is at work, or the pipeline has no model. */
bool wb_live_run_start(struct wb_desk *desk, const char *out,
                       const struct wb_live_run_options *options, struct wb_err *err);
void wb_live_run_cancel(struct wb_desk *desk);
/* Take in progress; true: something to see changed. */
bool wb_live_run_poll(struct wb_desk *desk);
bool wb_live_run_at_work(const struct wb_live_run *run);
void wb_live_run_free(struct wb_live_run *run);

#endif
