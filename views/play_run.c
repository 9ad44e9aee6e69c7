/* views/play_run.c - writing with several models at once, and asking each about the others' texts.
 *
 * DESIGN. A column's task opens the engine of its model when it is not open yet and generates; each
 * token goes into the run under its lock, and a report wakes the screen. Dropping a task cancels it:
 * the next one for the same engine waits on its mutex for the few milliseconds until it ends. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "app/infer/follow.h"
#include "lua/bind/record.h"
#include "views/play_engine.h"

/* ---- runs ---- */

static void token_free(struct play_token *t)
{
    free(t->text);
    for (int i = 0; i < WB_GENERATE_TOP; i++)
        free(t->top[i]);
    for (int i = 0; i < PLAY_COLUMNS_MAX; i++)
        free(t->opinion[i].first);
}

struct play_run *wb_play_run_new(const char *prompt, const struct play_settings *settings)
{
    struct play_run *r = calloc(1, sizeof *r);

    if (r == NULL || (r->prompt = strdup(prompt)) == NULL) {
        free(r);
        return NULL;
    }
    atomic_init(&r->refs, 1);
    pthread_mutex_init(&r->lock, NULL);
    r->settings = *settings;
    r->prompt_seconds = NAN;
    return r;
}

static struct play_run *run_ref(struct play_run *r)
{
    atomic_fetch_add(&r->refs, 1);
    return r;
}

void wb_play_run_unref(struct play_run *r)
{
    if (r == NULL || atomic_fetch_sub(&r->refs, 1) != 1)
        return;
    for (size_t i = 0; i < r->tokens; i++)
        token_free(&r->token[i]);
    free(r->token);
    free(r->prompt_id);
    free(r->prompt);
    wb_play_engine_unref(r->engine);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

bool wb_play_run_add(struct play_run *r, struct play_token *token)
{
    bool ok = true;

    pthread_mutex_lock(&r->lock);
    if (r->tokens == r->room) {
        size_t room = r->room == 0 ? 64 : 2 * r->room;
        struct play_token *more = realloc(r->token, room * sizeof *more);

        if (more != NULL) {
            r->token = more;
            r->room = room;
        } else {
            ok = false;
        }
    }
    if (ok) {
        r->token[r->tokens++] = *token;
        r->version++;
    }
    pthread_mutex_unlock(&r->lock);
    if (!ok)
        token_free(token);
    return ok;
}

/* ---- writing ---- */

struct writing {
    struct play_run *run;
    struct wb_task *task;
    double started; /* of the first token */
    bool no_memory;
};

static void writing_free(void *ctx)
{
    struct writing *w = ctx;

    wb_play_run_unref(w->run);
    free(w);
}

/* The text of one token alone; owned, NULL without memory. */
static char *text_of(const struct wb_tokenizer *t, int32_t id)
{
    size_t bytes;
    struct wb_err err;

    return wb_tokenizer_decode(t, &id, 1, false, &bytes, &err);
}

static bool take_token(void *ctx, const struct wb_generated *g, const char *text)
{
    struct writing *w = ctx;
    struct play_run *r = w->run;
    struct play_token t = { .id = g->id, .logprob = g->logprob, .entropy = g->entropy };

    t.text = strdup(text);
    for (int i = 0; i < WB_GENERATE_TOP && g->top[i] != WB_TOKEN_NONE; i++) {
        t.top[i] = text_of(r->engine->tokenizer, g->top[i]);
        t.top_logprob[i] = g->top_logprob[i];
    }
    if (t.text == NULL || !wb_play_run_add(r, &t)) {
        w->no_memory = true;
        return false;
    }
    pthread_mutex_lock(&r->lock);
    if (isnan(r->prompt_seconds)) {
        r->prompt_seconds = wb_now_seconds() - w->started;
        w->started = wb_now_seconds();
    }
    r->seconds = wb_now_seconds() - w->started;
    pthread_mutex_unlock(&r->lock);
    wb_task_report(w->task);
    return !wb_task_cancelled(w->task);
}

/* The prompt's tokens, to ask others by. */
static bool keep_prompt(struct play_run *r, struct wb_err *err)
{
    const struct wb_tokenizer *t = r->engine->tokenizer;
    struct wb_tokens ids = { 0 };
    int32_t bos = wb_tokenizer_bos(t);

    if ((bos != WB_TOKEN_NONE && !wb_tokens_add(&ids, bos, err)) ||
        !wb_tokenizer_encode(t, r->prompt, strlen(r->prompt), false, &ids, err)) {
        wb_tokens_free(&ids);
        return false;
    }
    pthread_mutex_lock(&r->lock);
    r->prompt_id = ids.id;
    r->prompt_ids = ids.count;
    pthread_mutex_unlock(&r->lock);
    return true;
}

static bool write_text(struct wb_task *task, struct writing *w, struct wb_err *err)
{
    const struct play_settings *s = &w->run->settings;
    struct play_engine *e = w->run->engine;
    struct wb_generate_how how = { .tokens = (size_t)s->tokens,
                                   .temperature = s->greedy ? 0 : s->temperature,
                                   .top_p = s->top_p,
                                   .seed = s->seed,
                                   .token = take_token,
                                   .ctx = w };
    struct wb_generation g;

    w->task = task;
    if (!keep_prompt(w->run, err))
        return false;
    w->started = wb_now_seconds();
    if (!wb_generate(e->net, e->tokenizer, w->run->prompt, &how, &g, err))
        return false;
    pthread_mutex_lock(&w->run->lock);
    w->run->ended = g.ended;
    w->run->version++;
    pthread_mutex_unlock(&w->run->lock);
    wb_generation_free(&g);
    if (w->no_memory)
        return wb_fail(err, WB_ENOMEM, "no memory for the text");
    return !wb_task_cancelled(task) || wb_fail(err, WB_ECANCELLED, "cancelled");
}

static bool run_writing(struct wb_task *task, void *ctx, struct wb_err *err)
{
    struct writing *w = ctx;
    bool ok = wb_play_engine_begin(w->run->engine, wb_task_cancel_flag(task), err) &&
              write_text(task, w, err);

    wb_play_engine_end(w->run->engine);
    return ok;
}

/* ---- asking the others ---- */

struct asking {
    struct play_run *run[PLAY_COLUMNS_MAX]; /* by column; NULL: it failed */
    size_t runs;
};

static void asking_free(void *ctx)
{
    struct asking *a = ctx;

    for (size_t i = 0; i < a->runs; i++)
        wb_play_run_unref(a->run[i]);
    free(a);
}

/* Does the model read these tokens as the one that wrote them? */
static bool same_tokens(const struct wb_tokenizer *a, const struct wb_tokenizer *b,
                        const int32_t *id, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *x = wb_tokenizer_piece(a, id[i]), *y = wb_tokenizer_piece(b, id[i]);

        if (x == NULL || y == NULL || strcmp(x, y) != 0)
            return false;
    }
    return true;
}

