/* app/graph/program.c - running a program: tiles read, chunks worked off, drains fed.
 *
 * A worker's scratch memory holds the registers, the raw bytes of one tile of every slot, one
 * state for each drain, and the key buffers of selections. It is laid out anew for each unit;
 * only growth allocates. */
#include "app/graph/program.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/graph/drain.h"
#include "app/graph/instr.h"
#include "app/graph/output.h"
#include "app/graph/tiles.h"
#include "app/tensor/kernels.h"

/* From one register, or the bytes of one slot, to the next: not a power of two, or they would all
 * compete for one set of the first-level cache. */
#define PAD_BYTES 320
_Static_assert(PAD_BYTES > WB_TILE_SHIFT,
               "a tile has room to be shifted, and for a byte behind it");
#define REGISTER (WB_CHUNK + PAD_BYTES / sizeof(float))

/* One chunk at work. */
struct chunk {
    size_t n;
    uint64_t at;    /* flat index of its first entry */
    size_t in_tile; /* entries of the tile before it */
};

/* Programs. */

/* Every drain that gathers keys has a stretch of the worker's key buffer of its own. */
static void place_keys(struct wb_program *p, struct wb_drain *d)
{
    d->keys_at = p->keys_max;
    p->keys_max += d->kind == WB_DRAIN_SELECT_ROWS ? 2 * (size_t)p->geometry.columns
                   : d->kind == WB_DRAIN_BRACKET   ? p->geometry.tile_max + WB_CHUNK
                   : d->kind == WB_DRAIN_KEYS      ? p->geometry.tile_max
                                                   : 0;
}

/* Does everything go from packed elements to sums? Where rows are not whole rounds of the lanes of
 * a sum, it still is worked off in chunks, each of which begins in lane 0. */
static bool is_unbounded(const struct wb_program *p)
{
    if (p->geometry.by_row && p->geometry.columns % WB_LANES != 0)
        return false;
    for (size_t i = 0; i < p->instrs; i++)
        if (p->instr[i].code != WB_CODE_LOAD_PAIR_DRAIN)
            return false;
    return true;
}

struct wb_program *wb_program_new(const struct wb_held_table *table, const struct wb_shape *shape,
                                  enum wb_extent extent, struct wb_drain *const *drain,
                                  size_t drains, const struct wb_verified *verified,
                                  struct wb_err *err)
{
    struct wb_program *p = calloc(1, sizeof *p);
    size_t at = 0;

    if (p == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for a program");
        return NULL;
    }
    p->geometry = wb_geometry_of(shape, extent);
    p->extent = extent;
    p->drain = drain;
    p->drains = drains;
    p->table = table;
    p->verified = verified;
    for (size_t i = 0; i < drains; i++) {
        p->spans = p->spans || wb_drain_has_spans(drain[i]);
        place_keys(p, drain[i]);
    }
    p->units = p->geometry.tiles;
    if (p->spans && p->units > WB_SPANS)
        p->units = WB_SPANS;
    if (!wb_program_compile(p, err)) {
        wb_program_free(p);
        return NULL;
    }
    wb_program_close_gaps(p);
    p->unbounded = is_unbounded(p);
    for (size_t i = 0; i < p->slots; i++) {
        p->slot[i].offset = at;
        at +=
            ((p->geometry.tile_max * p->slot[i].element_bytes + 1 + 63) & ~(size_t)63) + PAD_BYTES;
    }
    p->raw_bytes = at;
    return p;
}

static bool add_verified(struct wb_verified *verified, const struct wb_node *guard)
{
    struct wb_hash *more = realloc(verified->guard, (verified->count + 1) * sizeof *more);

    if (more == NULL)
        return false;
    verified->guard = more;
    verified->guard[verified->count++] = guard->hash;
    return true;
}

bool wb_program_verify(const struct wb_program *p, struct wb_verified *verified)
{
    if (p->extent != WB_EXTENT_ALL)
        return true;
    for (size_t i = 0; i < p->instrs; i++)
        if (p->instr[i].code == WB_CODE_GUARD && !add_verified(verified, p->instr[i].node))
            return false;
    for (size_t i = 0; i < p->slots; i++)
        if (p->slot[i].guard != NULL && !add_verified(verified, p->slot[i].guard))
            return false;
    return true;
}

void wb_program_free(struct wb_program *p)
{
    if (p == NULL)
        return;
    free(p->instr);
    free(p->slot);
    free(p);
}

const struct wb_geometry *wb_program_geometry(const struct wb_program *p)
{
    return &p->geometry;
}

