/* views/document.c - the lines of a text, and replacing a part of them.
 *
 * Each line is an allocation of its own. Everything that can fail happens before the first line
 * is touched, so that a failed edit leaves the text as it was. */
#include "views/document.h"

#include <stdlib.h>
#include <string.h>

#include "views/document_impl.h"

static void line_free(struct wb_document_line *line)
{
    free(line->text);
    *line = (struct wb_document_line){ 0 };
}

static void lines_free(struct wb_document_line *line, size_t n)
{
    for (size_t i = 0; i < n; i++)
        line_free(&line[i]);
    free(line);
}

static bool line_reserve(struct wb_document_line *line, size_t len)
{
    size_t cap = line->cap == 0 ? 16 : line->cap;
    char *text;

    if (len < line->cap)
        return true;
    while (cap <= len)
        cap *= 2;
    text = realloc(line->text, cap);
    if (text == NULL)
        return false;
    line->text = text;
    line->cap = cap;
    return true;
}

/* Room in the line is there. */
static void line_append(struct wb_document_line *line, const char *text, size_t n)
{
    if (n > 0)
        memcpy(line->text + line->len, text, n);
    line->len += n;
    if (line->text != NULL)
        line->text[line->len] = '\0';
}

static size_t count_newlines(const char *text, size_t n)
{
    const char *end = text + n, *p = text;
    size_t count = 0;

    while (n > 0 && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        count++;
        p++;
    }
    return count;
}

/* A new line of up to three parts' bytes; an empty one takes no memory. */
static bool line_make(struct wb_document_line *line, size_t len)
{
    *line = (struct wb_document_line){ 0 };
    return len == 0 || line_reserve(line, len);
}

/* Split text into lines at \n, with `head` before the first and `tail` after the last. */
static struct wb_document_line *lines_make(const char *head, size_t n_head, const char *text,
                                           size_t n, const char *tail, size_t n_tail, size_t count)
{
    struct wb_document_line *line = calloc(count, sizeof *line);
    const char *end = text + n;

    for (size_t i = 0; line != NULL && i < count; i++) {
        const char *nl = i + 1 < count ? memchr(text, '\n', (size_t)(end - text)) : NULL;
        size_t len = (size_t)((nl != NULL ? nl : end) - text);
        bool cr = nl != NULL && len > 0 && text[len - 1] == '\r';
        size_t before = i == 0 ? n_head : 0, after = i + 1 == count ? n_tail : 0;

        len -= cr;
        if (!line_make(&line[i], before + len + after)) {
            lines_free(line, count);
            return NULL;
        }
        line_append(&line[i], head, before);
        line_append(&line[i], text, len);
        line_append(&line[i], tail, after);
        line[i].cr = cr;
        text = nl != NULL ? nl + 1 : end;
    }
    return line;
}

static bool lines_reserve(struct wb_document *d, size_t n)
{
    size_t cap = d->cap == 0 ? 16 : d->cap;
    struct wb_document_line *line;

    if (n <= d->cap)
        return true;
    while (cap < n)
        cap *= 2;
    line = realloc(d->line, cap * sizeof *line);
    if (line == NULL)
        return false;
    d->line = line;
    d->cap = cap;
    return true;
}

static size_t range_bytes(const struct wb_document *d, struct wb_range r)
{
    size_t bytes = 0;

    for (size_t i = r.from.line; i < r.to.line; i++)
        bytes += d->line[i].len + d->line[i].cr + 1;
    return bytes + r.to.byte - r.from.byte;
}

static void notify(struct wb_document *d, size_t first, size_t removed, size_t added)
{
    d->version++;
    if (d->changed != NULL)
        d->changed(d->user, &(struct wb_document_change){ first, removed, added });
}

static bool splice_in_line(struct wb_document *d, struct wb_range r, const char *text, size_t n)
{
    struct wb_document_line *line = &d->line[r.from.line];
    size_t tail = line->len - r.to.byte, len = r.from.byte + n + tail;

    if (len > 0 && !line_reserve(line, len))
        return false;
    if (line->text == NULL)
        return true; /* nothing in place of nothing */
    memmove(line->text + r.from.byte + n, line->text + r.to.byte, tail);
    if (n > 0)
        memcpy(line->text + r.from.byte, text, n);
    line->len = len;
    line->text[len] = '\0';
    return true;
}

