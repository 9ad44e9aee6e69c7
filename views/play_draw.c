/* views/play_draw.c - the playground: the prompt, the settings, columns of text in the colours of
 * their probabilities, and what is known of the token under the cursor. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "views/box.h"
#include "views/number.h"
#include "views/view_play.h"

enum {
    COLUMN_COLS_MIN = 24,
    SETTINGS_COLS = 38,
    SETTINGS_COLS_WIDE = 48,
    WIDE_COLS = 120,
    TOP_ROWS = 6, /* of prompt and settings, the title included */
    TOP_ROWS_TALL = 9,
    TALL_ROWS = 34,
    NOTE_COLS = 12,
};

/* Where things stand */

struct play_layout wb_play_lay_out(const struct play *p, int rows, int cols)
{
    int top = rows >= TALL_ROWS ? TOP_ROWS_TALL : TOP_ROWS;
    int settings = cols >= WIDE_COLS ? SETTINGS_COLS_WIDE : SETTINGS_COLS;
    int others = p->columns > 1 ? (int)p->columns - 1 : 0;
    int readout = 2 + (rows >= TALL_ROWS ? others : others > 2 ? 2 : others);
    struct play_layout l = { .prompt = { 0, 0, top, cols - settings - 1 },
                             .settings = { 0, cols - settings, top, settings },
                             .columns = { top, 0, rows - top - readout, cols },
                             .readout = { rows - readout, 0, readout, cols } };
    size_t fit = (size_t)(cols / COLUMN_COLS_MIN > 0 ? cols / COLUMN_COLS_MIN : 1);

    l.visible = p->columns < fit ? p->columns : fit;
    l.column_cols = l.visible == 0 ? cols : cols / (int)l.visible;
    return l;
}

int wb_play_text_cols(const struct play_layout *l)
{
    return l->column_cols > 2 ? l->column_cols - 1 : 1;
}

int wb_play_text_lines(const struct play *p, const struct play_layout *l)
{
    int rows = l->columns.rows - 1; /* the title */

    return p->plain ? rows : rows / 2;
}

/* Text in lines */

/* One character at its place. */
struct glyph {
    int line, col, width;
    uint32_t ch;
    size_t token;
    bool first; /* of its token */
};

/* A new line, or one that a token does not fit in. */
#define LINE_END 0x21B5u

static int width_of(const char *text)
{
    int width, all = 0;
    uint32_t ch;

    while ((ch = wb_text_next(&text, &width)) != 0 && ch != '\n')
        all += width;
    return all;
}

/* Call see for every character of a run, broken at tokens; gives the number of lines. With the lock
 * held. */
static int walk(const struct play_run *r, int cols, void (*see)(void *ctx, const struct glyph *g),
                void *ctx)
{
    struct glyph g = { 0 };

    for (; g.token < r->tokens; g.token++) {
        const char *text = r->token[g.token].text;
        int width = width_of(text);

        if (g.col > 0 && g.col + width > cols && width <= cols) {
            g.line++;
            g.col = 0;
        }
        g.first = true;
        if (*text == '\0') { /* a piece of a character: it has a place too */
            g.width = 0;
            g.ch = 0;
            see(ctx, &g);
        }
        while (*text != '\0') {
            bool end = *text == '\n';

            g.ch = wb_text_next(&text, &g.width);
            if (end) {
                g.ch = LINE_END;
                g.width = 1;
            }
            if (g.col > 0 && g.col + g.width > cols) {
                g.line++;
                g.col = 0;
            }
            see(ctx, &g);
            g.first = false;
            g.col += g.width;
            if (end) {
                g.line++;
                g.col = 0;
            }
        }
    }
    return g.line + 1;
}

struct line_of {
    size_t token;
    int line;
};

static void see_line(void *ctx, const struct glyph *g)
{
    struct line_of *l = ctx;

    if (g->token == l->token && g->first)
        l->line = g->line;
}

int wb_play_line_of(const struct play_column *c, size_t token, int cols, int *lines)
{
    struct line_of l = { .token = token };

    *lines = 1;
    if (c->run == NULL)
        return 0;
    pthread_mutex_lock(&c->run->lock);
    *lines = walk(c->run, cols, see_line, &l);
    pthread_mutex_unlock(&c->run->lock);
    return l.line;
}

struct token_at {
    int line, col;
    size_t token;
};

