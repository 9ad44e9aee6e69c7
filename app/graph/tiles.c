/* app/graph/tiles.c - from files or the cache into a worker's memory.
 *
 * Samples are kept in the cache, with a byte behind that says whether all of them are finite:
 * turning a knob reads no file, and looks for no NaN twice. */
#include "app/graph/tiles.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/graph/cache.h"
#include "app/graph/instr.h"
#include "app/tensor/kernels.h"

/* Entries [column, column + n) of row `row` of a view that picks columns, through a copy of the
 * source's row. */
static bool read_picked(const struct wb_slot *s, uint64_t row, uint64_t column, size_t n,
                        uint8_t *dst, struct wb_err *err)
{
    uint64_t width = wb_shape_columns(&s->source->shape);
    size_t size = s->element_bytes;
    uint8_t *line = malloc((size_t)width * size);
    bool ok;

    if (line == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a row of %" PRIu64 " entries", width);
    ok = wb_ckpt_read(s->source->u.source.ck, s->source->u.source.tensor, row * width * size,
                      (size_t)width * size, line, err);
    for (size_t i = 0; ok && i < n; i++)
        memcpy(dst + i * size, line + (size_t)s->view->column_idx[column + i] * size, size);
    free(line);
    return ok;
}

static bool read_view(const struct wb_slot *s, uint64_t first, size_t n, uint8_t *dst,
                      struct wb_err *err)
{
    const struct wb_view *v = s->view;
    const struct wb_node *source = s->source;
    uint64_t width = wb_shape_columns(&source->shape);
    size_t size = s->element_bytes;

    while (n > 0) {
        uint64_t r = first / v->columns, c = first % v->columns;
        uint64_t row = v->row_idx == NULL ? v->row_first + r : v->row_idx[r];
        size_t part = v->columns - c < n ? (size_t)(v->columns - c) : n;

        if (v->column_idx == NULL && v->row_idx == NULL && v->columns == width)
            part = n; /* rows that follow each other */
        if (v->column_idx != NULL
                ? !read_picked(s, row, c, part, dst, err)
                : !wb_ckpt_read(source->u.source.ck, source->u.source.tensor,
                                (row * width + v->column_first + c) * size, part * size, dst, err))
            return false;
        first += part;
        n -= part;
        dst += part * size;
    }
    return true;
}

static bool read_slot(const struct wb_slot *s, uint64_t first, size_t n, uint8_t *dst,
                      struct wb_err *err)
{
    if (s->view != NULL)
        return read_view(s, first, n, dst, err);
    return wb_ckpt_read(s->source->u.source.ck, s->source->u.source.tensor,
                        first * s->element_bytes, n * s->element_bytes, dst, err);
}

static struct wb_hash sample_key(const struct wb_program *p, const struct wb_slot *s, size_t tile)
{
    struct {
        struct wb_hash node;
        uint64_t extent, tile;
    } key = { s->node->hash, (uint64_t)p->extent, tile };

    return wb_hash_bytes(&key, sizeof key);
}

static bool read_runs(const struct wb_program *p, const struct wb_slot *s, size_t tile,
                      uint8_t *dst, struct wb_err *err)
{
    struct wb_stretch run;

    for (size_t i = 0; wb_tile_run(&p->geometry, tile, i, &run); i++) {
        if (!read_slot(s, run.first, run.count, dst, err))
            return false;
        dst += run.count * s->element_bytes;
    }
    return true;
}

/* Where at dst a tile is read to. Processors copy four times slower to a place just ahead of the
 * source modulo 4096, where every load waits for the store before it. As tensors are a multiple of
 * 4096 long, it is all tiles or none. */
static uint8_t *clear_of_source(const struct wb_program *p, const struct wb_slot *s, size_t tile,
                                uint8_t *dst)
{
    const struct wb_node *source = s->source;
    const struct wb_tensor_info *info = wb_ckpt_info(source->u.source.ck, source->u.source.tensor);
    struct wb_stretch run = { .first = 0 };
    uint64_t ahead;

    wb_tile_run(&p->geometry, tile, 0, &run);
    ahead = ((uint64_t)(uintptr_t)dst - info->offset - run.first * s->element_bytes) % 4096;
    return ahead > 0 && ahead < WB_TILE_SHIFT ? dst + WB_TILE_SHIFT : dst;
}

bool wb_tile_read(const struct wb_program *p, struct wb_work *w, size_t slot, size_t tile,
                  const struct wb_context *cx, struct wb_err *err)
{
    const struct wb_slot *s = &p->slot[slot];
    bool keep = p->extent == WB_EXTENT_SAMPLE && cx->cache != NULL;
    size_t n = wb_tile_count(&p->geometry, tile), total = n * s->element_bytes;
    uint8_t *dst = clear_of_source(p, s, tile, w->raw + s->offset);
    struct wb_tile_in *in = &w->in[slot];
    struct wb_hash key = { 0, 0 };

    in->bytes = dst;
    in->finite = false;
    if (keep) {
        key = sample_key(p, s, tile);
        if (wb_cache_borrow(cx->cache, key, &in->cached)) {
            in->bytes = in->cached.bytes;
            in->finite = in->bytes[total] == 1;
            return true;
        }
    }
    if (!read_runs(p, s, tile, dst, err))
        return false;
    if (cx->progress != NULL)
        atomic_fetch_add_explicit(&cx->progress->bytes_done, total, memory_order_relaxed);
    if (keep) {
        in->finite =
            wb_kernels()->finite[s->dtype] != NULL && wb_kernels()->finite[s->dtype](n, dst);
        dst[total] = in->finite ? 1 : 0;
        wb_cache_put_bytes(cx->cache, key, dst, total + 1);
    }
    return true;
}

void wb_tile_return(const struct wb_program *p, struct wb_work *w)
{
    for (size_t i = 0; i < p->slots; i++)
        wb_cache_return(&w->in[i].cached);
}
