/* app/probe/csv.h - grids of numbers as CSV (RFC 4180: CRLF, quotes where a field needs them). */
#ifndef WB_PROBE_CSV_H
#define WB_PROBE_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/str.h"

/* One field: text quoted if it holds a comma, a quote or a line end; a number as %.9g, NaN as an
 * empty field. `first` fields of a line have no comma in front. */
void wb_csv_text(struct wb_str *s, bool first, const char *text);
void wb_csv_number(struct wb_str *s, bool first, double value);
void wb_csv_end(struct wb_str *s);

/* A head line (corner, then columns), then a line a row: its name and its numbers. value has rows *
 * columns of them. */
void wb_csv_grid(struct wb_str *s, const char *corner, const char *const *row, size_t rows,
                 const char *const *column, size_t columns, const double *value);

#endif