/* The last one that begins at or before the place, on its line. */
static void see_token(void *ctx, const struct glyph *g)
{
    struct token_at *at = ctx;

    if (g->line == at->line && (g->col <= at->col || at->token == SIZE_MAX))
        at->token = g->token;
}

size_t wb_play_token_at(const struct play_column *c, int line, int col, int cols)
{
    struct token_at at = { .line = line, .col = col, .token = SIZE_MAX };

    if (c->run == NULL)
        return SIZE_MAX;
    pthread_mutex_lock(&c->run->lock);
    walk(c->run, cols, see_token, &at);
    pthread_mutex_unlock(&c->run->lock);
    return at.token;
}

/* A column */

struct pen {
    const struct play *p;
    const struct play_column *c;
    struct wb_canvas *cv; /* of the text */
    int top, lines;       /* lines shown */
    bool focused;
};

static void put_glyph(const struct pen *pen, int row, const struct glyph *g)
{
    const struct wb_ramp *ramp = &pen->cv->theme->sequential;
    const struct play_token *t = &pen->c->run->token[g->token];
    int step = wb_ramp_step(ramp, (float)exp(t->logprob), 0, 1);
    uint32_t ch = g->ch == LINE_END && pen->cv->theme->ascii ? '\\' : g->ch;
    unsigned attrs = pen->focused && g->token == pen->c->cursor ? WB_ATTR_REVERSE : 0;

    if (pen->p->plain && wb_play_differs(pen->p, t))
        attrs |= WB_ATTR_UNDERLINE;
    if (step < 0 || ramp->by_glyph) {
        wb_canvas_put(pen->cv, row, g->col, WB_STYLE_TEXT, ch);
        if (attrs != 0)
            wb_canvas_add_attrs(pen->cv, row, g->col, g->width, attrs);
        return;
    }
    wb_canvas_put_coloured(pen->cv, row, g->col, wb_colour_contrast(ramp->colour[step]),
                           ramp->colour[step], attrs, ch);
}

/* Below a token: `^` where others disagree; where colours do not tell, its probability in tenths. */
static void put_mark(const struct pen *pen, int row, const struct glyph *g)
{
    const struct play_token *t = &pen->c->run->token[g->token];
    int tenths = (int)(exp(t->logprob) * 10);

    if (wb_play_differs(pen->p, t))
        wb_canvas_put(pen->cv, row, g->col, WB_STYLE_CHANGED, '^');
    else if (pen->cv->theme->sequential.by_glyph)
        wb_canvas_put(pen->cv, row, g->col, WB_STYLE_DIM,
                      (uint32_t)('0' + (tenths < 0   ? 0
                                        : tenths > 9 ? 9
                                                     : tenths)));
}

static void draw_glyph(void *ctx, const struct glyph *g)
{
    const struct pen *pen = ctx;
    int line = g->line - pen->top, row = pen->p->plain ? line : 2 * line;

    if (line < 0 || line >= pen->lines || g->width == 0)
        return;
    put_glyph(pen, row, g);
    if (g->first && !pen->p->plain)
        put_mark(pen, row + 1, g);
}

/* The first line shown: the cursor's line is in sight. */
static int top_of(const struct play_column *c, int cols, int lines)
{
    int all, line = wb_play_line_of(c, c->cursor, cols, &all), top = c->top;

    if (line < top)
        top = line;
    if (line >= top + lines)
        top = line - lines + 1;
    if (top > all - lines)
        top = all - lines;
    return top < 0 ? 0 : top;
}

/* "42 tokens, 31 a second", "at work". */
static void column_note(const struct play_column *c, char *out, size_t size)
{
    out[0] = '\0';
    if (c->run == NULL)
        return;
    pthread_mutex_lock(&c->run->lock);
    if (c->task != NULL && c->run->tokens == 0)
        snprintf(out, size, "reading");
    else if (c->task != NULL)
        snprintf(out, size, "%zu tokens", c->run->tokens);
    else if (c->err.code == WB_OK)
        snprintf(out, size, "%zu tokens%s", c->run->tokens,
                 c->stopped      ? ", stopped"
                 : c->run->ended ? ", ended"
                                 : "");
    pthread_mutex_unlock(&c->run->lock);
}

