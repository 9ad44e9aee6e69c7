/* tests/tui/vt.h - a terminal without a window: what a program sends, as cells.
 *
 * The subset that curses and the workbench use with TERM=xterm-256color, linux, screen, vt100 and
 * xterm-direct. It stops at the first sequence that it does not know, and says which: a screen
 * that is guessed at would prove nothing. Widths are those of the C library in a UTF-8 locale. */
#ifndef WB_TESTS_VT_H
#define WB_TESTS_VT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/str.h"

enum vt_attr { VT_BOLD = 1, VT_DIM = 2, VT_REVERSE = 4, VT_UNDERLINE = 8 };
#define VT_DEFAULT (-1)    /* a colour: the terminal's own */
#define VT_RGB (0x1000000) /* | 0xRRGGBB; else a number of the palette */

struct vt_cell {
    uint32_t ch; /* 0: the right half of a wide one */
    int32_t fg, bg;
    unsigned attrs;
};

struct vt {
    int rows, cols;
    struct vt_cell *cell;                              /* rows * cols, of the screen that shows */
    int row, col;                                      /* of the cursor */
    bool cursor;                                       /* it can be seen */
    bool alternate;                                    /* the alternate screen is up */
    bool mouse, mouse_sgr, paste, keypad, cursor_keys; /* modes that are on */
    struct wb_str clipboard;                           /* base64, as the last OSC 52 had it */
    char unknown[120];                                 /* the sequence that stopped it; "": none */

    /* Its own affairs. */
    struct vt_cell *other; /* the cells of the screen that does not show */
    struct vt_cell pen;
    int saved_row, saved_col, top, bottom; /* bottom is exclusive */
    bool wrap, wrap_next, insert, graphics[2];
    int charset;
    uint32_t last; /* character, for REP */
    char pending[65536];
    size_t pending_n;
};

void vt_init(struct vt *vt, int rows, int cols); /* aborts without memory */
void vt_free(struct vt *vt);
void vt_resize(struct vt *vt, int rows, int cols);
/* false: it met something unknown, now or before. */
bool vt_feed(struct vt *vt, const char *bytes, size_t n);

/* A row as UTF-8 without trailing blanks, into out. */
void vt_row(const struct vt *vt, int row, struct wb_str *out);
/* All rows, a line each. */
void vt_dump(const struct vt *vt, struct wb_str *out);
const struct vt_cell *vt_at(const struct vt *vt, int row, int col);

#endif
