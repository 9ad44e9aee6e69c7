/* app/graph/tiles.h - the packed elements of a tile, slot by slot. */
#ifndef WB_GRAPH_TILES_H
#define WB_GRAPH_TILES_H

#include "app/graph/drain.h"

#define WB_TILE_SHIFT 64 /* bytes that a tile may be moved by, clear of its source */

/* Have the tile's bytes of one slot in w->in[slot], until wb_tile_return: up to WB_TILE_SHIFT bytes
 * behind its place in the worker's memory. */
bool wb_tile_read(const struct wb_program *p, struct wb_work *w, size_t slot, size_t tile,
                  const struct wb_context *cx, struct wb_err *err);
/* Give back what was borrowed for the slots of the program; after failures too. */
void wb_tile_return(const struct wb_program *p, struct wb_work *w);

#endif
