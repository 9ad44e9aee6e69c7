/* app/store/adapter.h - a PEFT LoRA adapter: adapter_config.json and pairs of low-rank matrices.
 *
 * As PEFT merges them: scale alpha / r (alpha / sqrt(r) with use_rslora), rank_pattern and
 * alpha_pattern, fan_in_fan_out, modules_to_save, embeddings. Kinds of adapter that are more than
 * this (DoRA magnitude vectors, a bias on B, repeated layers, …) are refused by name. */
#ifndef WB_STORE_ADAPTER_H
#define WB_STORE_ADAPTER_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/err.h"
#include "app/store/ckpt.h"

/* One change an adapter makes to the tensor `target` of its model. */
struct wb_adapter_part {
    const char *target; /* name in the base model as far as the adapter knows:
                           "model.layers.0.self_attn.q_proj.weight" */
    bool replace;       /* modules_to_save, or a trained bias: the tensor itself is `a` */
    size_t a, b;        /* tensors of wb_adapter_ckpt: A (r, in), B (out, r); for embeddings
                           A (r, vocab), B (hidden, r) */
    bool transposed;    /* the change is scale * (B A)^T: fan_in_fan_out, and embeddings */
    double scale;
};

struct wb_adapter; /* opaque */

struct wb_adapter *wb_adapter_open(const char *dir, struct wb_err *err); /* NULL on failure */
void wb_adapter_close(struct wb_adapter *ad);                            /* NULL is fine */
struct wb_ckpt *wb_adapter_ckpt(const struct wb_adapter *ad);            /* borrowed */
/* Parts that replace a tensor come first. */
size_t wb_adapter_count(const struct wb_adapter *ad);
const struct wb_adapter_part *wb_adapter_part(const struct wb_adapter *ad, size_t i); /* borrowed */

#endif
