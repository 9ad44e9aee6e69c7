/* views/canvas.h - what views draw into: a grid of cells, clipped, without a terminal.
 *
 * A surface owns the cells; a canvas is a window on it, a plain value. Rows and columns count from
 * the window's top left corner; whatever lies outside of the window is not drawn. Text comes from
 * strangers: invalid UTF-8 and control characters become '?', a character that takes no column is
 * dropped, one that takes two and is cut by the edge becomes '>' ('<' at the left). On a screen
 * of ASCII, lines and blocks get their like in ASCII, other characters '?' a column. */
#ifndef WB_VIEWS_CANVAS_H
#define WB_VIEWS_CANVAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "app/core/err.h"
#include "app/core/str.h"
#include "views/theme.h"

struct wb_cell {
    uint32_t ch;    /* code point; 0: the right half of the wide one before */
    uint8_t style;  /* enum wb_style */
    uint8_t attrs;  /* added to the style's */
    int32_t fg, bg; /* WB_COLOUR_NONE: the style's */
};

/* Zero-initialised is empty. */
struct wb_surface {
    struct wb_cell *cell; /* rows * cols; owned */
    int rows, cols;
    int cursor_row, cursor_col; /* of the terminal's cursor; row -1: hidden */
};

struct wb_canvas {
    struct wb_surface *surface;
    const struct wb_theme *theme;
    int row, col;   /* of the window in the surface */
    int rows, cols; /* of the window */
};

/* Blank cells of a new size. */
bool wb_surface_resize(struct wb_surface *s, int rows, int cols, struct wb_err *err);
void wb_surface_free(struct wb_surface *s);

struct wb_canvas wb_canvas_of(struct wb_surface *s, const struct wb_theme *theme);
/* A window in a window, cut to it; may come out with no rows or columns. */
struct wb_canvas wb_canvas_sub(const struct wb_canvas *cv, int row, int col, int rows, int cols);
void wb_canvas_clear(struct wb_canvas *cv);

/* One code point; WB_COLOUR_NONE colours are those of the style. */
void wb_canvas_put(struct wb_canvas *cv, int row, int col, enum wb_style style, uint32_t ch);
void wb_canvas_put_coloured(struct wb_canvas *cv, int row, int col, int32_t fg, int32_t bg,
                            unsigned attrs, uint32_t ch);
/* Text from (row, col) on; gives the columns it took, cut ones not counted. */
int wb_canvas_text(struct wb_canvas *cv, int row, int col, enum wb_style style, const char *text);
int wb_canvas_printf(struct wb_canvas *cv, int row, int col, enum wb_style style, const char *fmt,
                     ...) __attribute__((format(printf, 5, 6)));
/* Text in exactly `width` columns: padded, or cut as wb_text_fit does. */
enum wb_align { WB_ALIGN_LEFT, WB_ALIGN_RIGHT, WB_ALIGN_TEXT /* left; cut at the end */ };
void wb_canvas_fit(struct wb_canvas *cv, int row, int col, int width, enum wb_align align,
                   enum wb_style style, const char *text);
/* Over as many rows as it takes, broken at blanks and line ends; gives the row after the last. */
int wb_canvas_wrap(struct wb_canvas *cv, int row, int col, enum wb_style style, const char *text);
/* The same glyphs in another style: `cols` cells, -1 to the edge. Colours of cells are dropped. */
void wb_canvas_restyle(struct wb_canvas *cv, int row, int col, int cols, enum wb_style style);
/* Add attributes to cells, keep their colours. */
void wb_canvas_add_attrs(struct wb_canvas *cv, int row, int col, int cols, unsigned attrs);
void wb_canvas_fill(struct wb_canvas *cv, int row, int col, int rows, int cols, enum wb_style style,
                    uint32_t ch);
void wb_canvas_hline(struct wb_canvas *cv, int row, int col, int cols);
void wb_canvas_vline(struct wb_canvas *cv, int row, int col, int rows);
/* Show the terminal's cursor here (an input line). */
void wb_canvas_cursor(struct wb_canvas *cv, int row, int col);

/* Columns a character takes: 0, 1 or 2; -1 for what may not reach the screen: control characters,
 * surrogates and the like. The same in every locale. */
int wb_char_width(uint32_t ch);
/* UTF-8 of a character into out, with a NUL; gives its bytes. */
size_t wb_char_encode(uint32_t ch, char out[5]);
/* What stands for a character on a screen of ASCII. */
uint32_t wb_char_ascii(uint32_t ch);
/* Columns of a text as the screen shows it. */
int wb_text_width(const char *text);
/* Decode the next character of text (sanitised as above) and step over it; 0 at the end. */
uint32_t wb_text_next(const char **text, int *width);
/* Make text safe for the screen and at most `width` columns, cut in the middle ("..." from 8
 * columns on, else one sign) keeping more of the tail; into out. */
const char *wb_text_fit(char *out, size_t size, const char *text, int width, bool ascii);
/* The same for sentences: cut at the end. */
const char *wb_text_cut(char *out, size_t size, const char *text, int width, bool ascii);

/* What stands on the surface, for tests and screenshots: lines of text without blanks at their
 * ends, wide characters once. With styles, a block "-- styles" follows, with the letter of each
 * cell's style, '!' where the cell adds attributes, cells of plain text left out at the ends. When
 * cells have colours of their own, a block "-- levels" follows: two lines a row, for the upper
 * and the lower half of its cells, with the place of the colour on a ramp of the theme as 0-9a-z,
 * '~' for other colours, blank where there is none. */
void wb_surface_dump(const struct wb_surface *s, const struct wb_theme *theme, bool styles,
                     struct wb_str *out);
/* The surface as an SVG picture, colours of the theme as they look on a dark background. */
void wb_surface_svg(const struct wb_surface *s, const struct wb_theme *theme, const char *title,
                    struct wb_str *out);

#endif
