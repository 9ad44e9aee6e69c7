/* views/key.h - keys and mouse events as the rest of the screens see them, and their names.
 *
 * A key is a code point or one of WB_KEY_..., with modifiers. Names are those of the help and the
 * config file: "j", "C-d", "M-x", "S-Tab", "PgDn", "F5", "Space". */
#ifndef WB_VIEWS_KEY_H
#define WB_VIEWS_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"

enum {
    WB_KEY_NONE = 0,
    WB_KEY_TAB = 9,
    WB_KEY_ENTER = 13,
    WB_KEY_ESC = 27,
    WB_KEY_SPACE = 32,
    WB_KEY_BACKSPACE = 127,
    WB_KEY_UP = 0x200000, /* beyond Unicode */
    WB_KEY_DOWN,
    WB_KEY_LEFT,
    WB_KEY_RIGHT,
    WB_KEY_HOME,
    WB_KEY_END,
    WB_KEY_PAGE_UP,
    WB_KEY_PAGE_DOWN,
    WB_KEY_INSERT,
    WB_KEY_DELETE,
    WB_KEY_F1, /* F2 .. F12 follow */
    WB_KEY_F12 = WB_KEY_F1 + 11,
};

enum wb_mod { WB_MOD_SHIFT = 1, WB_MOD_CTRL = 2, WB_MOD_ALT = 4 };

/* Shift is told for keys without a character of their own (Tab, arrows); C-x has the code 'x'. */
struct wb_key {
    uint32_t code;
    unsigned mods;
};

enum wb_mouse_kind { WB_MOUSE_PRESS, WB_MOUSE_DOUBLE, WB_MOUSE_WHEEL_UP, WB_MOUSE_WHEEL_DOWN };
struct wb_mouse {
    enum wb_mouse_kind kind;
    int row, col;
};

enum wb_event_kind {
    WB_EVENT_NONE,
    WB_EVENT_KEY,
    WB_EVENT_MOUSE,
    WB_EVENT_RESIZE, /* the new size is in rows, cols */
    WB_EVENT_PASTE,  /* one character of a bracketed paste is in key: text, never a command */
};
struct wb_event {
    enum wb_event_kind kind;
    struct wb_key key;
    struct wb_mouse mouse;
    int rows, cols;
};

static inline bool wb_key_equal(struct wb_key a, struct wb_key b)
{
    return a.code == b.code && a.mods == b.mods;
}

/* A character to insert: no modifiers but Shift, printable. */
bool wb_key_is_text(struct wb_key key);
/* The name of a key into out. */
const char *wb_key_name(struct wb_key key, char *out, size_t size);
/* One name. WB_EARG for a name that is none. */
bool wb_key_parse(const char *name, struct wb_key *key, struct wb_err *err);

#endif
