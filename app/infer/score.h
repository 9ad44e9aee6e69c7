/* app/infer/score.h - how good a model is: on a text, on tasks, on images. */
#ifndef WB_INFER_SCORE_H
#define WB_INFER_SCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"
#include "app/infer/forward.h"
#include "app/infer/tokenizer.h"
#include "app/infer/windows.h"

struct wb_text_score {
    uint64_t tokens;  /* predicted */
    double nll;       /* mean negative log-likelihood of a token, nats */
    double nll_error; /* standard error of that mean, from the spread between windows; NaN: one */
    bool nonfinite;   /* NaN or infinite logits were met: nll is NaN then */
};

/* Negative log-likelihood of every predicted token of windows first .. last - 1, in order, into nll
 * (room for all of them). */
bool wb_score_tokens(struct wb_net *net, const struct wb_windows *w, size_t first, size_t last,
                     double *nll, struct wb_err *err);
/* All windows, at whole batches so that memory stays within the budget. report (may be NULL) gets
 * the score so far; false cancels. Sums are in double, in the order of the text. */
bool wb_score_text(struct wb_net *net, const struct wb_windows *w,
                   bool (*report)(void *ctx, const struct wb_text_score *so_far), void *ctx,
                   struct wb_text_score *out, struct wb_err *err);

/* Tasks: {"prompt": …, "answer": …} a line; the greedy continuation up to the first newline or end
 * token is compared with the answer exactly. */
struct wb_task_item {
    char *prompt, *answer;
};
struct wb_task_set {
    struct wb_task_item *item;
    size_t items;
};
bool wb_task_set_read(const char *path, size_t limit, struct wb_task_set *out, struct wb_err *err);
void wb_task_set_free(struct wb_task_set *set);

struct wb_task_score {
    uint64_t items, exact;
    double exact_match;       /* share */
    double exact_match_error; /* sqrt(p (1 - p) / n) */
    double
        answer_nll; /* mean of the tokens of the right answer and its newline, given the prompt */
    bool nonfinite;
};
/* answer (may be NULL): of every item what the model said, owned strings, room for items. */
bool wb_score_tasks(struct wb_net *net, const struct wb_tokenizer *t, const struct wb_task_set *set,
                    bool (*report)(void *ctx, const struct wb_task_score *so_far), void *ctx,
                    char **answer, struct wb_task_score *out, struct wb_err *err);

/* Images: a safetensors file with `images` F32 [n, c, h, w] and `labels` I64 [n]. */
struct wb_image_set {
    float *pixel;
    int64_t *label;
    size_t items, channels, rows, columns;
};
bool wb_image_set_read(const char *path, size_t limit, struct wb_image_set *out,
                       struct wb_err *err);
void wb_image_set_free(struct wb_image_set *set);

struct wb_image_score {
    uint64_t items, right;
    double accuracy, accuracy_error;
    bool nonfinite;
};
bool wb_score_images(struct wb_net *net, const struct wb_image_set *set,
                     bool (*report)(void *ctx, const struct wb_image_score *so_far), void *ctx,
                     struct wb_image_score *out, struct wb_err *err);

#endif
