/* app/infer/generate.c - a prompt, then token by token with the past kept. */
#include "app/infer/generate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "app/core/str.h"
#include "app/infer/rowwise.h"

/* What a draw may take: a token and its share. */
struct candidate {
    int32_t id;
    float logit;
    double share;
};

struct work {
    struct wb_net *net;
    const struct wb_tokenizer *t;
    const struct wb_generate_how *how;
    struct wb_past *past;
    struct wb_tokens ids; /* prompt and new ones */
    size_t written;       /* of ids: whose text was given out */
    size_t hidden, width;
    size_t usable; /* ids that a tokenizer can say: rows beyond are padding */
    float *state, *logits, *share;
    struct candidate *candidate;
    struct wb_str text;
    bool stopped;
};

/* Draws */

/* Uniform in [0, 1), a function of seed and position: two rounds of splitmix64's finalizer. */
static double draw(uint64_t seed, uint64_t position)
{
    uint64_t x = seed;

    for (int round = 0; round < 2; round++) {
        x += 0x9E3779B97F4A7C15u + (round == 0 ? 0 : position);
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
        x = (x ^ x >> 27) * 0x94D049BB133111EBu;
        x ^= x >> 31;
    }
    return (double)(x >> 11) * 0x1p-53;
}

static int by_logit(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->logit != y->logit)
        return x->logit < y->logit ? 1 : -1;
    return (x->id > y->id) - (x->id < y->id);
}

