/* app/infer/forward_layer.c - one layer over one batch: attention, feed-forward, and where norms
 * and sums go between them (architectures.md section 3; the block's kind is the spec's). */
#include <string.h>

#include "app/infer/forward_impl.h"
#include "app/infer/rowwise.h"

/* A layer at work on a batch. */
struct layer_call {
    const struct wb_net_call *call;
    const struct wb_net_batch *b;
    const struct wb_net_work *work;
    const struct wb_layer_weights *w;
    const struct wb_spec *s;
    int layer;
    size_t d, q, k, f; /* widths: hidden, all query heads, all kv heads, feed-forward */
    float *x;          /* of the batch */
    /* Where q, k and v stand in work->qkv, and how far one head is from the next. */
    float *q_at, *k_at, *v_at;
    size_t head_stride;
};

static size_t qkv_width(const struct layer_call *c)
{
    return c->q + 2 * c->k;
}

/* --- norms and sums --------------------------------------------------------------------------- */

struct norm_call {
    const struct layer_call *c;
    const struct wb_norm_weight *norm;
    const float *from;
    float *to;
};

static void norm_piece(void *ctx, size_t first, size_t n)
{
    const struct norm_call *a = ctx;
    size_t d = a->c->d;

    wb_norm_rows(a->c->s->norm, n, d, a->from + first * d, d, a->norm->weight, a->norm->bias,
                 a->c->s->eps, a->to + first * d, d);
}

static void norm(const struct layer_call *c, const struct wb_norm_weight *weight, const float *from,
                 float *to)
{
    struct norm_call a = { .c = c, .norm = weight, .from = from };

    a.to = to;
    wb_net_each(c->call->net, c->b->rows, norm_piece, &a);
}

struct sum_call {
    const struct layer_call *c;
    const struct wb_norm_weight *before, *after; /* of the branch, of the sum; or NULL */
};

static void sum_piece(void *ctx, size_t first, size_t n)
{
    const struct sum_call *a = ctx;
    const struct layer_call *c = a->c;
    size_t d = c->d;
    float *x = c->x + first * d, *branch = c->work->branch + first * d;

    if (a->before != NULL)
        wb_norm_rows(c->s->norm, n, d, branch, d, a->before->weight, a->before->bias, c->s->eps,
                     branch, d);
    wb_add_rows(n, d, x, d, branch, d);
    if (a->after != NULL)
        wb_norm_rows(c->s->norm, n, d, x, d, a->after->weight, a->after->bias, c->s->eps, x, d);
}

static const struct wb_norm_weight *either(const struct wb_norm_weight *a,
                                           const struct wb_norm_weight *b)
{
    return a->weight != NULL ? a : b;
}

/* The product that ends a branch: straight into the stream, or through the norms of the block. */
static bool end_branch(const struct layer_call *c, const struct wb_weight *weight,
                       const float *from, size_t ld, const struct wb_norm_weight *post,
                       const struct wb_norm_weight *plain, struct wb_err *err)
{
    bool straight = c->s->block != WB_BLOCK_POST && c->s->block != WB_BLOCK_SANDWICH;
    struct wb_linear to = {
        .weight = weight, .y = straight ? c->x : c->work->branch, .ldy = c->d, .add = straight
    };
    struct sum_call sum = { .c = c };

    if (!wb_linear(c->call->net->linear, from, c->b->rows, ld, &to, 1, err))
        return false;
    if (c->s->block == WB_BLOCK_POST)
        sum.after = either(post, plain);
    else
        sum.before = post;
    if (!straight)
        wb_net_each(c->call->net, c->b->rows, sum_piece, &sum);
    return true;
}

static bool tap_input(const struct layer_call *c, const char *role, size_t width, const float *x,
                      struct wb_err *err)
{
    const struct wb_net_taps *taps = c->call->taps;

    return taps->input == NULL ||
           taps->input(taps->ctx, c->layer, role, c->b->row, c->b->rows, width, x, err);
}

/* --- attention -------------------------------------------------------------------------------- */

static void find_heads(struct layer_call *c)
{
    size_t head = (size_t)c->s->head_dim;
    float *qkv = c->work->qkv;

    c->head_stride = c->w->qkv_by_head ? 3 * head : head;
    c->q_at = qkv;
    c->k_at = qkv + (c->w->qkv_by_head ? head : c->q);
    c->v_at = qkv + (c->w->qkv_by_head ? 2 * head : c->q + c->k);
}

static bool project(const struct layer_call *c, struct wb_err *err)
{
    size_t ld = qkv_width(c);
    const struct wb_linear to[] = { { .weight = &c->w->q, .y = c->work->qkv, .ldy = ld },
                                    { .weight = &c->w->k, .y = c->k_at, .ldy = ld },
                                    { .weight = &c->w->v, .y = c->v_at, .ldy = ld } };

    return wb_linear(c->call->net->linear, c->work->normed, c->b->rows, c->d, to, c->w->qkv ? 1 : 3,
                     err);
}

