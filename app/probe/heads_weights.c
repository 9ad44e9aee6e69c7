/* app/probe/heads_weights.c - heads by their weights alone (inspect I6): norms, circuits, copying,
 * how alike kv heads are, and who is dead. */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "app/probe/activations.h"
#include "app/probe/circuit.h"
#include "app/probe/gram.h"
#include "app/probe/heads_weights.h"
#include "app/tensor/kernels.h"

#define TOKENS_MAX 8192 /* of the vocabulary, for copying; of larger ones so many, evenly spread */
#define TOKENS 256      /* taken at once */
#define DEAD 1e-3       /* of the layer's median norm of OV */

struct weights {
    struct wb_heads_run *r;
    struct wb_head_layer layer;
    double *between; /* [hidden, hidden]: sum over tokens of embedding' unembedding, or NULL */
    atomic_bool no_memory, nonfinite;
};

void wb_head_layer_free(struct wb_head_layer *l)
{
    wb_head_factors_free(&l->f);
    free(l->qq);
    free(l->oo);
    free(l->kk);
    free(l->vv);
    free(l->qk);
    free(l->ov);
    *l = (struct wb_head_layer){ 0 };
}

/* --- between the vocabularies ----------------------------------------------------------------- */

struct vocabulary {
    struct wb_heads_run *r;
    const struct wb_shared_weights *w;
    size_t tokens, of; /* taken, there are */
    float *in, *out;   /* [TOKENS, hidden]: what tokens put into the stream, what they read */
    float *raw;        /* a row of the table, then of a projection */
    double *wide_in, *wide_out;
};

/* Row `token` of a table, through a projection [hidden, width] or, of the head, [width, hidden]. */
static void token_row(const struct vocabulary *v, const struct wb_weight *table,
                      const struct wb_weight *projection, size_t token, float *out)
{
    size_t d = v->r->hidden;
    bool into = projection->data != NULL && projection->out == d && projection->in == table->in;
    float *row = v->raw + table->in;
    double lanes[WB_LANES];

    wb_head_weight_rows(table, token, 1, projection->data == NULL ? out : v->raw);
    if (projection->data == NULL)
        return;
    memset(out, 0, d * sizeof *out);
    for (size_t i = 0; i < projection->out; i++) {
        wb_head_weight_rows(projection, i, 1, row);
        memset(lanes, 0, sizeof lanes);
        if (into) {
            wb_kernels()->dot(table->in, row, v->raw, lanes);
            out[i] = (float)wb_lanes_fold(lanes);
        } else {
            wb_kernels()->fma_vs(d, row, v->raw[i], out, out);
        }
    }
}

static void add_tokens(const struct vocabulary *v, size_t first, size_t n, double *sum)
{
    const struct wb_spec *s = v->r->spec;
    size_t d = v->r->hidden;

    for (size_t i = 0; i < n; i++) {
        size_t token = wb_spread_row(first + i, v->tokens, v->of);

        token_row(v, &v->w->embed, &v->w->embed_proj, token, v->in + i * d);
        token_row(v, &v->w->lm_head, &v->w->head_proj, token, v->out + i * d);
    }
    if (v->w->final_norm.weight != NULL) {
        wb_head_gain(v->out, n, d, v->w->final_norm.weight, s->norm == WB_NORM_RMS_PLUS_ONE);
        if (s->norm == WB_NORM_LAYER)
            wb_head_centre(v->out, n, d);
    }
    for (size_t i = 0; i < n * d; i++) {
        v->wide_in[i] = (double)v->in[i];
        v->wide_out[i] = (double)v->out[i];
    }
    wb_cross_add(wb_net_pool(v->r->net), v->wide_in, v->wide_out, n, d, sum);
}

