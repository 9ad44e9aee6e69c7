/* app/infer/forward.c - a net, and the walk through its layers.
 *
 * The residual stream of all rows of a call is kept ([rows, hidden]); for each layer its weights
 * are made ready once and all batches go through. What a batch needs in between (queries, keys,
 * feed-forward) is one piece of memory that is used again and again. */
#include "app/infer/forward.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/infer/forward_impl.h"
#include "app/infer/rowwise.h"
#include "app/tensor/kernels.h"

/* Rows that one task takes. */
#define PIECE_ROWS 32

/* --- open and close --------------------------------------------------------------------------- */

struct wb_net *wb_net_open(struct wb_model *model, const char *stack, const struct wb_eval *how,
                           struct wb_err *err)
{
    struct wb_net *net = calloc(1, sizeof *net);
    bool ok;

    if (net == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for a net");
        return NULL;
    }
    net->model = wb_model_ref(model);
    net->cancel = how->cancel;
    if (!wb_spec_of(model, stack, &net->arena, &net->spec, err)) { /* names the model itself */
        wb_net_close(net);
        return NULL;
    }
    ok = (net->weights = wb_weights_open(model, &net->spec, how, err)) != NULL &&
         (net->pool = wb_pool_new(how->threads, err)) != NULL &&
         (net->linear = wb_linear_scratch_new(net->pool, err)) != NULL &&
         (net->attend = wb_attend_scratch_new(net->pool, err)) != NULL;
    if (ok)
        return net;
    if (wb_model_path(model) != NULL)
        wb_wrap(err, "%s", wb_model_path(model));
    wb_net_close(net);
    return NULL;
}

void wb_net_close(struct wb_net *net)
{
    if (net == NULL)
        return;
    wb_attend_scratch_free(net->attend);
    wb_linear_scratch_free(net->linear);
    wb_pool_free(net->pool);
    wb_weights_close(net->weights);
    for (int i = 0; i < WB_SPEC_ROPES; i++) {
        free(net->turns[i].cosine);
        free(net->turns[i].sine);
    }
    free(net->work);
    wb_arena_free(&net->arena);
    wb_model_unref(net->model);
    free(net);
}

const struct wb_spec *wb_net_spec(const struct wb_net *net)
{
    return &net->spec;
}

struct wb_model *wb_net_model(const struct wb_net *net)
{
    return net->model;
}

struct wb_weights *wb_net_weights(struct wb_net *net)
{
    return net->weights;
}

bool wb_net_nonfinite(const struct wb_net *net)
{
    return net->nonfinite;
}

struct wb_pool *wb_net_pool(const struct wb_net *net)
{
    return net->pool;
}

void wb_net_set_cancel(struct wb_net *net, const atomic_bool *cancel)
{
    net->cancel = cancel;
    wb_weights_set_cancel(net->weights, cancel);
}

/* --- rows ------------------------------------------------------------------------------------- */

struct pieces {
    void (*fn)(void *ctx, size_t first, size_t n);
    void *ctx;
    size_t rows;
};

static void piece(void *ctx, size_t task, int worker)
{
    const struct pieces *p = ctx;
    size_t first = task * PIECE_ROWS, left = p->rows - first;

    (void)worker;
    p->fn(p->ctx, first, left < PIECE_ROWS ? left : PIECE_ROWS);
}

void wb_net_each(struct wb_net *net, size_t rows, void (*fn)(void *ctx, size_t first, size_t n),
                 void *ctx)
{
    struct pieces p = { fn, ctx, rows };

    if (rows <= PIECE_ROWS)
        fn(ctx, 0, rows);
    else
        wb_pool_run(net->pool, (rows + PIECE_ROWS - 1) / PIECE_ROWS, piece, &p);
}

static size_t image_rows(const struct wb_spec *s)
{
    return (size_t)(s->image_rows / s->patch) * (size_t)(s->image_columns / s->patch) + 1;
}

size_t wb_rows_start(const struct wb_net *net, const struct wb_rows *rows, size_t sequence)
{
    return net->spec.kind == WB_NET_VISION ? sequence * image_rows(&net->spec)
                                           : rows->start[sequence];
}

