/* tests/tui/vt_take.c - what the tests' terminal is told: characters and sequences. */
#include "tests/tui/vt_internal.h"

#include <ctype.h>
#include <string.h>
#include <wchar.h>

#define ESC 0x1b
#define PARAMS_MAX 16

struct params {
    int value[PARAMS_MAX]; /* -1: left out */
    int n;
    char private, between, final;
};

static int param(const struct params *p, int i, int fallback)
{
    return i < p->n && p->value[i] >= 0 ? p->value[i] : fallback;
}

/* 38 and 48: ";5;n", ":2::r:g:b" and the like. Gives the parameters used beyond the first. */
static int extended_colour(const struct params *p, int i, int32_t *colour)
{
    if (param(p, i + 1, 0) == 5) {
        *colour = param(p, i + 2, 0);
        return 2;
    }
    if (param(p, i + 1, 0) == 2) {
        int from = p->n - i > 5 && p->value[i + 2] < 0 ? i + 3 : i + 2;

        *colour =
            VT_RGB | param(p, from, 0) << 16 | param(p, from + 1, 0) << 8 | param(p, from + 2, 0);
        return from + 2 - i;
    }
    return -1;
}

/* false: not one that stands alone. */
static bool set_pen(struct vt_cell *pen, int v)
{
    static const struct {
        int on, off;
        unsigned attr;
    } attr[] = {
        { 1, 22, VT_BOLD }, { 2, 22, VT_DIM }, { 4, 24, VT_UNDERLINE }, { 7, 27, VT_REVERSE }
    };
    bool found = v == 0 || v == 10 || v == 39 || v == 49;

    if (v == 0)
        *pen = vt_blank;
    for (size_t i = 0; i < sizeof attr / sizeof attr[0]; i++)
        if (v == attr[i].on || v == attr[i].off) {
            pen->attrs = v == attr[i].on ? pen->attrs | attr[i].attr : pen->attrs & ~attr[i].attr;
            found = true;
        }
    if ((v >= 30 && v <= 37) || v == 39)
        pen->fg = v == 39 ? VT_DEFAULT : v - 30;
    else if ((v >= 40 && v <= 47) || v == 49)
        pen->bg = v == 49 ? VT_DEFAULT : v - 40;
    else if (v >= 90 && v <= 97)
        pen->fg = v - 90 + 8;
    else if (v >= 100 && v <= 107)
        pen->bg = v - 100 + 8;
    else
        return found;
    return true;
}

static bool set_graphics(struct vt *vt, const struct params *p)
{
    if (p->n == 0)
        vt->pen = vt_blank;
    for (int i = 0; i < p->n; i++) {
        int v = param(p, i, 0);

        if (v == 38 || v == 48) {
            int used = extended_colour(p, i, v == 38 ? &vt->pen.fg : &vt->pen.bg);

            if (used < 0)
                return false;
            i += used;
        } else if (!set_pen(&vt->pen, v)) {
            return false;
        }
    }
    return true;
}

static void swap_screens(struct vt *vt, bool alternate)
{
    struct vt_cell *cell = vt->cell;

    if (alternate == vt->alternate)
        return;
    vt->cell = vt->other;
    vt->other = cell;
    vt->alternate = alternate;
    if (alternate) {
        vt->saved_row = vt->row;
        vt->saved_col = vt->col;
        for (int row = 0; row < vt->rows; row++)
            vt_erase(vt, row, 0, vt->cols);
    } else {
        vt_go(vt, vt->saved_row, vt->saved_col);
    }
}

static bool set_private(struct vt *vt, int mode, bool on)
{
    switch (mode) {
    case 1:
        vt->cursor_keys = on;
        return true;
    case 7:
        vt->wrap = on;
        return true;
    case 25:
        vt->cursor = on;
        return true;
    case 3:
    case 4:
    case 12:
        return true; /* 132 columns, smooth, blinking: nothing to see */
    case 1000:
        vt->mouse = on;
        return true;
    case 1006:
        vt->mouse_sgr = on;
        return true;
    case 1049:
        swap_screens(vt, on);
        return true;
    case 2004:
        vt->paste = on;
        return true;
    default:
        return false;
    }
}

