/* app/probe/behaviour.h - what a model does, while it is being made: scores on evaluation sets, how
 * far it moved from its parents, a sample of its text; first from a little, then from all.
 *
 * Models are the base (may be missing), the parents and the result, in this order; each is any
 * model, written or not. Rounds: first the first windows (items) of every set, the result before
 * the others; then all. What was worked out for a model (by its hash) and a set stays in the memory
 * given and costs nothing the next time, so that a turned knob runs the result alone. Final figures
 * are those of `eval` on the written result, digit by digit. */
#ifndef WB_PROBE_BEHAVIOUR_H
#define WB_PROBE_BEHAVIOUR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"
#include "app/graph/eval.h"
#include "app/graph/model.h"
#include "app/probe/preview.h"

struct wb_behaviour; /* opaque, reference counted, safe to share between threads */
struct
    wb_behaviour_memory; /* scores known by model and set, nets of parents; thread-safe, opaque */

struct wb_behaviour_memory *wb_behaviour_memory_new(void);
void wb_behaviour_memory_free(struct wb_behaviour_memory *m); /* NULL is fine */
struct wb_behaviour_memory_counts {
    uint64_t hits, misses; /* of everything that is kept */
    uint64_t entries, bytes;
    uint64_t rows; /* tokens and patches that went through a net to be scored */
};
struct wb_behaviour_memory_counts wb_behaviour_memory_counts(struct wb_behaviour_memory *m);

enum wb_behaviour_kind { WB_BEHAVIOUR_TEXT, WB_BEHAVIOUR_TASKS, WB_BEHAVIOUR_IMAGES };

struct wb_behaviour_set {
    enum wb_behaviour_kind kind;
    const char *name, *path; /* copied */
    size_t window, limit;    /* as of `eval`; 0: its defaults */
};

/* One model on one set. NaN: not known yet. */
struct wb_behaviour_cell {
    enum wb_grade grade;
    double value; /* nll, exact match, accuracy */
    double error; /* standard error while sampled (and of the whole set when exact) */
    double kl;    /* of text sets: mean KL(this model || result), nats; of the result NaN */
    /* Share of tokens (of tasks: of the right answers; images) where its first choice is the
     * result's. NaN, as kl, when the two read the text in other tokens. */
    double agreement;
    uint64_t done, total; /* tokens or items */
};

struct wb_behaviour_snapshot {
    uint64_t version;
    enum wb_grade grade;
    double done; /* share of the work */
    bool finished;
    size_t models;                 /* base (if any), parents, result: the result is the last */
    const char *const *model_name; /* borrowed from the behaviour */
    bool has_base;
    size_t sets;
    const struct wb_behaviour_set *set; /* borrowed */
    struct wb_behaviour_cell *cell;     /* [models, sets] */
    char *sample; /* text the result generated so far, prompt left out; may be "" */
    char
        *problem; /* why figures are missing (no tokenizer, a family that cannot be run), or NULL */
    struct wb_behaviour *of; /* a reference */
};

struct wb_behaviour_how {
    int threads;
    uint64_t budget_bytes;
    struct wb_cache *cache;
    struct wb_behaviour_memory *memory; /* NULL: one of its own */
    const char *prompt;                 /* of the sample; NULL: the start of the first text set */
    size_t sample_tokens;               /* 0: 40 */
    const atomic_bool *cancel;          /* may be NULL */
    void (*report)(void *ctx);          /* after each change, on the running thread */
    void *ctx;
};

/* Everything is referenced or copied. Owned (wb_behaviour_unref); NULL without memory. */
struct wb_behaviour *wb_behaviour_new(struct wb_model *result, const char *result_name,
                                      struct wb_model *base, struct wb_model *const *parent,
                                      const char *const *parent_name, size_t parents,
                                      const struct wb_behaviour_set *set, size_t sets,
                                      struct wb_err *err);
struct wb_behaviour *wb_behaviour_ref(struct wb_behaviour *b);
void wb_behaviour_unref(struct wb_behaviour *b); /* NULL is fine */
/* Work everything out; once a behaviour. After a cancellation all that was known stays. What a model
 * cannot do is no failure but the problem of the snapshot; the other figures come all the same. Half
 * of the budget is for the result's weights, half for what the memory keeps. */
bool wb_behaviour_run(struct wb_behaviour *b, const struct wb_behaviour_how *how,
                      struct wb_err *err);
/* For wb_task_start, as in preview.h. */
void *wb_behaviour_task_new(struct wb_behaviour *b, const struct wb_behaviour_how *how);
bool wb_behaviour_task_run(struct wb_task *task, void *ctx, struct wb_err *err);
void wb_behaviour_task_free(void *ctx);
bool wb_behaviour_snapshot(struct wb_behaviour *b, struct wb_behaviour_snapshot *out);
void wb_behaviour_snapshot_free(struct wb_behaviour_snapshot *s);

#endif
