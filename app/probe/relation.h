/* app/probe/relation.h - how two open models are related, from headers; and what differs in them. */
#ifndef WB_PROBE_RELATION_H
#define WB_PROBE_RELATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/arena.h"
#include "app/core/err.h"
#include "app/graph/eval.h"
#include "app/graph/model.h"

/* Model A against model B. Counts are of tensors. */
struct wb_relation {
    bool same_family;
    size_t tensors, other_tensors; /* of A, of B */
    size_t named;                  /* names that both have */
    size_t shaped;                 /* of these, with one shape */
    size_t typed;                  /* of those, with one dtype */
    size_t same;             /* known to be the same without reading: the same bytes of a file */
    size_t only, other_only; /* names that one has alone */
    int layers, other_layers;
    char says[400]; /* one line for people: "22 layers, base has 24: model.layers.22 is missing" */
};

/* Headers only. name is what B is called in the sentence. */
void wb_relation_of(const struct wb_model *a, const struct wb_model *b, const char *name,
                    struct wb_relation *out);

/* What the model says it was made from (base_model_name_or_path of an adapter, _name_or_path of the
 * config), NULL when it says nothing or its own name. Borrowed from the model. */
const char *wb_relation_base_name(const struct wb_model *model);
/* Which of the open models is most likely what `model` was made from: the one it names, else one
 * that it was opened with an adapter over; else a model of all its shapes whose path ends with
 * "base"; -1 when nothing speaks for one. other[] may hold the model itself and NULL. */
int wb_relation_base(const struct wb_model *model, struct wb_model *const *other, size_t others);

enum wb_difference_kind {
    WB_SAME_SOURCE, /* the same bytes of a file, or the same computation: not read */
    WB_SAME_BYTES,
    WB_SAME_VALUES, /* equal numbers in different dtypes */
    WB_DIFFERENT,
    WB_RESHAPED,
    WB_ONLY_A,
    WB_ONLY_B,
    WB_DIFFERENCE_KINDS
};

struct wb_difference {
    const char *name; /* borrowed from the models */
    enum wb_difference_kind kind;
};

struct wb_difference_list {
    struct wb_difference *tensor; /* in the order of A, then what B has alone */
    size_t count;
    size_t kinds[WB_DIFFERENCE_KINDS]; /* how many of each */
    struct wb_arena arena;
};

/* Compare byte by byte (by hash), or by value where dtypes differ. Reads both models once. Cancel
 * and progress through how; not for a sample. Free with wb_difference_free. */
bool wb_difference_find(const struct wb_eval *how, const struct wb_model *a,
                        const struct wb_model *b, struct wb_difference_list *out,
                        struct wb_err *err);
void wb_difference_free(struct wb_difference_list *list);

#endif
