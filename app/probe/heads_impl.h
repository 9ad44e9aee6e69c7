/* app/probe/heads_impl.h - one examination of attention heads, as the files of heads.h share it. */
#ifndef WB_PROBE_HEADS_IMPL_H
#define WB_PROBE_HEADS_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"
#include "app/infer/forward.h"
#include "app/probe/heads.h"

struct wb_heads_run {
    struct wb_net *net;
    const struct wb_spec *spec;
    const struct wb_heads_how *how;
    struct wb_heads *out;
    size_t layers, heads, kv_heads, group, head_dim, hidden; /* group: query heads of a kv head */
    size_t top, local;
    uint64_t seed;
};

/* The parts. Each fills the grids it is for, which are there already and NaN. */
bool wb_heads_text(struct wb_heads_run *r, const struct wb_rows *rows, struct wb_err *err);
bool wb_heads_repeated(struct wb_heads_run *r, const struct wb_rows *rows, struct wb_err *err);
bool wb_heads_retrieval(struct wb_heads_run *r, const struct wb_rows *rows, struct wb_err *err);
bool wb_heads_weights(struct wb_heads_run *r, struct wb_err *err);

/* Show what there is; false with WB_ECANCELLED. */
bool wb_heads_report(const struct wb_heads_run *r, struct wb_err *err);

/* What goes in front of sequences of our own: what all of the text's begin with, else the
 * beginning-of-text token of the config; -1: nothing. */
int32_t wb_heads_bos(const struct wb_heads_run *r, const struct wb_rows *rows);
/* Positions a sequence may have. */
size_t wb_heads_context(const struct wb_heads_run *r);
/* n tokens drawn evenly from those that are common as a rule: vocabularies go from bytes and special
 * tokens over frequent words to rare ones. A function of seed and stream alone. */
void wb_heads_draw(const struct wb_heads_run *r, uint64_t stream, size_t n, int32_t *out);

/* --- reuse (heads_reuse.c): top keys of the last position, from layer to layer ------------------ */

struct wb_head_reuse {
    size_t sequences, layers, kv_heads, k;
    int32_t *set;                                /* [layers, sequences, kv_heads, k] */
    bool *there;                                 /* [layers, sequences, kv_heads] */
    double *overlap, *mass, *mass_n, *overlap_n; /* sums [layers, kv_heads] */
    double *demand,
        *demand_n; /* [layers, layers, kv_heads]: by layer that asks, so that the order of
                                * sums does not depend on which sequences a pass takes together */
};

bool wb_head_reuse_init(struct wb_head_reuse *u, const struct wb_heads_run *r, struct wb_err *err);
void wb_head_reuse_free(struct wb_head_reuse *u);
/* Room for the sets of so many sequences; those of others are forgotten. */
bool wb_head_reuse_room(struct wb_head_reuse *u, size_t sequences, struct wb_err *err);
/* Mean mass that later layers put on the keys of a kv head; NaN: none does. */
double wb_head_reuse_demand(const struct wb_head_reuse *u, size_t layer, size_t kv_head);
/* Weights of the last position of a sequence at a layer, mean over the heads that share keys: [n].
 * Layers in order. */
void wb_head_reuse_add(struct wb_head_reuse *u, size_t layer, size_t sequence, size_t kv_head,
                       const float *weight, size_t n);

/* --- weights (heads_factors.c) ------------------------------------------------------------------ */

/* What the heads of a layer read and write with, norms in front folded in, [heads or kv_heads *
 * head_dim, hidden] each; output transposed. */
struct wb_head_factors {
    float *q, *k, *v, *o;
};

/* Owned (wb_head_factors_free). */
bool wb_head_factors_of(struct wb_heads_run *r, int layer, struct wb_head_factors *out,
                        struct wb_err *err);
void wb_head_factors_free(struct wb_head_factors *f);
/* Rows first .. first + n - 1 of a packed matrix, widened: [n, in]. */
void wb_head_weight_rows(const struct wb_weight *w, size_t first, size_t n, float *out);
/* The output matrix with its rows and columns changed about: row h * head_dim + i is what entry i of
 * head h adds to the stream. */
struct wb_weight wb_head_output(const struct wb_layer_weights *w);
/* Without the mean of each of n rows. */
void wb_head_centre(float *x, size_t n, size_t width);
/* x[i][j] *= gain[j] (+ 1) */
void wb_head_gain(float *x, size_t n, size_t width, const float *gain, bool plus_one);

#endif
