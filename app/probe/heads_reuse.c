/* app/probe/heads_reuse.c - which keys a head wants, and who below and above wants the same (inspect
 * I5.3). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/probe/heads_impl.h"

bool wb_head_reuse_init(struct wb_head_reuse *u, const struct wb_heads_run *r, struct wb_err *err)
{
    size_t n = r->layers * r->kv_heads;

    *u = (struct wb_head_reuse){ .layers = r->layers, .kv_heads = r->kv_heads, .k = r->top };
    u->overlap = calloc((4 + 2 * r->layers) * n, sizeof *u->overlap);
    if (u->overlap == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for sums of %zu heads", n);
    u->overlap_n = u->overlap + n;
    u->mass = u->overlap + 2 * n;
    u->mass_n = u->overlap + 3 * n;
    u->demand = u->overlap + 4 * n;
    u->demand_n = u->demand + r->layers * n;
    return true;
}

void wb_head_reuse_free(struct wb_head_reuse *u)
{
    free(u->overlap); /* all sums */
    free(u->set);
    free(u->there);
    *u = (struct wb_head_reuse){ 0 };
}

bool wb_head_reuse_room(struct wb_head_reuse *u, size_t sequences, struct wb_err *err)
{
    size_t n = u->layers * sequences * u->kv_heads, ids;

    free(u->set);
    free(u->there);
    u->set = NULL;
    u->sequences = sequences;
    u->there = calloc(n, sizeof *u->there);
    if (!__builtin_mul_overflow(n, u->k, &ids) && ids < SIZE_MAX / sizeof *u->set)
        u->set = malloc(ids * sizeof *u->set);
    return (u->set != NULL && u->there != NULL) ||
           wb_fail(err, WB_ENOMEM, "no memory for %zu sets of %zu keys", n, u->k);
}

static size_t place(const struct wb_head_reuse *u, size_t layer, size_t sequence, size_t kv_head)
{
    return (layer * u->sequences + sequence) * u->kv_heads + kv_head;
}

void wb_head_reuse_add(struct wb_head_reuse *u, size_t layer, size_t sequence, size_t kv_head,
                       const float *weight, size_t n)
{
    size_t at = place(u, layer, sequence, kv_head), sum = layer * u->kv_heads + kv_head;
    int32_t *own = u->set + at * u->k;

    u->there[at] = n > u->k && wb_head_top(weight, n, u->k, own) == u->k;
    for (size_t l = 0; u->there[at] && l < layer; l++) {
        size_t from = place(u, l, sequence, kv_head), asked;
        double mass;

        if (!u->there[from])
            continue;
        mass = wb_head_mass(weight, u->set + from * u->k, u->k);
        asked = (l * u->layers + layer) * u->kv_heads + kv_head;
        u->demand[asked] += mass;
        u->demand_n[asked]++;
        if (l + 1 < layer)
            continue;
        u->mass[sum] += mass;
        u->mass_n[sum]++;
        u->overlap[sum] += wb_head_overlap(u->set + from * u->k, own, u->k);
        u->overlap_n[sum]++;
    }
}

double wb_head_reuse_demand(const struct wb_head_reuse *u, size_t layer, size_t kv_head)
{
    double sum = 0, n = 0;

    for (size_t l = layer + 1; l < u->layers; l++) {
        sum += u->demand[(layer * u->layers + l) * u->kv_heads + kv_head];
        n += u->demand_n[(layer * u->layers + l) * u->kv_heads + kv_head];
    }
    return sum / n;
}

/* --- priority --------------------------------------------------------------------------------- */

struct ranked {
    double priority;
    int head; /* layer * heads + head */
};

static int best_first(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    if (x->priority != y->priority)
        return x->priority < y->priority ? 1 : -1;
    return x->head - y->head;
}

void wb_heads_by_priority(const struct wb_heads *h, int *order)
{
    const double *mass = h->stat[WB_HEAD_reuse_mass], *demand = h->stat[WB_HEAD_demand];
    size_t n = (size_t)h->layers * (size_t)h->heads;
    struct ranked *all = malloc((n + 1) * sizeof *all);

    for (size_t i = 0; i < n; i++)
        order[i] = (int)i;
    if (all == NULL || mass == NULL || demand == NULL) {
        free(all);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        double p = (1 - mass[i]) * demand[i]; /* NaN: nothing above asks for its keys */

        all[i] = (struct ranked){ i < (size_t)h->heads ? (double)INFINITY
                                  : isnan(p)           ? 0
                                                       : p,
                                  (int)i };
    }
    qsort(all, n, sizeof *all, best_first);
    for (size_t i = 0; i < n; i++)
        order[i] = all[i].head;
    free(all);
}