/* Leaves w->between NULL for a model without a head over its tokens. */
static bool join_vocabularies(struct weights *w, struct wb_err *err)
{
    struct wb_heads_run *r = w->r;
    struct vocabulary v = { .r = r, .w = wb_weights_shared(wb_net_weights(r->net)) };
    size_t d = r->hidden, widest;
    bool ok;

    if (r->spec->kind != WB_NET_DECODER || v.w->lm_head.data == NULL || v.w->embed.data == NULL)
        return true;
    v.of = v.w->embed.out < v.w->lm_head.out ? v.w->embed.out : v.w->lm_head.out;
    v.tokens = v.of < TOKENS_MAX ? v.of : TOKENS_MAX;
    widest = d > v.w->embed.in ? d : v.w->embed.in;
    w->between = calloc(d * d, sizeof *w->between);
    v.in = malloc(2 * TOKENS * d * sizeof *v.in);
    v.raw = malloc(2 * widest * sizeof *v.raw);
    v.wide_in = malloc(2 * TOKENS * d * sizeof *v.wide_in);
    ok = (w->between != NULL && v.in != NULL && v.raw != NULL && v.wide_in != NULL) ||
         wb_fail(err, WB_ENOMEM, "no memory for %zu x %zu numbers between the vocabularies", d, d);
    if (ok) {
        v.out = v.in + TOKENS * d;
        v.wide_out = v.wide_in + TOKENS * d;
        r->out->sampled_vocabulary = v.tokens < v.of;
    }
    for (size_t i = 0; ok && i < v.tokens; i += TOKENS)
        add_tokens(&v, i, v.tokens - i < TOKENS ? v.tokens - i : TOKENS, w->between);
    free(v.in);
    free(v.raw);
    free(v.wide_in);
    return ok;
}

/* --- a head ----------------------------------------------------------------------------------- */

/* Widened factors of a head, and room for what is made of them. */
struct head {
    double *q, *k, *v, *o; /* [dim, hidden] */
    double *small;         /* [dim, dim] */
    double *through;       /* [dim, hidden]: values through the vocabularies */
    size_t at;             /* in the grids */
};

static void widen(const float *from, size_t head, size_t n, double *to)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (double)from[head * n + i];
}

static void set(const struct weights *w, enum wb_head_stat stat, const struct head *h, double value)
{
    w->r->out->stat[stat][h->at] = value;
}

static double trace_root(size_t n, const double *m)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += m[i * n + i];
    return sqrt(sum);
}

/* A figure that does not exist for want of finite numbers stays NaN. */
static void set_if(struct weights *w, enum wb_head_stat stat, const struct head *h, bool ok,
                   double value)
{
    if (ok)
        set(w, stat, h, value);
    else
        atomic_store(&w->nonfinite, true);
}

static void copying(struct weights *w, const struct head *h)
{
    size_t dim = w->r->head_dim, d = w->r->hidden;
    struct wb_err err;
    double value;
    bool ok;

    wb_circuit_products(dim, dim, d, h->v, h->o, h->small);
    ok = wb_circuit_copying(dim, h->small, &value, &err);
    set_if(w, WB_HEAD_copying_residual, h, ok, value);
    if (w->between == NULL)
        return;
    wb_circuit_through(dim, d, d, h->v, w->between, h->through);
    wb_circuit_products(dim, dim, d, h->through, h->o, h->small);
    ok = wb_circuit_copying(dim, h->small, &value, &err);
    set_if(w, WB_HEAD_copying, h, ok, value);
}

