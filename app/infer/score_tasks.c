/* app/infer/score_tasks.c - tasks with one right answer: its likelihood, and whether greedy decoding
 * gives it.
 *
 * One pass over prompt and right answer tells the first choice at every token of the answer. As
 * long as they are the answer's own, that is what greedy decoding would have said; at the first
 * that is not, it has usually gone wrong for good. Only where what it said could still become the
 * answer (spelt in other tokens), or somebody wants to read it, it is decoded on, with a past. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "app/core/json.h"
#include "app/infer/score.h"
#include "app/infer/score_decode.h"

#define TASKS_MAX_BYTES ((size_t)64 << 20)

/* Reading */

static bool parse_item(const char *line, size_t n, struct wb_task_item *item, struct wb_err *err)
{
    cJSON *json = wb_json_parse(line, n, err);
    const char *prompt, *answer;
    bool ok;

    if (json == NULL)
        return false;
    prompt = wb_json_text(json, "prompt", NULL);
    answer = wb_json_text(json, "answer", NULL);
    if (prompt == NULL || answer == NULL)
        ok = wb_fail(err, WB_EFORMAT, "needs {\"prompt\": \"…\", \"answer\": \"…\"}");
    else if (strchr(answer, '\n') != NULL)
        ok = wb_fail(err, WB_EFORMAT, "the answer goes beyond a line; decoding ends at the first");
    else {
        *item = (struct wb_task_item){ strdup(prompt), strdup(answer) };
        ok = (item->prompt != NULL && item->answer != NULL) || wb_fail(err, WB_ENOMEM, "no memory");
    }
    cJSON_Delete(json);
    return ok;
}

static bool add_item(struct wb_task_set *set, size_t *room, struct wb_err *err)
{
    struct wb_task_item *more;

    if (set->items == *room) {
        *room = *room > 0 ? 2 * *room : 64;
        more = realloc(set->item, *room * sizeof *more);
        if (more == NULL)
            return wb_fail(err, WB_ENOMEM, "no memory for %zu items", *room);
        set->item = more;
    }
    set->item[set->items++] = (struct wb_task_item){ 0 };
    return true;
}

static bool parse_lines(char *text, size_t limit, struct wb_task_set *out, struct wb_err *err)
{
    size_t line = 0, room = 0;

    for (char *at = text, *next; at != NULL && (limit == 0 || out->items < limit); at = next) {
        next = strchr(at, '\n');
        if (next != NULL)
            *next++ = '\0';
        line++;
        if (at[strspn(at, " \t\r")] == '\0')
            continue;
        if (!add_item(out, &room, err))
            return false;
        if (!parse_item(at, strlen(at), &out->item[out->items - 1], err))
            return wb_wrap(err, "line %zu", line);
    }
    return out->items > 0 || wb_fail(err, WB_EFORMAT, "no tasks in it");
}

bool wb_task_set_read(const char *path, size_t limit, struct wb_task_set *out, struct wb_err *err)
{
    size_t bytes;
    char *text = wb_read_file(path, TASKS_MAX_BYTES, &bytes, err);
    bool ok;

    *out = (struct wb_task_set){ 0 };
    if (text == NULL)
        return false;
    ok = memchr(text, '\0', bytes) == NULL || wb_fail(err, WB_EFORMAT, "a zero byte");
    ok = ok && parse_lines(text, limit, out, err);
    free(text);
    if (ok)
        return true;
    wb_task_set_free(out);
    return wb_wrap(err, "%s", path);
}

void wb_task_set_free(struct wb_task_set *set)
{
    for (size_t i = 0; i < set->items; i++) {
        free(set->item[i].prompt);
        free(set->item[i].answer);
    }
    free(set->item);
    *set = (struct wb_task_set){ 0 };
}

/* Items as sequences */

static bool begins(const struct wb_tokens *whole, const struct wb_tokens *part)
{
    return part->count < whole->count &&
           (part->count == 0 || memcmp(whole->id, part->id, part->count * sizeof *part->id) == 0);
}

/* Tokens of the prompt, then those of answer and newline; *prompt: how many are the prompt's. */
static bool encode_item(const struct wb_tokenizer *t, const struct wb_task_item *item,
                        struct wb_tokens *out, size_t *prompt, struct wb_err *err)
{
    struct wb_tokens whole = { 0 };
    struct wb_str text = { 0 };
    size_t skip, before = strlen(item->prompt);
    bool ok;

