/* views/heat.h - a heatmap of a matrix, with labels, legend and a cursor (tui.md section 6).
 *
 * A value that is not there yet is wb_heat_missing(), a NaN with a payload of its own, so that one
 * array of floats says all: it is drawn as 'x', any other NaN as 'N', both outside of the ramp.
 *
 * Where everything goes is computed by wb_heat_layout from the heatmap and the size of the window
 * alone; drawing, mouse and scrolling use the same. */
#ifndef WB_VIEWS_HEAT_H
#define WB_VIEWS_HEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "views/action.h"
#include "views/canvas.h"
#include "views/key.h"

#define WB_HEAT_MISSING_BITS 0x7FC0A110u

static inline float wb_heat_missing(void)
{
    uint32_t bits = WB_HEAT_MISSING_BITS;
    float v;

    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline bool wb_heat_is_missing(float v)
{
    uint32_t bits;

    memcpy(&bits, &v, sizeof bits);
    return bits == WB_HEAT_MISSING_BITS;
}

struct wb_heat_axis {
    const char *const *label; /* n of them, borrowed; NULL: the numbers first, first + 1, … */
    int first;
    bool names; /* every label matters (roles, models): cut or written downwards when narrow;
                 * else those at every 4th, 8th, … place */
};

struct wb_heat {
    int rows, cols;
    const float *value;   /* (rows, cols), row-major; borrowed */
    float min, max;       /* range of the quantity */
    bool automatic;       /* the range of the finite values instead; the legend says so */
    bool diverging;       /* the ramp with a middle: zero, or the middle of the range */
    bool symmetric;       /* the legend says so */
    bool stretch;         /* cells as wide as their column's name and the window allow: for
                             * tables such as layer by role, where squares mean nothing */
    const char *quantity; /* "linear CKA", for the legend; NULL: none */
    struct wb_heat_axis row_axis, col_axis;
    /* Kept by the view. */
    int row, col;  /* cell under the cursor; -1: no cursor */
    int top, left; /* first cell shown when it does not fit; corrected so that the cursor is seen */
    int zoom;      /* 0: the largest that fits, or else blocks; n > 0: n columns a cell, scrolled;
                    * -m: blocks of m x m cells, their mean shown */
};

enum wb_heat_how {
    WB_HEAT_HALF,  /* half blocks: two colours in a cell of the screen */
    WB_HEAT_WHOLE, /* blanks on a colour */
    WB_HEAT_GLYPH, /* shades, digits */
};

/* All in cells of the screen and relative to the window, but half rows where it says so. */
struct wb_heat_layout {
    enum wb_heat_how how;
    int block;                  /* matrix cells a side behind one drawn; 1: none are joined */
    int units_rows, units_cols; /* the matrix in blocks */
    int zoom;                   /* as drawn */
    int unit_cols;              /* columns of one */
    int unit_halves;            /* half rows of one; even unless WB_HEAT_HALF */
    int map_row, map_col;       /* where the map starts: below and right of the labels */
    int map_rows, map_cols;     /* room for it */
    int label_rows, label_cols; /* of the labels above; of those at the left, with their blanks */
    int top, left;              /* first unit shown */
    int shown_rows, shown_cols; /* units shown, the last perhaps in part */
    int legend_row;             /* -1: no room */
    float min, max;             /* the range used */
};

void wb_heat_layout(const struct wb_heat *h, const struct wb_theme *theme, int rows, int cols,
                    struct wb_heat_layout *layout);
/* Map, labels, and the legend in the last line. Fills the window. */
void wb_heat_draw(struct wb_canvas *cv, const struct wb_heat *h);
/* The legend alone, in one line of a canvas: ramp with its ends and middle, range, zoom or rule of
 * the blocks, what 'x' and 'N' mean if they occur. Gives its width. */
int wb_heat_legend(struct wb_canvas *cv, int row, int col, const struct wb_heat *h,
                   const struct wb_heat_layout *layout);
/* The matrix cell at a place of the window (the first of a block); false: not on the map. */
bool wb_heat_at(const struct wb_heat *h, const struct wb_heat_layout *layout, int row, int col,
                int *cell_row, int *cell_col);
/* The value of a cell as text: "0.6213", "not computed", "NaN". */
const char *wb_heat_text(const struct wb_heat *h, int row, int col, char *out, size_t size);

/* UP DOWN LEFT RIGHT FIRST LAST (first and last row) PAGE_* HALF_* move the cursor, ZOOM_IN and
 * ZOOM_OUT change the zoom, RANGE flips automatic. The window's size decides about pages and
 * scrolling. False: none of these. */
bool wb_heat_act(struct wb_heat *h, enum wb_action action, int count, const struct wb_theme *theme,
                 int rows, int cols);
/* A click moves the cursor, the wheel moves it by a row. False: nothing happened. */
bool wb_heat_mouse(struct wb_heat *h, struct wb_mouse mouse, const struct wb_theme *theme, int rows,
                   int cols);

#endif