size_t wb_rows_batch_end(const struct wb_net *net, const struct wb_rows *rows, size_t first)
{
    size_t from = wb_rows_start(net, rows, first), end = first + 1;

    while (end < rows->sequences && wb_rows_start(net, rows, end + 1) - from <= WB_NET_BATCH_ROWS)
        end++;
    return end < rows->sequences ? end : rows->sequences;
}

/* --- checks ----------------------------------------------------------------------------------- */

static size_t past_count(const struct wb_rows *rows, size_t sequence)
{
    return rows->past == NULL ? 0 : rows->past[sequence]->count;
}

static bool check_sequence(const struct wb_net *net, const struct wb_rows *rows, size_t i,
                           struct wb_err *err)
{
    const struct wb_weight *table = &wb_weights_shared(net->weights)->pos_embed;
    size_t n = rows->start[i + 1] - rows->start[i], end = past_count(rows, i) + n;

    if (rows->start[i + 1] <= rows->start[i])
        return wb_fail(err, WB_EARG, "sequence %zu has no tokens", i);
    if (rows->past != NULL && end > rows->past[i]->room)
        return wb_fail(err, WB_EARG, "%zu positions, but there is room for %zu", end,
                       rows->past[i]->room);
    if (net->spec.learned_positions && end + (size_t)net->spec.position_offset > table->out)
        return wb_fail(err, WB_EARG, "%zu tokens, but the model has learned %zu positions", end,
                       table->out - (size_t)net->spec.position_offset);
    for (size_t t = rows->start[i]; t < rows->start[i + 1]; t++)
        if (rows->token[t] < 0 || rows->token[t] >= net->spec.vocab)
            return wb_fail(err, WB_EARG, "token %" PRId32 " is not among the model's %d",
                           rows->token[t], net->spec.vocab);
    return true;
}

static bool check_rows(const struct wb_net *net, const struct wb_rows *rows, struct wb_err *err)
{
    const struct wb_weight *table = &wb_weights_shared(net->weights)->pos_embed;

    if (net->spec.kind == WB_NET_VISION) {
        if (rows->image == NULL || table->out != image_rows(&net->spec))
            return wb_fail(err, WB_ESHAPE, "images of %zu patches, but the model has %zu positions",
                           image_rows(&net->spec) - 1, table->out);
        return true;
    }
    if (rows->token == NULL)
        return wb_fail(err, WB_EARG, "the model takes tokens, not images");
    for (size_t i = 0; i < rows->sequences; i++)
        if (!check_sequence(net, rows, i, err))
            return false;
    return true;
}

/* --- rotary positions ------------------------------------------------------------------------- */

/* Do sequences of a and of b positions have the same frequencies? */
static bool same_frequencies(const struct wb_rope_rule *rule, size_t a, size_t b)
{
    if (rule->type == WB_ROPE_DYNAMIC)
        return a == b || (a <= (size_t)rule->context && b <= (size_t)rule->context);
    if (rule->type == WB_ROPE_LONG)
        return (a > (size_t)rule->original) == (b > (size_t)rule->original);
    return true;
}

static bool make_room(struct wb_turns *t, size_t count, size_t half, struct wb_err *err)
{
    t->count = 0;
    if (count <= t->room)
        return true;
    free(t->cosine);
    free(t->sine);
    t->cosine = malloc(count * half * sizeof *t->cosine);
    t->sine = malloc(count * half * sizeof *t->sine);
    t->room = t->cosine != NULL && t->sine != NULL ? count : 0;
    return t->room > 0 || wb_fail(err, WB_ENOMEM, "no memory for %zu positions", count);
}

static bool make_turns(struct wb_turns *t, const struct wb_rope_rule *rule, size_t first,
                       size_t end, size_t positions, struct wb_err *err)
{
    size_t count = end - first;

    if (t->count > 0 && !t->by_row && t->first <= first && end <= t->first + t->count &&
        same_frequencies(rule, t->positions, positions))
        return true;
    if (!make_room(t, count, (size_t)rule->dims / 2, err))
        return false;
    wb_rope_table(rule, positions, first, count, t->cosine, t->sine);
    t->first = first;
    t->count = count;
    t->positions = positions;
    t->by_row = false;
    return true;
}

