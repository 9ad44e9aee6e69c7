/* app/infer/generate.h - continue a text token by token. */
#ifndef WB_INFER_GENERATE_H
#define WB_INFER_GENERATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"
#include "app/infer/forward.h"
#include "app/infer/tokenizer.h"

#define WB_GENERATE_TOP 5

/* One token that was chosen, and what else the model thought of. */
struct wb_generated {
    int32_t id;
    double logprob;               /* natural, of the distribution before temperature */
    double entropy;               /* of that distribution, nats */
    int32_t top[WB_GENERATE_TOP]; /* the most likely ones, WB_TOKEN_NONE beyond */
    double top_logprob[WB_GENERATE_TOP];
};

struct wb_generate_how {
    size_t tokens;      /* at most this many new ones */
    double temperature; /* 0: the most likely one */
    int top_k;          /* 0: all */
    double top_p;       /* 1: all */
    uint64_t seed;      /* draws are a function of seed and position alone */
    bool stop_at_newline;
    /* Every token as it comes, with the text it added (may be "" in the middle of a character);
     * false stops well. May be NULL. */
    bool (*token)(void *ctx, const struct wb_generated *token, const char *text);
    void *ctx;
};

struct wb_generation {
    char *text; /* of the new tokens, special ones left out */
    struct wb_generated *token;
    size_t tokens, prompt_tokens;
    bool ended;                           /* by an end token, which is not in token */
    double prompt_seconds, token_seconds; /* of the prompt; of all new tokens */
};

/* BOS is put in front of the prompt when the model has one. WB_ENUMERIC when logits are NaN. Free
 * with wb_generation_free. */
bool wb_generate(struct wb_net *net, const struct wb_tokenizer *t, const char *prompt,
                 const struct wb_generate_how *how, struct wb_generation *out, struct wb_err *err);
void wb_generation_free(struct wb_generation *g);

#endif
