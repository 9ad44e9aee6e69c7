/* views/term.c - the one file that knows curses: surfaces to the terminal.
 *
 * DESIGN. Curses knows terminals and sends what changed; nothing else of it is used: input.c
 * decodes keys, tty.c waits and deals with signals, term_read.c puts these two together. A copy
 * of the cells that curses was given keeps an unchanged one from costing more than a comparison.
 * Colour pairs are made as they are met and found again by hash; when they run out, all are given
 * up at once and the screen is set anew, and when one screen alone needs more than there are, the
 * rest of it has no colour. */
#include "views/term.h"

#include <assert.h>
#include <curses.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <term.h>
#include <unistd.h>
#include <wchar.h>

#include "views/stray.h"
#include "views/term_internal.h"
#include "views/tty.h"

#define SIZE_MAX_CELLS 2000 /* rows or columns: no window is larger, and curses counts in short */
#define ESCDELAY_MS 25

static const char mouse_on[] = "\033[?1000h\033[?1006h", mouse_off[] = "\033[?1006l\033[?1000l";
static const char paste_on[] = "\033[?2004h", paste_off[] = "\033[?2004l";

static bool is_open;

/* ---- colour pairs ---- */

static void pairs_forget(struct wb_term *t)
{
    memset(t->slot, 0, sizeof t->slot);
    t->pairs = 0;
}

/* The pair of two colours; -1: there is none left. */
static int pair_get(struct wb_term *t, int32_t fg, int32_t bg)
{
    uint32_t at = ((uint32_t)fg * 0x9e3779b1u) ^ ((uint32_t)bg * 0x85ebca6bu);

    if (fg < 0 && bg < 0)
        return 0;
    for (at = (at ^ at >> 15) % WB_TERM_PAIR_SLOTS; t->slot[at].pair != 0;
         at = (at + 1) % WB_TERM_PAIR_SLOTS)
        if (t->slot[at].fg == fg && t->slot[at].bg == bg)
            return t->slot[at].pair;
    if (t->pairs == t->pairs_max || init_extended_pair(t->pairs + 1, fg, bg) == ERR)
        return -1;
    t->slot[at].fg = fg;
    t->slot[at].bg = bg;
    t->slot[at].pair = ++t->pairs;
    return t->pairs;
}

/* A colour as this terminal counts them; bright ones that it has not got ask for bold. */
static int32_t colour_number(const struct wb_term *t, int32_t colour, bool fg, uint32_t *attrs)
{
    int32_t c = wb_colour_reduce(colour, t->tier);

    if (c < 0)
        return t->own_colours ? -1 : fg ? COLOR_WHITE : COLOR_BLACK;
    if (c & WB_COLOUR_RGB) { /* below 8 are the colours of the palette */
        c &= 0xffffff;
        return c < 8 ? 8 : c;
    }
    if (c >= COLORS && COLORS == 8) {
        if (fg && c >= 8)
            *attrs |= WB_ATTR_BOLD;
        return c & 7;
    }
    return c < COLORS ? c : -1;
}

/* ---- cells ---- */

/* Columns of what can be shown as it is; 0: it cannot. */
static int safe_width(const struct wb_term *t, uint32_t ch)
{
    if (ch >= 0x20 && ch < 0x7f)
        return 1;
    return t->ascii || ch < 0xa0 || ch > 0x10ffff ? 0 : wcwidth((wchar_t)ch);
}

/* What to show for a cell. Where the C library's width of a character is not that of the surface,
 * curses would shift the rest of the line: then it is '?'. */
static uint32_t safe_char(const struct wb_term *t, const struct wb_cell *row, int col, int cols)
{
    int width = col + 1 < cols && row[col + 1].ch == 0 ? 2 : 1;

    if (row[col].ch == 0)
        return col > 0 && safe_width(t, row[col - 1].ch) == 2 ? 0 : ' ';
    if (safe_width(t, row[col].ch) == width)
        return row[col].ch;
    return t->ascii && row[col].ch >= 0xa0 ? wb_char_ascii(row[col].ch) : '?';
}

