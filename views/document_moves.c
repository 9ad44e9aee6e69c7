/* views/document_moves.c - positions in a document: characters, words, columns, search. */
#include <ctype.h>
#include <string.h>

#include "views/document_impl.h"

#define SEQUENCE_MAX 4 /* bytes of a UTF-8 sequence */

int wb_pos_compare(struct wb_pos a, struct wb_pos b)
{
    if (a.line != b.line)
        return a.line < b.line ? -1 : 1;
    return (a.byte > b.byte) - (a.byte < b.byte);
}

struct wb_range wb_range_of(struct wb_pos a, struct wb_pos b)
{
    return wb_pos_compare(a, b) <= 0 ? (struct wb_range){ a, b } : (struct wb_range){ b, a };
}

struct wb_pos wb_document_end(const struct wb_document *d)
{
    return (struct wb_pos){ d->n - 1, d->line[d->n - 1].len };
}

/* Bytes and columns of the character at a byte within the line. */
static size_t step(const struct wb_document_line *line, size_t byte, uint32_t *ch, int *width)
{
    return wb_text_step(line->text + byte, line->len - byte, ch, width);
}

/* The start of the character that covers a byte. */
static size_t boundary(const struct wb_document_line *line, size_t byte)
{
    uint32_t ch;
    int width;

    for (size_t back = 1; back < SEQUENCE_MAX && back <= byte && byte < line->len; back++) {
        size_t len = step(line, byte - back, &ch, &width);

        if (len > back)
            return byte - back;
    }
    return byte;
}

struct wb_pos wb_document_clamp(const struct wb_document *d, struct wb_pos pos)
{
    const struct wb_document_line *line;

    if (pos.line >= d->n)
        return wb_document_end(d);
    line = &d->line[pos.line];
    if (pos.byte >= line->len)
        return (struct wb_pos){ pos.line, line->len };
    return (struct wb_pos){ pos.line, boundary(line, pos.byte) };
}

struct wb_pos wb_document_next(const struct wb_document *d, struct wb_pos pos)
{
    const struct wb_document_line *line;
    uint32_t ch;
    int width;

    pos = wb_document_clamp(d, pos);
    line = &d->line[pos.line];
    if (pos.byte == line->len)
        return pos.line + 1 < d->n ? (struct wb_pos){ pos.line + 1, 0 } : pos;
    pos.byte += step(line, pos.byte, &ch, &width);
    while (pos.byte < line->len) {
        size_t len = step(line, pos.byte, &ch, &width);

        if (width != 0)
            break;
        pos.byte += len;
    }
    return pos;
}

struct wb_pos wb_document_previous(const struct wb_document *d, struct wb_pos pos)
{
    const struct wb_document_line *line;
    uint32_t ch;
    int width = 0;

    pos = wb_document_clamp(d, pos);
    if (pos.byte == 0)
        return pos.line > 0 ? (struct wb_pos){ pos.line - 1, d->line[pos.line - 1].len } : pos;
    line = &d->line[pos.line];
    while (pos.byte > 0 && width == 0) {
        pos.byte = boundary(line, pos.byte - 1);
        step(line, pos.byte, &ch, &width);
    }
    return pos;
}

static bool is_word(const struct wb_document *d, struct wb_pos pos)
{
    const struct wb_document_line *line = &d->line[pos.line];
    unsigned char c = pos.byte < line->len ? (unsigned char)line->text[pos.byte] : ' ';

    return isalnum(c) || c == '_' || c >= 0x80;
}

struct wb_pos wb_document_word_next(const struct wb_document *d, struct wb_pos pos)
{
    struct wb_pos end = wb_document_end(d);

    pos = wb_document_clamp(d, pos);
    while (!is_word(d, pos) && wb_pos_compare(pos, end) < 0)
        pos = wb_document_next(d, pos);
    while (is_word(d, pos))
        pos = wb_document_next(d, pos);
    return pos;
}

struct wb_pos wb_document_word_previous(const struct wb_document *d, struct wb_pos pos)
{
    struct wb_pos before = wb_document_previous(d, pos);