static void circuits(struct weights *w, const struct head *h, size_t head)
{
    const struct wb_head_layer *l = &w->layer;
    size_t dim = w->r->head_dim, square = dim * dim, g = head / w->r->group;
    const double *qq = l->qq + head * square, *kk = l->kk + g * square;
    const double *oo = l->oo + head * square, *vv = l->vv + g * square;
    struct wb_err err;
    double value;
    bool ok;

    l->qk[head] = wb_circuit_norm(dim, qq, kk);
    l->ov[head] = wb_circuit_norm(dim, oo, vv);
    set(w, WB_HEAD_q_norm, h, trace_root(dim, qq));
    set(w, WB_HEAD_k_norm, h, trace_root(dim, kk));
    set(w, WB_HEAD_v_norm, h, trace_root(dim, vv));
    set(w, WB_HEAD_o_norm, h, trace_root(dim, oo));
    set(w, WB_HEAD_qk_norm, h, l->qk[head]);
    set(w, WB_HEAD_ov_norm, h, l->ov[head]);
    ok = wb_circuit_spectral(dim, qq, kk, &value, &err);
    set_if(w, WB_HEAD_qk_spectral, h, ok, value);
    ok = wb_circuit_spectral(dim, oo, vv, &value, &err);
    set_if(w, WB_HEAD_ov_spectral, h, ok, value);
    wb_circuit_products(dim, dim, w->r->hidden, h->k, h->q, h->small);
    set(w, WB_HEAD_qk_symmetric, h, wb_circuit_symmetric(dim, qq, kk, h->small));
    copying(w, h);
}

/* Keys and values come first: their matrices are all heads'. */
static void group_task(void *ctx, size_t g, int worker)
{
    struct weights *w = ctx;
    size_t dim = w->r->head_dim, n = dim * w->r->hidden;
    double *x = calloc(n, sizeof *x);

    (void)worker;
    if (x == NULL) {
        atomic_store(&w->no_memory, true);
        return;
    }
    widen(w->layer.f.k, g, n, x);
    wb_circuit_products(dim, dim, w->r->hidden, x, x, w->layer.kk + g * dim * dim);
    widen(w->layer.f.v, g, n, x);
    wb_circuit_products(dim, dim, w->r->hidden, x, x, w->layer.vv + g * dim * dim);
    free(x);
}

static void head_task(void *ctx, size_t head, int worker)
{
    struct weights *w = ctx;
    size_t dim = w->r->head_dim, d = w->r->hidden, n = dim * d, square = dim * dim;
    double *all = calloc(5 * n + square, sizeof *all);
    struct head h = { .at = (size_t)w->layer.layer * w->r->heads + head };

    (void)worker;
    if (all == NULL) {
        atomic_store(&w->no_memory, true);
        return;
    }
    h.q = all;
    h.k = all + n;
    h.v = all + 2 * n;
    h.o = all + 3 * n;
    h.through = all + 4 * n;
    h.small = all + 5 * n;
    widen(w->layer.f.q, head, n, h.q);
    widen(w->layer.f.k, head / w->r->group, n, h.k);
    widen(w->layer.f.v, head / w->r->group, n, h.v);
    widen(w->layer.f.o, head, n, h.o);
    wb_circuit_products(dim, dim, d, h.q, h.q, w->layer.qq + head * square);
    wb_circuit_products(dim, dim, d, h.o, h.o, w->layer.oo + head * square);
    circuits(w, &h, head);
    free(all);
}

/* --- a layer ---------------------------------------------------------------------------------- */

