/* app/probe/behaviour_run.c - the rounds: the beginning of every set, then all of it, the result
 * before the others; then how far it moved from them, and a sample of its text. */
#include <stdlib.h>
#include <string.h>

#include "app/infer/generate.h"
#include "app/probe/behaviour_impl.h"

#define SAMPLE_TOKENS 40
#define PROMPT_TOKENS 16

/* --- how much there is to do ------------------------------------------------------------------- */

static void plan(struct wb_behaviour_run *r)
{
    size_t result = r->b->models - 1;

    r->total = 1;
    for (size_t m = 0; m <= result; m++)
        for (size_t s = 0; s < r->b->sets; s++) {
            const struct wb_behaviour_input *in = wb_behaviour_input(r, m, s);

            if (in == NULL)
                continue;
            if (!wb_behaviour_known_already(r, m, s))
                r->total += wb_behaviour_some_rows(in) + (double)in->rows;
            if (m < result && in->kind == WB_BEHAVIOUR_TEXT)
                r->total += WB_BEHAVIOUR_COMPARE_COST * (double)in->rows;
        }
}

/* --- rounds ------------------------------------------------------------------------------------ */

static bool round_of(struct wb_behaviour_run *r, size_t first, size_t last, bool all)
{
    for (size_t m = first; m < last; m++)
        for (size_t s = 0; s < r->b->sets; s++)
            if (!(all ? wb_behaviour_score_all(r, m, s) : wb_behaviour_score_some(r, m, s)))
                return false;
    return true;
}

static bool rounds(struct wb_behaviour_run *r)
{
    size_t result = r->b->models - 1;

    if (!round_of(r, result, result + 1, false) || !round_of(r, 0, result, false) ||
        !round_of(r, result, result + 1, true) || !round_of(r, 0, result, true))
        return false;
    for (size_t s = 0; s < r->b->sets; s++)
        if (!wb_behaviour_compare(r, s))
            return false;
    return true;
}

/* --- the sample -------------------------------------------------------------------------------- */

/* The start of the first text, or the first task. Owned; NULL with err, or "" when there is none. */
static char *default_prompt(const struct wb_behaviour_run *r, struct wb_err *err)
{
    size_t result = r->b->models - 1, bytes;
    const struct wb_tokenizer *t = wb_behaviour_tokenizer(r, result);
    char *prompt;

    for (size_t s = 0; s < r->b->sets; s++) {
        const struct wb_behaviour_input *in = wb_behaviour_input(r, result, s);

        if (in != NULL && in->kind == WB_BEHAVIOUR_TEXT) {
            size_t n = in->windows.start[1];

            return wb_tokenizer_decode(t, in->windows.token, n < PROMPT_TOKENS ? n : PROMPT_TOKENS,
                                       true, &bytes, err);
        }
        if (in != NULL && in->kind == WB_BEHAVIOUR_TASKS) {
            prompt = strdup(in->tasks.item[0].prompt);
            if (prompt == NULL)
                wb_fail(err, WB_ENOMEM, "no memory for a prompt");
            return prompt;
        }
    }
    prompt = strdup("");
    if (prompt == NULL)
        wb_fail(err, WB_ENOMEM, "no memory for a prompt");
    return prompt;
}

static bool say(void *ctx, const struct wb_generated *token, const char *text)
{
    struct wb_behaviour_run *r = ctx;

    (void)token;
    if (text[0] != '\0')
        wb_behaviour_show_sample(r, text);
    return !wb_behaviour_cancelled(r);
}

static bool generate(struct wb_behaviour_run *r, const char *prompt, size_t tokens,
                     struct wb_hash key)
{
    size_t result = r->b->models - 1;
    struct wb_generate_how how = { .tokens = tokens, .top_p = 1, .token = say, .ctx = r };
    struct wb_net *net = wb_behaviour_net(r, result);
    struct wb_generation g;

    if (net == NULL ||
        !wb_generate(net, wb_behaviour_tokenizer(r, result), prompt, &how, &g, r->err))
        return false;
    if (wb_behaviour_cancelled(r)) {
        wb_generation_free(&g);
        return wb_fail(r->err, WB_ECANCELLED, "cancelled");
    }
    wb_memory_give(r->memory, wb_memory_put(r->memory, key, g.text, free, strlen(g.text), false),
                   false);
    g.text = NULL;
    wb_generation_free(&g);
    return true;
}

static bool sample(struct wb_behaviour_run *r)
{
    size_t result = r->b->models - 1,
           tokens = r->how->sample_tokens > 0 ? r->how->sample_tokens : SAMPLE_TOKENS;
    struct wb_behaviour_model *model = &r->model[result];
    struct wb_kept *kept;
    struct wb_hash key;
    char *prompt;
    bool ok = true;

    if (model->failed || model->tokenizer == NULL || model->spec.kind != WB_NET_DECODER)
        return true;
    prompt = r->how->prompt != NULL ? strdup(r->how->prompt) : default_prompt(r, r->err);
    if (prompt == NULL)
        return wb_behaviour_problem(r, result, SIZE_MAX);
    key = wb_memory_key("sample", model->hash, wb_hash_bytes(prompt, strlen(prompt)));
    key = wb_memory_key("tokens", key, wb_hash_bytes(&tokens, sizeof tokens));
    kept = wb_memory_take(r->memory, key);
    if (kept != NULL)
        wb_behaviour_show_sample(r, kept->value);
    else
        ok = generate(r, prompt, tokens, key);
    wb_memory_give(r->memory, kept, false);
    free(prompt);
    return ok || wb_behaviour_problem(r, result, SIZE_MAX);
}

/* --- all of it --------------------------------------------------------------------------------- */

static void finish(struct wb_behaviour_run *r)
{
    pthread_mutex_lock(&r->b->lock);
    r->b->done = 1;
    r->b->finished = true;
    r->b->version++;
    pthread_mutex_unlock(&r->b->lock);
    if (r->how->report != NULL)
        r->how->report(r->how->ctx);
}

bool wb_behaviour_run(struct wb_behaviour *b, const struct wb_behaviour_how *how,
                      struct wb_err *err)
{
    struct wb_err own = { .code = WB_OK };
    struct wb_behaviour_memory *private = how->memory == NULL ? wb_behaviour_memory_new() : NULL;
    struct wb_behaviour_run r = {
        .b = b,
        .how = how,
        .memory = how->memory != NULL ? how->memory : private,
        .budget_bytes = how->budget_bytes > 0 ? how->budget_bytes : WB_BUDGET_DEFAULT_BYTES,
        .err = err != NULL ? err : &own,
    };
    bool ok = false;

    r.model = calloc(b->models, sizeof *r.model);
    if (r.model == NULL || r.memory == NULL) {
        wb_fail(r.err, WB_ENOMEM, "no memory for a behaviour");
    } else {
        wb_memory_set_max(r.memory, r.budget_bytes);
        ok = wb_behaviour_prepare(&r);
        if (ok)
            plan(&r);
        ok = ok && rounds(&r) && sample(&r);
        wb_behaviour_release(&r);
    }
    if (ok)
        finish(&r);
    free(r.model);
    wb_behaviour_memory_free(private);
    return ok;
}
