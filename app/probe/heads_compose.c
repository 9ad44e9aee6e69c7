/* app/probe/heads_compose.c - does a head read what an earlier one wrote? (inspect I6.4)
 *
 * |QK2 OV1|^2 = tr((Wq2 Wq2') M (Wv1 Wv1') M'), M = Wk2 Wo1: all head_dim x head_dim but for M's
 * making, which is one product for all heads of a pair of layers. */
#include <cblas.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "app/probe/circuit.h"
#include "app/probe/heads_weights.h"
#include "app/tensor/kernels.h"

#define EARLY_BYTES ((size_t)512 << 20) /* of outputs that are kept */
#define DRAWS 8                         /* of random matrices */

enum { K, Q, V, KINDS };
static const enum wb_head_stat kind_stat[KINDS] = {
    [K] = WB_HEAD_k_composition, [Q] = WB_HEAD_q_composition, [V] = WB_HEAD_v_composition
};

/* --- by chance -------------------------------------------------------------------------------- */

/* |QK OV| / (|QK| |OV|) of factors with normal entries; at: 5 [dim, d] and 5 [dim, dim]. */
static double drawn(const struct wb_heads_run *r, uint64_t draw, float *narrow, double *at)
{
    size_t dim = r->head_dim, n = dim * r->hidden, square = dim * dim;
    uint64_t stream = wb_random_stream(r->seed, draw, "composition");
    double *x[4], *qq = at + 4 * n, *kk = qq + square, *vv = kk + square, *oo = vv + square,
                  *ko = oo + square, *scratch = ko + square;

    for (size_t f = 0; f < 4; f++) { /* q, k, v, o */
        x[f] = at + f * n;
        wb_kernels()->normal(n, stream, f * n, narrow);
        for (size_t i = 0; i < n; i++)
            x[f][i] = (double)narrow[i];
    }
    wb_circuit_products(dim, dim, r->hidden, x[0], x[0], qq);
    wb_circuit_products(dim, dim, r->hidden, x[1], x[1], kk);
    wb_circuit_products(dim, dim, r->hidden, x[2], x[2], vv);
    wb_circuit_products(dim, dim, r->hidden, x[3], x[3], oo);
    wb_circuit_products(dim, dim, r->hidden, x[1], x[3], ko);
    return wb_circuit_composed(dim, dim, qq, ko, vv, scratch) /
           (wb_circuit_norm(dim, qq, kk) * wb_circuit_norm(dim, oo, vv));
}

static bool by_chance(const struct wb_heads_run *r, double *mean, struct wb_err *err)
{
    size_t n = r->head_dim * r->hidden, square = r->head_dim * r->head_dim;
    float *narrow = malloc(n * sizeof *narrow);
    double *at = malloc((4 * n + 7 * square) * sizeof *at), sum = 0;
    bool ok =
        (narrow != NULL && at != NULL) ||
        wb_fail(err, WB_ENOMEM, "no memory for random heads of %zu x %zu", r->head_dim, r->hidden);

    for (uint64_t i = 0; ok && i < DRAWS; i++)
        sum += drawn(r, i, narrow, at);
    *mean = sum / DRAWS;
    free(narrow);
    free(at);
    return ok;
}

/* --- layers at hand --------------------------------------------------------------------------- */

bool wb_head_compose_init(struct wb_head_compose *c, struct wb_heads_run *r, struct wb_err *err)
{
    size_t bytes = r->heads * r->head_dim * r->hidden * sizeof(float) +
                   r->kv_heads * r->head_dim * r->head_dim * sizeof(double);

    *c = (struct wb_head_compose){ .r = r, .room = EARLY_BYTES / bytes + 1 };
    c->early = calloc(r->layers, sizeof *c->early);
    if (c->early == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu layers", r->layers);
    return by_chance(r, &c->baseline, err);
}

void wb_head_compose_forget(struct wb_head_compose *c)
{
    while (c->count > 0)
        wb_head_layer_free(&c->early[--c->count]);
}

void wb_head_compose_free(struct wb_head_compose *c)
{
    if (c->early != NULL)
        wb_head_compose_forget(c);
    free(c->early);
    *c = (struct wb_head_compose){ 0 };
}

void wb_head_compose_keep(struct wb_head_compose *c, struct wb_head_layer *layer)
{
    struct wb_head_layer *l = &c->early[c->count++];

    *l = *layer;
    *layer = (struct wb_head_layer){ 0 };
    free(l->f.q);
    free(l->f.k);
    free(l->f.v);
    free(l->qq);
    free(l->oo);
    free(l->kk);
    l->f.q = l->f.k = l->f.v = NULL;
    l->qq = l->oo = l->kk = NULL;
}

/* --- pairs ------------------------------------------------------------------------------------ */

/* One task: a kv head of the later layer against all heads of an early one. */
struct pairs {
    const struct wb_head_compose *c;
    const struct wb_head_layer *later;
    double *most; /* [early, KINDS, heads]: the largest of each task */
    atomic_bool no_memory;
};

struct pair {
    const struct pairs *p;
    const struct wb_head_layer *early;
    double *most;    /* [KINDS, heads] */
    float *m;        /* [dim, heads * dim]: rows of the later layer by outputs of the early one */
    double *block;   /* [dim, dim] of it */
    double *scratch; /* 2 [dim, dim] */
};

static void take(const struct pair *a, int kind, size_t head, size_t early_head, const double *left,
                 double left_norm)
{
    const struct wb_heads_run *r = a->p->c->r;
    size_t dim = r->head_dim;
    double *most = &a->most[(size_t)kind * r->heads + head];
    double share =
        wb_circuit_composed(dim, dim, left, a->block,
                            a->early->vv + early_head / r->group * dim * dim, a->scratch) /
        (left_norm * a->early->ov[early_head]);

    if (share > *most || isnan(*most))
        *most = share;
}

static void multiply(const struct pair *a, const float *rows)
{
    const struct wb_heads_run *r = a->p->c->r;
    int dim = (int)r->head_dim, d = (int)r->hidden, all = (int)r->heads * dim;

    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, dim, all, d, 1.0f, rows, d, a->early->f.o,
                d, 0.0f, a->m, all);
}

