/* views/frame_draw.c - the rows around a view: tabs, status, and the last row. */
#include <stdio.h>
#include <string.h>

#include "views/frame.h"

#define SUMMARY_COLS 22
#define SHORT_TITLE 3 /* letters of a title where the whole ones do not fit; else one less */

/* Tabs: "[1 Models]" with titles while they fit, else the beginnings of all but the active one's. */

struct tab {
    int col, cols;
    char text[40];
};

/* letters: of the titles of all but the active one; 0: all of them. */
static bool lay_out(const struct wb_frame *f, int letters, int from, int cols,
                    struct tab tab[WB_SCREENS_MAX])
{
    bool titles = letters == 0;
    int col = from;

    for (int i = 0; i < f->screens; i++) {
        bool active = i == f->current;

        snprintf(tab[i].text, sizeof tab[i].text,
                 active   ? "[%d %.*s]"
                 : titles ? " %d %.*s "
                          : "%d%.*s ",
                 i + 1, titles || active ? 20 : letters, wb_screens[i]->title);
        tab[i].col = col;
        tab[i].cols = wb_text_width(tab[i].text);
        col += tab[i].cols;
    }
    return col <= cols - SUMMARY_COLS;
}

static void tabs(const struct wb_frame *f, struct tab tab[WB_SCREENS_MAX], bool *name)
{
    int cols = f->surface.cols;

    *name = true;
    if (lay_out(f, 0, 13, cols, tab))
        return;
    *name = false;
    if (!lay_out(f, 0, 0, cols, tab) && !lay_out(f, SHORT_TITLE, 0, cols, tab))
        lay_out(f, SHORT_TITLE - 1, 0, cols, tab);
}

int wb_frame_tab_at(const struct wb_frame *f, int col)
{
    struct tab tab[WB_SCREENS_MAX];
    bool name;

    tabs(f, tab, &name);
    for (int i = 0; i < f->screens; i++)
        if (col >= tab[i].col && col < tab[i].col + tab[i].cols)
            return i;
    return -1;
}

static void draw_tabs(const struct wb_frame *f, struct wb_canvas *cv)
{
    struct tab tab[WB_SCREENS_MAX];
    char summary[60];
    bool name;

    tabs(f, tab, &name);
    wb_canvas_fill(cv, 0, 0, 1, cv->cols, WB_STYLE_TAB, ' ');
    if (name)
        wb_canvas_text(cv, 0, 1, WB_STYLE_TAB, "weightbench");
    for (int i = 0; i < f->screens; i++)
        wb_canvas_text(cv, 0, tab[i].col, i == f->current ? WB_STYLE_TAB_ACTIVE : WB_STYLE_TAB,
                       tab[i].text);
    wb_desk_summary(f->desk, summary, sizeof summary);
    wb_canvas_fit(cv, 0, cv->cols - SUMMARY_COLS, SUMMARY_COLS - 1, WB_ALIGN_RIGHT, WB_STYLE_TAB,
                  summary);
}

/* Status: where one is at the left, position and mode at the right. */

static void draw_status(const struct wb_frame *f, struct wb_canvas *cv)
{
    const struct wb_view *v = wb_frame_view(f);
    struct wb_str where = { 0 }, position = { 0 };
    int row = cv->rows - 2, right;

    if (v->ops->status != NULL)
        v->ops->status(v, &where, &position);
    wb_canvas_fill(cv, row, 0, 1, cv->cols, WB_STYLE_STATUS, ' ');
    if (f->count > 0)
        wb_str_printf(&position, "%s%d", position.len > 0 ? "   " : "", f->count);
    right = position.len > 0 ? wb_text_width(position.text) : 0;
    if (right > cv->cols * 2 / 3)
        right = cv->cols * 2 / 3;
    wb_canvas_fit(cv, row, 1, cv->cols - right - 4, WB_ALIGN_LEFT, WB_STYLE_STATUS,
                  where.len > 0 ? where.text : v->ops->title);
    if (right > 0)
        wb_canvas_fit(cv, row, cv->cols - right - 1, right, WB_ALIGN_RIGHT, WB_STYLE_STATUS,
                      position.text);
    wb_str_free(&where);
    wb_str_free(&position);
}

/* The last row */

static int draw_hint(const struct wb_frame *f, struct wb_canvas *cv, int col, enum wb_action action)
{
    const struct wb_view *v = wb_frame_view(f);
    char keys[60];
    int row = cv->rows - 1, width;

    wb_keymap_keys(&f->keymap, v->ops, action, keys, sizeof keys);
    keys[strcspn(keys, " ")] = '\0'; /* the first one is enough here */
    width = wb_text_width(keys) + 1 + wb_text_width(wb_action_info(action)->name);
    if (keys[0] == '\0' || col + width > cv->cols - 1)
        return 0;
    wb_canvas_text(cv, row, col, WB_STYLE_KEY, keys);
    wb_canvas_text(cv, row, col + wb_text_width(keys) + 1, WB_STYLE_DIM,
                   wb_action_info(action)->name);
    return width + 2;
}

static void draw_hints(const struct wb_frame *f, struct wb_canvas *cv)
{
    const struct wb_view *v = wb_frame_view(f);
    int col = 1;

    for (const enum wb_action *a = v->ops->hints; a != NULL && *a != WB_ACTION_NONE; a++)
        col += draw_hint(f, cv, col, *a);
    col += draw_hint(f, cv, col, WB_ACTION_COMMAND);
    draw_hint(f, cv, col, WB_ACTION_HELP);
}

static void draw_toast(const struct wb_frame *f, struct wb_canvas *cv,
                       const struct wb_message *toast)
{
    static const enum wb_style style[] = { WB_STYLE_GOOD, WB_STYLE_WARNING, WB_STYLE_ERROR };
    int row = cv->rows - 1;
    bool waits = f->desk->messages.toast_until == 0;

    wb_canvas_text(cv, row, 0, style[toast->kind], toast->kind == WB_MESSAGE_NOTE ? " " : "!");
    wb_canvas_fit(cv, row, 2, cv->cols - (waits ? 16 : 3), WB_ALIGN_LEFT, style[toast->kind],
                  toast->text);
    if (waits)
        wb_canvas_text(cv, row, cv->cols - 13, WB_STYLE_DIM, "(L: the log)");
}

void wb_frame_draw_around(struct wb_frame *f, struct wb_canvas *cv)
{
    const struct wb_message *toast = wb_messages_toast(&f->desk->messages);

    draw_tabs(f, cv);
    draw_status(f, cv);
    if (f->mode != WB_FRAME_PLAIN)
        wb_line_draw(f->mode == WB_FRAME_COMMAND  ? f->command
                     : f->mode == WB_FRAME_SEARCH ? f->search
                                                  : f->ask_line,
                     cv, cv->rows - 1, true);
    else if (toast != NULL)
        draw_toast(f, cv, toast);
    else
        draw_hints(f, cv);
}
