/* app/job/run.h - run a whole model: plan it, find every problem first, write it, resume.
 *
 * Knows no Lua: the caller has built the model. Nothing is printed; progress is a struct, the
 * outcome another. */
#ifndef WB_JOB_RUN_H
#define WB_JOB_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/arena.h"
#include "app/core/err.h"
#include "app/graph/eval.h"
#include "app/graph/model.h"

#ifndef WB_VERSION
#define WB_VERSION "0.1.0"
#endif

enum wb_report { WB_REPORT_SAMPLE, WB_REPORT_EXACT, WB_REPORT_NONE };

struct wb_run {
    const char *out; /* directory, or a path ending in .safetensors; a plan may do without (NULL) */
    bool force, resume, sha256;
    bool has_dtype; /* every floating tensor as `dtype`; else as each node says */
    enum wb_dtype dtype;
    uint64_t shard_bytes;    /* 0: WB_SHARD_BYTES_DEFAULT */
    enum wb_report report;   /* the steps' notes: on a sample, in full (passes more), or not */
    const char *script_name; /* kept beside the output; NULL without one */
    const char *script_text;
    const char *knobs_json; /* {"density":0.3} or NULL */
    struct wb_eval eval;    /* threads, budget, progress, cancel */
};

struct wb_run_result {
    uint64_t tensors, parameters, bytes_in, bytes_out;
    uint64_t resumed; /* tensors taken over from an interrupted run */
    double seconds;
    uint64_t peak_rss_bytes;
    char *report_json;    /* owned, free(); what the manifest has under "steps" */
    char *files_json;     /* owned, free(): {"model.safetensors": bytes, …} */
    const char **warning; /* in the arena: what became of config.json, custom code, the report… */
    size_t warnings;
    struct wb_arena arena;
};

/* A finding of a dry run. Errors would make the run fail, warnings are worth knowing. */
struct wb_problem {
    bool error;
    const char *tensor; /* or "" */
    const char *text;
};

struct wb_plan {
    struct wb_cost cost;
    uint64_t tensors, parameters;
    uint64_t disk_bytes_needed, disk_bytes_free; /* free: 0 without an output */
    double seconds_estimated; /* at least: with all that is read in the page cache */
    size_t shards;
    struct wb_problem *problem; /* in the arena */
    size_t problems, errors;
    struct wb_arena arena;
};

/* Check everything that can be checked from headers. false only when the planning itself fails;
 * findings are in the plan. Free with wb_plan_free. */
bool wb_run_plan(const struct wb_run *run, const struct wb_model *model, struct wb_plan *plan,
                 struct wb_err *err);
void wb_plan_free(struct wb_plan *plan);

/* Do it, unless the plan has an error. On failure and on cancel the output does not exist and
 * the partial one is removed; after kill -9 it stays for `resume`. */
bool wb_run_model(const struct wb_run *run, const struct wb_model *model,
                  struct wb_run_result *result, struct wb_err *err);
void wb_run_result_free(struct wb_run_result *result);

#endif