/* Prompt and text of a run that ended: nobody else changes it any more. Owned. */
static int32_t *all_tokens(const struct play_run *r, size_t *count)
{
    int32_t *id = malloc((r->prompt_ids + r->tokens + 1) * sizeof *id);

    if (id == NULL)
        return NULL;
    memcpy(id, r->prompt_id, r->prompt_ids * sizeof *id);
    for (size_t i = 0; i < r->tokens; i++)
        id[r->prompt_ids + i] = r->token[i].id;
    *count = r->prompt_ids + r->tokens;
    return id;
}

static void put_opinions(struct play_run *r, size_t by, const struct wb_tokenizer *t,
                         const struct wb_followed *seen)
{
    for (size_t i = 0; i < r->tokens; i++) {
        char *first = text_of(t, seen[i].first);

        pthread_mutex_lock(&r->lock);
        free(r->token[i].opinion[by].first);
        r->token[i].opinion[by] = (struct play_opinion){ .known = first != NULL,
                                                         .logprob = seen[i].logprob,
                                                         .first_logprob = seen[i].first_logprob,
                                                         .first = first };
        r->version++;
        pthread_mutex_unlock(&r->lock);
    }
}

/* What engine e thinks of a run. Tokens of another kind are no failure: there is no opinion. */
static bool ask(struct play_engine *e, size_t by, struct play_run *r, struct wb_err *err)
{
    struct wb_followed *seen = malloc((r->tokens + 1) * sizeof *seen);
    size_t count = 0;
    int32_t *id = all_tokens(r, &count);
    bool ok = (id != NULL && seen != NULL) || wb_fail(err, WB_ENOMEM, "no memory for a text");

    if (ok && count > 0 && same_tokens(r->engine->tokenizer, e->tokenizer, id, count)) {
        ok = wb_follow(e->net, id, count, r->prompt_ids, seen, err);
        if (ok)
            put_opinions(r, by, e->tokenizer, seen);
    }
    free(seen);
    free(id);
    return ok;
}

