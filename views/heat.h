/* views/heat.h - a heatmap of a matrix, with labels, legend and a cursor (tui.md section 6).
 *
 * A value that is not there yet is wb_heat_missing(), a place where none can be wb_heat_blank(): NaNs
 * with payloads of their own, so that one array of floats says all. They are drawn as 'x' and as
 * nothing, any other NaN as 'N', all outside of the ramp.
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
#define WB_HEAT_BLANK_BITS 0x7FC0A111u

static inline float wb_heat_missing(void)
{
    uint32_t bits = WB_HEAT_MISSING_BITS;
    float v;

    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline float wb_heat_blank(void)
{
    uint32_t bits = WB_HEAT_BLANK_BITS;
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

static inline bool wb_heat_is_blank(float v)
{
    uint32_t bits;

    memcpy(&bits, &v, sizeof bits);
    return bits == WB_HEAT_BLANK_BITS;
}

struct wb_heat_axis {
    const char *const
        *label; /* one a row or column, borrowed; NULL: the numbers first, first + 1, … */
    int first;
    bool names; /* every label matters (roles, models): cut or written downwards when narrow;
                 * else only every 4th, 8th, … is shown */
};

struct wb_heat {
    int rows, cols;
    const float *value; /* (rows, cols), row-major; borrowed */
    float min, max;     /* range of the quantity */
    bool automatic;     /* the range of the finite values instead; the legend says so */
    bool self;          /* rows and columns are the same things: what one is to itself says nothing,
                           * and is left out of the automatic range */
    bool diverging;     /* the ramp with a middle: zero where the range has it on both sides,
                           * which then reaches as far down as up; else the middle of the range */
    bool symmetric;     /* the legend says so */
    bool stretch;       /* cells as wide as their column's name and the window allow, never
                           * joined into blocks: for tables such as layer by role */
    const char *quantity; /* "linear CKA", for the legend; NULL: none */
    struct wb_heat_axis row_axis, col_axis;
    /* Kept by the view. */
    int row, col;  /* cell under the cursor; -1: no cursor */
    int top, left; /* first cell shown when not all fit; corrected so that the cursor is seen */
    int zoom;      /* 0: the largest that fits, or else blocks; n > 0: n columns a cell, scrolled
                    * when that is too large; -m: blocks of m x m cells, their mean shown */
};

enum wb_heat_how {
    WB_HEAT_HALF,  /* half blocks: two colours in a cell of the screen */
    WB_HEAT_WHOLE, /* blanks, or in ASCII digits, on a colour */
    WB_HEAT_GLYPH, /* shades, digits, signs */
};

/* A unit is what is drawn as one: a cell of the matrix, or a block of them. Places are relative to
 * the window; heights of units count half rows of the screen. */
struct wb_heat_layout {
    enum wb_heat_how how;
    int block;                  /* cells of the matrix along a side of a unit */
    int unit_rows, unit_cols;   /* units that the matrix has */
    int zoom;                   /* as drawn: 1, 2, 3 … */
    int width, halves;          /* of a unit: columns, half rows; even unless WB_HEAT_HALF */
    int label_cols;             /* left of the map: cursor sign, label, blank */
    int map_row, map_col;       /* where the map starts; labels of the columns end above it */
    int map_rows, map_cols;     /* room for it */
    int top, left;              /* first unit shown */
    int shown_rows, shown_cols; /* units shown */
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
/* The label of a row or column, into out when it is a number. */
const char *wb_heat_label(const struct wb_heat_axis *axis, int i, char *out, size_t size);
/* What a unit shows: the value of its cell, or the mean of the cells of its block that are there;
 * NaN if one of them is, blank if all are. */
float wb_heat_unit(const struct wb_heat *h, const struct wb_heat_layout *layout, int unit_row,
                   int unit_col);
/* The value of a cell as text: "0.6213", "not computed", "NaN"; "--" of a blank one. */
const char *wb_heat_text(const struct wb_heat *h, int row, int col, char *out, size_t size);

/* UP DOWN LEFT RIGHT, FIRST and LAST (row; with a count above 1 that row), PAGE_* and HALF_* move
 * the cursor, ZOOM_IN and ZOOM_OUT change the zoom, RANGE flips automatic. The window's size
 * decides about pages and scrolling. False: none of these. */
bool wb_heat_act(struct wb_heat *h, enum wb_action action, int count, const struct wb_theme *theme,
                 int rows, int cols);
/* A click moves the cursor, the wheel moves it by a row. False: nothing happened. */
bool wb_heat_mouse(struct wb_heat *h, struct wb_mouse mouse, const struct wb_theme *theme, int rows,
                   int cols);

#endif
