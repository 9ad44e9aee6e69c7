/* app/infer/score_decode.c - greedy decoding of several items at once, each with a past. */
#include "app/infer/score_decode.h"

#include <stdlib.h>
#include <string.h>

#include "app/infer/score.h"

#define GROUP 64 /* items with a past at the same time */

/* Saying */

bool wb_decode_start(struct wb_decode *d, const char *answer, const int32_t *prompt, size_t tokens,
                     size_t tokens_max, bool whole, struct wb_err *err)
{
    *d = (struct wb_decode){
        .answer = answer, .written = tokens, .tokens_max = tokens_max, .whole = whole
    };
    for (size_t i = 0; i < tokens; i++)
        if (!wb_tokens_add(&d->ids, prompt[i], err))
            return false;
    return true;
}

void wb_decode_free(struct wb_decode *d)
{
    wb_tokens_free(&d->ids);
    wb_str_free(&d->text);
}

static const char *said(const struct wb_decode *d)
{
    return d->text.text != NULL ? d->text.text : "";
}

static void end(struct wb_decode *d)
{
    d->done = true;
    d->exact = strcmp(said(d), d->answer) == 0;
}

static bool may_be_right(const struct wb_decode *d)
{
    return strncmp(said(d), d->answer, strlen(said(d))) == 0;
}

bool wb_decode_push(struct wb_decode *d, const struct wb_tokenizer *t, int32_t id,
                    struct wb_err *err)
{
    char *more, *newline;

    if (wb_tokenizer_is_end(t, id)) {
        end(d);
        return true;
    }
    /* Rows of the vocabulary that are no token: nothing a tokenizer could say. */
    if (id < 0 || (size_t)id >= wb_tokenizer_size(t) || d->ids.count >= d->tokens_max) {
        d->done = true;
        return true;
    }
    if (!wb_tokens_add(&d->ids, id, err))
        return false;
    more = wb_tokenizer_decode_more(t, d->ids.id, d->ids.count, &d->written, true, err);
    if (more == NULL)
        return false;
    newline = strchr(more, '\n');
    if (newline != NULL)
        *newline = '\0';
    wb_str_add(&d->text, more);
    free(more);
    if (d->text.failed)
        return wb_fail(err, WB_ENOMEM, "no memory for an answer");
    if (newline != NULL)
        end(d);
    else if (!d->whole && !may_be_right(d))
        d->done = true;
    return true;
}

/* Running */

struct group {
    struct wb_net *net;
    struct wb_decode *item[GROUP];
    struct wb_past *past[GROUP];
    size_t known[GROUP]; /* tokens of ids that are in the past */
    size_t count, hidden, width;
    float *state, *logits;
    int32_t *token;
    size_t rows_max;
};

static bool room(struct group *g, size_t rows, struct wb_err *err)
{
    if (g->token != NULL && rows <= g->rows_max)
        return true;
    free(g->state);
    free(g->token);
    g->state = malloc(rows * g->hidden * sizeof *g->state);
    g->token = malloc(rows * sizeof *g->token);
    g->rows_max = rows;
    return (g->state != NULL && g->token != NULL) ||
           wb_fail(err, WB_ENOMEM, "no memory for %zu tokens", rows);
}

/* Everything that is not in the pasts yet, in one call; then the next token of each. */
static bool step(struct group *g, const struct wb_tokenizer *t, struct wb_err *err)
{
    size_t start[GROUP + 1] = { 0 };
    struct wb_rows rows = { .start = start, .sequences = g->count, .past = g->past };

    for (size_t i = 0; i < g->count; i++)
        start[i + 1] = start[i] + g->item[i]->ids.count - g->known[i];
    if (!room(g, start[g->count], err))
        return false;
    for (size_t i = 0; i < g->count; i++)
        memcpy(g->token + start[i], g->item[i]->ids.id + g->known[i],
               (start[i + 1] - start[i]) * sizeof *g->token);
    rows.token = g->token;
    if (!wb_net_run(g->net, &rows, NULL, g->state, err))
        return false;
    for (size_t i = 0; i < g->count; i++) {
        memmove(g->state + i * g->hidden, g->state + (start[i + 1] - 1) * g->hidden,
                g->hidden * sizeof *g->state);
        g->known[i] = g->item[i]->ids.count;
    }
    if (!wb_net_logits(g->net, g->state, g->count, g->logits, err))
        return false;
    for (size_t i = 0; i < g->count; i++)
        if (!wb_decode_push(g->item[i], t, wb_first_choice(g->width, g->logits + i * g->width),
                            err))
            return false;
    return true;
}

/* Those that are done leave. */
static void drop_done(struct group *g)
{
    size_t kept = 0;

    for (size_t i = 0; i < g->count; i++) {
        if (g->item[i]->done) {
            wb_past_free(g->past[i]);
            continue;
        }
        g->item[kept] = g->item[i];
        g->past[kept] = g->past[i];
        g->known[kept++] = g->known[i];
    }
    g->count = kept;
}

static bool run_group(struct group *g, const struct wb_tokenizer *t, struct wb_err *err)
{
    bool ok = true;

    while (ok && g->count > 0) {
        ok = step(g, t, err);
        drop_done(g);
    }
    while (g->count > 0)
        wb_past_free(g->past[--g->count]);
    return ok;
}

bool wb_decode_run(struct wb_net *net, const struct wb_tokenizer *t, struct wb_decode *d,
                   size_t count, struct wb_err *err)
{
    struct group g = { .net = net,
                       .hidden = (size_t)wb_net_spec(net)->hidden,
                       .width = wb_net_logits_width(net) };
    bool ok = true;

    g.logits = malloc((GROUP * g.width + 1) * sizeof *g.logits);
    if (g.logits == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for logits");
    for (size_t i = 0; ok && i < count; i++) {
        if (!d[i].done) {
            g.item[g.count] = &d[i];
            g.known[g.count] = 0;
            g.past[g.count] = wb_past_new(net, d[i].tokens_max, err);
            ok = g.past[g.count] != NULL;
            g.count += ok;
        }
        if (ok && (g.count == GROUP || i + 1 == count))
            ok = run_group(&g, t, err);
    }
    while (g.count > 0)
        wb_past_free(g.past[--g.count]);
    free(g.state);
    free(g.token);
    free(g.logits);
    return ok;
}
