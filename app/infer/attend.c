/* app/infer/attend.c - tiles of queries against the keys they see. */
#include "app/infer/attend.h"

#include <cblas.h>
#include <limits.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "app/infer/row_kernels.h"
#include "app/infer/rowwise.h"

struct wb_attend_scratch {
    struct wb_pool *pool;
    float **score; /* of each worker */
    size_t *room;  /* floats */
};

struct call {
    struct wb_attend_scratch *scratch;
    const struct wb_attend_how *how;
    const struct wb_attend *sequence;
    atomic_bool failed;
};

struct wb_attend_scratch *wb_attend_scratch_new(struct wb_pool *pool, struct wb_err *err)
{
    size_t threads = (size_t)wb_pool_threads(pool);
    struct wb_attend_scratch *s = calloc(1, sizeof *s);

    if (s != NULL) {
        s->pool = pool;
        s->score = calloc(threads, sizeof(float *));
        s->room = calloc(threads, sizeof *s->room);
    }
    if (s == NULL || s->score == NULL || s->room == NULL) {
        wb_attend_scratch_free(s);
        wb_fail(err, WB_ENOMEM, "no memory for the attention of %zu threads", threads);
        return NULL;
    }
    return s;
}

void wb_attend_scratch_free(struct wb_attend_scratch *s)
{
    if (s == NULL)
        return;
    for (int i = 0; s->score != NULL && i < wb_pool_threads(s->pool); i++)
        free(s->score[i]);
    free(s->score);
    free(s->room);
    free(s);
}

/* floats of a worker's own; NULL without memory. */
static float *room_for(struct wb_attend_scratch *s, int worker, size_t floats)
{
    if (s->room[worker] < floats) {
        free(s->score[worker]);
        s->score[worker] = aligned_alloc(64, (floats * sizeof(float) + 63) & ~(size_t)63);
        s->room[worker] = s->score[worker] != NULL ? floats : 0;
    }
    return s->score[worker];
}

/* --- tiles ------------------------------------------------------------------------------------- */

/* The keys that the query at `position` sees. */
struct range {
    size_t first, end;
};

static struct range seen_by(const struct wb_attend_how *how, size_t keys, size_t position)
{
    struct range r = { 0, how->causal && position + 1 < keys ? position + 1 : keys };

    if (how->window > 0 && position + 1 > (size_t)how->window)
        r.first = position + 1 - (size_t)how->window;
    return r;
}

/* Softmax of one row over what it sees; zeros in the rest of `all`. */
static void weigh_row(const struct wb_attend_how *how, float *row, struct range all,
                      struct range seen)
{
    memset(row + all.first, 0, (seen.first - all.first) * sizeof *row);
    memset(row + seen.end, 0, (all.end - seen.end) * sizeof *row);
    if (how->cap > 0)
        wb_cap(seen.end - seen.first, row + seen.first, how->cap);
    wb_softmax(seen.end - seen.first, row + seen.first);
}

/* What the rows of a tile see together. */
static struct range seen_by_tile(const struct wb_attend_how *how, size_t keys, size_t position,
                                 size_t rows)
{
    return (struct range){ seen_by(how, keys, position).first,
                           seen_by(how, keys, position + rows - 1).end };
}

static void attend_tile(const struct call *c, size_t index, int head, size_t first, float *score)
{
    const struct wb_attend_how *how = c->how;
    const struct wb_attend *s = &c->sequence[index];
    size_t rows = s->queries - first < WB_ATTEND_TILE ? s->queries - first : WB_ATTEND_TILE;
    size_t position = s->keys - s->queries + first,
           kv = (size_t)(head / (how->heads / how->kv_heads));
    struct range all = seen_by_tile(how, s->keys, position, rows);
    int width = (int)(all.end - all.first), dim = how->head_dim;
    float gate = how->head_gate != NULL ? how->head_gate[head] : 1.0f;

    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, width, dim, how->scale,
                s->q + first * s->q_row + (size_t)head * s->q_head, (int)s->q_row,
                s->k + all.first * s->k_row + kv * s->k_head, (int)s->k_row, 0.0f,
                score + all.first, (int)s->keys);
    for (size_t r = 0; r < rows; r++) {
        float *row = score + r * s->keys;

        if (how->see != NULL)
            all = (struct range){ 0, s->keys };
        weigh_row(how, row, all, seen_by(how, s->keys, position + r));
    }
    all = seen_by_tile(how, s->keys, position, rows);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, dim, width, gate,
                score + all.first, (int)s->keys, s->v + all.first * s->v_row + kv * s->v_head,
                (int)s->v_row, 0.0f, s->out + first * s->out_row + (size_t)(head * dim),
                (int)s->out_row);
    if (how->see != NULL)
        how->see(how->ctx, &(struct wb_attend_tile){ .sequence = index,
                                                     .head = head,
                                                     .first = first,
                                                     .rows = rows,
                                                     .position = position,
                                                     .keys = s->keys,
                                                     .weight = score,
                                                     .stride = s->keys });
}

static void attend_task(void *ctx, size_t task, int worker)
{
    struct call *c = ctx;
    size_t kv_heads = (size_t)c->how->kv_heads, index = task / kv_heads;
    int group = c->how->heads / c->how->kv_heads, head = (int)(task % kv_heads) * group;
    const struct wb_attend *s = &c->sequence[index];
    size_t rows = s->queries < WB_ATTEND_TILE ? s->queries : WB_ATTEND_TILE;
    float *score = room_for(c->scratch, worker, rows * s->keys);

    if (score == NULL) {
        atomic_store(&c->failed, true);
        return;
    }
    for (int h = head; h < head + group; h++)
        for (size_t first = 0; first < s->queries; first += WB_ATTEND_TILE)
            attend_tile(c, index, h, first, score);
}

bool wb_attend(struct wb_attend_scratch *scratch, const struct wb_attend_how *how,
               const struct wb_attend *sequence, size_t sequences, struct wb_err *err)
{
    struct call c = { .scratch = scratch, .how = how, .sequence = sequence };

    for (size_t i = 0; i < sequences; i++)
        if (sequence[i].keys > INT_MAX / WB_ATTEND_TILE)
            return wb_fail(err, WB_ESHAPE, "attention over %zu keys: too many", sequence[i].keys);
    wb_pool_run(scratch->pool, sequences * (size_t)how->kv_heads, attend_task, &c);
    if (atomic_load(&c.failed))
        return wb_fail(err, WB_ENOMEM, "no memory for a tile of attention weights");
    return true;
}
