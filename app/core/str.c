/* app/core/str.c - strings, numbers for people, and globs. */
#include "app/core/str.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool reserve(struct wb_str *s, size_t more)
{
    size_t need = s->len + more + 1, cap = s->cap == 0 ? 64 : s->cap;
    char *text;

    if (s->failed || more > SIZE_MAX / 4)
        return false;
    while (cap < need)
        cap *= 2;
    if (cap == s->cap)
        return true;
    text = realloc(s->text, cap);
    if (text == NULL) {
        s->failed = true;
        return false;
    }
    s->text = text;
    s->cap = cap;
    return true;
}

void wb_str_add_n(struct wb_str *s, const char *bytes, size_t n)
{
    if (!reserve(s, n))
        return;
    memcpy(s->text + s->len, bytes, n);
    s->len += n;
    s->text[s->len] = '\0';
}

void wb_str_add(struct wb_str *s, const char *text)
{
    wb_str_add_n(s, text, strlen(text));
}

void wb_str_printf(struct wb_str *s, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !reserve(s, (size_t)n))
        return;
    va_start(ap, fmt);
    vsnprintf(s->text + s->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    s->len += (size_t)n;
}

void wb_str_free(struct wb_str *s)
{
    free(s->text);
    *s = (struct wb_str){ 0 };
}

static const char *format_unit(char *out, size_t size, double value, const char *const *unit, int n)
{
    int i = 0;

    while (i + 1 < n && fabs(value) >= 999.5) {
        value /= 1000;
        i++;
    }
    if (i == 0)
        snprintf(out, size, "%.0f%s", value, unit[0]);
    else
        snprintf(out, size, "%.*f%s",
                 fabs(value) < 10    ? 2
                 : fabs(value) < 100 ? 1
                                     : 0,
                 value, unit[i]);
    return out;
}

const char *wb_format_bytes(char *out, size_t size, double bytes)
{
    static const char *const unit[] = { " B", " kB", " MB", " GB", " TB", " PB" };

    return format_unit(out, size, bytes, unit, 6);
}

const char *wb_format_count(char *out, size_t size, double count)
{
    static const char *const unit[] = { "", " k", " M", " B", " T" };

    return format_unit(out, size, count, unit, 5);
}

const char *wb_format_seconds(char *out, size_t size, double seconds)
{
    long whole = (long)(seconds + 0.5);

    if (seconds < 60)
        snprintf(out, size, seconds < 10 ? "%.2f s" : "%.1f s", seconds);
    else if (whole < 3600)
        snprintf(out, size, "%ld m %02ld s", whole / 60, whole % 60);
    else
        snprintf(out, size, "%ld h %02ld m", whole / 3600, whole % 3600 / 60);
    return out;
}

/* Digits at text up to the byte `stop`; where that is, NULL when there is anything else. */
static const char *parse_whole(const char *text, char stop, int max, int *n)
{
    char *end = NULL;
    long value = isdigit((unsigned char)text[0]) ? strtol(text, &end, 10) : -1;

    if (value < 0 || value > max || *end != stop)
        return NULL;
    *n = (int)value;
    return end;
}

bool wb_parse_pair(const char *text, char between, int max, int *a, int *b)
{
    const char *at = parse_whole(text, between, max, a);

    return at != NULL && parse_whole(at + 1, '\0', max, b) != NULL;
}

bool wb_parse_bytes(const char *text, uint64_t *bytes, struct wb_err *err)
{
    static const struct {
        const char *suffix;
        double factor;
    } unit[] = {
        { "", 1 },        { "b", 1 },        { "k", 1e3 },     { "kb", 1e3 },
        { "m", 1e6 },     { "mb", 1e6 },     { "g", 1e9 },     { "gb", 1e9 },
        { "t", 1e12 },    { "tb", 1e12 },    { "ki", 0x1p10 }, { "kib", 0x1p10 },
        { "mi", 0x1p20 }, { "mib", 0x1p20 }, { "gi", 0x1p30 }, { "gib", 0x1p30 },
        { "ti", 0x1p40 }, { "tib", 0x1p40 },
    };
    char *end = NULL;
    double value;

    value = isdigit((unsigned char)text[0]) ? strtod(text, &end) : -1;
    if (value >= 0 && end != NULL) {
        while (*end == ' ')
            end++;
        for (size_t i = 0; i < sizeof unit / sizeof unit[0]; i++)
            if (strcasecmp(end, unit[i].suffix) == 0 && value * unit[i].factor < 0x1p63) {
                *bytes = (uint64_t)(value * unit[i].factor);
                return true;
            }
    }
    return wb_fail(err, WB_EARG, "'%s' is not a size; write 500MB, 5GB or 1GiB", text);
}

/* Match one [class] at p (after the bracket); *next is behind it, NULL when it is not closed. */
static bool match_class(const char *p, unsigned char c, const char **next)
{
    bool invert = *p == '!' || *p == '^', hit = false, first = true;

    if (invert)
        p++;
    for (; *p != '\0' && (*p != ']' || first); first = false) {
        unsigned char low = (unsigned char)*p++, high = low;

        if (p[0] == '-' && p[1] != ']' && p[1] != '\0') {
            high = (unsigned char)p[1];
            p += 2;
        }
        hit = hit || (c >= low && c <= high);
    }
    *next = *p == ']' ? p + 1 : NULL;
    return hit != invert;
}

/* One pattern step at p against c; *next is the pattern behind it, NULL when it does not match. */
static const char *step(const char *p, char c)
{
    const char *next;

    if (*p == '?')
        return p + 1;
    if (*p == '[') {
        bool hit = match_class(p + 1, (unsigned char)c, &next);

        if (next != NULL)
            return hit ? next : NULL;
    }
    if (*p == '\\' && p[1] != '\0')
        p++;
    return *p == c ? p + 1 : NULL;
}

static bool glob_plain(const char *p, const char *s)
{
    const char *star = NULL, *retry = NULL, *next;

    while (*s != '\0') {
        if (*p == '*') {
            star = ++p;
            retry = s;
        } else if (*p != '\0' && (next = step(p, *s)) != NULL) {
            p = next;
            s++;
        } else if (star != NULL) {
            p = star;
            s = ++retry;
        } else {
            return false;
        }
    }
    while (*p == '*')
        p++;
    return *p == '\0';
}

bool wb_glob(const char *pattern, const char *name)
{
    const char *open = strchr(pattern, '{'), *close = open == NULL ? NULL : strchr(open, '}');
    char one[512];

    if (close == NULL)
        return glob_plain(pattern, name);
    for (const char *p = open + 1, *end; p <= close; p = end + 1) {
        size_t head = (size_t)(open - pattern);

        end = p + strcspn(p, ",}");
        if (head + (size_t)(end - p) + strlen(close + 1) + 1 > sizeof one)
            return false;
        memcpy(one, pattern, head);
        memcpy(one + head, p, (size_t)(end - p));
        strcpy(one + head + (end - p), close + 1);
        if (wb_glob(one, name))
            return true;
    }
    return false;
}
