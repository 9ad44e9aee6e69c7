/* app/probe/heads.c - attention heads: what is known of them, and what they are. */
#include "app/probe/heads.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/json.h"
#include "app/probe/heads_impl.h"
#include "app/tensor/kernels.h"

/* --- statistics ------------------------------------------------------------------------------- */

static const struct wb_head_stat_info infos[WB_HEAD_STAT_COUNT] = {
#define X(id, lowest, highest, text) \
    [WB_HEAD_##id] = { .name = #id, .doc = (text), .low = (lowest), .high = (highest) },
    WB_HEAD_TEXT_STATS(X)
#undef X
#define X(id, lowest, highest, text)                                     \
    [WB_HEAD_##id] = { .name = #id,                                      \
                       .doc = (text),                                    \
                       .low = (lowest),                                  \
                       .high = (highest),                                \
                       .weights = true,                                  \
                       .pairs = WB_HEAD_##id >= WB_HEAD_k_composition && \
                                WB_HEAD_##id <= WB_HEAD_v_composition },
        WB_HEAD_WEIGHT_STATS(X)
#undef X
};

const struct wb_head_stat_info *wb_head_stat_info(enum wb_head_stat stat)
{
    return &infos[stat];
}

enum wb_head_stat wb_head_stat_find(const char *name)
{
    int i = 0;

    while (i < WB_HEAD_STAT_COUNT && strcmp(infos[i].name, name) != 0)
        i++;
    return (enum wb_head_stat)i;
}

/* --- what the parts share --------------------------------------------------------------------- */

bool wb_heads_report(const struct wb_heads_run *r, struct wb_err *err)
{
    return r->how->report == NULL || r->how->report(r->how->ctx, r->out) ||
           wb_fail(err, WB_ECANCELLED, "cancelled");
}

int32_t wb_heads_bos(const struct wb_heads_run *r, const struct wb_rows *rows)
{
    double id = wb_json_number(wb_model_config(wb_net_model(r->net)), "bos_token_id", -1);

    if (rows != NULL && rows->token != NULL && rows->sequences > 0) {
        for (size_t i = 1; i < rows->sequences; i++)
            if (rows->token[rows->start[i]] != rows->token[0])
                return -1;
        return rows->token[0];
    }
    return id >= 0 && id < r->spec->vocab ? (int32_t)id : -1;
}

size_t wb_heads_context(const struct wb_heads_run *r)
{
    const struct wb_weight *table = &wb_weights_shared(wb_net_weights(r->net))->pos_embed;
    size_t context = r->spec->context > 0 ? (size_t)r->spec->context : SIZE_MAX;

    if (r->spec->learned_positions && table->out - (size_t)r->spec->position_offset < context)
        context = table->out - (size_t)r->spec->position_offset;
    return context;
}

void wb_heads_draw(const struct wb_heads_run *r, uint64_t stream, size_t n, int32_t *out)
{
    size_t vocab = (size_t)r->spec->vocab, low = vocab / 6 < 1000 ? vocab / 6 : 1000;
    size_t count = vocab / 2 > low ? vocab / 2 - low : vocab - low;
    uint64_t key = wb_random_stream(r->seed, stream, "tokens");

    for (size_t i = 0; i < n; i++) {
        float u;

        wb_kernels()->uniform(1, key, i, &u);
        out[i] = (int32_t)(low + (size_t)((double)u * (double)count));
    }
}

/* --- run -------------------------------------------------------------------------------------- */

/* Does a part give a statistic? */
static bool wanted(const struct wb_heads_how *how, int stat)
{
    if (infos[stat].weights)
        return how->composition || (how->weights && !infos[stat].pairs);
    if (stat == WB_HEAD_duplicate || stat == WB_HEAD_induction)
        return how->repeated;
    return stat == WB_HEAD_retrieval ? how->retrieval : how->text;
}

/* n numbers that are not known. */
static double *unknown(size_t n)
{
    double *x = malloc((n + 1) * sizeof *x);

    for (size_t i = 0; x != NULL && i < n; i++)
        x[i] = (double)NAN;
    return x;
}

static bool make_grids(const struct wb_heads_run *r, struct wb_err *err)
{
    struct wb_heads *h = r->out;
    size_t similar = r->layers * r->kv_heads * r->kv_heads;
    bool ok = true;

    for (int i = 0; i < WB_HEAD_STAT_COUNT; i++)
        if (wanted(r->how, i))
            ok = (h->stat[i] = unknown(r->layers * r->heads)) != NULL && ok;
    if (r->how->weights || r->how->composition) {
        h->group_similarity = unknown(similar);
        h->group_similarity_v = unknown(similar);
        ok = ok && h->group_similarity != NULL && h->group_similarity_v != NULL;
    }
    return ok ||
           wb_fail(err, WB_ENOMEM, "no memory for statistics of %zu heads", r->layers * r->heads);
}

bool wb_heads_run(struct wb_net *net, const struct wb_rows *rows, const struct wb_heads_how *how,
                  struct wb_heads *out, struct wb_err *err)
{
    const struct wb_spec *spec = wb_net_spec(net);
    struct wb_heads_run r = { .net = net,
                              .spec = spec,
                              .how = how,
                              .out = out,
                              .layers = (size_t)spec->layers,
                              .heads = (size_t)spec->heads,
                              .kv_heads = (size_t)spec->kv_heads,
                              .group = (size_t)(spec->heads / spec->kv_heads),
                              .head_dim = (size_t)spec->head_dim,
                              .hidden = (size_t)spec->hidden,
                              .top = how->top > 0 ? (size_t)how->top : 32,
                              .local = how->local > 0 ? (size_t)how->local : 32,
                              .seed = how->seed };
    bool ok;

    *out = (struct wb_heads){ .layers = spec->layers,
                              .heads = spec->heads,
                              .kv_heads = spec->kv_heads };
    ok = make_grids(&r, err);
    if (ok && how->text)
        ok = rows == NULL ? wb_fail(err, WB_EARG, "statistics on a text need one")
                          : wb_heads_text(&r, rows, err);
    ok = ok && (!how->repeated || wb_heads_repeated(&r, rows, err)) &&
         (!how->retrieval || wb_heads_retrieval(&r, rows, err)) &&
         ((!how->weights && !how->composition) || wb_heads_weights(&r, err));
    if (!ok)
        wb_heads_free(out);
    return ok;
}

void wb_heads_free(struct wb_heads *h)
{
    for (int i = 0; i < WB_HEAD_STAT_COUNT; i++)
        free(h->stat[i]);
    free(h->group_similarity);
    free(h->group_similarity_v);
    *h = (struct wb_heads){ 0 };
}

/* --- roles ------------------------------------------------------------------------------------ */

unsigned wb_heads_role(const struct wb_heads *h, int layer, int head)
{
    static const struct {
        double above;
        enum wb_head_stat stat;
        enum wb_head_role role;
    } rules[] = {
        { 0.4, WB_HEAD_previous, WB_HEAD_IS_PREVIOUS },
        { 0.3, WB_HEAD_induction, WB_HEAD_IS_INDUCTION },
        { 0.5, WB_HEAD_sink, WB_HEAD_IS_SINK },
        { 0.7, WB_HEAD_local, WB_HEAD_IS_LOCAL },
        { 0.1, WB_HEAD_retrieval, WB_HEAD_IS_RETRIEVAL },
        { 0.5, WB_HEAD_dead, WB_HEAD_IS_DEAD },
    };
    size_t at = (size_t)layer * (size_t)h->heads + (size_t)head;
    unsigned role = 0;

    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (h->stat[rules[i].stat] != NULL && h->stat[rules[i].stat][at] > rules[i].above)
            role |= rules[i].role;
    return role;
}
