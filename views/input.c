/* views/input.c - decoding what terminals send.
 *
 * DESIGN. Every function that takes something looks at a span of bytes and says how many of them
 * it used up; 0 asks for more bytes, which none does when the span is late. A sequence that is
 * well formed but unknown is used up and gives no event. */
#include "views/input.h"

#include <assert.h>
#include <string.h>
#include <wchar.h>

#define ESC 0x1b
#define CSI_MAX 64 /* bytes; a longer one is nobody's key */
#define PARAMS_MAX 4
#define PARAM_LIMIT 99999
#define PASTE_END "\033[201~"

struct span {
    const unsigned char *p;
    size_t n;
    bool late;
};

static struct span behind(struct span s, size_t n)
{
    return (struct span){ .p = s.p + n, .n = s.n - n, .late = s.late };
}

static size_t give_key(struct wb_event *ev, uint32_t code, unsigned mods, size_t used)
{
    ev->kind = WB_EVENT_KEY;
    ev->key = (struct wb_key){ .code = code, .mods = mods };
    return used;
}

/* ---- characters ---- */

static size_t take_control(unsigned char c, struct wb_event *ev)
{
    if (c == WB_KEY_TAB || c == WB_KEY_ENTER || c == WB_KEY_ESC || c == WB_KEY_BACKSPACE)
        return give_key(ev, c, 0, 1);
    if (c == 0)
        return give_key(ev, WB_KEY_SPACE, WB_MOD_CTRL, 1);
    return give_key(ev, c <= 26 ? c - 1u + 'a' : c + 0x40u, WB_MOD_CTRL, 1);
}

static size_t take_char(struct span s, struct wb_event *ev)
{
    mbstate_t state = { 0 };
    wchar_t wc;
    size_t used;

    if (s.p[0] < 0x20 || s.p[0] == 0x7f)
        return take_control(s.p[0], ev);
    if (s.p[0] < 0x80)
        return give_key(ev, s.p[0], 0, 1);
    used = mbrtowc(&wc, (const char *)s.p, s.n, &state);
    if (used == (size_t)-2)
        return s.late ? 1 : 0;
    if (used == (size_t)-1 || used == 0)
        return 1;
    if (wc < 0xa0) /* a control character of the second set */
        return used;
    return give_key(ev, (uint32_t)wc, 0, used);
}

/* ---- the mouse ---- */

/* button as in X11: 0 .. 2 pressed, 3 released, + 4 8 16 modifiers, + 32 moved, + 64 wheel. */
static void give_mouse(struct wb_input *in, int button, int row, int col, int64_t now_ms,
                       struct wb_event *ev)
{
    int what = button & ~(4 | 8 | 16);
    bool twice;

    if (row < 0 || col < 0 || (what != 0 && what != 64 && what != 65))
        return;
    ev->kind = WB_EVENT_MOUSE;
    ev->mouse = (struct wb_mouse){ .kind = WB_MOUSE_PRESS, .row = row, .col = col };
    if (what != 0) {
        ev->mouse.kind = what == 64 ? WB_MOUSE_WHEEL_UP : WB_MOUSE_WHEEL_DOWN;
        return;
    }
    twice = in->pressed && row == in->press_row && col == in->press_col &&
            now_ms - in->press_ms <= WB_INPUT_DOUBLE_MS;
    if (twice)
        ev->mouse.kind = WB_MOUSE_DOUBLE;
    in->pressed = !twice; /* a third press begins anew */
    in->press_row = row;
    in->press_col = col;
    in->press_ms = now_ms;
}

/* The old form: ESC [ M and three bytes, each 32 more than its value. used: up to the M. */
static size_t take_old_mouse(struct wb_input *in, struct span s, size_t used, int64_t now_ms,
                             struct wb_event *ev)
{
    const unsigned char *p = s.p + used;

    if (s.n - used < 3)
        return s.late ? s.n : 0;
    give_mouse(in, p[0] - 32, p[2] - 33, p[1] - 33, now_ms, ev);
    return used + 3;
}

/* ---- sequences ---- */

/* What stands between ESC [ and the final byte. */
struct csi {
    unsigned char private, final;
    int param[PARAMS_MAX]; /* 0 where none was given */
    int params;
    bool plain; /* nothing but digits and separators */
};

static struct csi csi_read(const unsigned char *p, size_t n)
{
    struct csi c = { .final = p[n - 1], .plain = true };
    size_t i = 0;

    if (n > 1 && p[0] >= '<' && p[0] <= '?')
        c.private = p[i++];
    c.params = n - 1 > i ? 1 : 0;
    for (; i < n - 1; i++) {
        if (p[i] == ';') {
            c.params++;
        } else if (p[i] >= '0' && p[i] <= '9') {
            if (c.params <= PARAMS_MAX && c.param[c.params - 1] < PARAM_LIMIT)
                c.param[c.params - 1] = c.param[c.params - 1] * 10 + (p[i] - '0');
        } else {
            c.plain = false;
        }
    }
    return c;
}