static void widen_block(const struct pair *a, size_t early_head)
{
    const struct wb_heads_run *r = a->p->c->r;
    size_t dim = r->head_dim;

    for (size_t i = 0; i < dim; i++)
        for (size_t j = 0; j < dim; j++)
            a->block[i * dim + j] = (double)a->m[i * r->heads * dim + early_head * dim + j];
}

/* Keys of kv head g and values of it, read by the query heads that use it; then those queries. */
static void compose_head(const struct pair *a, size_t g)
{
    const struct wb_heads_run *r = a->p->c->r;
    const struct wb_head_layer *later = a->p->later;
    size_t dim = r->head_dim, square = dim * dim, rows = dim * r->hidden;

    for (int kind = K; kind <= V; kind += V - K) {
        multiply(a, (kind == K ? later->f.k : later->f.v) + g * rows);
        for (size_t e = 0; e < r->heads; e++) {
            widen_block(a, e);
            for (size_t h = g * r->group; h < (g + 1) * r->group; h++)
                take(a, kind, h, e, (kind == K ? later->qq : later->oo) + h * square,
                     kind == K ? later->qk[h] : later->ov[h]);
        }
    }
    for (size_t h = g * r->group; h < (g + 1) * r->group; h++) {
        multiply(a, later->f.q + h * rows);
        for (size_t e = 0; e < r->heads; e++) {
            widen_block(a, e);
            take(a, Q, h, e, later->kk + g * square, later->qk[h]);
        }
    }
}

static void pair_task(void *ctx, size_t task, int worker)
{
    struct pairs *p = ctx;
    const struct wb_heads_run *r = p->c->r;
    size_t early = task / r->kv_heads, square = r->head_dim * r->head_dim;
    struct pair a = { .p = p, .early = &p->c->early[early] };

    (void)worker;
    a.most = p->most + early * KINDS * r->heads;
    a.m = malloc(square * r->heads * sizeof *a.m);
    a.block = malloc(3 * square * sizeof *a.block);
    a.scratch = a.block + square;
    if (a.m == NULL || a.block == NULL)
        atomic_store(&p->no_memory, true);
    else
        compose_head(&a, task % r->kv_heads);
    free(a.m);
    free(a.block);
}

bool wb_head_compose_with(struct wb_head_compose *c, const struct wb_head_layer *later,
                          struct wb_err *err)
{
    struct wb_heads_run *r = c->r;
    size_t n = KINDS * r->heads;
    struct pairs p = { .c = c, .later = later };

    if (c->count == 0)
        return true;
    p.most = malloc(c->count * n * sizeof *p.most);
    if (p.most == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu pairs", c->count * n);
    for (size_t i = 0; i < c->count * n; i++)
        p.most[i] = (double)NAN;
    wb_pool_run(wb_net_pool(r->net), c->count * r->kv_heads, pair_task, &p);
    for (size_t i = 0; i < c->count * n; i++) {
        double *grid = r->out->stat[kind_stat[i % n / r->heads]];
        double *at = &grid[(size_t)later->layer * r->heads + i % r->heads];

        if (p.most[i] - c->baseline > *at || isnan(*at))
            *at = p.most[i] - c->baseline;
    }
    free(p.most);
    return !atomic_load(&p.no_memory) || wb_fail(err, WB_ENOMEM, "no memory for pairs of heads");
}
