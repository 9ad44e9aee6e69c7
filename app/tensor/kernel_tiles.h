/* app/tensor/kernel_tiles.h - statistics in tiles: vectors where all is finite, else element by
 * element.
 *
 * The includer has stats_finite and pair_finite, for lengths that are multiples of WB_LANES; or
 * HAVE_PAIR_STATS, and pair_stats itself. */
#ifndef WB_TENSOR_KERNEL_TILES_H
#define WB_TENSOR_KERNEL_TILES_H

#include "app/tensor/kernel_lanes.h"
#include "app/tensor/kernel_map.h"

#define TILE 512 /* in the first-level cache; a multiple of WB_LANES */

static void stats(size_t n, const float *x, struct wb_stats *acc, double lanes[2][WB_LANES])
{
    for (size_t start = 0; start < n; start += TILE) {
        const float *tile = x + start;
        size_t len = n - start < TILE ? n - start : TILE, i = 0;

        if (first_nonfinite(len, tile) == len) {
            i = len / WB_LANES * WB_LANES;
            stats_finite(i, tile, acc, lanes);
        }
        for (; i < len; i++)
            stats_element(tile[i], acc, lanes, i % WB_LANES);
    }
    stats_close(n, acc, lanes);
}

#ifndef HAVE_PAIR_STATS
static void pair_stats(size_t n, const float *x, const float *y, struct wb_pair_stats *acc,
                       double lanes[4][WB_LANES])
{
    for (size_t start = 0; start < n; start += TILE) {
        size_t len = n - start < TILE ? n - start : TILE, i = 0;

        if (first_nonfinite(len, x + start) == len && first_nonfinite(len, y + start) == len) {
            i = len / WB_LANES * WB_LANES;
            pair_finite(i, x + start, y + start, acc, lanes);
        }
        for (; i < len; i++)
            pair_element(x[start + i], y[start + i], acc, lanes, i % WB_LANES);
    }
    pair_close(n, acc, lanes);
}
#endif

#endif