static struct wb_term_cell resolve(const struct wb_term *t, const struct wb_surface *s,
                                   const struct wb_theme *theme, int row, int col)
{
    static const struct wb_cell blank = { .ch = ' ', .fg = WB_COLOUR_NONE, .bg = WB_COLOUR_NONE };
    bool inside = row < s->rows && col < s->cols;
    const struct wb_cell *line = inside ? &s->cell[(size_t)row * (size_t)s->cols] : NULL;
    const struct wb_cell *c = inside ? &line[col] : &blank;
    const struct wb_look *look = &theme->look[c->style < WB_STYLE_COUNT ? c->style : 0];
    struct wb_term_cell out = { .ch = ' ', .attrs = c->attrs | look->attrs, .fg = -1, .bg = -1 };

    if (inside)
        out.ch = safe_char(t, line, col, s->cols < t->cols ? s->cols : t->cols);
    if (t->tier != WB_TIER_MONO) {
        out.fg = colour_number(t, c->fg == WB_COLOUR_NONE ? look->fg : c->fg, true, &out.attrs);
        out.bg = colour_number(t, c->bg == WB_COLOUR_NONE ? look->bg : c->bg, false, &out.attrs);
    }
    return out;
}

static attr_t curses_attrs(uint32_t attrs)
{
    return (attrs & WB_ATTR_BOLD ? A_BOLD : 0) | (attrs & WB_ATTR_DIM ? A_DIM : 0) |
           (attrs & WB_ATTR_REVERSE ? A_REVERSE : 0) |
           (attrs & WB_ATTR_UNDERLINE ? A_UNDERLINE : 0);
}

/* false: its pair is not to be had. */
static bool set_cell(struct wb_term *t, int row, int col, struct wb_term_cell c)
{
    wchar_t text[2] = { (wchar_t)c.ch, L'\0' };
    int pair = t->tier == WB_TIER_MONO ? 0 : pair_get(t, c.fg, c.bg);
    cchar_t cell;

    if (pair < 0 && !t->pairs_out)
        return false;
    if (pair < 0)
        pair = 0;
    /* The room for the pair in cchar_t's own parameter is a short. */
    setcchar(&cell, text, curses_attrs(c.attrs), 0, &pair);
    mvadd_wch(row, col, &cell); /* fails behind the last cell, which is set all the same */
    return true;
}

static bool same(struct wb_term_cell a, struct wb_term_cell b)
{
    return a.ch == b.ch && a.fg == b.fg && a.bg == b.bg && a.attrs == b.attrs;
}

/* false: colour pairs ran out on the way. */
static bool set_cells(struct wb_term *t, const struct wb_surface *s, const struct wb_theme *theme)
{
    for (int row = 0; row < t->rows; row++)
        for (int col = 0; col < t->cols; col++) {
            struct wb_term_cell now = resolve(t, s, theme, row, col);
            struct wb_term_cell *old = &t->shown[(size_t)row * (size_t)t->cols + (size_t)col];

            if (same(now, *old))
                continue;
            if (now.ch != 0 && !set_cell(t, row, col, now))
                return false;
            *old = now;
        }
    return true;
}

static void forget_shown(struct wb_term *t)
{
    for (size_t i = 0; i < (size_t)t->rows * (size_t)t->cols; i++)
        t->shown[i].ch = UINT32_MAX;
}

