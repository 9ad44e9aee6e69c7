/* views/frame_draw.c - the rows around a view: tabs, status, and the last row. */
#include <stdio.h>
#include <string.h>

#include "views/frame.h"

#define SUMMARY_COLS 17
#define NAME_COLS 13 /* "weightbench" before the tabs, where there is room */

/* Tabs, the widest form that fits: " 1 Models  2 Tensors ", "1 Models 2 Tensors ", and the beginnings
 * "1Mod 2Ten " of all but the active one's, which is "[1 Models]" always. The number is the key that
 * goes there; beyond ten there is none. */

enum tab_form { TAB_WIDE, TAB_CLOSE, TAB_SHORT, TAB_SHORTEST };

struct tab {
    int col, cols;
    char text[40];
};

static void put_tab(struct tab *t, enum tab_form form, int i, bool active)
{
    const char *title = wb_screens[i]->title;
    char number[4] = "";
    int letters = form == TAB_SHORT && !active ? 3 : form == TAB_SHORTEST && !active ? 2 : 20;
    bool apart = active || form <= TAB_CLOSE;

    if (i < 10)
        snprintf(number, sizeof number, "%d%s", (i + 1) % 10, apart ? " " : "");
    snprintf(t->text, sizeof t->text, "%s%s%.*s%s",
             active             ? "["
             : form == TAB_WIDE ? " "
                                : "",
             number, letters, title, active ? "]" : " ");
}

static bool lay_out(const struct wb_frame *f, enum tab_form form, int from, int cols,
                    struct tab tab[WB_SCREENS_MAX])
{
    int col = from;

    for (int i = 0; i < f->screens; i++) {
        put_tab(&tab[i], form, i, i == f->current);
        tab[i].col = col;
        tab[i].cols = wb_text_width(tab[i].text);
        col += tab[i].cols;
    }
    return col <= cols - SUMMARY_COLS;
}

static void tabs(const struct wb_frame *f, struct tab tab[WB_SCREENS_MAX], bool *name)
{
    int cols = f->surface.cols;

    *name = lay_out(f, TAB_WIDE, NAME_COLS, cols, tab);
    if (!*name && !lay_out(f, TAB_WIDE, 0, cols, tab) && !lay_out(f, TAB_CLOSE, 0, cols, tab) &&
        !lay_out(f, TAB_SHORT, 0, cols, tab))
        lay_out(f, TAB_SHORTEST, 0, cols, tab);
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
