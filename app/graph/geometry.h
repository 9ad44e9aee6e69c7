/* app/graph/geometry.h - how a shape is cut into tiles: the fixed block tree behind every
 * result.
 *
 * It depends on the shape alone (and on whether a sample is meant), never on threads, budget or
 * what else is computed. A tile holds some 64 Ki entries, whole rows where there are rows; a
 * tile is one or more runs of consecutive entries; a run is worked off in chunks of at most
 * WB_CHUNK entries that, where there are rows, end with a row or at a multiple of WB_CHUNK in
 * it. */
#ifndef WB_GRAPH_GEOMETRY_H
#define WB_GRAPH_GEOMETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"
#include "app/tensor/dtype.h"

#define WB_CHUNK ((size_t)1024)
#define WB_TILE ((uint64_t)65536)
/* Column sums are gathered in this many stretches of consecutive tiles. */
#define WB_SPANS ((size_t)16)

enum wb_extent {
    WB_EXTENT_ALL,
    WB_EXTENT_SAMPLE, /* some 32 Ki entries: whole rows (or blocks), evenly spread */
    WB_EXTENT_PROBE,  /* 32 to 256 Ki entries in many short runs, to bracket a selection */
    WB_EXTENT_BYTES,  /* all, in plain stretches without regard to rows: for copying */
};

struct wb_stretch {
    uint64_t first;
    size_t count;
};

struct wb_geometry {
    uint64_t count, rows, columns;
    uint64_t visited; /* entries in all tiles: count, or fewer in a sample */
    size_t tiles;
    size_t tile_max; /* entries of the largest tile */
    bool by_row, partial;
    uint64_t unit, units, units_per_tile,
        units_taken; /* a tile is so many units of so many entries */
};

/* Cannot fail: an empty shape has no tiles. */
struct wb_geometry wb_geometry_of(const struct wb_shape *shape, enum wb_extent extent);
/* Entries in a tile. */
size_t wb_tile_count(const struct wb_geometry *g, size_t tile);
/* Run number `i` of a tile; false behind the last. */
bool wb_tile_run(const struct wb_geometry *g, size_t tile, size_t i, struct wb_stretch *run);
/* How many entries the tiles before this one have. */
uint64_t wb_tile_position(const struct wb_geometry *g, size_t tile);
/* How many entries of all tiles have a flat index below `end`. */
uint64_t wb_sample_before(const struct wb_geometry *g, uint64_t end);
/* The flat index of entry number `position` of those in all tiles, in their order. */
uint64_t wb_sample_entry(const struct wb_geometry *g, uint64_t position);
/* The chunk that starts at entry `first` of a run ending before `end`. */
size_t wb_chunk_count(const struct wb_geometry *g, uint64_t first, uint64_t end);

#endif
