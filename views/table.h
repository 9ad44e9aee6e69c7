/* views/table.h - a table that scrolls: columns, rows from a callback, a cursor.
 *
 * The struct lives in the state of a view, which sets what describes the table and keeps the rest
 * between draws. It owns no data: cells are asked for as they are drawn, so that a table of a
 * million rows costs a screenful. Drawing changes nothing. */
#ifndef WB_VIEWS_TABLE_H
#define WB_VIEWS_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "views/action.h"
#include "views/canvas.h"
#include "views/key.h"

struct wb_table_column {
    const char *title;
    int width; /* columns of the screen: exactly, or with flex at least */
    int flex;  /* share of the room that is left; 0: fixed */
    enum wb_align align;
    int priority; /* 0: always there; when the window is narrow, the highest goes first */
};

/* What a callback fills in; empty and of style TEXT before. */
struct wb_table_cell {
    char text[256];      /* UTF-8 of any origin: the table makes it safe and cuts it */
    const char *longer;  /* instead of text, for longer ones; borrowed until the next call */
    enum wb_style style; /* under the cursor the cursor's style wins, this one's attributes stay */
};

struct wb_table {
    /* Set by the view. */
    const struct wb_table_column *column; /* borrowed */
    int columns;
    size_t rows;
    void (*cell)(void *user, size_t row, int column, struct wb_table_cell *cell);
    bool (*marked)(void *user, size_t row); /* NULL: there are no marks */
    void *user;
    const char *empty; /* said when there are no rows; NULL: nothing */
    bool no_header;
    int sort; /* the column it is sorted by, -1: none; sorting itself is the view's */
    bool reverse;
    /* Kept between draws. */
    size_t cursor; /* row; < rows, or 0 when there are none */
    size_t top;    /* first row shown, as of the last action; see wb_table_top */
};

/* Header, rows, cursor line; the window's right column is a scroll bar when rows do not fit. */
void wb_table_draw(const struct wb_table *t, struct wb_canvas *cv, bool focused);

/* Rows that a window of `rows` lines shows: less one for the header. At least 1. */
size_t wb_table_page(const struct wb_table *t, int rows);
/* The first row shown with such a page: top, moved as little as it takes for the cursor to be seen
 * and for the page to be full. */
size_t wb_table_top(const struct wb_table *t, size_t page);

/* UP DOWN FIRST LAST PAGE_UP PAGE_DOWN HALF_UP HALF_DOWN, count times (less than 1 counts as 1;
 * with more, FIRST and LAST go to that row, counted from 1). Sets right a cursor beyond the rows.
 * False: the action is none of these. */
bool wb_table_act(struct wb_table *t, enum wb_action action, int count, size_t page);
/* Put the cursor on a row, clamped, and scroll to it. */
void wb_table_select(struct wb_table *t, size_t row, size_t page);
/* After rows were added or removed: the cursor stays in range. */
void wb_table_set_rows(struct wb_table *t, size_t rows);

enum wb_table_hit {
    WB_TABLE_NOTHING,
    WB_TABLE_SELECTED, /* the cursor moved to the row that was clicked */
    WB_TABLE_OPENED,   /* double click: as Enter */
    WB_TABLE_SORTED,   /* a title: sort and reverse are set, the view sorts its rows */
    WB_TABLE_SCROLLED,
};
/* A mouse event at a place in the window that the table was drawn into, of that size. */
enum wb_table_hit wb_table_mouse(struct wb_table *t, struct wb_mouse mouse, int rows, int cols);
/* SORT and SORT_REVERSE as keys: the next column, the other direction. False: another action. */
bool wb_table_sort_act(struct wb_table *t, enum wb_action action);

/* Put the cursor on the next row (direction 1) that matches, the one before (-1), or the first from the
 * cursor on (0), going round; false: none does. */
bool wb_table_search(struct wb_table *t, size_t page, int direction, const char *text,
                     bool (*matches)(const void *user, size_t row, const char *text),
                     const void *user);

#endif
