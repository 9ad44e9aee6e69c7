/* views/number.c - numbers as texts. */
#include "views/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *not_finite(char *out, size_t size, double value)
{
    snprintf(out, size, "%s", isnan(value) ? "NaN" : value < 0 ? "-inf" : "inf");
    return out;
}

const char *wb_number(char *out, size_t size, double value)
{
    char text[32];
    size_t n;

    if (!isfinite(value))
        return not_finite(out, size, value);
    if (value == 0 || (fabs(value) < 1e6 && fabs(value) >= 1000 && value == trunc(value)))
        snprintf(text, sizeof text, "%.0f", value == 0 ? 0 : value);
    else if (fabs(value) < 1e-3 || fabs(value) >= 99999.5)
        snprintf(text, sizeof text, "%.3e", value);
    else if (fabs(value) >= 9999.5) /* five digits are shorter than an exponent */
        snprintf(text, sizeof text, "%.0f", value);
    else
        snprintf(text, sizeof text, "%#.4g", value);
    n = strlen(text);
    if (n > 0 && text[n - 1] == '.')
        text[n - 1] = '\0';
    snprintf(out, size, "%s", text);
    return out;
}

const char *wb_number_change(char *out, size_t size, double before, double now)
{
    double change = now - before;
    char text[32] = "", *zero;

    if (change == 0)
        strcpy(text, "=");
    else if (!isnan(change))
        snprintf(text, sizeof text, "%+.2g", change);
    zero = strstr(text, "0.");
    if (zero == text + 1) /* "+0.08": the sign alone tells where it begins */
        memmove(zero, zero + 1, strlen(zero));
    snprintf(out, size, "%s", text);
    return out;
}

const char *wb_number_percent(char *out, size_t size, double share)
{
    double percent = 100 * share;

    if (!isfinite(share))
        return not_finite(out, size, share);
    if (percent == 0 || percent == 100)
        snprintf(out, size, "%.0f%%", percent);
    else
        snprintf(out, size, fabs(percent) < 0.995 ? "%.2f%%" : "%.1f%%", percent);
    return out;
}

const char *wb_number_grouped(char *out, size_t size, uint64_t value)
{
    char digits[24], text[32];
    int n = snprintf(digits, sizeof digits, "%" PRIu64, value), at = 0;

    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    snprintf(out, size, "%s", text);
    return out;
}
