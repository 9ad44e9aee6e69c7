/* views/chart.c - small charts. */
#include "views/chart.h"

#include <math.h>
#include <string.h>

#include "views/number.h"

enum { EIGHTHS = 8, FULL_BLOCK = 0x2588 };

static double clamp_share(double share)
{
    return isnan(share) ? 0 : fmin(fmax(share, 0), 1);
}

/* ---- sparkline ---- */

bool wb_spark_range(const struct wb_spark *spark, float *min, float *max)
{
    bool any = false;

    *min = spark->min;
    *max = spark->max;
    if (spark->min < spark->max)
        return true;
    for (size_t i = 0; i < spark->n; i++) {
        float v = spark->value[i];

        if (!isfinite(v))
            continue;
        *min = any && *min < v ? *min : v;
        *max = any && *max > v ? *max : v;
        any = true;
    }
    if (any && !spark->from_min && *min > 0)
        *min = 0;
    return any;
}

/* The mean of the items first .. end - 1; NaN when none is a number. */
static float mean(const struct wb_spark *spark, size_t first, size_t end)
{
    double sum = 0;
    size_t n = 0;

    for (size_t i = first; i < end; i++)
        if (!isnan(spark->value[i])) {
            sum += spark->value[i];
            n++;
        }
    return n == 0 ? NAN : (float)(sum / (double)n);
}

/* Column i of n columns; 0: a gap. Values of a range without extent stand at its bottom. */
static uint32_t spark_glyph(const struct wb_spark *spark, size_t i, size_t n, float min, float max,
                            bool ascii)
{
    static const char levels[] = ".:-=+*#%@";
    float v = mean(spark, i * spark->n / n, (i + 1) * spark->n / n);
    float t = min < max ? fminf(fmaxf((v - min) / (max - min), 0), 1) : 0;

    if (isnan(v))
        return ' ';
    if (ascii)
        return (uint32_t)levels[(int)(t * (float)(sizeof levels - 2) + 0.5f)];
    return 0x2581 + (uint32_t)(t * (EIGHTHS - 1) + 0.5f);
}

const char *wb_spark_text(char *out, size_t size, const struct wb_spark *spark, int width,
                          bool ascii)
{
    size_t columns = width < 0 ? 0 : (size_t)width, at = 0;
    float min, max;

    columns = columns < spark->n ? columns : spark->n;
    wb_spark_range(spark, &min, &max);
    for (size_t i = 0; i < columns; i++) {
        char bytes[5];
        size_t n = wb_char_encode(spark_glyph(spark, i, columns, min, max, ascii), bytes);

        if (at + n >= size)
            break;
        memcpy(out + at, bytes, n);
        at += n;
    }
    if (size > 0)
        out[at] = '\0';
    return out;
}

int wb_spark_draw(struct wb_canvas *cv, int row, int col, int width, enum wb_style style,
                  const struct wb_spark *spark)
{
    size_t columns = width < 0 ? 0 : (size_t)width;
    float min, max;

    columns = columns < spark->n ? columns : spark->n;
    wb_spark_range(spark, &min, &max);
    for (size_t i = 0; i < columns; i++)
        wb_canvas_put(cv, row, col + (int)i, style,
                      spark_glyph(spark, i, columns, min, max, cv->theme->ascii));
    return (int)columns;
}

/* ---- bars ---- */

void wb_bar_draw(struct wb_canvas *cv, int row, int col, int width, enum wb_style style,
                 double share)
{
    int parts = cv->theme->ascii ? 1 : EIGHTHS;
    int full = (int)(clamp_share(share) * width * parts + 0.5);

    if (width <= 0)
        return;
    if (full == 0 && share > 0)
        full = 1; /* little is not nothing */
    wb_canvas_fill(cv, row, col, 1, width, WB_STYLE_TEXT, ' ');
    wb_canvas_fill(cv, row, col, 1, full / parts, style, parts == 1 ? '#' : FULL_BLOCK);
    if (full % parts != 0)
        wb_canvas_put(cv, row, col + full / parts, style,
                      FULL_BLOCK + EIGHTHS - (uint32_t)(full % parts));
}

void wb_slider_draw(struct wb_canvas *cv, int row, int col, int width, enum wb_style style,
                    double share)
{
    int inner = width - 2, full;

    if (inner < 0)
        return;
    full = (int)(clamp_share(share) * inner + 0.5);
    wb_canvas_put(cv, row, col, WB_STYLE_BAR_EMPTY, '[');
    wb_canvas_fill(cv, row, col + 1, 1, full, style, '#');
    wb_canvas_fill(cv, row, col + 1 + full, 1, inner - full, WB_STYLE_BAR_EMPTY, '.');
    wb_canvas_put(cv, row, col + 1 + inner, WB_STYLE_BAR_EMPTY, ']');
}

