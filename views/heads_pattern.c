/* views/heads_pattern.c - what one head attends to in a text of the user's own. */
#include <stdlib.h>
#include <string.h>

#include "views/view_heads.h"

#define TOKENS_MAX 512 /* more cannot be told apart on a screen */

static void pattern_clear(struct heads_pattern *p)
{
    wb_arena_free(&p->arena);
    free(p->weight);
    *p = (struct heads_pattern){ 0 };
}

static void work_free(void *ctx)
{
    struct heads_pattern_work *w = ctx;

    wb_model_unref(w->model);
    pattern_clear(&w->made);
    free(w);
}

/* What a token reads as: its text, with blanks and line ends made visible. */
static const char *label_of(struct wb_arena *arena, const struct wb_tokenizer *t, int32_t id)
{
    struct wb_err err;
    char *text = wb_tokenizer_decode(t, &id, 1, false, NULL, &err), *label;

    if (text == NULL || text[0] == '\0') {
        free(text);
        return wb_tokenizer_piece(t, id) == NULL
                   ? ""
                   : wb_arena_strdup(arena, wb_tokenizer_piece(t, id));
    }
    for (char *c = text; *c != '\0'; c++)
        *c = *c == ' ' ? '_' : *c == '\n' || *c == '\t' ? '|' : *c;
    label = wb_arena_strdup(arena, text);
    free(text);
    return label;
}

static bool make(struct heads_pattern_work *w, struct wb_subject *s, struct wb_err *err)
{
    const struct wb_spec *spec = wb_net_spec(s->net);
    struct wb_tokens tokens = { 0 };
    int32_t bos = s->tokenizer == NULL ? WB_TOKEN_NONE : wb_tokenizer_bos(s->tokenizer);
    size_t most = TOKENS_MAX;
    bool ok;

    if (s->tokenizer == NULL)
        return wb_fail(err, WB_EARG, "a model of images reads no text");
    if (spec->context > 0 && (size_t)spec->context < most)
        most = (size_t)spec->context;
    ok = (bos == WB_TOKEN_NONE || spec->kind != WB_NET_DECODER ||
          wb_tokens_add(&tokens, bos, err)) &&
         wb_tokenizer_encode(s->tokenizer, w->text, strlen(w->text), spec->kind != WB_NET_DECODER,
                             &tokens, err);
    if (ok && tokens.count > most)
        tokens.count = most;
    if (ok && tokens.count == 0)
        ok = wb_fail(err, WB_EARG, "the text has no tokens");
    w->made.label =
        ok ? wb_arena_calloc(&w->made.arena, tokens.count, sizeof *w->made.label) : NULL;
    ok = ok && (w->made.label != NULL || wb_fail(err, WB_ENOMEM, "no memory for labels"));
    for (size_t i = 0; ok && i < tokens.count; i++) {
        w->made.label[i] = label_of(&w->made.arena, s->tokenizer, tokens.id[i]);
        ok = w->made.label[i] != NULL || wb_fail(err, WB_ENOMEM, "no memory for labels");
    }
    if (ok) {
        w->made.n = tokens.count;
        w->made.weight = wb_heads_pattern(s->net, tokens.id, tokens.count, w->layer, w->head, err);
    }
    wb_tokens_free(&tokens);
    return ok && w->made.weight != NULL;
}

/* Above the diagonal of a causal model there is nothing to see. */
static void blank_future(struct heads_pattern *p, bool causal)
{
    for (size_t i = 0; causal && i < p->n; i++)
        for (size_t j = i + 1; j < p->n; j++)
            p->weight[i * p->n + j] = wb_heat_blank();
}

static bool run(struct wb_task *task, void *ctx, struct wb_err *err)
{
    struct heads_pattern_work *w = ctx;
    struct wb_subject s;
    bool ok;

    w->how.cancel = wb_task_cancel_flag(task);
    ok = wb_subject_open_net(&s, w->model, &w->how, err) && make(w, &s, err);
    if (ok)
        blank_future(&w->made, wb_net_spec(s.net)->kind == WB_NET_DECODER);
    wb_subject_close(&s);
    return ok;
}

void wb_headview_pattern_ask(struct wb_view *v)
{
    struct heads *s = v->state;
    const struct wb_desk_model *m = wb_desk_get(v->desk, s->model_id);
    struct heads_pattern_work *w;

    wb_task_drop(s->pattern_task);
    s->pattern_task = NULL;
    s->pattern_err.code = WB_OK;
    if (m == NULL || m->model == NULL)
        return;
    w = calloc(1, sizeof *w);
    if (w == NULL) {
        wb_fail(&s->pattern_err, WB_ENOMEM, "no memory for a pattern");
        return;
    }
    w->model = wb_model_ref(m->model);
    w->how = wb_desk_eval(v->desk, false);
    w->layer = s->heat.row;
    w->head = s->heat.col;
    memcpy(w->text, s->text, sizeof w->text);
    s->pattern_work = w;
    s->pattern_task =
        wb_task_start_urgent(v->desk->tasks, "pattern", run, w, work_free, &s->pattern_err);
}

/* The cursor stands where it stood, or on the last token. */
static void show_pattern(struct heads *s)
{
    struct wb_heat *h = &s->pattern_heat;
    int n = (int)s->pattern.n;
    bool same = h->rows == n;

    h->rows = h->cols = n;
    h->value = s->pattern.weight;
    h->row_axis.label = h->col_axis.label = s->pattern.label;
    h->row = same ? h->row : n - 1;
    h->col = same ? h->col : 0;
}

bool wb_headview_pattern_poll(struct wb_view *v)
{
    struct heads *s = v->state;
    enum wb_task_state state;

    if (s->pattern_task == NULL)
        return false;
    state = wb_task_poll(s->pattern_task, &s->pattern_err);
    if (state == WB_TASK_WAITING || state == WB_TASK_RUNNING)
        return false;
    if (state == WB_TASK_DONE) {
        s->pattern_err.code = WB_OK;
        pattern_clear(&s->pattern);
        s->pattern = s->pattern_work->made;
        s->pattern_work->made = (struct heads_pattern){ 0 };
        show_pattern(s);
    }
    wb_task_drop(s->pattern_task);
    s->pattern_task = NULL;
    return true;
}

void wb_headview_pattern_free(struct heads *s)
{
    wb_task_drop(s->pattern_task);
    s->pattern_task = NULL;
    s->pattern_err.code = WB_OK;
    pattern_clear(&s->pattern);
    s->pattern_heat.rows = s->pattern_heat.cols = 0;
}
