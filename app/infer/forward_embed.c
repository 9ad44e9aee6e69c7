/* app/infer/forward_embed.c - state 0: words, positions and types, or the patches of images. */
#include <stdlib.h>
#include <string.h>

#include "app/infer/forward_impl.h"
#include "app/infer/rowwise.h"
#include "app/tensor/kernels.h"

void wb_net_table_row(const struct wb_weight *table, size_t row, float *out)
{
    size_t row_bytes = table->in * (wb_dtype_bits(table->dtype) / 8);

    wb_kernels()->widen[table->dtype](table->in,
                                      (const unsigned char *)table->data + row * row_bytes, out);
}

/* What the pieces of one call share. */
struct embedding {
    const struct wb_net_call *call;
    float *words; /* [total, width of the table]: x itself, or in front of a projection */
    size_t ldw;
    float *added; /* [positions, hidden]: what every position of the call adds; NULL: nothing */
    size_t first; /* position of its first row */
};

static const struct wb_shared_weights *weights(const struct wb_net_call *call)
{
    return wb_weights_shared(call->net->weights);
}

static void scale_row(float *x, size_t n, float by)
{
    if (by != 1)
        wb_kernels()->binary_vs[WB_BINARY_mul](n, x, by, x);
}

static void words(void *ctx, size_t first, size_t n)
{
    const struct embedding *e = ctx;
    const struct wb_weight *table = &weights(e->call)->embed;

    for (size_t i = first; i < first + n; i++) {
        float *to = e->words + i * e->ldw;

        wb_net_table_row(table, (size_t)e->call->rows->token[i], to);
        scale_row(to, table->in, e->call->net->spec.embed_scale);
    }
}

