/* app/infer/score.h - how good a model is: on a text, on tasks, on images.
 *
 * Each kind has one function that does it all, and the pieces it is made of, for who wants figures
 * in another order or of a part (a preview): the same pieces on the same whole batches give the
 * same bits. A model that gives logits that are not finite is flagged, and its figure is NaN. */
#ifndef WB_INFER_SCORE_H
#define WB_INFER_SCORE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"
#include "app/infer/forward.h"
#include "app/infer/tokenizer.h"
#include "app/infer/windows.h"

/* The most likely one, the first of equals; -1 where all are NaN. */
int32_t wb_first_choice(size_t width, const float *logits);
/* n final states [n, hidden] against the token that comes next: its negative log-likelihood (NaN
 * or infinite where a logit is) and the first choice (may be NULL; as wb_first_choice). Logits are made for some rows at a time. */
bool wb_score_states(struct wb_net *net, const float *state, const int32_t *target, size_t n,
                     double *nll, int32_t *choice, struct wb_err *err);
/* End of the work from sequence `first` on that is worth one call: a whole batch, or some of them
 * when the weights do not stay in memory. */
size_t wb_score_slice_end(struct wb_net *net, const struct wb_rows *rows, size_t first);

/* Texts */

struct wb_text_score {
    uint64_t tokens;  /* predicted */
    double nll;       /* mean negative log-likelihood of a token, nats */
    double nll_error; /* standard error of that mean, from the spread between windows; NaN: one */
    bool nonfinite;   /* NaN or infinite logits were met: nll is NaN then */
};

/* Tokens that windows first .. last - 1 predict. */
size_t wb_score_text_count(const struct wb_windows *w, size_t first, size_t last);
/* Final states that predict them, packed in their order, and the tokens (room for count of each).
 * first .. last must be whole batches for figures of whole texts. */
bool wb_score_text_states(struct wb_net *net, const struct wb_windows *w, size_t first, size_t last,
                          float *state, int32_t *target, struct wb_err *err);
/* Those states and tokens as wb_score_states takes them, batch by batch: which rows share a product is
 * part of the arithmetic, whatever the budget makes of slices. */
bool wb_score_text_rows(struct wb_net *net, const struct wb_windows *w, size_t first, size_t last,
                        const float *state, const int32_t *target, double *nll, int32_t *choice,
                        struct wb_err *err);
/* Negative log-likelihood of every predicted token of windows first .. last - 1, in order, into nll
 * (room for all of them). */
bool wb_score_tokens(struct wb_net *net, const struct wb_windows *w, size_t first, size_t last,
                     double *nll, struct wb_err *err);
/* Sums of each window: of nll as wb_score_tokens gives it, into sum[first .. last - 1]. */
void wb_score_text_sums(const struct wb_windows *w, size_t first, size_t last, const double *nll,
                        double *sum);
/* The score of the first `windows` ones by their sums. */
struct wb_text_score wb_score_text_of(const struct wb_windows *w, size_t windows,
                                      const double *sum);
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
/* limit 0: all. Blank lines are left out. WB_EFORMAT names the line. */
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

/* Items as sequences: BOS, prompt, the right answer, newline. One pass over them gives the answer's
 * likelihood, and what greedy decoding would say as long as it says the right thing. The tokens of
 * prompt and answer are those of both in one text where the prompt's own begin it, else each its
 * own. */
struct wb_task_rows {
    int32_t *token;
    size_t *start;  /* items + 1 */
    size_t *answer; /* items + 1: tokens of answers in front of item i's */
    size_t items;
};
bool wb_task_rows_of(const struct wb_tokenizer *t, const struct wb_spec *spec,
                     const struct wb_task_set *set, struct wb_task_rows *out, struct wb_err *err);
void wb_task_rows_free(struct wb_task_rows *rows);
struct wb_rows wb_task_rows_packed(const struct wb_task_rows *rows); /* borrowed */

struct wb_task_outcome {
    bool exact;
    double nll; /* sum over the tokens of the right answer and its newline */
    size_t tokens;
};
/* Items first .. last - 1 (whole batches) into outcome[first ..]; choice (may be NULL): the first
 * choice at every token of the right answers, from choice[answer[first]] on; answer (may be NULL)
 * as below. */
bool wb_score_task_items(struct wb_net *net, const struct wb_tokenizer *t,
                         const struct wb_task_set *set, const struct wb_task_rows *rows,
                         size_t first, size_t last, struct wb_task_outcome *outcome,
                         int32_t *choice, char **answer, struct wb_err *err);
struct wb_task_score wb_score_tasks_of(const struct wb_task_outcome *outcome, size_t items);
/* answer (may be NULL): of every item what the model said, at most WB_TASK_ANSWER_TOKENS of it;
 * owned strings, room for items. */
#define WB_TASK_ANSWER_TOKENS 256
bool wb_score_tasks(struct wb_net *net, const struct wb_tokenizer *t, const struct wb_task_set *set,
                    bool (*report)(void *ctx, const struct wb_task_score *so_far), void *ctx,
                    char **answer, struct wb_task_score *out, struct wb_err *err);

/* Images: a safetensors file with `images` F32 [n, c, h, w] and `labels` I64 [n]. */
struct wb_image_set {
    float *pixel;
    int64_t *label;
    size_t items, channels, rows, columns;
};
#define WB_IMAGES_MAX_BYTES ((uint64_t)1 << 30)
bool wb_image_set_read(const char *path, size_t limit, struct wb_image_set *out,
                       struct wb_err *err);
void wb_image_set_free(struct wb_image_set *set);

struct wb_image_score {
    uint64_t items, right;
    double accuracy, accuracy_error;
    bool nonfinite;
};
/* WB_ESHAPE when images and classes are not the model's. */
bool wb_image_set_fits(const struct wb_net *net, const struct wb_image_set *set,
                       struct wb_err *err);
struct wb_rows wb_image_set_rows(const struct wb_image_set *set); /* borrowed */
/* The class chosen for items first .. last - 1 (whole batches) into choice[first ..]; -1: not
 * finite. */
bool wb_score_image_items(struct wb_net *net, const struct wb_image_set *set, size_t first,
                          size_t last, int32_t *choice, struct wb_err *err);
struct wb_image_score wb_score_images_of(const struct wb_image_set *set, const int32_t *choice,
                                         size_t items);
bool wb_score_images(struct wb_net *net, const struct wb_image_set *set,
                     bool (*report)(void *ctx, const struct wb_image_score *so_far), void *ctx,
                     struct wb_image_score *out, struct wb_err *err);

/* Everything in one: what `eval` prints. */
enum wb_score_kind { WB_SCORE_TEXT, WB_SCORE_TASKS, WB_SCORE_IMAGES };

struct wb_score_how {
    enum wb_score_kind kind;
    const char *path;
    size_t window, limit; /* 0: the default; all. limit: windows, items or images */
    struct wb_eval eval;  /* threads, budget, cache, cancel */
    bool (*report)(void *ctx, uint64_t done, uint64_t total); /* false cancels; may be NULL */
    void *ctx;
};
/* WB_EARG: another kind of model, saying which. */
bool wb_score_kind_fits(const struct wb_net *net, enum wb_score_kind kind, struct wb_err *err);
/* An object: tokens, nll, perplexity, nll_error, window, windows, bos, text_tokens; or items,
 * exact_match, exact_match_error, answer_nll; or items, accuracy, accuracy_error; and nonfinite. A
 * number that does not exist is null. WB_EARG for a model of another kind. Owned (cJSON_Delete). */
cJSON *wb_score_model(struct wb_model *model, const struct wb_score_how *how, struct wb_err *err);

#endif