/* Rows of consecutive positions are turned in one go. */
static void turn(const struct layer_call *c, float *at, int heads, size_t first, size_t n)
{
    const struct wb_turns *t = &c->call->net->turns[c->s->layer[c->layer].rope];
    int dims = c->s->rope[c->s->layer[c->layer].rope].dims;
    const uint32_t *position = c->call->position + c->b->row;
    size_t run;

    for (size_t i = first; i < first + n; i += run) {
        size_t row = t->by_row ? c->b->row + i : position[i] - t->first;
        size_t from = row * (size_t)dims / 2;

        run = 1;
        while (i + run < first + n && position[i + run] == position[i] + run)
            run++;
        wb_rope_rows(run, heads, dims, at + i * qkv_width(c), qkv_width(c), c->head_stride,
                     t->cosine + from, t->sine + from);
    }
}

/* Norms of heads and positions of a piece. */
static void place_heads(void *ctx, size_t first, size_t n)
{
    const struct layer_call *c = ctx;
    const struct wb_spec *s = c->s;
    size_t ld = qkv_width(c);

    if (s->qk_norm) {
        wb_norm_heads(s->norm, n, s->heads, s->head_dim, c->q_at + first * ld, ld, c->head_stride,
                      c->w->q_norm.weight, c->w->q_norm.bias, s->eps);
        wb_norm_heads(s->norm, n, s->kv_heads, s->head_dim, c->k_at + first * ld, ld,
                      c->head_stride, c->w->k_norm.weight, c->w->k_norm.bias, s->eps);
    }
    if (s->layer[c->layer].rope >= 0) {
        turn(c, c->q_at, s->heads, first, n);
        turn(c, c->k_at, s->kv_heads, first, n);
    }
}

/* Keys and values of the new rows of sequence i go behind its past. */
static void remember(const struct layer_call *c, struct wb_past *past, size_t row, size_t n)
{
    size_t head = (size_t)c->s->head_dim, heads = (size_t)c->s->kv_heads, ld = qkv_width(c);
    size_t at = ((size_t)c->layer * past->room + past->count) * past->width;

    for (size_t i = 0; i < n; i++)
        for (size_t h = 0; h < heads; h++) {
            size_t to = at + i * past->width + h * head;
            size_t from = (row + i) * ld + h * c->head_stride;

            memcpy(past->k + to, c->k_at + from, head * sizeof *past->k);
            memcpy(past->v + to, c->v_at + from, head * sizeof *past->v);
        }
}

static struct wb_attend sequence(const struct layer_call *c, size_t i)
{
    const struct wb_rows *rows = c->call->rows;
    size_t row = wb_rows_start(c->call->net, rows, i) - c->b->row, ld = qkv_width(c);
    size_t n = wb_rows_start(c->call->net, rows, i + 1) - c->b->row - row;
    struct wb_attend a = { .q = c->q_at + row * ld,
                           .k = c->k_at + row * ld,
                           .v = c->v_at + row * ld,
                           .q_row = ld,
                           .k_row = ld,
                           .v_row = ld,
                           .q_head = c->head_stride,
                           .k_head = c->head_stride,
                           .v_head = c->head_stride,
                           .out = c->work->heads + row * c->q,
                           .out_row = c->q,
                           .queries = n,
                           .keys = n };
    struct wb_past *past = rows->past == NULL ? NULL : rows->past[i];

    if (past == NULL)
        return a;
    remember(c, past, row, n);
    a.k = past->k + (size_t)c->layer * past->room * past->width;
    a.v = past->v + (size_t)c->layer * past->room * past->width;
    a.k_row = a.v_row = past->width;
    a.k_head = a.v_head = (size_t)c->s->head_dim;
    a.keys = past->count + n;
    return a;
}

/* Sequences count from the first of the call. */
static void see(void *ctx, const struct wb_attend_tile *tile)
{
    const struct layer_call *c = ctx;
    struct wb_attend_tile of_call = *tile;

    of_call.sequence += c->b->first;
    c->call->taps->attention(c->call->taps->ctx, c->layer, &of_call);
}

static bool attention(struct layer_call *c, struct wb_err *err)
{
    const struct wb_net_taps *taps = c->call->taps;
    struct wb_net *net = c->call->net;
    struct wb_attend_how how = {
        .heads = c->s->heads,
        .kv_heads = c->s->kv_heads,
        .head_dim = c->s->head_dim,
        .scale = c->s->scale,
        .cap = c->s->attn_cap,
        .causal = c->s->causal,
        .window = c->s->layer[c->layer].window,
        .head_gate = taps->head_gate == NULL ? NULL : taps->head_gate + c->layer * c->s->heads,
        .see = taps->attention == NULL ? NULL : see,
        .ctx = c,
    };

    find_heads(c);
    if (!tap_input(c, "q", c->d, c->work->normed, err) || !project(c, err))
        return false;
    wb_net_each(net, c->b->rows, place_heads, c);
    for (size_t i = c->b->first; i < c->b->end; i++)
        c->call->sequence[i - c->b->first] = sequence(c, i);
    return wb_attend(net->attend, &how, c->call->sequence, c->b->end - c->b->first, err) &&
           tap_input(c, "o", c->q, c->work->heads, err);
}