/* The learned positions that occur, with the type of all tokens (0) added. */
static bool make_added(struct embedding *e, struct wb_err *err)
{
    const struct wb_net_call *call = e->call;
    const struct wb_spec *s = &call->net->spec;
    const struct wb_shared_weights *w = weights(call);
    size_t d = (size_t)s->hidden, last = 0;

    if (!s->learned_positions && w->type_embed.data == NULL)
        return true;
    e->first = s->learned_positions ? call->position[0] : 0;
    for (size_t i = 0; s->learned_positions && i < call->total; i++) {
        last = call->position[i] > last ? call->position[i] : last;
        e->first = call->position[i] < e->first ? call->position[i] : e->first;
    }
    e->added = calloc(last - e->first + 2, d * sizeof *e->added);
    if (e->added == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu positions", last - e->first + 1);
    for (size_t p = e->first; s->learned_positions && p <= last; p++)
        wb_net_table_row(&w->pos_embed, p + (size_t)s->position_offset,
                         e->added + (p - e->first) * d);
    if (w->type_embed.data == NULL)
        return true;
    wb_net_table_row(&w->type_embed, 0, e->added + (last - e->first + 1) * d);
    for (size_t p = e->first; p <= last; p++)
        wb_add_rows(1, d, e->added + (p - e->first) * d, d, e->added + (last - e->first + 1) * d,
                    d);
    return true;
}

/* Positions, types and the norm. */
static void finish_rows(void *ctx, size_t first, size_t n)
{
    const struct embedding *e = ctx;
    const struct wb_net_call *call = e->call;
    const struct wb_spec *s = &call->net->spec;
    const struct wb_norm_weight *norm = &weights(call)->embed_norm;
    size_t d = (size_t)s->hidden;
    float *x = call->x + first * d;

    for (size_t i = first; e->added != NULL && i < first + n; i++) {
        size_t row = s->learned_positions ? call->position[i] - e->first : 0;

        wb_add_rows(1, d, call->x + i * d, d, e->added + row * d, d);
    }
    if (norm->weight != NULL)
        wb_norm_rows(s->norm, n, d, x, d, norm->weight, norm->bias, s->eps, x, d);
}

static bool embed_tokens(struct embedding *e, struct wb_err *err)
{
    const struct wb_net_call *call = e->call;
    const struct wb_shared_weights *w = weights(call);
    size_t d = (size_t)call->net->spec.hidden;
    struct wb_linear to = { .weight = &w->embed_proj, .y = call->x, .ldy = d };
    bool ok;

    e->words = call->x;
    e->ldw = d;
    if (w->embed_proj.data == NULL) {
        wb_net_each(call->net, call->total, words, e);
        return true;
    }
    e->ldw = w->embed.in;
    e->words = calloc(call->total, e->ldw * sizeof *e->words);
    if (e->words == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu embeddings", call->total);
    wb_net_each(call->net, call->total, words, e);
    ok = wb_linear(call->net->linear, e->words, call->total, e->ldw, &to, 1, err);
    free(e->words);
    return ok;
}

/* --- images ----------------------------------------------------------------------------------- */

struct patches {
    const struct wb_net_call *call;
    float *pixel; /* [images * patches, channels * patch * patch] */
    size_t down, across;
};

/* Pixels of every patch in the order of the convolution's weights: channel, row, column. */
static void cut_images(void *ctx, size_t first, size_t n)
{
    const struct patches *p = ctx;
    const struct wb_spec *s = &p->call->net->spec;
    size_t size = (size_t)s->patch, columns = (size_t)s->image_columns;
    size_t plane = (size_t)s->image_rows * columns, channels = (size_t)s->channels;
    size_t each = p->down * p->across;

    for (size_t i = first; i < first + n; i++) {
        const float *image = p->call->rows->image + i / each * channels * plane;
        size_t top = i % each / p->across * size, left = i % p->across * size;
        float *to = p->pixel + i * channels * size * size;

        for (size_t c = 0; c < channels; c++)
            for (size_t y = 0; y < size; y++, to += size)
                memcpy(to, image + c * plane + (top + y) * columns + left, size * sizeof *to);
    }
}

/* Each image's rows: the class token, then its patches, whose products stand in y. */
static void lay_out(const struct wb_net_call *call, const float *y, size_t each)
{
    size_t d = (size_t)call->net->spec.hidden;

    for (size_t i = 0; i < call->rows->sequences; i++) {
        float *x = call->x + i * (each + 1) * d;

        wb_net_table_row(&(struct wb_weight){ .data = weights(call)->cls_token.data,
                                              .dtype = weights(call)->cls_token.dtype,
                                              .in = d },
                         0, x);
        memcpy(x + d, y + i * each * d, each * d * sizeof *x);
    }
}

static bool embed_images(const struct wb_net_call *call, struct wb_err *err)
{
    const struct wb_spec *s = &call->net->spec;
    const struct wb_weight *w = &weights(call)->patch_embed;
    struct patches p = { .call = call,
                         .down = (size_t)(s->image_rows / s->patch),
                         .across = (size_t)(s->image_columns / s->patch) };
    size_t each = p.down * p.across, rows = call->rows->sequences * each;
    float *y = calloc(rows, (size_t)s->hidden * sizeof *y);
    struct wb_linear to = { .weight = w, .y = y, .ldy = (size_t)s->hidden };
    bool ok;

    p.pixel = calloc(rows, w->in * sizeof *p.pixel);
    ok = (y != NULL && p.pixel != NULL) ||
         wb_fail(err, WB_ENOMEM, "no memory for %zu patches", rows);
    if (ok)
        wb_net_each(call->net, rows, cut_images, &p);
    ok = ok && wb_linear(call->net->linear, p.pixel, rows, w->in, &to, 1, err);
    if (ok)
        lay_out(call, y, each);
    free(p.pixel);
    free(y);
    return ok;
}

bool wb_net_embed_rows(const struct wb_net_call *call, struct wb_err *err)
{
    struct embedding e = { .call = call };
    bool ok =
        make_added(&e, err) &&
        (call->net->spec.kind == WB_NET_VISION ? embed_images(call, err) : embed_tokens(&e, err));

    if (ok)
        wb_net_each(call->net, call->total, finish_rows, &e);
    free(e.added);
    return ok;
}
