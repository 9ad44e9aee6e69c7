/* app/probe/preview_impl.h - the inside of a preview, for the files that make it. */
#ifndef WB_PROBE_PREVIEW_IMPL_H
#define WB_PROBE_PREVIEW_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "app/probe/delta.h"
#include "app/probe/places.h"
#include "app/probe/preview.h"

/* What is gathered of each tensor. All of it adds up over tensors; what cannot be had stays 0. */
enum {
    WB_SUM_STATS = 0,     /* of the output: as WB_REDUCE_STATS */
    WB_SUM_BASE = 9,      /* base against output: as WB_REDUCE_PAIR_STATS */
    WB_SUM_CONFLICT = 18, /* entries in conflict, and entries looked at */
    /* For each parent: its changes from the base against those of the output, as
     * WB_REDUCE_PAIR_STATS (without a base: it against the output), then plain sums of products:
     * parent, output, one times the other. */
    WB_SUM_PARENT = 20,
    WB_SUM_PRODUCTS = 9,
    WB_SUM_OF_PARENT = 12,
};

struct wb_preview_source {
    const struct wb_entry *out, *base; /* base, parent[]: NULL where they cannot be compared */
    const struct wb_entry **parent;
    bool numbers;
    size_t first_note, notes;
};

struct wb_preview_note {
    const struct wb_note *note;
    size_t tensor; /* `tensors`: of the whole model, or of a tensor that it lacks */
    size_t quantity;
    double value;
};

struct wb_preview {
    _Atomic uint32_t refs;
    struct wb_arena arena;
    struct wb_model *model, *base, **parent;
    size_t parents, tensors, notes, sums;
    struct wb_places places;
    struct wb_preview_source *source;
    struct wb_preview_note *note; /* by tensor */
    struct wb_quantity *quantity;
    size_t quantities;
    /* the running thread's own */
    double *sum;          /* tensors * sums */
    enum wb_grade *grade; /* tensors, and one for what belongs to none */
    double *line_sum;     /* scratch: a line of sums for each cell, row and the total */
    struct wb_preview_snapshot next;
    /* shared */
    pthread_mutex_t lock;
    struct wb_preview_snapshot now;
};

static inline size_t wb_preview_cells(const struct wb_preview *p)
{
    return p->places.rows * p->places.columns;
}

/* Room for everything a snapshot of p holds; false without memory. */
bool wb_preview_room(const struct wb_preview *p, struct wb_preview_snapshot *s);
/* Work out all figures from the sums as they are, and show them. */
void wb_preview_publish(struct wb_preview *p, double done, bool finished);

#endif