    wb_str_printf(&text, "%s%s\n", item->prompt, item->answer);
    ok = !text.failed || wb_fail(err, WB_ENOMEM, "no memory for a task");
    ok = ok && wb_tokenizer_encode(t, item->prompt, before, false, out, err);
    ok = ok && wb_tokenizer_encode(t, text.text, text.len, false, &whole, err);
    *prompt = skip = out->count;
    if (ok && !begins(&whole, out)) {
        whole.count = skip = 0;
        ok = wb_tokenizer_encode(t, text.text + before, text.len - before, false, &whole, err);
    }
    for (size_t i = skip; ok && i < whole.count; i++)
        ok = wb_tokens_add(out, whole.id[i], err);
    if (ok && out->count == *prompt)
        ok = wb_fail(err, WB_EARG, "the answer has no tokens");
    wb_tokens_free(&whole);
    wb_str_free(&text);
    return ok;
}

static bool check_item(const struct wb_spec *spec, const int32_t *token, size_t n, size_t prompt,
                       struct wb_err *err)
{
    if (prompt == 0)
        return wb_fail(err, WB_EARG, "an empty prompt, and the model has no beginning of text");
    if (spec->learned_positions && spec->context > 0 && n > (size_t)spec->context)
        return wb_fail(err, WB_EARG, "%zu tokens are beyond the model's %d positions", n,
                       spec->context);
    for (size_t i = 0; i < n; i++)
        if (token[i] < 0 || token[i] >= spec->vocab)
            return wb_fail(err, WB_ESHAPE,
                           "the tokenizer does not fit the model: token %d of a vocabulary of %d",
                           (int)token[i], spec->vocab);
    return true;
}

bool wb_task_rows_of(const struct wb_tokenizer *t, const struct wb_spec *spec,
                     const struct wb_task_set *set, struct wb_task_rows *out, struct wb_err *err)
{
    int32_t bos = wb_tokenizer_bos(t);
    struct wb_tokens all = { 0 };
    bool ok;

    *out = (struct wb_task_rows){ .items = set->items,
                                  .start = calloc(set->items + 1, sizeof *out->start),
                                  .answer = calloc(set->items + 1, sizeof *out->answer) };
    ok = (out->start != NULL && out->answer != NULL) ||
         wb_fail(err, WB_ENOMEM, "no memory for %zu tasks", set->items);
    for (size_t i = 0; ok && i < set->items; i++) {
        struct wb_tokens item = { 0 };
        size_t prompt = 0;

        ok = bos == WB_TOKEN_NONE || wb_tokens_add(&all, bos, err);
        ok = ok && encode_item(t, &set->item[i], &item, &prompt, err);
        for (size_t k = 0; ok && k < item.count; k++)
            ok = wb_tokens_add(&all, item.id[k], err);
        out->start[i + 1] = all.count;
        out->answer[i + 1] = out->answer[i] + item.count - prompt;
        ok = ok && check_item(spec, all.id + out->start[i], all.count - out->start[i],
                              prompt + (bos != WB_TOKEN_NONE), err);
        if (!ok)
            wb_wrap(err, "item %zu", i + 1);
        wb_tokens_free(&item);
    }
    out->token = all.id;
    if (!ok)
        wb_task_rows_free(out);
    return ok;
}

void wb_task_rows_free(struct wb_task_rows *rows)
{
    free(rows->token);
    free(rows->start);
    free(rows->answer);
    *rows = (struct wb_task_rows){ 0 };
}

struct wb_rows wb_task_rows_packed(const struct wb_task_rows *rows)
{
    return (struct wb_rows){ .token = rows->token, .start = rows->start, .sequences = rows->items };
}

/* Scoring */

struct work {
    struct wb_net *net;
    const struct wb_tokenizer *t;
    const struct wb_task_set *set;
    const struct wb_task_rows *rows;
    size_t first, last;
    struct wb_task_outcome *outcome; /* of `first` */
    /* From the first token of these answers on: */
    float *state;
    int32_t *target, *choice;
    double *nll;
    struct wb_decode *decode;
};

static size_t answer_tokens(const struct work *w, size_t i)
{
    return w->rows->answer[i + 1] - w->rows->answer[i];
}