static void draw_column(const struct play *p, struct wb_canvas *cv, size_t i, int lines)
{
    const struct play_column *c = &p->shown[i];
    bool focused = p->focus == PLAY_COLUMN && p->column == i;
    struct wb_canvas inner = wb_pane_begin(cv, c->name, focused);
    struct pen pen = { .p = p, .c = c, .cv = &inner, .lines = lines, .focused = focused };
    char note[60];

    column_note(c, note, sizeof note);
    wb_pane_note(cv, c->name, note);
    if (c->err.code != WB_OK) {
        wb_canvas_put(&inner, 0, 0, WB_STYLE_ERROR, '!');
        inner = wb_canvas_sub(&inner, 0, 2, inner.rows, inner.cols - 2);
        wb_canvas_wrap(&inner, 0, 0, WB_STYLE_ERROR, c->err.msg);
        return;
    }
    if (c->run == NULL) {
        wb_canvas_text(&inner, 0, 0, WB_STYLE_DIM, "p continues the prompt");
        return;
    }
    pen.top = top_of(c, inner.cols, lines);
    pthread_mutex_lock(&c->run->lock);
    walk(c->run, inner.cols, draw_glyph, &pen);
    pthread_mutex_unlock(&c->run->lock);
}

static size_t first_column(const struct play *p, const struct play_layout *l)
{
    size_t left = p->left;

    if (p->column < left)
        left = p->column;
    if (p->column >= left + l->visible)
        left = p->column - l->visible + 1;
    return left + l->visible > p->columns ? p->columns - l->visible : left;
}

static void draw_columns(const struct play *p, const struct play_layout *l, struct wb_canvas *cv)
{
    const struct wb_rect *r = &l->columns;
    char note[40];
    size_t left;

    if (p->columns == 0) {
        wb_canvas_text(cv, r->row + 1, 1, WB_STYLE_DIM,
                       "No model is open yet: screen 'Models' opens one; :columns NAMES chooses.");
        return;
    }
    left = first_column(p, l);
    for (size_t i = 0; i < l->visible; i++) {
        int col = r->col + (int)i * l->column_cols;
        struct wb_canvas part = wb_canvas_sub(cv, r->row, col, r->rows, wb_play_text_cols(l));

        draw_column(p, &part, left + i, wb_play_text_lines(p, l));
        if (i > 0)
            wb_canvas_vline(cv, r->row, col - 1, r->rows);
    }
    if (l->visible < p->columns) {
        snprintf(note, sizeof note, "%zu of %zu %c%c", left + 1, p->columns, left > 0 ? '<' : ' ',
                 left + l->visible < p->columns ? '>' : ' ');
        wb_canvas_fit(cv, r->row, r->cols - NOTE_COLS, NOTE_COLS, WB_ALIGN_RIGHT, WB_STYLE_DIM,
                      note);
    }
}

/* The read-out */

static const char *percent(char *out, size_t size, double logprob)
{
    return wb_number_percent(out, size, exp(logprob));
}

/* A text in quotes, line ends and control characters as escapes. */
static void add_quoted(struct wb_str *out, const char *text)
{
    wb_str_add(out, "\"");
    for (; text != NULL && *text != '\0'; text++)
        if (*text == '\n')
            wb_str_add(out, "\\n");
        else if (*text == '\t')
            wb_str_add(out, "\\t");
        else
            wb_str_add_n(out, text, 1);
    wb_str_add(out, "\"");
}

static void say_own(const struct play_token *t, struct wb_str *out)
{
    char number[40];

    add_quoted(out, t->text);
    wb_str_printf(out, "  %s", percent(number, sizeof number, t->logprob));
    wb_str_printf(out, "  entropy %s   first ", wb_number(number, sizeof number, t->entropy));
    for (int i = 0; i < WB_GENERATE_TOP && t->top[i] != NULL; i++) {
        wb_str_add(out, i > 0 ? "  " : "");
        add_quoted(out, t->top[i]);
        wb_str_printf(out, " %s", percent(number, sizeof number, t->top_logprob[i]));
    }
}

static void say_opinion(const struct play_column *by, const struct play_token *t,
                        const struct play_opinion *o, struct wb_str *out)
{
    bool same = t->top[0] != NULL && o->first != NULL && strcmp(o->first, t->top[0]) == 0;
    char number[40];

    wb_str_printf(out, "%s  ", by->name);
    if (!o->known) {
        wb_str_add(out, "not asked");
        return;
    }
    wb_str_printf(out, "%s  %s first ", percent(number, sizeof number, o->logprob),
                  same ? "the same" : "another");
    add_quoted(out, o->first);
    wb_str_printf(out, " %s", percent(number, sizeof number, o->first_logprob));
}

