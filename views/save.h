/* views/save.h - what a view shows, written to a file the user named.
 *
 * Asks before a file is replaced, and waits for the disk on a task: one file at a time. The text is
 * made when it is asked for, so that the file has what was on the screen then. */
#ifndef WB_VIEWS_SAVE_H
#define WB_VIEWS_SAVE_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/str.h"

struct wb_desk;
struct wb_task;
struct wb_view;
struct wb_save_work;

/* Of the desk; zeroed is nothing under way. */
struct wb_save {
    struct wb_save_work *asked; /* waits for the user's yes; owned */
    struct wb_task *task;
    char path[1000]; /* what the task writes */
};

/* Write the text, which is moved, for v. Says why not: read-only, no text, one is being written. */
void wb_save_text(struct wb_view *v, const char *path, struct wb_str *text);
/* Is it for numbers (.csv) or a picture (.svg)? false, and says so: for neither. */
bool wb_save_map_kind(struct wb_desk *desk, const char *path, bool *csv);
/* Make a name proposed for a file one: without folders and blanks. Gives the name. */
const char *wb_save_name(char *name);

/* For the desk. Says what was written; true when one ended. */
bool wb_save_poll(struct wb_desk *desk);
void wb_save_free(struct wb_save *s);

#endif