static size_t prompt_tokens(const struct work *w, size_t i)
{
    return w->rows->start[i + 1] - w->rows->start[i] - answer_tokens(w, i);
}

/* The states in front of every token of the answers, and those tokens. */
static bool run_rows(struct work *w, struct wb_err *err)
{
    const struct wb_task_rows *r = w->rows;
    size_t hidden = (size_t)wb_net_spec(w->net)->hidden, count = w->last - w->first,
           tokens = r->start[w->last] - r->start[w->first], at = 0;
    size_t *start = malloc((count + 1) * sizeof *start);
    float *all = malloc((tokens * hidden + 1) * sizeof *all);
    bool ok = (start != NULL && all != NULL) ||
              wb_fail(err, WB_ENOMEM, "no memory for the states of %zu tokens", tokens);

    for (size_t i = 0; ok && i <= count; i++)
        start[i] = r->start[w->first + i] - r->start[w->first];
    ok = ok && wb_net_run(w->net,
                          &(struct wb_rows){ .token = r->token + r->start[w->first],
                                             .start = start,
                                             .sequences = count },
                          NULL, all, err);
    for (size_t i = 0; ok && i < count; i++) {
        size_t n = answer_tokens(w, w->first + i), from = start[i + 1] - n;

        memcpy(w->state + at * hidden, all + (from - 1) * hidden, n * hidden * sizeof *all);
        memcpy(w->target + at, r->token + r->start[w->first] + from, n * sizeof *w->target);
        at += n;
    }
    free(start);
    free(all);
    return ok;
}

/* What greedy decoding says as far as the pass tells. */
static bool follow(struct work *w, size_t i, bool whole, struct wb_err *err)
{
    size_t n = answer_tokens(w, i), prompt = prompt_tokens(w, i),
           at = w->rows->answer[i] - w->rows->answer[w->first],
           most = prompt + n + WB_TASK_ANSWER_TOKENS;
    const struct wb_spec *spec = wb_net_spec(w->net);
    struct wb_decode *d = &w->decode[i - w->first];

    if (spec->learned_positions && spec->context > 0 && most > (size_t)spec->context)
        most = (size_t)spec->context;
    if (!wb_decode_start(d, w->set->item[i].answer, w->rows->token + w->rows->start[i], prompt,
                         most, whole, err))
        return false;
    for (size_t k = 0; k < n && !d->done; k++) {
        if (!wb_decode_push(d, w->t, w->choice[at + k], err))
            return false;
        if (w->choice[at + k] != w->target[at + k])
            break;
    }
    return true;
}

static void sum_up(struct work *w)
{
    for (size_t i = w->first; i < w->last; i++) {
        size_t at = w->rows->answer[i] - w->rows->answer[w->first];
        struct wb_task_outcome *o = &w->outcome[i - w->first];

        *o = (struct wb_task_outcome){ .exact = w->decode[i - w->first].exact,
                                       .tokens = answer_tokens(w, i) };
        for (size_t k = 0; k < o->tokens; k++)
            o->nll += w->nll[at + k];
    }
}

static bool hand_out(struct work *w, char **answer, struct wb_err *err)
{
    for (size_t i = 0; i < w->last - w->first; i++) {
        const char *text = w->decode[i].text.text;

        answer[i] = strdup(text != NULL ? text : "");
        if (answer[i] == NULL)
            return wb_fail(err, WB_ENOMEM, "no memory for an answer");
    }
    return true;
}

/* Batch by batch, as texts are. */
static bool score_answers(struct work *w, struct wb_err *err)
{
    struct wb_rows rows = wb_task_rows_packed(w->rows);
    size_t hidden = (size_t)wb_net_spec(w->net)->hidden;

    for (size_t i = w->first, end; i < w->last; i = end) {
        size_t at = w->rows->answer[i] - w->rows->answer[w->first];

        end = wb_rows_batch_end(w->net, &rows, i);
        end = end < w->last ? end : w->last;
        if (!wb_score_states(w->net, w->state + at * hidden, w->target + at,
                             w->rows->answer[end] - w->rows->answer[i], w->nll + at, w->choice + at,
                             err))
            return false;
    }
    return true;
}

