/* tests/tui/vt.c - the cells of the tests' terminal. */
#include "tests/tui/vt_internal.h"

#include <assert.h>
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

const struct vt_cell vt_blank = { .ch = ' ', .fg = VT_DEFAULT, .bg = VT_DEFAULT };

static struct vt_cell *at(struct vt *vt, int row, int col)
{
    assert(row >= 0 && row < vt->rows && col >= 0 && col < vt->cols);
    return &vt->cell[row * vt->cols + col];
}

void vt_unknown(struct vt *vt, const char *what, const char *bytes, size_t n)
{
    size_t used;

    if (vt->unknown[0] != '\0')
        return;
    used = (size_t)snprintf(vt->unknown, sizeof vt->unknown, "%s", what);
    for (size_t i = 0; i < n && used + 8 < sizeof vt->unknown; i++) {
        unsigned char c = (unsigned char)bytes[i];

        used += (size_t)snprintf(vt->unknown + used, sizeof vt->unknown - used,
                                 isprint(c) ? " %c" : " \\x%02x", c);
    }
}

/* ---- cells ---- */

void vt_erase(struct vt *vt, int row, int from, int to)
{
    for (int col = from < 0 ? 0 : from; col < to && col < vt->cols; col++) {
        *at(vt, row, col) = vt_blank;
        at(vt, row, col)->bg = vt->pen.bg;
    }
}

void vt_split(struct vt *vt, int row, int col)
{
    if (col < vt->cols && at(vt, row, col)->ch == 0) {
        at(vt, row, col)->ch = ' ';
        if (col > 0)
            at(vt, row, col - 1)->ch = ' ';
    }
}

void vt_scroll(struct vt *vt, int top, int n)
{
    int rows = vt->bottom - top, size = vt->cols;

    for (int i = 0; i < abs(n); i++) {
        if (n > 0)
            memmove(at(vt, top, 0), &vt->cell[(top + 1) * size],
                    (size_t)(rows - 1) * (size_t)size * sizeof vt_blank);
        else
            memmove(&vt->cell[(top + 1) * size], at(vt, top, 0),
                    (size_t)(rows - 1) * (size_t)size * sizeof vt_blank);
        vt_erase(vt, n > 0 ? vt->bottom - 1 : top, 0, size);
    }
}

void vt_go(struct vt *vt, int row, int col)
{
    vt->row = row < 0 ? 0 : row >= vt->rows ? vt->rows - 1 : row;
    vt->col = col < 0 ? 0 : col >= vt->cols ? vt->cols - 1 : col;
    vt->wrap_next = false;
}

void vt_line_down(struct vt *vt)
{
    if (vt->row == vt->bottom - 1)
        vt_scroll(vt, vt->top, 1);
    else
        vt_go(vt, vt->row + 1, vt->col);
    vt->wrap_next = false;
}

void vt_shift(struct vt *vt, int n)
{
    int room = vt->cols - vt->col, k = abs(n) < room ? abs(n) : room;
    struct vt_cell *here = at(vt, vt->row, vt->col);

    vt_split(vt, vt->row, vt->col);
    if (n > 0) {
        vt_split(vt, vt->row, vt->cols - k);
        memmove(here + k, here, (size_t)(room - k) * sizeof *here);
        vt_erase(vt, vt->row, vt->col, vt->col + k);
    } else {
        vt_split(vt, vt->row, vt->col + k);
        memmove(here, here + k, (size_t)(room - k) * sizeof *here);
        vt_erase(vt, vt->row, vt->cols - k, vt->cols);
    }
}

/* DEC's line drawing, as far as boxes go. */
static uint32_t drawn(uint32_t ch)
{
    static const uint32_t box[] = { 0x2518, 0x2510, 0x250c, 0x2514, 0x253c };

    if (ch >= 'j' && ch <= 'n')
        return box[ch - 'j'];
    return ch == 'q' ? 0x2500 : ch == 'x' ? 0x2502 : ch;
}

