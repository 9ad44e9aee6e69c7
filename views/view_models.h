/* views/view_models.h - the inside of the models view, for its files alone. */
#ifndef WB_VIEWS_VIEW_MODELS_H
#define WB_VIEWS_VIEW_MODELS_H

#include "app/core/task.h"
#include "app/probe/delta.h"
#include "app/probe/relation.h"
#include "views/desk.h"
#include "views/table.h"
#include "views/view.h"

#define MODELS_DETAIL_COLS 100 /* from here on the detail pane stands at the right, else below */
#define MODELS_DETAIL_ROWS 9
#define MODELS_LAYERS_MAX 512

/* How two models differ: first on a sample of the values, by layer; on demand byte for byte. */
struct models_comparison {
    uint64_t a, b; /* ids on the desk; 0: none */
    struct wb_task *task, *exact_task;
    struct models_comparing *task_ctx;
    struct models_finding *exact_ctx;
    bool known, exact_known;
    struct wb_delta total;
    float layer[MODELS_LAYERS_MAX]; /* relative L2 of each layer */
    size_t layers;
    size_t kinds[WB_DIFFERENCE_KINDS];
    struct wb_err err, exact_err;
};

struct models {
    struct wb_table table;
    size_t *order; /* rows -> models of the desk */
    struct models_comparison versus;
    unsigned long seen; /* version of the desk */
};

/* The model of a row of the table; NULL beyond them. */
const struct wb_desk_model *wb_models_at(const struct wb_view *v, size_t row);
/* "4/2": query and key/value heads; "" when not known. */
void wb_models_heads(const struct wb_dims *dims, char *out, size_t size);

/* Comparing (models_compare.c): begin to compare the current model with the one it comes from, unless
 * that is known or at work; byte for byte on demand. */
void wb_models_want_comparison(struct wb_view *v);
void wb_models_want_exact(struct wb_view *v);
/* Take what came; true: something to see changed. */
bool wb_models_poll_comparison(struct models_comparison *c);
void wb_models_drop_comparison(struct models_comparison *c);

/* Drawing (models_draw.c) */
void wb_models_draw(const struct wb_view *v, struct wb_canvas *cv);

#endif
