/* views/term_internal.h - what the two halves of the terminal share: term.c, which knows curses, and
 * term_read.c, which does not. */
#ifndef WB_VIEWS_TERM_INTERNAL_H
#define WB_VIEWS_TERM_INTERNAL_H

#include "views/input.h"
#include "views/term.h"

#define WB_TERM_PAIRS_MAX 16384
#define WB_TERM_PAIR_SLOTS (2 * WB_TERM_PAIRS_MAX)

/* A cell as curses was given it. */
struct wb_term_cell {
    uint32_t ch;
    int32_t fg, bg; /* numbers of the terminal's colours, -1: its own */
    uint32_t attrs;
};

struct wb_term {
    struct wb_term_options options;
    struct screen *screen; /* curses' */
    enum wb_tier tier;
    bool ascii;
    bool ansi; /* its sequences are those of ECMA-48, or TERM lies */
    bool mouse;
    bool own_colours; /* its own foreground and background can be asked for */
    bool left;        /* lent out */
    bool ended;
    bool resized; /* nobody was told yet */
    bool cursor_on;
    int rows, cols;
    struct wb_term_cell *shown; /* rows * cols; NULL: not known */
    struct {
        int32_t fg, bg;
        int pair; /* 0: free */
    } slot[WB_TERM_PAIR_SLOTS];
    int pairs, pairs_max;
    bool pairs_out; /* the screen being set needs more than there are */
    int escape_ms;
    int64_t bytes_ms; /* when the last bytes came */
    bool late;        /* escape_ms went by since, and there are no others */
    bool logged;      /* nobody was told yet */
    struct wb_input input;
};

/* Stop and come back; group: all of the process group. */
void wb_term_stop(struct wb_term *t, bool group);
/* Somebody else had the terminal without being lent it: our modes, and all of the screen. */
void wb_term_retake(struct wb_term *t);
/* Ask for the window's size and follow it. */
void wb_term_check_size(struct wb_term *t);

#endif
