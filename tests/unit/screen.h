/* tests/unit/screen.h - a surface to draw on in tests, and comparing what stands on it.
 *
 * Expected screens are tests/data/screens/NAME.txt; WB_GOLDEN=1 in the environment writes them
 * instead of comparing (then read the difference). */
#ifndef WB_TEST_SCREEN_H
#define WB_TEST_SCREEN_H

#include "views/canvas.h"

struct screen {
    struct wb_surface surface;
    struct wb_theme theme;
    struct wb_canvas cv;
};

void screen_open(struct screen *s, int rows, int cols, enum wb_tier tier, bool ascii);
void screen_close(struct screen *s);
/* The dump against a text written out in the test; without styles. */
void screen_is(const struct screen *s, const char *expected);
/* The dump, with styles and levels, against a file. */
void screen_is_file(const struct screen *s, const char *name);
/* Every cell holds what may reach a terminal, and wide characters have their halves. */
void screen_is_sound(const struct screen *s);

#endif