/* The keys of ESC [ x and ESC O x. */
static uint32_t letter_key(unsigned char letter)
{
    switch (letter) {
    case 'A':
        return WB_KEY_UP;
    case 'B':
        return WB_KEY_DOWN;
    case 'C':
        return WB_KEY_RIGHT;
    case 'D':
        return WB_KEY_LEFT;
    case 'F':
        return WB_KEY_END;
    case 'H':
        return WB_KEY_HOME;
    case 'P':
    case 'Q':
    case 'R':
    case 'S':
        return WB_KEY_F1 + letter - 'P';
    default:
        return WB_KEY_NONE;
    }
}

/* The keys of ESC [ number ~. */
static uint32_t number_key(int number)
{
    static const uint32_t edit[] = { WB_KEY_HOME,    WB_KEY_INSERT,    WB_KEY_DELETE, WB_KEY_END,
                                     WB_KEY_PAGE_UP, WB_KEY_PAGE_DOWN, WB_KEY_HOME,   WB_KEY_END };

    if (number >= 1 && number <= 8)
        return edit[number - 1];
    if (number >= 11 && number <= 15)
        return WB_KEY_F1 + (uint32_t)number - 11;
    if (number >= 17 && number <= 21)
        return WB_KEY_F1 + (uint32_t)number - 12;
    if (number == 23 || number == 24)
        return WB_KEY_F1 + (uint32_t)number - 13;
    return WB_KEY_NONE;
}

/* Modifiers are one more than the sum of 1 Shift, 2 Alt, 4 Ctrl, 8 Meta. */
static unsigned csi_mods(int param)
{
    unsigned bits = param > 1 && param <= 16 ? (unsigned)param - 1 : 0;

    return (bits & 1 ? WB_MOD_SHIFT : 0) | (bits & (2 | 8) ? WB_MOD_ALT : 0) |
           (bits & 4 ? WB_MOD_CTRL : 0);
}

static void csi_event(struct wb_input *in, const struct csi *c, int64_t now_ms, struct wb_event *ev)
{
    uint32_t code = WB_KEY_NONE;
    unsigned mods = csi_mods(c->param[1]);

    if (!c->plain)
        return;
    if (c->private == '<' && c->params == 3 && c->final == 'M')
        give_mouse(in, c->param[0], c->param[2] - 1, c->param[1] - 1, now_ms, ev);
    if (c->private != 0)
        return;
    if (c->final == '~' && c->param[0] == 200) {
        in->pasting = true;
        in->after_return = false;
    } else if (c->final == '~' || c->final == '^') { /* ^: Ctrl, in rxvt */
        code = number_key(c->param[0]);
        mods |= c->final == '^' ? WB_MOD_CTRL : 0;
    } else if (c->final == 'Z') {
        code = WB_KEY_TAB;
        mods |= WB_MOD_SHIFT;
    } else if (c->params == 0 || c->param[0] == 1) { /* else a report, like that of a position */
        code = letter_key(c->final);
    }
    if (code != WB_KEY_NONE)
        give_key(ev, code, mods, 0);
}

static size_t take_csi(struct wb_input *in, struct span s, int64_t now_ms, struct wb_event *ev)
{
    struct csi c;
    size_t i = 2;

    while (i < s.n && i < CSI_MAX && s.p[i] >= 0x20 && s.p[i] < 0x40)
        i++;
    if (i == s.n && i < CSI_MAX && !s.late)
        return 0;
    if (i == 2 && (i == s.n || s.p[i] < 0x20 || s.p[i] > 0x7e))
        return give_key(ev, '[', WB_MOD_ALT, 2);
    if (i == s.n || s.p[i] < 0x40 || s.p[i] > 0x7e)
        return i; /* cut off */
    c = csi_read(s.p + 2, i - 1);
    if (c.final == 'M' && i == 2)
        return take_old_mouse(in, s, 3, now_ms, ev);
    csi_event(in, &c, now_ms, ev);
    return i + 1;
}

/* ESC O x: cursor and keypad keys in application mode; else Alt-O, and x for itself. */
static size_t take_ss3(struct span s, struct wb_event *ev)
{
    static const char keypad[] = "*+,-./0123456789"; /* of j .. y */
    uint32_t code;

    if (s.n == 2)
        return s.late ? give_key(ev, 'O', WB_MOD_ALT, 2) : 0;
    code = letter_key(s.p[2]);
    if (s.p[2] == 'M')
        code = WB_KEY_ENTER;
    else if (s.p[2] >= 'j' && s.p[2] <= 'y')
        code = (unsigned char)keypad[s.p[2] - 'j'];
    return code == WB_KEY_NONE ? give_key(ev, 'O', WB_MOD_ALT, 2) : give_key(ev, code, 0, 3);
}

