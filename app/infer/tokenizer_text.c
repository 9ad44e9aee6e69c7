/* app/infer/tokenizer_text.c - characters: UTF-8, classes, the byte alphabet. */
#include <utf8proc.h>

#include "app/infer/tokenizer_impl.h"

#define REPLACEMENT 0xFFFD

int32_t wb_utf8_next(const char *text, size_t n, size_t *at)
{
    utf8proc_int32_t code = REPLACEMENT;
    utf8proc_ssize_t len =
        utf8proc_iterate((const utf8proc_uint8_t *)text + *at, (utf8proc_ssize_t)(n - *at), &code);

    *at += len > 0 ? (size_t)len : 1;
    return len > 0 ? code : REPLACEMENT;
}

void wb_utf8_put(struct wb_str *out, int32_t code)
{
    utf8proc_uint8_t bytes[4];
    utf8proc_ssize_t n = utf8proc_encode_char(code, bytes);

    wb_str_add_n(out, (char *)bytes, n > 0 ? (size_t)n : 0);
}

size_t wb_utf8_check(const char *text, size_t n)
{
    size_t at = 0;

    while (at < n) {
        utf8proc_int32_t code;
        utf8proc_ssize_t len = utf8proc_iterate((const utf8proc_uint8_t *)text + at,
                                                (utf8proc_ssize_t)(n - at), &code);

        if (len <= 0)
            return at;
        at += (size_t)len;
    }
    return n;
}

/* How many bytes from the first on are the beginning of a character: 1 when the first cannot begin
 * one (Unicode, table 3-7). */
static size_t beginning(const unsigned char *b, size_t n)
{
    unsigned char low = 0x80, high = 0xBF;
    size_t want, have = 1;

    if (b[0] < 0xC2 || b[0] > 0xF4)
        return 1;
    want = b[0] < 0xE0 ? 2 : b[0] < 0xF0 ? 3 : 4;
    if (b[0] == 0xE0)
        low = 0xA0;
    else if (b[0] == 0xED)
        high = 0x9F;
    else if (b[0] == 0xF0)
        low = 0x90;
    else if (b[0] == 0xF4)
        high = 0x8F;
    while (have < want && have < n && b[have] >= low && b[have] <= high) {
        have++;
        low = 0x80;
        high = 0xBF;
    }
    return have;
}

void wb_utf8_mend(struct wb_str *out, const char *bytes, size_t n)
{
    size_t at = 0;

    while (at < n) {
        size_t good = wb_utf8_check(bytes + at, n - at);

        wb_str_add_n(out, bytes + at, good);
        at += good;
        if (at < n) {
            wb_utf8_put(out, REPLACEMENT);
            at += beginning((const unsigned char *)bytes + at, n - at);
        }
    }
}

bool wb_char_is_space(int32_t code)
{
    return (code >= 9 && code <= 13) || code == ' ' || code == 0x85 || code == 0xA0 ||
           code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
           code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

bool wb_char_is_punctuation(int32_t code)
{
    utf8proc_category_t c = utf8proc_category(code);

    if (code < 128)
        return (code >= 33 && code <= 47) || (code >= 58 && code <= 64) ||
               (code >= 91 && code <= 96) || (code >= 123 && code <= 126);
    return c >= UTF8PROC_CATEGORY_PC && c <= UTF8PROC_CATEGORY_PO;
}

bool wb_char_is_numeric(int32_t code)
{
    utf8proc_category_t c = utf8proc_category(code);

    return c >= UTF8PROC_CATEGORY_ND && c <= UTF8PROC_CATEGORY_NO;
}

bool wb_char_is_word(int32_t code)
{
    utf8proc_category_t c = utf8proc_category(code);
    bool circled = (code >= 0x24B6 && code <= 0x24E9) || (code >= 0x1F130 && code <= 0x1F149) ||
                   (code >= 0x1F150 && code <= 0x1F169) || (code >= 0x1F170 && code <= 0x1F189);
    bool joiner = code == 0x200C || code == 0x200D;

    return circled || joiner || (c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_ND) ||
           c == UTF8PROC_CATEGORY_NL || c == UTF8PROC_CATEGORY_PC;
}

/* Bytes that stand for themselves. */
static bool stands(int byte)
{
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

int32_t wb_byte_to_char(unsigned char byte)
{
    int32_t code = 0x100;

    if (stands(byte))
        return byte;
    for (int b = 0; b < byte; b++)
        code += !stands(b);
    return code;
}

int wb_char_to_byte(int32_t code)
{
    if (code < 0x100)
        return stands(code) ? code : -1;
    for (int b = 0; b < 256; b++)
        if (!stands(b) && code-- == 0x100)
            return b;
    return -1;
}

bool wb_str_ok(const struct wb_str *s, struct wb_err *err)
{
    return !s->failed || wb_fail(err, WB_ENOMEM, "no memory for a text of %zu bytes", s->len);
}