static bool set_modes(struct vt *vt, const struct params *p)
{
    for (int i = 0; i < p->n; i++) {
        int mode = param(p, i, 0);
        bool on = p->final == 'h';

        if (p->private == '?' && !set_private(vt, mode, on))
            return false;
        if (p->private == 0 && mode == 4)
            vt->insert = on;
        else if (p->private == 0 && mode != 34) /* 34: the shape of screen's cursor */
            return false;
    }
    return true;
}

static void erase_display(struct vt *vt, int what)
{
    for (int row = what == 0 ? vt->row + 1 : 0; row < (what == 1 ? vt->row : vt->rows); row++)
        vt_erase(vt, row, 0, vt->cols);
}

static void erase_in(struct vt *vt, const struct params *p)
{
    int what = param(p, 0, 0);

    if (p->final == 'J')
        erase_display(vt, what);
    if (what == 0)
        vt_split(vt, vt->row, vt->col);
    else if (what == 1)
        vt_split(vt, vt->row, vt->col + 1);
    vt_erase(vt, vt->row, what == 0 ? vt->col : 0, what == 1 ? vt->col + 1 : vt->cols);
}

static void insert_lines(struct vt *vt, int n)
{
    if (vt->row < vt->top || vt->row >= vt->bottom)
        return;
    vt_scroll(vt, vt->row, n);
    vt->col = 0;
}

static void tab(struct vt *vt, int n)
{
    for (; n > 0; n--)
        vt_go(vt, vt->row, (vt->col / 8 + 1) * 8);
    for (; n < 0; n++)
        vt_go(vt, vt->row, (vt->col - 1) / 8 * 8);
}

static void set_region(struct vt *vt, const struct params *p)
{
    vt->top = param(p, 0, 1) - 1;
    vt->bottom = param(p, 1, vt->rows);
    if (vt->top < 0 || vt->bottom > vt->rows || vt->top >= vt->bottom) {
        vt->top = 0;
        vt->bottom = vt->rows;
    }
    vt_go(vt, 0, 0);
}

/* Without private and intermediate bytes. */
static bool run_plain(struct vt *vt, const struct params *p)
{
    int n = param(p, 0, 1) > 0 ? param(p, 0, 1) : 1;

    switch (p->final) {
    case '@':
        vt_shift(vt, n);
        return true;
    case 'A':
        vt_go(vt, vt->row - n, vt->col);
        return true;
    case 'B':
        vt_go(vt, vt->row + n, vt->col);
        return true;
    case 'C':
        vt_go(vt, vt->row, vt->col + n);
        return true;
    case 'D':
        vt_go(vt, vt->row, vt->col - n);
        return true;
    case 'G':
        vt_go(vt, vt->row, n - 1);
        return true;
    case 'd':
        vt_go(vt, n - 1, vt->col);
        return true;
    case 'H':
        vt_go(vt, n - 1, param(p, 1, 1) - 1);
        return true;
    case 'J':
    case 'K':
        erase_in(vt, p);
        return true;
    case 'L':
    case 'M':
        insert_lines(vt, p->final == 'L' ? -n : n);
        return true;
    case 'P':
        vt_shift(vt, -n);
        return true;
    case 'S':
    case 'T':
        vt_scroll(vt, vt->top, p->final == 'S' ? n : -n);
        return true;
    case 'X':
        vt_split(vt, vt->row, vt->col);
        vt_split(vt, vt->row, vt->col + n);
        vt_erase(vt, vt->row, vt->col, vt->col + n);
        return true;
    case 'Z':
        tab(vt, -n);
        return true;
    case 'b':
        for (; n > 0; n--)
            vt_put(vt, vt->last);
        return true;
    case 'm':
        return set_graphics(vt, p);
    case 'r':
        set_region(vt, p);
        return true;
    case 't':
        return param(p, 0, 0) == 22 || param(p, 0, 0) == 23; /* the title: kept, given back */
    default:
        return false;
    }
}

static bool run_csi(struct vt *vt, const struct params *p)
{
    if (p->between == '!' && p->final == 'p')
        return true; /* a soft reset */
    if (p->between != 0)
        return false;
    if (p->final == 'h' || p->final == 'l')
        return set_modes(vt, p);
    if (p->private == '?' && p->final == 'c')
        return true; /* the shape of Linux's cursor */
    return p->private == 0 && run_plain(vt, p);
}

