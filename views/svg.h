/* views/svg.h - text in SVG, for those that draw some. */
#ifndef WB_VIEWS_SVG_H
#define WB_VIEWS_SVG_H

#include <stdint.h>

#include "app/core/str.h"

/* One character, as text of an element or within an attribute's double quotes. */
void wb_svg_add_char(struct wb_str *out, uint32_t ch);
/* A text of any origin, made safe as for the screen. */
void wb_svg_add_text(struct wb_str *out, const char *text);

#endif