double wb_slider_at(int width, int col)
{
    return width <= 2 ? 0 : clamp_share((double)col / (width - 2));
}

void wb_progress_draw(struct wb_canvas *cv, int row, int col, int width, double share)
{
    enum { PERCENT = 7 }; /* "  41.2%" */
    char text[32] = "--";

    if (width <= PERCENT)
        return;
    wb_slider_draw(cv, row, col, width - PERCENT, WB_STYLE_BAR, share);
    if (!isnan(share))
        wb_number_percent(text, sizeof text, clamp_share(share));
    wb_canvas_fit(cv, row, col + width - PERCENT, PERCENT, WB_ALIGN_RIGHT, WB_STYLE_TEXT, text);
}

/* ---- histogram ---- */

/* Bins as they are drawn: `joined` of them a line. */
struct bars {
    size_t joined, lines;
    uint64_t most;
    int label_cols, count_cols;
};

static uint64_t line_count(const struct wb_histogram_chart *h, const struct bars *b, size_t line)
{
    uint64_t sum = 0;

    for (size_t i = line * b->joined; i < (line + 1) * b->joined && i < h->bins; i++)
        sum += h->count[i];
    return sum;
}

/* The middle of a line's bins. */
static const char *line_label(const struct wb_histogram_chart *h, const struct bars *b, size_t line,
                              char *out, size_t size)
{
    size_t first = line * b->joined, end = first + b->joined;
    double width = (h->max - h->min) / (double)h->bins, middle;

    end = end < h->bins ? end : h->bins;
    middle = h->min + width * (double)(first + end) / 2;
    if (fabs(middle) < 1e-9 * fabs(width)) /* rounding of the sum, not a place */
        middle = 0;
    return wb_number(out, size, middle);
}

static struct bars measure(const struct wb_histogram_chart *h, int rows)
{
    size_t lines = rows > 1 ? (size_t)rows - 1 : 1;
    struct bars b = { .joined = (h->bins + lines - 1) / lines };
    char text[32];

    b.lines = b.joined == 0 ? 0 : (h->bins + b.joined - 1) / b.joined;
    for (size_t i = 0; i < b.lines; i++) {
        uint64_t count = line_count(h, &b, i);
        int width = wb_text_width(line_label(h, &b, i, text, sizeof text));

        b.most = count > b.most ? count : b.most;
        b.label_cols = width > b.label_cols ? width : b.label_cols;
    }
    b.count_cols = wb_text_width(wb_number_grouped(text, sizeof text, b.most));
    return b;
}

static double bar_share(const struct wb_histogram_chart *h, uint64_t count, uint64_t most)
{
    if (most == 0)
        return 0;
    return h->log ? log1p((double)count) / log1p((double)most) : (double)count / (double)most;
}

static void draw_footer(struct wb_canvas *cv, int row, const struct wb_histogram_chart *h)
{
    const struct {
        const char *name;
        uint64_t count;
    } apart[] = { { "below", h->below }, { "above", h->above }, { "NaN", h->nan } };
    int col = wb_canvas_text(cv, row, 0, WB_STYLE_DIM, h->log ? "bars log(1+n)" : "bars linear");

    for (size_t i = 0; i < sizeof apart / sizeof apart[0]; i++)
        if (apart[i].count > 0) {
            char text[32];

            wb_number_grouped(text, sizeof text, apart[i].count);
            col +=
                wb_canvas_printf(cv, row, col, WB_STYLE_WARNING, "   %s %s", apart[i].name, text);
        }
}

void wb_histogram_draw(struct wb_canvas *cv, const struct wb_histogram_chart *h)
{
    struct bars b = measure(h, cv->rows);
    int bar = b.label_cols + 2, bar_cols = cv->cols - bar - 1 - b.count_cols;

    for (size_t i = 0; i < b.lines; i++) {
        uint64_t count = line_count(h, &b, i);
        char text[32];
        int row = (int)i;

        wb_canvas_fit(cv, row, 0, b.label_cols, WB_ALIGN_RIGHT, WB_STYLE_TEXT,
                      line_label(h, &b, i, text, sizeof text));
        wb_canvas_vline(cv, row, b.label_cols + 1, 1);
        if (bar_cols > 1)
            wb_bar_draw(cv, row, bar, bar_cols - 1, WB_STYLE_BAR, bar_share(h, count, b.most));
        wb_canvas_fit(cv, row, cv->cols - b.count_cols, b.count_cols, WB_ALIGN_RIGHT, WB_STYLE_TEXT,
                      wb_number_grouped(text, sizeof text, count));
    }
    draw_footer(cv, (int)b.lines, h);
}
