/* app/graph/program.h - one pass over tensors of one shape: every elementwise operation fused.
 *
 * A program is compiled from drains: what is wanted of a pass (bytes written, a sum, counts for
 * a selection …). Compiling walks the streams behind the drains once, folds what is constant,
 * shares what is common, and gives a list of instructions over registers of WB_CHUNK float32
 * values. Running it works off one unit (a tile, or a stretch of tiles) on any thread; results
 * land in the drains, by tile. */
#ifndef WB_GRAPH_PROGRAM_H
#define WB_GRAPH_PROGRAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"
#include "app/graph/eval.h"
#include "app/graph/geometry.h"
#include "app/graph/held.h"
#include "app/graph/node.h"

struct wb_output;

enum wb_drain_kind {
    WB_DRAIN_WRITE,          /* narrowed to `dtype`, to `output` */
    WB_DRAIN_COPY,           /* the source's bytes as they are, to `output` */
    WB_DRAIN_REDUCE,         /* partial: one value a tile (9 for statistics) */
    WB_DRAIN_REDUCE_ROWS,    /* result: one value a row */
    WB_DRAIN_REDUCE_COLUMNS, /* partial: a row of sums for each span */
    WB_DRAIN_SELECT_ROWS,    /* result: threshold and last column of each row */
    WB_DRAIN_HOLD,           /* buffer */
    WB_DRAIN_BRACKET,        /* keys: counts against [low, high] a tile, and the keys between */
    WB_DRAIN_HISTOGRAM,      /* of key >> 16, or of the low 16 bits where the high ones are `low` */
    WB_DRAIN_BINS,           /* histogram: of the held node's bins (app/graph/measure.h) */
    WB_DRAIN_GRAM,           /* partial: sums of products of the held node's operands, by span */
    WB_DRAIN_KEYS,           /* key: of every entry, in the order of tiles */
    WB_DRAIN_FIND,           /* found: flat index of the nth key equal to `low` in the tile */
};

/* The keys of one tile (or copied, of one probe). */
struct wb_key_tile {
    struct wb_bracket_counts counts;
    uint32_t *list; /* strictly inside the bracket, in order; owned by the selection */
    size_t n;
};

struct wb_drain {
    enum wb_drain_kind kind;
    enum wb_reduce op;
    bool by_value, low_half; /* low_half: of a histogram */
    struct wb_node *in[2];   /* what streams in */
    /* where results go; the owner of the drain makes room */
    double *partial, *result, **columns;
    float *buffer;
    struct wb_key_tile *tile;
    _Atomic uint64_t *listed; /* keys listed by all tiles; over list_max the lists are given up */
    uint64_t list_max;
    _Atomic uint64_t *histogram; /* 65536; of BINS its own, owned */
    uint32_t low, high;
    double range[3]; /* of BINS: from, to, bins / (to - from) */
    uint64_t nth, *found;
    uint32_t *key; /* of KEYS: room for all that is visited */
    uint64_t k;    /* of SELECT_ROWS */
    struct wb_output *output;
    enum wb_dtype dtype;
    struct wb_held *held; /* whom the result is for */
    /* set by the compiler */
    unsigned reg[2];
    size_t slot;    /* of COPY */
    size_t keys_at; /* its place in a worker's key buffer */
};

struct wb_program;

/* Guards that an earlier pass over all of their tensor has found finite: not checked again. */
struct wb_verified {
    struct wb_hash *guard; /* owned by the job */
    size_t count;
};

/* Compile for a geometry. Every held value that the streams need is ready. drain[] is borrowed
 * and must stay until the program is freed. verified may be NULL. NULL with err. */
struct wb_program *wb_program_new(const struct wb_held_table *table, const struct wb_shape *shape,
                                  enum wb_extent extent, struct wb_drain *const *drain,
                                  size_t drains, const struct wb_verified *verified,
                                  struct wb_err *err);
/* After a run over everything: add the guards that were checked. False without memory. */
bool wb_program_verify(const struct wb_program *p, struct wb_verified *verified);
void wb_program_free(struct wb_program *p); /* NULL is fine */
const struct wb_geometry *wb_program_geometry(const struct wb_program *p);
size_t wb_program_units(const struct wb_program *p);
const char *wb_program_name(
    const struct wb_program *p); /* of the first tensor it reads; may be NULL */

/* Scratch memory of one worker, grown as programs need it. */
struct wb_work;
struct wb_work *wb_work_new(void);
void wb_work_free(struct wb_work *w);

/* What a run shares. */
struct wb_context {
    const struct wb_held_table *table;
    const struct wb_sink *sink;
    struct wb_cache *cache;
    struct wb_progress *progress;
    const atomic_bool *cancel;
};

/* Work off one unit. false: an error, or cancelled. */
bool wb_program_run(struct wb_program *p, struct wb_work *work, size_t unit,
                    const struct wb_context *context, struct wb_err *err);

#endif