size_t wb_program_units(const struct wb_program *p)
{
    return p->units;
}

const char *wb_program_name(const struct wb_program *p)
{
    return p->slots == 0 ? NULL : wb_node_source_name(p->slot[0].node);
}

/* Workers. */

struct wb_work *wb_work_new(void)
{
    return calloc(1, sizeof(struct wb_work));
}

void wb_work_free(struct wb_work *w)
{
    if (w == NULL)
        return;
    for (size_t i = 0; i < w->drains_cap; i++)
        free(w->state[i].out.bytes);
    free(w->state);
    free(w->in);
    free(w->registers);
    free(w->raw);
    free(w->keys);
    free(w);
}

static bool grow(void **area, size_t *cap, size_t want, struct wb_err *err)
{
    size_t bytes = (want + 4095) & ~(size_t)4095;

    if (want <= *cap)
        return true;
    free(*area);
    *cap = 0;
    *area = aligned_alloc(64, bytes);
    if (*area == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu bytes of scratch", want);
    *cap = bytes;
    return true;
}

static bool prepare(struct wb_work *w, const struct wb_program *p, struct wb_err *err)
{
    size_t bytes = p->registers * REGISTER * sizeof(float);

    if (p->slots > w->ins_cap) {
        struct wb_tile_in *more = realloc(w->in, p->slots * sizeof *more);

        if (more == NULL)
            return wb_fail(err, WB_ENOMEM, "no memory for %zu inputs", p->slots);
        memset(more + w->ins_cap, 0, (p->slots - w->ins_cap) * sizeof *more);
        w->in = more;
        w->ins_cap = p->slots;
    }
    if (p->drains > w->drains_cap) {
        struct wb_drain_state *more = realloc(w->state, p->drains * sizeof *more);

        if (more == NULL)
            return wb_fail(err, WB_ENOMEM, "no memory for %zu results", p->drains);
        memset(more + w->drains_cap, 0, (p->drains - w->drains_cap) * sizeof *more);
        w->state = more;
        w->drains_cap = p->drains;
    }
    return grow((void **)&w->registers, &w->registers_cap, bytes, err) &&
           grow((void **)&w->raw, &w->raw_cap, p->raw_bytes, err) &&
           grow((void **)&w->keys, &w->keys_cap, p->keys_max * sizeof(uint32_t), err);
}

/* Chunks. */

static void load_view(const struct wb_instr *in, const struct chunk *c, float *out)
{
    const struct wb_view *v = &in->node->u.view;
    uint64_t width = wb_shape_columns(&in->node->in[0]->shape);
    const float *x = in->data;

    for (size_t i = 0; i < c->n; i++) {
        uint64_t r = (c->at + i) / v->columns, col = (c->at + i) % v->columns;
        uint64_t row = v->row_idx == NULL ? v->row_first + r : v->row_idx[r];

        col = v->column_idx == NULL ? v->column_first + col : v->column_idx[col];
        out[i] = x[row * width + col];
    }
}

static float spread_value(const struct wb_instr *in, uint64_t i)
{
    return in->data_double ? (float)((const double *)in->data)[i] : ((const float *)in->data)[i];
}

static void spread(const struct wb_program *p, const struct wb_instr *in, const struct chunk *c,
                   float *out)
{
    uint64_t columns = p->geometry.columns;

    if (in->data == NULL) {
        wb_kernels()->fill(c->n, NAN, out);
        return;
    }
    if (in->code == WB_CODE_PER_COLUMN) {
        for (size_t i = 0; i < c->n; i++)
            out[i] = spread_value(in, (c->at + i) % columns);
        return;
    }
    for (size_t i = 0, n; i < c->n; i += n) {
        uint64_t row = (c->at + i) / columns, left = columns - (c->at + i) % columns;

        n = left < c->n - i ? (size_t)left : c->n - i;
        wb_kernels()->fill(n, spread_value(in, row), out + i);
    }
}

static void top_rows(const struct wb_program *p, const struct wb_instr *in, const struct chunk *c,
                     const float *x, float *out)
{
    const double *select = in->data;
    uint64_t columns = p->geometry.columns;

    for (size_t i = 0; i < c->n; i++) {
        uint64_t row = (c->at + i) / columns, column = (c->at + i) % columns;
        double value = select[2 * row], last = select[2 * row + 1];
        uint32_t key = in->sub ? wb_key_signed(x[i]) : wb_key_abs(x[i]);
        uint32_t at = in->sub ? wb_key_signed((float)value) : wb_key_abs((float)value);

        out[i] = last >= 0 && (key > at || (key == at && (double)column <= last)) ? 1 : 0;
    }
}

/* The chunk's packed elements in a slot. */
static const void *slot_at(const struct wb_program *p, const struct wb_work *w, size_t slot,
                           const struct chunk *c)
{
    return w->in[slot].bytes + c->in_tile * p->slot[slot].element_bytes;
}

static bool run_instr(struct wb_program *p, struct wb_work *w, const struct wb_instr *in,
                      const struct chunk *c, struct wb_err *err)
{
    const struct wb_kernels *k = wb_kernels();
    float *r = w->registers, *out = r + (size_t)in->dst * REGISTER;
    const float *a = r + (size_t)in->a * REGISTER, *b = r + (size_t)in->b * REGISTER;
    const float *z = r + (size_t)in->c * REGISTER;
    const float *many[WB_MANY];
    uint8_t raw[8 * WB_CHUNK];
    size_t n = c->n;

    for (size_t i = 0; i < in->manys; i++)
        many[i] = r + (size_t)in->many[i] * REGISTER;

    switch ((enum wb_code_op)in->code) {
    case WB_CODE_LOAD:
        k->widen[in->sub](n, slot_at(p, w, in->a, c), out);
        break;
    case WB_CODE_LOAD_SMALL:
        for (size_t i = 0; i < n; i++)
            out[i] = (float)((const double *)in->data)[c->at + i];
        break;
    case WB_CODE_LOAD_BUFFER:
        if (in->data == NULL)
            k->fill(n, NAN, out);
        else
            memcpy(out, (const float *)in->data + c->at, n * sizeof *out);
        break;
    case WB_CODE_LOAD_VIEW:
        if (in->data == NULL)
            k->fill(n, NAN, out);
        else
            load_view(in, c, out);
        break;
    case WB_CODE_FILL:
        k->fill(n, in->s, out);
        break;
    case WB_CODE_UNIFORM:
        k->uniform(n, in->node->u.random.stream, c->at, out);
        break;
    case WB_CODE_NORMAL:
        k->normal(n, in->node->u.random.stream, c->at, out);
        break;
    case WB_CODE_BERNOULLI:
        k->bernoulli(n, in->node->u.random.stream, c->at, in->node->u.random.p, out);
        break;
    case WB_CODE_UNARY:
        k->unary[in->sub](n, a, out);
        break;
    case WB_CODE_BINARY:
        k->binary[in->sub](n, a, b, out);
        break;
    case WB_CODE_BINARY_VS:
        k->binary_vs[in->sub](n, a, in->s, out);
        break;
    case WB_CODE_BINARY_SV:
        k->binary_sv[in->sub](n, in->s, a, out);
        break;
    case WB_CODE_WHERE:
        k->where(n, a, b, z, out);
        break;
    case WB_CODE_LERP:
        k->lerp(n, a, b, in->s, out);
        break;
    case WB_CODE_FMA_VS:
        k->fma_vs(n, a, in->s, z, out);
        break;
    case WB_CODE_FMA_VV:
        k->fma_vv(n, a, b, z, out);
        break;
    case WB_CODE_CLAMP:
        k->clamp(n, a, in->s, in->t, out);
        break;
    case WB_CODE_NAN_TO:
        k->nan_to(n, a, in->s, out);
        break;
    case WB_CODE_CAST:
        k->narrow[in->sub](n, a, raw);
        k->widen[in->sub](n, raw, out);
        break;
    case WB_CODE_GUARD: {
        size_t bad = k->first_nonfinite(n, a);

        if (bad < n) {
            w->bad_node = in->node;
            return wb_fail(err, WB_ENUMERIC, "%s: %s in model %s at flat index %" PRIu64,
                           in->node->u.guard.tensor, isnan(a[bad]) ? "NaN" : "infinity",
                           in->node->u.guard.model, c->at + bad);
        }
        break;
    }
    case WB_CODE_PER_ROW:
    case WB_CODE_PER_COLUMN:
        spread(p, in, c, out);
        break;
    case WB_CODE_TOP:
        (in->sub ? k->topmask_signed : k->topmask_abs)(n, a, in->threshold, c->at, in->last_tie,
                                                       out);
        break;
    case WB_CODE_TOP_ROWS:
        top_rows(p, in, c, a, out);
        break;
    case WB_CODE_LOAD_SUB:
        k->widen_sub[in->sub](n, slot_at(p, w, in->a, c), b, out);
        break;
    case WB_CODE_LOAD_SUB_FMA:
        k->widen_sub_fma[in->sub](n, slot_at(p, w, in->a, c), b, in->s, z, out);
        break;
    case WB_CODE_SUB_LOAD:
        k->sub_widen[in->sub](n, b, slot_at(p, w, in->a, c), out);
        break;
    case WB_CODE_SUB_LOAD_FMA:
        k->sub_widen_fma[in->sub](n, b, slot_at(p, w, in->a, c), in->s, z, out);
        break;
    case WB_CODE_LOAD_SUB_KEEP:
        k->widen_sub_topkeep[in->sub](n, slot_at(p, w, in->a, c), b, in->threshold, c->at,
                                      in->last_tie, out);
        break;
    case WB_CODE_LOAD_SUB_DRAIN:
        wb_drain_feed_difference(p, w, in->drain, n, (enum wb_dtype)in->sub,
                                 slot_at(p, w, in->a, c), b);
        break;
    case WB_CODE_LOAD_SUB_FMA_DRAIN:
        k->widen_sub_fma_narrow[in->sub](n, slot_at(p, w, in->a, c), b, in->s, z,
                                         wb_drain_room(p, w, in->drain, n));
        break;
    case WB_CODE_SUB_LOAD_FMA_DRAIN:
        k->sub_widen_fma_narrow[in->sub](n, b, slot_at(p, w, in->a, c), in->s, z,
                                         wb_drain_room(p, w, in->drain, n));
        break;
    case WB_CODE_LOAD_PAIR_DRAIN:
        wb_drain_feed_pair(w, in->drain, n, (enum wb_dtype)in->sub, slot_at(p, w, in->a, c),
                           slot_at(p, w, in->other, c));
        break;
    case WB_CODE_MUL_MAX:
        k->mul_max(n, a, b, in->s, out);
        break;
    case WB_CODE_ADD_GT:
        k->add_gt(n, z, a, in->s, out);
        break;
    case WB_CODE_TOP_KEEP:
        (in->sub ? k->topkeep_signed : k->topkeep_abs)(n, a, in->threshold, c->at, in->last_tie,
                                                       out);
        break;
    case WB_CODE_SUM:
        k->sum_of(n, in->manys, many, out);
        break;
    case WB_CODE_STEP:
        k->step[in->sub](n, a, in->s, in->t, in->u, out);
        break;
    case WB_CODE_TALLY:
        k->tally(n, in->manys, many, b, in->s, in->t, out, r + (size_t)in->dst2 * REGISTER);
        break;
    case WB_CODE_MUL_DIV_MAX:
        k->mul_div_max(n, a, b, z, in->s, out);
        break;
    case WB_CODE_FMA_DRAIN:
        k->fma_narrow[p->drain[in->drain]->dtype](n, a, in->s, z,
                                                  wb_drain_room(p, w, in->drain, n));
        break;
    case WB_CODE_NONE:
        break;
    case WB_CODE_DRAIN:
        wb_drain_feed(p, w, in->drain, n, c->at, a, in->b == UINT32_MAX ? a : b);
        break;
    }
    return true;
}

/* Looked at chunk by chunk, what is loaded next is in the first-level cache. */
static bool slots_are_finite(const struct wb_program *p, struct wb_work *w, const struct chunk *c)
{
    for (size_t i = 0; i < p->slots; i++) {
        const struct wb_slot *s = &p->slot[i];

        if (s->guard == NULL || w->in[i].finite ||
            wb_kernels()->finite[s->dtype](c->n, slot_at(p, w, i, c)))
            continue;
        w->bad_node = s->guard;
        return false;
    }
    return true;
}

/* The chunk just written. */
static bool written_is_finite(const struct wb_program *p, const struct wb_work *w,
                              const struct chunk *c)
{
    enum wb_dtype dtype = p->drain[0]->dtype;
    const struct wb_drain_state *s = &w->state[0];

    return wb_kernels()->finite[dtype](c->n, s->out.bytes + s->out_at -
                                                 c->n * (wb_dtype_bits(dtype) / 8));
}

/* The chunk at c->at, which ends before `end`; then the next one. */
static bool run_chunk(struct wb_program *p, struct wb_work *w, struct chunk *c, uint64_t end,
                      struct wb_err *err)
{
    c->n = p->unbounded ? (size_t)(end - c->at)
           : p->gapless ? (size_t)(end - c->at < WB_CHUNK ? end - c->at : WB_CHUNK)
                        : wb_chunk_count(&p->geometry, c->at, end);
    if (!p->guards_deferred && !slots_are_finite(p, w, c))
        return false;
    for (size_t k = 0; k < p->instrs; k++)
        if (!run_instr(p, w, &p->instr[k], c, err))
            return false;
    if (p->guards_deferred && !written_is_finite(p, w, c) && !slots_are_finite(p, w, c))
        return false;
    c->at += c->n;
    c->in_tile += c->n;
    return true;
}

static bool run_chunks(struct wb_program *p, struct wb_work *w, size_t tile, struct wb_err *err)
{
    struct wb_stretch run;
    struct chunk c = { .n = 0 };

    for (size_t i = 0; wb_tile_run(&p->geometry, tile, i, &run); i++) {
        if (p->gapless) { /* positions in the sample stand in for flat indices */
            run.first = wb_tile_position(&p->geometry, tile);
            run.count = wb_tile_count(&p->geometry, tile);
        }
        for (c.at = run.first; c.at < run.first + run.count;)
            if (!run_chunk(p, w, &c, run.first + run.count, err))
                return false;
        if (p->gapless)
            break;
    }
    return true;
}

/* Where and how often a guarded tensor is not finite, over all of it: the same answer whichever
 * tile was first. */
static bool report_nonfinite(struct wb_work *w, const struct wb_context *cx, struct wb_err *err)
{
    const struct wb_node *guard = w->bad_node;
    struct wb_drain count = { .kind = WB_DRAIN_REDUCE,
                              .op = WB_REDUCE_COUNT,
                              .in = { guard->in[0] } };
    struct wb_drain *drain = &count;
    struct wb_program *p =
        wb_program_new(cx->table, &guard->shape, WB_EXTENT_ALL, &drain, 1, NULL, err);
    uint64_t first = UINT64_MAX, total = 0;
    char what[16] = "";
    bool ok = p != NULL && prepare(w, p, err);

    for (size_t t = 0; ok && t < p->geometry.tiles; t++) {
        struct wb_stretch run;
        uint64_t at;

        for (size_t s = 0; ok && s < p->slots; s++)
            ok = wb_tile_read(p, w, s, t, cx, err);
        wb_drain_start(p, w);
        wb_tile_run(&p->geometry, t, 0, &run);
        for (at = run.first; ok && at < run.first + run.count;) {
            struct chunk c = { .n = wb_chunk_count(&p->geometry, at, run.first + run.count),
                               .at = at,
                               .in_tile = (size_t)(at - run.first) };
            const float *x = w->registers + (size_t)count.reg[0] * REGISTER;

            for (size_t k = 0; ok && k < p->instrs; k++)
                ok = run_instr(p, w, &p->instr[k], &c, err);
            for (size_t i = 0; ok && i < c.n; i++)
                if (!isfinite(x[i])) {
                    if (total++ == 0) {
                        first = at + i;
                        snprintf(what, sizeof what, "%s", isnan(x[i]) ? "NaN" : "infinity");
                    }
                }
            at += c.n;
        }
    }
    if (ok)
        wb_fail(err, WB_ENUMERIC,
                "%s: %s in model %s at flat index %" PRIu64 " (%" PRIu64
                " entries are not finite); on_nonfinite says what to do with them",
                guard->u.guard.tensor, what, guard->u.guard.model, first, total);
    wb_program_free(p);
    return false;
}

static bool run_tile(struct wb_program *p, struct wb_work *w, size_t tile,
                     const struct wb_context *cx, struct wb_err *err)
{
    w->bad_node = NULL;
    for (size_t i = 0; i < p->slots; i++)
        if (!wb_tile_read(p, w, i, tile, cx, err))
            return false;
    wb_drain_start(p, w);
    if (!wb_drain_reserve(p, w, tile, err))
        return false;
    if (!run_chunks(p, w, tile, err))
        return w->bad_node != NULL ? report_nonfinite(w, cx, err) : false;
    return wb_drain_finish(p, w, tile, cx, err);
}

bool wb_program_run(struct wb_program *p, struct wb_work *work, size_t unit,
                    const struct wb_context *cx, struct wb_err *err)
{
    size_t tiles = p->geometry.tiles, first = unit, last = unit + 1;
    bool ok = true;

    if (!prepare(work, p, err))
        return false;
    if (p->spans) {
        first = unit * tiles / p->units;
        last = (unit + 1) * tiles / p->units;
        if (!wb_drain_start_span(p, work, unit, err))
            return false;
    }
    for (size_t tile = first; ok && tile < last; tile++) {
        if (cx->cancel != NULL && atomic_load_explicit(cx->cancel, memory_order_relaxed))
            return wb_fail(err, WB_ECANCELLED, "cancelled");
        ok = run_tile(p, work, tile, cx, err);
        wb_tile_return(p, work);
    }
    return ok;
}
