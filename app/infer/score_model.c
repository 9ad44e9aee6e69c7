/* app/infer/score_model.c - a model and a file in, an object with the figures out. */
#include <math.h>

#include "app/infer/score.h"

struct work {
    struct wb_net *net;
    const struct wb_score_how *how;
    cJSON *out;
    uint64_t total; /* tokens, items or images */
};

static void number(cJSON *object, const char *key, double value)
{
    if (isfinite(value))
        cJSON_AddNumberToObject(object, key, value);
    else
        cJSON_AddNullToObject(object, key);
}

static void count(cJSON *object, const char *key, uint64_t value)
{
    cJSON_AddNumberToObject(object, key, (double)value);
}

static bool report(const struct work *w, uint64_t done)
{
    return w->how->report == NULL || w->how->report(w->how->ctx, done, w->total);
}

/* Texts */

static bool report_text(void *ctx, const struct wb_text_score *so_far)
{
    return report(ctx, so_far->tokens);
}

static void tell_text(const struct wb_windows *w, const struct wb_text_score *s, cJSON *out)
{
    count(out, "tokens", s->tokens);
    number(out, "nll", s->nll);
    number(out, "perplexity", exp(s->nll));
    number(out, "nll_error", s->nll_error);
    count(out, "window", w->window);
    count(out, "windows", w->windows);
    number(out, "bos", w->bos == WB_TOKEN_NONE ? (double)NAN : w->bos);
    count(out, "text_tokens", w->text_tokens);
    cJSON_AddBoolToObject(out, "nonfinite", s->nonfinite);
}

static bool score_text(struct work *w, const struct wb_tokenizer *t, struct wb_err *err)
{
    struct wb_windows windows;
    struct wb_text_score score = { .nll = NAN, .nll_error = NAN };
    bool ok;

    if (!wb_windows_read(t, wb_net_spec(w->net), w->how->path, w->how->window, w->how->limit,
                         &windows, err))
        return false;
    w->total = windows.scored;
    ok = wb_score_text(w->net, &windows, report_text, w, &score, err);
    if (ok)
        tell_text(&windows, &score, w->out);
    wb_windows_free(&windows);
    return ok;
}

/* Tasks */

static bool report_tasks(void *ctx, const struct wb_task_score *so_far)
{
    return report(ctx, so_far->items);
}

static bool score_tasks(struct work *w, const struct wb_tokenizer *t, struct wb_err *err)
{
    struct wb_task_set set;
    struct wb_task_score score;
    bool ok;

    if (!wb_task_set_read(w->how->path, w->how->limit, &set, err))
        return false;
    w->total = set.items;
    ok = wb_score_tasks(w->net, t, &set, report_tasks, w, NULL, &score, err) ||
         wb_wrap(err, "%s", w->how->path);
    if (ok) {
        count(w->out, "items", score.items);
        number(w->out, "exact_match", score.exact_match);
        number(w->out, "exact_match_error", score.exact_match_error);
        number(w->out, "answer_nll", score.answer_nll);
        cJSON_AddBoolToObject(w->out, "nonfinite", score.nonfinite);
    }
    wb_task_set_free(&set);
    return ok;
}

/* Images */

static bool report_images(void *ctx, const struct wb_image_score *so_far)
{
    return report(ctx, so_far->items);
}

static bool score_images(struct work *w, struct wb_err *err)
{
    struct wb_image_set set;
    struct wb_image_score score;
    bool ok;

    if (!wb_image_set_read(w->how->path, w->how->limit, &set, err))
        return false;
    w->total = set.items;
    ok = wb_score_images(w->net, &set, report_images, w, &score, err) ||
         wb_wrap(err, "%s", w->how->path);
    if (ok) {
        count(w->out, "items", score.items);
        number(w->out, "accuracy", score.accuracy);
        number(w->out, "accuracy_error", score.accuracy_error);
        cJSON_AddBoolToObject(w->out, "nonfinite", score.nonfinite);
    }
    wb_image_set_free(&set);
    return ok;
}

/* One of them */

bool wb_score_kind_fits(const struct wb_net *net, enum wb_score_kind kind, struct wb_err *err)
{
    static const char *const is[] = {
        [WB_NET_DECODER] = "it continues texts, and sees no images",
        [WB_NET_ENCODER] = "it is an encoder, which predicts no next token",
        [WB_NET_VISION] = "it looks at images, and has no text",
    };
    enum wb_net_kind net_kind = wb_net_spec(net)->kind;

    if (net_kind == (kind == WB_SCORE_IMAGES ? WB_NET_VISION : WB_NET_DECODER))
        return true;
    return wb_fail(err, WB_EARG, "the model cannot be scored on %s: %s",
                   kind == WB_SCORE_TEXT    ? "a text"
                   : kind == WB_SCORE_TASKS ? "tasks"
                                            : "images",
                   is[net_kind]);
}

static bool score(struct work *w, struct wb_model *model, struct wb_err *err)
{
    struct wb_tokenizer *t;
    bool ok;

    if (!wb_score_kind_fits(w->net, w->how->kind, err))
        return false;
    if (w->how->kind == WB_SCORE_IMAGES)
        return score_images(w, err);
    t = wb_tokenizer_open(wb_model_side_dir(model), err);
    if (t == NULL)
        return false;
    ok = w->how->kind == WB_SCORE_TEXT ? score_text(w, t, err) : score_tasks(w, t, err);
    wb_tokenizer_free(t);
    return ok;
}

cJSON *wb_score_model(struct wb_model *model, const struct wb_score_how *how, struct wb_err *err)
{
    struct wb_net *net = wb_net_open(model, NULL, &how->eval, err);
    struct work w = { .net = net, .how = how };
    bool ok = false;

    if (net == NULL)
        return NULL;
    w.out = cJSON_CreateObject();
    if (w.out == NULL)
        wb_fail(err, WB_ENOMEM, "no memory for the scores");
    else
        ok = score(&w, model, err);
    wb_net_close(net);
    if (ok)
        return w.out;
    cJSON_Delete(w.out);
    return NULL;
}
