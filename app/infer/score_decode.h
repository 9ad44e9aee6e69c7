/* app/infer/score_decode.h - what a model says, greedily, up to the first newline or end token. */
#ifndef WB_INFER_SCORE_DECODE_H
#define WB_INFER_SCORE_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"
#include "app/core/str.h"
#include "app/infer/forward.h"
#include "app/infer/tokenizer.h"

/* One item at work. It is decided as soon as what was said cannot become the answer any more;
 * with `whole` it goes on, to say all of it. */
struct wb_decode {
    const char *answer; /* borrowed */
    struct wb_tokens ids;
    size_t written;    /* tokens whose text is in `text`, the prompt's included */
    size_t tokens_max; /* of ids */
    struct wb_str text;
    bool whole;
    bool done, exact;
};

/* Start with the tokens of a prompt, BOS included. */
bool wb_decode_start(struct wb_decode *d, const char *answer, const int32_t *prompt, size_t tokens,
                     size_t tokens_max, bool whole, struct wb_err *err);
/* One more token was said. */
bool wb_decode_push(struct wb_decode *d, const struct wb_tokenizer *t, int32_t id,
                    struct wb_err *err);
/* Let the model go on with every one that is not done, some at a time, until all are. */
bool wb_decode_run(struct wb_net *net, const struct wb_tokenizer *t, struct wb_decode *d,
                   size_t count, struct wb_err *err);
void wb_decode_free(struct wb_decode *d); /* the empty value is fine */

#endif