/* Sequences of one call whose lengths ask for different frequencies: each gets its own. */
static bool make_row_turns(struct wb_turns *t, const struct wb_rope_rule *rule,
                           const struct wb_net_call *call, struct wb_err *err)
{
    size_t half = (size_t)rule->dims / 2;

    if (!make_room(t, call->total, half, err))
        return false;
    for (size_t i = 0; i < call->rows->sequences; i++) {
        size_t from = wb_rows_start(call->net, call->rows, i), past = past_count(call->rows, i);
        size_t n = wb_rows_start(call->net, call->rows, i + 1) - from;

        wb_rope_table(rule, past + n, past, n, t->cosine + from * half, t->sine + from * half);
    }
    t->count = call->total;
    t->by_row = true;
    return true;
}

/* Do all sequences of the call have the frequencies of the longest, of `end` positions? */
static bool one_for_all(const struct wb_rope_rule *rule, const struct wb_net_call *call, size_t end)
{
    const struct wb_rows *rows = call->rows;

    if (rule->type != WB_ROPE_DYNAMIC && rule->type != WB_ROPE_LONG)
        return true;
    for (size_t i = 0; i < rows->sequences; i++) {
        size_t n = wb_rows_start(call->net, rows, i + 1) - wb_rows_start(call->net, rows, i);

        if (!same_frequencies(rule, past_count(rows, i) + n, end))
            return false;
    }
    return true;
}

/* Positions of all rows, and cos and sin for them. */
static bool place_rows(const struct wb_net_call *call, struct wb_err *err)
{
    const struct wb_rows *rows = call->rows;
    struct wb_net *net = call->net;
    size_t first = SIZE_MAX, end = 0;

    for (size_t i = 0; i < rows->sequences; i++) {
        size_t from = wb_rows_start(net, rows, i), to = wb_rows_start(net, rows, i + 1);
        size_t past = past_count(rows, i);

        for (size_t t = from; t < to; t++)
            call->position[t] = (uint32_t)(past + t - from);
        first = past < first ? past : first;
        end = past + to - from > end ? past + to - from : end;
    }
    for (int i = 0; i < net->spec.ropes; i++) {
        const struct wb_rope_rule *rule = &net->spec.rope[i];

        if (one_for_all(rule, call, end) ? !make_turns(&net->turns[i], rule, first, end, end, err)
                                         : !make_row_turns(&net->turns[i], rule, call, err))
            return false;
    }
    return true;
}

/* --- run -------------------------------------------------------------------------------------- */

