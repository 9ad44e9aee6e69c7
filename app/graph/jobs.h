/* app/graph/jobs.h - an evaluation cut into jobs: the plan of eval.h, from the inside.
 *
 * A job is the targets of one group and every held value that is first needed there. It goes
 * through waves: in each, all reductions whose inputs are ready (and outputs that need no more)
 * share passes over the data. A value that another group needs too is computed by the first job
 * that needs it; later ones wait for that job. Jobs depend on earlier ones alone, so starting
 * them in order never blocks for good. */
#ifndef WB_GRAPH_JOBS_H
#define WB_GRAPH_JOBS_H

#include "app/graph/eval.h"
#include "app/graph/held.h"
#include "app/graph/output.h"
#include "app/graph/program.h"

#define WB_DRAINS_MAX ((size_t)64) /* of one program */

/* One program of a wave. */
struct wb_pass {
    struct wb_program *program;
    struct wb_shape shape;
    enum wb_extent extent;
    struct wb_hash about; /* of what name its first source has: what belongs together */
    bool spans, copy;
    struct wb_drain **drain; /* those without a selection are owned (see wb_drain.held) */
    size_t drains;
};

struct wb_target_state {
    struct wb_target target;
    struct wb_node *node; /* owned; a stream that is wanted as values is held */
    struct wb_held **dep; /* owned */
    size_t deps;
    bool emitted;
    struct wb_output output;
};

struct wb_job {
    size_t first, count; /* targets */
    struct wb_held **own,
        **use; /* computed here, in order; needed from or by this job (own ones too) */
    size_t owns, uses, own_cap, use_cap;
    uint64_t held_bytes, source_bytes; /* buffers while it runs; bytes of its sources, each once */
    unsigned depth;                    /* passes over its sources */
    /* while it runs */
    struct wb_pass *pass;
    struct wb_verified verified;
    size_t passes, pass_at, unit_at, outstanding;
    bool active, advancing, done;
};

struct wb_jobs {
    struct wb_held_table table;
    struct wb_target_state *target;
    size_t targets;
    struct wb_job *job;
    size_t jobs;
    bool sample;
    struct wb_cache *cache;
};

/* Build the plan; what the cache knows is ready. */
bool wb_jobs_plan(struct wb_jobs *jobs, const struct wb_target *target, size_t count, bool sample,
                  struct wb_cache *cache, struct wb_err *err);
void wb_jobs_free(struct wb_jobs *jobs);
/* Is the value of a held node kept in the cache, and under which key? */
bool wb_jobs_cacheable(const struct wb_jobs *jobs, const struct wb_node *node);
struct wb_hash wb_jobs_cache_key(const struct wb_jobs *jobs, const struct wb_node *node);

struct wb_advance {
    const struct wb_context *context;
    uint64_t list_max_keys;
    size_t parked_max;
};

/* Take in the results of the wave that ended, compute what follows from them, and set up the
 * next wave. With no pass left the job is finished: its values are in the targets. Called by one
 * worker at a time. */
bool wb_job_advance(struct wb_jobs *jobs, struct wb_job *job, const struct wb_advance *how,
                    struct wb_work *work, struct wb_err *err);
/* After the last wave: drop held values that nobody needs any more. Under the scheduler's lock. */
void wb_job_release(struct wb_jobs *jobs, struct wb_job *job);
/* After a failure: free what the wave at work left behind. */
void wb_job_abandon(struct wb_job *job);

#endif
