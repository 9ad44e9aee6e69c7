/* app/probe/heads_factors.c - the matrices of heads, whatever way a model keeps them. */
#include <stdlib.h>

#include "app/probe/heads_impl.h"
#include "app/tensor/kernels.h"

static const char *place(const struct wb_weight *w, size_t i)
{
    return (const char *)w->data + i * (wb_dtype_bits(w->dtype) / 8);
}

/* Of a transposed one, a slice of every row becomes a column. */
static void columns_to_rows(const struct wb_weight *w, size_t first, size_t n, float *out)
{
    float slice[64];

    for (size_t from = 0; from < n; from += 64) {
        size_t m = n - from < 64 ? n - from : 64;

        for (size_t i = 0; i < w->in; i++) {
            wb_kernels()->widen[w->dtype](m, place(w, i * w->out + first + from), slice);
            for (size_t j = 0; j < m; j++)
                out[(from + j) * w->in + i] = slice[j];
        }
    }
}

void wb_head_weight_rows(const struct wb_weight *w, size_t first, size_t n, float *out)
{
    if (w->transposed)
        columns_to_rows(w, first, n, out);
    else
        wb_kernels()->widen[w->dtype](n * w->in, place(w, first * w->in), out);
}

struct wb_weight wb_head_output(const struct wb_layer_weights *w)
{
    struct wb_weight o = w->o;

    o.out = w->o.in;
    o.in = w->o.out;
    o.transposed = !w->o.transposed;
    o.bias = NULL;
    return o;
}

void wb_head_centre(float *x, size_t n, size_t width)
{
    for (size_t i = 0; i < n; i++) {
        double sum = 0;

        for (size_t j = 0; j < width; j++)
            sum += (double)x[i * width + j];
        for (size_t j = 0; j < width; j++)
            x[i * width + j] = (float)((double)x[i * width + j] - sum / (double)width);
    }
}

void wb_head_gain(float *x, size_t n, size_t width, const float *gain, bool plus_one)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < width; j++)
            x[i * width + j] *= plus_one ? gain[j] + 1 : gain[j];
}

/* A layer whose factors are being made: one task a head of each of the four. */
struct making {
    const struct wb_heads_run *r;
    const struct wb_layer_weights *w;
    struct wb_weight o;
    struct wb_head_factors *out;
};

/* The norm in front of attention is part of what reads; a block whose norms are behind reads the
 * stream as it is. */
static void fold_norm(const struct making *m, float *x)
{
    const struct wb_spec *s = m->r->spec;
    const float *gain = m->w->attn_norm.weight;

    if (s->block == WB_BLOCK_POST)
        return;
    if (gain != NULL)
        wb_head_gain(x, m->r->head_dim, m->r->hidden, gain, s->norm == WB_NORM_RMS_PLUS_ONE);
    if (s->norm == WB_NORM_LAYER)
        wb_head_centre(x, m->r->head_dim, m->r->hidden);
}

/* Norms of queries and keys scale each entry of a head. */
static void fold_entries(const struct making *m, const float *gain, float *x)
{
    bool plus_one = m->r->spec->norm == WB_NORM_RMS_PLUS_ONE;

    for (size_t i = 0; gain != NULL && i < m->r->head_dim; i++)
        for (size_t j = 0; j < m->r->hidden; j++)
            x[i * m->r->hidden + j] *= plus_one ? gain[i] + 1 : gain[i];
}

/* First row of a head: which is 0 for queries, 1 keys, 2 values. */
static const struct wb_weight *find(const struct making *m, int which, size_t head, size_t *row)
{
    const struct wb_heads_run *r = m->r;
    size_t behind = which == 0 ? 0 : r->heads + (size_t)(which - 1) * r->kv_heads;

    *row = head * r->head_dim;
    if (!m->w->qkv)
        return which == 0 ? &m->w->q : which == 1 ? &m->w->k : &m->w->v;
    *row = (m->w->qkv_by_head ? 3 * head + (size_t)which : behind + head) * r->head_dim;
    return &m->w->q;
}

static void make_reader(const struct making *m, int which, size_t head, float *all)
{
    float *x = all + head * m->r->head_dim * m->r->hidden;
    size_t row;
    const struct wb_weight *w = find(m, which, head, &row);

    wb_head_weight_rows(w, row, m->r->head_dim, x);
    fold_norm(m, x);
    if (which < 2 && m->r->spec->qk_norm)
        fold_entries(m, which == 0 ? m->w->q_norm.weight : m->w->k_norm.weight, x);
}

static void make_head(void *ctx, size_t task, int worker)
{
    const struct making *m = ctx;
    size_t heads = m->r->heads, kv = m->r->kv_heads;
    float *x;

    (void)worker;
    if (task < heads) {
        make_reader(m, 0, task, m->out->q);
        x = m->out->o + task * m->r->head_dim * m->r->hidden;
        wb_head_weight_rows(&m->o, task * m->r->head_dim, m->r->head_dim, x);
        if (m->r->spec->norm == WB_NORM_LAYER) /* whoever reads it next takes the mean off */
            wb_head_centre(x, m->r->head_dim, m->r->hidden);
    } else if (task < heads + kv) {
        make_reader(m, 1, task - heads, m->out->k);
    } else {
        make_reader(m, 2, task - heads - kv, m->out->v);
    }
}

bool wb_head_factors_of(struct wb_heads_run *r, int layer, struct wb_head_factors *out,
                        struct wb_err *err)
{
    const struct wb_layer_weights *w = wb_weights_layer(wb_net_weights(r->net), layer, err);
    size_t head = r->head_dim * r->hidden;
    struct making m = { .r = r, .w = w, .out = out };

    *out = (struct wb_head_factors){ 0 };
    if (w == NULL)
        return false;
    m.o = wb_head_output(w);
    out->q = malloc(r->heads * head * sizeof *out->q);
    out->o = malloc(r->heads * head * sizeof *out->o);
    out->k = malloc(r->kv_heads * head * sizeof *out->k);
    out->v = malloc(r->kv_heads * head * sizeof *out->v);
    if (out->q == NULL || out->k == NULL || out->v == NULL || out->o == NULL) {
        wb_head_factors_free(out);
        return wb_fail(err, WB_ENOMEM, "no memory for the heads of layer %d", layer);
    }
    wb_pool_run(wb_net_pool(r->net), r->heads + 2 * r->kv_heads, make_head, &m);
    return true;
}

void wb_head_factors_free(struct wb_head_factors *f)
{
    free(f->q);
    free(f->k);
    free(f->v);
    free(f->o);
    *f = (struct wb_head_factors){ 0 };
}
