/* views/editor_draw.c - the editor on a canvas. */
#include <stdio.h>

#include "views/editor_impl.h"
#include "views/lua_lexer.h"

#define MESSAGE_COLS 16 /* fewer beside the line, and the message goes into the last row */

/* What is drawn over the colours of the tokens. */
struct over {
    struct wb_range selection;
    bool selecting;
    struct wb_pos bracket[2];
    bool brackets;
};

/* One line on its way to the canvas. */
struct pen {
    const struct wb_editor *ed;
    const struct over *over;
    struct wb_canvas *cv; /* the window of the text */
    int row;
    size_t line;
    struct wb_lua_lexer lx;
    struct wb_lua_token token;
    struct wb_range match; /* the next one from here on */
    bool any_match;
};

static void next_match(struct pen *p, size_t from)
{
    const struct wb_editor *ed = p->ed;

    p->any_match = ed->matches && wb_document_find_in_line(ed->d, p->line, from, ed->needle.text,
                                                           ed->needle.len, &p->match);
}

static bool same(struct wb_pos a, struct wb_pos b)
{
    return wb_pos_compare(a, b) == 0;
}

/* The style of the character at a byte; *attrs are added. */
static enum wb_style style_at(struct pen *p, size_t byte, unsigned *attrs)
{
    struct wb_pos pos = { p->line, byte };
    const struct over *o = p->over;

    *attrs = 0;
    while (p->token.from + p->token.len <= byte && wb_lua_lexer_next(&p->lx, &p->token))
        ;
    if (p->any_match && byte >= p->match.to.byte)
        next_match(p, byte);
    if (o->selecting && wb_pos_compare(pos, o->selection.from) >= 0 &&
        wb_pos_compare(pos, o->selection.to) < 0)
        return WB_STYLE_SELECTION;
    if (p->any_match && byte >= p->match.from.byte) {
        if (same(p->match.from, wb_document_cursor(p->ed->d)))
            *attrs = WB_ATTR_BOLD | WB_ATTR_UNDERLINE; /* the one the search stands on */
        return WB_STYLE_MATCH;
    }
    if (o->brackets && (same(pos, o->bracket[0]) || same(pos, o->bracket[1])))
        return WB_STYLE_MARK;
    return p->ed->prose ? WB_STYLE_TEXT : wb_lua_style(p->token.kind);
}

static void put(struct pen *p, size_t col, enum wb_style style, unsigned attrs, uint32_t ch)
{
    int at = (int)((int64_t)col - (int64_t)p->ed->left);

    wb_canvas_put(p->cv, p->row, at, style, ch);
    if (attrs != 0)
        wb_canvas_add_attrs(p->cv, p->row, at, wb_char_width(ch), attrs);
}

/* Draw a line; gives the column behind it, or one beyond the window's edge when more follows. */
static size_t draw_text(struct pen *p, const char *text, size_t len)
{
    size_t left = p->ed->left, right = left + (size_t)p->cv->cols, col = 0;

    for (size_t i = 0; i < len;) {
        size_t byte = i, cols;
        unsigned attrs;
        enum wb_style style = style_at(p, byte, &attrs);
        uint32_t ch;
        int width;

        if (col >= right)
            return right + 1;
        i += wb_text_step(text + i, len - i, &ch, &width);
        cols = ch == '\t' ? WB_TAB_COLS - col % WB_TAB_COLS : (size_t)width;
        for (size_t k = 0; ch == '\t' && k < cols; k++)
            put(p, col + k, style, attrs, ' ');
        if (ch != '\t' && cols > 0 && col + cols > left)
            put(p, col, style, attrs, ch);
        col += cols;
    }
    return col;
}

/* Signs that a line goes on to either side. */
static void draw_ends(struct pen *p, size_t end)
{
    if (p->cv->cols < 2)
        return;
    if (p->ed->left > 0 && end > 0)
        wb_canvas_put(p->cv, p->row, 0, WB_STYLE_DIM, '<');
    if (end > p->ed->left + (size_t)p->cv->cols)
        wb_canvas_put(p->cv, p->row, p->cv->cols - 1, WB_STYLE_DIM, '>');
}

static void draw_number(const struct wb_editor *ed, struct wb_canvas *cv, int row, size_t line,
                        bool focus)
{
    bool error = ed->error != NULL && ed->error_line == line;
    bool here = wb_document_cursor(ed->d).line == line;
    enum wb_style style = error ? WB_STYLE_ERROR : here ? WB_STYLE_HEADER : WB_STYLE_DIM;

    wb_canvas_put(cv, row, 0, style, error ? '!' : here && focus ? '>' : ' ');
    if (!ed->prose)
        wb_canvas_printf(cv, row, 1, style, "%*zu", wb_editor_gutter(ed) - 2, line + 1);
}