/* --- feed-forward ----------------------------------------------------------------------------- */

static void activate(void *ctx, size_t first, size_t n)
{
    const struct layer_call *c = ctx;
    size_t ld = c->s->gated ? 2 * c->f : c->f;
    float *gate = c->work->gate_up + first * ld;

    if (c->s->gated)
        wb_gate_rows(c->s->act, n, c->f, gate, ld, gate + c->f, ld);
    else
        wb_act_rows(c->s->act, n, c->f, gate, ld);
}

/* down's input stands in work->gate_up, row stride 2 f (gated) or f. */
static bool feed_forward(const struct layer_call *c, const float *from, struct wb_err *err)
{
    size_t ld = c->s->gated ? 2 * c->f : c->f;
    float *gate = c->work->gate_up;
    const struct wb_linear gated[] = { { .weight = &c->w->gate, .y = gate, .ldy = ld },
                                       { .weight = &c->w->up, .y = gate + c->f, .ldy = ld } };
    const struct wb_linear plain = { .weight = &c->w->up, .y = gate, .ldy = ld };

    if (!tap_input(c, c->s->gated ? "gate" : "up", c->d, from, err) ||
        !wb_linear(c->call->net->linear, from, c->b->rows, c->d, c->s->gated ? gated : &plain,
                   c->s->gated && !c->w->gate_up ? 2 : 1, err))
        return false;
    wb_net_each(c->call->net, c->b->rows, activate, (void *)c);
    return true;
}

/* The tap sees rows without gaps. */
static bool tap_down(const struct layer_call *c, struct wb_err *err)
{
    if (c->call->taps->input == NULL)
        return true;
    if (c->s->gated)
        for (size_t i = 1; i < c->b->rows; i++)
            memmove(c->work->gate_up + i * c->f, c->work->gate_up + i * 2 * c->f,
                    c->f * sizeof(float));
    return tap_input(c, "down", c->f, c->work->gate_up, err);
}

static bool end_feed_forward(const struct layer_call *c, struct wb_err *err)
{
    size_t ld = c->s->gated && c->call->taps->input == NULL ? 2 * c->f : c->f;

    return tap_down(c, err) && end_branch(c, &c->w->down, c->work->gate_up, ld,
                                          &c->w->ffn_post_norm, &c->w->ffn_norm, err);
}

/* --- the block -------------------------------------------------------------------------------- */

/* Both branches read the stream as it came; the second's norm goes where the branch would. */
static bool parallel(struct layer_call *c, struct wb_err *err)
{
    float *second = c->work->normed;

    norm(c, &c->w->attn_norm, c->x, c->work->normed);
    if (!attention(c, err))
        return false;
    if (c->s->block == WB_BLOCK_PARALLEL) {
        second = c->work->branch;
        norm(c, &c->w->ffn_norm, c->x, second);
    }
    return end_branch(c, &c->w->o, c->work->heads, c->q, &c->w->attn_post_norm, &c->w->attn_norm,
                      err) &&
           feed_forward(c, second, err) && end_feed_forward(c, err);
}

static bool one_behind_the_other(struct layer_call *c, struct wb_err *err)
{
    bool post = c->s->block == WB_BLOCK_POST;
    const float *from = post ? c->x : c->work->normed;

    if (post)
        memcpy(c->work->normed, c->x, c->b->rows * c->d * sizeof *c->x);
    else
        norm(c, &c->w->attn_norm, c->x, c->work->normed);
    if (!attention(c, err) || !end_branch(c, &c->w->o, c->work->heads, c->q, &c->w->attn_post_norm,
                                          &c->w->attn_norm, err))
        return false;
    if (!post)
        norm(c, &c->w->ffn_norm, c->x, c->work->normed);
    return feed_forward(c, from, err) && end_feed_forward(c, err);
}

bool wb_net_layer(const struct wb_net_call *call, const struct wb_net_batch *b,
                  const struct wb_net_work *work, int layer, const struct wb_layer_weights *w,
                  struct wb_err *err)
{
    const struct wb_spec *s = &call->net->spec;
    size_t head = (size_t)s->head_dim;
    struct layer_call c = { .call = call,
                            .b = b,
                            .work = work,
                            .w = w,
                            .s = s,
                            .layer = layer,
                            .d = (size_t)s->hidden,
                            .q = (size_t)s->heads * head,
                            .k = (size_t)s->kv_heads * head,
                            .f = (size_t)s->intermediate,
                            .x = call->x + b->row * (size_t)s->hidden };

    return s->block == WB_BLOCK_PARALLEL || s->block == WB_BLOCK_PARALLEL_ONE_NORM
               ? parallel(&c, err)
               : one_behind_the_other(&c, err);
}
