/* views/screens.h - the screens, one file each. In the order of their tabs: models, tensors, layers,
 * heads, pipeline, play, run, parameters, problems, plugins, console. */
#ifndef WB_VIEWS_SCREENS_H
#define WB_VIEWS_SCREENS_H

#include "views/view.h"

extern const struct wb_view_ops wb_models_view, wb_tensors_view, wb_layers_view, wb_heads_view,
    wb_pipeline_view, wb_play_view, wb_run_view, wb_params_view, wb_problems_view, wb_plugins_view,
    wb_console_view;

/* Over a screen: the evaluation sets, of `:eval`. */
extern const struct wb_view_ops wb_eval_view;

#endif