static bool run_asking(struct wb_task *task, void *ctx, struct wb_err *err)
{
    struct asking *a = ctx;
    bool ok = true;

    for (size_t by = 0; ok && by < a->runs; by++) {
        struct play_engine *e = a->run[by] == NULL ? NULL : a->run[by]->engine;

        if (e == NULL)
            continue;
        ok = wb_play_engine_begin(e, wb_task_cancel_flag(task), err);
        for (size_t i = 0; ok && i < a->runs; i++)
            if (i != by && a->run[i] != NULL && a->run[i]->engine != NULL &&
                a->run[i]->prompt_ids > 0 && a->run[i]->tokens > 0)
                ok = ask(e, by, a->run[i], err);
        wb_play_engine_end(e);
        wb_task_report(task);
    }
    return ok;
}

static void start_asking(struct play *p)
{
    struct asking *a = calloc(1, sizeof *a);

    p->opinion_due = false;
    if (a == NULL)
        return;
    for (size_t i = 0; i < p->columns; i++) {
        const struct play_column *c = &p->shown[i];
        bool there = c->run != NULL && c->run->engine != NULL && c->err.code == WB_OK;

        a->run[a->runs++] = there ? run_ref(c->run) : NULL;
    }
    p->opinion_task =
        wb_task_start(p->desk->tasks, "ask", run_asking, a, asking_free, &p->opinion_err);
}

bool wb_play_differs(const struct play *p, const struct play_token *t)
{
    for (size_t i = 0; i < p->columns; i++)
        if (t->opinion[i].known && t->opinion[i].first != NULL && t->top[0] != NULL &&
            strcmp(t->opinion[i].first, t->top[0]) != 0)
            return true;
    return false;
}

/* ---- the screen's side ---- */

void wb_play_drop_run(struct play_column *c)
{
    wb_task_drop(c->task);
    c->task = NULL;
    wb_play_run_unref(c->run);
    c->run = NULL;
    c->err.code = WB_OK;
    c->cursor = 0;
    c->top = 0;
}

static void stop_asking(struct play *p)
{
    wb_task_drop(p->opinion_task);
    p->opinion_task = NULL;
    p->opinion_due = false;
    p->opinion_err.code = WB_OK;
}

void wb_play_forget_opinions(struct play *p)
{
    stop_asking(p);
    for (size_t i = 0; i < p->columns; i++) {
        struct play_run *r = p->shown[i].run;

        if (r == NULL)
            continue;
        pthread_mutex_lock(&r->lock);
        for (size_t k = 0; k < r->tokens; k++)
            for (size_t by = 0; by < PLAY_COLUMNS_MAX; by++)
                r->token[k].opinion[by].known = false;
        pthread_mutex_unlock(&r->lock);
        p->opinion_due = true;
    }
}

/* The engine of a model, a new one or a kept one; a reference. */
static struct play_engine *engine_of(struct play *p, struct wb_model *model)
{
    struct wb_hash hash = wb_model_hash(model);
    struct play_engine *e = p->engine;

    while (e != NULL && !wb_hash_equal(e->hash, hash))
        e = e->next;
    if (e != NULL)
        return wb_play_engine_ref(e);
    e = wb_play_engine_new(p->desk, model, p->columns);
    if (e == NULL)
        return NULL;
    e->next = p->engine;
    p->engine = e;
    return wb_play_engine_ref(e);
}

/* Let go of engines whose model no column shows. */
static void forget_engines(struct play *p)
{
    for (struct play_engine **place = &p->engine; *place != NULL;) {
        struct play_engine *e = *place;
        bool shown = false;

        for (size_t i = 0; i < p->columns; i++) {
            struct wb_model *model = wb_play_model(p, &p->shown[i]);

            shown = shown || (model != NULL && wb_hash_equal(wb_model_hash(model), e->hash));
        }
        if (shown) {
            place = &e->next;
            continue;
        }
        *place = e->next;
        wb_play_engine_unref(e);
    }
}