static bool resize_shown(struct wb_term *t, struct wb_err *err)
{
    struct wb_term_cell *grown =
        reallocarray(t->shown, (size_t)t->rows * (size_t)t->cols, sizeof *grown);

    if (grown == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a screen of %dx%d", t->cols, t->rows);
    t->shown = grown;
    forget_shown(t);
    return true;
}

static void show_cursor(struct wb_term *t, const struct wb_surface *s)
{
    bool on = s->cursor_row >= 0 && s->cursor_row < t->rows && s->cursor_col >= 0 &&
              s->cursor_col < t->cols;

    if (on != t->cursor_on)
        curs_set(on);
    t->cursor_on = on;
    leaveok(stdscr, !on); /* where a hidden one stands does not matter */
    if (on)
        move(s->cursor_row, s->cursor_col);
}

bool wb_term_present(struct wb_term *t, const struct wb_surface *surface,
                     const struct wb_theme *theme, struct wb_err *err)
{
    if (t->left || t->ended)
        return true;
    if (t->shown == NULL && !resize_shown(t, err))
        return false;
    if (!set_cells(t, surface, theme)) {
        pairs_forget(t);
        forget_shown(t);
        t->pairs_out = !set_cells(t, surface, theme);
        if (t->pairs_out)
            set_cells(t, surface, theme);
        t->pairs_out = false;
    }
    show_cursor(t, surface);
    wnoutrefresh(stdscr);
    doupdate();
    return true;
}

void wb_term_repaint(struct wb_term *t)
{
    if (!t->left)
        wrefresh(curscr);
}

/* ---- the way back, and lending ---- */

/* NULL: the terminal has no such string. */
static const char *get_string(const char *capability)
{
    const char *text = tigetstr(capability);

    return (intptr_t)text == -1 ? NULL : text;
}

/* A terminfo string without its paddings: "$<5/>". */
static size_t add_string(char *out, size_t at, size_t size, const char *text)
{
    while (text != NULL && *text != '\0' && at < size) {
        if (text[0] == '$' && text[1] == '<' && strchr(text, '>') != NULL) {
            text = strchr(text, '>') + 1;
            continue;
        }
        out[at++] = *text++;
    }
    return at;
}

static void set_way_back(const struct wb_term *t)
{
    const char *leave_screen = get_string("rmcup"), *to = get_string("cup");
    char out[WB_TTY_WAY_BACK_MAX];
    size_t at = 0;

    if (t->mouse)
        at = add_string(out, at, sizeof out, mouse_off);
    if (t->ansi)
        at = add_string(out, at, sizeof out, paste_off);
    at = add_string(out, at, sizeof out, get_string("sgr0"));
    if (t->tier != WB_TIER_MONO)
        at = add_string(out, at, sizeof out, get_string("op"));
    at = add_string(out, at, sizeof out, get_string("cnorm"));
    at = add_string(out, at, sizeof out, get_string("rmkx"));
    if (leave_screen == NULL) { /* then below what stands there */
        at = add_string(out, at, sizeof out, tiparm(to, t->rows - 1, 0));
        at = add_string(out, at, sizeof out, "\r\n");
    } else {
        at = add_string(out, at, sizeof out, leave_screen);
    }
    wb_tty_set_way_back(out, at);
}

static void send_modes(const struct wb_term *t, bool on)
{
    if (t->ansi && !wb_tty_write(on ? paste_on : paste_off, strlen(paste_on)))
        return;
    if (t->mouse)
        wb_tty_write(on ? mouse_on : mouse_off, strlen(mouse_on));
}

void wb_term_leave(struct wb_term *t)
{
    if (t->left)
        return;
    send_modes(t, false);
    endwin();
    wb_stray_pause(true);
    wb_tty_set_ours(false);
    t->left = true;
}

void wb_term_check_size(struct wb_term *t)
{
    int rows, cols;

    if (!wb_tty_size(&rows, &cols))
        return;
    rows = rows > SIZE_MAX_CELLS ? SIZE_MAX_CELLS : rows;
    cols = cols > SIZE_MAX_CELLS ? SIZE_MAX_CELLS : cols;
    if ((rows == t->rows && cols == t->cols) || resize_term(rows, cols) == ERR)
        return;
    t->rows = rows;
    t->cols = cols;
    t->resized = true;
    free(t->shown); /* the next surface finds it gone */
    t->shown = NULL;
    set_way_back(t);
    clearok(curscr, TRUE); /* terminals disagree on what stays where */
}

/* After endwin: our modes, and all of the screen. */
static void take_back(struct wb_term *t)
{
    wb_term_check_size(t);
    wrefresh(curscr);
    send_modes(t, true);
}

void wb_term_retake(struct wb_term *t)
{
    endwin(); /* so that curses believes nothing of what it knew */
    take_back(t);
}

void wb_term_enter(struct wb_term *t)
{
    if (!t->left)
        return;
    t->left = false;
    wb_tty_set_ours(true);
    wb_stray_pause(false);
    take_back(t);
}

void wb_term_stop(struct wb_term *t, bool group)
{
    wb_term_leave(t);
    wb_tty_stop(group);
    wb_term_enter(t);
}

void wb_term_suspend(struct wb_term *t)
{
    wb_term_stop(t, true);
}

/* ---- opening ---- */

static const struct {
    const char *capability;
    uint32_t code;
    unsigned mods;
} own_keys[] = {
    { "kcuu1", WB_KEY_UP, 0 },
    { "kcud1", WB_KEY_DOWN, 0 },
    { "kcub1", WB_KEY_LEFT, 0 },
    { "kcuf1", WB_KEY_RIGHT, 0 },
    { "khome", WB_KEY_HOME, 0 },
    { "kend", WB_KEY_END, 0 },
    { "kpp", WB_KEY_PAGE_UP, 0 },
    { "knp", WB_KEY_PAGE_DOWN, 0 },
    { "kich1", WB_KEY_INSERT, 0 },
    { "kdch1", WB_KEY_DELETE, 0 },
    { "kbs", WB_KEY_BACKSPACE, 0 },
    { "kent", WB_KEY_ENTER, 0 },
    { "kcbt", WB_KEY_TAB, WB_MOD_SHIFT },
    { "kri", WB_KEY_UP, WB_MOD_SHIFT },
    { "kind", WB_KEY_DOWN, WB_MOD_SHIFT },
    { "kLFT", WB_KEY_LEFT, WB_MOD_SHIFT },
    { "kRIT", WB_KEY_RIGHT, WB_MOD_SHIFT },
    { "kHOM", WB_KEY_HOME, WB_MOD_SHIFT },
    { "kEND", WB_KEY_END, WB_MOD_SHIFT },
    { "kPRV", WB_KEY_PAGE_UP, WB_MOD_SHIFT },
    { "kNXT", WB_KEY_PAGE_DOWN, WB_MOD_SHIFT },
    { "kDC", WB_KEY_DELETE, WB_MOD_SHIFT },
    { "kIC", WB_KEY_INSERT, WB_MOD_SHIFT },
    { "kf1", WB_KEY_F1, 0 },
    { "kf2", WB_KEY_F1 + 1, 0 },
    { "kf3", WB_KEY_F1 + 2, 0 },
    { "kf4", WB_KEY_F1 + 3, 0 },
    { "kf5", WB_KEY_F1 + 4, 0 },
    { "kf6", WB_KEY_F1 + 5, 0 },
    { "kf7", WB_KEY_F1 + 6, 0 },
    { "kf8", WB_KEY_F1 + 7, 0 },
    { "kf9", WB_KEY_F1 + 8, 0 },
    { "kf10", WB_KEY_F1 + 9, 0 },
    { "kf11", WB_KEY_F1 + 10, 0 },
    { "kf12", WB_KEY_F12, 0 },
};

static void define_keys(struct wb_term *t)
{
    for (size_t i = 0; i < sizeof own_keys / sizeof own_keys[0]; i++)
        if (get_string(own_keys[i].capability) != NULL)
            wb_input_define(&t->input, get_string(own_keys[i].capability),
                            (struct wb_key){ .code = own_keys[i].code, .mods = own_keys[i].mods });
}

/* Refuse before anything is changed. */
static bool check_terminal(struct wb_err *err)
{
    static const char hint[] = "; the commands work without one: weightbench help";
    const char *name = getenv("TERM");
    int found = 0;

    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return wb_fail(err, WB_EARG, "the workbench needs a terminal, and standard %s is none%s",
                       isatty(STDIN_FILENO) ? "output" : "input", hint);
    if (name == NULL || name[0] == '\0' || strcmp(name, "dumb") == 0 ||
        strcmp(name, "unknown") == 0)
        return wb_fail(err, WB_EARG, "a terminal of TERM=%s cannot show a screen%s",
                       name == NULL ? "" : name, hint);
    if (setupterm(name, STDOUT_FILENO, &found) == ERR || found != 1)
        return wb_fail(err, WB_EARG, "TERM=%.60s is not known on this machine%s", name, hint);
    if (get_string("cup") == NULL)
        return wb_fail(err, WB_EARG, "a terminal of TERM=%.60s cannot move its cursor%s", name,
                       hint);
    return true;
}

static bool check_color(const char *color, struct wb_err *err)
{
    enum wb_tier tier;

    if (color == NULL || strcmp(color, "never") == 0 ||
        (wb_tier_parse(color, &tier) && tier != WB_TIER_MONO))
        return true;
    return wb_fail(err, WB_EARG, "color is one of never, 16, 256, direct, not '%.60s'", color);
}

/* What was asked for, and not more than the terminal has. */
static enum wb_tier find_tier(const char *color)
{
    const char *no_color = getenv("NO_COLOR");
    int colours = tigetnum("colors");
    enum wb_tier tier = WB_TIER_16, asked;

    if (color != NULL ? strcmp(color, "never") == 0 : no_color != NULL && no_color[0] != '\0')
        return WB_TIER_MONO;
    if (colours < 8 || tigetnum("pairs") < 2)
        return WB_TIER_MONO;
    if (colours >= 1 << 24)
        tier = WB_TIER_DIRECT;
    else if (colours >= 256)
        tier = WB_TIER_256;
    if (color != NULL && wb_tier_parse(color, &asked) && asked < tier)
        tier = asked;
    return tier;
}

static void start_colours(struct wb_term *t)
{
    if (t->tier == WB_TIER_MONO)
        return;
    if (start_color() == ERR) {
        t->tier = WB_TIER_MONO;
        return;
    }
    t->own_colours = use_default_colors() == OK;
    t->pairs_max = (COLOR_PAIRS < WB_TERM_PAIRS_MAX ? COLOR_PAIRS : WB_TERM_PAIRS_MAX) - 1;
}

/* What is known of the terminal before curses has it. */
static void survey(struct wb_term *t)
{
    const char *delay = getenv("ESCDELAY"), *to = get_string("cup");

    t->ascii = t->options.ascii || strcasecmp(nl_langinfo(CODESET), "UTF-8") != 0;
    t->tier = find_tier(t->options.color);
    t->ansi = strncmp(to, "\033[", 2) == 0;
    t->mouse = !t->options.no_mouse && get_string("kmous") != NULL;
    t->escape_ms = delay != NULL ? (int)strtol(delay, NULL, 10) : 0;
    if (t->escape_ms <= 0)
        t->escape_ms = ESCDELAY_MS;
    t->rows = 24;
    t->cols = 80;
    wb_tty_size(&t->rows, &t->cols);
    define_keys(t);
    set_way_back(t);
}

static bool start_curses(struct wb_term *t, struct wb_err *err)
{
    t->screen = newterm(NULL, stdout, stdin);
    if (t->screen == NULL)
        return wb_fail(err, WB_EARG, "curses cannot start on TERM=%.60s", getenv("TERM"));
    start_colours(t);
    raw();
    noecho();
    nonl();
    typeahead(-1); /* never leave a screen half sent because a key came */
    keypad(stdscr, TRUE);
    leaveok(stdscr, TRUE);
    curs_set(0);
    t->rows = LINES;
    t->cols = COLS;
    wb_term_check_size(t); /* LINES and COLUMNS in the environment do not count */
    t->resized = false;
    return true;
}

struct wb_term *wb_term_open(const struct wb_term_options *options, struct wb_err *err)
{
    struct wb_term *t;

    assert(!is_open);
    setlocale(LC_CTYPE, "");
    if (!check_color(options->color, err) || !check_terminal(err))
        return NULL;
    t = calloc(1, sizeof *t);
    if (t == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for the terminal");
        return NULL;
    }
    t->options = *options;
    survey(t);
    del_curterm(cur_term); /* newterm makes one of its own */
    fflush(stdout);
    if (!wb_stray_catch(err))
        goto no_stray;
    if (!wb_tty_hold(err))
        goto no_tty;
    if (!start_curses(t, err))
        goto no_curses;
    send_modes(t, true);
    is_open = true;
    return t;

no_curses:
    wb_tty_release();
no_tty:
    wb_stray_release();
no_stray:
    free(t);
    return NULL;
}

void wb_term_close(struct wb_term *t)
{
    if (t == NULL)
        return;
    if (!t->left) {
        send_modes(t, false);
        endwin();
    } else {
        wb_tty_set_ours(true);
    }
    delscreen(t->screen);
    wb_tty_release();
    wb_stray_read(t->options.log, t->options.log_ctx);
    wb_stray_release();
    free(t->shown);
    free(t);
    is_open = false;
}

enum wb_tier wb_term_tier(const struct wb_term *t)
{
    return t->tier;
}

bool wb_term_ascii(const struct wb_term *t)
{
    return t->ascii;
}

int wb_term_pairs(const struct wb_term *t)
{
    return t->pairs_max;
}

void wb_term_size(const struct wb_term *t, int *rows, int *cols)
{
    *rows = t->rows;
    *cols = t->cols;
}

void wb_term_set_mouse(struct wb_term *t, bool on)
{
    on = on && get_string("kmous") != NULL;
    if (on == t->mouse)
        return;
    t->mouse = on;
    set_way_back(t);
    if (!t->left)
        wb_tty_write(on ? mouse_on : mouse_off, strlen(mouse_on));
}
