/* app/probe/heads_retrieval.c - which heads find and copy a needle in a haystack (inspect I5.1).
 *
 * The haystack is the text, the needle tokens drawn at random, which nothing but looking at it can
 * tell. A prompt is the haystack with a cue and the needle behind it somewhere inside, and the cue
 * again at its end; the model goes on greedily. All prompts go on together, a token at a time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/infer/rowwise.h"
#include "app/probe/heads_impl.h"

#define LENGTHS 2
#define DEPTHS 3
#define PROMPTS (LENGTHS * DEPTHS)
#define LENGTH_MAX 1024 /* positions of a prompt and what is said: six of them are read */
#define LENGTH_TEXTLESS 512
#define NEEDLE_MIN 4
#define NEEDLE_MAX 32
#define RECALL 0.5 /* of the needle's tokens: prompts with less say nothing about heads */

static const double depths[DEPTHS] = { 0.1, 0.5, 0.9 };

struct prompt {
    int32_t *token; /* then what was said */
    size_t length, cue, needle;
    size_t first; /* where the needle begins */
    struct wb_past *past;
    int32_t *said;
    bool counts; /* enough of the needle came back */
};

struct retrieval {
    struct wb_heads_run *r;
    struct prompt prompt[PROMPTS];
    size_t steps;     /* of the longest needle */
    size_t *looked;   /* [PROMPTS, layers * heads, steps]: where each looked most */
    size_t step, out; /* out: prompts that are done */
    float *state, *logits;
};

void wb_head_retrieval(const int32_t *prompt, size_t first, size_t end, const size_t *looked,
                       const int32_t *chosen, size_t steps, double *per_step, double *set)
{
    size_t hits = 0, different = 0, found = 0;

    for (size_t t = 0; t < steps; t++)
        hits += looked[t] >= first && looked[t] < end && prompt[looked[t]] == chosen[t];
    *per_step = (double)hits / (double)(end - first);
    for (size_t i = first; set != NULL && i < end; i++) {
        bool before = false, hit = false;

        for (size_t j = first; j < i; j++)
            before = before || prompt[j] == prompt[i];
        for (size_t t = 0; t < steps; t++)
            hit = hit || (looked[t] >= first && looked[t] < end && prompt[looked[t]] == chosen[t] &&
                          chosen[t] == prompt[i]);
        different += !before;
        found += !before && hit;
    }
    if (set != NULL)
        *set = (double)found / (double)different;
}

/* --- prompts ---------------------------------------------------------------------------------- */

