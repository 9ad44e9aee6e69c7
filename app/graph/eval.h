/* app/graph/eval.h - evaluate nodes: the one path by which weights are read.
 *
 * A request is a list of targets. A value target gives the numbers of a node (a reduction, a
 * small tensor); a write target streams the bytes of a node to the sink. The evaluator fuses
 * everything elementwise, orders the passes that reductions need, shares what targets of one
 * group have in common, and runs tiles on all threads. Bits do not depend on threads, budget or
 * kernel table. */
#ifndef WB_GRAPH_EVAL_H
#define WB_GRAPH_EVAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"
#include "app/graph/node.h"

#define WB_BUDGET_DEFAULT_BYTES ((uint64_t)1 << 30)

struct wb_target {
    struct wb_node *node; /* borrowed */
    /* Targets next to each other and of one group share passes: give those of one tensor name
     * one group. */
    size_t group;
    bool write; /* to the sink, as `dtype`; else fill value[0 .. count) */
    enum wb_dtype dtype;
    double
        *value; /* the caller's, room for every element of node; NaN where a sample cannot tell */
};

/* Where written bytes go. Called from workers at the same time; blocks of one target come in any
 * order. */
struct wb_sink {
    void *ctx;
    bool (*put)(void *ctx, size_t target, uint64_t first_byte, const void *bytes, size_t n,
                struct wb_err *err);
    bool (*done)(void *ctx, size_t target, struct wb_hash hash,
                 struct wb_err *err); /* XXH3-128 of all its bytes */
};

/* Read by others while the evaluation runs. */
struct wb_progress {
    _Atomic uint64_t bytes_done, bytes_total; /* read and written; total is known once planned */
    _Atomic uint64_t jobs_done, jobs_total;
    _Atomic(const char *) current; /* name of a tensor at work, borrowed from its node */
};

struct wb_cache; /* results by node hash, least recently used ones dropped; thread-safe */

struct wb_cache *wb_cache_new(uint64_t max_bytes);
void wb_cache_free(struct wb_cache *cache); /* NULL is fine */
struct wb_cache_counts {
    uint64_t hits, misses, bytes, entries;
};
struct wb_cache_counts wb_cache_counts(struct wb_cache *cache);
void wb_cache_clear(struct wb_cache *cache);

struct wb_eval {
    int threads;           /* 0: one for each processor */
    uint64_t budget_bytes; /* 0: WB_BUDGET_DEFAULT_BYTES */
    bool sample; /* value targets only: evaluate the same graph on a strided sample of rows */
    struct wb_cache *cache;       /* may be NULL */
    struct wb_progress *progress; /* may be NULL */
    const atomic_bool *cancel;    /* may be NULL; polled once a tile */
};

/* Evaluate. false with err: WB_ECANCELLED, WB_ENUMERIC (a guard), WB_ENOMEM (a dense operand
 * beyond any budget), WB_EIO, … */
bool wb_evaluate(const struct wb_eval *how, const struct wb_target *target, size_t count,
                 const struct wb_sink *sink, struct wb_err *err);

/* What evaluating would take, without reading a weight. */
struct wb_cost {
    uint64_t jobs;
    uint64_t passes; /* over the data of a target, at most: the deepest chain of reductions + 1 */
    uint64_t bytes_read, bytes_written;
    uint64_t memory_bytes; /* beyond the page cache, with these threads and budget */
    uint64_t held_bytes;   /* largest buffers of one job */
};
bool wb_evaluate_cost(const struct wb_eval *how, const struct wb_target *target, size_t count,
                      struct wb_cost *cost, struct wb_err *err);

#endif
