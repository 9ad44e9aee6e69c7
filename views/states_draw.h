/* views/states_draw.h - what the two files of the states pane share. */
#ifndef WB_VIEWS_STATES_DRAW_H
#define WB_VIEWS_STATES_DRAW_H

#include "views/box.h"
#include "views/states_pane.h"

/* Maps with their title and a line of words; the second has no rows when one is shown. */
struct states_parts {
    struct wb_rect map[2], bars;
};

struct states_parts wb_states_layout(const struct states_pane *p, int rows, int cols);
/* What is known of the current (0) or the other model (1); NULL: nothing yet. */
const struct states_answer *wb_states_answer(const struct states_pane *p, int which);
/* After an answer or what is shown of it changed. */
void wb_states_pane_prepare(struct states_pane *p);
/* The other map's cursor goes where the first one's went. */
void wb_states_pane_follow(struct states_pane *p);
const char *wb_states_metric_name(int metric);
void wb_states_pane_title(const struct wb_view *v, const struct states_pane *p, int which,
                          char *out, size_t size);

#endif
