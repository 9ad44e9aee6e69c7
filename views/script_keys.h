/* views/script_keys.h - the workbench without a terminal: steps from a file, for tests and pictures.
 *
 * A line is a step; before the next one all work under way is waited for.
 *
 *     # a comment
 *     keys j j Enter C-d        keys by their names
 *     type density              characters, as typed
 *     paste text                the same as one paste
 *     :go tensors               a command
 *     mouse press 5 10          press, double, up, down (wheel) at a row and a column from 0
 *     resize 80x24
 *     wait                      until timers ran out too: toasts gone, a digit become a screen
 *     nowait keys r             a step whose work is not waited for
 *     expect some text          fail unless the screen shows it; refuse: unless it does not
 *     dump                      the screen on standard output; dump styles: with its styles
 *     dump svg FILE             a picture of it
 */
#ifndef WB_VIEWS_SCRIPT_KEYS_H
#define WB_VIEWS_SCRIPT_KEYS_H

#include <stdbool.h>

#include "app/core/err.h"
#include "views/frame.h"

/* Play the file on a screen of rows x cols. WB_ESCRIPT names the line whose expectation failed (and
 * shows the screen), WB_EARG one that is no step. Ends early when a step quits. */
bool wb_script_keys_play(struct wb_frame *f, const char *path, int rows, int cols,
                         struct wb_err *err);

#endif
