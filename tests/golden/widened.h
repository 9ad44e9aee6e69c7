/* tests/golden/widened.h - a model in float32, as the references were measured. */
#ifndef TESTS_GOLDEN_WIDENED_H
#define TESTS_GOLDEN_WIDENED_H

#include "app/graph/model.h"

/* The model with all its tensors as float32, as a run with --dtype f32 would write it; takes the
 * reference. */
static inline struct wb_model *widened(struct wb_model *model)
{
    struct wb_err err;
    struct wb_model *draft = wb_model_derive(model, &err);

    assert_non_null(draft);
    for (size_t i = 0; i < wb_model_count(model); i++) {
        const struct wb_entry *e = wb_model_entry(model, i);
        struct wb_node *wide = wb_node_as(e->node, WB_DTYPE_F32, &err);

        assert_non_null(wide);
        assert_true(wb_model_set(draft, e->name, wide, &err));
        wb_node_unref(wide);
    }
    assert_true(wb_model_freeze(draft, &err));
    wb_model_unref(model);
    return draft;
}

#endif
