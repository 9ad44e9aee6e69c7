/* views/screens.c - which screens there are, in the order of their tabs. */
#include "views/screens.h"

#include <stddef.h>

const struct wb_view_ops *const wb_screens[] = {
    &wb_models_view,   &wb_tensors_view, &wb_layers_view,  &wb_heads_view,
    &wb_pipeline_view, &wb_play_view,    &wb_run_view,     &wb_params_view,
    &wb_problems_view, &wb_plugins_view, &wb_console_view, NULL,
};
