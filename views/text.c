/* views/text.c - text from strangers made fit for the screen: decoding, widths, cutting. */
#include "views/canvas.h"

#include <string.h>

/* One well-formed character of 2 to 4 bytes at p, or 0; *n is its bytes. The NUL at the end is no
 * continuation byte, so that nothing behind it is read. */
static uint32_t decode(const unsigned char *p, int *n)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    uint32_t ch;

    *n = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    ch = p[0] & (0xFFu >> (*n + 1));
    for (int i = 1; i < *n; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        ch = ch << 6 | (p[i] & 0x3Fu);
    }
    return ch >= least[*n] && ch <= 0x10FFFF && (ch < 0xD800 || ch > 0xDFFF) ? ch : 0;
}

uint32_t wb_text_next(const char **text, int *width)
{
    for (;;) {
        const unsigned char *p = (const unsigned char *)*text;
        uint32_t ch = p[0];
        int n = 1;

        *width = 0;
        if (ch == '\0')
            return 0;
        if (ch >= 0x80) {
            ch = decode(p, &n);
            if (ch == 0) /* a byte that begins nothing: one '?' */
                n = 1;
        }
        *text += n;
        *width = ch == 0 ? -1 : wb_char_width(ch);
        if (*width < 0) {
            *width = 1;
            return '?';
        }
        if (*width > 0)
            return ch;
    }
}

size_t wb_char_encode(uint32_t ch, char out[5])
{
    int more = ch < 0x80 ? 0 : ch < 0x800 ? 1 : ch < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = { 0, 0xC0, 0xE0, 0xF0 };

    out[0] = (char)(lead[more] | ch >> (6 * more));
    for (int i = 1; i <= more; i++)
        out[i] = (char)(0x80 | (ch >> (6 * (more - i)) & 0x3F));
    out[more + 1] = '\0';
    return (size_t)more + 1;
}

uint32_t wb_char_ascii(uint32_t ch)
{
    static const char eighths[] = ".:-=+*%#"; /* U+2581 .. U+2588, rising */

    if (ch < 0x7F)
        return ch;
    if (ch == 0x2500 || ch == 0x2501 || (ch >= 0x2504 && ch <= 0x250B && ch % 4 < 2))
        return '-';
    if (ch == 0x2502 || ch == 0x2503 || (ch >= 0x2504 && ch <= 0x250B))
        return '|';
    if (ch >= 0x250C && ch <= 0x257F)
        return '+';
    if (ch >= 0x2581 && ch <= 0x2588)
        return (uint32_t)eighths[ch - 0x2581];
    switch (ch) {
    case 0x2591: /* light, medium and dark shade */
        return ':';
    case 0x2592:
        return '=';
    case 0x2593:
        return '%';
    case 0x2580: /* the remaining halves and eighths from the left */
    case 0x2589:
    case 0x258A:
    case 0x258B:
    case 0x258C:
        return '#';
    case 0x258D:
    case 0x258E:
    case 0x258F:
        return '|';
    case 0x2026: /* ellipsis */
    case 0xB7:
        return '.';
    case 0x2192: /* arrows */
    case 0x25B8:
    case 0x25B6:
        return '>';
    case 0x2190:
        return '<';
    case 0x2191:
    case 0x25B4:
    case 0x25B2:
        return '^';
    case 0x2193:
    case 0x25BE:
    case 0x25BC:
        return 'v';
    case 0x2013: /* dashes, minus, multiplication */
    case 0x2014:
    case 0x2212:
        return '-';
    case 0xD7:
        return 'x';
    case 0xA0:
        return ' ';
    default:
        return '?';
    }
}

int wb_text_width(const char *text)
{
    int total = 0, width;

    while (wb_text_next(&text, &width) != 0)
        total += width;
    return total;
}

/* What is written so far; there is always room for the NUL. */
struct sink {
    char *out;
    size_t size, len;
    bool ascii;
};

static void put_char(struct sink *s, uint32_t ch, int width)
{
    bool replaced = s->ascii && ch > 126;
    char bytes[5];
    size_t n;

    n = wb_char_encode(replaced ? wb_char_ascii(ch) : ch, bytes);
    for (int times = replaced ? width : 1; times > 0 && s->len + n < s->size; times--) {
        memcpy(s->out + s->len, bytes, n);
        s->len += n;
    }
}

/* The characters of text that fit into `room` columns. */
static void put_head(struct sink *s, const char *text, int room)
{
    uint32_t ch;
    int width;

    while ((ch = wb_text_next(&text, &width)) != 0 && width <= room) {
        put_char(s, ch, width);
        room -= width;
    }
}

/* The last characters of a text of `total` columns that fit into `room`. */
static void put_tail(struct sink *s, const char *text, int total, int room)
{
    int width;

    while (total > room && wb_text_next(&text, &width) != 0)
        total -= width;
    put_head(s, text, room);
}

const char *wb_text_fit(char *out, size_t size, const char *text, int width, bool ascii)
{
    struct sink s = { out, size, 0, ascii };
    int total = wb_text_width(text), keep, head;

    if (size == 0)
        return out;
    if (total <= width) {
        put_head(&s, text, width);
    } else if (width > 0) {
        /* Names differ at their ends: three tenths for the head, the rest for the tail. */
        keep = width >= 8 ? width - 3 : width - 1;
        head = keep * 3 / 10;
        put_head(&s, text, head);
        put_head(&s, width >= 8 ? "..." : "\u2026", 3);
        put_tail(&s, text, total, keep - head);
    }
    out[s.len] = '\0';
    return out;
}

const char *wb_text_cut(char *out, size_t size, const char *text, int width, bool ascii)
{
    struct sink s = { out, size, 0, ascii };
    bool whole = wb_text_width(text) <= width;

    if (size == 0)
        return out;
    put_head(&s, text, whole ? width : width - 3);
    if (!whole && width >= 3)
        put_head(&s, "...", 3);
    out[s.len] = '\0';
    return out;
}