static bool splice_lines(struct wb_document *d, struct wb_range r, const char *text, size_t n,
                         size_t added)
{
    size_t removed = r.to.line - r.from.line + 1, above = r.from.line;
    const struct wb_document_line *first = &d->line[above], *last = &d->line[r.to.line];
    struct wb_document_line *line =
        lines_make(first->text, r.from.byte, text, n,
                   last->text == NULL ? "" : last->text + r.to.byte, last->len - r.to.byte, added);

    if (line == NULL)
        return false;
    line[added - 1].cr = last->cr;
    if (!lines_reserve(d, d->n - removed + added)) {
        lines_free(line, added);
        return false;
    }
    for (size_t i = above; i < above + removed; i++) {
        d->n_cr -= d->line[i].cr;
        line_free(&d->line[i]);
    }
    memmove(d->line + above + added, d->line + above + removed,
            (d->n - above - removed) * sizeof *line);
    memcpy(d->line + above, line, added * sizeof *line);
    d->n += added - removed;
    for (size_t i = 0; i < added; i++)
        d->n_cr += line[i].cr;
    free(line); /* the texts moved */
    return true;
}

static bool check_bounds(size_t bytes, size_t lines, struct wb_err *err)
{
    if (bytes > WB_DOCUMENT_BYTES_MAX)
        return wb_fail(err, WB_EARG, "a text of %zu bytes; the editor takes up to %zu", bytes,
                       WB_DOCUMENT_BYTES_MAX);
    if (lines > WB_DOCUMENT_LINES_MAX)
        return wb_fail(err, WB_EARG, "a text of %zu lines; the editor takes up to %zu", lines,
                       WB_DOCUMENT_LINES_MAX);
    return true;
}

static bool check_replace(const struct wb_document *d, struct wb_range r, const char *text,
                          size_t n, struct wb_err *err)
{
    if (n > WB_DOCUMENT_BYTES_MAX)
        return check_bounds(n, 1, err);
    return check_bounds(d->bytes - range_bytes(d, r) + n,
                        d->n - (r.to.line - r.from.line) + count_newlines(text, n), err);
}

struct wb_pos wb_pos_after(struct wb_pos from, const char *text, size_t n)
{
    size_t lines = count_newlines(text, n), last = n;

    if (lines == 0)
        return (struct wb_pos){ from.line, from.byte + n };
    while (text[last - 1] != '\n')
        last--;
    return (struct wb_pos){ from.line + lines, n - last };
}

bool wb_document_splice(struct wb_document *d, struct wb_range r, const char *text, size_t n,
                        struct wb_pos *end, struct wb_err *err)
{
    size_t removed = range_bytes(d, r), added;
    bool ok;

    *end = wb_pos_after(r.from, text, n);
    added = end->line - r.from.line + 1;
    if (added == 1 && r.from.line == r.to.line)
        ok = splice_in_line(d, r, text, n);
    else
        ok = splice_lines(d, r, text, n, added);
    if (!ok)
        return wb_fail(err, WB_ENOMEM, "no memory for an edit of %zu bytes", n);
    d->bytes = d->bytes - removed + n;
    notify(d, r.from.line, r.to.line - r.from.line + 1, added);
    return true;
}

/* Where the cursor goes when a range becomes text that ends at `end`. */
static struct wb_pos shift(struct wb_pos pos, struct wb_range r, struct wb_pos end)
{
    if (wb_pos_compare(pos, r.from) < 0)
        return pos;
    if (wb_pos_compare(pos, r.to) <= 0)
        return end;
    if (pos.line == r.to.line)
        return (struct wb_pos){ end.line, end.byte + pos.byte - r.to.byte };
    return (struct wb_pos){ pos.line - r.to.line + end.line, pos.byte };
}

struct wb_document *wb_document_new(struct wb_err *err)
{
    struct wb_document *d = calloc(1, sizeof *d);

    if (d == NULL || !lines_reserve(d, 1)) {
        free(d);
        wb_fail(err, WB_ENOMEM, "no memory for a text");
        return NULL;
    }
    d->line[0] = (struct wb_document_line){ 0 };
    d->n = 1;
    return d;
}

void wb_document_free(struct wb_document *d)
{
    if (d == NULL)
        return;
    lines_free(d->line, d->n);
    wb_document_history_free(&d->history);
    free(d);
}

