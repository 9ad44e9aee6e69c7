/* views/stray.h - what other code writes to stderr while the screen is up.
 *
 * BLAS and drivers print there, and it would land in the middle of the screen. Caught in a pipe,
 * it goes line by line to whoever keeps the log, and the tail is written out at the end. A stderr
 * that is no terminal harms no screen and is left alone. */
#ifndef WB_VIEWS_STRAY_H
#define WB_VIEWS_STRAY_H

#include <stdbool.h>

#include "app/core/err.h"

#define WB_STRAY_TAIL 4096 /* bytes kept for the end */

/* Catch from now on. */
bool wb_stray_catch(struct wb_err *err);
/* Where caught bytes arrive, for poll; -1: nothing is caught. */
int wb_stray_fd(void);
/* Take what arrived; every whole line goes to `line` (may be NULL). true: there was one. */
bool wb_stray_read(void (*line)(void *ctx, const char *text), void *ctx);
/* Let stderr be what it was for a while (true), and catch again. */
void wb_stray_pause(bool pause);
/* Give stderr back and write the tail to it. A signal handler may do it. */
void wb_stray_release(void);

#endif