/* The logit that at least k reach, by halving between bits: exact enough to leave few more. */
static float reached_by(const float *x, size_t n, size_t k)
{
    float low = x[0], high = x[0];

    for (size_t i = 1; i < n; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    for (int round = 0; round < 24 && low < high; round++) {
        float middle = low + (high - low) / 2;
        size_t above = 0;

        for (size_t i = 0; i < n; i++)
            above += x[i] >= middle;
        if (middle == low || middle == high)
            break;
        *(above >= k ? &low : &high) = middle;
    }
    return low;
}

/* Tokens that temperature, top_k and top_p leave, the likeliest first, their shares adding up to
 * *sum. A token under (1 - top_p) / n of the whole can never be among the top_p. */
static size_t choose_candidates(struct work *w, double *sum)
{
    const struct wb_generate_how *how = w->how;
    size_t n = 0, k = how->top_k > 0 ? (size_t)how->top_k : w->usable, kept;
    float least = -INFINITY;
    double all = 0, top = (double)w->logits[wb_argmax(w->usable, w->logits)];

    if (k < w->usable)
        least = reached_by(w->logits, w->usable, k);
    for (size_t i = 0; i < w->usable; i++) {
        double share = exp(((double)w->logits[i] - top) / how->temperature);

        if (k == w->usable)
            all += share;
        if (w->logits[i] >= least)
            w->candidate[n++] = (struct candidate){ (int32_t)i, w->logits[i], share };
    }
    for (kept = 0; k == w->usable && how->top_p < 1 && kept < n;)
        if (w->candidate[kept].share < all * (1 - how->top_p) / (double)w->usable)
            w->candidate[kept] = w->candidate[--n];
        else
            kept++;
    qsort(w->candidate, n, sizeof *w->candidate, by_logit);
    n = n > k ? k : n;
    for (size_t i = 0; k < w->usable && i < n; i++)
        all += w->candidate[i].share;
    *sum = 0;
    for (kept = 0; kept < n && (kept == 0 || *sum < how->top_p * all); kept++)
        *sum += w->candidate[kept].share;
    return kept;
}

static int32_t pick(struct work *w)
{
    double sum, at;
    size_t n;

    if (w->how->temperature <= 0)
        return (int32_t)wb_argmax(w->usable, w->logits);
    n = choose_candidates(w, &sum);
    at = draw(w->how->seed, w->ids.count) * sum;
    for (size_t i = 0; i + 1 < n; i++) {
        at -= w->candidate[i].share;
        if (at < 0)
            return w->candidate[i].id;
    }
    return w->candidate[n - 1].id;
}

/* What the model thought */

static void fill_top(const struct work *w, double log_sum, struct wb_generated *g)
{
    size_t n = 0;

    for (size_t i = 0; i < w->width; i++) {
        size_t at = n < WB_GENERATE_TOP ? n++ : WB_GENERATE_TOP - 1;

        if (at == WB_GENERATE_TOP - 1 && g->top[at] != WB_TOKEN_NONE &&
            !(w->logits[i] > w->logits[g->top[at]]))
            continue;
        for (; at > 0 && w->logits[i] > w->logits[g->top[at - 1]]; at--)
            g->top[at] = g->top[at - 1];
        g->top[at] = (int32_t)i;
    }
    for (size_t i = 0; i < n; i++)
        g->top_logprob[i] = (double)w->logits[g->top[i]] - log_sum;
}

static bool describe(struct work *w, struct wb_generated *g, struct wb_err *err)
{
    double log_sum = wb_log_sum_exp(w->width, w->logits), mean = 0, sum = 0;

    if (!isfinite(log_sum))
        return wb_fail(err, WB_ENUMERIC, "the model gives logits that are not finite");
    memcpy(w->share, w->logits, w->width * sizeof *w->share);
    wb_softmax(w->width, w->share);
    for (size_t i = 0; i < w->width; i++) {
        sum += (double)w->share[i];
        mean += w->share[i] > 0 ? (double)w->share[i] * (double)w->logits[i] : 0;
    }
    for (int i = 0; i < WB_GENERATE_TOP; i++)
        g->top[i] = WB_TOKEN_NONE;
    g->entropy = fmax(0, log_sum - mean / sum);
    fill_top(w, log_sum, g);
    g->id = pick(w);
    g->logprob = (double)w->logits[g->id] - log_sum;
    return true;
}

/* The text that a token adds, to the caller and to the whole. */
static bool say(struct work *w, const struct wb_generated *g, struct wb_err *err)
{
    char *more = wb_tokenizer_decode_more(w->t, w->ids.id, w->ids.count, &w->written, true, err);
    char *newline;

    if (more == NULL)
        return false;
    newline = w->how->stop_at_newline ? strchr(more, '\n') : NULL;
    if (newline != NULL) {
        *newline = '\0';
        w->stopped = true;
    }
    wb_str_add(&w->text, more);
    if (w->how->token != NULL && !w->how->token(w->how->ctx, g, more))
        w->stopped = true;
    free(more);
    return !w->text.failed || wb_fail(err, WB_ENOMEM, "no memory for the text");
}

/* Running */

/* Tokens first .. count - 1 behind the past; the last one's logits. */
static bool run(struct work *w, size_t first, struct wb_err *err)
{
    size_t start[2] = { 0, w->ids.count - first };
    struct wb_rows rows = {
        .token = w->ids.id + first, .start = start, .sequences = 1, .past = &w->past
    };

    for (; start[1] > WB_NET_BATCH_ROWS; first += WB_NET_BATCH_ROWS) {
        size_t rest = start[1] - WB_NET_BATCH_ROWS;

        start[1] = WB_NET_BATCH_ROWS;
        if (!wb_net_run(w->net, &rows, NULL, NULL, err))
            return false;
        rows.token += WB_NET_BATCH_ROWS;
        start[1] = rest;
    }
    return wb_net_run(w->net, &rows, NULL, w->state, err) &&
           wb_net_logits(w->net, w->state + (start[1] - 1) * w->hidden, 1, w->logits, err);
}

static bool prepare(struct work *w, const char *prompt, struct wb_err *err)
{
    int32_t bos = wb_tokenizer_bos(w->t);
    const struct wb_spec *spec = wb_net_spec(w->net);
    size_t positions, rows;

    if (w->width == 0 || spec->kind != WB_NET_DECODER || wb_tokenizer_size(w->t) == 0)
        return wb_fail(err, WB_EARG, "not a model that continues a text");
    if ((bos != WB_TOKEN_NONE && !wb_tokens_add(&w->ids, bos, err)) ||
        !wb_tokenizer_encode(w->t, prompt, strlen(prompt), false, &w->ids, err))
        return false;
    if (w->ids.count == 0)
        return wb_fail(err, WB_EARG, "an empty prompt, and the model has no beginning of text");
    positions = w->ids.count + w->how->tokens;
    if (spec->learned_positions && spec->context > 0 && positions > (size_t)spec->context)
        positions = (size_t)spec->context;
    if (w->ids.count > positions)
        return wb_fail(err, WB_EARG, "a prompt of %zu tokens is beyond the model's %zu positions",
                       w->ids.count, positions);
    rows = w->ids.count < WB_NET_BATCH_ROWS ? w->ids.count : WB_NET_BATCH_ROWS;
    w->written = w->ids.count;
    w->usable = wb_tokenizer_size(w->t) < w->width ? wb_tokenizer_size(w->t) : w->width;
    w->state = malloc(rows * w->hidden * sizeof *w->state);
    w->logits = malloc(w->width * sizeof *w->logits);
    w->share = malloc(w->width * sizeof *w->share);
    w->candidate = malloc(w->width * sizeof *w->candidate);
    if (w->state == NULL || w->logits == NULL || w->share == NULL || w->candidate == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a prompt of %zu tokens", w->ids.count);
    w->past = wb_past_new(w->net, positions, err);
    return w->past != NULL;
}

static bool more_to_come(const struct work *w, const struct wb_generation *out)
{
    const struct wb_spec *spec = wb_net_spec(w->net);

    return !w->stopped && !out->ended && out->tokens < w->how->tokens &&
           !(spec->learned_positions && spec->context > 0 && w->ids.count >= (size_t)spec->context);
}

/* Choose a token by the logits at hand. */
static bool choose(struct work *w, struct wb_generation *out, struct wb_err *err)
{
    struct wb_generated *g = &out->token[out->tokens];

    if (!describe(w, g, err))
        return false;
    if (wb_tokenizer_is_end(w->t, g->id)) {
        out->ended = true;
        return true;
    }
    if (!wb_tokens_add(&w->ids, g->id, err))
        return false;
    out->tokens++;
    return say(w, g, err);
}

static bool go_on(struct work *w, struct wb_generation *out, struct wb_err *err)
{
    double start = wb_now_seconds();
    bool ok = run(w, 0, err);

    out->prompt_tokens = w->ids.count;
    out->prompt_seconds = wb_now_seconds() - start;
    start = wb_now_seconds();
    while (ok && more_to_come(w, out)) {
        ok = choose(w, out, err);
        if (ok && more_to_come(w, out))
            ok = run(w, w->ids.count - 1, err);
    }
    out->token_seconds = wb_now_seconds() - start;
    return ok;
}

/* A character that was never completed. */
static bool flush(struct work *w, struct wb_err *err)
{
    char *rest;
    size_t bytes;

    if (w->written >= w->ids.count || w->stopped)
        return true;
    rest = wb_tokenizer_decode(w->t, w->ids.id + w->written, w->ids.count - w->written, true,
                               &bytes, err);
    if (rest == NULL)
        return false;
    wb_str_add(&w->text, rest);
    free(rest);
    return !w->text.failed || wb_fail(err, WB_ENOMEM, "no memory for the text");
}

bool wb_generate(struct wb_net *net, const struct wb_tokenizer *t, const char *prompt,
                 const struct wb_generate_how *how, struct wb_generation *out, struct wb_err *err)
{
    struct work w = { .net = net,
                      .t = t,
                      .how = how,
                      .hidden = (size_t)wb_net_spec(net)->hidden,
                      .width = wb_net_logits_width(net) };
    bool ok;

    *out = (struct wb_generation){ .token = calloc(how->tokens + 1, sizeof *out->token) };
    ok = out->token != NULL || wb_fail(err, WB_ENOMEM, "no memory for %zu tokens", how->tokens);
    ok = ok && prepare(&w, prompt, err) && go_on(&w, out, err) && flush(&w, err);
    wb_str_add(&w.text, "");
    if (ok && w.text.text == NULL)
        ok = wb_fail(err, WB_ENOMEM, "no memory for the text");
    out->text = w.text.text;
    wb_past_free(w.past);
    wb_tokens_free(&w.ids);
    free(w.state);
    free(w.logits);
    free(w.share);
    free(w.candidate);
    if (!ok)
        wb_generation_free(out);
    return ok;
}

void wb_generation_free(struct wb_generation *g)
{
    free(g->text);
    free(g->token);
    *g = (struct wb_generation){ 0 };
}