bool wb_document_load(struct wb_document *d, const char *text, size_t n, struct wb_err *err)
{
    size_t lines = count_newlines(text, n) + 1, before = d->n;
    struct wb_document_line *line;

    if (!check_bounds(n, lines, err))
        return false;
    line = lines_make("", 0, text, n, "", 0, lines);
    if (line == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a text of %zu bytes", n);
    lines_free(d->line, d->n);
    wb_document_history_free(&d->history);
    d->line = line;
    d->n = d->cap = lines;
    d->bytes = n;
    d->n_cr = 0;
    for (size_t i = 0; i < lines; i++)
        d->n_cr += line[i].cr;
    d->cursor = (struct wb_pos){ 0 };
    notify(d, 0, before, lines);
    return true;
}

void wb_document_watch(struct wb_document *d,
                       void (*changed)(void *user, const struct wb_document_change *change),
                       void *user)
{
    d->changed = changed;
    d->user = user;
}

size_t wb_document_lines(const struct wb_document *d)
{
    return d->n;
}

const char *wb_document_line(const struct wb_document *d, size_t line, size_t *len)
{
    const struct wb_document_line *l = &d->line[line < d->n ? line : d->n - 1];

    *len = l->len;
    return l->text == NULL ? "" : l->text;
}

size_t wb_document_bytes(const struct wb_document *d)
{
    return d->bytes;
}

const char *wb_document_eol(const struct wb_document *d)
{
    return d->n_cr * 2 > d->n - 1 ? "\r\n" : "\n";
}

uint64_t wb_document_version(const struct wb_document *d)
{
    return d->version;
}

void wb_document_range_text(const struct wb_document *d, struct wb_range range, struct wb_str *out)
{
    struct wb_pos from = wb_document_clamp(d, range.from), to = wb_document_clamp(d, range.to);

    for (size_t i = from.line; i <= to.line; i++) {
        const struct wb_document_line *l = &d->line[i];
        size_t a = i == from.line ? from.byte : 0, b = i == to.line ? to.byte : l->len;

        if (b > a)
            wb_str_add_n(out, l->text + a, b - a);
        if (i < to.line)
            wb_str_add(out, l->cr ? "\r\n" : "\n");
    }
}

void wb_document_text(const struct wb_document *d, struct wb_str *out)
{
    wb_str_add(out, ""); /* an empty text is a string too */
    wb_document_range_text(d, (struct wb_range){ { 0, 0 }, wb_document_end(d) }, out);
}

/* A \r that comes to stand before a \n belongs to the line end from then on. To keep that so, take
 * the neighbour into the replacement: lines then follow from the bytes alone, which is what undo
 * relies on. Gives the text to put in, `text` or a new one in `joined`. */
static const char *join_line_end(const struct wb_document *d, struct wb_range *r, const char *text,
                                 size_t *n, struct wb_str *joined)
{
    const struct wb_document_line *first = &d->line[r->from.line], *last = &d->line[r->to.line];
    bool cr_before = r->from.byte > 0 && first->text[r->from.byte - 1] == '\r';
    bool ends_cr = *n > 0 ? text[*n - 1] == '\r' : cr_before;
    bool forth = ends_cr && r->to.byte == last->len && !last->cr && r->to.line + 1 < d->n;
    bool back = cr_before && (*n > 0 ? text[0] == '\n' : forth);

    if (!forth && !back)
        return text;
    wb_str_add_n(joined, "\r", back);
    wb_str_add_n(joined, text, *n);
    wb_str_add_n(joined, "\n", forth);
    r->from.byte -= back;
    if (forth)
        r->to = (struct wb_pos){ r->to.line + 1, 0 };
    *n = joined->len;
    return joined->text;
}

static bool replace(struct wb_document *d, struct wb_range r, const char *text, size_t n,
                    enum wb_edit kind, struct wb_pos *end, struct wb_err *err)
{
    struct wb_str removed = { 0 };
    bool ok;

    wb_document_range_text(d, r, &removed);
    ok = !removed.failed || wb_fail(err, WB_ENOMEM, "no memory to undo an edit");
    ok = ok && wb_document_history_add(d, r, &removed, text, n, kind, err);
    wb_str_free(&removed);
    if (!ok)
        return false;
    if (!wb_document_splice(d, r, text, n, end, err)) {
        wb_document_history_drop(d);
        return false;
    }
    d->cursor = wb_document_clamp(d, shift(d->cursor, r, *end));
    wb_document_history_done(d);
    return true;
}

bool wb_document_replace(struct wb_document *d, struct wb_range range, const char *text, size_t n,
                         enum wb_edit kind, struct wb_pos *end, struct wb_err *err)
{
    struct wb_range r = { wb_document_clamp(d, range.from), wb_document_clamp(d, range.to) };
    struct wb_str joined = { 0 };
    struct wb_pos stop = r.to;
    bool ok = true;

    r = wb_range_of(r.from, r.to);
    if (!check_replace(d, r, text, n, err))
        return false;
    if (n > 0 || wb_pos_compare(r.from, r.to) != 0) {
        text = join_line_end(d, &r, text, &n, &joined);
        ok = !joined.failed || wb_fail(err, WB_ENOMEM, "no memory for an edit");
        ok = ok && replace(d, r, text, n, kind, &stop, err);
    }
    wb_str_free(&joined);
    if (end != NULL)
        *end = wb_document_clamp(d, stop);
    return ok;
}

struct wb_pos wb_document_cursor(const struct wb_document *d)
{
    return d->cursor;
}

void wb_document_set_cursor(struct wb_document *d, struct wb_pos pos)
{
    pos = wb_document_clamp(d, pos);
    if (wb_pos_compare(pos, d->cursor) != 0)
        wb_document_break(d);
    d->cursor = pos;
}