static void draw_opinions(const struct play *p, struct wb_canvas *cv, const struct play_token *t)
{
    int row = 2;

    for (size_t i = 0; i < p->columns && row < cv->rows; i++) {
        struct wb_str text = { 0 };
        const struct play_opinion *o = &t->opinion[i];
        bool differs =
            o->known && t->top[0] != NULL && o->first != NULL && strcmp(o->first, t->top[0]) != 0;

        if (i == p->column)
            continue;
        say_opinion(&p->shown[i], t, o, &text);
        wb_canvas_put(cv, row, 0, WB_STYLE_CHANGED, differs ? '^' : ' ');
        wb_canvas_fit(cv, row++, 2, cv->cols - 2, WB_ALIGN_TEXT,
                      differs ? WB_STYLE_CHANGED : WB_STYLE_DIM, text.text);
        wb_str_free(&text);
    }
}

static void draw_legend(const struct play *p, struct wb_canvas *cv)
{
    const struct wb_ramp *ramp = &cv->theme->sequential;
    int cols = ramp->steps < 16 ? ramp->steps : 16, col = cv->cols - cols - 10;

    if (col < 40)
        return;
    if (ramp->by_glyph) {
        wb_canvas_text(cv, 0, cv->cols - 34, WB_STYLE_DIM,
                       p->plain ? "" : "digits: probability in tenths");
        return;
    }
    wb_canvas_text(cv, 0, col, WB_STYLE_DIM, "0%");
    for (int i = 0; i < cols; i++) {
        int step = i * (ramp->steps - 1) / (cols - 1);

        wb_canvas_put_coloured(cv, 0, col + 3 + i, WB_COLOUR_NONE, ramp->colour[step], 0, ' ');
    }
    wb_canvas_text(cv, 0, col + 4 + cols, WB_STYLE_DIM, "100%");
}

static void draw_readout(const struct play *p, struct wb_canvas *cv)
{
    const struct play_column *c = p->columns > 0 ? &p->shown[p->column] : NULL;
    struct wb_str text = { 0 };

    wb_pane_begin(cv, "TOKEN", false);
    draw_legend(p, cv);
    if (c == NULL || c->run == NULL)
        return;
    pthread_mutex_lock(&c->run->lock);
    if (c->cursor < c->run->tokens) {
        const struct play_token *t = &c->run->token[c->cursor];

        wb_canvas_printf(cv, 0, 6, WB_STYLE_DIM, "%zu of %zu, %s", c->cursor + 1, c->run->tokens,
                         c->name);
        say_own(t, &text);
        wb_canvas_fit(cv, 1, 2, cv->cols - 2, WB_ALIGN_TEXT, WB_STYLE_TEXT, text.text);
        draw_opinions(p, cv, t);
    }
    pthread_mutex_unlock(&c->run->lock);
    wb_str_free(&text);
}

/* The whole */

static void draw_prompt(const struct play *p, struct wb_canvas *cv)
{
    struct wb_canvas inner = wb_pane_begin(cv, "PROMPT", p->focus == PLAY_PROMPT);
    struct wb_str text = { 0 };

    wb_pane_note(cv, "PROMPT", p->typing ? "Esc leaves, M-Enter writes" : "");
    if (wb_document_bytes(p->text) == 0 && !p->typing) {
        wb_canvas_text(&inner, 0, 2, WB_STYLE_DIM, "e types a prompt, p lets the models go on");
        return;
    }
    if (p->typing) {
        wb_editor_resize(p->editor, inner.rows, inner.cols);
        wb_editor_draw(p->editor, &inner, true);
        return;
    }
    wb_document_text(p->text, &text);
    inner = wb_canvas_sub(&inner, 0, 2, inner.rows, inner.cols - 3);
    if (!text.failed)
        wb_canvas_wrap(&inner, 0, 0, WB_STYLE_TEXT, text.text);
    wb_str_free(&text);
}

void wb_play_draw(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct play *p = v->state;
    struct play_layout l = wb_play_lay_out(p, cv->rows, cv->cols);
    struct wb_canvas part = wb_rect_window(cv, &l.prompt), inner;

    draw_prompt(p, &part);
    wb_canvas_vline(cv, 0, l.settings.col - 1, l.settings.rows);
    part = wb_rect_window(cv, &l.settings);
    inner = wb_pane_begin(&part, "SETTINGS", p->focus == PLAY_SETTING_ROWS);
    wb_play_draw_settings(p, &inner);
    draw_columns(p, &l, cv);
    part = wb_rect_window(cv, &l.readout);
    draw_readout(p, &part);
}
