/* views/text_step.c - one character of bytes that may be anything. */
#include "views/canvas.h"
#include "views/document.h"

/* Bytes of the well-formed UTF-8 sequence (RFC 3629) at text, 0 when there is none. */
static size_t sequence(const unsigned char *p, size_t n, uint32_t *ch)
{
    unsigned c = p[0];
    size_t len = c < 0x80 ? 1 : c >= 0xC2 && c < 0xE0 ? 2 : c >= 0xE0 && c < 0xF0 ? 3 : 4;

    if ((c >= 0x80 && c < 0xC2) || c > 0xF4 || len > n)
        return 0;
    *ch = len == 1 ? c : c & (0xFFu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        *ch = *ch << 6 | (p[i] & 0x3F);
    }
    if ((len == 3 && (*ch < 0x800 || (*ch >= 0xD800 && *ch < 0xE000))) ||
        (len == 4 && (*ch < 0x10000 || *ch > 0x10FFFF)))
        return 0;
    return len;
}

size_t wb_text_step(const char *text, size_t n, uint32_t *ch, int *width)
{
    size_t len = sequence((const unsigned char *)text, n, ch);

    *width = len == 0 ? -1 : *ch == '\t' ? 1 : wb_char_width(*ch);
    if (*width < 0) {
        *ch = '?';
        *width = 1;
    }
    return len == 0 ? 1 : len;
}