static size_t largest(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Room for the largest batch. */
static bool make_work(struct wb_net *net, size_t rows, struct wb_net_work *work, struct wb_err *err)
{
    const struct wb_spec *s = &net->spec;
    size_t d = (size_t)s->hidden, q = (size_t)s->heads * (size_t)s->head_dim;
    size_t k = (size_t)s->kv_heads * (size_t)s->head_dim, f = (size_t)s->intermediate;
    size_t width = 2 * d + largest(2 * q + 2 * k, 2 * f), floats;

    if (__builtin_mul_overflow(rows, width, &floats))
        return wb_fail(err, WB_ENOMEM, "%zu rows are too many", rows);
    if (floats > net->work_floats) {
        free(net->work);
        net->work = aligned_alloc(64, (floats * sizeof *net->work + 63) / 64 * 64);
        net->work_floats = net->work == NULL ? 0 : floats;
    }
    if (net->work == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu rows of %zu numbers", rows, width);
    work->normed = net->work;
    work->branch = work->normed + rows * d;
    work->qkv = work->gate_up = work->branch + rows * d;
    work->heads = work->qkv + rows * (q + 2 * k);
    return true;
}

static struct wb_net_batch batch_at(const struct wb_net_call *call, size_t first)
{
    struct wb_net_batch b = { .first = first,
                              .end = wb_rows_batch_end(call->net, call->rows, first) };

    b.row = wb_rows_start(call->net, call->rows, b.first);
    b.rows = wb_rows_start(call->net, call->rows, b.end) - b.row;
    return b;
}

static bool tap_state(const struct wb_net_call *call, const struct wb_net_batch *b, int state,
                      struct wb_err *err)
{
    const struct wb_net_taps *taps = call->taps;

    return taps->state == NULL ||
           taps->state(taps->ctx, state, b->row, b->rows,
                       call->x + b->row * (size_t)call->net->spec.hidden, err);
}

static bool cancelled(const struct wb_net *net, struct wb_err *err)
{
    return net->cancel != NULL && atomic_load(net->cancel) &&
           !wb_fail(err, WB_ECANCELLED, "cancelled");
}

static bool run_layer(const struct wb_net_call *call, const struct wb_net_work *work, int layer,
                      struct wb_err *err)
{
    const struct wb_layer_weights *w = wb_weights_layer(call->net->weights, layer, err);
    struct wb_net_batch b;

    for (size_t i = 0; w != NULL && i < call->rows->sequences; i = b.end) {
        b = batch_at(call, i);
        if (cancelled(call->net, err) || !wb_net_layer(call, &b, work, layer, w, err) ||
            !tap_state(call, &b, layer + 1, err))
            return false;
    }
    return w != NULL;
}

static bool run_layers(const struct wb_net_call *call, struct wb_err *err)
{
    struct wb_net *net = call->net;
    struct wb_net_work work;
    struct wb_net_batch b;
    size_t rows = 0;

    for (size_t i = 0; i < call->rows->sequences; i = b.end) {
        b = batch_at(call, i);
        rows = largest(rows, b.rows);
        if (!tap_state(call, &b, 0, err))
            return false;
    }
    if (!make_work(net, rows, &work, err))
        return false;
    for (int l = 0; l < net->spec.layers; l++)
        if (!run_layer(call, &work, l, err))
            return false;
    return true;
}

struct final {
    const struct wb_net *net;
    float *x;
};

static void final_norm(void *ctx, size_t first, size_t n)
{
    const struct final *f = ctx;
    const struct wb_spec *s = &f->net->spec;
    const struct wb_norm_weight *norm = &wb_weights_shared(f->net->weights)->final_norm;
    size_t d = (size_t)s->hidden;

    wb_norm_rows(s->norm, n, d, f->x + first * d, d, norm->weight, norm->bias, s->eps,
                 f->x + first * d, d);
}

static void finish(const struct wb_net_call *call)
{
    struct wb_net *net = call->net;
    size_t floats = call->total * (size_t)net->spec.hidden;
    struct final f = { net, call->x };

    if (wb_weights_shared(net->weights)->final_norm.weight != NULL)
        wb_net_each(net, call->total, final_norm, &f);
    if (wb_kernels()->first_nonfinite(floats, call->x) < floats)
        net->nonfinite = true;
    for (size_t i = 0; call->rows->past != NULL && i < call->rows->sequences; i++)
        call->rows->past[i]->count += call->rows->start[i + 1] - call->rows->start[i];
}

static bool prepare(struct wb_net_call *call, float *out, float **own, struct wb_err *err)
{
    size_t floats, d = (size_t)call->net->spec.hidden;

    if (__builtin_mul_overflow(call->total, d, &floats) || floats > SIZE_MAX / sizeof(float) / 2)
        return wb_fail(err, WB_ENOMEM, "%zu rows are too many", call->total);
    if (out == NULL)
        out = *own = malloc(floats * sizeof *out);
    call->x = out;
    call->position = malloc(call->total * sizeof *call->position);
    call->sequence = calloc(call->rows->sequences, sizeof *call->sequence);
    return (out != NULL && call->position != NULL && call->sequence != NULL) ||
           wb_fail(err, WB_ENOMEM, "no memory for the states of %zu positions", call->total);
}

bool wb_net_run(struct wb_net *net, const struct wb_rows *rows, const struct wb_net_taps *taps,
                float *out, struct wb_err *err)
{
    static const struct wb_net_taps none;
    struct wb_net_call call = { .net = net, .rows = rows, .taps = taps == NULL ? &none : taps };
    float *own = NULL;
    bool ok;

    if (rows->sequences == 0)
        return true;
    if (!check_rows(net, rows, err))
        return false;
    call.total = wb_rows_start(net, rows, rows->sequences);
    ok = prepare(&call, out, &own, err) && place_rows(&call, err) &&
         wb_net_embed_rows(&call, err) && run_layers(&call, err);
    if (ok)
        finish(&call);
    free(call.sequence);
    free(call.position);
    free(own);
    return ok;
}
