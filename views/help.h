/* views/help.h - views over the others: help, made from the tables, and the log. */
#ifndef WB_VIEWS_HELP_H
#define WB_VIEWS_HELP_H

#include "views/view.h"

struct wb_frame;

/* Help of the view that is shown: its keys as they are bound now, the frame's keys, commands. */
void wb_help_show(struct wb_frame *f);
/* What was said so far. */
extern const struct wb_view_ops wb_messages_view;

#endif
