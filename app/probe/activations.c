/* app/probe/activations.c - taps that keep what passes by. */
#include "app/probe/activations.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/pool.h"
#include "app/probe/gram.h"

#define GRAM_ROWS 512 /* rows that are widened at once */
#define INPUTS_MAX 8  /* of a layer */

/* A pass goes layer by layer over all rows: what lies behind the last layer wanted need not run. A
 * tap that has enough stops it with an error that is none. */
static bool enough(bool *done, struct wb_err *err)
{
    *done = true;
    return wb_fail(err, WB_ECANCELLED, "enough");
}

/* States. */

struct keeping {
    bool done;
    int first, states;
    size_t n, rows, hidden;
    float *out;
};

/* The first spread position at or behind a row. */
static size_t first_pick(const struct keeping *k, size_t row)
{
    size_t i = row * k->n / k->rows;

    while (i < k->n && wb_spread_row(i, k->n, k->rows) < row)
        i++;
    return i;
}

static bool keep_state(void *ctx, int state, size_t first_row, size_t rows, const float *x,
                       struct wb_err *err)
{
    struct keeping *k = ctx;
    float *to;

    if (state >= k->first + k->states)
        return enough(&k->done, err);
    if (state < k->first)
        return true;
    to = k->out + (size_t)(state - k->first) * k->n * k->hidden;
    for (size_t i = first_pick(k, first_row), row; i < k->n; i++) {
        row = wb_spread_row(i, k->n, k->rows);
        if (row >= first_row + rows)
            break;
        memcpy(to + i * k->hidden, x + (row - first_row) * k->hidden, k->hidden * sizeof *to);
    }
    return true;
}

bool wb_activations_states(struct wb_net *net, const struct wb_rows *rows, int first, int states,
                           size_t n, float *out, struct wb_err *err)
{
    struct keeping k = { .first = first,
                         .states = states,
                         .n = n,
                         .rows = wb_rows_start(net, rows, rows->sequences),
                         .hidden = (size_t)wb_net_spec(net)->hidden };
    struct wb_net_taps taps = { .ctx = &k, .state = keep_state };

    k.out = out;
    if (n < 1 || n > k.rows)
        return wb_fail(err, WB_EARG, "%zu of %zu positions", n, k.rows);
    return wb_net_run(net, rows, &taps, NULL, err) || k.done;
}

/* Gram matrices. */

struct summing {
    bool done;
    int first;
    struct wb_pool *pool;                  /* the net's: taps are called between its phases */
    struct wb_input_gram gram[INPUTS_MAX]; /* of the layer at work */
    size_t inputs;
    bool (*take)(void *ctx, const struct wb_input_gram *gram);
    void *ctx;
    double *wide; /* [GRAM_ROWS, wide_width] */
    size_t wide_width;
    size_t n; /* rows in it */
    struct wb_input_gram *at;
};

static void add_rows(struct summing *s, size_t rows, const float *x)
{
    size_t width = s->at->width;

    for (size_t done = 0; done < rows; done += s->n) {
        s->n = rows - done < GRAM_ROWS ? rows - done : GRAM_ROWS;
        for (size_t i = 0; i < s->n * width; i++)
            s->wide[i] = (double)x[done * width + i];
        wb_gram_add(s->pool, s->wide, s->n, width, s->at->value);
    }
    s->at->rows += rows;
}

/* Mirror the upper triangle; an entry that is not finite comes from an input that is not. */
static void finish(struct wb_input_gram *g)
{
    g->finite = true;
    for (size_t i = 0; i < g->width; i++)
        for (size_t j = i; j < g->width; j++) {
            g->finite = g->finite && isfinite(g->value[i * g->width + j]);
            g->value[j * g->width + i] = g->value[i * g->width + j];
        }
}

/* Hand over what was summed of a layer; false: enough. */
static bool hand_over(struct summing *s, bool wanted)
{
    for (size_t i = 0; i < s->inputs; i++) {
        if (wanted) {
            finish(&s->gram[i]);
            wanted = s->take(s->ctx, &s->gram[i]);
        }
        free(s->gram[i].value);
    }
    s->inputs = 0;
    return wanted;
}

/* The sum of an input, begun when it is first seen; NULL with err. */
static struct wb_input_gram *sum_of(struct summing *s, int layer, const char *input, size_t width,
                                    struct wb_err *err)
{
    struct wb_input_gram *g = s->gram;
    size_t square;

    for (; g < s->gram + s->inputs; g++)
        if (strcmp(g->input, input) == 0)
            return g;
    if (s->inputs == INPUTS_MAX) {
        wb_fail(err, WB_EARG, "more than %d inputs in a layer", INPUTS_MAX);
        return NULL;
    }
    *g = (struct wb_input_gram){ .layer = layer, .input = input, .width = width };
    if (width > s->wide_width) {
        free(s->wide);
        s->wide = malloc(width * GRAM_ROWS * sizeof *s->wide);
        s->wide_width = s->wide == NULL ? 0 : width;
    }
    if (s->wide_width >= width && !__builtin_mul_overflow(width, width, &square))
        g->value = calloc(square, sizeof *g->value);
    if (g->value == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for a Gram matrix of %zu columns", width);
        return NULL;
    }
    s->inputs++;
    return g;
}

static bool sum_input(void *ctx, int layer, const char *role, size_t first_row, size_t rows,
                      size_t width, const float *x, struct wb_err *err)
{
    struct summing *s = ctx;

    (void)first_row;
    if (layer < s->first)
        return true;
    if (s->inputs > 0 && s->gram[0].layer != layer && !hand_over(s, true))
        return enough(&s->done, err);
    s->at = sum_of(s, layer, role, width, err);
    if (s->at == NULL)
        return false;
    add_rows(s, rows, x);
    return true;
}

const char *wb_input_of_role(const struct wb_spec *spec, const char *role)
{
    static const char *const seen[][2] = {
        { "q", "q" },   { "k", "q" },       { "v", "q" },          { "qkv", "q" },     { "o", "o" },
        { "up", "up" }, { "gate", "gate" }, { "gate_up", "gate" }, { "down", "down" },
    };

    for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++)
        if (strcmp(role, seen[i][0]) == 0)
            return strcmp(role, "up") == 0 && spec->gated ? "gate" : seen[i][1];
    return NULL;
}

bool wb_activations_grams(struct wb_net *net, const struct wb_rows *rows, int first,
                          bool (*take)(void *ctx, const struct wb_input_gram *gram), void *ctx,
                          struct wb_err *err)
{
    struct summing s = { .first = first, .pool = wb_net_pool(net), .take = take, .ctx = ctx };
    struct wb_net_taps taps = { .ctx = &s, .input = sum_input };
    bool ok = wb_net_run(net, rows, &taps, NULL, err) || s.done;

    hand_over(&s, ok && !s.done);
    free(s.wide);
    return ok;
}
