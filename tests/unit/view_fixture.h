/* tests/unit/view_fixture.h - a desk and the frame on it, without a terminal: keys in, screens out. */
#ifndef WB_TEST_VIEW_FIXTURE_H
#define WB_TEST_VIEW_FIXTURE_H

#include "app/arch/arch.h"
#include "views/desk.h"
#include "views/doc.h"
#include "views/frame.h"

struct view_fixture {
    char dir[64]; /* temporary; everything that is written lies here */
    struct wb_arch_set *set;
    struct wb_theme theme;
    struct wb_desk *desk;
    struct wb_frame *frame;
    int rows, cols;
    struct wb_err err;
};

/* A desk with the families and plugins of the source tree, nothing open, no session. */
void view_fixture_open(struct view_fixture *f, int rows, int cols);
void view_fixture_close(struct view_fixture *f);
/* Until nothing is at work; fails after a minute. Draws. */
void view_fixture_settle(struct view_fixture *f);
/* Keys as in keys.h, one after the other, each drawn; does not wait for work. */
void view_fixture_keys(struct view_fixture *f, const char *keys);
/* A command behind `:`; fails with its error. */
void view_fixture_command(struct view_fixture *f, const char *line);
/* Press at a place of the whole screen. */
void view_fixture_mouse(struct view_fixture *f, enum wb_mouse_kind kind, int row, int col);
/* "$D/x" with the temporary directory in place of $D, in one of a few static buffers. */
const char *view_fixture_path(const struct view_fixture *f, const char *text);
void view_fixture_write(const struct view_fixture *f, const char *path, const char *text);
/* Does the screen show this text? Fails with the screen when not as expected. */
void view_fixture_shows(struct view_fixture *f, const char *text);
void view_fixture_hides(struct view_fixture *f, const char *text);
/* The view that is shown, with the status row below it, against tests/data/screens/NAME.txt. */
void view_fixture_is_file(struct view_fixture *f, const char *name);

#endif
