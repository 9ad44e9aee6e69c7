/* app/store/scan.c - the scanner: one pass, nothing kept. A NUL in the text fits no rule. */
#include "app/store/scan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the well-formed UTF-8 sequence of more than one at p (RFC 3629), 0 when it is none. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
    size_t n = p[0] >= 0xF5 ? 0 : p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : p[0] >= 0xC2 ? 2 : 0;

    if (n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) || /* overlong, surrogates */
        (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))   /* overlong, > U+10FFFF */
        return 0;
    return n;
}

bool wb_scan_fail(struct wb_scan *s, const char *fmt, ...)
{
    char what[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return wb_fail(s->err, WB_EFORMAT, "header byte %zu: %s", (size_t)(s->p - s->text), what);
}

bool wb_scan_check_utf8(struct wb_scan *s)
{
    size_t step;

    for (const char *p = s->text; p < s->end; p += step) {
        step = 1;
        if ((unsigned char)*p >= 0x80)
            step = utf8_length((const unsigned char *)p, (size_t)(s->end - p));
        if (step == 0) {
            s->p = p;
            return wb_scan_fail(s, "not UTF-8");
        }
    }
    return true;
}

char wb_scan_peek(struct wb_scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t'))
        s->p++;
    return s->p < s->end ? *s->p : '\0';
}

bool wb_scan_expect(struct wb_scan *s, char c)
{
    if (wb_scan_peek(s) != c)
        return wb_scan_fail(s, "'%c' expected", c);
    s->p++;
    return true;
}

static bool hex4(const char *p, const char *end, unsigned *value)
{
    *value = 0;
    if (end - p < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;

        if (digit < 0)
            return false;
        *value = *value << 4 | (unsigned)digit;
    }
    return true;
}

static size_t put_utf8(char *out, unsigned code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

/* The code point of \uXXXX, or of a pair of surrogates; *p moves from the 'u' behind it. */
static bool unicode_escape(const char **p, const char *end, unsigned *code)
{
    unsigned low;

    if (!hex4(*p + 1, end, code))
        return false;
    *p += 5;
    if (*code >= 0xDC00 && *code < 0xE000)
        return false;
    if (*code < 0xD800 || *code >= 0xDC00)
        return true;
    if (end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u' || !hex4(*p + 2, end, &low) ||
        low < 0xDC00 || low >= 0xE000)
        return false;
    *p += 6;
    *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
    return true;
}

/* Replace part by a copy without escapes; it is never longer. */
static bool unescape(struct wb_scan *s, struct wb_slice *part)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *p = part->text, *end = p + part->n, *at;
    char *out = wb_arena_alloc(s->arena, part->n + 1);
    size_t used = 0;
    unsigned code;

    if (out == NULL)
        return wb_fail(s->err, WB_ENOMEM, "no memory for a string of %zu bytes", part->n);
    while (p < end) {
        if (*p != '\\') {
            out[used++] = *p++;
        } else if (p[1] == 'u') {
            p++;
            if (!unicode_escape(&p, end, &code))
                return wb_scan_fail(s, "a \\u escape before it that is no character");
            used += put_utf8(out + used, code);
        } else if (p[1] != '\0' && (at = strchr(from, p[1])) != NULL) {
            out[used++] = to[at - from];
            p += 2;
        } else {
            return wb_scan_fail(s, "an unknown escape in the string before it");
        }
    }
    *part = (struct wb_slice){ out, used };
    return true;
}

bool wb_scan_string(struct wb_scan *s, struct wb_slice *out)
{
    const char *begin;
    bool escaped = false;

    if (wb_scan_peek(s) != '"')
        return wb_scan_fail(s, "a string expected");
    begin = ++s->p;
    for (; s->p < s->end && *s->p != '"'; s->p++) {
        if ((unsigned char)*s->p < 0x20)
            return wb_scan_fail(s, "a control character in a string");
        if (*s->p == '\\') {
            escaped = true;
            if (++s->p == s->end)
                break;
        }
    }
    if (s->p >= s->end)
        return wb_scan_fail(s, "a string that does not end");
    *out = (struct wb_slice){ begin, (size_t)(s->p - begin) };
    s->p++;
    return !escaped || unescape(s, out);
}

bool wb_slice_is(struct wb_slice s, const char *text)
{
    return s.n == strlen(text) && memcmp(s.text, text, s.n) == 0;
}

static bool is_digit(const struct wb_scan *s)
{
    return s->p < s->end && *s->p >= '0' && *s->p <= '9';
}

bool wb_scan_whole(struct wb_scan *s, uint64_t *value)
{
    uint64_t v = 0;
    bool fits = true, zero;

    wb_scan_peek(s);
    if (!is_digit(s))
        return wb_scan_fail(s, "a whole number expected");
    zero = *s->p == '0';
    for (const char *first = s->p; is_digit(s); s->p++) {
        if (zero && s->p > first)
            return wb_scan_fail(s, "a number with a leading zero");
        fits = fits && !__builtin_mul_overflow(v, (uint64_t)10, &v) &&
               !__builtin_add_overflow(v, (uint64_t)(*s->p - '0'), &v);
    }
    if (s->p < s->end && (*s->p == '.' || *s->p == 'e' || *s->p == 'E'))
        return wb_scan_fail(s, "a whole number expected, not one with a fraction or an exponent");
    *value = v;
    return fits || wb_scan_fail(s, "a number beyond 2^64 - 1");
}

bool wb_scan_member(struct wb_scan *s, bool *first, struct wb_slice *key, bool *done)
{
    *done = false;
    if (*first && !wb_scan_expect(s, '{'))
        return false;
    if (wb_scan_peek(s) == '}') {
        s->p++;
        *done = true;
        return true;
    }
    if (!*first && !wb_scan_expect(s, ','))
        return false;
    *first = false;
    return wb_scan_string(s, key) && wb_scan_expect(s, ':');
}

bool wb_scan_element(struct wb_scan *s, bool *first, bool *done)
{
    *done = false;
    if (*first && !wb_scan_expect(s, '['))
        return false;
    if (wb_scan_peek(s) == ']') {
        s->p++;
        *done = true;
        return true;
    }
    if (!*first && !wb_scan_expect(s, ','))
        return false;
    *first = false;
    if (wb_scan_peek(s) == ']')
        return wb_scan_fail(s, "a value expected");
    return true;
}

static bool skip_digits(struct wb_scan *s)
{
    if (!is_digit(s))
        return wb_scan_fail(s, "a digit expected");
    while (is_digit(s))
        s->p++;
    return true;
}

static bool skip_number(struct wb_scan *s)
{
    if (s->p < s->end && *s->p == '-')
        s->p++;
    if (is_digit(s) && *s->p == '0')
        s->p++;
    else if (!skip_digits(s))
        return false;
    if (s->p < s->end && *s->p == '.') {
        s->p++;
        if (!skip_digits(s))
            return false;
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        s->p++;
        if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
            s->p++;
        return skip_digits(s);
    }
    return true;
}

bool wb_scan_word(struct wb_scan *s, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
        return wb_scan_fail(s, "a value expected");
    s->p += n;
    return true;
}

bool wb_scan_skip(struct wb_scan *s, int depth)
{
    struct wb_slice dropped;
    bool first = true, done = false;
    char c = wb_scan_peek(s);

    if (depth >= WB_SCAN_DEPTH_MAX)
        return wb_scan_fail(s, "nested more than %d deep", WB_SCAN_DEPTH_MAX);
    switch (c) {
    case '{':
        while (wb_scan_member(s, &first, &dropped, &done))
            if (done || !wb_scan_skip(s, depth + 1))
                return done;
        return false;
    case '[':
        while (wb_scan_element(s, &first, &done))
            if (done || !wb_scan_skip(s, depth + 1))
                return done;
        return false;
    case '"':
        return wb_scan_string(s, &dropped);
    case 't':
        return wb_scan_word(s, "true");
    case 'f':
        return wb_scan_word(s, "false");
    case 'n':
        return wb_scan_word(s, "null");
    default:
        if (c == '-' || (c >= '0' && c <= '9'))
            return skip_number(s);
        return wb_scan_fail(s, "a value expected");
    }
}
