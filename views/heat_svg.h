/* views/heat_svg.h - a heatmap as a picture for a report: all cells, all labels that fit, a legend.
 *
 * Not a picture of the screen: it is drawn anew, on white, in the full ramp whatever the terminal. */
#ifndef WB_VIEWS_HEAT_SVG_H
#define WB_VIEWS_HEAT_SVG_H

#include "app/core/str.h"
#include "views/heat.h"
#include "views/theme.h"

struct wb_heat_picture {
    const struct wb_heat *heat; /* cursor, zoom and scrolling do not count */
    enum wb_colormap colormap;
    const char *title, *note;          /* two lines above the map; NULL: none */
    const char *row_title, *col_title; /* what rows and columns are: "layer"; NULL: none */
};

/* Cells of maps up to a few hundred bear their numbers; up to a few thousand they tell place and
 * value when pointed at; larger ones join cells of one colour. */
void wb_heat_svg(const struct wb_heat_picture *p, struct wb_str *out);

#endif