static size_t take_escape(struct wb_input *in, struct span s, int64_t now_ms, struct wb_event *ev)
{
    size_t used;

    if (s.n == 1)
        return s.late ? give_key(ev, WB_KEY_ESC, 0, 1) : 0;
    if (s.p[1] == '[')
        return take_csi(in, s, now_ms, ev);
    if (s.p[1] == 'O')
        return take_ss3(s, ev);
    if (s.p[1] == ESC) { /* Esc twice, or Alt with a key that has a sequence */
        if (s.n == 2 && !s.late)
            return 0;
        if (s.n == 2 || (s.p[2] != '[' && s.p[2] != 'O'))
            return give_key(ev, WB_KEY_ESC, 0, 1);
        used = take_escape(in, behind(s, 1), now_ms, ev);
    } else {
        used = take_char(behind(s, 1), ev);
    }
    if (ev->kind == WB_EVENT_KEY)
        ev->key.mods |= WB_MOD_ALT;
    return used == 0 ? 0 : used + 1;
}

/* The longest sequence of the terminal's own that s begins with. false: none; *used 0: there is
 * more to come. */
static bool take_sequence(const struct wb_input *in, struct span s, size_t *used,
                          struct wb_event *ev)
{
    bool found = false;

    *used = 0;
    for (size_t i = 0; i < in->sequences; i++) {
        const struct wb_input_sequence *q = &in->sequence[i];
        size_t len = strlen(q->text);

        if (memcmp(q->text, s.p, len < s.n ? len : s.n) != 0)
            continue;
        if (len > s.n && !s.late) {
            *used = 0;
            return true;
        }
        if (len <= s.n && len > *used) {
            *used = give_key(ev, q->key.code, q->key.mods, len);
            found = true;
        }
    }
    return found;
}

static size_t take(struct wb_input *in, struct span s, int64_t now_ms, struct wb_event *ev)
{
    size_t used;

    if (take_sequence(in, s, &used, ev))
        return used;
    return s.p[0] == ESC ? take_escape(in, s, now_ms, ev) : take_char(s, ev);
}

/* Text and line ends; other control characters, Esc too, are left out. */
static size_t take_pasted(struct wb_input *in, struct span s, struct wb_event *ev)
{
    const size_t len = strlen(PASTE_END);
    bool after_return = in->after_return;
    size_t used;

    if (s.p[0] == ESC) {
        if (memcmp(s.p, PASTE_END, s.n < len ? s.n : len) != 0)
            return 1;
        if (s.n < len)
            return s.late ? s.n : 0;
        in->pasting = false;
        return len;
    }
    used = take_char(s, ev);
    if (used == 0)
        return 0;
    in->after_return = s.p[0] == '\r';
    if (s.p[0] == '\n') /* of a line end in two bytes, or by itself */
        *ev = (struct wb_event){ .kind = after_return ? WB_EVENT_NONE : WB_EVENT_KEY,
                                 .key.code = WB_KEY_ENTER };
    else if (ev->key.mods != 0 || ev->key.code == WB_KEY_BACKSPACE)
        ev->kind = WB_EVENT_NONE;
    if (ev->kind == WB_EVENT_KEY)
        ev->kind = WB_EVENT_PASTE;
    return used;
}

/* ---- public ---- */

void wb_input_define(struct wb_input *in, const char *sequence, struct wb_key key)
{
    size_t len = strlen(sequence);

    if (len == 0 || len > WB_INPUT_SEQUENCE_MAX || in->sequences == WB_INPUT_SEQUENCES ||
        ((unsigned char)sequence[0] >= 0x20 && sequence[0] != 0x7f))
        return;
    memcpy(in->sequence[in->sequences].text, sequence, len + 1);
    in->sequence[in->sequences++].key = key;
}

size_t wb_input_room(const struct wb_input *in)
{
    return sizeof in->byte - (in->end - in->at);
}

void wb_input_push(struct wb_input *in, const void *bytes, size_t n)
{
    assert(n <= wb_input_room(in));
    memmove(in->byte, in->byte + in->at, in->end - in->at);
    in->end -= in->at;
    in->at = 0;
    memcpy(in->byte + in->end, bytes, n);
    in->end += n;
}

bool wb_input_next(struct wb_input *in, bool late, int64_t now_ms, struct wb_event *event)
{
    while (in->at < in->end) {
        struct span s = { .p = in->byte + in->at, .n = in->end - in->at, .late = late };
        size_t used;

        *event = (struct wb_event){ .kind = WB_EVENT_NONE };
        used = in->pasting ? take_pasted(in, s, event) : take(in, s, now_ms, event);
        if (used == 0)
            return false;
        in->at += used;
        if (event->kind != WB_EVENT_NONE)
            return true;
    }
    return false;
}

bool wb_input_waits(const struct wb_input *in)
{
    return in->at < in->end;
}
