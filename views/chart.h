/* views/chart.h - small charts: sparkline, bar, slider, progress, histogram.
 *
 * With UTF-8 in eighth blocks, else in ASCII. NaN is a gap everywhere. */
#ifndef WB_VIEWS_CHART_H
#define WB_VIEWS_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "views/canvas.h"

/* One column an item; with more items than columns, each column is the mean of as many. */
struct wb_spark {
    const float *value; /* n of them; borrowed. NaN: a gap */
    size_t n;
    float min, max; /* bottom and top; min >= max: taken from the values, bottom then is 0 unless
                      * a value lies below it or from_min is set */
    bool from_min;  /* the bottom is the least value, not 0; say so beside it */
};

/* The sparkline as text for a line or a table cell, at most `width` columns; into out (3 bytes a
 * column and a NUL). */
const char *wb_spark_text(char *out, size_t size, const struct wb_spark *spark, int width,
                          bool ascii);
/* The range that it uses, to print beside it; false when no value is finite. */
bool wb_spark_range(const struct wb_spark *spark, float *min, float *max);
/* Gives the columns that it took. */
int wb_spark_draw(struct wb_canvas *cv, int row, int col, int width, enum wb_style style,
                  const struct wb_spark *spark);

/* A bar from the left, `share` of `width` columns full (clamped; NaN is empty), in eighths. */
void wb_bar_draw(struct wb_canvas *cv, int row, int col, int width, enum wb_style style,
                 double share);

/* "[#######......]", `width` with the brackets; the share that a click on a column means. */
void wb_slider_draw(struct wb_canvas *cv, int row, int col, int width, enum wb_style style,
                    double share);
double wb_slider_at(int width, int col);

/* "[######......]  41.2%", `width` with the percentage. NaN: not known, an empty bar and "--". */
void wb_progress_draw(struct wb_canvas *cv, int row, int col, int width, double share);

/* Counts in bins of equal width over [min, max]; what lies outside is counted apart. */
struct wb_histogram_chart {
    const uint64_t *count; /* bins of them; borrowed */
    size_t bins;
    double min, max;            /* of the first and the last bin's outer edges */
    uint64_t below, above, nan; /* outliers and values that are no number */
    bool log;                   /* bar lengths by the logarithm of 1 + count; labelled "log" */
};

/* A bin a line ("-0.0500 |####      181,204"), neighbours joined when there are fewer lines; the
 * last line tells the scale and the outliers. Fills the window. */
void wb_histogram_draw(struct wb_canvas *cv, const struct wb_histogram_chart *h);

#endif