static size_t between(size_t x, size_t low, size_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* n tokens of the text from its start, without what its windows begin with; drawn without text. */
static void take_hay(const struct retrieval *t, const struct wb_rows *rows, int32_t bos, size_t n,
                     int32_t *out)
{
    size_t got = 0;

    for (size_t s = 0; rows != NULL && s < rows->sequences && got < n; s++)
        for (size_t i = rows->start[s] + (bos >= 0); i < rows->start[s + 1] && got < n; i++)
            out[got++] = rows->token[i];
    if (got < n)
        wb_heads_draw(t->r, 1000, n - got, out + got);
}

/* positions: of prompt and needle together. */
static bool make_prompt(struct retrieval *t, const struct wb_rows *rows, size_t i, size_t positions,
                        int32_t bos, struct wb_err *err)
{
    struct prompt *p = &t->prompt[i];
    size_t lead = bos >= 0, hay, before;
    int32_t *at;

    p->cue = between(positions / 16, 2, 8);
    p->needle = between(positions / 6, NEEDLE_MIN, NEEDLE_MAX);
    p->length = positions - p->needle;
    hay = p->length - lead - 2 * p->cue - p->needle;
    before = (size_t)(depths[i % DEPTHS] * (double)hay);
    p->token = malloc(positions * sizeof *p->token);
    p->said = malloc(p->needle * sizeof *p->said);
    p->past = wb_past_new(t->r->net, positions, err);
    if (p->past == NULL)
        return false;
    if (p->token == NULL || p->said == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a prompt of %zu tokens", positions);
    at = p->token + lead;
    p->token[0] = bos;
    take_hay(t, rows, bos, hay, at);
    memmove(at + before + p->cue + p->needle, at + before, (hay - before) * sizeof *at);
    wb_heads_draw(t->r, 2000 + i, p->cue + p->needle, at + before);
    memcpy(p->token + p->length - p->cue, at + before, p->cue * sizeof *at);
    p->first = lead + before + p->cue;
    return true;
}

/* Positions of the longest prompt: a window of the text's. */
static size_t longest(const struct wb_heads_run *r, const struct wb_rows *rows)
{
    size_t n = rows == NULL ? LENGTH_TEXTLESS : 0, context = wb_heads_context(r);

    for (size_t s = 0; rows != NULL && s < rows->sequences; s++)
        if (rows->start[s + 1] - rows->start[s] > n)
            n = rows->start[s + 1] - rows->start[s];
    n = n < LENGTH_MAX ? n : LENGTH_MAX;
    return n < context ? n : context;
}

static bool make_prompts(struct retrieval *t, const struct wb_rows *rows, size_t positions,
                         struct wb_err *err)
{
    int32_t bos = wb_heads_bos(t->r, rows);
    size_t heads = t->r->layers * t->r->heads, width = wb_net_logits_width(t->r->net);

    for (size_t i = 0; i < PROMPTS; i++) {
        if (!make_prompt(t, rows, i, i < DEPTHS ? positions / 2 : positions, bos, err))
            return false;
        t->steps = t->steps < t->prompt[i].needle ? t->prompt[i].needle : t->steps;
    }
    t->looked = calloc(PROMPTS * heads * t->steps, sizeof *t->looked);
    t->state = malloc(PROMPTS * t->r->hidden * sizeof *t->state);
    t->logits = malloc(PROMPTS * width * sizeof *t->logits);
    return (t->looked != NULL && t->state != NULL && t->logits != NULL) ||
           wb_fail(err, WB_ENOMEM, "no memory for %d prompts", PROMPTS);
}

/* --- going on --------------------------------------------------------------------------------- */

static void see(void *ctx, int layer, const struct wb_attend_tile *tile)
{
    struct retrieval *t = ctx;
    size_t heads = t->r->layers * t->r->heads;
    size_t head = (size_t)layer * t->r->heads + (size_t)tile->head;

    t->looked[((t->out + tile->sequence) * heads + head) * t->steps + t->step] =
        wb_argmax(tile->keys, tile->weight);
}

/* All of the prompts but their last tokens. */
static bool read_prompts(struct retrieval *t, struct wb_err *err)
{
    for (size_t i = 0; i < PROMPTS; i++) {
        struct prompt *p = &t->prompt[i];
        size_t start[2] = { 0, p->length - 1 };
        struct wb_rows rows = {
            .token = p->token, .start = start, .sequences = 1, .past = &p->past
        };

        if (!wb_net_run(t->r->net, &rows, NULL, NULL, err) || !wb_heads_report(t->r, err))
            return false;
    }
    return true;
}

/* Short needles are done before long ones; their prompts, which come first, drop out. */
static bool go_on(struct retrieval *t, struct wb_err *err)
{
    size_t width = wb_net_logits_width(t->r->net), start[PROMPTS + 1] = { 0 };
    struct wb_net_taps taps = { .ctx = t, .attention = see };
    int32_t token[PROMPTS];
    struct wb_past *past[PROMPTS];
    struct wb_rows rows = { .token = token, .start = start, .past = past };

    t->out = t->step < t->prompt[0].needle ? 0 : DEPTHS;
    for (size_t i = t->out; i < PROMPTS; i++) {
        token[rows.sequences] = t->prompt[i].token[t->prompt[i].length + t->step - 1];
        past[rows.sequences++] = t->prompt[i].past;
        start[rows.sequences] = rows.sequences;
    }
    if (!wb_net_run(t->r->net, &rows, &taps, t->state, err) ||
        !wb_net_logits(t->r->net, t->state, rows.sequences, t->logits, err))
        return false;
    for (size_t i = t->out; i < PROMPTS; i++) {
        struct prompt *p = &t->prompt[i];
        size_t best = wb_argmax(width, t->logits + (i - t->out) * width);

        if (best >= (size_t)t->r->spec->vocab) /* not finite */
            best = 0;
        p->token[p->length + t->step] = p->said[t->step] = (int32_t)best;
    }
    return true;
}

/* --- results ---------------------------------------------------------------------------------- */

/* Share of the needle's tokens that were said, as often as they stand in it (ROUGE-1 recall). */
static double recall(const struct prompt *p)
{
    bool used[NEEDLE_MAX] = { false };
    size_t found = 0;

    for (size_t i = 0; i < p->needle; i++)
        for (size_t j = 0; j < p->needle; j++)
            if (!used[j] && p->said[j] == p->token[p->first + i]) {
                used[j] = true;
                found++;
                break;
            }
    return (double)found / (double)p->needle;
}

static void results(struct retrieval *t)
{
    size_t heads = t->r->layers * t->r->heads, counted = 0;

    for (size_t i = 0; i < PROMPTS; i++) {
        t->prompt[i].counts = recall(&t->prompt[i]) > RECALL;
        counted += t->prompt[i].counts;
    }
    for (size_t h = 0; counted > 0 && h < heads; h++) {
        double sum = 0, score;

        for (size_t i = 0; i < PROMPTS; i++) {
            const struct prompt *p = &t->prompt[i];

            if (!p->counts)
                continue;
            wb_head_retrieval(p->token, p->first, p->first + p->needle,
                              t->looked + (i * heads + h) * t->steps, p->said, p->needle, &score,
                              NULL);
            sum += score;
        }
        t->r->out->stat[WB_HEAD_retrieval][h] = sum / (double)counted;
    }
}

bool wb_heads_retrieval(struct wb_heads_run *r, const struct wb_rows *rows, struct wb_err *err)
{
    struct retrieval t = { .r = r };
    size_t positions = r->spec->kind == WB_NET_DECODER ? longest(r, rows) : 0;
    bool ok;

    if (positions < 48 || wb_net_logits_width(r->net) == 0)
        return true;
    ok = make_prompts(&t, rows, positions, err) && read_prompts(&t, err);
    for (t.step = 0; ok && t.step < t.steps; t.step++)
        ok = go_on(&t, err) && wb_heads_report(r, err);
    if (ok) {
        results(&t);
        r->out->nonfinite = r->out->nonfinite || wb_net_nonfinite(r->net);
        ok = wb_heads_report(r, err);
    }
    for (size_t i = 0; i < PROMPTS; i++) {
        free(t.prompt[i].token);
        free(t.prompt[i].said);
        wb_past_free(t.prompt[i].past);
    }
    free(t.looked);
    free(t.state);
    free(t.logits);
    return ok;
}
