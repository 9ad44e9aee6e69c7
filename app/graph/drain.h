/* app/graph/drain.h - what becomes of the values of a pass, and a worker's scratch memory. */
#ifndef WB_GRAPH_DRAIN_H
#define WB_GRAPH_DRAIN_H

#include "app/graph/cache.h"
#include "app/graph/instr.h"
#include "app/graph/output.h"
#include "app/graph/program.h"
#include "app/tensor/kernels.h"

/* One worker's running state of one drain, for the tile (or span) at work. */
struct wb_drain_state {
    double lanes[4][WB_LANES];
    float running;
    uint64_t count;
    struct wb_stats stats;
    struct wb_pair_stats pair;
    struct wb_bracket_counts keys;
    size_t listed; /* keys in the worker's key buffer */
    bool listing;
    double *columns; /* of the span, borrowed from the drain */
    struct wb_buffer out;
    size_t out_at;
};

/* One slot's packed elements of the tile at work. */
struct wb_tile_in {
    const uint8_t *bytes; /* in the raw area, or in the cache */
    bool finite;          /* known; false: not looked at */
    struct wb_cached cached;
};

struct wb_work {
    float *registers;
    uint8_t *raw;
    struct wb_tile_in *in;
    size_t ins_cap;
    uint32_t *keys;
    size_t registers_cap, raw_cap, keys_cap;
    struct wb_drain_state *state;
    size_t drains_cap;
    const struct wb_node *bad_node; /* the guard that fired */
};

/* Is it gathered over stretches of tiles, in order, rather than tile by tile? */
static inline bool wb_drain_has_spans(const struct wb_drain *d)
{
    return d->kind == WB_DRAIN_REDUCE_COLUMNS || d->kind == WB_DRAIN_GRAM;
}

/* Before a tile. */
void wb_drain_start(const struct wb_program *p, struct wb_work *w);
/* Room for the bytes that the tile writes. */
bool wb_drain_reserve(const struct wb_program *p, struct wb_work *w, size_t tile,
                      struct wb_err *err);
/* Before the tiles of a span: sums of columns. */
bool wb_drain_start_span(const struct wb_program *p, struct wb_work *w, size_t span,
                         struct wb_err *err);
/* n values of drain number i, the first with flat index `at`; y is x for drains with one input. */
void wb_drain_feed(const struct wb_program *p, struct wb_work *w, size_t i, size_t n, uint64_t at,
                   const float *x, const float *y);
/* The same of values that are never stored: slot elements less y (to a bracket of magnitudes), and
 * pairs of slot elements (to statistics of pairs). */
void wb_drain_feed_difference(const struct wb_program *p, struct wb_work *w, size_t i, size_t n,
                              enum wb_dtype dtype, const void *src, const float *y);
void wb_drain_feed_pair(struct wb_work *w, size_t i, size_t n, enum wb_dtype dtype, const void *x,
                        const void *y);
/* Where the next n elements of a drain that writes go, for who narrows them himself. */
void *wb_drain_room(const struct wb_program *p, struct wb_work *w, size_t i, size_t n);
/* After a tile: partial results stored, bytes handed to the output. */
bool wb_drain_finish(const struct wb_program *p, struct wb_work *w, size_t tile,
                     const struct wb_context *cx, struct wb_err *err);

#endif