void vt_put(struct vt *vt, uint32_t ch)
{
    int width;

    if (vt->graphics[vt->charset])
        ch = drawn(ch);
    width = wcwidth((wchar_t)ch);
    if (width < 1) {
        vt_unknown(vt, "a character of no width", "", 0);
        return;
    }
    if (vt->wrap_next || vt->col + width > vt->cols) {
        if (vt->wrap) {
            vt_line_down(vt);
            vt_go(vt, vt->row, 0);
        } else {
            vt->col = vt->cols - width;
        }
    }
    if (vt->insert)
        vt_shift(vt, width);
    vt_split(vt, vt->row, vt->col);
    vt_split(vt, vt->row, vt->col + width);
    *at(vt, vt->row, vt->col) = vt->pen;
    at(vt, vt->row, vt->col)->ch = ch;
    if (width == 2) {
        *at(vt, vt->row, vt->col + 1) = vt->pen;
        at(vt, vt->row, vt->col + 1)->ch = 0;
    }
    vt->last = ch;
    vt->wrap_next = vt->col + width == vt->cols;
    vt->col = vt->wrap_next ? vt->cols - 1 : vt->col + width;
}

/* ---- public ---- */

static struct vt_cell *new_cells(int rows, int cols)
{
    struct vt_cell *cell = calloc((size_t)rows * (size_t)cols, sizeof *cell);

    if (cell == NULL)
        abort();
    for (int i = 0; i < rows * cols; i++)
        cell[i] = vt_blank;
    return cell;
}

void vt_init(struct vt *vt, int rows, int cols)
{
    memset(vt, 0, sizeof *vt);
    vt->rows = vt->bottom = rows;
    vt->cols = cols;
    vt->cell = new_cells(rows, cols);
    vt->other = new_cells(rows, cols);
    vt->pen = vt_blank;
    vt->cursor = vt->wrap = true;
}

void vt_free(struct vt *vt)
{
    free(vt->cell);
    free(vt->other);
    wb_str_free(&vt->clipboard);
    memset(vt, 0, sizeof *vt);
}

static struct vt_cell *resized(const struct vt *vt, struct vt_cell *old, int rows, int cols)
{
    struct vt_cell *cell = new_cells(rows, cols);

    for (int row = 0; row < rows && row < vt->rows; row++)
        for (int col = 0; col < cols && col < vt->cols; col++)
            cell[row * cols + col] = old[row * vt->cols + col];
    free(old);
    return cell;
}

void vt_resize(struct vt *vt, int rows, int cols)
{
    vt->cell = resized(vt, vt->cell, rows, cols);
    vt->other = resized(vt, vt->other, rows, cols);
    vt->rows = vt->bottom = rows;
    vt->cols = cols;
    vt->top = 0;
    vt_go(vt, vt->row, vt->col);
}

bool vt_feed(struct vt *vt, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n && vt->unknown[0] == '\0';) {
        size_t room = sizeof vt->pending - vt->pending_n, part = n - i < room ? n - i : room;
        size_t used = 0, step;

        memcpy(vt->pending + vt->pending_n, bytes + i, part);
        vt->pending_n += part;
        i += part;
        while (used < vt->pending_n && vt->unknown[0] == '\0' &&
               (step = vt_take(vt, vt->pending + used, vt->pending_n - used)) > 0)
            used += step;
        if (used == 0 && vt->pending_n == sizeof vt->pending)
            vt_unknown(vt, "a sequence without end", vt->pending, 20);
        memmove(vt->pending, vt->pending + used, vt->pending_n - used);
        vt->pending_n -= used;
    }
    return vt->unknown[0] == '\0';
}

void vt_row(const struct vt *vt, int row, struct wb_str *out)
{
    size_t end = 0, start = out->len;
    char bytes[MB_LEN_MAX];

    for (int col = 0; col < vt->cols; col++) {
        uint32_t ch = vt->cell[row * vt->cols + col].ch;
        mbstate_t state = { 0 };
        size_t n = ch == 0 ? 0 : wcrtomb(bytes, (wchar_t)ch, &state);

        wb_str_add_n(out, n == (size_t)-1 ? "?" : bytes, n == (size_t)-1 ? 1 : n);
        if (ch != ' ' && ch != 0)
            end = out->len - start;
    }
    out->len = start + end;
    if (out->text != NULL)
        out->text[out->len] = '\0';
}

void vt_dump(const struct vt *vt, struct wb_str *out)
{
    for (int row = 0; row < vt->rows; row++) {
        vt_row(vt, row, out);
        wb_str_add(out, "\n");
    }
}

const struct vt_cell *vt_at(const struct vt *vt, int row, int col)
{
    assert(row >= 0 && row < vt->rows && col >= 0 && col < vt->cols);
    return &vt->cell[row * vt->cols + col];
}