/* How alike kv heads a and b are: |a b'|^2 / (|a a'| |b b'|); two tasks' worth of widening. */
static void alike_task(void *ctx, size_t task, int worker)
{
    struct weights *w = ctx;
    size_t kv = w->r->kv_heads, dim = w->r->head_dim, n = dim * w->r->hidden, square = dim * dim;
    size_t a = task % kv, layer = (size_t)w->layer.layer * kv * kv;
    bool values = task >= kv;
    const float *from = values ? w->layer.f.v : w->layer.f.k;
    const double *grams = values ? w->layer.vv : w->layer.kk;
    double *out = (values ? w->r->out->group_similarity_v : w->r->out->group_similarity) + layer;
    double *x = calloc(2 * n + square, sizeof *x);

    (void)worker;
    if (x == NULL) {
        atomic_store(&w->no_memory, true);
        return;
    }
    widen(from, a, n, x);
    for (size_t b = 0; b <= a; b++) {
        widen(from, b, n, x + n);
        wb_circuit_products(dim, dim, w->r->hidden, x, x + n, x + 2 * n);
        out[a * kv + b] = out[b * kv + a] =
            wb_circuit_alike(dim, grams + a * square, x + 2 * n, grams + b * square);
    }
    free(x);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* OV norms far below those of the layer's others. */
static void find_dead(const struct weights *w, double *scratch)
{
    size_t n = w->r->heads;
    double *dead = w->r->out->stat[WB_HEAD_dead] + (size_t)w->layer.layer * n, median;

    memcpy(scratch, w->layer.ov, n * sizeof *scratch);
    qsort(scratch, n, sizeof *scratch, by_value);
    median = n % 2 == 1 ? scratch[n / 2] : (scratch[n / 2 - 1] + scratch[n / 2]) / 2;
    for (size_t i = 0; i < n; i++)
        dead[i] = isnan(w->layer.ov[i]) ? (double)NAN : w->layer.ov[i] < DEAD * median;
}

static bool open_layer(struct weights *w, int layer, struct wb_err *err)
{
    struct wb_heads_run *r = w->r;
    struct wb_head_layer *l = &w->layer;
    size_t square = r->head_dim * r->head_dim;

    wb_head_layer_free(l);
    l->layer = layer;
    if (!wb_head_factors_of(r, layer, &l->f, err))
        return false;
    l->qq = malloc(r->heads * square * sizeof *l->qq);
    l->oo = malloc(r->heads * square * sizeof *l->oo);
    l->kk = malloc(r->kv_heads * square * sizeof *l->kk);
    l->vv = malloc(r->kv_heads * square * sizeof *l->vv);
    l->qk = malloc(r->heads * sizeof *l->qk);
    l->ov = malloc(2 * r->heads * sizeof *l->ov); /* and scratch for their median */
    return (l->qq != NULL && l->oo != NULL && l->kk != NULL && l->vv != NULL && l->qk != NULL &&
            l->ov != NULL) ||
           wb_fail(err, WB_ENOMEM, "no memory for the heads of layer %d", layer);
}

static bool examine_layer(struct weights *w, int layer, struct wb_err *err)
{
    struct wb_pool *pool = wb_net_pool(w->r->net);

    if (!open_layer(w, layer, err))
        return false;
    wb_pool_run(pool, w->r->kv_heads, group_task, w);
    wb_pool_run(pool, w->r->heads, head_task, w);
    wb_pool_run(pool, 2 * w->r->kv_heads, alike_task, w);
    if (atomic_load(&w->no_memory))
        return wb_fail(err, WB_ENOMEM, "no memory for the heads of layer %d", layer);
    find_dead(w, w->layer.ov + w->r->heads);
    w->r->out->nonfinite = w->r->out->nonfinite || atomic_load(&w->nonfinite);
    return true;
}

/* --- run -------------------------------------------------------------------------------------- */

/* Sweeps through the model: each keeps the outputs of some layers for all that come later. Without
 * compositions (c NULL) one is enough. */
static bool sweep(struct weights *w, struct wb_head_compose *c, size_t first, struct wb_err *err)
{
    size_t layers = w->r->layers;

    for (size_t l = first; l < layers; l++) {
        if (!examine_layer(w, (int)l, err) ||
            (c != NULL && !wb_head_compose_with(c, &w->layer, err)) || !wb_heads_report(w->r, err))
            return false;
        if (c != NULL && l < first + c->room)
            wb_head_compose_keep(c, &w->layer);
    }
    if (c != NULL)
        wb_head_compose_forget(c);
    return true;
}

bool wb_heads_weights(struct wb_heads_run *r, struct wb_err *err)
{
    struct weights w = { .r = r };
    struct wb_head_compose compose = { 0 };
    bool ok = join_vocabularies(&w, err);

    if (ok && !r->how->composition)
        ok = sweep(&w, NULL, 0, err);
    else
        ok = ok && wb_head_compose_init(&compose, r, err);
    for (size_t first = 0; ok && r->how->composition && first < r->layers; first += compose.room)
        ok = sweep(&w, &compose, first, err);
    wb_head_compose_free(&compose);
    wb_head_layer_free(&w.layer);
    free(w.between);
    return ok;
}