/* The message beside its line, or in the last row when there is no room. */
static void draw_error(const struct wb_editor *ed, struct wb_canvas *cv, int row, int col)
{
    char text[500];

    snprintf(text, sizeof text, "! %s", ed->error);
    if (cv->cols - col - 2 >= MESSAGE_COLS ||
        (cv->cols - col - 2 > 0 && wb_text_width(text) <= cv->cols - col - 2)) {
        wb_canvas_fit(cv, row, col + 2, cv->cols - col - 2, WB_ALIGN_LEFT, WB_STYLE_ERROR, text);
    } else if (wb_editor_text_rows(ed) > 2) {
        row = wb_editor_text_rows(ed) - 1;
        wb_canvas_fill(cv, row, 0, 1, -1, WB_STYLE_ERROR, ' ');
        wb_canvas_fit(cv, row, 0, cv->cols, WB_ALIGN_LEFT, WB_STYLE_ERROR, text);
    }
}

static size_t draw_line(const struct wb_editor *ed, struct wb_canvas *text_cv,
                        const struct over *over, int row, size_t line)
{
    struct pen p = { .ed = ed, .over = over, .cv = text_cv, .row = row, .line = line };
    size_t len, end;
    const char *text = wb_document_line(ed->d, line, &len);
    struct wb_pos behind = { line, len };

    wb_lua_lexer_init(&p.lx, text, len, wb_lua_states_at(ed->states, ed->d, line));
    next_match(&p, 0);
    end = draw_text(&p, text, len);
    draw_ends(&p, end);
    /* the line end is selected too: one blank shows it */
    if (over->selecting && wb_pos_compare(behind, over->selection.from) >= 0 &&
        wb_pos_compare(behind, over->selection.to) < 0 && end >= ed->left)
        wb_canvas_put(text_cv, row, (int)(end - ed->left), WB_STYLE_SELECTION, ' ');
    return end;
}

static void find_over(const struct wb_editor *ed, bool focus, struct over *over)
{
    over->selecting = wb_editor_selection(ed, &over->selection);
    over->brackets = focus && !ed->prose && !over->selecting &&
                     wb_lua_match(ed->states, ed->d, wb_document_cursor(ed->d), &over->bracket[0],
                                  &over->bracket[1]);
}

static void draw_cursor(const struct wb_editor *ed, struct wb_canvas *cv, struct wb_canvas *text)
{
    struct wb_pos cursor = wb_document_cursor(ed->d);
    size_t col = wb_document_column(ed->d, cursor);
    int row = (int)(cursor.line - ed->top), word;

    if (cursor.line < ed->top || row >= wb_editor_text_rows(ed) || col < ed->left)
        return;
    wb_canvas_cursor(text, row, (int)(col - ed->left));
    word = (int)wb_document_column(ed->d, ed->word) - (int)ed->left;
    wb_complete_draw(&ed->popup, cv, row, wb_editor_gutter(ed) + (word < 0 ? 0 : word) - 1, true);
}

void wb_editor_draw(const struct wb_editor *ed, struct wb_canvas *cv, bool focus)
{
    int rows = wb_editor_text_rows(ed), gutter = wb_editor_gutter(ed), error_row = -1,
        error_col = 0;
    struct wb_canvas text = wb_canvas_sub(cv, 0, gutter, rows, cv->cols);
    size_t lines = wb_document_lines(ed->d);
    struct over over;

    wb_canvas_fill(cv, 0, 0, ed->rows, -1, WB_STYLE_TEXT, ' ');
    find_over(ed, focus, &over);
    for (int r = 0; r < rows && ed->top + (size_t)r < lines; r++) {
        size_t line = ed->top + (size_t)r, end;

        draw_number(ed, cv, r, line, focus);
        end = draw_line(ed, &text, &over, r, line);
        if (ed->error != NULL && ed->error_line == line) {
            error_row = r;
            error_col = gutter + (end < ed->left ? 0 : (int)(end - ed->left));
        }
    }
    if (error_row >= 0)
        draw_error(ed, cv, error_row, error_col);
    if (ed->mode != WB_EDITOR_PLAIN)
        wb_line_draw(ed->prompt, cv, ed->rows - 1, focus);
    else if (focus)
        draw_cursor(ed, cv, &text);
}
