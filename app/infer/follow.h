/* app/infer/follow.h - what a model thinks of a text that is there already, token by token. */
#ifndef WB_INFER_FOLLOW_H
#define WB_INFER_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"
#include "app/infer/forward.h"

/* One token of it. */
struct wb_followed {
    double logprob; /* natural, of the token that is there */
    int32_t first;  /* what the model would have said */
    double first_logprob;
};

/* Tokens from .. count - 1 of one sequence (0 < from <= count), given those before them, into out
 * (room for count - from). One pass over the sequence. WB_EARG for a net without a head over a
 * vocabulary or a token out of range, WB_ENUMERIC when logits are not finite. */
bool wb_follow(struct wb_net *net, const int32_t *token, size_t count, size_t from,
               struct wb_followed *out, struct wb_err *err);

#endif
