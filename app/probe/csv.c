/* app/probe/csv.c - fields, lines and grids of CSV. */
#include "app/probe/csv.h"

#include <math.h>
#include <string.h>

static void separate(struct wb_str *s, bool first)
{
    if (!first)
        wb_str_add(s, ",");
}

void wb_csv_text(struct wb_str *s, bool first, const char *text)
{
    separate(s, first);
    if (strpbrk(text, ",\"\r\n") == NULL) {
        wb_str_add(s, text);
        return;
    }
    wb_str_add(s, "\"");
    for (; *text != '\0'; text++)
        wb_str_add_n(s, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
    wb_str_add(s, "\"");
}

void wb_csv_number(struct wb_str *s, bool first, double value)
{
    separate(s, first);
    if (!isnan(value))
        wb_str_printf(s, "%.9g", value);
}

void wb_csv_end(struct wb_str *s)
{
    wb_str_add(s, "\r\n");
}

void wb_csv_grid(struct wb_str *s, const char *corner, const char *const *row, size_t rows,
                 const char *const *column, size_t columns, const double *value)
{
    wb_csv_text(s, true, corner);
    for (size_t c = 0; c < columns; c++)
        wb_csv_text(s, false, column[c]);
    wb_csv_end(s);
    for (size_t r = 0; r < rows; r++) {
        wb_csv_text(s, true, row[r]);
        for (size_t c = 0; c < columns; c++)
            wb_csv_number(s, false, value[r * columns + c]);
        wb_csv_end(s);
    }
}