static void start_column(struct play *p, struct play_column *c, const char *prompt)
{
    struct wb_model *model = wb_play_model(p, c);
    struct writing *w;

    wb_play_drop_run(c);
    c->stopped = false;
    c->follows = true;
    if (model == NULL) {
        wb_fail(&c->err, WB_ENOTFOUND, "there is no such model any more");
        return;
    }
    c->run = wb_play_run_new(prompt, &p->settings);
    w = calloc(1, sizeof *w);
    if (c->run != NULL)
        c->run->engine = engine_of(p, model);
    if (w == NULL || c->run == NULL || c->run->engine == NULL) {
        free(w);
        wb_fail(&c->err, WB_ENOMEM, "no memory to write");
        return;
    }
    w->run = run_ref(c->run);
    c->task = wb_task_start(p->desk->tasks, "write", run_writing, w, writing_free, &c->err);
}

static void record(struct play *p)
{
    struct wb_str text = { 0 };

    wb_str_add(&text, "continued a prompt with ");
    for (size_t i = 0; i < p->columns; i++)
        wb_str_printf(&text, "%s%s", i > 0 ? ", " : "", p->shown[i].name);
    if (!text.failed)
        wb_record_comment(p->desk->record, text.text);
    wb_str_free(&text);
}

void wb_play_start(struct wb_view *v)
{
    struct play *p = v->state;
    struct wb_str prompt = { 0 };

    if (p->columns == 0) {
        wb_desk_say(v->desk, WB_MESSAGE_NOTE,
                    "there is no model to write with; screen 'Models' opens one");
        return;
    }
    stop_asking(p);
    wb_str_add(&prompt, "");
    wb_document_text(p->text, &prompt);
    if (prompt.failed) {
        wb_desk_say(v->desk, WB_MESSAGE_ERROR, "no memory for the prompt");
    } else {
        forget_engines(p);
        for (size_t i = 0; i < p->columns; i++)
            start_column(p, &p->shown[i], prompt.text);
        p->opinion_due = p->columns > 1;
        record(p);
    }
    wb_str_free(&prompt);
}

void wb_play_stop(struct wb_view *v)
{
    struct play *p = v->state;

    for (size_t i = 0; i < p->columns; i++)
        if (p->shown[i].task != NULL) {
            wb_task_cancel(p->shown[i].task);
            p->shown[i].stopped = true;
        }
    if (p->opinion_task != NULL)
        wb_task_cancel(p->opinion_task);
}

static bool any_writes(const struct play *p)
{
    for (size_t i = 0; i < p->columns; i++)
        if (p->shown[i].task != NULL)
            return true;
    return false;
}

bool wb_play_at_work(const struct play *p)
{
    return p->opinion_task != NULL || any_writes(p);
}

static bool poll_column(struct play_column *c)
{
    enum wb_task_state state;
    struct wb_err err;
    unsigned long version;
    bool changed;

    if (c->run == NULL)
        return false;
    pthread_mutex_lock(&c->run->lock);
    version = c->run->version;
    if (c->follows && c->task != NULL && c->run->tokens > 0)
        c->cursor = c->run->tokens - 1;
    pthread_mutex_unlock(&c->run->lock);
    changed = version != c->seen;
    c->seen = version;
    if (c->task == NULL)
        return changed;
    state = wb_task_poll(c->task, &err);
    if (state == WB_TASK_WAITING || state == WB_TASK_RUNNING)
        return changed;
    if (state == WB_TASK_FAILED)
        c->err = err;
    if (state == WB_TASK_CANCELLED)
        c->stopped = true;
    wb_task_drop(c->task);
    c->task = NULL;
    return true;
}

static bool poll_asking(struct play *p)
{
    enum wb_task_state state;

    if (p->opinion_task == NULL)
        return false;
    state = wb_task_poll(p->opinion_task, &p->opinion_err);
    if (state == WB_TASK_WAITING || state == WB_TASK_RUNNING)
        return false;
    if (state != WB_TASK_FAILED)
        p->opinion_err.code = WB_OK;
    wb_task_drop(p->opinion_task);
    p->opinion_task = NULL;
    return true;
}

bool wb_play_poll_runs(struct wb_view *v)
{
    struct play *p = v->state;
    bool changed = false;

    for (size_t i = 0; i < p->columns; i++)
        changed = poll_column(&p->shown[i]) || changed;
    if (p->opinion_due && !any_writes(p)) {
        p->opinion_due = false;
        if (p->columns > 1)
            start_asking(p);
        changed = true;
    }
    return poll_asking(p) || changed;
}

void wb_play_free_runs(struct play *p)
{
    stop_asking(p);
    for (size_t i = 0; i < p->columns; i++)
        wb_play_drop_run(&p->shown[i]);
    p->columns = 0;
    forget_engines(p);
}