    pos = wb_document_clamp(d, pos);
    while (wb_pos_compare(before, pos) < 0 && !is_word(d, before)) {
        pos = before;
        before = wb_document_previous(d, pos);
    }
    while (wb_pos_compare(before, pos) < 0 && is_word(d, before)) {
        pos = before;
        before = wb_document_previous(d, pos);
    }
    return pos;
}

size_t wb_document_offset(const struct wb_document *d, struct wb_pos pos)
{
    size_t offset = 0;

    pos = wb_document_clamp(d, pos);
    for (size_t i = 0; i < pos.line; i++)
        offset += d->line[i].len + d->line[i].cr + 1;
    return offset + pos.byte;
}

struct wb_pos wb_document_at_offset(const struct wb_document *d, size_t offset)
{
    size_t i = 0;

    while (i + 1 < d->n && offset > d->line[i].len + d->line[i].cr) {
        offset -= d->line[i].len + d->line[i].cr + 1;
        i++;
    }
    return wb_document_clamp(d, (struct wb_pos){ i, offset });
}

static size_t columns(uint32_t ch, int width, size_t column)
{
    return ch == '\t' ? WB_TAB_COLS - column % WB_TAB_COLS : (size_t)width;
}

size_t wb_document_column(const struct wb_document *d, struct wb_pos pos)
{
    const struct wb_document_line *line;
    size_t column = 0;
    uint32_t ch;
    int width;

    pos = wb_document_clamp(d, pos);
    line = &d->line[pos.line];
    for (size_t i = 0; i < pos.byte;) {
        i += step(line, i, &ch, &width);
        column += columns(ch, width, column);
    }
    return column;
}

struct wb_pos wb_document_at_column(const struct wb_document *d, size_t line, size_t column)
{
    struct wb_pos pos = { line < d->n ? line : d->n - 1, 0 };
    const struct wb_document_line *l = &d->line[pos.line];
    size_t at = 0;
    uint32_t ch;
    int width;

    while (pos.byte < l->len) {
        size_t len = step(l, pos.byte, &ch, &width);

        at += columns(ch, width, at);
        if (at > column)
            break;
        pos.byte += len;
    }
    return pos;
}

static bool has_upper(const char *needle, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isupper((unsigned char)needle[i]))
            return true;
    return false;
}

static bool same(const char *text, const char *needle, size_t n, bool exact)
{
    if (exact)
        return memcmp(text, needle, n) == 0;
    for (size_t i = 0; i < n; i++)
        if (tolower((unsigned char)text[i]) != (unsigned char)needle[i])
            return false;
    return true;
}

bool wb_document_find_in_line(const struct wb_document *d, size_t line, size_t from,
                              const char *needle, size_t n, struct wb_range *found)
{
    const struct wb_document_line *l = &d->line[line];
    bool exact = has_upper(needle, n);

    for (size_t i = from; n > 0 && n <= l->len && i <= l->len - n; i++)
        if (same(l->text + i, needle, n, exact) && boundary(l, i) == i) {
            *found = (struct wb_range){ { line, i }, { line, i + n } };
            return true;
        }
    return false;
}

/* The last occurrence in a line that starts before a byte. */
static bool find_last(const struct wb_document *d, size_t line, size_t before, const char *needle,
                      size_t n, struct wb_range *found)
{
    struct wb_range r;
    bool any = false;

    for (size_t at = 0; wb_document_find_in_line(d, line, at, needle, n, &r);
         at = r.from.byte + 1) {
        if (r.from.byte >= before)
            break;
        *found = r;
        any = true;
    }
    return any;
}

bool wb_document_find(const struct wb_document *d, const char *needle, size_t n, struct wb_pos from,
                      bool backwards, struct wb_range *found)
{
    from = wb_document_clamp(d, from);
    for (size_t i = 0; i <= d->n; i++) { /* the first line twice: after and before `from` */
        size_t line = backwards ? (from.line + d->n - i % d->n) % d->n : (from.line + i) % d->n;

        if (backwards && find_last(d, line, i == 0 ? from.byte : SIZE_MAX, needle, n, found))
            return true;
        if (!backwards &&
            wb_document_find_in_line(d, line, i == 0 ? from.byte : 0, needle, n, found))
            return true;
    }
    return false;
}
