/* app/graph/geometry.c - tiles, runs and chunks.
 *
 * A shape is seen as `units` of `unit` entries: rows where there are rows, else blocks. A tile
 * takes units_per_tile of the units taken; a sample takes every so-manieth unit. */
#include "app/graph/geometry.h"

#include <string.h>

#include "app/graph/node_impl.h"

#define SAMPLE_ENTRIES ((uint64_t)32768)
#define SAMPLE_BLOCK ((uint64_t)1024)
#define SAMPLE_ROWS_MIN ((uint64_t)8)
#define PROBE_BLOCK ((uint64_t)256)
#define PROBE_ENTRIES_MAX ((uint64_t)262144)
#define COPY_TILE ((uint64_t)1 << 19)

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

struct wb_geometry wb_geometry_of(const struct wb_shape *shape, enum wb_extent extent)
{
    struct wb_geometry g = { .rows = wb_shape_rows(shape), .columns = wb_shape_columns(shape) };
    uint64_t tile = WB_TILE;

    g.count = g.rows * g.columns;
    if (g.count == 0)
        return g;
    g.by_row = shape->ndim >= 2 && g.columns <= WB_ROW_MAX && extent != WB_EXTENT_BYTES;
    g.unit = g.by_row ? g.columns : WB_TILE;
    if (extent == WB_EXTENT_SAMPLE && !g.by_row)
        g.unit = SAMPLE_BLOCK;
    if (extent == WB_EXTENT_PROBE)
        g.unit = PROBE_BLOCK;
    if (extent == WB_EXTENT_BYTES)
        g.unit = tile = COPY_TILE;
    g.units = (g.count + g.unit - 1) / g.unit;
    g.units_taken = g.units;
    if (extent == WB_EXTENT_SAMPLE || extent == WB_EXTENT_PROBE) {
        uint64_t entries = SAMPLE_ENTRIES;

        if (extent == WB_EXTENT_PROBE && g.count / 256 > entries)
            entries = least(g.count / 256, PROBE_ENTRIES_MAX);
        g.units_taken = entries / g.unit;
        if (g.units_taken < SAMPLE_ROWS_MIN)
            g.units_taken = SAMPLE_ROWS_MIN;
        g.units_taken = least(g.units_taken, g.units);
        g.partial = g.units_taken < g.units;
    }
    g.units_per_tile = g.unit >= tile ? 1 : tile / g.unit;
    g.tiles = (size_t)((g.units_taken + g.units_per_tile - 1) / g.units_per_tile);
    g.tile_max = (size_t)(least(g.units_per_tile, g.units_taken) * g.unit);
    if (g.tile_max > g.count)
        g.tile_max = (size_t)g.count;
    for (size_t t = 0; g.partial && t < g.tiles; t++)
        g.visited += wb_tile_count(&g, t);
    if (!g.partial)
        g.visited = g.count;
    return g;
}

/* The unit that is number `i` of those taken: the middle of the i-th of equal stretches. */
static uint64_t taken_unit(const struct wb_geometry *g, uint64_t i)
{
    uint64_t half = 2 * g->units_taken;

    if (!g->partial)
        return i;
    return (2 * i + 1) * (g->units / half) +
           (2 * i + 1) * (g->units % half) / half; /* no overflow */
}

static size_t unit_count(const struct wb_geometry *g, uint64_t unit)
{
    return (size_t)least(g->unit, g->count - unit * g->unit);
}

size_t wb_tile_count(const struct wb_geometry *g, size_t tile)
{
    uint64_t first = tile * g->units_per_tile,
             last = least(first + g->units_per_tile, g->units_taken);

    if (!g->partial)
        return (size_t)(least(last * g->unit, g->count) - first * g->unit);
    /* only the last unit of all can be short */
    return (size_t)((last - first - 1) * g->unit) + unit_count(g, taken_unit(g, last - 1));
}

bool wb_tile_run(const struct wb_geometry *g, size_t tile, size_t i, struct wb_stretch *run)
{
    uint64_t first = tile * g->units_per_tile,
             last = least(first + g->units_per_tile, g->units_taken);

    if (!g->partial) {
        run->first = first * g->unit;
        run->count = (size_t)(least(last * g->unit, g->count) - run->first);
        return i == 0;
    }
    if (first + i >= last)
        return false;
    run->first = taken_unit(g, first + i) * g->unit;
    run->count = unit_count(g, taken_unit(g, first + i));
    return true;
}

uint64_t wb_tile_position(const struct wb_geometry *g, size_t tile)
{
    return tile * g->units_per_tile * g->unit;
}

uint64_t wb_sample_before(const struct wb_geometry *g, uint64_t end)
{
    uint64_t low = 0, high = g->units_taken, last; /* units before low begin before the end */

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (taken_unit(g, middle) * g->unit < end)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return 0;
    last = taken_unit(g, low - 1);
    return (low - 1) * g->unit + least(end - last * g->unit, unit_count(g, last));
}

uint64_t wb_sample_entry(const struct wb_geometry *g, uint64_t position)
{
    return taken_unit(g, position / g->unit) * g->unit + position % g->unit;
}

size_t wb_chunk_count(const struct wb_geometry *g, uint64_t first, uint64_t end)
{
    uint64_t n = least(WB_CHUNK, end - first), in_row;

    if (!g->by_row || g->columns == 0)
        return (size_t)n;
    in_row = first % g->columns;
    if (in_row == 0 && g->columns <= WB_CHUNK) /* some whole rows */
        return (size_t)least(WB_CHUNK / g->columns * g->columns, n);
    return (size_t)least(least(WB_CHUNK - in_row % WB_CHUNK, g->columns - in_row), n);
}