/* The bytes of a sequence from "ESC [" on; 0: not all there. */
static size_t take_csi(struct vt *vt, const char *s, size_t n)
{
    struct params p = { .value = { -1 } };
    size_t i = 2;

    if (i < n && s[i] >= '<' && s[i] <= '?')
        p.private = s[i++];
    for (; i < n && s[i] >= '0' && s[i] <= ';'; i++) {
        if (p.n == 0)
            p.value[p.n++] = -1;
        if (isdigit((unsigned char)s[i]))
            p.value[p.n - 1] = (p.value[p.n - 1] < 0 ? 0 : p.value[p.n - 1] * 10) + (s[i] - '0');
        else if (p.n < PARAMS_MAX)
            p.value[p.n++] = -1;
    }
    for (; i < n && s[i] >= 0x20 && s[i] <= 0x2f; i++)
        p.between = s[i];
    if (i == n)
        return 0;
    p.final = s[i];
    if (!run_csi(vt, &p))
        vt_unknown(vt, "sequence", s, i + 1);
    return i + 1;
}

/* "ESC ]": up to BEL or ESC \; Linux has one without an end. */
static size_t take_osc(struct vt *vt, const char *s, size_t n)
{
    size_t end = 2;

    if (n > 2 && s[2] == 'R')
        return 3;
    while (end < n && s[end] != '\a' && s[end] != ESC)
        end++;
    if (end == n || (s[end] == ESC && end + 1 == n))
        return 0;
    if (end >= 7 && memcmp(s + 2, "52;c;", 5) == 0) {
        wb_str_free(&vt->clipboard);
        wb_str_add_n(&vt->clipboard, s + 7, end - 7);
    } else if (end < 5 || memcmp(s + 2, "104", 3) != 0) {
        vt_unknown(vt, "command", s, end);
    }
    return end + (s[end] == ESC ? 2 : 1);
}

static size_t take_escape(struct vt *vt, const char *s, size_t n)
{
    if (n < 2)
        return 0;
    switch (s[1]) {
    case '[':
        return take_csi(vt, s, n);
    case ']':
        return take_osc(vt, s, n);
    case '(':
    case ')':
        if (n < 3)
            return 0;
        vt->graphics[s[1] == ')'] = s[2] == '0';
        if (strchr("0AB", s[2]) == NULL)
            vt_unknown(vt, "character set", s, 3);
        return 3;
    case '7':
        vt->saved_row = vt->row;
        vt->saved_col = vt->col;
        return 2;
    case '8':
        vt_go(vt, vt->saved_row, vt->saved_col);
        return 2;
    case 'M':
        if (vt->row == vt->top)
            vt_scroll(vt, vt->top, -1);
        else
            vt_go(vt, vt->row - 1, vt->col);
        return 2;
    case '=':
    case '>':
        vt->keypad = s[1] == '=';
        return 2;
    default:
        vt_unknown(vt, "sequence", s, 2);
        return 2;
    }
}

static void run_control(struct vt *vt, char c)
{
    if (c == '\r')
        vt_go(vt, vt->row, 0);
    else if (c == '\n')
        vt_line_down(vt);
    else if (c == '\b')
        vt_go(vt, vt->row, vt->col - 1);
    else if (c == '\t')
        tab(vt, 1);
    else if (c == 0x0e || c == 0x0f)
        vt->charset = c == 0x0e;
    else if (c != '\a' && c != '\0')
        vt_unknown(vt, "control character", &c, 1);
}

size_t vt_take(struct vt *vt, const char *s, size_t n)
{
    mbstate_t state = { 0 };
    wchar_t wc;
    size_t used;

    if (s[0] == ESC)
        return take_escape(vt, s, n);
    if ((unsigned char)s[0] < 0x20) {
        run_control(vt, s[0]);
        return 1;
    }
    used = mbrtowc(&wc, s, n, &state);
    if (used == (size_t)-2)
        return 0;
    if (used == (size_t)-1) {
        vt_unknown(vt, "byte", s, 1);
        return 1;
    }
    vt_put(vt, (uint32_t)wc);
    return used;
}