static bool score(struct work *w, char **answer, struct wb_err *err)
{
    bool ok = run_rows(w, err) && score_answers(w, err);

    for (size_t i = w->first; ok && i < w->last; i++)
        ok = follow(w, i, answer != NULL, err);
    ok = ok && wb_decode_run(w->net, w->t, w->decode, w->last - w->first, err);
    if (!ok)
        return false;
    sum_up(w);
    return answer == NULL || hand_out(w, answer, err);
}

bool wb_score_task_items(struct wb_net *net, const struct wb_tokenizer *t,
                         const struct wb_task_set *set, const struct wb_task_rows *rows,
                         size_t first, size_t last, struct wb_task_outcome *outcome,
                         int32_t *choice, char **answer, struct wb_err *err)
{
    size_t n = rows->answer[last] - rows->answer[first], hidden = (size_t)wb_net_spec(net)->hidden;
    struct work w = { .net = net,
                      .t = t,
                      .set = set,
                      .rows = rows,
                      .first = first,
                      .last = last,
                      .outcome = outcome + first,
                      .state = malloc((n * hidden + 1) * sizeof *w.state),
                      .target = malloc((n + 1) * sizeof *w.target),
                      .choice = malloc((n + 1) * sizeof *w.choice),
                      .nll = malloc((n + 1) * sizeof *w.nll),
                      .decode = calloc(last - first + 1, sizeof *w.decode) };
    bool ok = (w.state != NULL && w.target != NULL && w.choice != NULL && w.nll != NULL &&
               w.decode != NULL) ||
              wb_fail(err, WB_ENOMEM, "no memory for %zu tasks", last - first);

    ok = ok && score(&w, answer != NULL ? answer + first : NULL, err);
    if (ok && choice != NULL)
        memcpy(choice + rows->answer[first], w.choice, n * sizeof *choice);
    for (size_t i = 0; w.decode != NULL && i < last - first; i++)
        wb_decode_free(&w.decode[i]);
    free(w.state);
    free(w.target);
    free(w.choice);
    free(w.nll);
    free(w.decode);
    return ok;
}

struct wb_task_score wb_score_tasks_of(const struct wb_task_outcome *outcome, size_t items)
{
    struct wb_task_score s = {
        .items = items, .exact_match = NAN, .exact_match_error = NAN, .answer_nll = NAN
    };
    double nll = 0, tokens = 0;

    for (size_t i = 0; i < items; i++) {
        s.exact += outcome[i].exact;
        nll += outcome[i].nll;
        tokens += (double)outcome[i].tokens;
    }
    s.nonfinite = !isfinite(nll);
    if (items == 0 || s.nonfinite)
        return s;
    s.answer_nll = nll / tokens;
    s.exact_match = (double)s.exact / (double)items;
    s.exact_match_error = sqrt(s.exact_match * (1 - s.exact_match) / (double)items);
    return s;
}

bool wb_score_tasks(struct wb_net *net, const struct wb_tokenizer *t, const struct wb_task_set *set,
                    bool (*report)(void *ctx, const struct wb_task_score *so_far), void *ctx,
                    char **answer, struct wb_task_score *out, struct wb_err *err)
{
    struct wb_task_outcome *outcome = calloc(set->items + 1, sizeof *outcome);
    struct wb_task_rows rows = { 0 };
    struct wb_rows packed;
    bool ok = outcome != NULL || wb_fail(err, WB_ENOMEM, "no memory for %zu tasks", set->items);

    ok = ok && wb_task_rows_of(t, wb_net_spec(net), set, &rows, err);
    packed = wb_task_rows_packed(&rows);
    for (size_t i = 0; answer != NULL && i < set->items; i++)
        answer[i] = NULL;
    for (size_t first = 0, last; ok && first < set->items; first = last) {
        last = wb_score_slice_end(net, &packed, first);
        ok = wb_score_task_items(net, t, set, &rows, first, last, outcome, NULL, answer, err);
        if (!ok)
            break;
        *out = wb_score_tasks_of(outcome, last);
        if (report != NULL && !report(ctx, out))
            ok = wb_fail(err, WB_ECANCELLED, "cancelled");
    }
    for (size_t i = 0; !ok && answer != NULL && i < set->items; i++) {
        free(answer[i]);
        answer[i] = NULL;
    }
    free(outcome);
    wb_task_rows_free(&rows);
    return ok;
}
