/* app/probe/preview.h - the figures of a model while it is being made: first sampled, then exact.
 *
 * A preview is made from a model that may not be written yet, what it is compared with, and the
 * notes of its steps. Facts that follow from headers are there at once. Running it fills the
 * figures: in a first round from a sample of every tensor, then exactly, some tensors at a time in
 * the order of the model, so that numbers turn exact while somebody looks. What a shared cache
 * knows from an earlier preview costs nothing.
 *
 * Figures are of what a run would write: every value is rounded to the dtype of its tensor first.
 * Sums of a sample are scaled by entries / entries looked at (wb_evaluate does), so a norm or a
 * count of a sample estimates that of the whole; a maximum is that of the sample, and rows are
 * taken evenly spread, so rare entries may be missed. Entries that are not finite are counted and
 * left out of everything but `cosine` to a parent, which they make NaN when there is a base. */
#ifndef WB_PROBE_PREVIEW_H
#define WB_PROBE_PREVIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/arena.h"
#include "app/core/err.h"
#include "app/graph/eval.h"
#include "app/graph/model.h"

struct wb_task;
struct wb_preview; /* opaque, reference counted, safe to share between threads */

/* How good a figure is. */
enum wb_grade { WB_GRADE_NONE, WB_GRADE_SAMPLED, WB_GRADE_EXACT };

/* X(name, parent, low, high, doc): what is worked out of every tensor besides the notes. parent:
 * there is one for each parent. low, high: the natural range, low == high where there is none. */
/* clang-format off */
#define WB_PREVIEW_FIGURES(X)                                                                     \
    X(delta_norm, 0, 0, 0, "norm of what differs from the base")                                  \
    X(relative_norm, 0, 0, 0, "that norm over the base's norm")                                   \
    X(changed_share, 0, 0, 1, "share of entries that differ from the base")                       \
    X(norm, 0, 0, 0, "norm of the output")                                                        \
    X(zero_share, 0, 0, 1, "share of entries that are exactly 0")                                 \
    X(nan, 0, 0, 0, "entries that are not a number")                                              \
    X(inf, 0, 0, 0, "entries that are infinite")                                                  \
    X(conflict_share, 0, 0, 1, "share of entries where parents moved away from the base in "       \
                               "opposite directions")                                             \
    X(cosine, 1, -1, 1, "cosine of the output to the parent")                                     \
    X(delta_cosine, 1, -1, 1, "cosine of both changes from the base")                             \
    X(sign_agreement, 1, 0, 1, "share of entries whose changes from the base (without one, whose " \
                               "values) have one sign; zeros agree with zeros")
/* clang-format on */

enum wb_preview_figure {
#define X(name, parent, low, high, doc) WB_PREVIEW_##name,
    WB_PREVIEW_FIGURES(X)
#undef X
        WB_PREVIEW_FIGURE_COUNT
};

/* One column of numbers. Strings are borrowed from the preview. */
struct wb_quantity {
    const char *key; /* "cosine"; of a note its own key */
    const char *doc; /* "" of a note */
    int figure;      /* enum wb_preview_figure; -1: a note */
    int parent;      /* from 0; -1: none */
    int step;        /* of a note; -1: none */
    double low, high;
    enum wb_total total; /* how a note is summed up; NONE of ours: from exact sums */
};

/* What headers tell. "Changed": computed by something else than the base's own tensor, whatever the
 * values turn out to be. */
struct wb_preview_facts {
    uint64_t parameters, bytes, base_parameters, base_bytes;
    int layers, base_layers;
    size_t tensors, changed, added, removed, reshaped; /* against the base, else the first parent */
    size_t uncomputable;                               /* of dtypes that only pass through */
};

/* A tensor of the output, in the order of the model. */
struct wb_preview_tensor {
    const struct wb_entry *entry; /* borrowed from the model */
    enum wb_grade grade;
    bool compared; /* the base has it, in this shape and as numbers */
    bool alias;    /* another name of a tensor that is counted already: not in sums */
};

struct wb_preview_layer {
    const char *stack; /* "", "encoder", … */
    int layer;         /* -1: all tensors that belong to none; it is the last */
    enum wb_grade grade;
};

/* Everything known so far, as one copy. NaN: not known, or it does not exist. The matrices have
 * one line of `quantities` numbers for each tensor, cell (row * columns + column), row, and one
 * for the total. */
struct wb_preview_snapshot {
    uint64_t version;    /* counts up with every change */
    enum wb_grade grade; /* of the total: EXACT when everything is */
    double done;         /* share of the work of both rounds, 0 .. 1 */
    bool finished;
    struct wb_preview_facts facts;
    const struct wb_quantity *quantity; /* borrowed from the preview */
    size_t quantities;
    struct wb_preview_tensor *tensor;
    size_t tensors;
    struct wb_preview_layer *row;
    size_t rows;
    const char *const *column; /* roles, in the order in which a block computes; borrowed */
    size_t columns;
    enum wb_grade *cell_grade; /* rows * columns; NONE where there is no tensor */
    double *tensor_value, *cell_value, *row_value, *total_value;
    struct wb_preview *of; /* a reference */
};

/* model, base and parents are referenced; base may be NULL, parents 0. Headers only, some 10 us a
 * tensor. Owned (wb_preview_unref); NULL on failure. */
struct wb_preview *wb_preview_new(struct wb_model *model, struct wb_model *base,
                                  struct wb_model *const *parent, size_t parents,
                                  struct wb_err *err);
struct wb_preview *wb_preview_ref(struct wb_preview *p);
void wb_preview_unref(struct wb_preview *p); /* NULL is fine */

struct wb_preview_how {
    int threads;            /* 0: one for each processor */
    uint64_t budget_bytes;  /* 0: WB_BUDGET_DEFAULT_BYTES */
    struct wb_cache *cache; /* may be NULL, but then a model-wide reduction is worked out often */
    bool sampled_only;      /* end after the first round */
    const atomic_bool *cancel; /* may be NULL */
    void (*report)(void *ctx); /* after each change of the snapshot, on the running thread */
    void *ctx;
};

/* Work everything out; once a preview. After a failure (a guard: WB_ENUMERIC, as the run would
 * have it) or a cancellation all that was known stays. */
bool wb_preview_run(struct wb_preview *p, const struct wb_preview_how *how, struct wb_err *err);
/* For wb_task_start: a context that runs `how` on the preview, reporting to the task. The preview
 * is referenced, how copied (its cancel, report and ctx are the task's). Owned; NULL: no memory. */
void *wb_preview_task_new(struct wb_preview *p, const struct wb_preview_how *how);
bool wb_preview_task_run(struct wb_task *task, void *ctx, struct wb_err *err);
void wb_preview_task_free(void *ctx);

/* Copy what is known into *out; nothing is copied (and true given) when out is of this preview and
 * has the newest version. Zero-initialised, it is an empty snapshot; free with
 * wb_preview_snapshot_free. false: no memory, *out is empty. */
bool wb_preview_snapshot(struct wb_preview *p, struct wb_preview_snapshot *out);
void wb_preview_snapshot_free(struct wb_preview_snapshot *s);
/* Number of a quantity, SIZE_MAX when there is none: by figure and parent (-1: none), or the first
 * note of that key. */
size_t wb_preview_find(const struct wb_preview_snapshot *s, enum wb_preview_figure figure,
                       int parent);
size_t wb_preview_find_note(const struct wb_preview_snapshot *s, const char *key);

#endif
