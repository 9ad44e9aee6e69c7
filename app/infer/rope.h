/* app/infer/rope.h - rotary positions: frequencies and the factor on attention (architectures.md
 * section 4). */
#ifndef WB_INFER_ROPE_H
#define WB_INFER_ROPE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "app/core/arena.h"
#include "app/core/err.h"

enum wb_rope_type {
    WB_ROPE_DEFAULT,
    WB_ROPE_LINEAR,
    WB_ROPE_DYNAMIC,
    WB_ROPE_LLAMA3,
    WB_ROPE_YARN,
    WB_ROPE_LONG,
};

struct wb_rope_rule {
    enum wb_rope_type type;
    int dims; /* the first of head_dim that are turned, even */
    double base, factor;
    double low, high;                         /* llama3: low_freq_factor, high_freq_factor */
    double beta_fast, beta_slow;              /* yarn */
    bool exact_range;                         /* yarn: the range of its ramp is not rounded */
    double attention_factor;                  /* 0: from the formula */
    double mscale, mscale_all;                /* yarn, 0: not given */
    int context, original;                    /* max_position_embeddings and the original one */
    const double *short_factor, *long_factor; /* dims / 2 each, in the arena */
};

/* From rope settings as configs have them: `scaling` is rope_scaling or rope_parameters (NULL:
 * default). Lists are copied into the arena. WB_EFORMAT names the key. */
bool wb_rope_parse(const cJSON *scaling, double base, int dims, int context, struct wb_arena *arena,
                   struct wb_rope_rule *out, struct wb_err *err);

/* inv_freq[dims / 2] for sequences of up to `positions`; *factor multiplies cos and sin. */
void wb_rope_frequencies(const struct wb_rope_rule *rule, size_t positions, float *inv_freq,
                         float *factor);
/* cos and sin of every position in first .. first + count - 1, [count, dims / 2] each, times the
 * factor. Angles are formed in float32, as everywhere; cos and sin are correctly rounded. */
void wb_rope_table(const struct wb_rope_rule *rule, size_t positions, size_t first, size_t count,
                   float *cosine, float *sine);

#endif
